//! Which patches of a series brought a change of a metric: what to measure next, and which steps stand.
//!
//! The costs of all revisions known, for whatever reason they were measured, cut the series into gaps. A gap whose
//! ends differ is halved until no revision in it can be measured any more; then its later end is a step. Gaps whose
//! ends do not differ are left alone: patches in them that add something and take it away again are not seen.

use std::collections::BTreeMap;

use super::compare::compare_one;
use super::outcome::off_zero;
use crate::words::{BlamedPatch, Clock, Effect, MetricSamples, MetricStep, Part};

/// Differences below a tenth of a per cent are no steps, however sure.
pub const LEAST_STEP: f64 = 0.001;

/// Differences below this part of the whole change are no steps: several patches may share a change, and each of them
/// is told as long as they are not more than eight.
const SHARE: f64 = 1.0 / 8.0;

/// What is known of one revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// It was measured.
    Measured,
    /// It cannot be: it does not build, does not boot, or lacks the metric.
    Untestable,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq)]
pub enum Next {
    /// Measure this revision (0 is the base).
    Measure(usize),
    /// The search is over: the steps in the order of the series, none when base or tip cannot be measured or do not
    /// differ.
    Found(Vec<Step>),
}

/// A step between two neighbouring revisions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// The first revision known to have the new cost.
    pub revision: usize,
    /// Its cost relative to the last revision known before it.
    pub effect: Effect,
    /// Revisions between the two that could not be measured.
    pub unmeasured_before: usize,
}

/// The next thing to do in the search for the steps among the revisions `0..=tip`. `between` gives the effect of the
/// second revision relative to the first; it is asked for measured revisions only, and says `None` when their readings
/// are not enough.
pub fn next_step(known: &BTreeMap<usize, Known>, tip: usize, between: impl Fn(usize, usize) -> Option<Effect>) -> Next {
    for end in [0, tip] {
        match known.get(&end) {
            None => return Next::Measure(end),
            Some(Known::Untestable) => return Next::Found(Vec::new()),
            Some(Known::Measured) => {}
        }
    }
    let Some(whole) = between(0, tip) else {
        return Next::Found(Vec::new());
    };
    let least = LEAST_STEP.max(whole.estimate.abs() * SHARE);
    let differs = |effect: &Effect| off_zero(effect) && effect.estimate.abs() >= least;
    let measured: Vec<usize> = (0..=tip).filter(|revision| known.get(revision) == Some(&Known::Measured)).collect();
    let gaps: Vec<(usize, Step)> = measured
        .windows(2)
        .filter_map(|ends| {
            let (before, revision) = (ends[0], ends[1]);
            let effect = between(before, revision)?;
            Some((before, Step { revision, effect, unmeasured_before: revision - before - 1 }))
        })
        .collect();
    let mut standing: Vec<&(usize, Step)> = gaps.iter().filter(|(_, step)| differs(&step.effect)).collect();
    if standing.is_empty() && differs(&whole) {
        // The change is spread so thinly that no gap stands by itself: the largest part of it is still worth a name.
        let size = |gap: &&(usize, Step)| gap.1.effect.estimate.abs();
        standing.extend(gaps.iter().max_by(|a, b| size(a).total_cmp(&size(b))));
    }
    for (before, step) in &standing {
        let open: Vec<usize> = (before + 1..step.revision).filter(|revision| !known.contains_key(revision)).collect();
        if let Some(&middle) = open.get(open.len() / 2) {
            return Next::Measure(middle);
        }
    }
    Next::Found(standing.into_iter().map(|(_, step)| *step).collect())
}

/// The metric whose steps are sought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Question<'a> {
    /// Its name.
    pub metric: &'a str,
    /// Which part of its cost.
    pub part: Part,
    /// What time is measured with.
    pub clock: Clock,
}

/// [`next_step`] over readings: `known` holds the boots of each revision tried so far; a revision without a reading of
/// the metric is untestable.
pub fn next_of_metric(question: Question<'_>, known: &BTreeMap<usize, Vec<Vec<MetricSamples>>>, tip: usize) -> Next {
    let has = |boot: &Vec<MetricSamples>| {
        boot.iter().any(|samples| samples.metric == question.metric && !samples.samples.is_empty())
    };
    let states = known
        .iter()
        .map(|(&revision, boots)| (revision, if boots.iter().any(has) { Known::Measured } else { Known::Untestable }))
        .collect();
    next_step(&states, tip, |earlier, later| {
        compare_one(question.clock, question.metric, question.part, &known[&earlier], &known[&later]).effect
    })
}

/// The steps as a report has them. `subjects` are those of all patches of the series.
pub fn with_patches(steps: &[Step], subjects: &[String]) -> Vec<MetricStep> {
    let patch = |step: &Step| {
        let number = step.revision;
        let subject = number.checked_sub(1).and_then(|index| subjects.get(index))?.clone();
        let patch = BlamedPatch { number, total: subjects.len(), subject };
        Some(MetricStep {
            patch,
            effect: step.effect,
            functions: Vec::new(),
            unmeasured_before: step.unmeasured_before,
        })
    };
    steps.iter().filter_map(patch).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::stats::testing::Guest;

    const NOISE: f64 = 0.0004;

    fn effect(values: &[f64], earlier: usize, later: usize) -> Effect {
        let estimate = values[later] / values[earlier] - 1.0;
        Effect { estimate, low: estimate - NOISE, high: estimate + NOISE, visible: 0.005, p: None }
    }

    /// Searches until the end; answers the steps and what was measured, in that order.
    fn search(values: &[Option<f64>], mut known: BTreeMap<usize, Known>) -> (Vec<Step>, Vec<usize>, Vec<usize>) {
        let numbers: Vec<f64> = values.iter().map(|value| value.unwrap_or(f64::NAN)).collect();
        let mut asked = Vec::new();
        loop {
            match next_step(&known, values.len() - 1, |a, b| Some(effect(&numbers, a, b))) {
                Next::Measure(revision) => {
                    asked.push(revision);
                    let state = if values[revision].is_some() { Known::Measured } else { Known::Untestable };
                    assert!(known.insert(revision, state).is_none(), "{revision} is measured twice");
                }
                Next::Found(steps) => {
                    let measured = known.iter().filter(|(_, k)| **k == Known::Measured).map(|(&r, _)| r).collect();
                    return (steps, asked, measured);
                }
            }
        }
    }

    #[test]
    fn table() {
        // Costs by revision in thousandths above 1, `x` for one that cannot be measured; steps as
        // `revision:thousandths/unmeasured before`; revisions that are measured.
        let table = [
            ("0 0 0 0 0 0 0", "", "0 6"),
            ("0 0 0 0 30 30 30", "4:30/0", "0 6 3 5 4"),
            ("0 30", "1:30/0", "0 1"),
            ("0", "", "0"),
            ("0 30 30 30 30 30 30", "1:30/0", "0 6 3 2 1"),
            ("0 10 10 20 20 30 30", "1:10/0 3:10/0 5:10/0", "0 6 3 2 1 5 4"),
            ("0 0 50 50 20 20 20", "2:50/0 4:-29/0", "0 6 3 2 1 5 4"),
            ("0 0 x x 30 30 30", "4:30/2", "0 6 3 4 2 1"),
            ("0 x x x x x 30", "6:30/5", "0 6 3 4 2 5 1"),
            ("x 0 30 30", "", "0"),
            ("0 0 30 x", "", "0 3"),
            // Each below an eighth of the whole: the largest is still named.
            ("0 2 4 6 8 10 12 14 16 18 20 22 24 26 28 30 32", "1:2/0", "0 16 8 4 2 1 6 12 10 14 3 5 7 9 11 13 15"),
            // Taken back again: nothing to find between ends that do not differ.
            ("0 0 50 50 0 0", "", "0 5"),
        ];
        for (costs, expected, measured) in table {
            let costs: Vec<Option<f64>> =
                costs.split(' ').map(|cost| cost.parse::<f64>().ok().map(|cost| 1.0 + cost / 1000.0)).collect();
            let (steps, asked, _) = search(&costs, BTreeMap::new());
            let say = |step: &Step| {
                format!("{}:{:.0}/{}", step.revision, step.effect.estimate * 1000.0, step.unmeasured_before)
            };
            assert_eq!(steps.iter().map(say).collect::<Vec<_>>().join(" "), expected, "{costs:?}");
            assert_eq!(asked.iter().map(usize::to_string).collect::<Vec<_>>().join(" "), measured, "{costs:?}");
        }
    }

    #[test]
    fn what_is_known_already_is_not_measured_and_shows_what_ends_hide() {
        let values: Vec<Option<f64>> = [1.0, 1.0, 1.05, 1.05, 1.0, 1.0].map(Some).to_vec();
        let known = BTreeMap::from([0, 1, 2, 3, 4, 5].map(|revision| (revision, Known::Measured)));
        let (steps, asked, _) = search(&values, known);
        assert_eq!(steps.iter().map(|step| step.revision).collect::<Vec<_>>(), [2, 4]);
        assert!(asked.is_empty());
    }

    #[test]
    fn steps_of_readings_carry_the_patch() {
        let boot = |percent| vec![vec![Guest::plain().walk_more(percent).measure("m", 512, 8)]];
        let without = vec![vec![Guest::plain().measure("other", 512, 8)]];
        let costs = [boot(0.0), boot(0.0), without, boot(3.0), boot(3.0)];
        let question = Question { metric: "m", part: Part::WithoutCopy, clock: Clock::Instructions };
        let mut known = BTreeMap::new();
        let steps = loop {
            match next_of_metric(question, &known, 4) {
                Next::Measure(revision) => drop(known.insert(revision, costs[revision].clone())),
                Next::Found(steps) => break steps,
            }
        };
        let subjects = ["a", "b", "c", "d"].map(str::to_owned);
        let steps = with_patches(&steps, &subjects);
        assert_eq!(steps.len(), 1);
        assert_eq!((steps[0].patch.number, steps[0].patch.total, steps[0].patch.subject.as_str()), (3, 4, "c"));
        assert_eq!(steps[0].unmeasured_before, 1);
        assert!((steps[0].effect.estimate - 0.03).abs() < 0.001, "{:?}", steps[0].effect);
        assert_eq!(known.len(), 5);
    }

    proptest! {
        #[test]
        fn every_step_of_a_growing_cost_is_found(n in 1usize..40, at in proptest::collection::btree_map(1usize..40, 10u32..13, 1..6)) {
            let at: BTreeMap<usize, u32> = at.into_iter().filter(|(revision, _)| *revision <= n).collect();
            let mut cost = 1.0;
            let values: Vec<Option<f64>> = (0..=n)
                .map(|revision| {
                    cost += f64::from(at.get(&revision).copied().unwrap_or(0)) / 1000.0;
                    Some(cost)
                })
                .collect();
            let (steps, asked, _) = search(&values, BTreeMap::new());
            let found: Vec<usize> = steps.iter().map(|step| step.revision).collect();
            prop_assert_eq!(found, at.keys().copied().collect::<Vec<_>>());
            prop_assert!(asked.len() <= n + 1);
            let halvings = (usize::BITS - n.leading_zeros()) as usize;
            prop_assert!(asked.len() <= 2 + at.len() * (halvings + 1), "{} for {} steps in {n}", asked.len(), at.len());
        }

        #[test]
        fn every_step_is_found_unless_ends_hide_it(
            changes in proptest::collection::vec((any::<bool>(), -60i32..60, 0u32..8), 1..40),
            before in proptest::collection::btree_set(0usize..40, 0..6),
        ) {
            let tip = changes.len();
            let mut cost = 1000.0;
            let mut truth = vec![cost];
            for (changed, by, _) in &changes {
                cost += if *changed { f64::from(*by) } else { 0.0 };
                truth.push(cost.max(200.0));
            }
            let values: Vec<Option<f64>> = truth
                .iter()
                .enumerate()
                .map(|(i, &value)| (i == 0 || i == tip || changes[i - 1].2 > 0).then_some(value))
                .collect();
            let state = |i: usize| if values[i].is_some() { Known::Measured } else { Known::Untestable };
            let known: BTreeMap<usize, Known> = before.into_iter().filter(|&i| i <= tip).map(|i| (i, state(i))).collect();
            let given = known.len();
            let (steps, asked, measured) = search(&values, known);
            prop_assert!(asked.len() + given <= tip + 1);
            let least = LEAST_STEP.max(effect(&truth, 0, tip).estimate.abs() * SHARE);
            let mut thin = steps.len() == 1;
            for ends in measured.windows(2) {
                let difference = effect(&truth, ends[0], ends[1]);
                let step = steps.iter().find(|step| step.revision == ends[1]);
                if difference.estimate.abs() >= least {
                    thin = false;
                    let step = step.expect("ends that differ are a step");
                    prop_assert_eq!(step.effect, difference);
                    prop_assert_eq!(step.unmeasured_before, ends[1] - ends[0] - 1);
                    prop_assert!((ends[0] + 1..ends[1]).all(|i| values[i].is_none()), "a gap that was not halved");
                } else {
                    prop_assert!(step.is_none() || steps.len() == 1);
                }
            }
            prop_assert!(thin || steps.iter().all(|step| step.effect.estimate.abs() >= least));
        }
    }
}
