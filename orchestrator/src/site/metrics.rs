//! The page of metrics: what each cost over the runs.

use std::collections::BTreeMap;

use askama::Template;

use super::gather::Gathered;
use super::layout::{self, Link};
use super::strip::{self, Spark};
use crate::report::labels;
use crate::words::{MetricChange, MetricComparison, Part};

const PATH: &str = "metrics.html";

/// Runs in a sparkline.
const RUNS: usize = 60;

/// A metric.
struct MetricView {
    name: String,
    spark: Spark,
    base: String,
    patched: String,
    effect: String,
    class: &'static str,
    change: String,
    day: String,
    href: String,
}

/// The metrics of a tree with a kconfig on a machine and a clock.
struct TableView {
    tree: String,
    tree_href: String,
    kconfig: String,
    machine: String,
    clock: String,
    unit: String,
    metrics: Vec<MetricView>,
}

#[derive(Template)]
#[template(path = "site_metrics.html")]
struct Page {
    title: String,
    nav: Vec<Link>,
    made: String,
    tables: Vec<TableView>,
}

type Place = (String, String, String, String, String);

/// One metric in one run: run, day, comparison.
type Points<'a> = Vec<(&'a str, &'a str, &'a MetricComparison)>;

/// The page.
pub fn page(gathered: &Gathered) -> String {
    let mut places: BTreeMap<Place, BTreeMap<&str, Points<'_>>> = BTreeMap::new();
    for report in &gathered.reports {
        let day = report.run.started.get(..10).unwrap_or_default();
        for metric in report.metrics.iter().filter(|metric| metric.part == Part::Whole) {
            let clock = labels::word(&metric.clock);
            let place =
                (metric.tree.clone(), metric.kconfig.clone(), metric.machine.clone(), clock, metric.unit.clone());
            let point = (report.run.id.as_str(), day, metric);
            places.entry(place).or_default().entry(&metric.metric).or_default().push(point);
        }
    }
    let table = |((tree, kconfig, machine, clock, unit), metrics): (Place, BTreeMap<&str, Points<'_>>)| TableView {
        tree_href: layout::tree_path(&tree),
        tree,
        kconfig,
        machine,
        clock,
        unit,
        metrics: metrics.into_iter().filter_map(|(name, points)| metric_view(name, &points)).collect(),
    };
    let page = Page {
        title: "Metrics".into(),
        nav: layout::nav(PATH, gathered.series(), gathered.trees()),
        made: gathered.today.to_string(),
        tables: places.into_iter().map(table).collect(),
    };
    page.render().expect("writing to memory does not fail")
}

fn metric_view(name: &str, points: &Points<'_>) -> Option<MetricView> {
    let (run, day, last) = points.last()?;
    let values: Vec<(Option<f64>, Option<f64>)> = points[points.len().saturating_sub(RUNS)..]
        .iter()
        .map(|(_, _, metric)| (metric.base.map(|side| side.median), metric.patched.map(|side| side.median)))
        .collect();
    let value = |value: Option<f64>| value.map(|value| format!("{value:.1}")).unwrap_or_default();
    let (class, change) = match last.change {
        MetricChange::Regressed => ("bad", "▲ costs more"),
        MetricChange::Improved => ("good", "▼ costs less"),
        MetricChange::Unchanged => ("dim", "unchanged"),
        MetricChange::New => ("dim", "new"),
        MetricChange::Vanished => ("warn", "gone"),
        MetricChange::NotEnoughData => ("dim", "not enough readings"),
    };
    Some(MetricView {
        name: name.to_owned(),
        spark: strip::spark(&values),
        base: value(last.base.map(|side| side.median)),
        patched: value(last.patched.map(|side| side.median)),
        effect: last.effect.map(|effect| format!("{:+.2} %", effect.estimate * 100.0)).unwrap_or_default(),
        class,
        change: change.to_owned(),
        day: (*day).to_owned(),
        href: layout::report_href(PATH, run),
    })
}
