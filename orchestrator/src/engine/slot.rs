//! Work folders: a worktree of a tree with the `O=` folders beside it, each used by one job at a time.

use camino::{Utf8Path, Utf8PathBuf};
use tokio_util::sync::CancellationToken;

use super::Surroundings;
use crate::tree::Worktree;
use crate::words::{RevisionCommit, Tree};

/// More jobs than this on one node wait for the first folder.
const MOST: usize = 64;

/// A work folder that is locked for as long as the value lives.
#[derive(Debug)]
pub struct Slot {
    folder: Utf8PathBuf,
    worktree: Worktree,
}

impl Slot {
    /// Takes the first folder of this node that nobody uses.
    ///
    /// # Errors
    /// One sentence: a folder cannot be used, or the run was interrupted while all were in use.
    pub async fn take(tree: &Tree, at: &Surroundings) -> Result<Slot, String> {
        let unit = format!("build/{}/worktree", tree.name);
        for number in 0..MOST {
            let folder = folder(&at.cache, at.node.as_deref(), number, &tree.name);
            let free = Worktree::try_open(tree, &folder.join("src"), &unit, &at.events);
            if let Some(worktree) = free.map_err(|error| error.to_string())? {
                return Ok(Slot { folder, worktree });
            }
        }
        let folder = folder(&at.cache, at.node.as_deref(), 0, &tree.name);
        let opened = Worktree::open(tree, &folder.join("src"), &unit, &at.events, &at.cancel).await;
        Ok(Slot { folder, worktree: opened.map_err(|error| error.to_string())? })
    }

    /// The folder: `src` in it is the worktree, every other name that of a kconfig.
    pub fn folder(&self) -> &Utf8Path {
        &self.folder
    }

    /// Brings the worktree to a revision.
    ///
    /// # Errors
    /// One sentence.
    pub async fn switch(&mut self, revision: &RevisionCommit, cancel: &CancellationToken) -> Result<(), String> {
        self.worktree.switch(revision, cancel).await.map(drop).map_err(|error| error.to_string())
    }
}

/// The first folder of the host itself has the place it always had, so that what is in it stays of use.
fn folder(cache: &Utf8Path, node: Option<&str>, number: usize, tree: &str) -> Utf8PathBuf {
    let work = cache.join("work");
    match (node, number) {
        (None, 0) => work.join(tree),
        (None, number) => work.join(format!("local-{number}")).join(tree),
        (Some(node), number) => work.join(format!("{node}-{number}")).join(tree),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn surroundings(cache: &Utf8Path, node: Option<&str>) -> Surroundings {
        Surroundings {
            cache: cache.to_owned(),
            node: node.map(str::to_owned),
            events: std::sync::Arc::new(|_| {}),
            cancel: CancellationToken::new(),
        }
    }

    #[tokio::test]
    async fn every_job_has_a_folder_of_its_own() {
        let guard = tempfile::tempdir().unwrap();
        let cache = Utf8Path::from_path(guard.path()).unwrap();
        let tree = Tree {
            name: "t".into(),
            repo: cache.join("t.git"),
            commit: "a".repeat(40),
            kernel_version: String::new(),
            source: String::new(),
            skipped_sources: Vec::new(),
        };
        let here = surroundings(cache, None);
        let first = Slot::take(&tree, &here).await.unwrap();
        let second = Slot::take(&tree, &here).await.unwrap();
        let other = Slot::take(&tree, &surroundings(cache, Some("n1"))).await.unwrap();
        assert_eq!(first.folder(), cache.join("work/t"));
        assert_eq!(second.folder(), cache.join("work/local-1/t"));
        assert_eq!(other.folder(), cache.join("work/n1-0/t"));
        drop(first);
        assert_eq!(Slot::take(&tree, &here).await.unwrap().folder(), cache.join("work/t"), "a free one is used again");
    }
}
