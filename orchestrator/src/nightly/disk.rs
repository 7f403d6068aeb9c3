//! The disk of the cache and the runs.

use camino::Utf8PathBuf;
use futures::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use super::file::Keep;
use super::hands::Disk;
use crate::run::gc::{Budget, collect, prune_trees};

/// The real disk.
#[derive(Debug, Clone)]
pub struct CacheDisk {
    /// Runs.
    pub results: Utf8PathBuf,
    /// Trees, build folders, results by key.
    pub cache: Utf8PathBuf,
}

impl Disk for CacheDisk {
    fn free(&self) -> Result<u64, String> {
        let stat = nix::sys::statvfs::statvfs(self.cache.as_std_path());
        let stat = stat.map_err(|error| format!("{}: {error}", self.cache))?;
        Ok(stat.blocks_available() * stat.fragment_size())
    }

    fn collect<'a>(&'a self, keep: &'a Keep, cancel: &'a CancellationToken) -> BoxFuture<'a, Result<u64, String>> {
        Box::pin(async move {
            let budget = Budget {
                keep_runs: usize::try_from(keep.runs).unwrap_or(usize::MAX),
                days: u64::from(keep.days),
                all: false,
                dry_run: false,
            };
            let (results, cache) = (self.results.clone(), self.cache.clone());
            let work = tokio::task::spawn_blocking(move || collect(&results, &cache, &budget));
            let removed = work.await.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
            let pruned = prune_trees(&self.cache, false, cancel).await.map_err(|error| error.to_string())?;
            let folders: u64 = removed.iter().map(|(_, bytes)| bytes).sum();
            Ok(folders + pruned.iter().map(|(_, tree)| tree.bytes).sum::<u64>())
        })
    }
}
