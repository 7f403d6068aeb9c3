//! What a boot is asked for, and what it gives back.

use camino::Utf8PathBuf;
use orchestrator_protocol::Frame;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::words::{Accel, BootEnd, BootSpec, EventSink, Machine, Suite};

/// Which tests to run, by full name: `<suite>.<name as the program gives it>`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selection {
    /// Only these, in this order; all when empty. A suite of which none is named does not run.
    pub only: Vec<String>,
    /// Leave these out.
    pub skip: Vec<String>,
    /// How often each chosen test runs, round by round.
    pub repeat: u32,
}

impl Default for Selection {
    fn default() -> Self {
        Selection { only: Vec::new(), skip: Vec::new(), repeat: 1 }
    }
}

/// What it takes to count executed instructions by kernel function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counting {
    /// The plugin, a shared object for the host's QEMU.
    pub plugin: Utf8PathBuf,
    /// Symbol table of the kernel that boots: `HEXADDR NAME`, sorted.
    pub symbols: Utf8PathBuf,
}

/// All that determines one boot, and where to report it.
#[derive(Clone)]
pub struct BootRequest {
    /// Unit name, for progress: `boot linux-6.12/p3/hmm`.
    pub unit: String,
    /// Kernel image.
    pub kernel: Utf8PathBuf,
    /// GNU build id of the kernel in hex; without one it runs on no box.
    pub build_id: Option<String>,
    /// Module files in load order.
    pub modules: Vec<Utf8PathBuf>,
    /// Selftest program of each suite, by suite name.
    pub selftests: Vec<(String, Utf8PathBuf)>,
    /// Further files for the guest: where each is on the host, and its absolute path in the guest.
    pub files: Vec<(Utf8PathBuf, String)>,
    /// Suites to run, in order.
    pub suites: Vec<Suite>,
    /// What the kconfig asks of the machine.
    pub spec: BootSpec,
    /// The machine.
    pub machine: Machine,
    /// Which tests, how often.
    pub selection: Selection,
    /// How to execute instructions: as [`super::probe_accel`] found, or on the instruction clock.
    pub accel: Accel,
    /// Count instructions by function into `counts.jsonl`; only on the instruction clock.
    pub counting: Option<Counting>,
    /// Factor on every deadline, beside the kconfig's and the accel's (a repetition of many rounds, a busy host).
    pub deadline_factor: u32,
    /// The cache; `host.json` in it learns when hardware virtualisation turns out not to boot a kernel.
    pub cache: Utf8PathBuf,
    /// Folder of this attempt; made when missing. Files of the same names in it are replaced.
    pub dir: Utf8PathBuf,
    /// Where progress and notes go.
    pub events: EventSink,
    /// Ends the guest.
    pub cancel: CancellationToken,
}

/// How to execute instructions on this host, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccelChoice {
    /// The choice.
    pub accel: Accel,
    /// One sentence for the report.
    pub reason: String,
}

/// What one boot gave, unjudged.
#[derive(Debug, Clone)]
pub struct RawBoot {
    /// How it ended.
    pub end: BootEnd,
    /// All frames of the agent in order, up to the first protocol problem.
    pub frames: Vec<Frame>,
    /// What was wrong with the results channel, one sentence each.
    pub problems: Vec<String>,
    /// Folder with `console.log`, `results.jsonl`, `plan.json`, `qemu.log`, `boot.json`, `initramfs.cpio`.
    pub dir: Utf8PathBuf,
    /// The kernel log, as printed on the console.
    pub console: Utf8PathBuf,
    /// How instructions were executed (emulation after all, when hardware virtualisation gave no sign of life).
    pub accel: Accel,
    /// Whether QEMU ran confined; else why not.
    pub confined: Result<(), String>,
    /// Wall time in milliseconds.
    pub wall_ms: u64,
    /// Host CPU time of QEMU in milliseconds.
    pub cpu_ms: u64,
    /// The command line that repeats it.
    pub replay: String,
}
