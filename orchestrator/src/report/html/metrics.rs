//! The metrics of the page: tables with the interval of every effect drawn into them.

use super::super::labels;
use super::super::model::Report;
use super::super::numbers::{self, Measured, delta, signed, spread, value};
use super::charts::{ChartView, costs, history};
use super::page::Mark;
use super::plot::{Scale, coordinate};
use crate::words::{Effect, FunctionChange, MetricChange, MetricComparison, MetricSide, OperationComparison, Part};

/// Functions shown of one metric.
const MAX_FUNCTIONS: usize = 12;

/// Rows of a table that are not folded away: the full set changes by the hundred.
const MAX_ROWS: usize = 24;

/// Metrics whose functions are shown.
const MAX_BARS: usize = 24;

/// Metrics that did not change are drawn on an axis of at most this many times the smallest visible change: a large
/// one must not hide how close the others lie together.
const NARROW: f64 = 6.0;

/// All metrics of one place.
pub struct MetricsView {
    pub place: String,
    pub clock: &'static str,
    pub about: String,
    pub blind: &'static str,
    pub unit: String,
    pub counts: Vec<(usize, Mark)>,
    pub changed: ForestView,
    pub all: ForestView,
    pub walks: ForestView,
    pub bars: Vec<BarsView>,
    pub inlined_apart: bool,
    pub costs: Vec<ChartView>,
}

/// A table with an axis.
pub struct ForestView {
    pub heads: [&'static str; 2],
    pub zero: String,
    pub ticks: Vec<(String, String)>,
    pub range: String,
    pub rows: Vec<RowView>,
    /// Rows that are folded away.
    pub more: Vec<RowView>,
}

impl ForestView {
    /// With all but the first rows folded away.
    fn folded(mut self) -> Self {
        self.more = self.rows.split_off(self.rows.len().min(MAX_ROWS));
        self
    }
}

/// A row of such a table.
pub struct RowView {
    pub mark: Mark,
    pub name: String,
    pub part: &'static str,
    pub base: String,
    pub base_spread: String,
    pub change: String,
    pub interval: String,
    pub patched: String,
    pub patched_spread: String,
    pub plot: Option<PlotView>,
    pub remarks: Vec<String>,
}

/// An effect on the axis; all numbers are per cent of its width.
pub struct PlotView {
    pub band: (String, String),
    pub low: String,
    pub high: String,
    pub dot: String,
    /// `◀` or `▶` when the effect lies beyond the axis.
    pub beyond: &'static str,
    pub beyond_at: &'static str,
}

/// The functions of one metric.
pub struct BarsView {
    pub name: String,
    pub change: String,
    pub rows: Vec<BarView>,
    pub more: usize,
    pub open: bool,
}

/// One function; positions are per cent of the width.
pub struct BarView {
    pub function: String,
    pub base: String,
    pub patched: String,
    pub delta: String,
    pub class: &'static str,
    pub x: String,
    pub width: String,
}

/// The metrics of all places.
pub fn metrics(report: &Report) -> Vec<MetricsView> {
    numbers::measured(report).iter().map(of_place).collect()
}

/// What metrics cost in earlier runs: those that changed first.
pub fn histories(report: &Report) -> Vec<ChartView> {
    let changed = |metric: &str| report.metrics.iter().any(|row| row.metric == metric && numbers::is_change(row));
    let mut all: Vec<_> = report.metric_history.iter().filter(|history| history.points.len() > 1).collect();
    all.sort_by_key(|history| !changed(&history.metric));
    all.into_iter().filter_map(history).take(MAX_BARS).collect()
}

fn of_place(place: &Measured<'_>) -> MetricsView {
    let changed = place.changed();
    let count = |(change, n): (MetricChange, usize)| (n, labels::metric_change(change).into());
    let row_effects = |rows: &[&MetricComparison]| rows.iter().filter_map(|row| row.effect).collect::<Vec<_>>();
    let heads = ["base", "patched"];
    let narrow = place.visible().map_or(f64::INFINITY, |(least, _)| least * NARROW);
    let walks: Vec<Effect> = place.walks.iter().filter_map(|walk| walk.effect).collect();
    MetricsView {
        place: place.place(),
        clock: labels::clock(place.clock),
        about: format!("{}. {}", place.effort(), place.visible_text()),
        blind: labels::blind(place.clock),
        unit: place.rows.first().map(|row| row.unit.clone()).unwrap_or_default(),
        counts: place.counts().into_iter().map(count).collect(),
        changed: forest(heads, &row_effects(&changed), f64::INFINITY, |scale| {
            changed.iter().map(|row| metric_row(row, scale)).collect()
        })
        .folded(),
        all: forest(heads, &row_effects(&place.rows), narrow, |scale| {
            place.rows.iter().map(|row| metric_row(row, scale)).collect()
        }),
        walks: forest(["otherwise", "one walk"], &walks, f64::INFINITY, |scale| {
            place.walks.iter().map(|row| walk_row(row, scale)).collect()
        })
        .folded(),
        bars: functions_of(&changed).into_iter().enumerate().map(|(index, row)| bars(index, row)).collect(),
        inlined_apart: changed.iter().any(|row| row.inlined_apart),
        costs: costs(&place.rows),
    }
}

/// The changed metrics whose functions are known. Both parts of a metric have the same ones: one is enough.
fn functions_of<'a>(changed: &[&'a MetricComparison]) -> Vec<&'a MetricComparison> {
    let mut shown: Vec<&MetricComparison> = Vec::new();
    for row in changed.iter().filter(|row| !row.functions.is_empty()) {
        if shown.len() < MAX_BARS && shown.iter().all(|known| known.metric != row.metric) {
            shown.push(row);
        }
    }
    shown
}

/// A table on an axis that holds all intervals and what would have been visible, but no more than `most` to a side.
fn forest(
    heads: [&'static str; 2],
    effects: &[Effect],
    most: f64,
    rows: impl FnOnce(&Scale) -> Vec<RowView>,
) -> ForestView {
    let reach = |side: fn(&Effect) -> f64| {
        let far = effects.iter().map(|effect| side(effect).max(effect.visible)).fold(0.001, f64::max);
        far.min(most) * 1.05
    };
    let (low, high) = (-reach(|effect| -effect.low), reach(|effect| effect.high));
    let scale = Scale::linear(low, high);
    ForestView {
        heads,
        zero: place_of(&scale, 0.0),
        ticks: scale.ticks(4).into_iter().map(|tick| (place_of(&scale, tick), signed(tick))).collect(),
        range: format!("{} to {}", signed(low), signed(high)),
        rows: rows(&scale),
        more: Vec::new(),
    }
}

fn place_of(scale: &Scale, value: f64) -> String {
    coordinate(scale.at(value) * 100.0)
}

fn plot(scale: &Scale, effect: &Effect) -> PlotView {
    let (from, to) = (scale.at(-effect.visible) * 100.0, scale.at(effect.visible) * 100.0);
    let (beyond, beyond_at) = match (scale.holds(effect.estimate), effect.estimate > 0.0) {
        (true, _) => ("", ""),
        (false, true) => ("▶", "100"),
        (false, false) => ("◀", "0"),
    };
    PlotView {
        band: (coordinate(from), coordinate(to - from)),
        low: place_of(scale, effect.low),
        high: place_of(scale, effect.high),
        dot: place_of(scale, effect.estimate),
        beyond,
        beyond_at,
    }
}

/// What stands in a row: two sides, and the effect between them.
struct Compared<'a> {
    part: Part,
    sides: [Option<&'a MetricSide>; 2],
    effect: Option<Effect>,
}

/// A row of a table with an axis.
fn row(mark: Mark, name: String, compared: Compared<'_>, scale: &Scale, remarks: Vec<String>) -> RowView {
    let Compared { part, sides, effect } = compared;
    let cost = |side: Option<&MetricSide>| side.map(|side| (value(side.median), spread(side.spread)));
    let [(base, base_spread), (patched, patched_spread)] = sides.map(|side| cost(side).unwrap_or_default());
    RowView {
        mark,
        name,
        part: labels::part(part),
        base,
        base_spread,
        change: effect.map(|effect| signed(effect.estimate)).unwrap_or_default(),
        interval: effect.map(|effect| numbers::interval(&effect)).unwrap_or_default(),
        patched,
        patched_spread,
        plot: effect.map(|effect| plot(scale, &effect)),
        remarks,
    }
}

fn metric_row(metric: &MetricComparison, scale: &Scale) -> RowView {
    let step = |step: &crate::words::MetricStep| format!("{}: {}", numbers::step(step), step.patch.subject);
    let mut remarks: Vec<String> = metric.steps.iter().map(step).collect();
    let p = metric.effect.and_then(|effect| effect.p);
    remarks.extend(p.filter(|p| *p <= 0.05).map(|p| format!("p = {p:.4}, corrected for all metrics")));
    remarks.extend(metric.note.clone());
    let sides = [metric.base.as_ref(), metric.patched.as_ref()];
    let compared = Compared { part: metric.part, sides, effect: metric.effect };
    row(labels::metric_change(metric.change).into(), metric.metric.clone(), compared, scale, remarks)
}

fn walk_row(walk: &OperationComparison, scale: &Scale) -> RowView {
    let name = format!("{} {}-{}, instead of {}", walk.device, walk.memory, walk.size, walk.two_operation);
    let compared = Compared { part: walk.part, sides: [Some(&walk.two), Some(&walk.one)], effect: walk.effect };
    row(walk_mark(walk.change), name, compared, scale, walk.note.iter().cloned().collect())
}

/// Nothing regressed or improved here: one operation of one kernel is set against another one.
fn walk_mark(change: MetricChange) -> Mark {
    let word = match change {
        MetricChange::Regressed => "dearer",
        MetricChange::Improved => "cheaper",
        MetricChange::Unchanged => "the same",
        MetricChange::New | MetricChange::Vanished | MetricChange::NotEnoughData => "not enough data",
    };
    Mark { word: word.to_owned(), ..labels::metric_change(change).into() }
}

fn bars(index: usize, row: &MetricComparison) -> BarsView {
    let difference = |function: &FunctionChange| function.patched - function.base;
    let most = row.functions.iter().map(|function| difference(function).abs()).fold(0.0, f64::max);
    let scale = Scale::linear(-most, most);
    let bar = |function: &FunctionChange| {
        let difference = difference(function);
        let (from, to) = (scale.at(difference.min(0.0)) * 100.0, scale.at(difference.max(0.0)) * 100.0);
        BarView {
            function: function.to_string(),
            base: value(function.base),
            patched: value(function.patched),
            delta: delta(difference),
            class: if difference > 0.0 { "bad" } else { "good" },
            x: coordinate(from),
            width: coordinate(to - from),
        }
    };
    BarsView {
        name: row.metric.clone(),
        change: row
            .effect
            .map(|effect| format!("{}{}", signed(effect.estimate), labels::part(row.part)))
            .unwrap_or_default(),
        rows: row.functions.iter().take(MAX_FUNCTIONS).map(bar).collect(),
        more: row.functions.len().saturating_sub(MAX_FUNCTIONS),
        open: index < 3,
    }
}
