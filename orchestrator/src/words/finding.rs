//! Findings: comparisons that a person should read.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a finding is about. The list is closed; scripts match on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FindingKind {
    /// A patch was refused before anything was applied.
    PatchRefused,
    /// A patch does not apply.
    ApplyFailed,
    /// A revision does not compile or link, and neither does the tip.
    BuildFailed,
    /// A revision in mid-series does not build; a later patch mends it.
    BisectBroken,
    /// A symbol that the kconfig needs is no longer set with the series.
    ConfigDropped,
    /// A diagnostic that the base does not have.
    NewWarning,
    /// The selftests of a revision do not build.
    SelftestBuildFailed,
    /// A test passes on the base and fails with the series.
    TestRegressed,
    /// A test that the series brings fails.
    NewTestFailed,
    /// A test of the base is gone.
    TestVanished,
    /// The kernel reports trouble (WARN, KASAN, lockdep, ...) that the base does not.
    NewSplat,
    /// The kernel panics where the base does not.
    Panic,
    /// The kernel hangs where the base does not.
    Hang,
    /// The kernel does not come up where the base does.
    BootFailed,
    /// A test fails only sometimes, on a side; the rates are given.
    FlakyTest,
    /// A metric costs more with the series, more than noise can explain.
    MetricRegressed,
    /// A metric costs less with the series; always a notice.
    MetricImproved,
}

/// How a finding weighs in the verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// The series should not be taken like this.
    Problem,
    /// A person should look; it does not fail the run.
    Notice,
}

/// The patch a finding names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BlamedPatch {
    /// Position in the series, from 1.
    pub number: usize,
    /// How many patches the series has.
    pub total: usize,
    /// Subject without prefix.
    pub subject: String,
}

/// Lines that prove a finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Evidence {
    /// What the lines are: `build log`, `console`, `test output`.
    pub what: String,
    /// File in the run folder that holds them, with the first line: `units/.../build.log:812`.
    pub source: String,
    /// The lines, verbatim, bounded to a screen.
    pub text: String,
}

/// A comparison that a person should read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// What it is.
    pub kind: FindingKind,
    /// How it weighs.
    pub severity: Severity,
    /// Tree it was seen on.
    pub tree: String,
    /// Revision that first shows it: `base`, `patch 3/6`.
    pub revision: String,
    /// Patch to blame; `None` when it could not be pinned to one.
    pub patch: Option<BlamedPatch>,
    /// Kconfig it was seen with; `None` when it does not depend on one (apply).
    pub kconfig: Option<String>,
    /// Machine it was seen on; `None` for builds.
    pub machine: Option<String>,
    /// Test it is about.
    pub test: Option<String>,
    /// Metric it is about.
    pub metric: Option<String>,
    /// Kernel function it names.
    pub function: Option<String>,
    /// One sentence for a person.
    pub summary: String,
    /// The proof.
    pub evidence: Vec<Evidence>,
    /// One command that shows it again.
    pub reproduce: String,
}
