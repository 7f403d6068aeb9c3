//! A series becomes commits: one per patch, in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use camino::{Utf8Path, Utf8PathBuf};
use git2::build::TreeUpdateBuilder;
use git2::{Diff, FileMode, ObjectType, Oid, Repository, Signature, Time};
use tokio_util::sync::CancellationToken;

use super::am::{Am, am};
use super::apply_error::{ApplyError, Conflict};
use super::fetch::lock_of;
use super::hunks::{Files, Misfit, already_applied, applied, changes, diff};
use super::lock::Lock;
use crate::series::check_target;
use crate::words::{Patch, Revision, RevisionCommit, Series, Tree};

/// Who commits: fixed, so that the same series on the same tree gives the same commit ids.
const COMMITTER: (&str, &str) = ("orchestrator", "orchestrator@localhost");

/// An applied series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// Base first, then one per patch.
    pub revisions: Vec<RevisionCommit>,
    /// What a person should know, one sentence each: where `git am -3` was needed.
    pub notes: Vec<String>,
}

/// Applies `series` on the base of `tree`. Author, author date and message are those of the patches; the commits are
/// kept in the tree's repository under `refs/orchestrator/<series>/<n>`.
///
/// Vetting comes first and is not done here, but for what only the tree knows: where a symlink leads that was there. Takes milliseconds per patch; a patch that libgit2 refuses is tried with
/// `git am -3`, which takes a second. Another run that works on the same repository is waited for.
///
/// # Errors
/// When a patch does not apply, changes nothing or leaves a symlink that leads out of the tree, the repository is not usable, or `cancel` comes.
pub async fn apply(tree: &Tree, series: &Series, cancel: &CancellationToken) -> Result<Applied, ApplyError> {
    let lock = lock_of(&tree.repo);
    let taken = Lock::take(&lock, || (), cancel).await;
    let taken = taken.map_err(|source| ApplyError::Cache { path: lock.to_string(), source })?;
    let _lock = taken.ok_or(ApplyError::Cancelled)?;
    let commit = tree.commit.clone();
    let base = in_repo(&tree.repo, move |repo| {
        let base = repo.find_commit(Oid::from_str(&commit)?)?;
        Ok(RevisionCommit {
            revision: Revision::Base,
            commit: base.id().to_string(),
            tree: base.tree_id().to_string(),
            touched: Vec::new(),
        })
    })
    .await?;
    let mut done = Applied { revisions: vec![base], notes: Vec::new() };
    for patch in &series.patches {
        if cancel.is_cancelled() {
            return Err(ApplyError::Cancelled);
        }
        let before = done.revisions[done.revisions.len() - 1].clone();
        let (parent, text) = (before.tree.clone(), patch.diff.clone());
        let result = match in_repo(&tree.repo, move |repo| in_memory(repo, &parent, &text)).await? {
            InMemory::Applied(id) => id,
            InMemory::Refused(refusal) => match am(&tree.repo, &before.commit, patch, cancel).await? {
                Am::Applied(id) => {
                    done.notes.push(fallback_note(patch, &refusal));
                    id
                }
                Am::Refused(git) => {
                    let conflict = conflict(patch, refusal, git, done.revisions);
                    return Err(ApplyError::Conflict(Box::new(conflict)));
                }
            },
        };
        if result == before.tree {
            let Patch { number, total, subject, .. } = patch.clone();
            return Err(ApplyError::NoChange { number, total, subject, applied: done.revisions });
        }
        let (old, new) = (before.tree.clone(), result.clone());
        if let Some(Leaving { path, target, why }) =
            in_repo(&tree.repo, move |repo| leaving_link(repo, &old, &new)).await?
        {
            let Patch { number, total, subject, .. } = patch.clone();
            return Err(ApplyError::LeavingLink { number, total, subject, path, target, why });
        }
        let (patch, reference) = (patch.clone(), reference(&series.name, patch.number));
        let revision = in_repo(&tree.repo, move |repo| commit_patch(repo, &before, &result, &patch, &reference));
        done.revisions.push(revision.await?);
    }
    Ok(done)
}

/// Runs `job` on the repository, away from the threads of the runtime.
async fn in_repo<T: Send + 'static>(
    path: &Utf8Path,
    job: impl FnOnce(&Repository) -> Result<T, git2::Error> + Send + 'static,
) -> Result<T, ApplyError> {
    let repo: Utf8PathBuf = path.to_owned();
    let result = tokio::task::spawn_blocking(move || Repository::open_bare(&repo).and_then(|repo| job(&repo))).await;
    let fail = |reason: String| ApplyError::Repository { repo: path.to_string(), reason };
    result.map_err(|error| fail(error.to_string()))?.map_err(|error| fail(error.message().to_owned()))
}

/// Why libgit2 did not apply a patch.
struct Refusal {
    misfit: Option<Box<Misfit>>,
    already: bool,
    reason: String,
}

enum InMemory {
    Applied(String),
    Refused(Refusal),
}

/// Applies a diff on a tree. Only the files it names are looked at, so that the size of the tree does not matter.
fn in_memory(repo: &Repository, parent: &str, text: &str) -> Result<InMemory, git2::Error> {
    let refused = |reason: String| Ok(InMemory::Refused(Refusal { misfit: None, already: false, reason }));
    let diff = match diff(text) {
        Ok(diff) => diff,
        Err(reason) => return refused(reason),
    };
    let changes = match changes(&diff) {
        Ok(changes) => changes,
        Err(reason) => return refused(reason),
    };
    let parent = repo.find_tree(Oid::from_str(parent)?)?;
    let paths: BTreeSet<&String> =
        changes.iter().flat_map(|change| change.old_path.iter().chain(&change.new_path)).collect();
    let mut before = Files::new();
    let mut entries = BTreeMap::new();
    for path in paths {
        match parent.get_path(Path::new(path)) {
            Ok(entry) if entry.kind() == Some(ObjectType::Blob) => {
                before.insert(path.clone(), Some(repo.find_blob(entry.id())?.content().to_vec()));
                entries.insert(path.clone(), (entry.id(), entry.filemode()));
            }
            Ok(_) => return refused(format!("{path} is a folder in the tree")),
            Err(error) if error.code() == git2::ErrorCode::NotFound => drop(before.insert(path.clone(), None)),
            Err(error) => return Err(error),
        }
    }
    let expected = match applied(&changes, &before) {
        Ok(files) => files,
        Err(misfit) => {
            let already = already_applied(&changes, &before);
            let reason = misfit.reason.clone();
            return Ok(InMemory::Refused(Refusal { misfit: Some(misfit), already, reason }));
        }
    };
    let small = small_tree(repo, &entries)?;
    let index = match repo.apply_to_tree(&repo.find_tree(small)?, &diff, None) {
        Ok(index) => index,
        Err(error) => return refused(error.message().to_owned()),
    };
    let kept = kept_modes(&diff, &entries);
    let mut update = TreeUpdateBuilder::new();
    let mut after = Files::new();
    for entry in index.iter() {
        let Ok(path) = String::from_utf8(entry.path.clone()) else { return refused("a path is not UTF-8".to_owned()) };
        after.insert(path.clone(), Some(repo.find_blob(entry.id)?.content().to_vec()));
        let bits = kept.get(&path).copied().unwrap_or(entry.mode);
        let (Some(mode), now) = (mode(bits), (entry.id, bits as i32)) else {
            return refused(format!("{path} has mode {bits:o}"));
        };
        if entries.get(&path) != Some(&now) {
            update.upsert(path, entry.id, mode);
        }
    }
    if after != expected.into_iter().filter(|(_, content)| content.is_some()).collect() {
        return refused("libgit2 would put a hunk elsewhere than git does".to_owned());
    }
    for path in entries.keys().filter(|path| !after.contains_key(*path)) {
        update.remove(path.as_str());
    }
    match update.create_updated(repo, &parent) {
        Ok(id) => Ok(InMemory::Applied(id.to_string())),
        Err(error) => refused(error.message().to_owned()),
    }
}

/// Modes of files whose diff says none: a file that is only renamed or copied keeps its own, where libgit2 makes it
/// an ordinary file.
fn kept_modes(diff: &Diff<'_>, entries: &BTreeMap<String, (Oid, i32)>) -> BTreeMap<String, u32> {
    let silent = diff
        .deltas()
        .filter(|delta| delta.status() != git2::Delta::Deleted && delta.new_file().mode() == FileMode::Unreadable);
    let kept = silent.filter_map(|delta| {
        let path = |file: git2::DiffFile<'_>| Some(std::str::from_utf8(file.path_bytes()?).ok()?.to_owned());
        let (_, bits) = entries.get(&path(delta.old_file())?)?;
        Some((path(delta.new_file())?, u32::try_from(*bits).ok()?))
    });
    kept.collect()
}

fn small_tree(repo: &Repository, entries: &BTreeMap<String, (Oid, i32)>) -> Result<Oid, git2::Error> {
    let empty = repo.find_tree(repo.treebuilder(None)?.write()?)?;
    let mut update = TreeUpdateBuilder::new();
    for (path, (id, bits)) in entries {
        let mode = u32::try_from(*bits).ok().and_then(mode);
        let mode = mode.ok_or_else(|| git2::Error::from_str(&format!("{path} has mode {bits:o}")))?;
        update.upsert(path.as_str(), *id, mode);
    }
    update.create_updated(repo, &empty)
}

fn mode(bits: u32) -> Option<FileMode> {
    match bits {
        0o100_644 => Some(FileMode::Blob),
        0o100_755 => Some(FileMode::BlobExecutable),
        0o120_000 => Some(FileMode::Link),
        _ => None,
    }
}

/// A symlink that leads out of the tree.
struct Leaving {
    path: String,
    target: String,
    why: &'static str,
}

/// The first symlink among what differs between two trees that leads out of the new one. Vetting sees only the links
/// that a patch makes; here also those count that the tree had and a patch moved.
fn leaving_link(repo: &Repository, old: &str, new: &str) -> Result<Option<Leaving>, git2::Error> {
    let (old, new) = (repo.find_tree(Oid::from_str(old)?)?, repo.find_tree(Oid::from_str(new)?)?);
    let diff = repo.diff_tree_to_tree(Some(&old), Some(&new), None)?;
    let links = diff.deltas().map(|delta| delta.new_file()).filter(|file| file.mode() == FileMode::Link);
    for file in links {
        let path = String::from_utf8_lossy(file.path_bytes().unwrap_or_default()).into_owned();
        let blob = repo.find_blob(file.id())?;
        if let Err(why) = check_target(&path, blob.content()) {
            let target = String::from_utf8_lossy(blob.content()).chars().take(80).collect::<String>();
            return Ok(Some(Leaving { path, target: target.escape_debug().to_string(), why }));
        }
    }
    Ok(None)
}

fn commit_patch(
    repo: &Repository,
    before: &RevisionCommit,
    tree: &str,
    patch: &Patch,
    reference: &str,
) -> Result<RevisionCommit, git2::Error> {
    let parent = repo.find_commit(Oid::from_str(&before.commit)?)?;
    let tree = repo.find_tree(Oid::from_str(tree)?)?;
    let when = Time::new(patch.date.seconds, patch.date.offset_minutes);
    let author = author(patch, &when)?;
    let committer = Signature::new(COMMITTER.0, COMMITTER.1, &when)?;
    let id = repo.commit(None, &author, &committer, &message(patch), &tree, &[&parent])?;
    repo.reference(reference, id, true, "orchestrator: series applied")?;
    let diff = repo.diff_tree_to_tree(Some(&parent.tree()?), Some(&tree), None)?;
    let touched: BTreeSet<String> = diff
        .deltas()
        .flat_map(|delta| [delta.old_file().path_bytes(), delta.new_file().path_bytes()])
        .flatten()
        .map(|path| String::from_utf8_lossy(path).into_owned())
        .collect();
    Ok(RevisionCommit {
        revision: Revision::Patch { number: patch.number, total: patch.total },
        commit: id.to_string(),
        tree: tree.id().to_string(),
        touched: touched.into_iter().collect(),
    })
}

/// git has no author without a name or address.
fn author(patch: &Patch, when: &Time) -> Result<Signature<'static>, git2::Error> {
    let clean = |text: &str| text.replace(['<', '>', '\n', '\r', '\0'], "").trim().to_owned();
    let (name, email) = (clean(&patch.author.name), clean(&patch.author.email));
    let email = if email.is_empty() { "unknown".to_owned() } else { email };
    let name = if name.is_empty() { email.clone() } else { name };
    Signature::new(&name, &email, when)
}

fn message(patch: &Patch) -> String {
    let body = patch.message.trim_matches('\n');
    let text = if body.is_empty() { format!("{}\n", patch.subject) } else { format!("{}\n\n{body}\n", patch.subject) };
    text.replace('\0', "")
}

/// `refs/orchestrator/v6/3`.
fn reference(series: &str, number: usize) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "_-".contains(c) { c } else { '-' };
    let name: String = series.chars().map(plain).collect();
    format!("refs/orchestrator/{}/{number}", if name.is_empty() { "series" } else { &name })
}

fn fallback_note(patch: &Patch, refusal: &Refusal) -> String {
    let Patch { number, total, subject, .. } = patch;
    format!("patch {number}/{total} \"{subject}\" was applied by git am -3 ({})", refusal.reason)
}

fn conflict(patch: &Patch, refusal: Refusal, git: String, applied: Vec<RevisionCommit>) -> Conflict {
    let misfit = refusal.misfit.map(|misfit| *misfit);
    let already_applied = refusal.already;
    let (number, total, subject) = (patch.number, patch.total, patch.subject.clone());
    match misfit {
        Some(Misfit { file, hunk, reason, expected, found, found_line, already: _ }) => Conflict {
            number,
            total,
            subject,
            file,
            hunk,
            reason,
            expected,
            found,
            found_line,
            already_applied,
            git,
            applied,
        },
        None => Conflict {
            number,
            total,
            subject,
            file: String::new(),
            hunk: None,
            reason: refusal.reason,
            expected: Vec::new(),
            found: Vec::new(),
            found_line: 0,
            already_applied,
            git,
            applied,
        },
    }
}

#[cfg(test)]
#[path = "apply_tests.rs"]
mod tests;
