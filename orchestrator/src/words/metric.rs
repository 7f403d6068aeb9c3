//! Metrics: what a benchmark measured, and what two sides of it say together.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::BlamedPatch;

/// What time was measured with.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema, clap::ValueEnum,
)]
#[serde(rename_all = "kebab-case")]
pub enum Clock {
    /// Executed instructions of an emulated guest: the same on every host and in every run, blind to caches, TLB and
    /// contention.
    Instructions,
    /// Elapsed time of a guest under hardware virtualisation or of a real machine.
    Wall,
}

/// Which part of the cost of a metric is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// Everything between the two readings of the clock.
    Whole,
    /// Without the functions that copy and clear pages: their cost is large, constant and hides the rest.
    WithoutCopy,
}

/// One reading of one metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// Where in the timer's period it began: base and patched are compared at the same phase.
    pub phase: u32,
    /// Executed instructions (clock `instructions`) or nanoseconds (clock `wall`).
    pub value: u64,
    /// Of these, instructions of functions that copy or clear pages; `None` where nobody counted.
    pub copy: Option<u64>,
}

/// Instructions that one kernel function executed, and how much of a metric that is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FunctionCount {
    /// Name of the symbol; `(user)` for the benchmark program itself, `(unknown)` for addresses without one.
    pub function: String,
    /// The function whose code it is inlined in; `None` when it is no copy, or when nobody could tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inlined_in: Option<String>,
    /// Instructions in all readings of the metric together.
    pub instructions: u64,
    /// Instructions in the reading with the fewest.
    #[serde(default)]
    pub least: u64,
    /// Instructions in the reading with the most: where it differs from `least`, something else than the metric's work
    /// fell into some readings, interrupts for example.
    #[serde(default)]
    pub most: u64,
}

/// All readings of one metric in one boot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetricSamples {
    /// Name, e.g. `hmm-bench.private.to-device.present-2M`.
    pub metric: String,
    /// Pages of 4 KiB that each reading moved or looked at; the program checked that it did. 0 where a reading is about no
    /// pages.
    pub pages: u64,
    /// Readings in the order in which they were taken.
    pub samples: Vec<Sample>,
    /// Where the instructions went, largest first; empty where nobody counted.
    #[serde(default)]
    pub functions: Vec<FunctionCount>,
}

/// The parts of a metric's name: `hmm-bench.private.to-device.present-2M`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MetricName<'a> {
    /// The suite with its dot, `hmm-bench.`; empty where the name has none.
    pub suite: &'a str,
    /// `private`, `coherent`, `system`.
    pub device: &'a str,
    /// `to-device`.
    pub operation: &'a str,
    /// `present`, `absent-write`.
    pub memory: &'a str,
    /// `2M`.
    pub size: &'a str,
}

impl<'a> MetricName<'a> {
    /// Takes a name apart; `None` for names built otherwise.
    pub fn parse(metric: &'a str) -> Option<Self> {
        let (rest, what) = metric.rsplit_once('.')?;
        let (memory, size) = what.rsplit_once('-')?;
        let (rest, operation) = rest.rsplit_once('.')?;
        let (suite, device) = match rest.rfind('.') {
            Some(dot) => rest.split_at(dot + 1),
            None => ("", rest),
        };
        Some(MetricName { suite, device, operation, memory, size })
    }
}

impl std::fmt::Display for MetricName<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let MetricName { suite, device, operation, memory, size } = self;
        write!(f, "{suite}{device}.{operation}.{memory}-{size}")
    }
}

/// What a comparison of a metric came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MetricChange {
    /// It costs more: the interval lies outside the noise and the change is large enough to matter.
    Regressed,
    /// It costs less, just as surely.
    Improved,
    /// No change that could have been seen.
    Unchanged,
    /// Only the patched kernel has it.
    New,
    /// Only the base has it.
    Vanished,
    /// There are not enough readings to say anything.
    NotEnoughData,
}

/// A difference with its uncertainty. All values are relative to the base: 0.01 is one per cent more.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Effect {
    /// Best estimate.
    pub estimate: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
    /// The smallest change that would have been called one.
    pub visible: f64,
    /// Chance of such a difference without a change, corrected for all metrics looked at; `None` where readings are
    /// deterministic and no test applies.
    pub p: Option<f64>,
}

/// One side of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MetricSide {
    /// Median cost of one page, in [`MetricComparison::unit`].
    pub median: f64,
    /// Half of the range that the middle half of the readings covers, relative to the median.
    pub spread: f64,
    /// Readings.
    pub readings: usize,
    /// Boots they come from.
    pub boots: usize,
}

/// What one kernel function costs more or less.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FunctionChange {
    /// Its name.
    pub function: String,
    /// The function whose code it is inlined in; `None` when it is no copy, or when nobody could tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inlined_in: Option<String>,
    /// Instructions per page on the base; 0 when it was not executed.
    pub base: f64,
    /// Instructions per page with the series.
    pub patched: f64,
}

impl std::fmt::Display for FunctionChange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.inlined_in {
            Some(outer) => write!(f, "{} (inlined in {outer})", self.function),
            None => f.write_str(&self.function),
        }
    }
}

/// One step of a metric inside the series.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MetricStep {
    /// The patch that brought it.
    pub patch: BlamedPatch,
    /// What it changed, relative to the revision before it.
    pub effect: Effect,
    /// Kernel functions whose cost it changed, largest change first.
    #[serde(default)]
    pub functions: Vec<FunctionChange>,
    /// Patches before it that could not be measured: one of them may be the one. 0 when it is this one for sure.
    pub unmeasured_before: usize,
}

/// One metric on two sides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MetricComparison {
    /// Name, e.g. `hmm-bench.private.to-device.present-2M`.
    pub metric: String,
    /// Which part of its cost.
    pub part: Part,
    /// Tree.
    pub tree: String,
    /// Kconfig.
    pub kconfig: String,
    /// Machine.
    pub machine: String,
    /// What time was measured with.
    pub clock: Clock,
    /// What the sides count: `instructions/page`, `ns/page`; `ns` where readings are about no pages.
    pub unit: String,
    /// Pages of 4 KiB per reading; 0 where it is about none.
    pub pages: u64,
    /// What both sides say together.
    pub change: MetricChange,
    /// The base, where it has the metric.
    pub base: Option<MetricSide>,
    /// The patched side, where it has the metric.
    pub patched: Option<MetricSide>,
    /// The difference, where both sides have enough readings.
    pub effect: Option<Effect>,
    /// Kernel functions whose cost changed, largest change first.
    #[serde(default)]
    pub functions: Vec<FunctionChange>,
    /// Whether inlined functions are told from those that they are inlined in. The kernel must have debug information
    /// for that; without, their code counts as its caller.
    #[serde(default)]
    pub inlined_apart: bool,
    /// The patches that brought the change.
    #[serde(default)]
    pub steps: Vec<MetricStep>,
    /// What a person should know besides, one sentence.
    #[serde(default)]
    pub note: Option<String>,
}

/// Two operations that do the same, measured in the same boots of one kernel: what one walk of the page tables costs
/// where two were needed before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OperationComparison {
    /// Tree.
    pub tree: String,
    /// Kconfig.
    pub kconfig: String,
    /// Machine.
    pub machine: String,
    /// What time was measured with.
    pub clock: Clock,
    /// What the sides count: `instructions/page`, `ns/page`.
    pub unit: String,
    /// `private`, `coherent`.
    pub device: String,
    /// Kind of memory: `present`, `absent`, `thp`.
    pub memory: String,
    /// Size as the metric's name has it: `2M`.
    pub size: String,
    /// Pages of 4 KiB per reading.
    pub pages: u64,
    /// Which part of the cost.
    pub part: Part,
    /// What does the same in two walks: `fault-then-migrate`.
    pub two_operation: String,
    /// The operation that takes one: `migrate-on-fault`.
    pub one_operation: String,
    /// What that costs.
    pub two: MetricSide,
    /// What one walk costs.
    pub one: MetricSide,
    /// What both say together: `improved` when one walk costs less.
    pub change: MetricChange,
    /// One walk relative to two: negative is saved.
    pub effect: Option<Effect>,
    /// What a person should know besides, one sentence.
    #[serde(default)]
    pub note: Option<String>,
}

/// What one metric cost in earlier runs and in this one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MetricHistory {
    /// Name of the metric.
    pub metric: String,
    /// Which part of its cost.
    pub part: Part,
    /// Machine.
    pub machine: String,
    /// What time was measured with.
    pub clock: Clock,
    /// What the values count.
    pub unit: String,
    /// Runs, oldest first.
    pub points: Vec<HistoryPoint>,
}

/// A metric in one run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HistoryPoint {
    /// Id of the run.
    pub run: String,
    /// Series that was tested: `v6`.
    pub series: String,
    /// Median cost of one page on the base.
    pub base: Option<f64>,
    /// Median cost of one page with the series.
    pub patched: Option<f64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_apart_and_together() {
        let name = "hmm-bench.private.to-device.absent-write-2M";
        let parts = MetricName::parse(name).unwrap();
        assert_eq!((parts.suite, parts.device, parts.operation), ("hmm-bench.", "private", "to-device"));
        assert_eq!((parts.memory, parts.size), ("absent-write", "2M"));
        assert_eq!(parts.to_string(), name);
        assert_eq!(MetricName::parse("private.to-device.thp-2M").unwrap().suite, "");
        for other in ["", "x", "a.b", "a.b.c", "hmm.hmm_device_private.anon_read"] {
            assert_eq!(MetricName::parse(other), None, "{other}");
        }
    }
}
