//! Two sides of all metrics on the wall clock.
//!
//! Readings within one boot share its luck (which pages it got, where the kernel lies in the cache), so the boot is
//! what is counted, with its median; a hundred readings of one boot are one observation.

use super::basics::median;
use super::discovery::benjamini_hochberg;
use super::mann_whitney::{mann_whitney, smallest_p};
use super::outcome::{Outcome, off_zero};
use super::shift::{bootstrap_interval, hodges_lehmann};
use super::sides::{Sides, values};
use crate::words::{Effect, MetricSamples, Part};

/// Smallest change that is called one: one per cent.
pub const LEAST_EFFECT: f64 = 0.01;

/// Boots of each side below which nothing is said.
pub const FEWEST_BOOTS: usize = 5;

/// Boots of each side after which a verdict is given and more boots may be asked for; the last one is the end.
pub const LOOKS: [usize; 3] = [8, 12, 16];

/// Share of false ones among the changes called, over all looks together.
pub const FALSE_DISCOVERIES: f64 = 0.05;

/// Share of false ones at each look: whoever looks three times has three chances, so each gets a third.
pub const LEVEL: f64 = FALSE_DISCOVERIES / LOOKS.len() as f64;

/// Confidence of the interval.
const CONFIDENCE: f64 = 0.95;

/// One comparison to be judged with all the others of the run.
#[derive(Debug, Clone)]
pub struct Candidate<'a> {
    /// Its readings.
    pub sides: Sides<'a>,
    /// Part of the cost.
    pub part: Part,
    /// The threshold that earlier runs ask for.
    pub learned: Option<f64>,
}

/// Judges all metrics of a run together: the more are looked at, the surer each must be.
pub fn judge(candidates: &[Candidate<'_>]) -> Vec<Outcome> {
    let measured: Vec<Result<Measured, Outcome>> = candidates.iter().map(Measured::new).collect();
    let p: Vec<f64> = measured.iter().flatten().map(|measured| measured.p).collect();
    let mut corrected = benjamini_hochberg(&p).into_iter();
    let corrected: Vec<Option<f64>> =
        measured.iter().map(|measured| measured.as_ref().ok().and_then(|_| corrected.next())).collect();
    let called = corrected.iter().flatten().filter(|&&p| p <= LEVEL).count();
    measured
        .into_iter()
        .zip(corrected)
        .map(|(measured, corrected)| match (measured, corrected) {
            (Ok(measured), Some(corrected)) => {
                let others = called - usize::from(corrected <= LEVEL);
                measured.outcome(corrected, LEVEL * (others + 1) as f64 / p.len() as f64, p.len())
            }
            (Ok(_), None) => unreachable!("every measured metric has a probability"),
            (Err(outcome), _) => outcome,
        })
        .collect()
}

/// One metric before the others are looked at. Everything is relative to the base's median.
struct Measured {
    base: Vec<f64>,
    patched: Vec<f64>,
    threshold: f64,
    estimate: f64,
    low: f64,
    high: f64,
    p: f64,
}

impl Measured {
    fn new(candidate: &Candidate<'_>) -> Result<Measured, Outcome> {
        let base = boot_medians(&candidate.sides.base, candidate.part);
        let patched = boot_medians(&candidate.sides.patched, candidate.part);
        if base.len().min(patched.len()) < FEWEST_BOOTS {
            let (base, patched) = (base.len(), patched.len());
            return Err(Outcome::not_enough(format!(
                "{base} boots of the base and {patched} with the series, {FEWEST_BOOTS} of each are needed"
            )));
        }
        let nothing = || Outcome::not_enough("the base's cost is nothing, so nothing can be relative to it");
        let cost = median(&base).filter(|&cost| cost > 0.0).ok_or_else(nothing)?;
        let relative = |values: Vec<f64>| -> Vec<f64> { values.into_iter().map(|value| value / cost).collect() };
        let (base, patched) = (relative(base), relative(patched));
        let estimate = hodges_lehmann(&base, &patched).ok_or_else(nothing)?;
        let (low, high) = bootstrap_interval(&base, &patched, CONFIDENCE).ok_or_else(nothing)?;
        let p = mann_whitney(&base, &patched).ok_or_else(nothing)?;
        let threshold = LEAST_EFFECT.max(candidate.learned.unwrap_or(0.0));
        Ok(Measured { base, patched, threshold, estimate, low, high, p })
    }

    /// The outcome, given the probability corrected for all metrics and the uncorrected one (`critical`) that would
    /// just have been called.
    fn outcome(self, corrected: f64, critical: f64, metrics: usize) -> Outcome {
        let Some(told_apart) = self.told_apart(critical) else {
            let (base, patched) = (self.base.len(), self.patched.len());
            return Outcome::not_enough(format!(
                "with {base} and {patched} boots and {metrics} metrics, no difference however large is told from chance"
            ));
        };
        let visible = self.threshold.max(told_apart).max(self.estimate - self.low).max(self.high - self.estimate);
        let effect = Effect { estimate: self.estimate, low: self.low, high: self.high, visible, p: Some(corrected) };
        let significant = corrected <= LEVEL && off_zero(&effect) && self.estimate.abs() >= self.threshold;
        Outcome::of(effect, significant, None)
    }

    /// The smallest shift, up or down, that these boots would have shown: patched values are moved back by the
    /// estimate, and then away until the test calls it. `None` when it never does.
    fn told_apart(&self, critical: f64) -> Option<f64> {
        if smallest_p(self.base.len(), self.patched.len()) > critical {
            return None;
        }
        let at_home: Vec<f64> = self.patched.iter().map(|value| value - self.estimate).collect();
        let mirrored = |values: &[f64]| -> Vec<f64> { values.iter().map(|value| -value).collect() };
        let up = first_called(&self.base, &at_home, critical)?;
        let down = first_called(&mirrored(&self.base), &mirrored(&at_home), critical)?;
        Some(up.max(down))
    }
}

/// The smallest shift upwards at which the test's probability falls to `critical`. Ranks change only where a shifted
/// value passes one of the base, so the shifts just beyond those are all that need be tried.
fn first_called(base: &[f64], patched: &[f64], critical: f64) -> Option<f64> {
    let called = |shift: f64| {
        let shifted: Vec<f64> = patched.iter().map(|value| value + shift).collect();
        mann_whitney(base, &shifted).is_some_and(|p| p <= critical)
    };
    let mut passes: Vec<f64> =
        base.iter().flat_map(|b| patched.iter().map(move |p| b - p)).filter(|&shift| shift >= 0.0).collect();
    passes.push(0.0);
    passes.sort_by(f64::total_cmp);
    passes.dedup();
    let beyond: Vec<f64> = passes
        .iter()
        .enumerate()
        .map(|(i, pass)| passes.get(i + 1).map_or(pass + 1e-6, |next| (pass + next) / 2.0))
        .collect();
    let first = beyond.partition_point(|&shift| !called(shift));
    beyond.get(first).copied()
}

/// The median of each boot that has readings.
fn boot_medians(boots: &[&MetricSamples], part: Part) -> Vec<f64> {
    boots.iter().filter_map(|boot| median(&values(boot, part))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::random::SplitMix64;
    use crate::stats::testing::wall;
    use crate::words::MetricChange;

    /// Boots whose medians scatter by `spread` around `middle`; readings within a boot differ by far less.
    fn boots(n: usize, middle: f64, spread: f64, random: &mut SplitMix64) -> Vec<MetricSamples> {
        let mut uniform = || random.below(1 << 20) as f64 / f64::from(1 << 20) - 0.5;
        (0..n)
            .map(|_| {
                let luck = (0..6).map(|_| uniform()).sum::<f64>() / 6.0 * 3.4;
                let middle = middle * (1.0 + spread * luck);
                wall("m", &[middle - 10.0, middle, middle + 10.0])
            })
            .collect()
    }

    fn candidate<'a>(base: &'a [MetricSamples], patched: &'a [MetricSamples]) -> Candidate<'a> {
        let sides = Sides { base: base.iter().collect(), patched: patched.iter().collect() };
        Candidate { sides, part: Part::Whole, learned: None }
    }

    #[test]
    fn among_many_metrics_only_the_changed_ones_are_called() {
        let mut random = SplitMix64::new(11);
        let sides: Vec<_> = (0..40)
            .map(|i| {
                let middle = if i < 2 { 1.06e6 } else { 1e6 };
                (boots(12, 1e6, 0.03, &mut random), boots(12, middle, 0.03, &mut random))
            })
            .collect();
        let candidates: Vec<Candidate<'_>> = sides.iter().map(|(base, patched)| candidate(base, patched)).collect();
        let outcomes = judge(&candidates);
        for (i, outcome) in outcomes.iter().enumerate() {
            let expected = if i < 2 { MetricChange::Regressed } else { MetricChange::Unchanged };
            assert_eq!(outcome.change, expected, "{i}: {outcome:?}");
            let effect = outcome.effect.unwrap();
            assert!((0.01..0.1).contains(&effect.visible), "{effect:?}");
            assert!(effect.low <= effect.estimate && effect.estimate <= effect.high, "{effect:?}");
        }
    }

    #[test]
    fn what_is_called_visible_is_called_when_it_is_there() {
        let mut random = SplitMix64::new(5);
        let (base, same) = (boots(10, 1e6, 0.02, &mut random), boots(10, 1e6, 0.02, &mut random));
        let effect = judge(&[candidate(&base, &same)])[0].effect.unwrap();
        let moved = |by: f64| -> Vec<MetricSamples> {
            let mut moved = same.clone();
            let shift = (by - effect.estimate) * 1e6;
            for sample in moved.iter_mut().flat_map(|boot| &mut boot.samples) {
                sample.value = (sample.value as f64 + shift) as u64;
            }
            moved
        };
        let change = |by: f64| judge(&[candidate(&base, &moved(by))])[0].change;
        assert_eq!(change(effect.visible * 1.02), MetricChange::Regressed, "{effect:?}");
        assert_eq!(change(-effect.visible * 1.02), MetricChange::Improved, "{effect:?}");
        assert_eq!(change(effect.visible * 0.3), MetricChange::Unchanged, "{effect:?}");
    }

    #[test]
    fn a_sure_but_tiny_change_is_none() {
        let mut random = SplitMix64::new(2);
        let (base, patched) = (boots(12, 1e6, 0.0005, &mut random), boots(12, 1.004e6, 0.0005, &mut random));
        let outcome = &judge(&[candidate(&base, &patched)])[0];
        assert_eq!(outcome.change, MetricChange::Unchanged);
        let effect = outcome.effect.unwrap();
        assert!(effect.p.unwrap() < 0.001 && effect.visible == LEAST_EFFECT, "{effect:?}");
    }

    #[test]
    fn few_boots_and_many_metrics_can_say_nothing() {
        let mut random = SplitMix64::new(3);
        let (base, patched) = (boots(5, 1e6, 0.01, &mut random), boots(5, 1.2e6, 0.01, &mut random));
        let (same, other) = (boots(5, 1e6, 0.01, &mut random), boots(5, 1e6, 0.01, &mut random));
        assert_eq!(judge(&[candidate(&base, &patched)])[0].change, MetricChange::Regressed);
        let many: Vec<Candidate<'_>> =
            (0..30).map(|i| if i == 0 { candidate(&base, &patched) } else { candidate(&same, &other) }).collect();
        let outcome = &judge(&many)[0];
        assert_eq!(outcome.change, MetricChange::NotEnoughData);
        assert_eq!(
            outcome.note.as_deref(),
            Some("with 5 and 5 boots and 30 metrics, no difference however large is told from chance")
        );
    }

    #[test]
    fn too_few_boots_are_counted_to_the_reader() {
        let mut random = SplitMix64::new(3);
        let (base, patched) = (boots(4, 1e6, 0.01, &mut random), boots(9, 1.2e6, 0.01, &mut random));
        let outcome = &judge(&[candidate(&base, &patched)])[0];
        assert_eq!(outcome.change, MetricChange::NotEnoughData);
        assert_eq!(outcome.note.as_deref(), Some("4 boots of the base and 9 with the series, 5 of each are needed"));
    }
}
