//! Boots of the run.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::revision_text;
use crate::words::{Accel, BootEnd, Node, Revision};

/// One attempt at a boot, or a boot that was not needed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BootRow {
    /// Tree.
    pub tree: String,
    /// Kconfig.
    pub kconfig: String,
    /// Machine.
    pub machine: String,
    /// Revision of the kernel.
    #[serde(with = "revision_text")]
    #[schemars(with = "String")]
    pub kernel: Revision,
    /// Revision of the selftests.
    #[serde(with = "revision_text")]
    #[schemars(with = "String")]
    pub selftests: Revision,
    /// Attempt, from 1; 0 when nothing was booted.
    pub attempt: u32,
    /// How it ended; `None` when nothing was booted.
    pub end: Option<BootEnd>,
    /// Why nothing was booted.
    pub not_booted: Option<String>,
    /// Revision whose image is the same, bit for bit, and whose results stand for this one.
    pub identical_to: Option<String>,
    /// How instructions were executed.
    pub accel: Accel,
    /// Wall time.
    pub wall_ms: u64,
    /// Host CPU time.
    pub cpu_ms: u64,
    /// `uname -r -v` as read inside; empty when the guest never spoke.
    pub uname: String,
    /// Tests that gave a verdict.
    pub tests: u32,
    /// Reports in the kernel log.
    pub splats: u32,
    /// True when the result of an earlier run was taken.
    pub reused: bool,
    /// The kernel log.
    pub console: Option<String>,
    /// What the agent said.
    pub results: Option<String>,
    /// The command that repeats it.
    pub replay: Option<String>,
    /// Node of an engine that booted it; absent when the process of the run did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<Node>,
}
