//! Trees: a kernel source and its base.

use camino::Utf8PathBuf;
use serde::{Deserialize, Serialize};

/// An imported tree: a bare git repository in the cache and the commit that is the base.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tree {
    /// Name from `series/trees.yaml`, e.g. `linux-6.12`, or `local`.
    pub name: String,
    /// The git repository (bare, in the cache; or the user's clone).
    pub repo: Utf8PathBuf,
    /// Base commit, 40 hex digits.
    pub commit: String,
    /// Kernel version from the top Makefile, e.g. `6.12.117`.
    pub kernel_version: String,
    /// Which of the tree's sources served, for the report: `Debian package linux-source-6.12 6.12.117-1`.
    pub source: String,
    /// Sources that were tried before it and why they failed, one sentence each.
    pub skipped_sources: Vec<String>,
}
