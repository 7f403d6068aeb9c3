//! One test on two sides.

use super::fisher::{SIGNIFICANT, fisher_greater};
use crate::words::{Change, Rate, Verdict};

/// All verdicts of one test on one side, over rounds, boots and attempts. A side that does not have the test has no
/// `Tries` at all; empty `Tries` are of a test that exists and was never got to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tries {
    /// In the order they came.
    pub verdicts: Vec<Verdict>,
}

/// What all tries of a side say together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Standing {
    /// Nothing: no try, or only trouble of ours.
    Unknown,
    /// Only skips.
    Skipped,
    /// It ran, and was never bad.
    Good,
    /// It ran, and was bad every time.
    Bad,
    /// Sometimes good, sometimes bad.
    Mixed,
}

impl Tries {
    /// How often it was bad. Skips and trouble of ours count as no try.
    pub fn rate(&self) -> Rate {
        let mut rate = Rate::default();
        for verdict in &self.verdicts {
            match verdict {
                Verdict::Pass | Verdict::Xfail => rate.tries += 1,
                Verdict::Fail { .. } | Verdict::Timeout | Verdict::Crashed { .. } => {
                    rate.tries += 1;
                    rate.bad += 1;
                }
                Verdict::Skip { .. } | Verdict::Infra { .. } => {}
            }
        }
        rate
    }

    /// What the tries say together.
    pub fn standing(&self) -> Standing {
        let rate = self.rate();
        if rate.tries == 0 {
            let skipped = self.verdicts.iter().any(|verdict| matches!(verdict, Verdict::Skip { .. }));
            return if skipped { Standing::Skipped } else { Standing::Unknown };
        }
        match rate.bad {
            0 => Standing::Good,
            bad if bad == rate.tries => Standing::Bad,
            _some => Standing::Mixed,
        }
    }

    /// How many tries ended in trouble of ours.
    pub fn infra(&self) -> u32 {
        let infra = self.verdicts.iter().filter(|verdict| matches!(verdict, Verdict::Infra { .. })).count();
        u32::try_from(infra).unwrap_or(u32::MAX)
    }

    /// The verdict that stands for the side: the first bad one, else the first good one, else the first skip, else
    /// the first infra.
    pub fn representative(&self) -> Option<&Verdict> {
        self.verdicts.iter().min_by_key(|verdict| match verdict {
            Verdict::Fail { .. } | Verdict::Timeout | Verdict::Crashed { .. } => 0,
            Verdict::Pass | Verdict::Xfail => 1,
            Verdict::Skip { .. } => 2,
            Verdict::Infra { .. } => 3,
        })
    }
}

/// Compares one test on two sides; `None` is a side that does not have the test.
///
/// - No answer from a side: UNKNOWN. Infra trouble thus never makes a pass or a regression.
/// - Gone on the patched side: VANISHED. Not on the base: NEW-PASS, NEW-FAIL, or FLAKY when it is both.
/// - Skipped on a side: NOT-COVERED; but a test that the base skips and the series makes run *and fail* is NEW-FAIL,
///   because a failure must not hide behind a skip.
/// - Good or bad all the time on both sides: STILL-PASSING, STILL-FAILING, FIXED, REGRESSED.
/// - Mixed on a side: by rates. REGRESSED when the patched side's rate is higher with a one-sided Fisher exact
///   probability of at most [`SIGNIFICANT`], FIXED when it is lower by the same measure, else FLAKY.
///
/// With 20 tries a side and a base that never fails, 7 bad tries (35 %) are seen as a regression, 6 are not; with 10
/// tries it takes 6, with 5 all 5 ([`super::detectable`]). Up to four looks are taken ([`super::next_tries`]), so
/// the chance to call an unchanged flaky test a regression is below four times [`SIGNIFICANT`].
///
/// A REGRESSED from a single try a side is the best there is to say, not yet confirmed: the caller repeats as
/// [`super::next_tries`] says.
pub fn compare(base: Option<&Tries>, patched: Option<&Tries>) -> Change {
    use Standing::{Bad, Good, Mixed, Skipped, Unknown};
    let (base, patched) = match (base, patched) {
        (None, None) => return Change::Unknown,
        (Some(base), None) => {
            return match base.standing() {
                Unknown => Change::Unknown,
                Skipped | Good | Bad | Mixed => Change::Vanished,
            };
        }
        (None, Some(patched)) => {
            return match patched.standing() {
                Unknown => Change::Unknown,
                Skipped => Change::NotCovered,
                Good => Change::NewPass,
                Bad => Change::NewFail,
                Mixed => Change::Flaky,
            };
        }
        (Some(base), Some(patched)) => (base, patched),
    };
    match (base.standing(), patched.standing()) {
        (Unknown, _) | (_, Unknown) => Change::Unknown,
        (Skipped, Bad) => Change::NewFail,
        (Skipped, Mixed) => Change::Flaky,
        (Skipped, Good) | (Skipped | Good | Bad | Mixed, Skipped) => Change::NotCovered,
        (Good, Good) => Change::StillPassing,
        (Good, Bad) => Change::Regressed,
        (Bad, Good) => Change::Fixed,
        (Bad, Bad) => Change::StillFailing,
        (Good | Bad, Mixed) | (Mixed, Good | Bad | Mixed) => {
            let (base, patched) = (base.rate(), patched.rate());
            if fisher_greater(base, patched) <= SIGNIFICANT {
                Change::Regressed
            } else if fisher_greater(patched, base) <= SIGNIFICANT {
                Change::Fixed
            } else {
                Change::Flaky
            }
        }
    }
}

#[cfg(test)]
#[path = "tries_tests.rs"]
mod tests;
