//! The pages of a small history, hostile texts included.

use std::collections::BTreeMap;

use super::gather::Gathered;
use super::pages;
use crate::nightly::{BaseRecord, BaseStanding, KconfigBase, NightEvent, RunOutcome, State, Target};
use crate::report::fixtures;
use crate::report::harmless::harmless;
use crate::report::model::Report;
use crate::words::Profile;

const HOSTILE: &str = "<script>alert(1)</script>\u{1b}[31m\" onload=\"x";

fn report(run: &str, mut report: Report) -> Report {
    report.run.id = format!("{run}-020000-v6");
    report.run.started = format!("{}-{}-{}T02:00:00Z", &run[..4], &run[4..6], &run[6..]);
    harmless(&report)
}

/// Some nights of one series on one tree.
pub fn history() -> Gathered {
    let reports = vec![
        report("20260401", fixtures::clean()),
        report("20260402", fixtures::findings()),
        report("20260403", fixtures::measured()),
        report("20260404", fixtures::infra()),
    ];
    let mut state = State::default();
    for (day, report) in reports.iter().enumerate() {
        let night = format!("2026-04-{:02}", day + 1);
        let at = format!("{night}T02:00:00Z").parse().unwrap();
        let tree = report.trees[0].name.clone();
        let target = Target {
            series: "v6".into(),
            version: Some(6),
            content: "c".into(),
            tree: tree.clone(),
            commit: format!("{day}abcdef0123456789"),
            profile: Profile::Nightly,
        };
        let outcome = RunOutcome::of(report.verdict);
        let base = BaseRecord {
            commit: target.commit.clone(),
            kernel_version: "6.12.117".into(),
            run: report.run.id.clone(),
            standing: if day == 3 { BaseStanding::Broken } else { BaseStanding::Good },
            kconfigs: [("hmm".to_owned(), KconfigBase::Good)].into(),
            failing: Vec::new(),
        };
        let run = Some(report.run.id.clone());
        let headline = format!("{} {HOSTILE}", report.headline);
        for event in [
            NightEvent::NightBegan { night: night.clone(), pid: 1 },
            NightEvent::BaseJudged { night: night.clone(), tree, base },
            NightEvent::RunEnded {
                night: night.clone(),
                target,
                run,
                outcome,
                headline,
                problems: 0,
                known: "none".into(),
            },
            NightEvent::Trouble { night: night.clone(), message: HOSTILE.into() },
            NightEvent::NightEnded { night, summary: "1 of 1 runs done".into() },
        ] {
            state.add(at, &event);
        }
    }
    Gathered { reports, state, stale_nights: 14, today: "2026-04-05".parse().unwrap(), ..Gathered::default() }
}

#[test]
fn every_page_is_there_and_every_link_leads_somewhere() {
    let pages = pages(&history());
    let names: Vec<&str> = pages.keys().map(String::as_str).collect();
    assert_eq!(names, ["index.html", "metrics.html", "series/v6.html", "tests.html", "tree/linux-6.12.html"]);
    for (path, page) in &pages {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        for href in page.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()) {
            if let Some(anchor) = href.strip_prefix('#') {
                assert!(page.contains(&format!("id=\"{anchor}\"")), "{path}: {href}");
                continue;
            }
            assert!(!href.starts_with('/') && !href.contains(':'), "{path}: {href}");
            let target = resolve(folder, href.split('#').next().unwrap());
            let is_run = target.starts_with("../2026") && target.ends_with("/report.html");
            assert!(is_run || pages.contains_key(&target), "{path}: {href} is {target}");
        }
    }
}

/// Where a relative link leads, from the folder of all pages.
fn resolve(folder: &str, href: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in href.split('/') {
        match part {
            ".." if parts.last().is_some_and(|last| *last != "..") => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[test]
fn hostile_text_is_only_text_and_nothing_is_loaded() {
    for (path, page) in pages(&history()) {
        assert!(!page.contains("<script") && !page.contains('\u{1b}'), "{path}");
        assert!(!page.contains("\" onload"), "{path}");
        for loads in ["src=", "@import", "url(", "<link", "<iframe"] {
            assert!(!page.contains(loads), "{path} has {loads}");
        }
        assert!(page.contains("default-src 'none'"), "{path}");
    }
    assert!(pages(&history())["index.html"].contains("&#60;script&#62;"));
}

#[test]
fn what_stands_where() {
    let pages = pages(&history());
    let index = &pages["index.html"];
    assert!(index.contains("id=\"night-2026-04-02\"") && index.contains("1 of 1 runs done"));
    assert!(index.contains("title=\"2026-04-02: findings\""));
    let series = &pages["series/v6.html"];
    assert!(series.contains("Migrate on fault for device pages"));
    assert!(series.contains("../../20260402-020000-v6/report.html"));
    assert!(pages["metrics.html"].contains("<polyline"));
    assert!(pages["tests.html"].contains("class=\"strip\""));
    assert!(pages["tree/linux-6.12.html"].contains("6.12.117"));
}

#[test]
fn an_empty_history_has_pages_that_say_so() {
    let pages = pages(&Gathered { today: "2026-04-05".parse().unwrap(), ..Gathered::default() });
    assert_eq!(pages.len(), 3);
    assert!(pages["index.html"].contains("There was no night yet"));
    assert!(pages["tests.html"].contains("No run has tested anything yet"));
}

#[test]
fn a_finding_is_open_since_the_first_run_of_an_unbroken_row() {
    let mut gathered = history();
    let found = gathered.reports[1].clone();
    gathered.reports = ["20260401", "20260402", "20260403", "20260404"].map(|run| report(run, found.clone())).into();
    gathered.reports[1] = report("20260402", fixtures::clean());
    gathered.state = State::default();
    let open = super::findings::open(&gathered, "v6");
    assert!(!open.is_empty());
    for one in &open {
        assert_eq!((one.since.day(), one.runs), ("2026-04-03", 2), "{}", one.finding.summary);
    }
    let _: BTreeMap<String, String> = pages(&gathered);
}
