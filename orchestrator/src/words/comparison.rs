//! Comparisons: base against patched, for one test.

use serde::{Deserialize, Serialize};

use super::{Change, Rate, Verdict};

/// One test on two sides. What the test matrix of a report shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestComparison {
    /// Name as in the suite: `hmm.hmm.hmm_device_private.anon_read`.
    pub test: String,
    /// What both sides say together.
    pub change: Change,
    /// How often it was bad on the base.
    pub base: Rate,
    /// How often it was bad with the series.
    pub patched: Rate,
    /// The verdict that stands for the base: the first bad one, else the first good one, else the first skip, else the
    /// first infra. `None` when the base does not have the test, or never got to it.
    pub base_verdict: Option<Verdict>,
    /// The same for the patched side.
    pub patched_verdict: Option<Verdict>,
    /// What a person should know beside the change, one sentence: why it was not covered, how sure it is.
    pub note: Option<String>,
}
