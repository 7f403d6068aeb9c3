//! Forgetting what a tree's repository holds of bases that it had once.

use camino::Utf8Path;
use git2::Repository;
use tokio_util::sync::CancellationToken;

use super::error::TreeError;
use super::fetch::lock_of;
use super::git::git;
use super::lock::Lock;
use super::marker::Imported;
use super::worktree::beside;

/// What pruning a repository did, or would do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pruned {
    /// Bases that were forgotten.
    pub bases: usize,
    /// Bytes that this freed; 0 for a dry run.
    pub bytes: u64,
}

/// Removes from the cached repository of the tree `name` all bases but the present one, with the series that were
/// applied on them. Objects younger than `age` (as git says it, `1.day.ago`) stay: a run may be about to use them.
///
/// Gives `None` when there is nothing to forget or a run works on the tree.
///
/// # Errors
/// When the repository cannot be read or git refuses.
pub async fn prune(
    cache: &Utf8Path,
    name: &str,
    age: &str,
    dry_run: bool,
    cancel: &CancellationToken,
) -> Result<Option<Pruned>, TreeError> {
    let repo = cache.join("trees").join(format!("{name}.git"));
    let worktree = cache.join("work").join(name).join("src");
    let failed = |reason: String| TreeError::Repository { tree: name.to_owned(), repo: repo.to_string(), reason };
    let Some(marker) = Imported::read(&repo) else { return Ok(None) };
    let take = |path: &Utf8Path| Lock::try_take(path).map_err(|error| failed(error.to_string()));
    let (Some(_repo), Some(_worktree)) = (take(&lock_of(&repo))?, take(&beside(&worktree, "lock"))?) else {
        return Ok(None);
    };
    let bases = old_bases(&repo, &marker.commit).map_err(|error| failed(error.message().to_owned()))?;
    if bases.is_empty() || dry_run {
        return Ok((!bases.is_empty()).then_some(Pruned { bases: bases.len(), bytes: 0 }));
    }
    let io = |error: std::io::Error| failed(error.to_string());
    let before = folder_size(&repo).map_err(io)?;
    // The index names objects of the revision that was built last. Without it the worktree is compared by content.
    for what in ["index", "state"] {
        match fs_err::remove_file(beside(&worktree, what)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(io(error)),
            Ok(()) | Err(_) => {}
        }
    }
    forget(&repo, &bases).map_err(|error| failed(error.message().to_owned()))?;
    for arguments in [
        vec!["repack", "-A", "-d", "-q", &format!("--unpack-unreachable={age}")],
        vec!["prune", &format!("--expire={age}")],
    ] {
        git(&repo, &repo).args(arguments).output(cancel).await.map_err(|error| failed(error.to_string()))?;
    }
    let bytes = before.saturating_sub(folder_size(&repo).map_err(io)?);
    Ok(Some(Pruned { bases: bases.len(), bytes }))
}

/// References to bases other than the present one.
fn old_bases(repo: &Utf8Path, current: &str) -> Result<Vec<String>, git2::Error> {
    let present = format!("refs/bases/{current}");
    let names = references(&Repository::open_bare(repo)?, "refs/bases/*")?;
    Ok(names.into_iter().filter(|name| *name != present).collect())
}

/// Every series is applied anew when it is needed; it takes milliseconds.
fn forget(repo: &Utf8Path, bases: &[String]) -> Result<(), git2::Error> {
    let repo = Repository::open_bare(repo)?;
    for name in bases.iter().chain(&references(&repo, "refs/orchestrator/*")?) {
        repo.find_reference(name)?.delete()?;
    }
    Ok(())
}

fn references(repo: &Repository, pattern: &str) -> Result<Vec<String>, git2::Error> {
    let mut found = repo.references_glob(pattern)?;
    let names: Result<Vec<_>, _> = found.names().map(|name| name.map(str::to_owned)).collect();
    names
}

/// Bytes of all files in a folder, links not followed.
///
/// # Errors
/// When a folder cannot be read.
pub fn folder_size(folder: &Utf8Path) -> std::io::Result<u64> {
    let mut bytes = 0;
    for entry in present(folder.read_dir_utf8())?.into_iter().flatten() {
        let Some(entry) = present(entry)? else { continue };
        let Some(data) = present(entry.path().symlink_metadata())? else { continue };
        bytes += if data.is_dir() { folder_size(entry.path())? } else { data.len() };
    }
    Ok(bytes)
}

/// What a folder at work had this moment may be gone the next.
fn present<T>(seen: std::io::Result<T>) -> std::io::Result<Option<T>> {
    match seen {
        Ok(seen) => Ok(Some(seen)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::testing::{MAKEFILE, Scratch, commit, recorder, repository};
    use crate::tree::{FetchOptions, GitRef, Source, TreeSpec, fetch, read_file};

    #[test]
    fn what_vanishes_while_it_is_looked_at_has_no_size() {
        let folder = tempfile::tempdir().unwrap();
        let path = Utf8Path::from_path(folder.path()).unwrap();
        fs_err::write(path.join("a"), "12345").unwrap();
        assert_eq!(folder_size(path).unwrap(), 5);
        assert_eq!(folder_size(&path.join("gone")).unwrap(), 0);
    }

    #[tokio::test]
    async fn only_the_present_base_stays() {
        let scratch = Scratch::new();
        let (folder, cache) = (scratch.path.join("kernel"), scratch.path.join("cache"));
        repository(&folder, &[("Makefile", MAKEFILE), ("mm/a.c", "old\n")]);
        let url = format!("file://{folder}");
        let sources = vec![Source::Git { url, at: GitRef::Branch("main".into()) }];
        let spec = TreeSpec { name: "x".into(), about: String::new(), sources };
        let (events, _) = recorder();
        let never = CancellationToken::new();
        let get = || fetch(&spec, &cache, "u", FetchOptions { refresh: true }, &events, &never);
        let old = get().await.unwrap();
        assert_eq!(prune(&cache, "x", "now", false, &never).await.unwrap(), None, "nothing to forget");
        commit(&folder, &[("mm/a.c", "new\n")], "next");
        let new = get().await.unwrap();
        assert_ne!(old.commit, new.commit);
        // A process that another test forks just now holds the lock until it executes something.
        let busy = loop {
            match Lock::try_take(&lock_of(&new.repo)).unwrap() {
                Some(lock) => break lock,
                None => tokio::task::yield_now().await,
            }
        };
        assert_eq!(prune(&cache, "x", "now", false, &never).await.unwrap(), None, "a run works on it");
        drop(busy);
        let when_free = async |dry| loop {
            match prune(&cache, "x", "now", dry, &never).await.unwrap() {
                Some(pruned) => break pruned,
                None => tokio::task::yield_now().await,
            }
        };
        assert_eq!(when_free(true).await, Pruned { bases: 1, bytes: 0 });
        assert!(read_file(&old, &old.commit, "mm/a.c").unwrap().is_some());
        let done = when_free(false).await;
        assert!(done.bases == 1 && done.bytes > 0, "{done:?}");
        let left = Repository::open_bare(&new.repo).unwrap();
        assert!(left.find_blob(git2::Oid::hash_object(git2::ObjectType::Blob, b"old\n").unwrap()).is_err());
        assert_eq!(read_file(&new, &new.commit, "mm/a.c").unwrap().unwrap(), b"new\n");
        let again = fetch(&spec, &cache, "u", FetchOptions::default(), &events, &never).await.unwrap();
        assert_eq!(again.commit, new.commit, "the tree is still there");
    }
}
