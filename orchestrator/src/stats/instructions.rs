//! Two sides of one metric on the instruction clock.
//!
//! A guest on this clock gives the same readings in every boot. What differs between two kernels besides the cost
//! looked for is where timer interrupts and other work fall. The readings of a metric therefore begin at several
//! phases of the timer's period, the same on both sides, and are compared phase by phase.

use std::collections::BTreeMap;

use statrs::distribution::{ContinuousCDF, StudentsT};

use super::basics::{deviation, mean, median, scaled_mad};
use super::outcome::{Outcome, off_zero};
use super::sides::{Sides, value};
use super::signed_rank;
use crate::term::text::count;
use crate::words::{Effect, MetricSamples, Part};

/// Smallest change that is called one: half a per cent.
pub const LEAST_EFFECT: f64 = 0.005;

/// Smallest change in instructions per page that is called one: what another allocation of registers or another order of
/// blocks does to a loop. On a loop of a hundred instructions it is more than [`LEAST_EFFECT`].
pub const LEAST_INSTRUCTIONS: f64 = 2.0;

/// Pairs below which nothing is said.
pub const FEWEST_PAIRS: usize = 4;

/// Confidence of the interval.
const CONFIDENCE: f64 = 0.95;

/// Pairs from which ranks can give that confidence; with fewer the differences are taken to be normally distributed.
const RANKS_FROM: usize = 6;

/// A change must be larger than this many standard deviations of the paired differences. A run compares some hundred
/// metrics: with eight pairs this is a t value of 7, which noise gives once in some thousand comparisons.
const NOISE_FLOOR: f64 = 2.5;

/// A pair that lies this many deviations from the middle was hit by something on one side only.
const HIT: f64 = 6.0;

/// Deviations below this part of the base's cost are taken for it when hits are looked for: on a deterministic clock
/// most pairs may differ by nothing at all, and then every other pair would be a hit.
const LEAST_DEVIATION: f64 = 0.0005;

/// Pairs that must remain when those that were hit are left out.
const KEEP: usize = 5;

/// Compares two sides of a metric, reading by reading at the same phase. `learned` is the threshold that earlier runs
/// ask for.
pub fn judge(sides: &Sides<'_>, part: Part, learned: Option<f64>) -> Outcome {
    let pairs = pairs(sides, part);
    if pairs.len() < FEWEST_PAIRS {
        let measured = count(pairs.len() as u64, "phase");
        return Outcome::not_enough(format!("{measured} measured on both sides, {FEWEST_PAIRS} are needed"));
    }
    let base: Vec<f64> = pairs.iter().map(|pair| pair.0).collect();
    let cost = match median(&base) {
        Some(cost) if cost > 0.0 => cost,
        Some(_) | None => return Outcome::not_enough("the base's cost is nothing, so nothing can be relative to it"),
    };
    let all: Vec<f64> = pairs.iter().map(|(base, patched)| (patched - base) / cost).collect();
    let kept = without_hits(&all);
    let note = (kept.len() < all.len()).then(|| {
        format!(
            "{} of {} phases left out: on one side only, something else ran in between",
            all.len() - kept.len(),
            all.len()
        )
    });
    let (Some((estimate, low, high)), Some(deviation)) = (interval(&kept), deviation(&kept)) else {
        return Outcome::not_enough("too few phases remain");
    };
    let floor = NOISE_FLOOR * deviation;
    let instructions = LEAST_INSTRUCTIONS * sides.pages().unwrap_or(1).max(1) as f64 / cost;
    let threshold = LEAST_EFFECT.max(instructions).max(learned.unwrap_or(0.0)).max(floor);
    let visible = threshold.max(estimate - low).max(high - estimate);
    let effect = Effect { estimate, low, high, visible, p: None };
    Outcome::of(effect, off_zero(&effect) && estimate.abs() >= threshold, note)
}

/// Costs of base and patched at the same phase of the same boot. A boot that repeats another one, reading by reading
/// on both sides, says nothing new and is left out.
fn pairs(sides: &Sides<'_>, part: Part) -> Vec<(f64, f64)> {
    let mut boots: Vec<Vec<(f64, f64)>> = Vec::new();
    for (base, patched) in sides.base.iter().zip(&sides.patched) {
        let (base, patched) = (by_phase(base, part), by_phase(patched, part));
        let pairs: Vec<(f64, f64)> =
            base.iter().filter_map(|(phase, &base)| Some((base, *patched.get(phase)?))).collect();
        if !boots.contains(&pairs) {
            boots.push(pairs);
        }
    }
    boots.concat()
}

/// One cost per phase: the middle one where a phase was measured more than once.
fn by_phase(boot: &MetricSamples, part: Part) -> BTreeMap<u32, f64> {
    let mut phases: BTreeMap<u32, Vec<f64>> = BTreeMap::new();
    for sample in &boot.samples {
        if let Some(value) = value(sample, part) {
            phases.entry(sample.phase).or_default().push(value);
        }
    }
    phases.into_iter().filter_map(|(phase, values)| Some((phase, median(&values)?))).collect()
}

/// The differences without the few that were hit by an interrupt on one side only. When that would be more than three
/// in eight, or leave fewer than five, they are no accidents and all stay.
fn without_hits(differences: &[f64]) -> Vec<f64> {
    let (Some(middle), Some(deviation)) = (median(differences), scaled_mad(differences)) else {
        return differences.to_vec();
    };
    let limit = HIT * deviation.max(LEAST_DEVIATION);
    let kept: Vec<f64> = differences.iter().copied().filter(|value| (value - middle).abs() <= limit).collect();
    let most = (differences.len() * 3 / 8).min(differences.len().saturating_sub(KEEP));
    if differences.len() - kept.len() <= most { kept } else { differences.to_vec() }
}

/// Estimate and interval of the middle of the differences: ranks where there are enough, otherwise Student's. `None`
/// for fewer than two.
fn interval(differences: &[f64]) -> Option<(f64, f64, f64)> {
    if differences.len() >= RANKS_FROM
        && let Some(ranks) = signed_rank::interval(differences, CONFIDENCE)
    {
        return Some((signed_rank::walsh_median(differences)?, ranks.low, ranks.high));
    }
    let n = differences.len() as f64;
    let student = StudentsT::new(0.0, 1.0, n - 1.0).ok()?;
    let half = student.inverse_cdf(0.5 + CONFIDENCE / 2.0) * deviation(differences)? / n.sqrt();
    let estimate = mean(differences)?;
    Some((estimate, estimate - half, estimate + half))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::testing::Guest;
    use crate::words::{MetricChange, Sample};

    const SIZES: [u64; 6] = [1, 16, 128, 512, 4096, 65_536];

    fn outcome(base: &MetricSamples, patched: &MetricSamples, part: Part) -> Outcome {
        judge(&Sides { base: vec![base], patched: vec![patched] }, part, None)
    }

    fn guests(pages: u64, percent: f64) -> (MetricSamples, MetricSamples) {
        let patched = Guest { seed: 7, ..Guest::plain() }.walk_more(percent);
        (Guest::plain().measure("m", pages, 8), patched.measure("m", pages, 8))
    }

    #[test]
    fn a_change_of_one_per_cent_of_the_walk_is_called_in_one_run_of_eight_phases() {
        for pages in SIZES {
            for (percent, change) in [(1.0, MetricChange::Regressed), (-1.0, MetricChange::Improved)] {
                let (base, patched) = guests(pages, percent);
                // One page is mostly the system call around it.
                let percent = if pages == 1 { percent * 2.0 } else { percent };
                let (base, patched) = if pages == 1 { guests(1, percent) } else { (base, patched) };
                let outcome = outcome(&base, &patched, Part::WithoutCopy);
                assert_eq!(outcome.change, change, "{pages} pages: {outcome:?}");
                let effect = outcome.effect.unwrap();
                let share = 3200.0 * pages as f64 / (3200.0 * pages as f64 + 2500.0);
                assert!((effect.estimate - percent / 100.0 * share).abs() < 0.002, "{pages} pages: {effect:?}");
            }
        }
    }

    #[test]
    fn a_smaller_one_is_below_what_is_said_to_be_visible() {
        for pages in SIZES {
            let (base, patched) = guests(pages, 0.3);
            for part in [Part::Whole, Part::WithoutCopy] {
                let outcome = outcome(&base, &patched, part);
                assert_eq!(outcome.change, MetricChange::Unchanged, "{pages} pages: {outcome:?}");
                assert!(outcome.effect.unwrap().visible > 0.003);
            }
        }
    }

    #[test]
    fn a_kernel_compared_with_itself_rebuilt_never_differs() {
        for seed in 0..20 {
            for pages in SIZES {
                let base = Guest::plain().measure("m", pages, 8);
                let again = Guest { seed: seed + 100, ..Guest::plain() }.measure("m", pages, 8);
                for part in [Part::Whole, Part::WithoutCopy] {
                    let outcome = outcome(&base, &again, part);
                    assert_eq!(outcome.change, MetricChange::Unchanged, "{pages} pages, seed {seed}: {outcome:?}");
                }
            }
        }
    }

    #[test]
    fn noise_without_a_change_is_not_called_and_raises_what_is_visible() {
        let (mut called, mut wide) = (0, 0);
        for seed in 0..400 {
            let noisy = Guest { jitter: 100_000, ..Guest::plain() };
            let base = Guest { seed, ..noisy }.measure("m", 512, 8);
            let again = Guest { seed: seed + 1000, ..noisy }.measure("m", 512, 8);
            let outcome = outcome(&base, &again, Part::Whole);
            called += u32::from(outcome.change != MetricChange::Unchanged);
            wide += u32::from(outcome.effect.unwrap().visible > 0.02);
        }
        assert_eq!(called, 0);
        assert!(wide > 380, "{wide}");
    }

    #[test]
    fn interrupts_on_one_side_only_change_nothing() {
        for (base_hit, patched_hit) in
            [(vec![], vec![3]), (vec![1], vec![6]), (vec![0, 5, 7], vec![]), (vec![2], vec![4, 5])]
        {
            let (mut base, mut patched) = guests(16, 1.0);
            base_hit.iter().for_each(|&phase: &usize| base.samples[phase].value += 9000);
            patched_hit.iter().for_each(|&phase: &usize| patched.samples[phase].value += 12_000);
            let outcome = outcome(&base, &patched, Part::WithoutCopy);
            assert_eq!(outcome.change, MetricChange::Regressed, "{base_hit:?} {patched_hit:?}: {outcome:?}");
            let hits = base_hit.len() + patched_hit.len();
            assert!(outcome.note.unwrap().starts_with(&format!("{hits} of 8 phases left out")));
            let (base_again, mut same) = guests(16, 0.0);
            patched_hit.iter().chain(&base_hit).for_each(|&phase| same.samples[phase].value += 12_000);
            let outcome = super::tests::outcome(&base_again, &same, Part::Whole);
            assert_eq!(outcome.change, MetricChange::Unchanged, "{outcome:?}");
        }
    }

    #[test]
    fn hits_are_left_out_while_they_are_few() {
        let with = |quiet: usize, hits: usize| {
            let mut differences = vec![0.01; quiet];
            differences.extend(vec![0.5; hits]);
            without_hits(&differences).len()
        };
        // Three in eight, and five must remain.
        for (quiet, hits, kept) in [(5, 3, 5), (4, 4, 8), (5, 1, 5), (4, 1, 5), (10, 6, 10), (9, 7, 16), (15, 9, 15)] {
            assert_eq!(with(quiet, hits), kept, "{hits} hits beside {quiet}");
        }
    }

    #[test]
    fn six_pairs_are_ranked_and_five_are_not() {
        // One that is far away moves a mean.
        let (estimate, low, high) = interval(&[1.0, 2.0, 3.0, 4.0, 5.0, 100.0]).unwrap();
        assert_eq!((estimate, low, high), (3.5, 1.0, 100.0));
        let (estimate, ..) = interval(&[1.0, 2.0, 3.0, 4.0, 100.0]).unwrap();
        assert_eq!(estimate, 22.0);
    }

    /// The same cost in every phase.
    fn even(pages: u64, value: u64) -> MetricSamples {
        let samples = (0..8).map(|phase| Sample { phase, value, copy: None }).collect();
        MetricSamples { metric: "m".into(), pages, samples, functions: Vec::new() }
    }

    #[test]
    fn two_instructions_a_page_are_the_least_that_is_called() {
        let judged = |patched: u64| outcome(&even(100, 4000), &even(100, patched), Part::Whole);
        let below = judged(4199);
        assert_eq!((below.change, below.note), (MetricChange::Unchanged, None));
        assert_eq!(below.effect.unwrap().visible, 0.05);
        assert_eq!(judged(4200).change, MetricChange::Regressed);
        assert_eq!(judged(3800).change, MetricChange::Improved);
    }

    #[test]
    fn what_is_visible_does_not_depend_on_what_was_seen() {
        for seed in 0..20 {
            let noisy = Guest { jitter: 20_000, ..Guest::plain() };
            let base = Guest { seed, ..noisy }.measure("m", 512, 8);
            let mut patched = Guest { seed: seed + 1000, ..noisy }.measure("m", 512, 8);
            let before = outcome(&base, &patched, Part::Whole).effect.unwrap();
            let cost = base.samples[0].value;
            patched.samples.iter_mut().for_each(|sample| sample.value += cost);
            let after = outcome(&base, &patched, Part::Whole).effect.unwrap();
            assert!((after.visible - before.visible).abs() < 1e-9, "{before:?} {after:?}");
            assert!(after.estimate > before.estimate + 0.5);
            let reach = (before.high - before.estimate).max(before.estimate - before.low);
            assert!(before.visible >= reach, "{before:?}");
        }
    }

    #[test]
    fn half_of_the_phases_hit_are_no_accident() {
        let (base, mut patched) = guests(16, 0.0);
        patched.samples.iter_mut().step_by(2).for_each(|sample| sample.value += 9000);
        let outcome = outcome(&base, &patched, Part::Whole);
        assert_eq!(outcome.change, MetricChange::Unchanged);
        let effect = outcome.effect.unwrap();
        assert!(effect.visible > 0.1 && effect.high > 0.05, "{effect:?}");
    }

    #[test]
    fn four_phases_are_judged_by_student_and_three_are_not() {
        let base = Guest::plain().measure("m", 65_536, 4);
        let patched = Guest::plain().walk_more(1.0).measure("m", 65_536, 4);
        let judged = outcome(&base, &patched, Part::Whole);
        assert_eq!(judged.change, MetricChange::Regressed, "{judged:?}");
        let (four, mut uneven) =
            (Guest::plain().measure("m", 16, 4), Guest::plain().walk_more(1.0).measure("m", 16, 4));
        uneven.samples[1].value += 5000;
        assert_eq!(outcome(&four, &uneven, Part::Whole).change, MetricChange::Unchanged);
        let three = Guest::plain().measure("m", 65_536, 3);
        let judged = outcome(&three, &three, Part::Whole);
        assert_eq!(judged.change, MetricChange::NotEnoughData);
        assert_eq!(judged.note.unwrap(), "3 phases measured on both sides, 4 are needed");
    }

    /// R: `t.test(c(1, 2, 4))`: 2.333, interval -1.461 to 6.128.
    #[test]
    fn interval_of_three_is_that_of_r() {
        let (estimate, low, high) = interval(&[1.0, 2.0, 4.0]).unwrap();
        assert!((estimate - 7.0 / 3.0).abs() < 1e-12);
        assert!((low + 1.461250).abs() < 1e-5 && (high - 6.127916).abs() < 1e-5, "{low} {high}");
    }

    #[test]
    fn phases_that_one_side_lacks_and_boots_that_repeat_count_for_nothing() {
        let (base, mut patched) = guests(512, 1.0);
        patched.samples.truncate(1);
        assert_eq!(outcome(&base, &patched, Part::Whole).change, MetricChange::NotEnoughData);
        let sides = Sides { base: vec![&base; 3], patched: vec![&patched; 3] };
        assert_eq!(judge(&sides, Part::Whole, None).change, MetricChange::NotEnoughData);
        let other = Guest { seed: 55, ..Guest::plain() }.measure("m", 512, 8);
        let sides = Sides { base: vec![&base, &other], patched: vec![&other, &base] };
        assert_eq!(pairs(&sides, Part::Whole).len(), 16);
    }

    #[test]
    fn a_restless_past_raises_the_threshold() {
        let (base, patched) = guests(4096, 2.0);
        let sides = Sides { base: vec![&base], patched: vec![&patched] };
        let learned = judge(&sides, Part::Whole, Some(0.02));
        assert_eq!(learned.change, MetricChange::Unchanged);
        assert!(learned.effect.unwrap().visible >= 0.02);
        assert_eq!(judge(&sides, Part::Whole, None).change, MetricChange::Regressed);
    }

    #[test]
    fn nothing_can_be_relative_to_nothing() {
        let samples = (0..8).map(|phase| Sample { phase, value: 100, copy: Some(100) }).collect();
        let all_copy = MetricSamples { metric: "m".into(), pages: 1, samples, functions: Vec::new() };
        assert_eq!(outcome(&all_copy, &all_copy, Part::WithoutCopy).change, MetricChange::NotEnoughData);
        assert_eq!(outcome(&all_copy, &all_copy, Part::Whole).change, MetricChange::Unchanged);
    }
}
