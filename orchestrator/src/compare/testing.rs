//! Small records for the tests of this room.

use crate::words::{Accel, BootEnd, BootRecord, Revision, Splat, SplatKind, TestRecord, Verdict};

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
        remaining: Vec::new(),
        splats: Vec::new(),
        dir: format!("boots/{}", revision.slug()).into(),
        wall_ms: 1,
        cpu_ms: 1,
        replay: "qemu-system-x86_64".into(),
    })
}

impl Boot {
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
