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
    let candidates: Vec<(&str, Candidate<'_>)> = names
        .into_iter()
        .flat_map(|metric| {
            let sides = Sides::of(metric, inputs.base, inputs.patched);
            sides.parts().into_iter().map(move |part| {
                let learned = inputs.history.threshold(metric, part);
                (metric, Candidate { sides: sides.clone(), part, learned })
            })
        })
        .collect();
    let outcomes = judge(inputs.place.clock, &candidates);
    candidates
        .iter()
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

fn judge(clock: Clock, candidates: &[(&str, Candidate<'_>)]) -> Vec<Outcome> {
    let early: Vec<Option<Outcome>> =
        candidates.iter().map(|(_, candidate)| without_values(&candidate.sides)).collect();
    let open: Vec<Candidate<'_>> = candidates
        .iter()
        .zip(&early)
        .filter(|(_, early)| early.is_none())
        .map(|((_, candidate), _)| candidate.clone())
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
        unit: unit(place.clock).to_owned(),
        pages,
        change: outcome.change,
        base: side(&sides.base, *part),
        patched: side(&sides.patched, *part),
        effect: outcome.effect,
        functions: Vec::new(),
        steps: Vec::new(),
        note: outcome.note,
    }
}

/// What the sides of a comparison count.
pub fn unit(clock: Clock) -> &'static str {
    match clock {
        Clock::Instructions => "instructions/page",
        Clock::Wall => "ns/page",
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
    let mut outcomes = judge(clock, &[(metric, candidate)]);
    outcomes.remove(0)
}
