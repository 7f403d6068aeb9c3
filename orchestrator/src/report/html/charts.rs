//! Charts of the page: cost against size, and history over runs. Drawn for a fixed size that a phone shows whole; wide
//! screens put them side by side.

use super::super::numbers::{is_change, value};
use super::plot::{Scale, coordinate, mark};
use crate::words::{MetricComparison, MetricHistory, MetricName, Part};

const WIDTH: f64 = 372.0;
const HEIGHT: f64 = 232.0;
const LEFT: f64 = 46.0;
const RIGHT: f64 = 10.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 24.0;

/// Most lines of a chart: as many as there are colours and marks.
const MAX_LINES: usize = 6;

/// Marks of the base are drawn around those of the patched side, which mostly lie on the same spot.
const RING: f64 = 1.6;

/// A chart.
pub struct ChartView {
    pub title: String,
    pub label: String,
    pub view_box: String,
    pub frame: (String, String, String, String),
    /// Position and text.
    pub x_ticks: Vec<(String, String)>,
    pub y_ticks: Vec<(String, String)>,
    pub lines: Vec<LineView>,
    pub legend: Vec<LegendView>,
    pub note: &'static str,
}

/// A line with its marks.
pub struct LineView {
    pub class: String,
    pub points: String,
    pub marks: Vec<(String, String)>,
}

/// What a line is.
pub struct LegendView {
    pub class: String,
    pub mark: String,
    pub text: String,
}

struct Frame {
    x: Scale,
    y: Scale,
}

impl Frame {
    fn x(&self, value: f64) -> f64 {
        LEFT + self.x.at(value) * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, value: f64) -> f64 {
        HEIGHT - BOTTOM - self.y.at(value) * (HEIGHT - TOP - BOTTOM)
    }

    fn line(&self, class: String, kind: usize, size: f64, points: &[(f64, f64, String)]) -> LineView {
        let at = |(x, y, _): &(f64, f64, String)| (self.x(*x), self.y(*y));
        let text = |point| {
            let (x, y) = at(point);
            format!("{},{}", coordinate(x), coordinate(y))
        };
        LineView {
            class,
            points: points.iter().map(text).collect::<Vec<_>>().join(" "),
            marks: points
                .iter()
                .map(|point| {
                    let (x, y) = at(point);
                    (mark(kind, size, x, y), point.2.clone())
                })
                .collect(),
        }
    }

    fn chart(self, title: String, label: String, x_ticks: Vec<(f64, String)>) -> ChartView {
        ChartView {
            title,
            label,
            view_box: format!("0 0 {WIDTH} {HEIGHT}"),
            frame: (
                coordinate(LEFT),
                coordinate(TOP),
                coordinate(WIDTH - LEFT - RIGHT),
                coordinate(HEIGHT - TOP - BOTTOM),
            ),
            x_ticks: x_ticks.into_iter().map(|(x, text)| (coordinate(self.x(x)), text)).collect(),
            y_ticks: self.y.ticks(5).into_iter().map(|tick| (coordinate(self.y(tick)), short(tick))).collect(),
            lines: Vec::new(),
            legend: Vec::new(),
            note: "",
        }
    }
}

fn legend(class: String, kind: usize, text: impl Into<String>) -> LegendView {
    LegendView { class, mark: mark(kind, 1.0, 14.0, 7.0), text: text.into() }
}

/// A metric and the parts of its name.
type Named<'a> = (MetricName<'a>, &'a MetricComparison);

/// Cost per page against size, one chart per device and operation, one line per kind of memory and side.
pub fn costs(rows: &[&MetricComparison]) -> Vec<ChartView> {
    let mut charts: Vec<((&str, &str), Vec<Named<'_>>)> = Vec::new();
    for &row in rows.iter().filter(|row| row.part == Part::Whole) {
        let Some(name) = MetricName::parse(&row.metric) else { continue };
        let key = (name.device, name.operation);
        match charts.iter_mut().find(|(known, _)| *known == key) {
            Some((_, rows)) => rows.push((name, row)),
            None => charts.push((key, vec![(name, row)])),
        }
    }
    charts.into_iter().filter_map(|((device, operation), rows)| cost(device, operation, &rows)).collect()
}

fn cost(device: &str, operation: &str, rows: &[Named<'_>]) -> Option<ChartView> {
    let mut sizes: Vec<(u64, &str)> = rows.iter().map(|(name, row)| (row.pages, name.size)).collect();
    sizes.sort_unstable();
    sizes.dedup();
    if sizes.len() < 2 {
        return None;
    }
    let mut memories: Vec<&str> = Vec::new();
    for (name, _) in rows {
        if !memories.contains(&name.memory) {
            memories.push(name.memory);
        }
    }
    let shown = &memories[..memories.len().min(MAX_LINES)];
    let drawn = || rows.iter().filter(|(name, _)| shown.contains(&name.memory));
    let frame = Frame {
        x: Scale::log(sizes.iter().map(|(pages, _)| *pages as f64))?,
        y: Scale::log(drawn().flat_map(|(_, row)| [row.base, row.patched]).flatten().map(|side| side.median))?,
    };
    let mut lines = Vec::new();
    for (kind, memory) in shown.iter().enumerate() {
        let mut mine: Vec<_> = rows.iter().filter(|(name, _)| name.memory == *memory).collect();
        mine.sort_by_key(|(_, row)| row.pages);
        for (side, of, size) in [("base", 0, RING), ("patched", 1, 1.0)] {
            let points: Vec<(f64, f64, String)> = mine
                .iter()
                .filter_map(|(name, row)| {
                    let median = [row.base, row.patched][of]?.median;
                    let text = format!("{} {}, {side}: {}", name.memory, name.size, value(median));
                    (median > 0.0).then_some((row.pages as f64, median, text))
                })
                .collect();
            lines.push(frame.line(format!("s{kind} {side}"), kind, size, &points));
        }
    }
    let changed = if rows.iter().any(|(_, row)| is_change(row)) { ", changed" } else { "" };
    let ticks = sizes.iter().map(|&(pages, size)| (pages as f64, size.to_owned())).collect();
    let unit = rows.first().map(|(_, row)| row.unit.clone())?;
    let title = format!("{operation}, {device}");
    let label = format!("{unit} of {operation} on {device} by size{changed}");
    let mut chart = frame.chart(title, label, ticks);
    chart.lines = lines;
    chart.legend =
        shown.iter().enumerate().map(|(kind, memory)| legend(format!("s{kind} patched"), kind, *memory)).collect();
    if memories.len() > MAX_LINES {
        chart.note = "More kinds of memory are in the table.";
    }
    Some(chart)
}

/// Cost over runs; `None` when there is nothing to draw.
pub fn history(history: &MetricHistory) -> Option<ChartView> {
    let values = || history.points.iter().flat_map(|point| [point.base, point.patched]).flatten();
    let low = values().min_by(f64::total_cmp)?;
    let high = values().max_by(f64::total_cmp)?;
    // Two per cent of range at least: noise must not look like mountains.
    let air = ((high * 0.02 - (high - low)) / 2.0).max((high - low) * 0.08);
    let last = history.points.len().saturating_sub(1) as f64;
    let frame = Frame { x: Scale::linear(-0.3, last + 0.3), y: Scale::linear(low - air, high + air) };
    let line = |class: &str, kind, of: fn(&crate::words::HistoryPoint) -> Option<f64>| {
        let points: Vec<(f64, f64, String)> = history
            .points
            .iter()
            .enumerate()
            .filter_map(|(index, point)| {
                let cost = of(point)?;
                Some((index as f64, cost, format!("{} {class}: {}", point.run, value(cost))))
            })
            .collect();
        frame.line(format!("s0 {class}"), kind, 1.0, &points)
    };
    let lines = vec![line("base", 1, |point| point.base), line("patched", 0, |point| point.patched)];
    // At most eight names fit below the axis.
    let every = history.points.len().div_ceil(8).max(1);
    let ticks = history.points.iter().enumerate().step_by(every);
    let ticks = ticks.map(|(index, point)| (index as f64, point.series.clone())).collect();
    let title = format!("{}{}, {}", history.metric, super::super::labels::part(history.part), history.machine);
    let label = format!("{} of {} over runs", history.unit, history.metric);
    let mut chart = frame.chart(title, label, ticks);
    chart.lines = lines;
    chart.legend = vec![legend("s0 base".into(), 1, "base"), legend("s0 patched".into(), 0, "patched")];
    Some(chart)
}

/// A number for an axis: `500`, `20k`, `1.5M`.
fn short(value: f64) -> String {
    let text = |value: f64, unit: &str| {
        let text = format!("{value:.2}");
        format!("{}{unit}", text.trim_end_matches('0').trim_end_matches('.'))
    };
    match value.abs() {
        v if v >= 1e6 => text(value / 1e6, "M"),
        v if v >= 1e4 => text(value / 1e3, "k"),
        _ => text(value, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixtures;

    #[test]
    fn one_chart_per_device_and_operation_with_several_sizes() {
        let report = fixtures::measured();
        let rows: Vec<&MetricComparison> = report.metrics.iter().filter(|row| row.machine != "rack-7").collect();
        let charts = costs(&rows);
        let titles: Vec<&str> = charts.iter().map(|chart| chart.title.as_str()).collect();
        assert_eq!(titles.len(), 8);
        assert_eq!(titles[0], "to-device, private");
        assert_eq!(charts[0].lines.len(), 8, "four kinds of memory, two sides");
        assert_eq!(charts[0].lines[0].marks.len(), 4);
        let ticks: Vec<&str> = charts[0].x_ticks.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(ticks, ["4K", "64K", "2M", "16M"]);
        for line in charts.iter().flat_map(|chart| &chart.lines) {
            for point in line.points.split([' ', ',']) {
                let number: f64 = point.parse().unwrap();
                assert!((0.0..=WIDTH).contains(&number), "{point}");
            }
        }
        assert!(costs(&rows[..2]).is_empty(), "one size is no line");
    }

    #[test]
    fn small_changes_look_small() {
        let mut one = fixtures::measured().metric_history[0].clone();
        one.points.truncate(2);
        one.points.iter_mut().for_each(|point| (point.base, point.patched) = (Some(1000.0), Some(1001.0)));
        let chart = history(&one).unwrap();
        let ys: Vec<f64> =
            chart.lines.iter().map(|line| line.points.split([',', ' ']).nth(1).unwrap().parse().unwrap()).collect();
        assert!((ys[0] - ys[1]).abs() < HEIGHT / 8.0, "{ys:?}");
        one.points.iter_mut().for_each(|point| (point.base, point.patched) = (None, None));
        assert!(history(&one).is_none());
    }

    #[test]
    fn axis_numbers_are_short() {
        for (number, text) in [(500.0, "500"), (20_000.0, "20k"), (1_500_000.0, "1.5M"), (0.5, "0.5")] {
            assert_eq!(short(number), text);
        }
    }
}
