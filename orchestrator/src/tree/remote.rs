//! A state of a git repository on another host, without its history.

use std::time::Duration;

use camino::Utf8Path;
use tokio_util::sync::CancellationToken;

use super::error::SourceError;
use super::git::{meter, remote_git};
use super::spec::GitRef;
use crate::process::{Command, End, Stream};

/// Longest time for a first answer of the host.
const ANSWER_DEADLINE: Duration = Duration::from_secs(60);
/// Longest time for the objects of one state (some 250 MB).
const FETCH_DEADLINE: Duration = Duration::from_secs(2 * 60 * 60);

/// The commit (for an annotated tag: the tag object) that `at` names at `url` now. Fails within a minute when the host
/// does not answer.
pub(super) async fn resolve(
    repo: &Utf8Path,
    url: &str,
    at: &GitRef,
    cancel: &CancellationToken,
) -> Result<String, SourceError> {
    let name = remote_name(at);
    let command = remote_git(repo, repo).args(["ls-remote", "--", url, &name]).deadline(ANSWER_DEADLINE);
    let mut listing = String::new();
    run(command, "git ls-remote", cancel, |stream, line| {
        if stream == Stream::Out && listing.len() < 10_000 {
            listing.push_str(line);
            listing.push('\n');
        }
    })
    .await?;
    match at {
        // The host answered; whether it has the commit only fetching it tells.
        GitRef::Commit(id) => Ok(id.to_ascii_lowercase()),
        GitRef::Branch(_) | GitRef::Tag(_) => {
            listed(&listing, &name).ok_or_else(|| SourceError::Refused(format!("{url} has no {at}")))
        }
    }
}

/// Fetches that one state into `repo` as `reference`. `progress` gets objects done and in all, and the phase.
pub(super) async fn fetch(
    repo: &Utf8Path,
    url: &str,
    at: &GitRef,
    reference: &str,
    progress: impl Fn(u64, u64, &str),
    cancel: &CancellationToken,
) -> Result<(), SourceError> {
    let refspec = format!("+{}:{reference}", wanted(at));
    let command = remote_git(repo, repo)
        .args(["-c", "fetch.unpackLimit=1", "fetch", "--depth=1", "--no-tags", "--no-write-fetch-head", "--progress"])
        .args(["--refmap=", "--", url, &refspec])
        .returns_end_lines()
        .deadline(FETCH_DEADLINE);
    run(command, "git fetch", cancel, |_, line| {
        if let Some((phase, done, total)) = meter(line) {
            progress(done, total, phase);
        }
    })
    .await
}

/// What to ask `ls-remote` for.
fn remote_name(at: &GitRef) -> String {
    match at {
        GitRef::Branch(name) => format!("refs/heads/{name}"),
        GitRef::Tag(name) => format!("refs/tags/{name}"),
        GitRef::Commit(_) => "HEAD".to_owned(),
    }
}

/// What to fetch.
fn wanted(at: &GitRef) -> String {
    match at {
        GitRef::Branch(_) | GitRef::Tag(_) => remote_name(at),
        GitRef::Commit(id) => id.to_ascii_lowercase(),
    }
}

/// The id of the reference `name` in the output of `ls-remote`, which matches names by their ends.
fn listed(listing: &str, name: &str) -> Option<String> {
    listing.lines().find_map(|line| {
        let (id, found) = line.split_once('\t')?;
        (found == name).then(|| id.to_owned())
    })
}

async fn run(
    command: Command,
    name: &str,
    cancel: &CancellationToken,
    mut on_line: impl FnMut(Stream, &str),
) -> Result<(), SourceError> {
    let mut complaints: Vec<String> = Vec::new();
    let exit = command
        .run(cancel, |stream, line| {
            if stream == Stream::Err && meter(line).is_none() && !line.trim().is_empty() && complaints.len() < 20 {
                complaints.push(line.trim().to_owned());
            }
            on_line(stream, line);
        })
        .await?;
    let told = || complaints.join(" ");
    match exit.end {
        End::Code(0) => Ok(()),
        End::Cancelled => Err(SourceError::Cancelled),
        End::Deadline => {
            Err(SourceError::Refused(format!("{name} got no answer in time {}", told()).trim().to_owned()))
        }
        End::Code(_) => Err(SourceError::Refused(format!("{name}: {}", told()))),
        End::Signal(signal) => Err(SourceError::Refused(format!("{name} was ended by signal {signal}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_very_reference_counts() {
        let listing = "aaa\trefs/heads/x/refs/heads/main\nbbb\trefs/heads/main\n";
        assert_eq!(listed(listing, "refs/heads/main").as_deref(), Some("bbb"));
        assert_eq!(listed(listing, "refs/heads/mai"), None);
    }
}
