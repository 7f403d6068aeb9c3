//! Trees and commits that are here already.

use camino::Utf8Path;
use git2::{Oid, Repository};

use crate::tree::error::TreeError;
use crate::tree::marker::Imported;
use crate::tree::query;
use crate::tree::spec::TreeSpec;
use crate::words::Tree;

/// The trees of `catalogue` that the cache holds, as they were imported, in the order of the catalogue.
pub fn trees_at_hand(catalogue: &[TreeSpec], cache: &Utf8Path) -> Vec<Tree> {
    let at_hand = |spec: &TreeSpec| {
        let repo = cache.join("trees").join(format!("{}.git", spec.name));
        let marker = Imported::read(&repo).filter(|marker| spec.sources.contains(&marker.source))?;
        let tree = Tree {
            name: spec.name.clone(),
            repo,
            commit: marker.commit,
            kernel_version: marker.kernel_version,
            source: marker.served,
            skipped_sources: marker.skipped,
        };
        has_commit(&tree, &tree.commit).then_some(tree)
    };
    catalogue.iter().filter_map(at_hand).collect()
}

/// The tree `spec` with a commit (40 hex digits) as its base, when the cache holds that commit; nothing is asked for.
pub fn held(spec: &TreeSpec, cache: &Utf8Path, commit: &str) -> Option<Tree> {
    let repo = cache.join("trees").join(format!("{}.git", spec.name));
    let marker = Imported::read(&repo)?;
    let tree = Tree {
        name: spec.name.clone(),
        repo,
        commit: marker.commit,
        kernel_version: marker.kernel_version,
        source: marker.served,
        skipped_sources: marker.skipped,
    };
    has_commit(&tree, commit).then(|| at_commit(&tree, commit).ok()).flatten()
}

/// Whether the tree's repository holds a commit (40 hex digits) with its files.
pub fn has_commit(tree: &Tree, commit: &str) -> bool {
    let held = || {
        let repo = Repository::open_bare(&tree.repo)?;
        repo.find_commit(Oid::from_str(commit)?)?.tree().map(drop)
    };
    held().is_ok()
}

/// The commit that `rev` names in the tree's repository, in git's notation.
///
/// # Errors
/// When there is none.
pub fn resolve(tree: &Tree, rev: &str) -> Result<String, TreeError> {
    let found = Repository::open_bare(&tree.repo).and_then(|repo| {
        let commit = repo.revparse_single(rev)?.peel_to_commit()?;
        Ok(commit.id().to_string())
    });
    found.map_err(|error| TreeError::NoCommit {
        tree: tree.name.clone(),
        rev: rev.to_owned(),
        reason: error.message().to_owned(),
    })
}

/// The tree with another commit as its base. The commit is kept in the repository as long as other bases are.
///
/// # Errors
/// When the commit is not there or holds no kernel.
pub fn at_commit(tree: &Tree, commit: &str) -> Result<Tree, TreeError> {
    if tree.commit == commit {
        return Ok(tree.clone());
    }
    let missing = |reason: String| TreeError::NoCommit { tree: tree.name.clone(), rev: commit.to_owned(), reason };
    let read = Repository::open_bare(&tree.repo).and_then(|repo| {
        let id = repo.find_commit(Oid::from_str(commit)?)?.id();
        let version = query::kernel_version(&repo, id)?;
        if version.is_ok() {
            repo.reference(&format!("refs/bases/{id}"), id, true, "orchestrator: base of a series")?;
        }
        Ok(version)
    });
    let version = read.map_err(|error| missing(error.message().to_owned()))?.map_err(missing)?;
    Ok(Tree { commit: commit.to_owned(), kernel_version: version, ..tree.clone() })
}

#[cfg(test)]
mod tests {
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::tree::testing::{MAKEFILE, Scratch, commit, recorder, repository};
    use crate::tree::{CloneEntry, FetchOptions, Source, fetch};

    #[tokio::test]
    async fn older_commits_of_a_clone_are_at_hand() {
        let scratch = Scratch::new();
        let (folder, cache) = (scratch.path.join("kernel"), scratch.path.join("cache"));
        let old = repository(&folder, &[("Makefile", MAKEFILE), ("mm/a.c", "old\n")]);
        let new = commit(&folder, &[("Makefile", &MAKEFILE.replace("= 7", "= 8"))], "next");
        let sources = vec![Source::Clone(CloneEntry { path: folder.clone(), rev: "main".into() })];
        let spec = TreeSpec { name: "x".into(), about: String::new(), sources };
        assert_eq!(trees_at_hand(std::slice::from_ref(&spec), &cache), []);
        let (events, _) = recorder();
        let never = CancellationToken::new();
        let tree = fetch(&spec, &cache, "u", FetchOptions::default(), &events, &never).await.unwrap();
        assert_eq!(trees_at_hand(std::slice::from_ref(&spec), &cache), std::slice::from_ref(&tree));
        assert_eq!((tree.commit.as_str(), tree.kernel_version.as_str()), (new.as_str(), "6.12.8"));
        assert!(has_commit(&tree, &old) && !has_commit(&tree, &"1".repeat(40)) && !has_commit(&tree, "HEAD"));
        let moved = at_commit(&tree, &old).unwrap();
        assert_eq!((moved.commit.as_str(), moved.kernel_version.as_str()), (old.as_str(), "6.12.7"));
        assert_eq!(held(&spec, &cache, &old), Some(moved));
        assert_eq!(held(&spec, &cache, &"1".repeat(40)), None);
        assert_eq!(resolve(&tree, &old[..12]).unwrap(), old);
        assert_eq!(resolve(&tree, &format!("{new}^")).unwrap(), old);
        let error = resolve(&tree, "v6.99").unwrap_err().to_string();
        assert!(error.starts_with("tree x has no commit `v6.99`: "), "{error}");
        assert!(at_commit(&tree, &"1".repeat(40)).is_err());
    }
}
