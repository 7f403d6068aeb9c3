//! The page of a tree: the health of its base over the nights.

use std::collections::BTreeSet;

use askama::Template;

use super::gather::Gathered;
use super::index::text;
use super::layout::{self, Link, Mark};
use super::strip::{self, Strip};
use crate::nightly::{BaseRecord, KconfigBase};

/// Nights shown.
const NIGHTS: usize = 60;

/// A night's judgement.
struct NightView {
    night: String,
    kernel: String,
    commit: String,
    mark: Mark,
    why: String,
    href: String,
}

/// A kconfig over the nights.
struct KconfigView {
    name: String,
    strip: Strip,
    now: String,
    class: &'static str,
}

#[derive(Template)]
#[template(path = "site_tree.html")]
struct Page {
    title: String,
    nav: Vec<Link>,
    made: String,
    now: Option<(Mark, String, String)>,
    kconfigs: Vec<KconfigView>,
    failing: Vec<String>,
    nights: Vec<NightView>,
    series: Vec<(String, String, Mark, String)>,
}

/// The page of the tree called `name`.
pub fn page(gathered: &Gathered, name: &str) -> String {
    let path = layout::tree_path(name);
    let judged: Vec<(&str, &BaseRecord)> =
        gathered.state.nights.iter().filter_map(|night| Some((night.night.as_str(), night.bases.get(name)?))).collect();
    let judged = &judged[judged.len().saturating_sub(NIGHTS)..];
    let history = gathered.state.bases.get(name);
    let night = |(night, base): &(&str, &BaseRecord)| NightView {
        night: (*night).to_owned(),
        kernel: text(&base.kernel_version),
        commit: layout::short(&text(&base.commit)),
        mark: layout::standing(base.standing),
        why: text(&base.why()),
        href: if gathered.has_run(&base.run) { layout::report_href(&path, &base.run) } else { String::new() },
    };
    let mut seen_series = BTreeSet::new();
    let mut series: Vec<(String, String, Mark, String)> = gathered
        .seen()
        .rev()
        .filter(|seen| seen.tree == name && !seen.report.series.name.is_empty())
        .filter(|seen| seen_series.insert(seen.report.series.name.clone()))
        .map(|seen| {
            let name = seen.report.series.name.clone();
            (name.clone(), format!("../{}", layout::series_path(&name)), layout::outcome(seen.outcome), seen.version())
        })
        .collect();
    series.sort_by(|one, other| one.0.cmp(&other.0));
    let page = Page {
        title: name.to_owned(),
        nav: layout::nav(&path, gathered.series(), gathered.trees()),
        made: gathered.today.to_string(),
        now: history
            .map(|history| (layout::standing(history.now.standing), history.since.clone(), text(&history.now.why()))),
        kconfigs: kconfigs(judged),
        failing: history.map(|history| history.now.failing.iter().map(|test| text(test)).collect()).unwrap_or_default(),
        nights: judged.iter().rev().map(night).collect(),
        series,
    };
    page.render().expect("writing to memory does not fail")
}

fn kconfigs(judged: &[(&str, &BaseRecord)]) -> Vec<KconfigView> {
    let names: BTreeSet<&String> = judged.iter().flat_map(|(_, base)| base.kconfigs.keys()).collect();
    let view = |name: &String| {
        let say = |base: &BaseRecord| match base.kconfigs.get(name) {
            None => ("none", "not looked at".to_owned()),
            Some(KconfigBase::Good) => ("good", "good".to_owned()),
            Some(KconfigBase::DoesNotBuild { reason } | KconfigBase::DoesNotBoot { reason }) => ("bad", text(reason)),
            Some(KconfigBase::Unknown) => ("warn", "no answer".to_owned()),
        };
        let point = |(night, base): &(&str, &BaseRecord)| {
            let (class, said) = say(base);
            (class, format!("{night}: {said}"))
        };
        let (class, now) = judged.last().map_or(("none", String::new()), |(_, base)| say(base));
        KconfigView {
            name: name.clone(),
            strip: strip::row(&judged.iter().map(point).collect::<Vec<_>>()),
            now,
            class: if class == "none" { "dim" } else { class },
        }
    };
    names.into_iter().map(view).collect()
}
