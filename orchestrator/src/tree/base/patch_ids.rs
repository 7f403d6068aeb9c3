//! Patch ids: what a patch changes, as a number that does not depend on where it is applied.

use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use git2::{Commit, DiffFindOptions, Oid, Repository};

use crate::tree::error::TreeError;
use crate::tree::hunks;
use crate::words::Tree;

/// Commits that change more files than this are merges of trees, imports and the like, not patches of a series.
const FILES: usize = 500;

/// The id of a diff, as `git patch-id --stable` gives it; `None` when it is no diff.
pub fn patch_id(diff: &str) -> Option<String> {
    let diff = hunks::diff(diff).ok().filter(|diff| diff.deltas().len() > 0)?;
    diff.patchid(None).ok().map(|id| id.to_string())
}

/// Patch ids of the last `limit` commits of the tree's base that are no merges, newest first, each with its commit. A
/// tree imported without history has none.
///
/// # Errors
/// When the repository cannot be read.
pub async fn history_patch_ids(tree: &Tree, limit: usize) -> Result<BTreeMap<String, String>, TreeError> {
    let (path, commit) = (tree.repo.clone(), tree.commit.clone());
    let failed =
        |reason: String| TreeError::Repository { tree: tree.name.clone(), repo: tree.repo.to_string(), reason };
    let read = tokio::task::spawn_blocking(move || {
        let repo = Repository::open_bare(&path)?;
        read(&repo, &commit, limit)
    });
    read.await.map_err(|error| failed(error.to_string()))?.map_err(|error| failed(error.message().to_owned()))
}

fn read(repo: &Repository, from: &str, limit: usize) -> Result<BTreeMap<String, String>, git2::Error> {
    let mut ids = BTreeMap::new();
    let start = repo.find_commit(Oid::from_str(from)?)?;
    let mut seen = BTreeSet::from([start.id()]);
    let mut open = BinaryHeap::from([(start.time().seconds(), start.id())]);
    let mut counted = 0;
    while let Some((_, id)) = open.pop().filter(|_| counted < limit) {
        let commit = repo.find_commit(id)?;
        // Where history was cut off the parent is named but not there.
        let parents: Vec<Commit<'_>> = commit.parent_ids().filter_map(|id| repo.find_commit(id).ok()).collect();
        if let [parent] = parents.as_slice() {
            counted += 1;
            for id in of_commit(repo, &commit, parent)? {
                ids.entry(id).or_insert_with(|| commit.id().to_string());
            }
        }
        for parent in parents {
            if seen.insert(parent.id()) {
                open.push((parent.time().seconds(), parent.id()));
            }
        }
    }
    Ok(ids)
}

/// The id of a commit's diff; a second one when it renames files, for those who write renames as such.
fn of_commit(repo: &Repository, commit: &Commit<'_>, parent: &Commit<'_>) -> Result<Vec<String>, git2::Error> {
    let mut diff = repo.diff_tree_to_tree(Some(&parent.tree()?), Some(&commit.tree()?), None)?;
    if diff.deltas().len() == 0 || diff.deltas().len() > FILES {
        return Ok(Vec::new());
    }
    let mut ids = vec![diff.patchid(None)?.to_string()];
    if diff.deltas().any(|delta| delta.status() == git2::Delta::Deleted) {
        diff.find_similar(Some(DiffFindOptions::new().renames(true)))?;
        ids.push(diff.patchid(None)?.to_string());
    }
    Ok(ids)
}

#[cfg(test)]
mod tests {
    use camino::Utf8Path;

    use super::*;
    use crate::tree::testing::{MAKEFILE, Scratch, commit, repository, sh_git};

    /// `git patch-id --stable` of the diff of HEAD, and the diff.
    fn by_git(folder: &Utf8Path, options: &[&str]) -> (String, String) {
        let arguments: Vec<&str> = [&["diff"], options, &["HEAD^", "HEAD"]].concat();
        let diff = sh_git(folder, &arguments) + "\n";
        let file = folder.with_extension("diff");
        fs_err::write(&file, &diff).unwrap();
        let output = std::process::Command::new("git")
            .args(["patch-id", "--stable"])
            .stdin(std::fs::File::open(&file).unwrap())
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        (text.split(' ').next().unwrap().to_owned(), diff)
    }

    #[test]
    fn ids_are_those_of_git() {
        let scratch = Scratch::new();
        let folder = scratch.path.join("kernel");
        let lines = "one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\n";
        repository(&folder, &[("Makefile", MAKEFILE), ("mm/a.c", lines), ("mm/b.c", lines), ("mm/c.c", "no end")]);
        let steps: [(&str, &dyn Fn()); 6] = [
            ("change of two files", &|| {
                fs_err::write(folder.join("mm/a.c"), lines.replace("two", "2  2")).unwrap();
                fs_err::write(folder.join("mm/b.c"), lines.replace("seven", "7")).unwrap();
            }),
            ("new file", &|| fs_err::write(folder.join("mm/new.c"), "int x;\n").unwrap()),
            ("deleted file", &|| fs_err::remove_file(folder.join("mm/new.c")).unwrap()),
            ("mode", &|| {
                let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
                fs_err::set_permissions(folder.join("mm/a.c"), mode).unwrap();
                fs_err::write(folder.join("mm/a.c"), lines).unwrap();
            }),
            ("no newline at the end", &|| fs_err::write(folder.join("mm/c.c"), "none\nno end here").unwrap()),
            ("rename", &|| fs_err::rename(folder.join("mm/b.c"), folder.join("mm/d.c")).unwrap()),
        ];
        let mut expected = Vec::new();
        for (name, step) in steps {
            step();
            let commit = commit(&folder, &[], name);
            for options in [&["--no-renames"][..], &["-M"]] {
                let (id, diff) = by_git(&folder, options);
                if !diff.contains("similarity index 100%") {
                    assert_eq!(patch_id(&diff).as_deref(), Some(id.as_str()), "{name} {options:?}\n{diff}");
                    expected.push((name, id, commit.clone()));
                }
            }
        }
        let repo = Repository::open(&folder).unwrap();
        let head = sh_git(&folder, &["rev-parse", "HEAD"]);
        let ids = read(&repo, &head, 100).unwrap();
        for (name, id, commit) in &expected {
            assert_eq!(ids.get(id), Some(commit), "{name}");
        }
        assert_eq!(read(&repo, &head, 1).unwrap().values().collect::<BTreeSet<_>>().len(), 1);
        assert_eq!(patch_id("no diff"), None);
    }
}
