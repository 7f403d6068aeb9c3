//! Fisher's exact test on two failure rates.

use crate::words::Rate;

/// One-sided probability at or below which two failure rates are taken to differ.
pub const SIGNIFICANT: f64 = 0.01;

/// The probability of seeing at least `patched.bad` bad tries on the patched side if both sides had the same rate:
/// Fisher's exact test, one-sided, given both numbers of tries and the number of bad tries in all.
///
/// 1.0 when a side has no try: then nothing is known.
pub fn fisher_greater(base: Rate, patched: Rate) -> f64 {
    let bad = base.bad + patched.bad;
    let tries = base.tries + patched.tries;
    let logs = LogFactorials::up_to(tries);
    let most = bad.min(patched.tries);
    let all = logs.choose(tries, patched.tries);
    let tail: f64 = (patched.bad..=most)
        // With more than `base.tries` bad tries in all, some tables do not exist.
        .filter(|k| bad - k <= base.tries)
        .map(|k| (logs.choose(bad, k) + logs.choose(tries - bad, patched.tries - k) - all).exp())
        .sum();
    tail.min(1.0)
}

/// The smallest failure rate of the patched side that `tries` tries on each side would have shown, when the base
/// never failed. `None` when not even a patched side that always fails would have been told from chance.
pub fn detectable(tries: u32) -> Option<f64> {
    let base = Rate { bad: 0, tries };
    (1..=tries)
        .find(|&bad| fisher_greater(base, Rate { bad, tries }) <= SIGNIFICANT)
        .map(|bad| f64::from(bad) / f64::from(tries))
}

/// ln(0!), ln(1!), ...
struct LogFactorials(Vec<f64>);

impl LogFactorials {
    fn up_to(n: u32) -> Self {
        let mut logs = vec![0.0];
        let mut sum = 0.0;
        for i in 1..=n {
            sum += f64::from(i).ln();
            logs.push(sum);
        }
        LogFactorials(logs)
    }

    /// ln of the binomial coefficient; minus infinity where it is 0.
    fn choose(&self, n: u32, k: u32) -> f64 {
        if k > n {
            return f64::NEG_INFINITY;
        }
        self.0[n as usize] - self.0[k as usize] - self.0[(n - k) as usize]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn p(base: (u32, u32), patched: (u32, u32)) -> f64 {
        fisher_greater(Rate { bad: base.0, tries: base.1 }, Rate { bad: patched.0, tries: patched.1 })
    }

    /// Reference values: sums of exact fractions of binomial coefficients.
    #[test]
    fn reference_values() {
        let table = [
            ((0, 1), (1, 1), 1.0 / 2.0),
            ((0, 3), (3, 3), 1.0 / 20.0),
            ((0, 4), (4, 4), 1.0 / 70.0),
            ((0, 5), (5, 5), 1.0 / 252.0),
            ((0, 10), (5, 10), 252.0 / 15504.0),
            ((0, 10), (6, 10), 210.0 / 38760.0),
            ((0, 20), (6, 20), 38760.0 / 3838380.0),
            ((0, 20), (7, 20), 77520.0 / 18643560.0),
            // Fisher's tea tasting: 3 of 4 right.
            ((1, 4), (3, 4), 17.0 / 70.0),
            ((1, 4), (4, 4), 5.0 / 70.0),
            ((2, 10), (2, 10), 1.0 - (210.0 + 10.0 * 120.0) / 4845.0),
            ((5, 5), (5, 5), 1.0),
            ((5, 5), (0, 5), 1.0),
            ((0, 5), (0, 5), 1.0),
            ((0, 0), (5, 5), 1.0),
            ((0, 5), (0, 0), 1.0),
        ];
        for (base, patched, expected) in table {
            let got = p(base, patched);
            assert!((got - expected).abs() < 1e-9, "{base:?} {patched:?}: {got}, expected {expected}");
        }
    }

    #[test]
    fn what_a_number_of_tries_can_show() {
        assert_eq!(detectable(0), None);
        assert_eq!(detectable(3), None);
        assert_eq!(detectable(4), None);
        assert_eq!(detectable(5), Some(1.0));
        assert_eq!(detectable(6), Some(5.0 / 6.0));
        assert_eq!(detectable(10), Some(0.6));
        assert_eq!(detectable(20), Some(0.35));
    }

    proptest! {
        #[test]
        fn is_a_probability_and_falls_with_every_bad_try(
            base_tries in 1u32..40, patched_tries in 1u32..40, base_bad in 0u32..40, patched_bad in 0u32..39,
        ) {
            let base = Rate { bad: base_bad.min(base_tries), tries: base_tries };
            let fewer = Rate { bad: patched_bad.min(patched_tries - 1), tries: patched_tries };
            let more = Rate { bad: fewer.bad + 1, tries: patched_tries };
            let (p_fewer, p_more) = (fisher_greater(base, fewer), fisher_greater(base, more));
            prop_assert!((0.0..=1.0).contains(&p_fewer));
            prop_assert!(p_more <= p_fewer + 1e-9, "{p_more} > {p_fewer}");
        }

        #[test]
        fn both_tails_together_count_the_middle_twice(
            base_tries in 1u32..30, patched_tries in 1u32..30, a in 0u32..30, b in 0u32..30,
        ) {
            let base = Rate { bad: a.min(base_tries), tries: base_tries };
            let patched = Rate { bad: b.min(patched_tries), tries: patched_tries };
            let sum = fisher_greater(base, patched) + fisher_greater(patched, base);
            prop_assert!(sum >= 1.0 - 1e-9);
        }
    }
}
