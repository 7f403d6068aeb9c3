//! Many metrics at once: the false discovery rate of Benjamini and Hochberg.

/// Each probability corrected for all the others: the smallest false discovery rate at which it would be called.
/// Values of R's `p.adjust(p, "BH")`.
pub fn benjamini_hochberg(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&a, &b| p[b].total_cmp(&p[a]));
    let mut corrected = vec![1.0; p.len()];
    let mut least: f64 = 1.0;
    for (largest_first, index) in order.into_iter().enumerate() {
        let rank = p.len() - largest_first;
        least = least.min(p[index] * p.len() as f64 / rank as f64);
        corrected[index] = least;
    }
    corrected
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Benjamini and Hochberg (1995), J. R. Statist. Soc. B 57, 289-300, section 3.2: at 5 % the first four of the
    /// fifteen are called.
    #[test]
    fn example_of_the_paper() {
        let p = [
            0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528,
            0.7590, 1.0,
        ];
        let corrected = benjamini_hochberg(&p);
        assert_eq!(corrected.iter().filter(|&&p| p <= 0.05).count(), 4);
        // scipy 1.17.1, `false_discovery_control`; the sixth takes the value of the seventh, which is smaller.
        for (index, expected) in
            [(0, 0.0015), (1, 0.003), (2, 0.0095), (3, 0.035625), (4, 0.0603), (5, 0.0298 * 15.0 / 7.0), (14, 1.0)]
        {
            assert!((corrected[index] - expected).abs() < 1e-9, "{index}: {}", corrected[index]);
        }
    }

    #[test]
    fn order_does_not_matter_and_one_alone_stays() {
        assert_eq!(benjamini_hochberg(&[0.04, 0.01]), [0.04, 0.02]);
        assert_eq!(benjamini_hochberg(&[0.3]), [0.3]);
        assert_eq!(benjamini_hochberg(&[]), [] as [f64; 0]);
    }
}
