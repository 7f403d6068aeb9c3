//! What the logs of a run say about its last process.

use std::collections::BTreeMap;

use camino::Utf8PathBuf;

use super::{LastWords, Standing};
use crate::run::debug_line::{BEGINS, DebugLine};
use crate::run::{ASKED_TO_STOP, FAILED, debug_log};
use crate::words::{Event, UnitKind, UnitOutcome};

/// A unit without an end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Open {
    pub(super) unit: String,
    pub(super) attempt: u32,
    pub(super) since_ms: i64,
}

/// A program that was started and has no end in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Started {
    pub(super) unit: Option<String>,
    pub(super) pid: u32,
    pub(super) name: String,
    pub(super) deadline_ms: Option<i64>,
    pub(super) log: Option<Utf8PathBuf>,
}

/// A guest's next deadline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Deadline {
    pub(super) name: String,
    /// When it was set.
    pub(super) at_ms: i64,
    pub(super) in_ms: i64,
}

/// What the logs say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Past {
    pub(super) standing: Standing,
    pub(super) planned: usize,
    pub(super) ended: usize,
    pub(super) open: Vec<Open>,
    pub(super) infra: Vec<(String, String)>,
    pub(super) last_sign_ms: Option<i64>,
    pub(super) last_worker: Option<u32>,
    pub(super) words: LastWords,
    /// Unit, file, since when.
    pub(super) waits: Vec<(Option<String>, Utf8PathBuf, i64)>,
    pub(super) programs: Vec<Started>,
    /// By unit: the key of its boot.
    pub(super) keys: BTreeMap<String, String>,
    /// By unit.
    pub(super) deadlines: BTreeMap<String, Deadline>,
}

impl Past {
    /// Reads the logs, oldest line first.
    pub(super) fn read(events: &[(i64, Event)], lines: &[DebugLine]) -> Past {
        let mut past = Past {
            standing: Standing::Unbegun,
            planned: 0,
            ended: 0,
            open: Vec::new(),
            infra: Vec::new(),
            last_sign_ms: events.iter().map(|(at, _)| *at).chain(lines.iter().map(|line| line.at)).max(),
            last_worker: None,
            words: LastWords::default(),
            waits: Vec::new(),
            programs: Vec::new(),
            keys: BTreeMap::new(),
            deadlines: BTreeMap::new(),
        };
        for (at, event) in events {
            past.event(*at, event);
        }
        let last = lines.iter().rposition(|line| line.message == BEGINS).unwrap_or(0);
        let process = lines.get(last).map(|line| line.process);
        past.last_worker = process;
        for line in lines[last..].iter().filter(|line| Some(line.process) == process) {
            past.line(line);
        }
        past
    }

    fn event(&mut self, at: i64, event: &Event) {
        match event {
            Event::RunStarted { .. } => {
                // What another process began, it did not end.
                self.open.clear();
                self.infra.clear();
                self.ended = 0;
                self.standing = Standing::Open;
            }
            Event::Planned { units, .. } => self.planned = *units,
            Event::UnitStarted { unit, attempt, .. } => {
                self.open.retain(|open| open.unit != *unit);
                self.open.push(Open { unit: unit.clone(), attempt: *attempt, since_ms: at });
            }
            Event::UnitEnded { unit, outcome, .. } => {
                self.open.retain(|open| open.unit != *unit);
                self.infra.retain(|(other, _)| other != unit);
                self.ended += 1;
                match outcome {
                    UnitOutcome::Infra { reason } => self.infra.push((unit.clone(), reason.clone())),
                    UnitOutcome::Done | UnitOutcome::Failed { .. } | UnitOutcome::NotRun { .. } => {}
                }
            }
            Event::RunEnded { verdict, .. } => {
                self.standing = Standing::Ended { verdict: verdict.clone(), at_ms: at, headline: None };
            }
            Event::UnitProgress { .. } | Event::Found { .. } | Event::Note { .. } => {}
        }
    }

    fn line(&mut self, line: &DebugLine) {
        match line.message.as_str() {
            "process started" => {
                let Some(pid) = line.number("pid").and_then(|pid| u32::try_from(pid).ok()) else { return };
                let deadline = line.number("deadline_ms").and_then(|ms| i64::try_from(ms).ok());
                self.programs.push(Started {
                    unit: line.unit.clone(),
                    pid,
                    name: line.text("program").unwrap_or_default().to_owned(),
                    deadline_ms: deadline.map(|ms| line.at.saturating_add(ms)),
                    log: line.text("log").map(Utf8PathBuf::from),
                });
            }
            "process ended" => self.programs.retain(|program| Some(u64::from(program.pid)) != line.number("pid")),
            "waiting for a lock" => {
                if let Some(lock) = line.text("lock") {
                    self.waits.push((line.unit.clone(), lock.into(), line.at));
                }
            }
            "lock taken" | "gave up waiting for a lock" => {
                let lock = line.text("lock");
                self.waits.retain(|(unit, path, _)| (unit, Some(path.as_str())) != (&line.unit, lock));
            }
            "boot looked up" => {
                if let (Some(unit), Some(key)) = (&line.unit, line.text("key")) {
                    self.keys.insert(unit.clone(), key.to_owned());
                }
            }
            "guest deadline" => {
                let of =
                    (&line.unit, line.text("deadline"), line.number("in_ms").and_then(|ms| i64::try_from(ms).ok()));
                if let (Some(unit), Some(name), Some(in_ms)) = of {
                    let deadline = Deadline { name: name.to_owned(), at_ms: line.at, in_ms };
                    self.deadlines.insert(unit.clone(), deadline);
                }
            }
            ASKED_TO_STOP => self.words.signal = line.text("signal").map(str::to_owned),
            FAILED => self.words.failed = line.text("error").map(str::to_owned),
            debug_log::PANICKED => self.words.panicked = line.text("panic").map(str::to_owned),
            _ => {}
        }
    }

    /// Whether what was logged under `logged` belongs to `unit`. A tree is fetched and the series applied under a name
    /// of their own.
    pub(super) fn belongs(logged: Option<&str>, unit: &str) -> bool {
        let Some(logged) = logged else { return false };
        let kind = |kind: UnitKind| match kind {
            UnitKind::Fetch => "fetch/",
            UnitKind::Apply => "apply/",
            UnitKind::Build => "build/",
            UnitKind::Boot => "boot/",
        };
        let tree = [UnitKind::Fetch, UnitKind::Apply].into_iter().find_map(|one| unit.strip_prefix(kind(one)));
        logged == unit || (tree.is_some() && tree == logged.strip_prefix("prepare/"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::testing::{line, started};

    fn ended(unit: &str, outcome: UnitOutcome) -> Event {
        let (kind, key) = (UnitKind::Build, None);
        Event::UnitEnded { unit: unit.into(), kind, attempt: 1, outcome, key, reused: false, wall_ms: 1 }
    }

    fn infra(reason: &str) -> UnitOutcome {
        UnitOutcome::Infra { reason: reason.into() }
    }

    fn begins(run: &str) -> Event {
        Event::RunStarted { run: run.into(), format: 1, command: String::new(), resumed: false }
    }

    fn over(verdict: &str) -> Event {
        Event::RunEnded { verdict: verdict.into(), wall_ms: 1 }
    }

    #[test]
    fn only_the_last_process_counts() {
        let events = [
            (1, begins("r")),
            (2, started("build/t/base/hmm", 1)),
            (3, ended("build/t/p1/hmm", infra("disk full"))),
            (4, over("interrupted")),
            (5, begins("r")),
            (6, Event::Planned { units: 7, reused: 0, pending: Vec::new() }),
            (7, started("boot/t/base/hmm", 1)),
            (8, ended("build/t/p2/hmm", infra("killed"))),
            (9, started("build/t/p2/hmm", 2)),
        ];
        let past = Past::read(&events, &[]);
        assert_eq!(past.standing, Standing::Open);
        let open: Vec<_> = past.open.iter().map(|open| (open.unit.as_str(), open.attempt, open.since_ms)).collect();
        assert_eq!(open, [("boot/t/base/hmm", 1, 7), ("build/t/p2/hmm", 2, 9)]);
        assert_eq!(past.infra, [("build/t/p2/hmm".to_owned(), "killed".to_owned())]);
        assert_eq!((past.planned, past.ended, past.last_sign_ms), (7, 1, Some(9)));
        let mut events = events.to_vec();
        events.extend([(10, ended("build/t/p2/hmm", UnitOutcome::Done)), (11, over("clean"))]);
        let past = Past::read(&events, &[]);
        assert_eq!(past.infra, []);
        assert_eq!(past.standing, Standing::Ended { verdict: "clean".into(), at_ms: 11, headline: None });
        assert_eq!(Past::read(&[], &[]).standing, Standing::Unbegun);
    }

    #[test]
    fn the_debug_log_says_what_runs_and_what_is_waited_for() {
        let unit = Some("build/t/base/hmm");
        let lines = [
            line(1, 5, None, BEGINS, &[]),
            line(2, 5, unit, "process started", &[("pid", 70.into()), ("program", "make".into())]),
            line(3, 6, None, BEGINS, &[]),
            line(4, 6, unit, "process started", &[("pid", 71.into()), ("program", "git".into())]),
            line(
                5,
                6,
                unit,
                "process started",
                &[("pid", 72.into()), ("program", "make".into()), ("deadline_ms", 100.into()), ("log", "/l".into())],
            ),
            line(6, 6, unit, "process ended", &[("pid", 71.into())]),
            line(7, 6, unit, "waiting for a lock", &[("lock", "/a".into())]),
            line(7, 6, None, "waiting for a lock", &[("lock", "/b".into())]),
            line(8, 6, unit, "lock taken", &[("lock", "/a".into())]),
            line(9, 6, unit, "boot looked up", &[("key", "k".into())]),
            line(10, 6, unit, "guest deadline", &[("deadline", "boot".into()), ("in_ms", 30.into())]),
            line(11, 6, None, ASKED_TO_STOP, &[("signal", "TERM".into())]),
            line(12, 6, None, FAILED, &[("error", "no".into())]),
            line(13, 6, None, debug_log::PANICKED, &[("panic", "bug".into())]),
        ];
        let past = Past::read(&[], &lines);
        assert_eq!(past.last_worker, Some(6));
        let make = Started {
            unit: unit.map(str::to_owned),
            pid: 72,
            name: "make".into(),
            deadline_ms: Some(105),
            log: Some("/l".into()),
        };
        assert_eq!(past.programs, [make]);
        assert_eq!(past.waits, [(None, "/b".into(), 7)]);
        assert_eq!(past.keys["build/t/base/hmm"], "k");
        assert_eq!(past.deadlines["build/t/base/hmm"], Deadline { name: "boot".into(), at_ms: 10, in_ms: 30 });
        let words = LastWords { failed: Some("no".into()), panicked: Some("bug".into()), signal: Some("TERM".into()) };
        assert_eq!((past.words, past.last_sign_ms), (words, Some(13)));
    }

    #[test]
    fn a_tree_is_prepared_under_a_name_of_its_own() {
        let cases = [
            (Some("prepare/t"), "fetch/t", true),
            (Some("prepare/t"), "apply/t", true),
            (Some("prepare/t"), "build/t", false),
            (Some("prepare/u"), "fetch/t", false),
            (Some("build/t/base/hmm"), "build/t/base/hmm", true),
            (None, "fetch/t", false),
        ];
        for (logged, unit, expected) in cases {
            assert_eq!(Past::belongs(logged, unit), expected, "{logged:?} {unit}");
        }
    }
}
