//! Facts for the tests of this room.

use serde_json::{Map, Value};

use super::{Disk, Facts, LastWords, Process, Program, Standing, UnitAtWork, Worker};
use crate::run::debug_line::DebugLine;
use crate::words::{Event, UnitKind};

/// A moment.
pub(super) const NOW: i64 = 1_767_323_045_000;

/// A line of the debug log.
pub(super) fn line(at: i64, process: u32, unit: Option<&str>, message: &str, fields: &[(&str, Value)]) -> DebugLine {
    let fields: Map<String, Value> = fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    let (unit, message) = (unit.map(str::to_owned), message.to_owned());
    DebugLine { at, level: "debug".into(), process, unit, room: "r".into(), message, fields }
}

/// The beginning of a unit.
pub(super) fn started(unit: &str, attempt: u32) -> Event {
    Event::UnitStarted { unit: unit.into(), kind: UnitKind::Build, attempt }
}

/// A run at work on nothing in particular.
pub(super) fn facts() -> Facts {
    let disk = |what: &str| Disk {
        what: what.into(),
        path: format!("/{what}").into(),
        free: 100 << 30,
        files: Some(1 << 20),
        read_only: false,
    };
    Facts {
        run: "20260102-030405-v6".into(),
        path: "/results/20260102-030405-v6".into(),
        now_ms: NOW,
        engine: Ok("local".into()),
        standing: Standing::Open,
        worker: Some(Worker {
            pid: Some(40),
            state: Some('S'),
            command: "orchestrator run series v6".into(),
            cpu_ms: 0,
        }),
        last_worker: Some(40),
        last_sign_ms: Some(NOW - 1000),
        last_words: LastWords::default(),
        planned: 10,
        ended: 3,
        at_work: Vec::new(),
        waits: Vec::new(),
        infra: Vec::new(),
        disks: vec![disk("cache"), disk("results")],
        memory_mib: Some(8000),
    }
}

/// A unit at work since a minute.
pub(super) fn unit(name: &str) -> UnitAtWork {
    UnitAtWork { unit: name.into(), attempt: 1, since_ms: NOW - 60_000, ..UnitAtWork::default() }
}

/// A program of one process.
pub(super) fn program(name: &str, pid: u32, state: char, cpu_ms: u64) -> Program {
    let process = Process { pid, name: name.into(), state, cpu_ms, is_leaf: true };
    Program { name: name.into(), pid, deadline_ms: None, processes: vec![process] }
}
