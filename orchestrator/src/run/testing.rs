//! Records for the tests of this room.

use camino::Utf8Path;

use super::{Options, RunFolder, TreeArgument, TreePlan};
use crate::words::testing::{boot_record, build_record, series, test_record};
use crate::words::{
    Artefacts, BootRecord, BuildRecord, Event, Hardware, Machine, Profile, QemuMachine, Timeouts, UnitKind,
    UnitOutcome, Verdict,
};

/// A good build of revision `index` whose image hash is `image`.
pub(crate) fn build(index: usize, tip: usize, image: &str) -> BuildRecord {
    let artefacts = Artefacts {
        image: Some(image.into()),
        image_file: Some("vmlinux".into()),
        build_id: None,
        selftests: Some("tests".into()),
        ..Artefacts::default()
    };
    BuildRecord { artefacts, ..build_record(index, tip) }
}

/// Options of a run that asks for nothing special.
pub(crate) fn options() -> Options {
    Options {
        series: "v6".into(),
        trees: Vec::new(),
        profile: Profile::Quick,
        kconfigs: Vec::new(),
        machines: Vec::new(),
        machines_with: Default::default(),
        tests: Vec::new(),
        w1: false,
        sparse: false,
        no_boot: false,
        clocks: Vec::new(),
        fresh: false,
        refresh: false,
        prerequisites: Vec::new(),
        by_itself: false,
        reproduces: false,
        engine: "local".into(),
        jobs: 1,
        guests: 1,
    }
}

/// One tree with a series called `name`.
pub(crate) fn plans(name: &str) -> Vec<TreePlan> {
    vec![TreePlan { tree: TreeArgument::Name("t".into()), series: Ok(series(name, &[])), base: Default::default() }]
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
        tags: std::collections::BTreeMap::new(),
        hardware: Hardware::Qemu(QemuMachine {
            binary: "false".into(),
            arch: "x86_64".into(),
            machine: "microvm".into(),
            cpu: "max".into(),
            numa_machine: None,
            image: "vmlinux".into(),
            append: Vec::new(),
            results_tty: "/dev/ttyS1".into(),
            serial: Default::default(),
            args: Vec::new(),
        }),
        timeouts: Timeouts::default(),
    }
}

/// A completed boot of revision `index` with these verdicts.
pub(crate) fn boot(index: usize, tip: usize, verdicts: &[(&str, Verdict)]) -> BootRecord {
    let tests = verdicts.iter().map(|(test, verdict)| test_record(test, verdict.clone())).collect();
    BootRecord { tests, ..boot_record(index, tip) }
}
