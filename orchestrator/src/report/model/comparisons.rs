//! Tests: base against patched.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::words::{Change, Rate, Verdict};

/// All tests of one kconfig on one machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TestTable {
    /// Tree.
    pub tree: String,
    /// Kconfig.
    pub kconfig: String,
    /// Machine.
    pub machine: String,
    /// Said once for the whole table, e.g. that the images are identical and nothing was booted.
    pub note: Option<String>,
    /// The tests, in the suite's order.
    pub rows: Vec<TestRow>,
}

/// One test, base against patched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TestRow {
    /// `hmm.hmm_device_private.anon_read`.
    pub test: String,
    /// What the two sides say together.
    pub change: Change,
    /// Rate of failure on the base.
    pub base: Rate,
    /// Rate of failure with the series.
    pub patched: Rate,
    /// What it did on the base, where it did something.
    pub base_verdict: Option<Verdict>,
    /// What it did with the series, where it did something.
    pub patched_verdict: Option<Verdict>,
    /// Why the change is what it is, where that is not plain.
    pub note: Option<String>,
    /// Each side's kernel with the other side's selftests.
    #[serde(default)]
    pub cross: Vec<CrossResult>,
}

/// One of the two sides of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// Without the series.
    Base,
    /// With it.
    Patched,
}

impl Side {
    /// The word as it stands in files.
    pub fn word(self) -> &'static str {
        match self {
            Side::Base => "base",
            Side::Patched => "patched",
        }
    }
}

/// A test run on one side's kernel with the other side's selftests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CrossResult {
    /// Side the kernel comes from.
    pub kernel: Side,
    /// Side the selftests come from.
    pub selftests: Side,
    /// Rate of failure.
    pub rate: Rate,
    /// What it did.
    pub verdict: Verdict,
}
