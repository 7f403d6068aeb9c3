//! Readings of one metric on two sides, as numbers.

use super::basics::{half_quartile_range, median};
use crate::words::{MetricSamples, MetricSide, Part, Sample};

/// The readings of one metric on both sides, one entry per boot.
#[derive(Debug, Clone)]
pub struct Sides<'a> {
    /// Boots of the base that gave readings.
    pub base: Vec<&'a MetricSamples>,
    /// Boots of the patched kernel that gave readings.
    pub patched: Vec<&'a MetricSamples>,
}

impl<'a> Sides<'a> {
    /// The readings of `metric` among all that both sides' boots gave.
    pub fn of(metric: &str, base: &'a [Vec<MetricSamples>], patched: &'a [Vec<MetricSamples>]) -> Self {
        Sides::between(metric, base, metric, patched)
    }

    /// The readings of two metrics: one takes the place of the base, the other that of the patched kernel.
    pub fn between(
        base_metric: &str,
        base: &'a [Vec<MetricSamples>],
        patched_metric: &str,
        patched: &'a [Vec<MetricSamples>],
    ) -> Self {
        let find = |metric: &str, boots: &'a [Vec<MetricSamples>]| -> Vec<&'a MetricSamples> {
            let mine = |boot: &'a Vec<MetricSamples>| boot.iter().find(|samples| samples.metric == metric);
            boots.iter().filter_map(mine).filter(|samples| !samples.samples.is_empty()).collect()
        };
        Sides { base: find(base_metric, base), patched: find(patched_metric, patched) }
    }

    /// The parts of the cost that can be looked at: without copies only where every reading counted them and where
    /// there are any.
    pub fn parts(&self) -> Vec<Part> {
        let mut copies = self.base.iter().chain(&self.patched).flat_map(|boot| &boot.samples).map(|sample| sample.copy);
        if copies.clone().all(|copy| copy.is_some()) && copies.any(|copy| copy > Some(0)) {
            vec![Part::Whole, Part::WithoutCopy]
        } else {
            vec![Part::Whole]
        }
    }

    /// Pages per reading, 0 where readings are about no pages; `None` when they disagree: costs cannot be compared then.
    pub fn pages(&self) -> Option<u64> {
        let mut pages = self.base.iter().chain(&self.patched).map(|boot| boot.pages);
        let first = pages.next()?;
        pages.all(|pages| pages == first).then_some(first)
    }
}

/// The part of a reading; `None` where nobody counted it.
pub fn value(sample: &Sample, part: Part) -> Option<f64> {
    match part {
        Part::Whole => Some(sample.value as f64),
        Part::WithoutCopy => sample.copy.map(|copy| sample.value as f64 - copy as f64),
    }
}

/// The part of all readings of one boot.
pub fn values(boot: &MetricSamples, part: Part) -> Vec<f64> {
    boot.samples.iter().filter_map(|sample| value(sample, part)).collect()
}

/// What one side says by itself; `None` without readings.
pub fn side(boots: &[&MetricSamples], part: Part) -> Option<MetricSide> {
    let per_page: Vec<f64> = boots
        .iter()
        .flat_map(|boot| values(boot, part).into_iter().map(|value| value / boot.pages.max(1) as f64))
        .collect();
    let middle = median(&per_page)?;
    let spread = if middle == 0.0 { 0.0 } else { half_quartile_range(&per_page)? / middle.abs() };
    Some(MetricSide { median: middle, spread, readings: per_page.len(), boots: boots.len() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::Sample;

    fn boot(pages: u64, values: &[u64]) -> MetricSamples {
        let samples = values.iter().zip(0..).map(|(&value, phase)| Sample { phase, value, copy: None }).collect();
        MetricSamples { metric: "m".into(), pages, samples, functions: Vec::new() }
    }

    #[test]
    fn a_side_is_told_by_its_middle_and_how_far_half_of_it_lies() {
        let (first, second) = (boot(10, &[100, 200, 300]), boot(10, &[400, 500]));
        let side = side(&[&first, &second], Part::Whole).unwrap();
        assert_eq!((side.median, side.readings, side.boots), (30.0, 5, 2));
        let spread = half_quartile_range(&[10.0, 20.0, 30.0, 40.0, 50.0]).unwrap() / 30.0;
        assert!(spread > 0.0 && (side.spread - spread).abs() < 1e-12, "{side:?}");
        let nothing = super::side(&[&boot(1, &[0, 0])], Part::Whole).unwrap();
        assert_eq!((nothing.median, nothing.spread), (0.0, 0.0));
        assert!(super::side(&[&boot(1, &[])], Part::Whole).is_none());
    }
}
