//! Made-up readings for the tests of this room.

use super::random::SplitMix64;
use crate::words::{MetricSamples, Sample};

/// Instructions of one timer period at 250 Hz and 2 ns an instruction.
const PERIOD: u64 = 2_000_000;

/// A guest on the instruction clock whose timer interrupt costs some thousand instructions.
#[derive(Debug, Clone, Copy)]
pub struct Guest {
    /// Instructions per page besides copies.
    pub walk: f64,
    /// Instructions per page to copy it.
    pub copy: u64,
    /// Instructions of a timer interrupt.
    pub interrupt: u64,
    /// Largest difference in instructions that other data structures bring to a reading; by chance, from the seed.
    pub jitter: usize,
    /// Start of the random numbers.
    pub seed: u64,
}

impl Guest {
    /// Numbers as 6.12 has them.
    pub fn plain() -> Guest {
        Guest { walk: 3200.0, copy: 2100, interrupt: 4100, jitter: 12, seed: 1 }
    }

    /// The same with a walk that costs `percent` more.
    pub fn walk_more(self, percent: f64) -> Guest {
        Guest { walk: self.walk * (1.0 + percent / 100.0), ..self }
    }

    /// Readings of a metric at `phases` phases.
    pub fn measure(self, metric: &str, pages: u64, phases: u32) -> MetricSamples {
        let mut random = SplitMix64::new(self.seed.wrapping_add(pages));
        let samples = (0..phases)
            .map(|phase| {
                let begin = u64::from(phase) * PERIOD / u64::from(phases);
                let walk = 2500 + (self.walk * pages as f64) as u64 + random.below(self.jitter + 1) as u64;
                let copy = self.copy * pages;
                let interrupts = (begin + walk + copy) / PERIOD;
                Sample { phase, value: walk + copy + interrupts * self.interrupt, copy: Some(copy) }
            })
            .collect();
        MetricSamples { metric: metric.to_owned(), pages, samples, functions: Vec::new() }
    }
}

/// Readings of one boot on the wall clock, in nanoseconds for a metric of one page.
pub fn wall(metric: &str, values: &[f64]) -> MetricSamples {
    let sample = |(phase, value): (usize, &f64)| Sample { phase: phase as u32, value: *value as u64, copy: None };
    MetricSamples {
        metric: metric.to_owned(),
        pages: 1,
        samples: values.iter().enumerate().map(sample).collect(),
        functions: Vec::new(),
    }
}
