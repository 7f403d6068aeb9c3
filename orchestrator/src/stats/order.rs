//! In which order boots are made on the wall clock, and how many.

use super::random::SplitMix64;
use super::wall::{LEAST_EFFECT, LOOKS};
use crate::words::{MetricChange, MetricComparison};

/// Which kernel a boot is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kernel {
    /// Without the series.
    Base,
    /// With it.
    Patched,
}

/// The order of `boots` boots of each side: pair by pair, and within each pair by chance. A host that warms up or
/// slows down then burdens both sides alike, and nothing periodic can fall on one side only.
pub fn interleaved(boots: usize, seed: u64) -> Vec<Kernel> {
    let mut random = SplitMix64::new(seed);
    (0..boots)
        .flat_map(|_| match random.below(2) {
            0 => [Kernel::Base, Kernel::Patched],
            _ => [Kernel::Patched, Kernel::Base],
        })
        .collect()
}

/// How many boots each side should have in the end, given what those made so far say; `None` when there are enough.
///
/// Verdicts are given at [`LOOKS`] only, each at its share of the false discovery rate, so stopping as soon as all is
/// clear adds no false ones beyond that rate. A metric is clear when it was called changed, or when a change of
/// `wanted` would have been seen. After the last look it stays as it is.
pub fn next_boots(boots: usize, comparisons: &[MetricComparison], wanted: f64) -> Option<usize> {
    let next = LOOKS.into_iter().find(|&look| look > boots)?;
    if boots < LOOKS[0] {
        return Some(next);
    }
    let unclear = comparisons.iter().any(|comparison| match comparison.change {
        MetricChange::Regressed | MetricChange::Improved | MetricChange::New | MetricChange::Vanished => false,
        MetricChange::NotEnoughData => true,
        MetricChange::Unchanged => comparison.effect.is_none_or(|effect| effect.visible > wanted.max(LEAST_EFFECT)),
    });
    unclear.then_some(next)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::{Clock, Effect, Part};

    #[test]
    fn order_is_by_chance_balanced_and_repeatable() {
        let order = interleaved(16, 42);
        assert_eq!(order.len(), 32);
        assert!(order.chunks(2).all(|pair| pair[0] != pair[1]));
        assert_eq!(order, interleaved(16, 42));
        let first_base = |seed| interleaved(16, seed).chunks(2).filter(|pair| pair[0] == Kernel::Base).count();
        assert!((1..16).contains(&first_base(42)));
        assert_ne!(interleaved(16, 42), interleaved(16, 43));
    }

    fn comparison(change: MetricChange, visible: Option<f64>) -> MetricComparison {
        MetricComparison {
            metric: "m".into(),
            part: Part::Whole,
            tree: String::new(),
            kconfig: String::new(),
            machine: String::new(),
            clock: Clock::Wall,
            unit: "ns/page".into(),
            pages: 1,
            change,
            base: None,
            patched: None,
            effect: visible.map(|visible| Effect { estimate: 0.0, low: 0.0, high: 0.0, visible, p: Some(1.0) }),
            functions: Vec::new(),
            inlined_apart: false,
            steps: Vec::new(),
            note: None,
        }
    }

    #[test]
    fn more_boots_until_all_is_clear_or_the_end_is_reached() {
        let clear = comparison(MetricChange::Unchanged, Some(0.02));
        let called = comparison(MetricChange::Regressed, Some(0.2));
        let unclear = comparison(MetricChange::Unchanged, Some(0.04));
        let nothing = comparison(MetricChange::NotEnoughData, None);
        let table: [(usize, &[&MetricComparison], Option<usize>); 10] = [
            (0, &[], Some(8)),
            (5, &[&clear], Some(8)),
            (8, &[&clear], None),
            (8, &[&clear, &called], None),
            (8, &[&clear, &unclear], Some(12)),
            (8, &[&nothing], Some(12)),
            (10, &[&unclear], Some(12)),
            (12, &[&unclear], Some(16)),
            (16, &[&unclear], None),
            (20, &[&nothing], None),
        ];
        for (boots, comparisons, expected) in table {
            let comparisons: Vec<MetricComparison> = comparisons.iter().map(|&c| c.clone()).collect();
            assert_eq!(next_boots(boots, &comparisons, 0.03), expected, "{boots}: {comparisons:?}");
        }
    }
}
