//! The picture of a run that its events draw: what is running, what is left and how long that may take.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::words::{Event, PendingUnit, Severity, UnitClass, UnitKind};

/// A unit that is running.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Running {
    /// Its name.
    pub unit: String,
    /// Its kind.
    pub kind: UnitKind,
    /// Attempt, from 1.
    pub attempt: u32,
    /// When it began, on the clock of the caller.
    pub since: Duration,
    /// Steps done.
    pub done: u64,
    /// Steps in all; 0 when unknown.
    pub total: u64,
    /// What is happening now.
    pub message: String,
    /// What it usually takes.
    usual_ms: Option<u64>,
}

/// Units of one class that were done in this run.
#[derive(Debug, Clone, Copy, Default)]
struct Cost {
    sum_ms: u64,
    units: u64,
}

/// The state of a run as its events tell it.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    planned: usize,
    /// Planned units whose results are there already; they cost nothing.
    known: usize,
    reused: usize,
    ended: usize,
    over: BTreeSet<String>,
    pending: Vec<PendingUnit>,
    running: Vec<Running>,
    costs: BTreeMap<Option<UnitClass>, Cost>,
    first_start: Option<Duration>,
    problems: usize,
    notices: usize,
}

impl Progress {
    /// Takes in an event that happened at `now`.
    pub fn apply(&mut self, event: &Event, now: Duration) {
        match event {
            Event::Planned { units, reused, pending } => {
                (self.planned, self.known) = (*units, *reused);
                self.pending.clone_from(pending);
                // A plan that is refined in mid-run may name what runs or is over already.
                let open = |unit: &PendingUnit| {
                    !self.over.contains(&unit.unit) && self.running.iter().all(|running| running.unit != unit.unit)
                };
                self.pending.retain(open);
            }
            Event::UnitStarted { unit, kind, attempt } => {
                self.first_start.get_or_insert(now);
                let usual_ms = self.take_pending(unit).and_then(|pending| pending.usual_ms);
                self.running.push(Running {
                    unit: unit.clone(),
                    kind: *kind,
                    attempt: *attempt,
                    since: now,
                    done: 0,
                    total: 0,
                    message: String::new(),
                    usual_ms,
                });
            }
            Event::UnitProgress { unit, done, total, message } => {
                if let Some(running) = self.running.iter_mut().find(|running| running.unit == *unit) {
                    (running.done, running.total) = (*done, *total);
                    running.message.clone_from(message);
                }
            }
            Event::UnitEnded { unit, kind, outcome: _, attempt: _, key: _, reused, wall_ms } => {
                self.take_pending(unit);
                self.running.retain(|running| running.unit != *unit);
                self.ended += 1;
                self.over.insert(unit.clone());
                if *reused {
                    self.reused += 1;
                } else {
                    let cost = self.costs.entry(UnitClass::of(unit, *kind)).or_default();
                    cost.sum_ms += wall_ms;
                    cost.units += 1;
                }
            }
            Event::Found { finding } => match finding.severity {
                Severity::Problem => self.problems += 1,
                Severity::Notice => self.notices += 1,
            },
            Event::RunStarted { .. } | Event::Note { .. } | Event::RunEnded { .. } => {}
        }
    }

    fn take_pending(&mut self, unit: &str) -> Option<PendingUnit> {
        let at = self.pending.iter().position(|pending| pending.unit == unit)?;
        Some(self.pending.remove(at))
    }

    /// Units that run now, oldest first.
    pub fn running(&self) -> &[Running] {
        &self.running
    }

    /// Units with a result, and units in all as far as known.
    pub fn units(&self) -> (usize, usize) {
        (self.ended, self.planned.max(self.ended + self.running.len() + self.pending.len()))
    }

    /// Results taken from earlier runs.
    pub fn reused(&self) -> usize {
        self.reused
    }

    /// Findings so far: problems and notices.
    pub fn findings(&self) -> (usize, usize) {
        (self.problems, self.notices)
    }

    /// Estimated milliseconds until all units are done; `None` as long as nothing is known to go by.
    pub fn left_ms(&self, now: Duration) -> Option<u64> {
        let running: Option<Vec<u64>> = self.running.iter().map(|unit| self.left_of_running(unit, now)).collect();
        let running = running?;
        let (ended, total) = self.units();
        let named = ended + self.running.len() + self.pending.len() + self.known.saturating_sub(self.reused);
        let unnamed = total.saturating_sub(named) as u64;
        let mut waiting = if unnamed > 0 { unnamed * self.mean_ms()? } else { 0 };
        for unit in &self.pending {
            waiting += unit.usual_ms.or_else(|| self.mean_of(&unit.unit, unit.kind))?;
        }
        let work = waiting + running.iter().sum::<u64>();
        // However many run side by side, the longest of those running now has to end.
        let longest = running.into_iter().max().unwrap_or(0);
        Some(((work as f64 / self.side_by_side(now)) as u64).max(longest))
    }

    fn left_of_running(&self, unit: &Running, now: Duration) -> Option<u64> {
        let elapsed = millis(now.saturating_sub(unit.since));
        // The first steps of a make say little about the others.
        if unit.total > 0 && unit.done * 20 >= unit.total {
            return Some(elapsed * unit.total.saturating_sub(unit.done) / unit.done.max(1));
        }
        let usual = unit.usual_ms.or_else(|| self.mean_of(&unit.unit, unit.kind))?;
        Some(usual.saturating_sub(elapsed))
    }

    /// Mean cost of the units of the same class that were done in this run.
    fn mean_of(&self, unit: &str, kind: UnitKind) -> Option<u64> {
        self.costs.get(&UnitClass::of(unit, kind)).map(|cost| cost.sum_ms / cost.units)
    }

    /// Mean cost of a unit of which only the number is known: a build or a boot, since fetching is over in no time.
    fn mean_ms(&self) -> Option<u64> {
        let large = |class: &&Option<UnitClass>| {
            !matches!(class, Some(UnitClass { kind: UnitKind::Fetch | UnitKind::Apply, .. }))
        };
        let costs = || self.costs.iter().filter(|(class, _)| large(class)).map(|(_, cost)| cost);
        let sum: u64 = costs().map(|cost| cost.sum_ms).sum();
        sum.checked_div(costs().map(|cost| cost.units).sum())
    }

    /// How many units ran at the same time so far, on average; at least one.
    fn side_by_side(&self, now: Duration) -> f64 {
        let Some(start) = self.first_start else { return 1.0 };
        let elapsed = millis(now.saturating_sub(start));
        let ended: u64 = self.costs.values().map(|cost| cost.sum_ms).sum();
        let running: u64 = self.running.iter().map(|unit| millis(now.saturating_sub(unit.since))).sum();
        if elapsed == 0 { 1.0 } else { ((ended + running) as f64 / elapsed as f64).max(1.0) }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::UnitOutcome;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn pending(unit: &str, usual_ms: Option<u64>) -> PendingUnit {
        PendingUnit { unit: unit.into(), kind: UnitKind::Build, usual_ms }
    }

    fn planned(units: usize, pending: Vec<PendingUnit>) -> Event {
        Event::Planned { units, reused: 0, pending }
    }

    fn started(unit: &str) -> Event {
        Event::UnitStarted { unit: unit.into(), kind: UnitKind::Build, attempt: 1 }
    }

    fn ended(unit: &str, seconds: u64, reused: bool) -> Event {
        Event::UnitEnded {
            unit: unit.into(),
            kind: UnitKind::Build,
            attempt: 1,
            outcome: UnitOutcome::Done,
            key: None,
            reused,
            wall_ms: seconds * 1000,
        }
    }

    #[test]
    fn time_left_is_the_usual_cost_of_what_is_left() {
        let mut progress = Progress::default();
        let units = vec![pending("a", Some(60_000)), pending("b", Some(30_000)), pending("c", Some(10_000))];
        progress.apply(&planned(3, units), at(0));
        assert_eq!(progress.left_ms(at(0)), Some(100_000));
        progress.apply(&started("a"), at(0));
        assert_eq!(progress.left_ms(at(20)), Some(80_000));
        progress.apply(&ended("a", 60, false), at(60));
        assert_eq!(progress.left_ms(at(60)), Some(40_000));
        assert_eq!(progress.units(), (1, 3));
    }

    #[test]
    fn without_history_the_units_done_in_this_run_count() {
        let mut progress = Progress::default();
        progress.apply(&planned(3, vec![pending("a", None), pending("b", None), pending("c", None)]), at(0));
        assert_eq!(progress.left_ms(at(0)), None);
        progress.apply(&started("a"), at(0));
        progress.apply(&ended("a", 50, false), at(50));
        assert_eq!(progress.left_ms(at(50)), Some(100_000));
    }

    #[test]
    fn units_that_are_only_counted_cost_the_mean() {
        let mut progress = Progress::default();
        progress.apply(&planned(5, Vec::new()), at(0));
        progress.apply(&ended("a", 0, true), at(0));
        assert_eq!(progress.left_ms(at(0)), None, "a reused result says nothing about cost");
        progress.apply(&started("b"), at(0));
        progress.apply(&ended("b", 10, false), at(10));
        assert_eq!(progress.left_ms(at(10)), Some(30_000));
        assert_eq!((progress.units(), progress.reused()), ((2, 5), 1));
    }

    #[test]
    fn known_results_that_are_still_to_be_taken_cost_nothing() {
        let mut progress = Progress::default();
        let pending = vec![pending("b", Some(30_000))];
        progress.apply(&Event::Planned { units: 3, reused: 2, pending }, at(0));
        progress.apply(&ended("a", 0, true), at(0));
        progress.apply(&started("b"), at(0));
        assert_eq!((progress.left_ms(at(10)), progress.units()), (Some(20_000), (1, 3)));
    }

    #[test]
    fn steps_done_are_better_than_the_usual_cost() {
        let mut progress = Progress::default();
        progress.apply(&planned(1, vec![pending("a", Some(1_000_000))]), at(0));
        progress.apply(&started("a"), at(0));
        let step = |done| Event::UnitProgress { unit: "a".into(), done, total: 100, message: String::new() };
        progress.apply(&step(4), at(10));
        assert_eq!(progress.left_ms(at(10)), Some(990_000), "too early to tell");
        progress.apply(&step(50), at(10));
        assert_eq!(progress.left_ms(at(10)), Some(10_000));
    }

    #[test]
    fn two_at_a_time_halve_what_is_left_but_not_the_longest() {
        let mut progress = Progress::default();
        let units = ["a", "b", "c", "d"].map(|unit| pending(unit, Some(60_000))).to_vec();
        progress.apply(&planned(4, units), at(0));
        progress.apply(&started("a"), at(0));
        progress.apply(&started("b"), at(0));
        assert_eq!(progress.left_ms(at(20)), Some((40_000 * 2 + 120_000) / 2));
        progress.apply(&planned(2, Vec::new()), at(20));
        assert_eq!(progress.left_ms(at(20)), Some(40_000));
    }

    #[test]
    fn a_refined_plan_does_not_count_running_units_twice() {
        let mut progress = Progress::default();
        progress.apply(&started("a"), at(0));
        progress.apply(&planned(2, vec![pending("a", Some(9_000)), pending("b", Some(9_000))]), at(1));
        assert_eq!(progress.units(), (0, 2));
        progress.apply(&ended("a", 9, false), at(9));
        assert_eq!(progress.left_ms(at(9)), Some(9_000));
        progress.apply(&planned(2, vec![pending("a", Some(9_000)), pending("b", Some(9_000))]), at(9));
        assert_eq!((progress.left_ms(at(9)), progress.units()), (Some(9_000), (1, 2)));
    }

    #[test]
    fn a_base_says_nothing_about_a_patch_and_a_fetch_nothing_about_a_build() {
        let mut progress = Progress::default();
        progress.apply(&planned(4, Vec::new()), at(0));
        let fetched = Event::UnitEnded {
            unit: "fetch/t".into(),
            kind: UnitKind::Fetch,
            attempt: 1,
            outcome: UnitOutcome::Done,
            key: None,
            reused: false,
            wall_ms: 500,
        };
        progress.apply(&fetched, at(1));
        assert_eq!(progress.left_ms(at(1)), None);
        progress.apply(&planned(4, vec![pending("build/t/p1/hmm", None), pending("build/t/p2/hmm", None)]), at(1));
        progress.apply(&ended("build/t/base/hmm", 600, false), at(601));
        assert_eq!(progress.left_ms(at(601)), None);
        progress.apply(&ended("build/t/p1/hmm", 20, false), at(621));
        assert_eq!(progress.left_ms(at(621)), Some(20_000));
    }
}
