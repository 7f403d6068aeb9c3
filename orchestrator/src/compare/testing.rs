//! Small records for the tests of this room.

use crate::words::{
    Accel, Artefacts, BootEnd, BootRecord, BuildOutcome, BuildRecord, Date, Diagnostic, Kind, Level, Origin, Patch,
    Person, Revision, Series, Splat, SplatKind, TestRecord, Tool, Verdict,
};

/// A boot under construction.
pub struct Boot(BootRecord);

/// A completed boot of patch `number` of 6 (0 is the base), with its own selftests.
pub fn boot(number: usize) -> Boot {
    let revision = if number == 0 { Revision::Base } else { Revision::Patch { number, total: 6 } };
    Boot(BootRecord {
        kernel: revision,
        selftests: revision,
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
        dir: format!("boots/{}", revision.slug()).into(),
        wall_ms: 1,
        cpu_ms: 1,
        replay: "qemu-system-x86_64".into(),
    })
}

impl Boot {
    /// Goes on with a finished record.
    pub fn of(record: BootRecord) -> Self {
        Boot(record)
    }

    pub fn test(mut self, test: &str, verdict: Verdict) -> Self {
        self.0.tests.push(TestRecord { test: test.into(), verdict, output: format!("# RUN {test}"), guest_ms: 10 });
        self
    }

    pub fn splat(mut self, splat: Splat) -> Self {
        self.0.splats.push(splat);
        self
    }

    pub fn remaining(mut self, test: &str) -> Self {
        self.0.remaining.push(test.into());
        self
    }

    pub fn end(mut self, end: BootEnd) -> Self {
        self.0.end = end;
        self
    }

    pub fn infra(self, reason: &str) -> Self {
        self.end(BootEnd::Infra { reason: reason.into() })
    }

    pub fn silent(mut self) -> Self {
        self.0.uname.clear();
        self
    }

    pub fn unchecked(mut self, reason: &str) -> Self {
        self.0.log_checked = Err(reason.into());
        self
    }

    pub fn done(self) -> BootRecord {
        self.0
    }
}

/// A warning with its own signature.
pub fn splat(name: &str, test: Option<&str>) -> Splat {
    splat_of(SplatKind::Warning, name, test)
}

pub fn splat_of(kind: SplatKind, name: &str, test: Option<&str>) -> Splat {
    Splat {
        kind,
        title: format!("{kind:?} at mm/{name}.c:1 {name}+0x1/0x2"),
        function: Some(name.into()),
        signature: format!("{kind:?}|{name}"),
        line: 40,
        text: format!("------------[ cut here ]------------\n{name}"),
        test: test.map(str::to_owned),
    }
}

pub fn fail() -> Verdict {
    Verdict::Fail { reason: "Expected ret (-14) == 0 (0)".into() }
}

/// A series of so many patches, for a frame.
pub fn frame_series(patches: usize) -> Series {
    let author = Person { name: "A".into(), email: "a@example.org".into() };
    let patch = |number| Patch {
        number,
        total: patches,
        subject: format!("mm: change {number}"),
        author: author.clone(),
        date: Date { seconds: 0, offset_minutes: 0 },
        message: String::new(),
        diff: String::new(),
        diff_line: 1,
        message_id: None,
        origin: Origin { file: "s.mbox".into(), line: 1 },
    };
    Series {
        name: "v1".into(),
        title: "title".into(),
        version: None,
        default_tree: None,
        upstream: None,
        cover: None,
        change_id: None,
        base_commit: None,
        prerequisites: Vec::new(),
        patches: (1..=patches).map(patch).collect(),
        notes: Vec::new(),
    }
}

/// A build of patch `number` of `total` (0 is the base).
pub fn build(number: usize, total: usize, kconfig: &str, outcome: BuildOutcome) -> BuildRecord {
    BuildRecord {
        key: format!("{kconfig}{number}"),
        revision: if number == 0 { Revision::Base } else { Revision::Patch { number, total } },
        kconfig: kconfig.into(),
        kind: Kind::Boot,
        outcome,
        diagnostics: Vec::new(),
        compiled: Vec::new(),
        not_compiled: Vec::new(),
        dropped: Vec::new(),
        notes: Vec::new(),
        toolchain: String::new(),
        artefacts: Artefacts::default(),
        sandbox: Ok(()),
        log: "build.log".into(),
        wall_ms: 1,
        cpu_ms: 1,
        replay: "make".into(),
    }
}

/// A message of the compiler.
pub fn diagnostic(level: Level, file: &str, line: u32, message: &str) -> Diagnostic {
    Diagnostic {
        level,
        tool: Tool::Compiler,
        file: file.into(),
        line,
        function: Some("f".into()),
        message: message.into(),
        option: (level == Level::Warning).then(|| "-Wunused-variable".into()),
        text: format!("{file}:{line}:1: {message}"),
    }
}
