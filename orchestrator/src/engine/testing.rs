//! Jobs for tests.

use super::{BootJob, BuildJob};
use crate::build::BuildOptions;
use crate::lab::Selection;
use crate::words::testing::kconfig;
use crate::words::{
    Accel, BootSpec, Hardware, Kind, Machine, QemuMachine, Revision, RevisionCommit, SerialPorts, Tags, Timeouts, Tree,
};

/// A build with a number.
pub(super) fn build_job(number: usize) -> BuildJob {
    BuildJob {
        key: format!("k{number}"),
        tree: Tree {
            name: "t".into(),
            repo: "trees/t.git".into(),
            commit: "a".repeat(40),
            kernel_version: "6.12".into(),
            source: String::new(),
            skipped_sources: Vec::new(),
        },
        revision: RevisionCommit {
            revision: Revision::Base,
            commit: "a".repeat(40),
            tree: "b".repeat(40),
            touched: Vec::new(),
        },
        kconfig: kconfig("k", Kind::Link),
        suites: Vec::new(),
        jobs: 1,
        options: BuildOptions::default(),
        touched: Vec::new(),
        fresh: false,
    }
}

/// A boot of a guest.
pub(super) fn boot_job() -> BootJob {
    BootJob {
        key: "b".into(),
        image: "/i".into(),
        build_id: None,
        modules: Vec::new(),
        config: "/c".into(),
        programs: Vec::new(),
        files: Vec::new(),
        counting: None,
        suites: Vec::new(),
        spec: BootSpec::default(),
        machine: machine(),
        selection: Selection::default(),
        accel: Accel::Tcg,
        measures: false,
        exclusive: false,
        kernel: Revision::Base,
        selftests: Revision::Base,
        kconfig: "k".into(),
    }
}

/// A guest without tags.
pub(super) fn machine() -> Machine {
    let qemu = QemuMachine {
        binary: "qemu".into(),
        arch: "x86_64".into(),
        machine: "microvm".into(),
        cpu: "max".into(),
        numa_machine: None,
        image: "vmlinux".into(),
        append: Vec::new(),
        results_tty: "/dev/ttyS1".into(),
        serial: SerialPorts::Isa,
        args: Vec::new(),
    };
    Machine { name: "m".into(), tags: Tags::new(), hardware: Hardware::Qemu(qemu), timeouts: Timeouts::default() }
}
