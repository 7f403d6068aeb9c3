//! The page of tests: what each did over the runs, and how often it fails without any series.

use std::collections::BTreeMap;

use askama::Template;

use super::gather::{Gathered, is_answered};
use super::layout::{self, Link};
use super::strip::{self, Strip};
use crate::words::Rate;

const PATH: &str = "tests.html";

/// Runs in a strip.
const RUNS: usize = 30;

/// A test that was bad at least once.
struct TestView {
    name: String,
    strip: Strip,
    rate: String,
    interval: String,
    is_flaky: bool,
}

/// The tests of a tree with a kconfig on a machine.
struct TableView {
    tree: String,
    tree_href: String,
    kconfig: String,
    /// The machine, where the tree has the kconfig on several.
    machine: Option<String>,
    tests: Vec<TestView>,
    /// Tests that were never bad.
    good: Vec<String>,
    runs: usize,
}

#[derive(Template)]
#[template(path = "site_tests.html")]
struct Page {
    title: String,
    nav: Vec<Link>,
    made: String,
    tables: Vec<TableView>,
}

/// One test over the runs: each with its rates on base and patched side.
type Points = Vec<(String, Rate, Rate)>;

/// The page.
pub fn page(gathered: &Gathered) -> String {
    let mut places: BTreeMap<[String; 3], (usize, BTreeMap<String, Points>)> = BTreeMap::new();
    for report in gathered.reports.iter().filter(|report| is_answered(report)) {
        for table in report.tests.iter().filter(|table| !table.rows.is_empty()) {
            let (runs, tests) =
                places.entry([&table.tree, &table.kconfig, &table.machine].map(String::clone)).or_default();
            *runs += 1;
            for row in &table.rows {
                let point = (report.run.id.clone(), row.base, row.patched);
                tests.entry(row.test.clone()).or_default().push(point);
            }
        }
    }
    let mut machines: BTreeMap<(String, String), usize> = BTreeMap::new();
    for [tree, kconfig, _] in places.keys() {
        *machines.entry((tree.clone(), kconfig.clone())).or_default() += 1;
    }
    let table = |(place, (runs, tests)): ([String; 3], (usize, BTreeMap<String, Points>))| {
        let is_bad = |points: &Points| points.iter().any(|(_, base, patched)| base.bad + patched.bad > 0);
        let (bad, good): (Vec<_>, Vec<_>) = tests.into_iter().partition(|(_, points)| is_bad(points));
        let mut views: Vec<TestView> =
            bad.into_iter().map(|(name, points)| test_view(gathered, &place, name, &points)).collect();
        views.sort_by_key(|view| !view.is_flaky);
        let [tree, kconfig, machine] = place;
        let several = machines.get(&(tree.clone(), kconfig.clone())).is_some_and(|count| *count > 1);
        TableView {
            tree_href: layout::tree_path(&tree),
            tree,
            kconfig,
            machine: several.then_some(machine),
            tests: views,
            good: good.into_iter().map(|(name, _)| name).collect(),
            runs,
        }
    };
    let page = Page {
        title: "Tests".into(),
        nav: layout::nav(PATH, gathered.series(), gathered.trees()),
        made: gathered.today.to_string(),
        tables: places.into_iter().map(table).collect(),
    };
    page.render().expect("writing to memory does not fail")
}

fn test_view(gathered: &Gathered, place: &[String; 3], name: String, points: &Points) -> TestView {
    let rate = gathered.flakes.rate(place.each_ref().map(String::as_str), &name);
    let share = |part: f64| format!("{:.0}", part * 100.0);
    TestView {
        strip: strip::rates(&points[points.len().saturating_sub(RUNS)..]),
        rate: rate.map(|flake| format!("{} of {}", flake.rate.bad, flake.rate.tries)).unwrap_or_default(),
        interval: rate.map(|flake| format!("{} to {} %", share(flake.low), share(flake.high))).unwrap_or_default(),
        is_flaky: rate.is_some_and(|flake| flake.is_flaky),
        name,
    }
}
