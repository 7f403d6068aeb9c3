//! The content of `report.json`, versioned by [`SCHEMA`].
//!
//! Scripts lean on it: fields are added, never renamed or given another meaning, within one version. Paths are
//! relative to the run folder, times are milliseconds unless the name says otherwise.

mod boots;
mod builds;
mod comparisons;
mod coverage;
mod json;
mod revision_text;
mod run;
mod series;
mod versions;

pub use boots::*;
pub use builds::*;
pub use comparisons::*;
pub use coverage::*;
pub use json::*;
pub use run::*;
pub use series::*;
pub use versions::*;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::words::{Finding, MetricComparison, MetricHistory, OperationComparison};

/// Name and version of the format, the first thing in the file.
pub const SCHEMA: &str = "orchestrator-report/1";

/// What the run says in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RunVerdict {
    /// Everything planned was done and nothing speaks against the series.
    Clean,
    /// At least one finding of severity `problem`.
    Findings,
    /// Trouble of the host or of the program kept the run from an answer.
    Infra,
    /// The run was stopped before its end; `resume` goes on with it.
    Interrupted,
}

impl RunVerdict {
    /// The word as it stands in files.
    pub fn word(self) -> &'static str {
        match self {
            RunVerdict::Clean => "clean",
            RunVerdict::Findings => "findings",
            RunVerdict::Infra => "infra",
            RunVerdict::Interrupted => "interrupted",
        }
    }
}

/// Everything one run has to say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// The series that was tested.
    pub series: SeriesInfo,
    /// The verdict in one word.
    pub verdict: RunVerdict,
    /// The verdict in one sentence.
    pub headline: String,
    /// The trees, also those that could not be had.
    pub trees: Vec<TreeInfo>,
    /// What a person should read, most important first.
    pub findings: Vec<Finding>,
    /// What was covered and what was not.
    pub coverage: Coverage,
    /// Where the time went.
    pub timing: Timing,
    /// The run itself and its host.
    pub run: RunInfo,
    /// Kconfigs of the run, in the order of the matrix.
    pub kconfigs: Vec<KconfigInfo>,
    /// One entry per tree, kconfig and revision.
    pub builds: Vec<BuildCell>,
    /// One table per tree, kconfig and machine.
    pub tests: Vec<TestTable>,
    /// One entry per attempt at a boot, and one per boot that an identical image made unnecessary.
    pub boots: Vec<BootRow>,
    /// One entry per metric and part of its cost, and per tree, kconfig and machine that measured it.
    #[serde(default)]
    pub metrics: Vec<MetricComparison>,
    /// What one walk of the page tables costs beside two, on the patched kernel.
    #[serde(default)]
    pub walks: Vec<OperationComparison>,
    /// What metrics cost in earlier runs and in this one, where earlier runs measured them.
    #[serde(default)]
    pub metric_history: Vec<MetricHistory>,
    /// The run of an earlier version of the series, and what changed since; `None` when there is none.
    #[serde(default)]
    pub previous: Option<Previous>,
}
