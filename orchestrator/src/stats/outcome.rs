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
