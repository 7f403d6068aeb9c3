//! Machines: something that boots a build.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::tag::{TagValue, Tags, tags};

/// How a machine executes instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Accel {
    /// Hardware virtualisation, proven by a boot on this host.
    Kvm,
    /// Emulation.
    Tcg,
    /// Emulation of one CPU whose clock counts executed instructions: slow, and the same every time.
    Icount,
    /// A real machine: no guest at all.
    Native,
}

/// The two serial lines of a guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SerialPorts {
    /// Two ISA ports: kernel log on `ttyS0`, results on `ttyS1`.
    #[default]
    Isa,
    /// The machine's own port for the kernel log (`ttyAMA0` of `virt`), a virtio console for the results (`hvc0`).
    BoardAndVirtio,
}

#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_isa(serial: &SerialPorts) -> bool {
    *serial == SerialPorts::Isa
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
    /// What the serial lines are.
    #[serde(default, skip_serializing_if = "is_isa")]
    pub serial: SerialPorts,
    /// Further QEMU arguments.
    #[serde(default)]
    pub args: Vec<String>,
}

/// Deadlines of a machine in seconds of wall time; multiplied by the kconfig's slowness and, under emulation,
/// by the accel's factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Timeouts {
    /// From power on (of a box: from its kexec) until the agent speaks.
    pub boot: u64,
    /// Longest silence of the agent (it beats every few seconds of guest time).
    pub silence: u64,
    /// Whole suite.
    pub suite: u64,
    /// A box: from power on until its default kernel answers by ssh.
    #[serde(skip_serializing_if = "is_default_power_on")]
    pub power_on: u64,
}

/// Seconds that a server may spend in its firmware.
const POWER_ON: u64 = 600;

#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_default_power_on(seconds: &u64) -> bool {
    *seconds == POWER_ON
}

impl Default for Timeouts {
    fn default() -> Self {
        Timeouts { boot: 180, silence: 120, suite: 1200, power_on: POWER_ON }
    }
}

/// Where a secret is: never in the file itself. Exactly one of the two is given where one is needed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretPlace {
    /// Environment variable that holds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub env: Option<String>,
    /// File whose first line it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
}

/// How a box is reserved for a unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Reserve {
    /// By a lock file on this host.
    Local {},
    /// As a licence of Slurm; the unit runs as a job on a control node.
    Slurm {
        /// Licence name.
        license: String,
        /// Partition of the control nodes.
        partition: String,
    },
    /// As a place of labgrid.
    Labgrid {
        /// `HOST:PORT` of the coordinator.
        coordinator: String,
        /// Place name.
        place: String,
    },
}

/// Who switches a box on and off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Power {
    /// A BMC that speaks IPMI over LAN, by `ipmitool`.
    Ipmi {
        /// Host of the BMC.
        host: String,
        /// UDP port.
        #[serde(default = "ipmi_port")]
        port: u16,
        /// User.
        user: String,
        /// Its password.
        password: SecretPlace,
        /// Cipher suite; without one ipmitool tries them in turn, which takes 10 s.
        #[serde(default = "ipmi_cipher")]
        cipher: u8,
    },
    /// A BMC that speaks Redfish.
    Redfish {
        /// Address of the service, e.g. `https://bmc-xe-01`.
        url: String,
        /// Path or id of the system, e.g. `/redfish/v1/Systems/1`.
        system: String,
        /// User; without one no credentials are sent.
        #[serde(default)]
        user: Option<String>,
        /// Its password.
        #[serde(default)]
        password: SecretPlace,
        /// Certificate authority of the BMC, a PEM file; the system's when absent.
        #[serde(default)]
        ca_file: Option<String>,
    },
    /// An outlet behind pdudaemon.
    Pdudaemon {
        /// Address of pdudaemon's HTTP listener, e.g. `http://lab:16421`.
        url: String,
        /// Name of the power distribution unit there.
        pdu: String,
        /// Outlet.
        outlet: String,
    },
    /// Commands of the user's own, each a list of words; exit code 0 is success.
    Cmd {
        /// Switches it on.
        on: Vec<String>,
        /// Switches it off.
        off: Vec<String>,
        /// Prints `on` or `off`; without one the box itself shows whether it is on.
        #[serde(default)]
        status: Vec<String>,
    },
}

fn ipmi_port() -> u16 {
    623
}

fn ipmi_cipher() -> u8 {
    3
}

/// Where a box's console comes from. It is always recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum ConsoleLink {
    /// Serial over LAN of the box's IPMI BMC.
    Sol {},
    /// A TCP port: conserver, ser2net, a terminal server.
    Tcp {
        /// Host.
        host: String,
        /// Port.
        port: u16,
    },
    /// A command that prints it, a list of words.
    Cmd {
        /// The words.
        command: Vec<String>,
    },
}

/// How a box is logged into, as root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ssh {
    /// Host.
    pub host: String,
    /// Port.
    #[serde(default = "ssh_port")]
    pub port: u16,
    /// User; the agent needs root's rights.
    #[serde(default = "ssh_user")]
    pub user: String,
    /// Private key, a file; `~/` is the home folder.
    pub identity: String,
    /// The box's host key, e.g. `ssh-ed25519 AAAA...`: another one is refused.
    pub host_key: String,
}

fn ssh_port() -> u16 {
    22
}

fn ssh_user() -> String {
    "root".to_owned()
}

/// How a test kernel is started on a box.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BootMethod {
    /// The default kernel executes it.
    Kexec,
    /// `grub-reboot` chooses an entry for one boot.
    GrubReboot,
    /// Files on a network boot server, for one power cycle.
    Netboot,
}

/// The kernel that a box runs when nobody tests on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DefaultKernel {
    /// Its `uname -r`, with `*` for anything: the proof that the box is safe.
    pub uname: String,
}

/// Booting a box.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DutBoot {
    /// How.
    pub method: BootMethod,
    /// The safe kernel.
    pub default_kernel: DefaultKernel,
    /// Kernel command line of test kernels, e.g. `console=ttyS1,115200n8 panic=5 oops=panic`.
    pub append: String,
    /// Initial ramdisk of test kernels: a path on the box; `reuse` for the one of the default kernel (`/proc/cmdline`
    /// or `/boot/initrd.img-<uname>`); `none`.
    #[serde(default = "initrd")]
    pub initrd: String,
    /// Netboot: folder (on this host) that the boot server serves, and where `kernel`, `initrd` and `cmdline` are put.
    #[serde(default)]
    pub netboot_dir: Option<String>,
    /// Grub: title of a menu entry that boots `/boot/orchestrator-test` (kernel) with its initrd.
    #[serde(default)]
    pub grub_entry: Option<String>,
}

fn initrd() -> String {
    "reuse".to_owned()
}

/// What is done with a box that misses its health checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum HealthRemedy {
    /// It is power cycled; when that does not help, it is taken out.
    #[default]
    PowerCycle,
    /// It is taken out at once.
    TakeOut,
}

/// Checks of a box's health.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Health {
    /// How often, e.g. `5m`.
    pub every: String,
    /// Misses in a row that count.
    pub misses: u32,
    /// What then.
    pub then: HealthRemedy,
}

impl Default for Health {
    fn default() -> Self {
        Health { every: "5m".to_owned(), misses: 3, then: HealthRemedy::PowerCycle }
    }
}

/// A real box: a device under test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dut {
    /// Kernel `ARCH` it boots, from its tag `arch`.
    pub arch: String,
    /// How it is reserved.
    pub reserve: Reserve,
    /// Who switches it.
    pub power: Power,
    /// Its console.
    pub console: ConsoleLink,
    /// How it is logged into.
    pub ssh: Ssh,
    /// How it boots.
    pub boot: DutBoot,
    /// Checks of its health.
    pub health: Health,
    /// Folder on the box's stable storage for markers and what is sent.
    pub state_dir: String,
}

/// A device that LAVA boots and tests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Lava {
    /// Address of the server, e.g. `https://lava.example.org`.
    pub url: String,
    /// Device type there.
    pub device_type: String,
    /// Token of a user who may submit.
    pub token: SecretPlace,
    /// Folder (on this host) whose files LAVA can fetch, and the address they have there.
    pub publish_dir: String,
    /// See `publish_dir`.
    pub publish_url: String,
    /// Template of the job's `deploy` and `boot` actions, beside the machine file; the built-in one is for QEMU devices.
    /// A machine that was read holds the template's text instead of its name.
    #[serde(default)]
    pub template: Option<String>,
}

/// What a machine is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hardware {
    /// A guest.
    Qemu(QemuMachine),
    /// A box.
    Dut(Box<Dut>),
    /// A device of LAVA's.
    Lava(Lava),
}

/// A machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Name; equal to the file's stem.
    pub name: String,
    /// What it has, for what suites need.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: Tags,
    /// What it is made of.
    #[serde(flatten)]
    pub hardware: Hardware,
    /// Deadlines.
    pub timeouts: Timeouts,
}

impl Machine {
    /// Kernel `ARCH` it boots.
    pub fn arch(&self) -> &str {
        match &self.hardware {
            Hardware::Qemu(qemu) => &qemu.arch,
            Hardware::Dut(dut) => &dut.arch,
            Hardware::Lava(_) => self.tags.get("arch").map_or("x86_64", String::as_str),
        }
    }

    /// The guest, when it is one.
    pub fn qemu(&self) -> Option<&QemuMachine> {
        match &self.hardware {
            Hardware::Qemu(qemu) => Some(qemu),
            Hardware::Dut(_) | Hardware::Lava(_) => None,
        }
    }
}

/// A machine file in `lab/`: a guest (`qemu`), a box (`reserve`, `power`, `console`, `ssh`, `boot`) or a device of
/// LAVA's (`lava`).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MachineFile {
    /// Name; equal to the file's stem.
    pub name: String,
    /// What it has, e.g. `gpu: xe`; a box needs `arch`.
    #[serde(default, deserialize_with = "tags")]
    #[schemars(with = "BTreeMap<String, TagValue>")]
    pub tags: Tags,
    /// A guest's hardware.
    #[serde(default)]
    pub qemu: Option<QemuMachine>,
    /// A device of LAVA's.
    #[serde(default)]
    pub lava: Option<Lava>,
    /// How a box is reserved; by a lock file on this host when absent.
    #[serde(default)]
    pub reserve: Option<Reserve>,
    /// Who switches a box on and off.
    #[serde(default)]
    pub power: Option<Power>,
    /// Where a box's console comes from.
    #[serde(default)]
    pub console: Option<ConsoleLink>,
    /// How a box is logged into.
    #[serde(default)]
    pub ssh: Option<Ssh>,
    /// How a box boots test kernels.
    #[serde(default)]
    pub boot: Option<DutBoot>,
    /// Checks of a box's health.
    #[serde(default)]
    pub health: Option<Health>,
    /// Folder on a box's stable storage; `/var/lib/orchestrator` when absent.
    #[serde(default)]
    pub state_dir: Option<String>,
    /// Deadlines.
    #[serde(default)]
    pub timeouts: Timeouts,
}
