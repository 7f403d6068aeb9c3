//! Kconfigs and builds.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::revision_text;
use crate::words::{BuildOutcome, Kind, Node, Revision};

/// A kconfig of the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KconfigInfo {
    /// Name in the matrix.
    pub name: String,
    /// What it is for, one line.
    pub about: String,
    /// How far it goes.
    pub kind: Kind,
    /// Kernel `ARCH`.
    pub arch: String,
    /// Compiler as it names itself: `gcc 12.2.0`.
    pub toolchain: String,
}

/// One build: a cell of the grid patch × kconfig.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BuildCell {
    /// Tree.
    pub tree: String,
    /// Kconfig.
    pub kconfig: String,
    /// `base`, `patch 3/6`.
    #[serde(with = "revision_text")]
    #[schemars(with = "String")]
    pub revision: Revision,
    /// How it ended.
    pub outcome: BuildOutcome,
    /// Diagnostics that the revision before does not have.
    pub new_diagnostics: u32,
    /// Wall time of the build, also when its result was taken from an earlier run.
    pub wall_ms: u64,
    /// CPU time of the build's processes.
    pub cpu_ms: u64,
    /// True when the result of an earlier run was taken.
    pub reused: bool,
    /// Revision whose image is the same, bit for bit: `base`.
    pub identical_to: Option<String>,
    /// Objects compiled (kind compile); 0 for a whole kernel.
    #[serde(default)]
    pub objects: u32,
    /// Its log.
    pub log: Option<String>,
    /// The command that repeats it.
    pub replay: Option<String>,
    /// Node of an engine that made it; absent when the process of the run did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<Node>,
}
