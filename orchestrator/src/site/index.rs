//! The first page: the nights, and how everything stands.

use std::collections::BTreeMap;

use askama::Template;

use super::days::{Week, calendar, night_mark};
use super::gather::{Gathered, Seen};
use super::layout::{self, Link, Mark};
use crate::known::{self, Past};
use crate::nightly::{NightRecord, RunOutcome};
use crate::term::text::{truncate, visible};

const PATH: &str = "index.html";

/// Nights told one by one.
const NIGHTS: usize = 40;

/// Longest text of one cell.
const TEXT: usize = 400;

/// A series on a tree.
struct StandingView {
    series: String,
    series_href: String,
    tree: String,
    tree_href: String,
    version: String,
    mark: Mark,
    headline: String,
    href: String,
    day: String,
}

/// A tree's base.
struct BaseView {
    tree: String,
    href: String,
    kernel: String,
    commit: String,
    mark: Mark,
    since: String,
    why: String,
}

/// A run of a night.
struct RunView {
    name: String,
    mark: Mark,
    headline: String,
    /// Empty when the run's folder is gone.
    href: String,
}

/// A night.
struct NightView {
    name: String,
    mark: Mark,
    summary: String,
    runs: Vec<RunView>,
    bases: Vec<(String, Mark, String)>,
    troubles: Vec<String>,
}

/// A known issue.
struct KnownView {
    name: String,
    reason: String,
    link: String,
    by: String,
    expires: String,
    last: String,
    href: String,
    advice: String,
}

#[derive(Template)]
#[template(path = "site_index.html")]
struct Page {
    title: String,
    nav: Vec<Link>,
    made: String,
    notes: Vec<String>,
    weeks: Vec<Week>,
    standings: Vec<StandingView>,
    bases: Vec<BaseView>,
    nights: Vec<NightView>,
    older: usize,
    known: Vec<KnownView>,
}

/// The page.
pub fn page(gathered: &Gathered) -> String {
    let nights = &gathered.state.nights;
    let page = Page {
        title: "Nights".into(),
        nav: layout::nav(PATH, gathered.series(), gathered.trees()),
        made: gathered.today.to_string(),
        notes: gathered.notes.iter().map(|note| text(note)).collect(),
        weeks: calendar(nights, gathered.today),
        standings: standings(gathered),
        bases: bases(gathered),
        nights: nights.iter().rev().take(NIGHTS).map(|night| night_view(gathered, night)).collect(),
        older: nights.len().saturating_sub(NIGHTS),
        known: known(gathered),
    };
    page.render().expect("writing to memory does not fail")
}

/// Fit to be shown: the journal and lists hold what others wrote.
pub fn text(text: &str) -> String {
    truncate(&visible(text), TEXT)
}

fn standings(gathered: &Gathered) -> Vec<StandingView> {
    let mut last: BTreeMap<(&str, &str), Seen<'_>> = BTreeMap::new();
    let seen: Vec<Seen<'_>> = gathered.seen().collect();
    for seen in &seen {
        let place = (seen.report.series.name.as_str(), seen.tree);
        // What was stopped says less than what was answered before it.
        if seen.outcome != RunOutcome::Interrupted || !last.contains_key(&place) {
            last.insert(place, *seen);
        }
    }
    let view = |((series, tree), seen): (&(&str, &str), &Seen<'_>)| StandingView {
        series: (*series).to_owned(),
        series_href: layout::series_path(series),
        tree: (*tree).to_owned(),
        tree_href: layout::tree_path(tree),
        version: seen.version(),
        mark: layout::outcome(seen.outcome),
        headline: seen.report.headline.clone(),
        href: layout::report_href(PATH, &seen.report.run.id),
        day: seen.day().to_owned(),
    };
    last.iter().map(view).collect()
}

fn bases(gathered: &Gathered) -> Vec<BaseView> {
    let view = |(tree, history): (&String, &crate::nightly::BaseHistory)| BaseView {
        tree: text(tree),
        href: layout::tree_path(tree),
        kernel: text(&history.now.kernel_version),
        commit: layout::short(&text(&history.now.commit)),
        mark: layout::standing(history.now.standing),
        since: history.since.clone(),
        why: text(&history.now.why()),
    };
    gathered.state.bases.iter().map(view).collect()
}

fn night_view(gathered: &Gathered, night: &NightRecord) -> NightView {
    let run = |(target, last): &(crate::nightly::Target, crate::nightly::LastRun)| RunView {
        name: text(&target.name()),
        mark: layout::outcome(last.outcome),
        headline: text(&last.headline),
        href: last
            .run
            .as_deref()
            .filter(|run| gathered.has_run(run))
            .map(|run| layout::report_href(PATH, run))
            .unwrap_or_default(),
    };
    let bases = night
        .bases
        .iter()
        .map(|(tree, base)| (text(tree), layout::standing(base.standing), layout::short(&text(&base.commit))));
    NightView {
        name: night.night.clone(),
        mark: night_mark(night),
        summary: match night.ended {
            Some(_) => text(&night.summary),
            None => "cut off, or still at work".to_owned(),
        },
        runs: night.runs.iter().map(run).collect(),
        bases: bases.collect(),
        troubles: night.troubles.iter().map(|trouble| text(trouble)).collect(),
    }
}

fn known(gathered: &Gathered) -> Vec<KnownView> {
    let past: Vec<Past<'_>> = gathered
        .reports
        .iter()
        .filter_map(|report| Some(Past { day: report.run.started.get(..10)?.parse().ok()?, report }))
        .collect();
    let aged = known::age(&gathered.known, gathered.today, gathered.stale_nights, &past);
    let view = |aged: &known::Aged<'_>| KnownView {
        name: text(&aged.issue.entry.name),
        reason: text(&aged.issue.entry.reason),
        link: aged.issue.entry.link.clone().unwrap_or_default(),
        by: text(&aged.issue.entry.by),
        expires: aged.issue.expires.to_string(),
        last: aged.last.as_ref().map(|(_, day)| day.to_string()).unwrap_or_default(),
        href: aged.last.as_ref().map(|(run, _)| layout::report_href(PATH, run)).unwrap_or_default(),
        advice: aged.advice().map(|advice| text(&advice)).unwrap_or_default(),
    };
    aged.iter().map(view).collect()
}
