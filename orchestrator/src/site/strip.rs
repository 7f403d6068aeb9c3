//! Small pictures in a line: one square per run, and sparklines.

use crate::words::Rate;

/// Side of a square with its gap, in pixels.
const STEP: usize = 9;

/// One square.
pub struct Square {
    /// From the left.
    pub x: usize,
    /// From the top.
    pub y: usize,
    /// `good`, `bad`, `warn`, `none`.
    pub class: &'static str,
    /// What it says, for who points at it.
    pub title: String,
}

/// A strip of squares.
pub struct Strip {
    /// Its size.
    pub width: usize,
    /// Its size.
    pub height: usize,
    /// The squares.
    pub squares: Vec<Square>,
    /// The same in words.
    pub label: String,
}

/// How a side did: class and mark.
fn tone(rate: Rate) -> (&'static str, char) {
    match (rate.bad, rate.tries) {
        (_, 0) => ("none", '·'),
        (0, _) => ("good", '✓'),
        (bad, tries) if bad == tries => ("bad", '✗'),
        _ => ("warn", '~'),
    }
}

/// Base above patched, oldest on the left; each point is a run with its name.
pub fn rates(points: &[(String, Rate, Rate)]) -> Strip {
    let mut squares = Vec::new();
    let (mut above, mut below) = (String::new(), String::new());
    for (index, (run, base, patched)) in points.iter().enumerate() {
        for (side, rate, row, text) in [("base", base, 0, &mut above), ("patched", patched, 1, &mut below)] {
            let (class, mark) = tone(*rate);
            text.push(mark);
            let said = match rate.tries {
                0 => "not run".to_owned(),
                tries => format!("failed {} of {tries}", rate.bad),
            };
            squares.push(Square { x: index * STEP, y: row * STEP, class, title: format!("{run}: {side} {said}") });
        }
    }
    let label = format!("base {above}, patched {below}, oldest first");
    Strip { width: points.len().max(1) * STEP, height: 2 * STEP, squares, label }
}

/// One row of squares with class and title.
pub fn row(points: &[(&'static str, String)]) -> Strip {
    let square = |(index, (class, title)): (usize, &(&'static str, String))| Square {
        x: index * STEP,
        y: 0,
        class,
        title: title.clone(),
    };
    let label = points.iter().map(|(_, title)| title.as_str()).collect::<Vec<_>>().join("; ");
    let squares = points.iter().enumerate().map(square).collect();
    Strip { width: points.len().max(1) * STEP, height: STEP, squares, label }
}

/// Size of a sparkline.
pub const SPARK: (f64, f64) = (180.0, 34.0);

/// A sparkline of two sides on one scale.
pub struct Spark {
    /// Pieces of the base's line, each a list of points.
    pub base: Vec<String>,
    /// Pieces of the patched side's line.
    pub patched: Vec<String>,
    /// The last patched point.
    pub end: Option<(String, String)>,
    /// The same in words.
    pub label: String,
}

/// Draws values of runs, oldest first; a run without a value is a gap.
pub fn spark(points: &[(Option<f64>, Option<f64>)]) -> Spark {
    let all = || points.iter().flat_map(|(base, patched)| [*base, *patched]).flatten().filter(|v| v.is_finite());
    let low = all().fold(f64::INFINITY, f64::min);
    let high = all().fold(f64::NEG_INFINITY, f64::max);
    // A steady metric must not look wild: the picture spans two per cent at least.
    let air = (high - low).max(high.abs() * 0.02).max(f64::MIN_POSITIVE);
    let middle = f64::midpoint(low, high);
    #[allow(clippy::cast_precision_loss)]
    let x = |index: usize| 3.0 + (SPARK.0 - 6.0) * index as f64 / (points.len().max(2) - 1) as f64;
    let y = |value: f64| SPARK.1 / 2.0 - (value - middle) / air * (SPARK.1 - 8.0);
    let at = |index: usize, value: f64| (format!("{:.1}", x(index)), format!("{:.1}", y(value)));
    let line = |side: &dyn Fn(usize) -> Option<f64>| {
        let mut pieces = Vec::new();
        let mut piece: Vec<String> = Vec::new();
        for index in 0..points.len() {
            match side(index).filter(|value| value.is_finite()) {
                Some(value) => {
                    let (x, y) = at(index, value);
                    piece.push(format!("{x},{y}"));
                }
                None => pieces.push(std::mem::take(&mut piece)),
            }
        }
        pieces.push(piece);
        pieces.into_iter().filter(|piece| !piece.is_empty()).map(|piece| piece.join(" ")).collect()
    };
    let last = points.iter().enumerate().rev().find_map(|(index, (_, patched))| Some(at(index, (*patched)?)));
    let label = match (low.is_finite(), points.len()) {
        (true, count) => format!("{count} runs between {low:.0} and {high:.0}"),
        (false, _) => "no values".to_owned(),
    };
    Spark { base: line(&|index| points[index].0), patched: line(&|index| points[index].1), end: last, label }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strip_says_in_words_what_it_shows() {
        let rate = |bad, tries| Rate { bad, tries };
        let strip = rates(&[("r1".into(), rate(0, 1), rate(3, 3)), ("r2".into(), rate(0, 0), rate(1, 3))]);
        assert_eq!(strip.label, "base ✓·, patched ✗~, oldest first");
        assert_eq!(strip.squares[1].title, "r1: patched failed 3 of 3");
        assert_eq!((strip.width, strip.height, strip.squares.len()), (18, 18, 4));
    }

    #[test]
    fn a_spark_has_gaps_and_stays_in_its_frame() {
        let spark =
            spark(&[(Some(100.0), Some(120.0)), (None, Some(90.0)), (Some(101.0), None), (Some(f64::NAN), None)]);
        assert_eq!((spark.base.len(), spark.patched.len()), (2, 1));
        for point in spark.base.iter().chain(&spark.patched).flat_map(|line| line.split(' ')) {
            let (x, y) = point.split_once(',').unwrap();
            let inside = |text: &str, most: f64| (0.0..=most).contains(&text.parse::<f64>().unwrap());
            assert!(inside(x, SPARK.0) && inside(y, SPARK.1), "{point}");
        }
        assert_eq!(super::spark(&[]).label, "no values");
        assert_eq!(super::spark(&[(Some(5.0), None)]).base, ["3.0,17.0"]);
    }
}
