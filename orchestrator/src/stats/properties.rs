//! What must hold of the numbers for all readings: their order does not matter, sides mirror, more is never less.

use proptest::collection::vec;
use proptest::prelude::*;

use super::basics::{median, quantile};
use super::discovery::benjamini_hochberg;
use super::mann_whitney::{mann_whitney, smallest_p};
use super::random::SplitMix64;
use super::shift::hodges_lehmann;
use super::testing::wall;
use super::{Inputs, Place, compare, signed_rank};
use crate::words::{Clock, MetricChange, MetricComparison, MetricSamples};

/// Readings as they come: whole nanoseconds or instructions, some the same.
fn readings(count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<f64>> {
    vec((900_u32..1100).prop_map(f64::from), count)
}

/// The values in another order.
fn shuffled<T: Clone>(values: &[T], seed: u64) -> Vec<T> {
    let (mut random, mut values) = (SplitMix64::new(seed), values.to_vec());
    for at in (1..values.len()).rev() {
        values.swap(at, random.below(at + 1));
    }
    values
}

fn plus(values: &[f64], more: f64) -> Vec<f64> {
    values.iter().map(|value| value + more).collect()
}

fn close(one: f64, other: f64) -> bool {
    (one - other).abs() <= 1e-9 * one.abs().max(other.abs()).max(1.0)
}

fn compared(base: &[Vec<MetricSamples>], patched: &[Vec<MetricSamples>], clock: Clock) -> Vec<MetricComparison> {
    let place = Place { tree: "t", kconfig: "k", machine: "m", clock };
    compare(&Inputs { place, base, patched, history: &Default::default() })
}

/// Boots of one metric on the wall clock, each with some readings.
fn boots(count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Vec<MetricSamples>>> {
    vec(readings(3..6).prop_map(|values| vec![wall("m", &values)]), count)
}

/// The same boots with every reading `percent` dearer.
fn dearer(boots: &[Vec<MetricSamples>], percent: u64) -> Vec<Vec<MetricSamples>> {
    let mut boots = boots.to_vec();
    for sample in boots.iter_mut().flatten().flat_map(|metric| &mut metric.samples) {
        sample.value += sample.value * percent / 100;
    }
    boots
}

proptest! {
    #[test]
    fn the_order_of_readings_does_not_matter(base in readings(1..20), patched in readings(1..20), seed: u64) {
        let (other, another) = (shuffled(&base, seed), shuffled(&patched, seed));
        prop_assert_eq!(median(&base), median(&other));
        prop_assert_eq!(mann_whitney(&base, &patched), mann_whitney(&other, &another));
        prop_assert_eq!(hodges_lehmann(&base, &patched), hodges_lehmann(&other, &another));
        prop_assert_eq!(signed_rank::interval(&base, 0.95), signed_rank::interval(&other, 0.95));
        prop_assert_eq!(signed_rank::walsh_median(&base), signed_rank::walsh_median(&other));
    }

    #[test]
    fn swapping_the_sides_mirrors_the_shift(base in readings(1..20), patched in readings(1..20)) {
        let (there, back) = (mann_whitney(&base, &patched).unwrap(), mann_whitney(&patched, &base).unwrap());
        prop_assert!(close(there, back), "{there} {back}");
        let (there, back) = (hodges_lehmann(&base, &patched).unwrap(), hodges_lehmann(&patched, &base).unwrap());
        prop_assert!(close(there, -back), "{there} {back}");
    }

    #[test]
    fn a_shift_is_found_whole_and_a_larger_one_is_never_less_sure(
        base in readings(5..12),
        patched in readings(5..12),
        less in 0_u32..400,
        more in 0_u32..400,
    ) {
        let moved = |by: u32| plus(&patched, f64::from(by));
        let estimate = |by: u32| hodges_lehmann(&base, &moved(by)).unwrap();
        prop_assert!(close(estimate(less) + f64::from(more), estimate(less + more)));
        // Beyond the point at which all of one side lie above the other, nothing more can be known.
        let apart = moved(1000 + less);
        let sure = mann_whitney(&base, &apart).unwrap();
        prop_assert!(sure <= mann_whitney(&base, &moved(less)).unwrap() + 1e-12);
        prop_assert!(close(mann_whitney(&base, &moved(1000 + less + more)).unwrap(), sure));
    }

    #[test]
    fn probabilities_are_probabilities(base in readings(1..45), patched in readings(1..45)) {
        let p = mann_whitney(&base, &patched).unwrap();
        prop_assert!((0.0..=1.0).contains(&p), "{p}");
        prop_assert!((0.0..=1.0).contains(&smallest_p(base.len().min(30), patched.len().min(30))));
    }

    #[test]
    fn quantiles_grow_and_stay_among_the_values(values in readings(1..30), low in 0.0..=1.0_f64, high in 0.0..=1.0_f64) {
        let (low, high) = (quantile(&values, low.min(high)).unwrap(), quantile(&values, low.max(high)).unwrap());
        prop_assert!(low <= high);
        let (least, most) = (quantile(&values, 0.0).unwrap(), quantile(&values, 1.0).unwrap());
        prop_assert!(least <= low && high <= most && values.contains(&least) && values.contains(&most));
    }

    #[test]
    fn an_interval_holds_its_estimate_and_grows_with_confidence(values in readings(6..40)) {
        let middle = signed_rank::walsh_median(&values).unwrap();
        let mut inner: Option<signed_rank::RankInterval> = None;
        for confidence in [0.5, 0.8, 0.95] {
            let interval = signed_rank::interval(&values, confidence).unwrap();
            prop_assert!(interval.low <= middle && middle <= interval.high && interval.confidence >= confidence);
            if let Some(inner) = inner {
                prop_assert!(interval.low <= inner.low && inner.high <= interval.high);
            }
            inner = Some(interval);
        }
    }

    #[test]
    fn correcting_for_others_keeps_the_order_and_never_makes_surer(p in vec(0.0..=1.0_f64, 1..40), seed: u64) {
        let corrected = benjamini_hochberg(&p);
        for (one, &p_one) in corrected.iter().zip(&p) {
            prop_assert!(p_one <= *one + 1e-12 && *one <= 1.0);
            for (other, &p_other) in corrected.iter().zip(&p) {
                prop_assert!(p_one > p_other || one <= other);
            }
        }
        let both: Vec<(f64, f64)> = p.iter().copied().zip(corrected).collect();
        let both = shuffled(&both, seed);
        let p: Vec<f64> = both.iter().map(|(p, _)| *p).collect();
        prop_assert!(benjamini_hochberg(&p).iter().zip(&both).all(|(one, (_, other))| close(*one, *other)));
    }
}

proptest! {
    // Each case resamples some thousand times.
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn a_kernel_against_itself_never_changes(boots in boots(5..9), clock in prop::sample::select(vec![Clock::Wall, Clock::Instructions])) {
        for row in compared(&boots, &boots, clock) {
            prop_assert!(!matches!(row.change, MetricChange::Regressed | MetricChange::Improved), "{row:?}");
        }
    }

    #[test]
    fn what_is_twice_as_dear_is_slower_and_what_is_half_as_dear_is_faster(boots in boots(8..10), seed: u64) {
        let dear = shuffled(&dearer(&boots, 100), seed);
        let changes = |rows: &[MetricComparison]| rows.iter().map(|row| row.change).collect::<Vec<_>>();
        prop_assert_eq!(changes(&compared(&boots, &dear, Clock::Wall)), [MetricChange::Regressed]);
        prop_assert_eq!(changes(&compared(&dear, &boots, Clock::Wall)), [MetricChange::Improved]);
    }

    #[test]
    fn the_order_of_boots_does_not_decide_on_the_wall_clock(boots in boots(8..10), percent in 3_u64..50, seed: u64) {
        let dear = dearer(&boots, percent);
        let rows = compared(&boots, &dear, Clock::Wall);
        let other = compared(&shuffled(&boots, seed), &shuffled(&dear, seed.wrapping_add(1)), Clock::Wall);
        let estimates = |rows: &[MetricComparison]| rows.iter().map(|row| row.effect.as_ref().map(|effect| effect.estimate)).collect::<Vec<_>>();
        prop_assert_eq!(estimates(&rows), estimates(&other));
    }
}
