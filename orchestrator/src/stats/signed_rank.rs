//! Wilcoxon's signed ranks: estimate and exact interval for the middle of paired differences, without the assumption
//! that they are normally distributed.

use super::basics::{quantile_of_sorted, sorted};

/// Most differences the exact distribution is worked out for; more are thinned by nobody, so callers bound theirs.
pub const MOST: usize = 200;

/// An interval and the confidence it truly has, which for ranks is never quite the one asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RankInterval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Chance that such an interval holds the middle, at least the one asked for.
    pub confidence: f64,
}

/// Means of all pairs of differences, each with itself, too; in ascending order.
fn walsh_averages(differences: &[f64]) -> Vec<f64> {
    let pairs = differences
        .iter()
        .enumerate()
        .flat_map(|(i, a)| differences[i..].iter().map(move |b| (a + b) / 2.0))
        .collect::<Vec<f64>>();
    sorted(&pairs)
}

/// The one-sample Hodges-Lehmann estimate: the median of the Walsh averages.
pub fn walsh_median(differences: &[f64]) -> Option<f64> {
    quantile_of_sorted(&walsh_averages(differences), 0.5)
}

/// The exact interval that belongs to the signed rank test. `None` when there are too few differences for the
/// confidence asked for (fewer than six for 95 %), or more than [`MOST`].
pub fn interval(differences: &[f64], confidence: f64) -> Option<RankInterval> {
    let n = differences.len();
    if n == 0 || n > MOST {
        return None;
    }
    let tail = (1.0 - confidence) / 2.0;
    let counts = subset_sums(n);
    let all = 2f64.powi(n as i32);
    // `below` is the chance of a rank sum of at most `cut`.
    let mut cut = 0;
    let mut below = counts[0] / all;
    if below > tail {
        return None;
    }
    while below + counts[cut + 1] / all <= tail {
        cut += 1;
        below += counts[cut] / all;
    }
    let averages = walsh_averages(differences);
    Some(RankInterval { low: averages[cut], high: averages[averages.len() - 1 - cut], confidence: 1.0 - 2.0 * below })
}

/// How many subsets of the ranks 1 to `n` have each sum.
fn subset_sums(n: usize) -> Vec<f64> {
    let most = n * (n + 1) / 2;
    let mut counts = vec![0.0; most + 1];
    counts[0] = 1.0;
    for rank in 1..=n {
        for sum in (rank..=most).rev() {
            counts[sum] += counts[sum - rank];
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Depression scores of nine patients before and after treatment: Hollander and Wolfe, Nonparametric Statistical
    /// Methods (1973), p. 29 and 35; the data of the example of R's `wilcox.test`.
    /// In thousandths, so that no value looks like a constant of mathematics.
    fn depression() -> Vec<f64> {
        let first = [1830, 500, 1620, 2480, 1680, 1880, 1550, 3060, 1300];
        let second = [878, 647, 598, 2050, 1060, 1290, 1060, 3140, 1290];
        first.iter().zip(second).map(|(a, b)| f64::from(a - b) / 1000.0).collect()
    }

    /// R: `wilcox.test(x, y, paired = TRUE, conf.int = TRUE)`: estimate 0.46, interval 0.010 to 0.786.
    #[test]
    fn estimate_and_interval_of_hollander_and_wolfe() {
        let differences = depression();
        assert!((walsh_median(&differences).unwrap() - 0.46).abs() < 1e-9);
        let interval = interval(&differences, 0.95).unwrap();
        assert!((interval.low - 0.010).abs() < 1e-9, "{interval:?}");
        assert!((interval.high - 0.786).abs() < 1e-9, "{interval:?}");
        // R: `1 - 2 * psignrank(5, 9)`.
        assert!((interval.confidence - 0.9609375).abs() < 1e-12, "{interval:?}");
    }

    /// Lower critical values of the signed rank statistic, two-sided 5 %: Wilcoxon's table.
    #[test]
    fn critical_values_of_the_table() {
        for (n, critical) in [(6, 0), (7, 2), (8, 3), (9, 5), (10, 8), (12, 13), (15, 25), (20, 52), (25, 89)] {
            let differences: Vec<f64> = (1..=n).map(f64::from).collect();
            let averages = walsh_averages(&differences);
            assert_eq!(interval(&differences, 0.95).unwrap().low, averages[critical], "{n}");
        }
    }

    #[test]
    fn five_differences_cannot_give_95_per_cent() {
        assert_eq!(interval(&[1.0, 2.0, 3.0, 4.0, 5.0], 0.95), None);
        assert_eq!(interval(&[], 0.95), None);
    }
}
