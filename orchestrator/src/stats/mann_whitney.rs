//! The test of Mann and Whitney: could both samples come from one population?

use statrs::distribution::{ContinuousCDF, Normal};

use super::basics::sorted;

/// Largest sample for which the exact distribution is used.
const EXACT: usize = 40;

/// Two-sided probability of ranks as far apart as these, or farther, without a difference. Exact where no two values
/// are the same and neither sample is larger than 40, otherwise the normal approximation with corrections for ties
/// and continuity. `None` when a sample is empty.
pub fn mann_whitney(base: &[f64], patched: &[f64]) -> Option<f64> {
    if base.is_empty() || patched.is_empty() {
        return None;
    }
    let u: f64 =
        patched.iter().flat_map(|p| base.iter().map(move |b| if p > b { 1.0 } else { f64::from(p == b) / 2.0 })).sum();
    let ties = tie_sizes(base, patched);
    if ties.is_empty() && base.len() <= EXACT && patched.len() <= EXACT {
        return Some(exact(base.len(), patched.len(), u as usize));
    }
    Some(approximate(base.len() as f64, patched.len() as f64, u, &ties))
}

/// The smallest probability that samples of these sizes can give, however far apart they are.
pub fn smallest_p(base: usize, patched: usize) -> f64 {
    if base == 0 || patched == 0 { 1.0 } else { exact(base, patched, 0) }
}

fn exact(base: usize, patched: usize, u: usize) -> f64 {
    let counts = statistic_counts(base, patched);
    let all: f64 = counts.iter().sum();
    let below: f64 = counts[..=u].iter().sum();
    let above: f64 = counts[u..].iter().sum();
    (2.0 * below.min(above) / all).min(1.0)
}

/// In how many of the orders of both samples the statistic has each value: the coefficients of the Gaussian binomial,
/// built up factor by factor.
fn statistic_counts(base: usize, patched: usize) -> Vec<f64> {
    let most = base * patched;
    let mut counts = vec![0.0; most + 1];
    counts[0] = 1.0;
    for i in 1..=patched {
        let factor = base + i;
        for u in (factor..=most).rev() {
            counts[u] -= counts[u - factor];
        }
        for u in i..=most {
            counts[u] += counts[u - i];
        }
    }
    counts
}

fn approximate(base: f64, patched: f64, u: f64, ties: &[f64]) -> f64 {
    let all = base + patched;
    let tied: f64 = ties.iter().map(|t| t.powi(3) - t).sum();
    let variance = base * patched / 12.0 * (all + 1.0 - tied / (all * (all - 1.0)));
    let distance = ((u - base * patched / 2.0).abs() - 0.5).max(0.0);
    if variance <= 0.0 || distance == 0.0 {
        return 1.0;
    }
    let normal = Normal::standard();
    (2.0 * normal.sf(distance / variance.sqrt())).min(1.0)
}

/// Sizes of the groups of equal values.
fn tie_sizes(base: &[f64], patched: &[f64]) -> Vec<f64> {
    let all = sorted(&[base, patched].concat());
    all.chunk_by(|a, b| a == b).map(|group| group.len() as f64).filter(|&size| size > 1.0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(got: f64, expected: f64) {
        assert!((got - expected).abs() < 1e-9, "{got}, expected {expected}");
    }

    /// Permeability of the human chorioamnion: Hollander and Wolfe (1973), p. 69; the data of the example of R's
    /// `wilcox.test`, which gives 0.1272 one-sided.
    #[test]
    fn example_of_hollander_and_wolfe() {
        let x = [0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46];
        let y = [1.15, 0.88, 0.90, 0.74, 1.21];
        close(mann_whitney(&x, &y).unwrap(), 0.2544122544122544);
        close(mann_whitney(&y, &x).unwrap(), 0.2544122544122544);
    }

    /// Values of scipy 1.17.1, `mannwhitneyu(a, b, method="exact")`.
    #[test]
    fn exact_values_of_scipy() {
        close(mann_whitney(&[1.0, 2.0, 3.0, 4.0, 5.0], &[6.0, 7.0, 8.0, 9.0, 10.0]).unwrap(), 2.0 / 252.0);
        let seven = [3.5, 4.5, 7.0, 8.0, 9.0, 10.0, 11.0];
        close(mann_whitney(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &seven).unwrap(), 0.022144522144522144);
        let a: Vec<f64> = (0..30).map(|i| f64::from(i * 37 % 101)).collect();
        let b: Vec<f64> = (0..30).map(|i| f64::from(i * 53 % 97) + 12.5).collect();
        close(mann_whitney(&a, &b).unwrap(), 0.2927910521948168);
    }

    /// Value of scipy 1.17.1, `mannwhitneyu(a, b, method="asymptotic", use_continuity=True)`.
    #[test]
    fn ties_are_those_of_scipy() {
        let a = [1.0, 2.0, 2.0, 3.0, 4.0, 4.0, 4.0, 5.0];
        let b = [2.0, 4.0, 5.0, 5.0, 6.0, 7.0, 7.0, 8.0];
        close(mann_whitney(&a, &b).unwrap(), 0.019107182241013466);
    }

    #[test]
    fn nothing_is_known_without_values_and_equal_values_differ_not() {
        assert_eq!(mann_whitney(&[], &[1.0]), None);
        assert_eq!(mann_whitney(&[3.0; 6], &[3.0; 6]), Some(1.0));
        close(smallest_p(5, 5), 2.0 / 252.0);
        close(smallest_p(8, 8), 2.0 / 12870.0);
    }
}
