//! The fallback for a patch that libgit2 refuses: `git am -3`.
//!
//! It runs in a throw-away git folder that shares the tree's objects, with an index but without files: git takes the
//! few it needs out of the index, so nothing is checked out.

use camino::Utf8Path;
use tokio_util::sync::CancellationToken;

use super::apply_error::ApplyError;
use super::git::{PLAIN_BYTES, git};
use crate::process::{Command, End};
use crate::words::Patch;

/// What git said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Am {
    /// Tree id, 40 hex digits.
    Applied(String),
    /// Why not.
    Refused(String),
}

/// Applies `patch` on `commit`. The caller holds the lock of `repo`.
pub(super) async fn am(
    repo: &Utf8Path,
    commit: &str,
    patch: &Patch,
    cancel: &CancellationToken,
) -> Result<Am, ApplyError> {
    let folder = repo.join("am");
    let prepared = prepare(repo, &folder, commit);
    let result = match prepared {
        Ok(()) => steps(repo, &folder, commit, patch, cancel).await,
        Err(source) => Err(ApplyError::Cache { path: folder.to_string(), source }),
    };
    // What is left is removed before the next time too.
    let _ = fs_err::remove_dir_all(&folder);
    result
}

fn prepare(repo: &Utf8Path, folder: &Utf8Path, commit: &str) -> std::io::Result<()> {
    if folder.exists() {
        fs_err::remove_dir_all(folder)?;
    }
    fs_err::create_dir_all(folder.join("tree"))?;
    let own = folder.join("git");
    fs_err::create_dir_all(&own)?;
    git2::Repository::init_bare(&own).map_err(std::io::Error::other)?;
    fs_err::write(own.join("HEAD"), format!("{commit}\n"))?;
    fs_err::create_dir_all(own.join("info"))?;
    fs_err::write(own.join("info/attributes"), PLAIN_BYTES)?;
    if repo.join("shallow").exists() {
        fs_err::copy(repo.join("shallow"), own.join("shallow"))?;
    }
    Ok(())
}

async fn steps(
    repo: &Utf8Path,
    folder: &Utf8Path,
    commit: &str,
    patch: &Patch,
    cancel: &CancellationToken,
) -> Result<Am, ApplyError> {
    let command = || {
        git(&folder.join("git"), &folder.join("tree"))
            .args(["-c", "core.bare=false"])
            .env("GIT_WORK_TREE", folder.join("tree").as_str())
            .env("GIT_OBJECT_DIRECTORY", repo.join("objects").as_str())
            .env("GIT_COMMITTER_NAME", "orchestrator")
            .env("GIT_COMMITTER_EMAIL", "orchestrator@localhost")
    };
    let (read, told) = run(command().args(["read-tree", commit]), cancel).await?;
    if !read {
        return Err(ApplyError::Repository { repo: repo.to_string(), reason: told });
    }
    let apply = command()
        .args(["am", "--3way", "--quiet", "--keep-cr", "--no-scissors", "--no-gpg-sign", "--patch-format=mbox"])
        .stdin(mail(&patch.diff));
    let (applied, told) = run(apply, cancel).await?;
    if !applied {
        return Ok(Am::Refused(told));
    }
    let (_, id) = run(command().args(["rev-parse", "HEAD^{tree}"]), cancel).await?;
    Ok(Am::Applied(id))
}

/// Runs git; gives whether it was content, and the first of its words on one line.
async fn run(command: Command, cancel: &CancellationToken) -> Result<(bool, String), ApplyError> {
    let mut told = String::new();
    let exit = command.run(cancel, |_, line| {
        let advice = line.starts_with("hint:") || line.starts_with("When you have resolved");
        if !advice && told.len() < 1000 {
            told.push_str(if told.is_empty() { "" } else { "; " });
            told.push_str(line.trim());
        }
    });
    match exit.await?.end {
        End::Cancelled => Err(ApplyError::Cancelled),
        End::Code(code) => Ok((code == 0, told)),
        End::Signal(_) | End::Deadline => Ok((false, told)),
    }
}

/// A mail that carries nothing but the diff; author and message are put on the commit afterwards, as for any patch.
fn mail(diff: &str) -> Vec<u8> {
    let head = "From 0000000000000000000000000000000000000000 Mon Sep 17 00:00:00 2001\n\
                From: orchestrator <orchestrator@localhost>\n\
                Date: Sat, 1 Jan 2000 00:00:00 +0000\n\
                Subject: [PATCH] patch\n\
                MIME-Version: 1.0\n\
                Content-Type: text/plain; charset=UTF-8\n\
                Content-Transfer-Encoding: 8bit\n\n---\n\n";
    format!("{head}{diff}").into_bytes()
}
