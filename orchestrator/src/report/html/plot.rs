//! Scales, ticks and marks of the plots: numbers in, coordinates out.

/// A range of values laid along an axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    low: f64,
    high: f64,
    log: bool,
}

impl Scale {
    /// A linear axis. Both ends the same are moved apart, so that something can be drawn.
    pub fn linear(low: f64, high: f64) -> Scale {
        if low < high { Scale { low, high, log: false } } else { Scale { low: low - 0.5, high: low + 0.5, log: false } }
    }

    /// A logarithmic axis from the smallest to the largest of the positive values; `None` without any.
    pub fn log(values: impl Iterator<Item = f64> + Clone) -> Option<Scale> {
        let positive = values.filter(|value| *value > 0.0 && value.is_finite());
        let low = positive.clone().min_by(f64::total_cmp)?;
        let high = positive.max_by(f64::total_cmp)?;
        // A little air, and some range where there is none.
        let air = (high / low).powf(0.06).max(1.1);
        Some(Scale { low: low / air, high: high * air, log: true })
    }

    /// Where a value lies, 0 at the low and 1 at the high end; outside values at the ends.
    pub fn at(&self, value: f64) -> f64 {
        let share = if self.log {
            (value.max(f64::MIN_POSITIVE) / self.low).ln() / (self.high / self.low).ln()
        } else {
            (value - self.low) / (self.high - self.low)
        };
        share.clamp(0.0, 1.0)
    }

    /// True when the value lies on the axis.
    pub fn holds(&self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }

    /// Round values on the axis: about `wanted` of them.
    pub fn ticks(&self, wanted: usize) -> Vec<f64> {
        if !self.log {
            return linear_ticks(self.low, self.high, wanted);
        }
        for digits in [&[1.0, 2.0, 5.0][..], &[1.0]] {
            let ticks: Vec<f64> = (-3..13)
                .flat_map(|power| digits.iter().map(move |digit| digit * 10f64.powi(power)))
                .filter(|tick| self.holds(*tick))
                .collect();
            if ticks.len() <= wanted.max(2) && ticks.len() >= 2 {
                return ticks;
            }
        }
        let ticks = linear_ticks(self.low, self.high, wanted);
        if ticks.len() >= 2 && self.high / self.low < 100.0 { ticks } else { vec![self.low, self.high] }
    }
}

fn linear_ticks(low: f64, high: f64, wanted: usize) -> Vec<f64> {
    let rough = (high - low) / wanted.max(1) as f64;
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|digit| digit * power).find(|step| *step >= rough * 0.999);
    let step = step.unwrap_or(rough);
    let (first, last) = ((low / step).ceil() as i64, (high / step).floor() as i64);
    (first..=last).map(|n| n as f64 * step).collect()
}

/// A coordinate as text.
pub fn coordinate(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The outline of a mark around a point; every kind has another shape, so that none is told by colour alone.
pub fn mark(kind: usize, size: f64, x: f64, y: f64) -> String {
    let corners: &[(f64, f64)] = match kind % 6 {
        0 => &[(-2.0, -4.0), (2.0, -4.0), (4.0, -2.0), (4.0, 2.0), (2.0, 4.0), (-2.0, 4.0), (-4.0, 2.0), (-4.0, -2.0)],
        1 => &[(-3.4, -3.4), (3.4, -3.4), (3.4, 3.4), (-3.4, 3.4)],
        2 => &[(0.0, -4.6), (4.4, 3.4), (-4.4, 3.4)],
        3 => &[(0.0, -4.8), (4.8, 0.0), (0.0, 4.8), (-4.8, 0.0)],
        4 => &[(-4.4, -3.4), (4.4, -3.4), (0.0, 4.6)],
        _ => &[(-4.6, -1.4), (4.6, -1.4), (4.6, 1.4), (-4.6, 1.4)],
    };
    let points: Vec<String> =
        corners.iter().map(|(dx, dy)| format!("{},{}", coordinate(x + dx * size), coordinate(y + dy * size))).collect();
    points.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_of_a_scale() {
        let scale = Scale::linear(-0.01, 0.03);
        assert_eq!((scale.at(-0.01), scale.at(0.03), scale.at(9.0), scale.at(-9.0)), (0.0, 1.0, 1.0, 0.0));
        assert!((scale.at(0.0) - 0.25).abs() < 1e-12);
        assert_eq!(Scale::linear(5.0, 5.0).at(5.0), 0.5);
        let scale = Scale::log([1.0, 100.0, 10_000.0, 0.0, f64::NAN].into_iter()).unwrap();
        assert!((scale.at(100.0) - 0.5).abs() < 1e-9);
        assert!(scale.at(1.0) > 0.0 && scale.at(0.0) == 0.0);
        assert_eq!(Scale::log([0.0, -1.0].into_iter()), None);
        assert!(Scale::log([7.0].into_iter()).unwrap().holds(7.0));
    }

    #[test]
    fn ticks_are_round() {
        assert_eq!(Scale::linear(-0.012, 0.031).ticks(5), [-0.01, 0.0, 0.01, 0.02, 0.03]);
        assert_eq!(Scale::linear(10_400.0, 11_000.0).ticks(4), [10_400.0, 10_600.0, 10_800.0, 11_000.0]);
        let decades = Scale::log([4.0, 262_144.0].into_iter()).unwrap().ticks(6);
        assert_eq!(decades, [10.0, 100.0, 1000.0, 10_000.0, 100_000.0]);
        let narrow = Scale::log([4100.0, 9000.0].into_iter()).unwrap().ticks(5);
        assert!((2..=6).contains(&narrow.len()) && narrow.contains(&6000.0), "{narrow:?}");
        assert!(Scale::log([7.0].into_iter()).unwrap().ticks(5).len() >= 2);
    }

    #[test]
    fn marks_differ_and_coordinates_are_short() {
        let marks: std::collections::HashSet<String> = (0..6).map(|kind| mark(kind, 1.0, 10.0, 10.0)).collect();
        assert_eq!(marks.len(), 6);
        assert_eq!((coordinate(1.0), coordinate(0.125), coordinate(-0.5)), ("1".into(), "0.12".into(), "-0.5".into()));
    }
}
