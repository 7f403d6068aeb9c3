//! How large a change must be before it is worth a word, as learned from earlier runs.

use std::collections::BTreeMap;

use super::basics::quantile;
use crate::words::Part;

/// Successive differences below which nothing is learned.
const ENOUGH: usize = 8;

/// Largest threshold that is learned: a metric that jumps more than this by itself is useless, and a past that holds
/// real changes must not hide new ones.
const MOST: f64 = 0.05;

/// What the base cost in earlier runs on the same machine with the same clock.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct History {
    /// Median cost per page by metric and part, oldest first.
    pub base: BTreeMap<(String, Part), Vec<f64>>,
}

impl History {
    /// The threshold that the past of a metric asks for, if there is enough of it.
    pub fn threshold(&self, metric: &str, part: Part) -> Option<f64> {
        self.base.get(&(metric.to_owned(), part)).and_then(|values| learned_threshold(values))
    }
}

/// Upper fence of the relative differences between successive values: third quartile plus three times the quartile
/// range, as rustc's performance tracker does it. Bases that truly differ are rare outliers to it. `None` when there
/// are fewer than nine values.
pub fn learned_threshold(values: &[f64]) -> Option<f64> {
    let differences: Vec<f64> =
        values.windows(2).filter(|pair| pair[0] > 0.0).map(|pair| (pair[1] / pair[0] - 1.0).abs()).collect();
    if differences.len() < ENOUGH {
        return None;
    }
    let (q1, q3) = (quantile(&differences, 0.25)?, quantile(&differences, 0.75)?);
    Some((q3 + 3.0 * (q3 - q1)).min(MOST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_learned_from_little() {
        assert_eq!(learned_threshold(&[100.0; 8]), None);
        assert_eq!(learned_threshold(&[100.0; 9]), Some(0.0));
    }

    #[test]
    fn a_new_base_does_not_raise_it_and_noise_does() {
        let mut steady = vec![1000.0; 10];
        steady.extend([1200.0; 10]);
        assert_eq!(learned_threshold(&steady), Some(0.0));
        let noisy: Vec<f64> = (0..20).map(|i| 1000.0 + f64::from(i % 3) * 10.0).collect();
        let learned = learned_threshold(&noisy).unwrap();
        assert!((0.019..=0.05).contains(&learned), "{learned}");
        let wild: Vec<f64> = (0..20).map(|i| 1000.0 + f64::from(i % 4) * 400.0).collect();
        assert_eq!(learned_threshold(&wild), Some(MOST));
    }

    #[test]
    fn parts_have_pasts_of_their_own() {
        let history = History { base: BTreeMap::from([(("m".to_owned(), Part::Whole), vec![5.0; 9])]) };
        assert_eq!(history.threshold("m", Part::Whole), Some(0.0));
        assert_eq!(history.threshold("m", Part::WithoutCopy), None);
    }
}
