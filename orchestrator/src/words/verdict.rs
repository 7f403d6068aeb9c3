//! What one test did, and what two sides say together.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the machine did to a test, when the test had no say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Crash {
    /// The kernel panicked or oopsed (with `oops=panic`).
    Panic,
    /// The test, or the whole guest, stopped making progress.
    Hang,
    /// The machine reset or vanished without a word on its console.
    Reset,
}

/// The verdict of one test in one try.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "verdict")]
pub enum Verdict {
    /// It passed.
    Pass,
    /// It failed.
    Fail {
        /// Its own words, one line.
        reason: String,
    },
    /// It ran out of its own time limit.
    Timeout,
    /// It did not apply here.
    Skip {
        /// Its own reason.
        reason: String,
    },
    /// It failed as announced.
    Xfail,
    /// The kernel died or stopped under it.
    Crashed {
        /// How.
        crash: Crash,
    },
    /// Trouble of ours: says nothing about the kernel.
    Infra {
        /// One line.
        reason: String,
    },
}

/// The verdict of a comparison. `docs/glossary.md` explains each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING-KEBAB-CASE")]
pub enum Change {
    /// Good on base, bad on patched.
    Regressed,
    /// Not on base, or skipped there; bad on patched.
    NewFail,
    /// On base, gone on patched.
    Vanished,
    /// Bad or undecided on a side only sometimes.
    Flaky,
    /// No answer from one side, through no fault of the series.
    Unknown,
    /// Bad on both.
    StillFailing,
    /// Skipped on a side.
    NotCovered,
    /// Bad on base, good on patched.
    Fixed,
    /// Not on base, good on patched.
    NewPass,
    /// Good on both.
    StillPassing,
}

/// How often a test was tried on a side and how often it was bad.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Rate {
    /// Tries that ended in Fail, Timeout or Crashed.
    pub bad: u32,
    /// Tries that ended in Pass, Xfail, Fail, Timeout or Crashed.
    pub tries: u32,
}
