//! What the run looked at and what it did not.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::words::Evidence;

/// What was covered and what was not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Coverage {
    /// Tests over all tables.
    pub tests: TestCoverage,
    /// Builds over all trees.
    pub builds: BuildCoverage,
    /// What was not covered, and why.
    #[serde(default)]
    pub not_covered: Vec<NotCovered>,
    /// What is wrong with the base by itself; it blames nobody.
    #[serde(default)]
    pub base_health: Vec<BaseHealth>,
    /// Benchmarks that were to run and gave no answer, one sentence each: with any of them there is no clean verdict.
    #[serde(default)]
    pub unmeasured: Vec<String>,
    /// Trees on which nothing that the series changes was compiled, and kconfigs that were asked for by name and could
    /// not be built, one sentence each: with any of them there is no clean verdict.
    #[serde(default)]
    pub untested: Vec<String>,
}

/// Tests that gave an answer (pass or fail) on each side.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TestCoverage {
    /// On the base.
    pub base: SideCoverage,
    /// With the series.
    pub patched: SideCoverage,
    /// On both.
    pub both: u32,
}

/// Tests on one side.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SideCoverage {
    /// Tests that passed or failed at least once.
    pub covered: u32,
    /// Tests this side's suites have.
    pub total: u32,
}

/// Builds by outcome.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BuildCoverage {
    /// Planned in all.
    pub planned: u32,
    /// Built.
    pub built: u32,
    /// Failed through the kernel's own fault.
    pub failed: u32,
    /// Without an answer through trouble of the host.
    pub infra: u32,
    /// Not tried.
    pub not_run: u32,
}

/// Something that was not covered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NotCovered {
    /// What: a few words.
    pub what: String,
    /// Why, and what would cover it: one sentence.
    pub why: String,
    /// Tree it concerns; `None` when it concerns all.
    pub tree: Option<String>,
    /// Kconfig it concerns; `None` when it concerns all.
    pub kconfig: Option<String>,
    /// Tests it concerns.
    #[serde(default)]
    pub tests: Vec<String>,
}

/// Trouble the base has by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BaseHealth {
    /// Tree.
    pub tree: String,
    /// Kconfig; `None` when it concerns all.
    pub kconfig: Option<String>,
    /// One sentence.
    pub summary: String,
    /// Lines that prove it.
    #[serde(default)]
    pub evidence: Vec<Evidence>,
}
