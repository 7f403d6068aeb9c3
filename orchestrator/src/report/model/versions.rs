//! What became of the series since an earlier run.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::RunVerdict;
use crate::words::{FindingChanges, PatchPair};

/// An earlier run of the same series, and what changed since.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Previous {
    /// The earlier run.
    pub run: String,
    /// When it began, RFC 3339.
    pub started: String,
    /// What it tested: `v5`.
    pub series: String,
    /// Version of the series it tested.
    pub version: Option<u32>,
    /// What it said in one word.
    pub verdict: RunVerdict,
    /// What became of its findings, on the trees that both runs tested.
    pub findings: FindingChanges,
    /// What became of the patches.
    pub patches: Vec<PatchPair>,
    /// One entry per tree that both runs tested.
    pub trees: Vec<TreeVersions>,
    /// Units of patches that did not change and how many of them were not done again.
    pub reused: ReusedUnits,
}

/// Two versions on one tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TreeVersions {
    /// Tree.
    pub tree: String,
    /// Base of the earlier run, 40 hex digits.
    pub earlier_base: Option<String>,
    /// Base of this run, 40 hex digits.
    pub base: Option<String>,
    /// What `git range-diff` says, line by line; bounded. Empty when there is none.
    pub range_diff: Vec<String>,
    /// Lines of it that were left off.
    pub left_off: usize,
    /// Why there is none, or what was done to have one; one sentence.
    pub note: Option<String>,
}

/// Units of the base and of the first patches, as far as nothing changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReusedUnits {
    /// Builds.
    pub builds: usize,
    /// Builds that an earlier run did.
    pub builds_reused: usize,
    /// Boots.
    pub boots: usize,
    /// Boots that an earlier run did.
    pub boots_reused: usize,
}
