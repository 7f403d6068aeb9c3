//! Records for the tests of this room.

use camino::Utf8Path;

use super::{Options, RunFolder, TreeArgument, TreePlan};
use crate::words::{
    Accel, Artefacts, BootEnd, BootRecord, BuildOutcome, BuildRecord, Event, Kind, Machine, Profile, QemuMachine,
    Revision, Series, TestRecord, Timeouts, UnitKind, UnitOutcome, Verdict,
};

/// Revision `index` of a series of `tip` patches.
pub(crate) fn revision(index: usize, tip: usize) -> Revision {
    if index == 0 { Revision::Base } else { Revision::Patch { number: index, total: tip } }
}

/// A good build of revision `index` whose image hash is `image`.
pub(crate) fn build(index: usize, tip: usize, image: &str) -> BuildRecord {
    BuildRecord {
        key: format!("key-{index}-{image}"),
        revision: revision(index, tip),
        kconfig: "hmm".into(),
        kind: Kind::Boot,
        outcome: BuildOutcome::Built,
        diagnostics: Vec::new(),
        compiled: Vec::new(),
        not_compiled: Vec::new(),
        dropped: Vec::new(),
        notes: Vec::new(),
        toolchain: String::new(),
        artefacts: Artefacts {
            image: Some(image.into()),
            image_file: Some("vmlinux".into()),
            selftests: Some("tests".into()),
            ..Artefacts::default()
        },
        sandbox: Ok(()),
        log: "build.log".into(),
        wall_ms: 0,
        cpu_ms: 0,
        replay: String::new(),
    }
}

/// Options of a run that asks for nothing special.
pub(crate) fn options() -> Options {
    Options {
        series: "v6".into(),
        trees: Vec::new(),
        profile: Profile::Quick,
        kconfigs: Vec::new(),
        tests: Vec::new(),
        w1: false,
        sparse: false,
        no_boot: false,
        fresh: false,
        jobs: 1,
        guests: 1,
    }
}

/// A series without patches.
pub(crate) fn series(name: &str) -> Series {
    Series {
        name: name.into(),
        title: "t".into(),
        version: None,
        default_tree: None,
        upstream: None,
        cover: None,
        change_id: None,
        base_commit: None,
        prerequisites: Vec::new(),
        patches: Vec::new(),
        notes: Vec::new(),
    }
}

/// One tree with a series called `name`.
pub(crate) fn plans(name: &str) -> Vec<TreePlan> {
    vec![TreePlan { tree: TreeArgument::Name("t".into()), series: Ok(series(name)) }]
}

/// A new run folder.
pub(crate) fn run_folder(results: &Utf8Path, name: &str) -> RunFolder {
    RunFolder::create(results, "c", options(), plans(name)).unwrap()
}

/// The end of a build unit with this key.
pub(crate) fn unit_ended(key: &str) -> Event {
    Event::UnitEnded {
        unit: "build/t/base/hmm".into(),
        kind: UnitKind::Build,
        attempt: 1,
        outcome: UnitOutcome::Done,
        key: Some(key.into()),
        reused: false,
        wall_ms: 1,
    }
}

/// A machine that nothing boots.
pub(crate) fn machine() -> Machine {
    Machine {
        name: "m".into(),
        qemu: QemuMachine {
            binary: "false".into(),
            arch: "x86_64".into(),
            machine: "microvm".into(),
            cpu: "max".into(),
            numa_machine: None,
            image: "vmlinux".into(),
            append: Vec::new(),
            results_tty: "/dev/ttyS1".into(),
            args: Vec::new(),
        },
        timeouts: Timeouts::default(),
    }
}

/// A completed boot of revision `index` with these verdicts.
pub(crate) fn boot(index: usize, tip: usize, verdicts: &[(&str, Verdict)]) -> BootRecord {
    let test = |(test, verdict): &(&str, Verdict)| TestRecord {
        test: (*test).into(),
        verdict: verdict.clone(),
        output: String::new(),
        guest_ms: 1,
    };
    BootRecord {
        kernel: revision(index, tip),
        selftests: revision(index, tip),
        kconfig: "hmm".into(),
        machine: "m".into(),
        accel: Accel::Tcg,
        attempt: 1,
        end: BootEnd::Completed,
        uname: "6.12".into(),
        log_checked: Ok(()),
        tests: verdicts.iter().map(test).collect(),
        metrics: Vec::new(),
        remaining: Vec::new(),
        splats: Vec::new(),
        dir: "/nowhere".into(),
        wall_ms: 1,
        cpu_ms: 1,
        replay: String::new(),
    }
}
