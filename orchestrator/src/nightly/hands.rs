//! What a night needs of the other rooms, each behind a narrow trait.

use std::collections::BTreeMap;

use futures::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use super::file::{Followed, Keep, PostPolicy};
use super::words::{Target, VerdictChange};
use crate::report::model::Report;
use crate::words::Series;

/// The newest version of a followed series.
#[derive(Debug, Clone)]
pub struct Newest {
    /// Version, where it has one.
    pub version: Option<u32>,
    /// Its patches for each tree that was asked for, or why there are none for it.
    pub patches: BTreeMap<String, Result<Series, String>>,
}

/// Finds the newest version of a series.
pub trait Versions: Send + Sync {
    /// The newest version of `followed`, called `name`, for `trees`. The error is one sentence.
    fn newest<'a>(
        &'a self,
        name: &'a str,
        followed: &'a Followed,
        trees: &'a [String],
    ) -> BoxFuture<'a, Result<Newest, String>>;
}

/// The present base of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeState {
    /// Commit, 40 hex digits.
    pub commit: String,
    /// Version of the kernel.
    pub kernel_version: String,
}

/// Asks trees for their newest state.
pub trait Trees: Send + Sync {
    /// Refreshes `tree` in the cache and gives its state. The error is one sentence.
    fn refresh<'a>(&'a self, tree: &'a str, cancel: &'a CancellationToken) -> BoxFuture<'a, Result<TreeState, String>>;
}

/// Carries out runs.
pub trait Runner: Send + Sync {
    /// Makes the folder of a run and gives its id. Nothing is tested yet.
    fn begin(&self, target: &Target, series: &Series) -> Result<String, String>;

    /// Carries out a run, or what is left of it. When `cancel` comes, the report's verdict is `interrupted`.
    fn carry_out<'a>(&'a self, run: &'a str, cancel: CancellationToken) -> BoxFuture<'a, Result<Report, String>>;

    /// Whether the run can still be gone on with.
    fn exists(&self, run: &str) -> bool;
}

/// Tells verdicts to those who wait for them.
pub trait Poster: Send + Sync {
    /// Tells one change by `policy`, which is not [`PostPolicy::None`], and says how it was told. It may be asked for
    /// the same change again after a crash and must not tell it twice.
    fn post<'a>(&'a self, change: &'a VerdictChange, policy: PostPolicy) -> BoxFuture<'a, Result<String, String>>;
}

/// The disk on which runs and results lie.
pub trait Disk: Send + Sync {
    /// Bytes that may still be written.
    fn free(&self) -> Result<u64, String>;

    /// Removes what `keep` does not keep and gives the bytes it freed.
    fn collect<'a>(&'a self, keep: &'a Keep, cancel: &'a CancellationToken) -> BoxFuture<'a, Result<u64, String>>;
}

/// Everything a night works with.
#[derive(Clone, Copy)]
pub struct Hands<'a> {
    /// Archives and manifests.
    pub versions: &'a dyn Versions,
    /// Trees.
    pub trees: &'a dyn Trees,
    /// Runs.
    pub runner: &'a dyn Runner,
    /// Posting.
    pub poster: &'a dyn Poster,
    /// Disk.
    pub disk: &'a dyn Disk,
}
