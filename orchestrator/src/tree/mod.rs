//! Trees: kernel sources and what a series makes of them.
//!
//! - [`catalogue`] reads `series/trees.yaml`; [`fetch()`] imports a tree once into a bare git repository of the cache.
//! - [`apply()`] makes one commit of every patch of a series, in memory.
//! - [`Worktree`] shows one revision at a time on disk and touches only the files that differ.
//! - [`read_file`] and [`log`] read from the repository.

mod am;
mod apply;
mod apply_error;
mod debian;
mod download;
mod error;
mod fetch;
mod file;
mod git;
mod hunks;
mod import;
mod local;
mod lock;
mod marker;
mod prune;
mod query;
mod remote;
mod spec;
mod sweep;
mod tarball;
#[cfg(test)]
mod testing;
mod worktree;

pub use apply::{Applied, apply};
pub use apply_error::{ApplyError, Conflict};
pub use error::{SourceFailure, TreeError};
pub use fetch::{FetchOptions, fetch};
pub use file::{CloneEntry, DebianEntry, TreesFile, catalogue};
pub use prune::{Pruned, folder_size, prune};
pub use query::{LogEntry, log, read_file};
pub use spec::{GitRef, Source, TarballPlace, TreeSpec};
pub use worktree::{Switched, Worktree, WorktreeError};
