//! What the comparison of one metric came to, whatever the clock.

use crate::words::{Effect, MetricChange};

/// Change, effect and remark of one comparison.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// What both sides say together.
    pub change: MetricChange,
    /// The difference, where there are enough readings.
    pub effect: Option<Effect>,
    /// What a person should know besides, one sentence.
    pub note: Option<String>,
}

impl Outcome {
    /// Nothing can be said, and why.
    pub fn not_enough(why: impl Into<String>) -> Self {
        Outcome { change: MetricChange::NotEnoughData, effect: None, note: Some(why.into()) }
    }

    /// The change that an effect is when `significant`, otherwise none.
    pub fn of(effect: Effect, significant: bool, note: Option<String>) -> Self {
        let change = match significant {
            false => MetricChange::Unchanged,
            true if effect.estimate > 0.0 => MetricChange::Regressed,
            true => MetricChange::Improved,
        };
        Outcome { change, effect: Some(effect), note }
    }
}

/// True when the interval does not hold zero.
pub fn off_zero(effect: &Effect) -> bool {
    effect.low > 0.0 || effect.high < 0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_that_holds_zero_says_nothing() {
        let off = |low: f64, high: f64| off_zero(&Effect { estimate: 0.0, low, high, visible: 0.0, p: None });
        assert!(off(0.1, 0.2) && off(-0.2, -0.1));
        for (low, high) in [(-0.1, 0.1), (0.0, 0.1), (-0.1, 0.0), (0.0, 0.0)] {
            assert!(!off(low, high), "{low} to {high}");
        }
    }

    #[test]
    fn a_significant_effect_is_dearer_or_cheaper_by_its_sign() {
        let change = |estimate: f64, significant| {
            let effect = Effect { estimate, low: estimate, high: estimate, visible: 0.0, p: None };
            Outcome::of(effect, significant, None).change
        };
        assert_eq!(change(0.1, true), MetricChange::Regressed);
        assert_eq!(change(-0.1, true), MetricChange::Improved);
        assert_eq!(change(0.1, false), MetricChange::Unchanged);
    }
}
