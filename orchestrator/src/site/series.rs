//! The page of a series: its versions, its runs, what is open and since when.

use std::collections::BTreeMap;

use askama::Template;

use super::findings::open;
use super::gather::{Gathered, Seen};
use super::layout::{self, Link, Mark};
use crate::report::labels;

/// Runs told one by one.
const RUNS: usize = 100;

/// A version.
struct VersionView {
    version: String,
    first: String,
    runs: usize,
    /// Tree and its last verdict.
    trees: Vec<(String, Mark)>,
}

/// An open finding.
struct OpenView {
    mark: &'static str,
    word: String,
    class: &'static str,
    tree: String,
    summary: String,
    href: String,
    number: usize,
    since: String,
    since_version: String,
    since_href: String,
    runs: usize,
}

/// A run on a tree.
struct RunView {
    day: String,
    version: String,
    tree: String,
    tree_href: String,
    commit: String,
    mark: Mark,
    headline: String,
    href: String,
    id: String,
}

#[derive(Template)]
#[template(path = "site_series.html")]
struct Page {
    title: String,
    nav: Vec<Link>,
    made: String,
    about: String,
    versions: Vec<VersionView>,
    open: Vec<OpenView>,
    runs: Vec<RunView>,
    older: usize,
}

/// The page of the series called `name`.
pub fn page(gathered: &Gathered, name: &str) -> String {
    let path = layout::series_path(name);
    let seen: Vec<Seen<'_>> = gathered.seen().filter(|seen| seen.report.series.name == name).collect();
    let run = |seen: &Seen<'_>| RunView {
        day: seen.day().to_owned(),
        version: seen.version(),
        tree: seen.tree.to_owned(),
        tree_href: format!("../{}", layout::tree_path(seen.tree)),
        commit: layout::short(seen.commit),
        mark: layout::outcome(seen.outcome),
        headline: seen.report.headline.clone(),
        href: layout::report_href(&path, &seen.report.run.id),
        id: seen.report.run.id.clone(),
    };
    let page = Page {
        title: name.to_owned(),
        nav: layout::nav(&path, gathered.series(), gathered.trees()),
        made: gathered.today.to_string(),
        about: seen.last().map(|seen| seen.report.series.title.clone()).unwrap_or_default(),
        versions: versions(&seen),
        open: open(gathered, name).iter().map(|open| open_view(open, &path)).collect(),
        runs: seen.iter().rev().take(RUNS).map(run).collect(),
        older: seen.len().saturating_sub(RUNS),
    };
    page.render().expect("writing to memory does not fail")
}

fn open_view(open: &super::findings::Open<'_>, path: &str) -> OpenView {
    let label = labels::severity(open.finding.severity);
    OpenView {
        mark: label.mark,
        word: labels::word(&open.finding.kind),
        class: match open.finding.severity {
            crate::words::Severity::Problem => "bad",
            crate::words::Severity::Notice => "warn",
        },
        tree: open.finding.tree.clone(),
        summary: open.finding.summary.clone(),
        href: layout::report_href(path, open.run),
        number: open.number,
        since: open.since.day().to_owned(),
        since_version: open.since.version(),
        since_href: layout::report_href(path, &open.since.report.run.id),
        runs: open.runs,
    }
}

/// Newest version first.
fn versions(seen: &[Seen<'_>]) -> Vec<VersionView> {
    let mut order: Vec<String> = Vec::new();
    let mut all: BTreeMap<String, Vec<&Seen<'_>>> = BTreeMap::new();
    for one in seen {
        let version = one.version();
        if !order.contains(&version) {
            order.push(version.clone());
        }
        all.entry(version).or_default().push(one);
    }
    let view = |version: &String| {
        let seen = &all[version];
        let mut trees: BTreeMap<&str, Mark> = BTreeMap::new();
        for one in seen {
            if one.outcome.is_verdict() || !trees.contains_key(one.tree) {
                trees.insert(one.tree, layout::outcome(one.outcome));
            }
        }
        VersionView {
            version: if version.is_empty() { "no version".to_owned() } else { version.clone() },
            first: seen[0].day().to_owned(),
            runs: seen.len(),
            trees: trees.into_iter().map(|(tree, mark)| (tree.to_owned(), mark)).collect(),
        }
    };
    order.iter().rev().map(view).collect()
}
