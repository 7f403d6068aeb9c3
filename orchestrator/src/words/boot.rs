//! Boots: what one start of a machine gave.

use camino::Utf8PathBuf;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Accel, MetricSamples, Node, Revision, Verdict};

/// Kinds of trouble a kernel reports in its log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SplatKind {
    /// `WARNING: CPU: ...`
    Warning,
    /// `kernel BUG at`, `BUG: ...` that has no kind of its own.
    Bug,
    /// Oops: NULL pointer, page fault, general protection.
    Oops,
    /// `Kernel panic - not syncing`.
    Panic,
    /// KASAN report.
    Kasan,
    /// KCSAN, KFENCE, KMSAN, UBSAN report.
    Sanitizer,
    /// lockdep: circular locking, inconsistent lock state, held locks freed, suspicious RCU usage.
    Lockdep,
    /// `sleeping function called from invalid context`, `scheduling while atomic`.
    Atomic,
    /// `blocked for more than N seconds`.
    HungTask,
    /// soft or hard lockup, RCU stall.
    Lockup,
    /// Page allocation or page state trouble: `Bad page state`, `Bad rss-counter state`.
    BadPage,
    /// kmemleak and unreferenced-object reports.
    Leak,
}

/// One report in the kernel log.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Splat {
    /// What kind.
    pub kind: SplatKind,
    /// First line, without timestamp.
    pub title: String,
    /// Function the kernel was in (from RIP or the first sane stack entry), without offset.
    pub function: Option<String>,
    /// What makes two reports the same: kind, function and title with numbers and addresses removed.
    pub signature: String,
    /// Line of the console log where it starts, from 1.
    pub line: usize,
    /// All its lines.
    pub text: String,
    /// Test that ran when it came; `None` during boot or between tests.
    pub test: Option<String>,
}

/// One test in one try.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestRecord {
    /// Name as in the suite: `hmm.hmm_device_private.anon_read`.
    pub test: String,
    /// What it did.
    pub verdict: Verdict,
    /// Its output (bounded).
    pub output: String,
    /// Guest milliseconds it took.
    pub guest_ms: u64,
}

/// How a boot ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "how")]
pub enum BootEnd {
    /// The agent did all it was asked and powered off.
    Completed,
    /// The kernel panicked.
    Panicked,
    /// No sign of life within the deadline.
    Hung {
        /// Which deadline: boot, silence, test, suite.
        deadline: String,
    },
    /// The guest went away without saying why (triple fault, reset).
    Reset,
    /// Trouble of ours: QEMU missing or killed, no memory, protocol broken.
    Infra {
        /// One line.
        reason: String,
    },
}

/// The record of one attempt at one boot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BootRecord {
    /// Revision of the kernel.
    pub kernel: Revision,
    /// Revision whose selftests ran.
    pub selftests: Revision,
    /// Kconfig name.
    pub kconfig: String,
    /// Machine name.
    pub machine: String,
    /// How instructions were executed.
    pub accel: Accel,
    /// Attempt number, from 1.
    pub attempt: u32,
    /// How it ended.
    pub end: BootEnd,
    /// `uname -r -v` as the agent read it; empty when it never spoke.
    pub uname: String,
    /// Whether the kernel was able to report trouble (BUG, printk); else why not.
    pub log_checked: Result<(), String>,
    /// Tests that got a verdict in this boot.
    pub tests: Vec<TestRecord>,
    /// What benchmarks measured, in the order in which they ran.
    #[serde(default)]
    pub metrics: Vec<MetricSamples>,
    /// Tests that were asked for and got none (to be run in another boot).
    pub remaining: Vec<String>,
    /// Reports in the kernel log.
    pub splats: Vec<Splat>,
    /// Folder with `console.log`, `results.jsonl`, `plan.json`, `qemu.log`.
    pub dir: Utf8PathBuf,
    /// Wall time in milliseconds.
    pub wall_ms: u64,
    /// Host CPU time of QEMU in milliseconds.
    pub cpu_ms: u64,
    /// The command line that repeats it.
    pub replay: String,
    /// Node of an engine that booted it; `None` when the process of the run did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<Node>,
}
