//! What two versions of a series differ in, as git tells it.

use std::time::Duration;

use camino::Utf8Path;
use tokio_util::sync::CancellationToken;

use super::error::TreeError;
use super::git::git;
use crate::process::{End, Stream};

/// Longest time; some seconds are usual for a hundred patches.
const DEADLINE: Duration = Duration::from_secs(120);

/// Most bytes that are taken; far more than anybody reads.
const LIMIT: usize = 4 * 1024 * 1024;

/// A series as commits: the commit below its first patch, and its last patch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commits {
    /// Base, 40 hex digits.
    pub base: String,
    /// Tip, 40 hex digits.
    pub tip: String,
}

/// `git range-diff` between two series whose commits the bare repository `repo` of the tree `name` holds.
///
/// # Errors
/// When a commit is not there, git refuses, or `cancel` comes.
pub async fn range_diff(
    name: &str,
    repo: &Utf8Path,
    earlier: &Commits,
    later: &Commits,
    cancel: &CancellationToken,
) -> Result<String, TreeError> {
    let failed = |reason: String| TreeError::Repository { tree: name.to_owned(), repo: repo.to_string(), reason };
    let range = |commits: &Commits| format!("{}..{}", commits.base, commits.tip);
    let command = git(repo, repo)
        .args(["-c", "core.abbrev=12", "range-diff", "--no-color", "--no-notes", "--creation-factor=90"])
        .args([range(earlier), range(later)])
        .deadline(DEADLINE);
    let (mut text, mut complaint) = (String::new(), String::new());
    let exit = command.run(cancel, |stream, line| {
        let (place, limit) = match stream {
            Stream::Out => (&mut text, LIMIT),
            Stream::Err => (&mut complaint, 1000),
        };
        if place.len() < limit {
            place.push_str(line);
            place.push('\n');
        }
    });
    match exit.await.map_err(|error| failed(error.to_string()))?.end {
        End::Code(0) => Ok(text),
        End::Cancelled => Err(TreeError::Cancelled { tree: name.to_owned() }),
        End::Deadline => Err(failed("git range-diff took longer than two minutes".to_owned())),
        End::Code(_) | End::Signal(_) => Err(failed(format!("git range-diff: {}", complaint.trim()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::read_range_diff;
    use crate::tree::testing::{MAKEFILE, Scratch, recorder, repository, sh_git};
    use crate::tree::{FetchOptions, TreeSpec, apply, fetch};
    use crate::words::{PatchFate, Series, testing};

    const LINES: &str = "one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\nnine\n";

    fn series(diffs: &[&str]) -> Series {
        let mut series = testing::series("v", diffs);
        for (index, patch) in series.patches.iter_mut().enumerate() {
            patch.date.seconds = 1_700_000_000 + i64::try_from(index).unwrap();
        }
        series
    }

    #[tokio::test]
    async fn versions_that_were_applied_are_set_side_by_side() {
        let scratch = Scratch::new();
        let folder = scratch.path.join("kernel");
        repository(&folder, &[("Makefile", MAKEFILE), ("mm/a.c", LINES), ("mm/b.c", LINES)]);
        let (events, _) = recorder();
        let never = CancellationToken::new();
        let (spec, cache) = (TreeSpec::local(&folder, "HEAD"), scratch.path.join("cache"));
        let tree = fetch(&spec, &cache, "u", FetchOptions::default(), &events, &never).await.unwrap();
        let change = |file: &str, old: &str, new: &str| {
            fs_err::write(folder.join(file), LINES.replace(old, new)).unwrap();
            let diff = sh_git(&folder, &["diff"]) + "\n";
            sh_git(&folder, &["checkout", "-q", "--", "."]);
            diff
        };
        let (first, second) = (change("mm/a.c", "two", "2"), change("mm/b.c", "five", "5\n5a\n5b\n5c"));
        let other = second.replace("+5b", "+5B");
        let (one, two) = (series(&[&first, &second]), series(&[&first, &other]));
        let mut commits = Vec::new();
        for version in [&one, &two] {
            let done = apply(&tree, version, &never).await.unwrap();
            let tip = done.revisions[2].commit.clone();
            commits.push(Commits { base: tree.commit.clone(), tip });
        }
        let text = range_diff("t", &tree.repo, &commits[0], &commits[1], &never).await.unwrap();
        let pairs = read_range_diff(&text, &one.patches, &two.patches).expect(&text);
        let fates: Vec<PatchFate> = pairs.iter().map(|pair| pair.fate).collect();
        assert_eq!(fates, [PatchFate::Unchanged, PatchFate::Changed], "{text}");
        assert!(text.contains("-+5b") && text.contains("++5B"), "{text}");
        let gone = Commits { base: "1".repeat(40), tip: "2".repeat(40) };
        let error = range_diff("t", &tree.repo, &gone, &commits[1], &never).await.unwrap_err();
        assert!(error.to_string().contains("git range-diff: "), "{error}");
    }
}
