//! How often a test fails on bases, over many runs, and what that says about one run.

use super::fisher::{SIGNIFICANT, fisher_greater};
use crate::words::{Change, Rate, TestComparison};

/// What the base of one run did in a test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseTries {
    /// Commit of the base.
    pub commit: String,
    /// How often the test was bad.
    pub rate: Rate,
}

/// A failure rate over runs, with its 95 % interval (Wilson).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FlakeRate {
    /// Bad tries of all.
    pub rate: Rate,
    /// Lower end of the interval, 0 to 1.
    pub low: f64,
    /// Upper end of the interval, 0 to 1.
    pub high: f64,
    /// Whether the test was good and bad on one and the same commit: then it is the test that wavers. A test that is
    /// good on one commit and bad on another may just have been broken.
    pub is_flaky: bool,
}

/// The 95 % quantile of the normal distribution, two-sided.
const Z: f64 = 1.959_963_984_540_054;

/// The rate of one test over the bases of several runs; `None` when it was never tried.
pub fn flake_rate(past: &[BaseTries]) -> Option<FlakeRate> {
    let add = |tries: &mut dyn Iterator<Item = &BaseTries>| {
        tries.fold(Rate::default(), |sum, one| Rate { bad: sum.bad + one.rate.bad, tries: sum.tries + one.rate.tries })
    };
    let rate = add(&mut past.iter());
    let wavers = |commit: &str| {
        let here = add(&mut past.iter().filter(|one| one.commit == commit));
        here.bad > 0 && here.bad < here.tries
    };
    let is_flaky = past.iter().any(|one| wavers(&one.commit));
    let (low, high) = wilson(rate)?;
    Some(FlakeRate { rate, low, high, is_flaky })
}

/// Wilson's score interval.
fn wilson(rate: Rate) -> Option<(f64, f64)> {
    if rate.tries == 0 {
        return None;
    }
    let n = f64::from(rate.tries);
    let share = f64::from(rate.bad) / n;
    let middle = (share + Z * Z / (2.0 * n)) / (1.0 + Z * Z / n);
    let half = Z / (1.0 + Z * Z / n) * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
    let low = if rate.bad == 0 { 0.0 } else { (middle - half).max(0.0) };
    let high = if rate.bad == rate.tries { 1.0 } else { (middle + half).min(1.0) };
    Some((low, high))
}

/// Looks at a comparison again in the light of earlier bases: a REGRESSED of a test that is known to waver is FLAKY,
/// unless the patched side fails more often than this base and all earlier ones together, by the measure that
/// [`super::compare`] takes for one run. Nothing else is changed: history never hides a test that was steady.
pub fn with_history(comparison: &mut TestComparison, past: &FlakeRate) {
    if comparison.change != Change::Regressed || !past.is_flaky {
        return;
    }
    let all = Rate { bad: comparison.base.bad + past.rate.bad, tries: comparison.base.tries + past.rate.tries };
    if fisher_greater(all, comparison.patched) <= SIGNIFICANT {
        return;
    }
    comparison.change = Change::Flaky;
    comparison.note = Some(format!(
        "known to waver: it failed {} of {} times on bases of earlier runs ({:.0} to {:.0} %)",
        past.rate.bad,
        past.rate.tries,
        past.low * 100.0,
        past.high * 100.0
    ));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::Verdict;

    fn tries(list: &[(&str, u32, u32)]) -> Vec<BaseTries> {
        let one = |(commit, bad, tries): &(&str, u32, u32)| BaseTries {
            commit: (*commit).to_owned(),
            rate: Rate { bad: *bad, tries: *tries },
        };
        list.iter().map(one).collect()
    }

    #[test]
    fn only_what_wavers_on_one_commit_is_flaky() {
        type Case<'n> = (&'n [(&'n str, u32, u32)], Option<(u32, u32, bool)>);
        let cases: [Case<'_>; 6] = [
            (&[], None),
            (&[("a", 0, 0)], None),
            (&[("a", 0, 1), ("b", 0, 1)], Some((0, 2, false))),
            (&[("a", 0, 1), ("b", 3, 3)], Some((3, 4, false))),
            (&[("a", 0, 1), ("a", 1, 1)], Some((1, 2, true))),
            (&[("a", 0, 1), ("b", 1, 3)], Some((1, 4, true))),
        ];
        for (past, expected) in cases {
            let found = flake_rate(&tries(past)).map(|flake| (flake.rate.bad, flake.rate.tries, flake.is_flaky));
            assert_eq!(found, expected, "{past:?}");
        }
    }

    #[test]
    fn the_interval_is_wilson_s() {
        let of = |bad, tries| {
            let flake = flake_rate(&self::tries(&[("a", bad, tries)])).unwrap();
            (flake.low, flake.high)
        };
        // Reference values: R, binom::binom.confint(method = "wilson").
        let near = |(low, high): (f64, f64), expected: (f64, f64)| {
            assert!((low - expected.0).abs() < 5e-5 && (high - expected.1).abs() < 5e-5, "{low} {high}");
        };
        near(of(0, 10), (0.0, 0.277_53));
        near(of(10, 10), (0.722_47, 1.0));
        near(of(4, 40), (0.039_58, 0.230_53));
    }

    #[test]
    fn history_softens_only_what_it_explains() {
        let soften = |past: &[(&str, u32, u32)], base: (u32, u32), patched: (u32, u32), change: Change| {
            let mut comparison = TestComparison {
                test: "hmm.x".into(),
                change,
                base: Rate { bad: base.0, tries: base.1 },
                patched: Rate { bad: patched.0, tries: patched.1 },
                base_verdict: Some(Verdict::Pass),
                patched_verdict: Some(Verdict::Timeout),
                note: None,
            };
            with_history(&mut comparison, &flake_rate(&tries(past)).unwrap());
            (comparison.change, comparison.note.is_some())
        };
        use Change::{Flaky, NewFail, Regressed};
        let half = [("a", 10, 20)];
        let rare = [("a", 1, 40)];
        let steady = [("a", 0, 40)];
        let mended = [("a", 20, 20), ("b", 0, 20)];
        assert_eq!(soften(&half, (0, 3), (3, 3), Regressed), (Flaky, true), "a coin that fell thrice");
        assert_eq!(soften(&rare, (0, 3), (3, 3), Regressed), (Regressed, false), "far more often than ever");
        assert_eq!(soften(&steady, (0, 3), (3, 3), Regressed), (Regressed, false));
        assert_eq!(soften(&mended, (0, 3), (3, 3), Regressed), (Regressed, false), "a base that was mended is no coin");
        assert_eq!(soften(&half, (0, 0), (3, 3), NewFail), (NewFail, false), "the series brings this test");
    }
}
