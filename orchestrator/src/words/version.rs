//! From one version of a series to the next: what became of its patches and of what was found.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BlamedPatch, FindingKind, Severity};

/// What became of a patch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PatchFate {
    /// Same message, same diff; lines may have moved.
    Unchanged,
    /// It is in both versions and not the same.
    Changed,
    /// The earlier version does not have it.
    New,
    /// The later version does not have it.
    Dropped,
}

/// A patch of one version and its counterpart in the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PatchPair {
    /// What became of it.
    pub fate: PatchFate,
    /// Position in the later version, from 1; `None` when it was dropped.
    pub number: Option<usize>,
    /// Position in the earlier version, from 1; `None` when it is new.
    pub earlier: Option<usize>,
    /// Subject in the later version, where it is there, else in the earlier.
    pub subject: String,
    /// Subject in the earlier version, when it was another.
    #[serde(default)]
    pub earlier_subject: Option<String>,
}

/// A finding of one of two runs that are compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ComparedFinding {
    /// Its number in the findings of its run, from 1: the earlier run's when it is fixed or unanswered, else the later
    /// one's.
    pub number: usize,
    /// What it is.
    pub kind: FindingKind,
    /// How it weighs.
    pub severity: Severity,
    /// Tree it was seen on.
    pub tree: String,
    /// Patch to blame, as its run numbers it.
    pub patch: Option<BlamedPatch>,
    /// Kconfig it was seen with.
    pub kconfig: Option<String>,
    /// One sentence for a person.
    pub summary: String,
    /// What differs from the counterpart, or what the other run did not look at.
    #[serde(default)]
    pub remark: Option<String>,
}

/// What became of the findings of an earlier run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FindingChanges {
    /// Found earlier; looked at again and not found.
    pub fixed: Vec<ComparedFinding>,
    /// Found in both.
    pub open: Vec<ComparedFinding>,
    /// Found in the later run alone.
    pub new: Vec<ComparedFinding>,
    /// Found earlier; the later run did not look at it or got no answer.
    pub unanswered: Vec<ComparedFinding>,
}
