//! Records for the tests of this room.

use crate::words::{Artefacts, BuildOutcome, BuildRecord, Kind, Revision};

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
