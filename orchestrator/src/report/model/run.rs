//! The run, its host and where its time went.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::words::{Accel, Profile, UnitKind};

/// The run itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RunInfo {
    /// Name of its folder in `results/`.
    pub id: String,
    /// When it began, RFC 3339.
    pub started: String,
    /// The command, shell-quoted: what repeats the run.
    pub command: String,
    /// Version of the program.
    pub version: String,
    /// How broad it was.
    pub profile: Profile,
    /// True when it was stopped and resumed.
    pub resumed: bool,
    /// The host.
    pub host: HostInfo,
    /// What happened that a reader should know (fallback taken, source skipped), one sentence each.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// Where the run ran.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HostInfo {
    /// Distribution: `Debian GNU/Linux 12 (bookworm)`.
    pub os: String,
    /// Kernel architecture: `x86_64`.
    pub arch: String,
    /// Cores the program may use.
    pub cores: u32,
    /// Memory in MiB.
    pub memory_mib: u64,
    /// How guests execute instructions.
    pub accel: Accel,
    /// Why so: `/dev/kvm is missing`.
    pub accel_why: String,
    /// Programs that make or run kernels, with their versions.
    pub toolchains: Vec<ToolchainInfo>,
    /// Whether builds ran without network, credentials and home directory.
    pub sandboxed: bool,
    /// How, or why not.
    pub sandbox: String,
}

/// A program and its version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ToolchainInfo {
    /// `gcc`, `qemu-system-x86_64`.
    pub name: String,
    /// `12.2.0-14+deb12u1`.
    pub version: String,
}

/// Where the time went.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Timing {
    /// Wall time of the run.
    pub wall_ms: u64,
    /// CPU time of the program itself.
    pub cpu_ms: u64,
    /// CPU time of all it started (make, QEMU, git).
    pub children_cpu_ms: u64,
    /// Units with a result.
    pub units_done: u32,
    /// Of which were taken from earlier runs.
    pub units_reused: u32,
    /// Per kind of unit, in the order of work.
    #[serde(default)]
    pub stages: Vec<StageTiming>,
}

/// All units of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StageTiming {
    /// The kind.
    pub stage: UnitKind,
    /// How many units this run did.
    pub done: u32,
    /// How many results were taken from earlier runs.
    pub reused: u32,
    /// Sum of the wall times of those done (units run side by side, so the sum may exceed the run's).
    pub wall_ms: u64,
    /// Sum of the CPU times of those done.
    pub cpu_ms: u64,
}
