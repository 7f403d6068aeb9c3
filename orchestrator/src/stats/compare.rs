//! All metrics of two sides.

use super::instructions;
use super::outcome::Outcome;
use super::sides::{Sides, side};
use super::threshold::History;
use super::wall::{self, Candidate};
use crate::words::{Clock, MetricChange, MetricComparison, MetricSamples, Part};

/// Where readings come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    /// Tree.
    pub tree: &'a str,
    /// Kconfig.
    pub kconfig: &'a str,
    /// Machine.
    pub machine: &'a str,
    /// What time was measured with.
    pub clock: Clock,
}

/// What is compared.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a> {
    /// Where both sides ran.
    pub place: Place<'a>,
    /// The base: all metrics of each boot.
    pub base: &'a [Vec<MetricSamples>],
    /// The patched kernel: all metrics of each boot.
    pub patched: &'a [Vec<MetricSamples>],
    /// What the base cost in earlier runs; empty when that is not known.
    pub history: &'a History,
}

/// Compares every metric that a side has, in the order in which the base measured them, then those that only the
/// patched kernel has. Metrics whose copies were counted are compared twice: whole and without copies. Functions and
/// steps are left empty.
pub fn compare(inputs: &Inputs<'_>) -> Vec<MetricComparison> {
    let mut names: Vec<&str> = Vec::new();
    for samples in inputs.base.iter().chain(inputs.patched).flatten() {
        if !names.contains(&samples.metric.as_str()) {
            names.push(&samples.metric);
        }
    }
    let (names, candidates): (Vec<&str>, Vec<Candidate<'_>>) = names
        .into_iter()
        .flat_map(|metric| {
            let sides = Sides::of(metric, inputs.base, inputs.patched);
            sides.parts().into_iter().map(move |part| {
                let learned = inputs.history.threshold(metric, part);
                (metric, Candidate { sides: sides.clone(), part, learned })
            })
        })
        .unzip();
    let outcomes = judge(inputs.place.clock, &candidates);
    names
        .iter()
        .zip(&candidates)
        .zip(outcomes)
        .map(|((metric, candidate), outcome)| row(inputs.place, metric, candidate, outcome))
        .collect()
}

/// What can be said without looking at values: one side has nothing, or both moved different numbers of pages.
fn without_values(sides: &Sides<'_>) -> Option<Outcome> {
    let only = |change| Some(Outcome { change, effect: None, note: None });
    match (sides.base.is_empty(), sides.patched.is_empty()) {
        (true, true) => Some(Outcome::not_enough("no reading on either side")),
        (true, false) => only(MetricChange::New),
        (false, true) => only(MetricChange::Vanished),
        (false, false) if sides.pages().is_none() => {
            Some(Outcome::not_enough("the readings moved different numbers of pages"))
        }
        (false, false) => None,
    }
}

/// Judges all candidates together. One outcome each, in the same order.
pub(super) fn judge(clock: Clock, candidates: &[Candidate<'_>]) -> Vec<Outcome> {
    let early: Vec<Option<Outcome>> = candidates.iter().map(|candidate| without_values(&candidate.sides)).collect();
    let open: Vec<Candidate<'_>> = candidates
        .iter()
        .zip(&early)
        .filter(|(_, early)| early.is_none())
        .map(|(candidate, _)| candidate.clone())
        .collect();
    let judged = match clock {
        Clock::Instructions => open
            .iter()
            .map(|candidate| instructions::judge(&candidate.sides, candidate.part, candidate.learned))
            .collect(),
        Clock::Wall => wall::judge(&open),
    };
    let mut judged = judged.into_iter();
    early.into_iter().filter_map(|early| early.or_else(|| judged.next())).collect()
}

fn row(place: Place<'_>, metric: &str, candidate: &Candidate<'_>, outcome: Outcome) -> MetricComparison {
    let Candidate { sides, part, .. } = candidate;
    let pages = sides.base.iter().chain(&sides.patched).map(|boot| boot.pages).next().unwrap_or(0);
    MetricComparison {
        metric: metric.to_owned(),
        part: *part,
        tree: place.tree.to_owned(),
        kconfig: place.kconfig.to_owned(),
        machine: place.machine.to_owned(),
        clock: place.clock,
        unit: unit(place.clock, pages).to_owned(),
        pages,
        change: outcome.change,
        base: side(&sides.base, *part),
        patched: side(&sides.patched, *part),
        effect: outcome.effect,
        functions: Vec::new(),
        inlined_apart: false,
        steps: Vec::new(),
        note: outcome.note,
    }
}

/// What the sides of a comparison count.
pub fn unit(clock: Clock, pages: u64) -> &'static str {
    match (clock, pages) {
        (Clock::Instructions, 0) => "instructions",
        (Clock::Instructions, _) => "instructions/page",
        (Clock::Wall, 0) => "ns",
        (Clock::Wall, _) => "ns/page",
    }
}

/// The comparison of one metric between two revisions, for bisection: nothing else is looked at, so nothing is
/// corrected for.
pub fn compare_one(
    clock: Clock,
    metric: &str,
    part: Part,
    earlier: &[Vec<MetricSamples>],
    later: &[Vec<MetricSamples>],
) -> Outcome {
    let candidate = Candidate { sides: Sides::of(metric, earlier, later), part, learned: None };
    let mut outcomes = judge(clock, &[candidate]);
    outcomes.remove(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::testing::{Guest, wall};

    fn place(clock: Clock) -> Place<'static> {
        Place { tree: "6.12", kconfig: "hmm", machine: "qemu", clock }
    }

    fn changes(rows: &[MetricComparison]) -> Vec<(&str, Part, MetricChange)> {
        rows.iter().map(|row| (row.metric.as_str(), row.part, row.change)).collect()
    }

    #[test]
    fn every_metric_of_both_sides_has_its_rows() {
        let plain = |metric| Guest::plain().measure(metric, 512, 8);
        let mut empty = plain("empty");
        empty.samples.clear();
        let mut no_copy = plain("snapshot");
        no_copy.samples.iter_mut().for_each(|sample| sample.copy = Some(0));
        let mut pages = plain("pages");
        let base = vec![vec![plain("a"), plain("gone"), empty, no_copy.clone(), pages.clone()]];
        pages.pages = 256;
        let dearer = Guest::plain().walk_more(5.0).measure("a", 512, 8);
        let patched = vec![vec![plain("new"), dearer, no_copy, pages]];
        let history = History::default();
        let inputs = Inputs { place: place(Clock::Instructions), base: &base, patched: &patched, history: &history };
        let rows = compare(&inputs);
        let both = |metric, change| [(metric, Part::Whole, change), (metric, Part::WithoutCopy, change)];
        let mut expected = both("a", MetricChange::Regressed).to_vec();
        expected.extend(both("gone", MetricChange::Vanished));
        expected.push(("empty", Part::Whole, MetricChange::NotEnoughData));
        expected.push(("snapshot", Part::Whole, MetricChange::Unchanged));
        expected.extend(both("pages", MetricChange::NotEnoughData));
        expected.extend(both("new", MetricChange::New));
        assert_eq!(changes(&rows), expected);
        let row = &rows[0];
        assert_eq!((row.unit.as_str(), row.pages, row.tree.as_str()), ("instructions/page", 512, "6.12"));
        let side = row.base.unwrap();
        assert_eq!((side.readings, side.boots), (8, 1));
        assert!((side.median - 5313.0).abs() < 5.0, "{side:?}");
        assert!(rows[2].patched.is_none() && rows[2].base.is_some() && rows[2].effect.is_none());
    }

    #[test]
    fn wall_clock_counts_boots() {
        let boot = |ns: f64| vec![wall("a", &[ns, ns + 3.0, ns + 700.0]), wall("b", &[500.0, 501.0, 502.0])];
        let base: Vec<_> = (0..8).map(|i| boot(10_000.0 + f64::from(i) * 7.0)).collect();
        let patched: Vec<_> = (0..8).map(|i| boot(10_500.0 + f64::from(i) * 7.0)).collect();
        let history = History::default();
        let rows = compare(&Inputs { place: place(Clock::Wall), base: &base, patched: &patched, history: &history });
        let expected = [("a", Part::Whole, MetricChange::Regressed), ("b", Part::Whole, MetricChange::Unchanged)];
        assert_eq!(changes(&rows), expected);
        let effect = rows[0].effect.unwrap();
        assert!((effect.estimate - 0.05).abs() < 0.001 && effect.p.unwrap() < 0.001, "{effect:?}");
        assert_eq!(rows[0].unit, "ns/page");
        assert_eq!((rows[0].base.unwrap().readings, rows[0].base.unwrap().boots), (24, 8));
        let few =
            compare(&Inputs { place: place(Clock::Wall), base: &base[..4], patched: &patched, history: &history });
        assert!(few.iter().all(|row| row.change == MetricChange::NotEnoughData), "{few:?}");
    }
}
