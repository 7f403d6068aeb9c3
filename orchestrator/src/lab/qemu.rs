//! QEMU's argument list.

use camino::Utf8Path;

use super::Counting;
use super::plugin::plugin_option;
use super::sockets;
use crate::process::Command;
use crate::words::{Accel, BootSpec, QemuMachine, SerialPorts};

/// Initramfs in the boot folder.
pub(super) const INITRAMFS: &str = "initramfs.cpio";

/// Where the second serial port leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Results {
    /// To the orchestrator, which listens.
    Live,
    /// To a file, when a person repeats the boot by hand.
    Replay,
}

/// What a guest is made of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Guest<'a> {
    /// The machine.
    pub machine: &'a QemuMachine,
    /// What the kconfig asks of it.
    pub spec: &'a BootSpec,
    /// How to execute instructions.
    pub accel: Accel,
    /// Kernel image.
    pub kernel: &'a Utf8Path,
    /// Kernel command line.
    pub command_line: &'a str,
    /// Counts instructions by function, when somebody wants to know.
    pub counting: Option<&'a Counting>,
}

/// File in the boot folder into which a guest on the instruction clock writes its results.
pub(super) const RESULTS_FILE: &str = "results.raw";

/// File in the boot folder into which the plugin counts.
pub(super) const COUNTS: &str = "counts.jsonl";

impl Guest<'_> {
    /// The QEMU command, run in the boot folder `dir`; the kernel's console is its standard output.
    pub(super) fn command(&self, dir: &Utf8Path, results: Results) -> Command {
        Command::new(&self.machine.binary, dir).args(self.arguments(results))
    }

    /// Arguments of QEMU. Paths are relative to the boot folder, which keeps socket names short.
    pub(super) fn arguments(&self, results: Results) -> Vec<String> {
        let mut arguments = base();
        let mut add = |name: &str, value: String| arguments.extend([name.to_owned(), value]);
        let machine = match &self.machine.numa_machine {
            Some(machine) if self.spec.numa_nodes > 1 => machine,
            _ => &self.machine.machine,
        };
        add("-machine", machine.clone());
        add("-accel", accel(self.accel).to_owned());
        for (name, value) in clock(self.accel) {
            add(name, value.to_owned());
        }
        add("-cpu", cpu(self.machine, self.accel));
        add("-smp", if self.accel == Accel::Icount { 1 } else { self.spec.cpus }.to_string());
        add("-m", format!("{}M", self.spec.memory_mib));
        for (name, value) in numa(self.spec) {
            add(name, value);
        }
        // Serial ports in the order in which the guest numbers them.
        add("-chardev", "stdio,id=console,signal=off".to_owned());
        let results_device = match self.machine.serial {
            SerialPorts::Isa => {
                add("-device", "isa-serial,chardev=console".to_owned());
                "isa-serial,chardev=results"
            }
            SerialPorts::BoardAndVirtio => {
                add("-serial", "chardev:console".to_owned());
                add("-device", "virtio-serial-device".to_owned());
                "virtconsole,chardev=results"
            }
        };
        match results {
            Results::Live => {
                add("-chardev", self.live_results());
                add("-device", results_device.to_owned());
                add("-chardev", format!("socket,id=control,path={},server=on,wait=off", sockets::CONTROL));
                add("-mon", "chardev=control,mode=control".to_owned());
            }
            Results::Replay => {
                add("-chardev", "file,id=results,path=replay.jsonl".to_owned());
                add("-device", results_device.to_owned());
            }
        }
        if let Some(counting) = self.counting {
            let Counting { plugin, symbols } = counting;
            add("-plugin", plugin_option(plugin, symbols, Utf8Path::new(COUNTS)));
        }
        add("-kernel", self.kernel.to_string());
        add("-initrd", INITRAMFS.to_owned());
        add("-append", self.command_line.to_owned());
        arguments.extend(self.machine.args.iter().cloned());
        arguments
    }
}

impl Guest<'_> {
    /// Where a watched guest's results go: to us; on the instruction clock into a file that we follow, because a guest
    /// that waits until a socket takes its bytes waits for the host, and its clock goes on meanwhile.
    fn live_results(&self) -> String {
        match self.accel {
            Accel::Kvm | Accel::Tcg | Accel::Native => format!("socket,id=results,path={}", sockets::RESULTS),
            Accel::Icount => format!("file,id=results,path={RESULTS_FILE}"),
        }
    }
}

/// What every guest of ours gets, the probe's too: no devices, no network, no window, an end instead of a reboot.
pub(super) fn base() -> Vec<String> {
    let words = "-no-user-config -nodefaults -display none -nic none -no-reboot \
                 -sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny";
    words.split_whitespace().map(str::to_owned).collect()
}

/// Value of `-accel`.
pub(super) fn accel(accel: Accel) -> &'static str {
    match accel {
        Accel::Kvm => "kvm",
        Accel::Tcg | Accel::Native => "tcg,thread=multi",
        Accel::Icount => "tcg,thread=single",
    }
}

/// Time made from executed instructions, from a date that never changes, with a seed that never changes: two boots of
/// the same files are then the same, instruction by instruction, whatever else the host does.
fn clock(accel: Accel) -> Vec<(&'static str, &'static str)> {
    match accel {
        Accel::Kvm | Accel::Tcg | Accel::Native => Vec::new(),
        Accel::Icount => {
            vec![("-icount", "shift=1,sleep=off"), ("-rtc", "base=2026-01-01,clock=vm"), ("-seed", "1")]
        }
    }
}

/// Value of `-cpu`. The instructions that give random numbers take them from the host. Without fast string operations
/// pages are copied eight bytes an instruction instead of one: copying, which no patch changes, weighs less then.
fn cpu(machine: &QemuMachine, accel: Accel) -> String {
    match (accel, machine.arch.as_str()) {
        (Accel::Icount, "x86_64" | "i386") => format!("{},-rdrand,-rdseed,-erms,-fsrm", machine.cpu),
        (Accel::Kvm | Accel::Tcg | Accel::Icount | Accel::Native, _) => machine.cpu.clone(),
    }
}

/// Memory and CPUs split over the nodes in order; the first nodes take what does not divide.
fn numa(spec: &BootSpec) -> Vec<(&'static str, String)> {
    let nodes = spec.numa_nodes;
    if nodes < 2 {
        return Vec::new();
    }
    let share = |total: u32, node: u32| total / nodes + u32::from(node < total % nodes);
    let mut arguments = Vec::new();
    let mut first_cpu = 0;
    for node in 0..nodes {
        let cpus = share(spec.cpus, node);
        let range = match cpus {
            0 => String::new(),
            1 => format!(",cpus={first_cpu}"),
            _ => format!(",cpus={first_cpu}-{}", first_cpu + cpus - 1),
        };
        first_cpu += cpus;
        let size = share(spec.memory_mib, node);
        arguments.push(("-object", format!("memory-backend-ram,id=memory{node},size={size}M")));
        arguments.push(("-numa", format!("node,nodeid={node},memdev=memory{node}{range}")));
    }
    arguments
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;

    fn arguments(spec: &BootSpec, accel: Accel, results: Results) -> String {
        let machine = testing::qemu();
        let kernel = Utf8Path::new("/c/vmlinux");
        let guest = Guest { machine: &machine, spec, accel, kernel, command_line: "a=1 memmap=1G$2G", counting: None };
        // One option per line.
        guest.arguments(results).join(" ").replace(" -", "\n-")
    }

    #[test]
    fn one_node_on_a_microvm() {
        insta::assert_snapshot!(arguments(&BootSpec::default(), Accel::Tcg, Results::Live), @"
        -no-user-config
        -nodefaults
        -display none
        -nic none
        -no-reboot
        -sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny
        -machine microvm,pit=on,pic=on,rtc=on
        -accel tcg,thread=multi
        -cpu max
        -smp 2
        -m 3072M
        -chardev stdio,id=console,signal=off
        -device isa-serial,chardev=console
        -chardev socket,id=results,path=results.sock
        -device isa-serial,chardev=results
        -chardev socket,id=control,path=qmp.sock,server=on,wait=off
        -mon chardev=control,mode=control
        -kernel /c/vmlinux
        -initrd initramfs.cpio
        -append a=1 memmap=1G$2G
        ");
    }

    #[test]
    fn an_arm64_board_has_one_port_and_a_virtio_console() {
        let home = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let machine = crate::lab::machine(home, "qemu-arm64").unwrap();
        let spec = BootSpec::default();
        let (kernel, command_line) = (Utf8Path::new("/c/Image"), "a=1");
        let machine = machine.qemu().unwrap();
        let guest = Guest { machine, spec: &spec, accel: Accel::Tcg, kernel, command_line, counting: None };
        let line = guest.arguments(Results::Live).join(" ");
        for part in [
            "-serial chardev:console -device virtio-serial-device -chardev socket,id=results",
            "-device virtconsole,chardev=results",
            "-machine virt -accel tcg,thread=multi -cpu cortex-a57 -smp 2 -m 3072M",
        ] {
            assert!(line.contains(part), "{line}");
        }
        assert!(!line.contains("isa-serial"), "{line}");
    }

    #[test]
    fn two_nodes_need_a_machine_that_describes_them() {
        let spec = BootSpec { numa_nodes: 2, cpus: 3, memory_mib: 3073, ..BootSpec::default() };
        insta::assert_snapshot!(arguments(&spec, Accel::Kvm, Results::Live), @"
        -no-user-config
        -nodefaults
        -display none
        -nic none
        -no-reboot
        -sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny
        -machine pc
        -accel kvm
        -cpu max
        -smp 3
        -m 3073M
        -object memory-backend-ram,id=memory0,size=1537M
        -numa node,nodeid=0,memdev=memory0,cpus=0-1
        -object memory-backend-ram,id=memory1,size=1536M
        -numa node,nodeid=1,memdev=memory1,cpus=2
        -chardev stdio,id=console,signal=off
        -device isa-serial,chardev=console
        -chardev socket,id=results,path=results.sock
        -device isa-serial,chardev=results
        -chardev socket,id=control,path=qmp.sock,server=on,wait=off
        -mon chardev=control,mode=control
        -kernel /c/vmlinux
        -initrd initramfs.cpio
        -append a=1 memmap=1G$2G
        ");
    }

    #[test]
    fn the_instruction_clock_leaves_nothing_to_the_host() {
        let machine = testing::qemu();
        let spec = BootSpec { cpus: 4, ..BootSpec::default() };
        let counting = Counting { plugin: "/c/count.so".into(), symbols: "/c/symbols".into() };
        let guest = Guest {
            machine: &machine,
            spec: &spec,
            accel: Accel::Icount,
            kernel: Utf8Path::new("/c/vmlinux"),
            command_line: "a=1",
            counting: Some(&counting),
        };
        let line = guest.arguments(Results::Live).join(" ");
        for part in [
            "-accel tcg,thread=single -icount shift=1,sleep=off -rtc base=2026-01-01,clock=vm -seed 1",
            "-cpu max,-rdrand,-rdseed,-erms,-fsrm -smp 1 -m",
            "-plugin file=/c/count.so,symbols=/c/symbols,out=counts.jsonl",
        ] {
            assert!(line.contains(part), "{line}");
        }
    }

    #[test]
    fn a_node_may_have_no_cpu() {
        let spec = BootSpec { numa_nodes: 2, cpus: 1, memory_mib: 2048, ..BootSpec::default() };
        let nodes: Vec<String> = numa(&spec).into_iter().map(|(_, value)| value).collect();
        assert_eq!(nodes[1], "node,nodeid=0,memdev=memory0,cpus=0");
        assert_eq!(nodes[3], "node,nodeid=1,memdev=memory1");
    }

    #[test]
    fn a_replay_needs_nobody_who_listens() {
        let machine = testing::qemu();
        let spec = BootSpec::default();
        let kernel = Utf8Path::new("/c/vmlinux");
        let guest = Guest {
            machine: &machine,
            spec: &spec,
            accel: Accel::Tcg,
            kernel,
            command_line: "memmap=1G$2G",
            counting: None,
        };
        let line = guest.command(Utf8Path::new("/boots/1"), Results::Replay).replay();
        assert!(line.starts_with("cd /boots/1 && ") && line.contains("path=replay.jsonl"), "{line}");
        assert!(line.contains("'memmap=1G$2G'") && !line.contains(".sock"), "{line}");
    }
}
