//! Small records for the tests of this room.

use crate::words::testing::{self as words, boot_record, build_record, series, test_record};
use crate::words::{
    BootEnd, BootRecord, BuildOutcome, BuildRecord, Diagnostic, Level, Series, Splat, SplatKind, Verdict,
};

/// A boot under construction.
pub struct Boot(BootRecord);

/// A completed boot of patch `number` of 6 (0 is the base), with its own selftests.
pub fn boot(number: usize) -> Boot {
    Boot(boot_record(number, 6))
}

impl Boot {
    /// Goes on with a finished record.
    pub fn of(record: BootRecord) -> Self {
        Boot(record)
    }

    pub fn test(mut self, test: &str, verdict: Verdict) -> Self {
        self.0.tests.push(test_record(test, verdict));
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
    let diffs = vec![""; patches];
    series("v1", &diffs)
}

/// A build of patch `number` of `total` (0 is the base).
pub fn build(number: usize, total: usize, kconfig: &str, outcome: BuildOutcome) -> BuildRecord {
    let (key, kconfig) = (format!("{kconfig}{number}"), kconfig.to_owned());
    BuildRecord { key, kconfig, outcome, replay: "make".into(), ..build_record(number, total) }
}

/// A message of the compiler.
pub fn diagnostic(level: Level, file: &str, line: u32, message: &str) -> Diagnostic {
    let option = (level == Level::Warning).then_some("-Wunused-variable");
    let found = words::diagnostic(level, file, line, message, option);
    Diagnostic { function: Some("f".into()), text: format!("{file}:{line}:1: {message}"), ..found }
}
