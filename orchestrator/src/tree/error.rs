//! What goes wrong with trees.

use crate::process::ProcessError;
use crate::words::{ListedFailures, SourceFailure};

/// A tree that could not be had.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    /// The run was interrupted.
    #[error("fetching tree {tree} was interrupted")]
    Cancelled {
        /// Tree.
        tree: String,
    },
    /// No source served.
    #[error(
        "tree {tree} cannot be had: {}; mend one of these, or add a source to series/trees.yaml",
        ListedFailures(failures)
    )]
    Unavailable {
        /// Tree.
        tree: String,
        /// Every source that was tried and why it failed.
        failures: Vec<SourceFailure>,
    },
    /// The cache folder is not usable.
    #[error("tree {tree}: {path}: {source}; check that the cache folder can be written and the disk is not full")]
    Cache {
        /// Tree.
        tree: String,
        /// File or folder.
        path: String,
        /// The operating system's word.
        source: std::io::Error,
    },
    /// A commit that was asked for is not there.
    #[error("tree {tree} has no commit `{rev}`: {reason}; name another, or a tree that has it")]
    NoCommit {
        /// Tree.
        tree: String,
        /// What was asked for.
        rev: String,
        /// libgit2's word.
        reason: String,
    },
    /// The cached repository is not usable.
    #[error("tree {tree}: repository {repo}: {reason}; remove that folder to import the tree again")]
    Repository {
        /// Tree.
        tree: String,
        /// Repository.
        repo: String,
        /// libgit2's word.
        reason: String,
    },
}

/// Why one source failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum SourceError {
    #[error("interrupted")]
    Cancelled,
    #[error("{0}")]
    Refused(String),
    #[error(transparent)]
    Process(#[from] ProcessError),
    #[error("{what}: {source}")]
    Io { what: String, source: std::io::Error },
    #[error("{}", .0.message())]
    Git(#[from] git2::Error),
}

impl SourceError {
    pub(super) fn io(what: impl std::fmt::Display, source: std::io::Error) -> Self {
        SourceError::Io { what: what.to_string(), source }
    }
}
