//! How long units usually take on this host, from the event logs of earlier runs.

use std::collections::BTreeMap;

use camino::Utf8Path;

use super::{folder, read_events};
use crate::words::{Event, UnitClass, UnitKind, UnitOutcome};

/// So many of the newest runs are asked.
const RUNS: usize = 20;

/// So many of the newest durations of one thing count: hosts and series change.
const NEWEST: usize = 5;

/// Durations of units that earlier runs did themselves, newest first.
#[derive(Debug, Default)]
pub struct History {
    /// By the unit's name, of runs of the same series.
    exact: BTreeMap<String, Vec<u64>>,
    by_class: BTreeMap<UnitClass, Vec<u64>>,
    /// By kind, and whether patched.
    by_kind: BTreeMap<(UnitKind, bool), Vec<u64>>,
}

impl History {
    /// Reads the newest runs below `results` for a run called `run`. Logs that cannot be read say nothing: this is
    /// only for estimates.
    pub fn read(results: &Utf8Path, run: &str) -> History {
        let mut history = History::default();
        let names = folder::names(results).unwrap_or_default();
        for name in names.iter().rev().take(RUNS) {
            let events = read_events(&results.join(name).join("events.jsonl")).unwrap_or_default();
            history.add(events.into_iter().map(|(_, event)| event).collect(), series(name) == series(run));
        }
        history
    }

    /// Adds the events of a run that is older than those added before.
    fn add(&mut self, events: Vec<Event>, same_series: bool) {
        for event in events.into_iter().rev() {
            let Event::UnitEnded { unit, kind, outcome, reused: false, wall_ms, .. } = event else { continue };
            match outcome {
                UnitOutcome::Done | UnitOutcome::Failed { .. } => {}
                UnitOutcome::Infra { .. } | UnitOutcome::NotRun { .. } => continue,
            }
            if let Some(class) = UnitClass::of(&unit, kind) {
                self.by_kind.entry((kind, class.patched)).or_default().push(wall_ms);
                self.by_class.entry(class).or_default().push(wall_ms);
            }
            if same_series {
                self.exact.entry(unit).or_default().push(wall_ms);
            }
        }
    }

    /// Wall milliseconds the unit usually takes: as in earlier runs of this series, else as others of its class, else
    /// as others of its kind.
    pub fn usual_ms(&self, unit: &str, kind: UnitKind) -> Option<u64> {
        let class = UnitClass::of(unit, kind);
        let of_class = || self.by_class.get(class.as_ref()?);
        let of_kind = || self.by_kind.get(&(kind, class.as_ref()?.patched));
        median(self.exact.get(unit).or_else(of_class).or_else(of_kind)?)
    }
}

/// The median of the newest durations.
fn median(newest_first: &[u64]) -> Option<u64> {
    let mut some = newest_first[..newest_first.len().min(NEWEST)].to_vec();
    some.sort_unstable();
    some.get(some.len() / 2).copied()
}

/// What a run's id says of its series: all that follows date and time.
fn series(run: &str) -> &str {
    run.splitn(3, '-').nth(2).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::EventLog;

    fn ended(unit: &str, kind: UnitKind, wall_ms: u64) -> Event {
        let outcome = UnitOutcome::Done;
        Event::UnitEnded { unit: unit.into(), kind, attempt: 1, outcome, key: None, reused: false, wall_ms }
    }

    #[test]
    fn the_same_unit_of_the_same_series_is_the_best_guide() {
        let mut history = History::default();
        history.add(vec![ended("build/t/p3/hmm", UnitKind::Build, 300)], true);
        history.add(vec![ended("build/t/p3/hmm", UnitKind::Build, 20)], false);
        history.add(vec![ended("build/t/p1/hmm", UnitKind::Build, 10)], false);
        history.add(vec![ended("build/t/base/hmm", UnitKind::Build, 9_000)], false);
        let usual = |unit: &str| history.usual_ms(unit, UnitKind::Build);
        assert_eq!(usual("build/t/p3/hmm"), Some(300));
        assert_eq!(usual("build/other/p2/hmm"), Some(20), "the median of its class");
        assert_eq!(usual("build/t/p1/debug"), Some(20), "of its kind");
        assert_eq!(usual("build/t/base/debug"), Some(9_000), "a base is a base");
        assert_eq!(history.usual_ms("boot/t/p3/hmm", UnitKind::Boot), None);
    }

    #[test]
    fn reused_and_troubled_units_say_nothing() {
        let mut reused = ended("build/t/p1/hmm", UnitKind::Build, 0);
        let mut troubled = ended("build/t/p1/hmm", UnitKind::Build, 1);
        if let Event::UnitEnded { reused, .. } = &mut reused {
            *reused = true;
        }
        if let Event::UnitEnded { outcome, .. } = &mut troubled {
            *outcome = UnitOutcome::Infra { reason: "disk full".into() };
        }
        let mut history = History::default();
        history.add(vec![reused, troubled], true);
        assert_eq!(history.usual_ms("build/t/p1/hmm", UnitKind::Build), None);
    }

    #[test]
    fn runs_are_read_from_their_folders_newest_first() {
        let folder = tempfile::tempdir().unwrap();
        let results = Utf8Path::from_path(folder.path()).unwrap();
        for (run, wall) in [("20260101-000000-v6", 7), ("20260102-000000-v6", 8), ("20260103-000000-x", 9)] {
            fs_err::create_dir(results.join(run)).unwrap();
            fs_err::write(results.join(run).join("run.json"), "{}").unwrap();
            let mut log = EventLog::open(&results.join(run).join("events.jsonl")).unwrap();
            log.append(&ended("build/t/p1/hmm", UnitKind::Build, wall)).unwrap();
        }
        let history = History::read(results, "20260104-000000-v6");
        assert_eq!(history.exact["build/t/p1/hmm"], [8, 7]);
        assert_eq!(history.usual_ms("build/t/p1/hmm", UnitKind::Build), Some(8));
    }
}
