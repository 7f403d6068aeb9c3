//! Order statistics. Every function answers `None` for an empty sample.

/// The values in ascending order.
pub fn sorted(values: &[f64]) -> Vec<f64> {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values
}

/// The quantile `q` (0 to 1) with linear interpolation between neighbours: R's type 7, its default.
pub fn quantile(values: &[f64], q: f64) -> Option<f64> {
    quantile_of_sorted(&sorted(values), q)
}

/// [`quantile`] of values in ascending order.
pub fn quantile_of_sorted(sorted: &[f64], q: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let at = q.clamp(0.0, 1.0) * last as f64;
    let below = at.floor();
    let (low, high) = (sorted[below as usize], sorted[at.ceil() as usize]);
    Some(low + (high - low) * (at - below))
}

/// The middle value, or the mean of the two middle ones.
pub fn median(values: &[f64]) -> Option<f64> {
    quantile(values, 0.5)
}

/// Half of the range that the middle half of the values covers.
pub fn half_quartile_range(values: &[f64]) -> Option<f64> {
    let sorted = sorted(values);
    Some((quantile_of_sorted(&sorted, 0.75)? - quantile_of_sorted(&sorted, 0.25)?) / 2.0)
}

/// Median distance from the median, scaled to the standard deviation of normally distributed values.
pub fn scaled_mad(values: &[f64]) -> Option<f64> {
    let middle = median(values)?;
    let distances: Vec<f64> = values.iter().map(|value| (value - middle).abs()).collect();
    Some(1.4826 * median(&distances)?)
}

/// Standard deviation of the population that the values are a sample of; `None` for fewer than two.
pub fn deviation(values: &[f64]) -> Option<f64> {
    if values.len() < 2 {
        return None;
    }
    let mean = mean(values)?;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    Some((squares / (values.len() - 1) as f64).sqrt())
}

/// Arithmetic mean.
pub fn mean(values: &[f64]) -> Option<f64> {
    if values.is_empty() { None } else { Some(values.iter().sum::<f64>() / values.len() as f64) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// R: `quantile(c(7, 1, 3, 10), c(0, .25, .5, .75, 1))`.
    #[test]
    fn quantiles_are_those_of_r() {
        let values = [7.0, 1.0, 3.0, 10.0];
        for (q, expected) in [(0.0, 1.0), (0.25, 2.5), (0.5, 5.0), (0.75, 7.75), (1.0, 10.0)] {
            assert_eq!(quantile(&values, q), Some(expected), "{q}");
        }
        assert_eq!(half_quartile_range(&values), Some(2.625));
    }

    #[test]
    fn small_samples() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[4.0]), Some(4.0));
        assert_eq!(deviation(&[4.0]), None);
        assert_eq!(deviation(&[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]), Some((32.0f64 / 7.0).sqrt()));
    }

    /// R: `mad(c(1, 1, 2, 2, 4, 6, 9))` is 1.4826.
    #[test]
    fn mad_is_that_of_r() {
        assert_eq!(scaled_mad(&[1.0, 1.0, 2.0, 2.0, 4.0, 6.0, 9.0]), Some(1.4826));
    }
}
