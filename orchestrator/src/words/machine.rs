//! Machines: something that boots a build.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a QEMU guest executes instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Accel {
    /// Hardware virtualisation, proven by a boot on this host.
    Kvm,
    /// Emulation.
    Tcg,
    /// Emulation of one CPU whose clock counts executed instructions: slow, and the same every time.
    Icount,
}

/// A QEMU guest, as written in `lab/<name>.yaml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct QemuMachine {
    /// Program, e.g. `qemu-system-x86_64`.
    pub binary: String,
    /// Kernel `ARCH` it boots.
    pub arch: String,
    /// `-M` argument, e.g. `microvm,pit=on,pic=on,rtc=on`.
    pub machine: String,
    /// `-cpu` argument.
    pub cpu: String,
    /// `-M` argument for a guest with several NUMA nodes (microvm has none).
    #[serde(default)]
    pub numa_machine: Option<String>,
    /// Kernel image of a build to boot, relative to its output folder, e.g. `vmlinux`.
    pub image: String,
    /// Kernel command line every boot of this machine gets.
    pub append: Vec<String>,
    /// Device of the second serial port inside the guest, e.g. `/dev/ttyS1`.
    pub results_tty: String,
    /// Further QEMU arguments.
    #[serde(default)]
    pub args: Vec<String>,
}

/// Deadlines of a machine in seconds of wall time; multiplied by the kconfig's slowness and, under emulation,
/// by the accel's factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Timeouts {
    /// From power on until the agent speaks.
    pub boot: u64,
    /// Longest silence of the agent (it beats every few seconds of guest time).
    pub silence: u64,
    /// Whole suite.
    pub suite: u64,
}

impl Default for Timeouts {
    fn default() -> Self {
        Timeouts { boot: 180, silence: 120, suite: 1200 }
    }
}

/// A machine file in `lab/`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// Name; equal to the file's stem.
    pub name: String,
    /// The guest's hardware.
    pub qemu: QemuMachine,
    /// Deadlines.
    #[serde(default)]
    pub timeouts: Timeouts,
}
