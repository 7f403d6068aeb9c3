//! Trees: kernel sources and what a series makes of them.
//!
//! - [`catalogue`] reads `series/trees.yaml`; [`fetch()`] imports a tree once into a bare git repository of the cache.
//! - `base` chooses the commit that a series goes on, and what goes below it.
//! - [`apply()`] makes one commit of every patch of a series, in memory.
//! - [`range_diff()`] compares two series that were applied.
//! - [`Worktree`] shows one revision at a time on disk and touches only the files that differ.
//! - [`read_file`] and [`log`] read from the repository.

mod am;
mod apply;
mod apply_error;
mod base;
mod debian;
mod download;
mod error;
mod fetch;
mod file;
#[cfg(any(test, feature = "fuzz"))]
pub(crate) mod fuzz;
mod git;
mod hunks;
mod import;
mod local;
mod lock;
mod marker;
mod prune;
mod query;
mod range_diff;
mod remote;
mod spec;
mod sweep;
mod tarball;
#[cfg(test)]
mod testing;
mod worktree;

pub use apply::{Applied, apply};
pub use apply_error::{ApplyError, Conflict};
pub use base::{
    Below, BelowOutcome, Candidate, Found, LocalStock, Needed, PrerequisitePlan, Stock, at_commit, by_blobs,
    candidates, has_commit, held, history_patch_ids, match_of, patch_id, plan_prerequisites, put_below, resolve,
    trees_at_hand,
};
pub use error::TreeError;
pub use fetch::{FetchOptions, fetch, fetch_commit};
pub use file::{CloneEntry, DebianEntry, TreesFile, catalogue};
pub use git::push;
pub use prune::{Pruned, folder_size, prune};
pub use query::{LogEntry, log, read_file};
pub use range_diff::{Commits, range_diff};
pub use spec::{GitRef, Source, TarballPlace, TreeSpec};
pub use worktree::{Switched, Worktree, WorktreeError};
