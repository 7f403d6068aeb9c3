//! Records for tests of every room.

use super::{
    Accel, BootEnd, BootRecord, BuildOutcome, BuildRecord, Date, Diagnostic, Fragment, Kconfig, Kind, Level, Origin,
    Patch, Person, Profile, Revision, Series, TestRecord, Tool, Verdict,
};

/// Revision `index` of a series of `total` patches.
pub fn revision(index: usize, total: usize) -> Revision {
    if index == 0 { Revision::Base } else { Revision::Patch { number: index, total } }
}

/// A kconfig with one fragment.
pub fn kconfig(name: &str, kind: Kind) -> Kconfig {
    Kconfig {
        name: name.into(),
        about: "about".into(),
        kind,
        profile: Profile::Quick,
        arch: "x86_64".into(),
        base: "tinyconfig".into(),
        seed: None,
        fragments: vec![Fragment { name: "a.config".into(), text: "CONFIG_A=y\n".into() }],
        require: Default::default(),
        optional: Vec::new(),
        toolchain: "gcc".into(),
        cross_compile: String::new(),
        make: Vec::new(),
        boot: (kind == Kind::Boot).then(Default::default),
    }
}

/// A good build of revision `index` with nothing in it.
pub fn build_record(index: usize, total: usize) -> BuildRecord {
    let unbuilt = BuildRecord::unbuilt(revision(index, total), &kconfig("hmm", Kind::Boot), BuildOutcome::Built);
    BuildRecord { key: format!("key-{index}"), sandbox: Ok(()), log: "build.log".into(), ..unbuilt }
}

/// A completed boot of revision `index` with its own selftests, without tests.
pub fn boot_record(index: usize, total: usize) -> BootRecord {
    BootRecord {
        kernel: revision(index, total),
        selftests: revision(index, total),
        kconfig: "hmm".into(),
        machine: "qemu-x86_64".into(),
        accel: Accel::Tcg,
        attempt: 1,
        end: BootEnd::Completed,
        uname: "6.12.117 #1 SMP".into(),
        log_checked: Ok(()),
        tests: Vec::new(),
        metrics: Vec::new(),
        remaining: Vec::new(),
        splats: Vec::new(),
        dir: format!("boots/{}", revision(index, total).slug()).into(),
        wall_ms: 1,
        cpu_ms: 1,
        replay: "qemu-system-x86_64".into(),
        node: None,
    }
}

/// A test with this verdict.
pub fn test_record(test: &str, verdict: Verdict) -> TestRecord {
    TestRecord { test: test.into(), verdict, output: format!("# RUN {test}"), guest_ms: 10 }
}

/// A message of the compiler.
pub fn diagnostic(level: Level, file: &str, line: u32, message: &str, option: Option<&str>) -> Diagnostic {
    let word = match level {
        Level::Warning => "warning",
        Level::Error => "error",
    };
    Diagnostic {
        level,
        tool: Tool::Compiler,
        file: file.into(),
        line,
        function: None,
        message: message.into(),
        option: option.map(str::to_owned),
        text: format!("{file}:{line}: {word}: {message}"),
    }
}

/// A warning of the compiler.
pub fn warning(file: &str, line: u32, message: &str, option: &str) -> Diagnostic {
    diagnostic(Level::Warning, file, line, message, Some(option))
}

/// A series with one patch for each diff.
pub fn series(name: &str, diffs: &[&str]) -> Series {
    let patches = diffs.iter().enumerate().map(|(at, diff)| Patch {
        number: at + 1,
        total: diffs.len(),
        subject: format!("mm: change {}", at + 1),
        author: Person { name: "A".into(), email: "a@example.org".into() },
        date: Date { seconds: 0, offset_minutes: 0 },
        message: String::new(),
        diff: (*diff).to_owned(),
        diff_line: 1,
        message_id: None,
        origin: Origin { file: "x.mbox".into(), line: 1 },
        envelope: None,
    });
    Series {
        name: name.into(),
        title: "title".into(),
        version: None,
        default_tree: None,
        upstream: None,
        cover: None,
        change_id: None,
        base_commit: None,
        prerequisites: Vec::new(),
        prerequisite_changes: Vec::new(),
        prerequisite_messages: Vec::new(),
        patches: patches.collect(),
        posting: None,
        notes: Vec::new(),
    }
}
