//! How many of the blobs that a series expects the commits of a tree have.

use std::path::Path;
use std::time::Duration;

use git2::{Oid, Repository};
use tokio_util::sync::CancellationToken;

use super::choose::Candidate;
use crate::process::{End, ProcessError, Stream};
use crate::series::Preimage;
use crate::tree::error::TreeError;
use crate::tree::git::git;
use crate::words::Tree;

/// Most commits of the history that are looked at: those that change a file of the series.
const HISTORY: usize = 300;

/// Longest time to find them; a guess is not worth more.
const HISTORY_DEADLINE: Duration = Duration::from_secs(60);

/// The tree's present base and, where its history is at hand, the states before: for each commit of the branch that
/// changes one of the files, the commit before it. At most some hundreds, newest first. Only the present base is
/// looked at when it has everything, or when `with_history` is false.
///
/// # Errors
/// When the repository cannot be read or git cannot be run.
pub async fn candidates(
    tree: &Tree,
    wanted: &[Preimage],
    with_history: bool,
    cancel: &CancellationToken,
) -> Result<Vec<Candidate>, TreeError> {
    let mut commits = vec![tree.commit.clone()];
    let present = count(tree, wanted, commits.clone()).await?;
    if !with_history || wanted.is_empty() || present.iter().any(|candidate| candidate.matched == wanted.len()) {
        return Ok(present);
    }
    commits.extend(history(tree, wanted, cancel).await?);
    count(tree, wanted, commits).await
}

/// The commits before those of the branch that change one of the files, newest first.
async fn history(tree: &Tree, wanted: &[Preimage], cancel: &CancellationToken) -> Result<Vec<String>, TreeError> {
    let failed = |error: ProcessError| repository_error(tree, error.to_string());
    let paths = wanted.iter().map(|one| format!(":(literal){}", one.path));
    let command = git(&tree.repo, &tree.repo)
        .args(["rev-list", "--first-parent", &format!("--max-count={HISTORY}"), &tree.commit, "--"])
        .args(paths)
        .deadline(HISTORY_DEADLINE);
    let mut changing = Vec::new();
    let exit = command.run(cancel, |stream, line| {
        if stream == Stream::Out {
            changing.push(line.to_owned());
        }
    });
    match exit.await.map_err(failed)?.end {
        // What came within the time is good, as far as it goes.
        End::Code(0) | End::Deadline => {}
        End::Cancelled => return Err(TreeError::Cancelled { tree: tree.name.clone() }),
        End::Code(_) | End::Signal(_) => {
            return Err(repository_error(tree, "git rev-list failed on its history".to_owned()));
        }
    }
    in_repo(tree, move |repo| {
        let before = |commit: &String| {
            let parent = repo.find_commit(Oid::from_str(commit)?)?.parent_id(0)?;
            repo.find_commit(parent).map(|parent| parent.id().to_string())
        };
        // Where history was cut off the parent is named but not there.
        Ok(changing.iter().filter_map(|commit| before(commit).ok()).collect())
    })
    .await
}

async fn count(tree: &Tree, wanted: &[Preimage], commits: Vec<String>) -> Result<Vec<Candidate>, TreeError> {
    let (name, wanted) = (tree.name.clone(), wanted.to_vec());
    in_repo(tree, move |repo| {
        let candidate = |(behind, commit): (usize, String)| {
            let matched = matched(repo, &commit, &wanted)?;
            Ok(Candidate { tree: name.clone(), commit, behind, matched })
        };
        commits.into_iter().enumerate().map(candidate).collect()
    })
    .await
}

fn matched(repo: &Repository, commit: &str, wanted: &[Preimage]) -> Result<usize, git2::Error> {
    let tree = repo.find_commit(Oid::from_str(commit)?)?.tree()?;
    let has = |one: &&Preimage| {
        tree.get_path(Path::new(&one.path)).is_ok_and(|entry| entry.id().to_string().starts_with(&one.blob))
    };
    Ok(wanted.iter().filter(has).count())
}

async fn in_repo<T: Send + 'static>(
    tree: &Tree,
    job: impl FnOnce(&Repository) -> Result<T, git2::Error> + Send + 'static,
) -> Result<T, TreeError> {
    let repo = tree.repo.clone();
    let result = tokio::task::spawn_blocking(move || Repository::open_bare(&repo).and_then(|repo| job(&repo))).await;
    let result = result.map_err(|error| repository_error(tree, error.to_string()))?;
    result.map_err(|error| repository_error(tree, error.message().to_owned()))
}

fn repository_error(tree: &Tree, reason: String) -> TreeError {
    TreeError::Repository { tree: tree.name.clone(), repo: tree.repo.to_string(), reason }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::preimages;
    use crate::tree::base::by_blobs;
    use crate::tree::testing::{MAKEFILE, Scratch, commit, recorder, repository, sh_git};
    use crate::tree::{FetchOptions, TreeSpec, fetch};
    use crate::words::testing::series;

    #[tokio::test]
    async fn the_state_that_the_patches_were_made_from_is_found_in_the_history() {
        let scratch = Scratch::new();
        let folder = scratch.path.join("kernel");
        repository(&folder, &[("Makefile", MAKEFILE), ("mm/a.c", "1\n"), ("mm/b.c", "1\n")]);
        commit(&folder, &[("mm/a.c", "2\n")], "a becomes 2");
        let wanted = commit(&folder, &[("README", "x\n")], "elsewhere");
        commit(&folder, &[("mm/a.c", "patched\n"), ("mm/b.c", "patched\n")], "the patch");
        let diff = sh_git(&folder, &["diff", "--abbrev=9", "HEAD^", "HEAD"]) + "\n";
        sh_git(&folder, &["reset", "-q", "--hard", "HEAD^"]);
        commit(&folder, &[("mm/b.c", "3\n")], "b becomes 3");
        commit(&folder, &[("mm/a.c", "4\n")], "a becomes 4");
        let (events, _) = recorder();
        let never = CancellationToken::new();
        let spec = TreeSpec::local(&folder, "HEAD");
        let cache = scratch.path.join("cache");
        let tree = fetch(&spec, &cache, "u", FetchOptions::default(), &events, &never).await.unwrap();
        let asked = preimages(&series("x", &[&diff]));
        assert_eq!(asked.len(), 2);
        let present = candidates(&tree, &asked, false, &never).await.unwrap();
        assert_eq!((present.len(), present[0].matched), (1, 0));
        let all = candidates(&tree, &asked, true, &never).await.unwrap();
        let best = by_blobs(&all, "").unwrap();
        assert_eq!((best.commit.as_str(), best.matched, best.behind), (wanted.as_str(), 2, 2), "{all:?}");
    }
}
