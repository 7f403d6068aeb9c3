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
