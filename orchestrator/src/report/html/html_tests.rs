use std::collections::HashSet;

use regex::Regex;

use super::*;
use crate::report::fixtures;
use crate::report::labels;
use crate::words::Evidence;

/// All values of an attribute, in order.
fn values<'a>(page: &'a str, attribute: &str) -> Vec<&'a str> {
    let pattern = Regex::new(&format!(r#"<[^>]* {attribute}="([^"]*)""#)).unwrap();
    pattern.captures_iter(page).map(|found| found.get(1).unwrap().as_str()).collect()
}

/// The text from `start` up to and with the next `end`.
fn part<'a>(page: &'a str, start: &str, end: &str) -> &'a str {
    let from = page.find(start).unwrap_or_else(|| panic!("no {start}"));
    let length = page[from..].find(end).unwrap_or_else(|| panic!("no {end}"));
    &page[from..from + length + end.len()]
}

/// The page without its stylesheet.
fn body(page: &str) -> &str {
    part(page, "<body>", "</body>")
}

/// Opens and closes every element in turn; what is left open is the answer.
fn unbalanced(body: &str) -> Vec<String> {
    let tags = Regex::new(r"<(/?)([a-z0-9]+)[^>]*>").unwrap();
    let mut open: Vec<String> = Vec::new();
    for tag in tags.captures_iter(body) {
        let name = tag[2].to_owned();
        match (&tag[1], name.as_str()) {
            (_, "br" | "input") => {}
            ("", _) => open.push(name),
            (_, _) if open.last() == Some(&name) => drop(open.pop()),
            (_, _) => return vec![format!("</{name}> in {open:?}")],
        }
    }
    open
}

#[test]
fn elements_are_closed_in_all_sorts_of_run() {
    for (name, report) in fixtures::all() {
        assert_eq!(unbalanced(body(&html(&report))), Vec::<String>::new(), "{name}");
    }
}

#[test]
fn the_page_loads_nothing_and_runs_nothing() {
    for (name, report) in fixtures::all() {
        let page = html(&report);
        for bad in ["<script", "<link", "<img", "<iframe", "@import", "url(", " src=", " onclick", "<form"] {
            assert!(!page.contains(bad), "{name}: {bad}");
        }
        assert!(page.contains("default-src 'none'"), "{name}");
    }
}

#[test]
fn links_lead_somewhere_in_the_page_the_run_folder_or_the_archive() {
    for (name, report) in fixtures::all() {
        let page = html(&report);
        let ids = values(&page, "id");
        let unique: HashSet<&str> = ids.iter().copied().collect();
        assert_eq!(ids.len(), unique.len(), "{name}: an id stands twice");
        let links = values(&page, "href");
        assert!(links.len() > 10, "{name}");
        for link in links {
            match link.strip_prefix('#') {
                Some(id) => assert!(unique.contains(id), "{name}: {link}"),
                None => assert!(
                    link.starts_with("units/")
                        || link.starts_with("series/")
                        || link.starts_with("https://lore.kernel.org/r/")
                        || link == "report.json",
                    "{name}: {link}"
                ),
            }
        }
    }
}

#[test]
fn filters_belong_to_rows() {
    let page = html(&fixtures::findings());
    for rule in Regex::new(r"#f-([a-z-]+):not\(:checked\)\) tr\.c-([a-z-]+)").unwrap().captures_iter(&page) {
        assert_eq!(rule[1], rule[2]);
        if &rule[1] != "still-passing" {
            assert!(page.contains(&format!(r#"id="f-{}""#, &rule[1])), "{}", &rule[1]);
            assert!(page.contains(&format!(r#"<tr class="c-{}""#, &rule[1])), "{}", &rule[1]);
        }
    }
    assert_eq!(values(&page, "id").iter().filter(|id| id.starts_with("f-")).count(), 9);
}

#[test]
fn all_that_was_found_is_on_the_page() {
    let report = fixtures::findings();
    let page = html(&report);
    for finding in &report.findings {
        assert!(page.contains(&labels::word(&finding.kind)), "{:?}", finding.kind);
        assert!(page.contains(&finding.reproduce), "{:?}", finding.kind);
    }
    assert_eq!(page.matches("<article").count(), report.findings.len());
    for not in &report.coverage.not_covered {
        assert!(page.contains(&not.what), "{}", not.what);
    }
}

#[test]
fn a_run_without_an_answer_does_not_look_clean() {
    for report in [fixtures::infra(), fixtures::interrupted()] {
        let page = html(&report);
        assert!(!page.contains("None.</p>"));
        assert!(page.contains("Nothing was booted, so nothing is known."));
    }
    assert!(html(&fixtures::clean()).contains("None.</p>"));
}

#[test]
fn hostile_text_stays_text() {
    let evil = "\"'><script>alert(1)</script><img src=x onerror=y>&amp;\u{202e}\u{1b}[31m";
    let mut report = fixtures::findings();
    report.headline = evil.into();
    report.series.title = evil.into();
    report.series.patches[0].message_id = Some(evil.into());
    report.trees[0].source = Some(evil.into());
    report.builds[0].kconfig = evil.into();
    report.builds[0].log = Some(format!("javascript:{evil}"));
    report.builds[1].log = Some("javascript:alert(1)".into());
    report.tests[0].rows[0].test = evil.into();
    report.tests[0].rows[0].change = crate::words::Change::Regressed;
    report.tests[0].rows[0].note = Some(evil.into());
    report.boots[0].console = Some("../../../../etc/passwd".into());
    report.boots[0].uname = evil.into();
    report.coverage.not_covered[0].why = evil.into();
    let finding = &mut report.findings[0];
    (finding.summary, finding.reproduce) = (evil.into(), evil.into());
    finding.evidence =
        vec![Evidence { what: evil.into(), source: evil.into(), text: format!("{evil}\n").repeat(100_000) }];
    let page = html(&report);
    assert_eq!(unbalanced(body(&page)), Vec::<String>::new());
    for bad in ["<script", "<img", "\u{202e}", "\u{1b}", "javascript:"] {
        assert!(!page.contains(bad), "{bad}");
    }
    assert!(values(&page, "href").iter().all(|link| !link.contains("..")));
    assert!(page.len() < 400_000, "evidence is bounded, not {} bytes", page.len());
}

#[test]
fn one_finding() {
    let page = html(&fixtures::findings());
    insta::assert_snapshot!(part(&page, r#"<article class="finding bad" id="finding-3">"#, "</article>"));
}

#[test]
fn grid_of_identical_images() {
    let page = html(&fixtures::identical());
    insta::assert_snapshot!(part(&page, r#"<table class="grid">"#, "</table>"));
}

#[test]
fn tree_that_could_not_be_had() {
    let page = html(&fixtures::tree_missing());
    insta::assert_snapshot!(part(&page, r#"<section id="series""#, "</section>"));
}

#[test]
fn metrics_are_on_the_page_with_what_they_do_not_see() {
    let report = fixtures::measured();
    let page = html(&report);
    let section = part(&page, r#"<section id="metrics""#, "</section>");
    for row in &report.metrics {
        assert!(section.contains(&row.metric), "{}", row.metric);
    }
    for row in report.metrics.iter().flat_map(|row| &row.functions) {
        assert!(section.contains(&row.function), "{}", row.function);
    }
    for sentence in ["caches, TLB and contention", "p = 0.0004", "patch 2/6 +1.2%", "4 boots of the base and 12"] {
        assert!(section.contains(sentence), "{sentence}");
    }
    assert_eq!(section.matches("<figure class=\"chart\">").count(), 9);
    assert!(!section.contains("NaN") && !section.contains("inf%"));
    assert!(!html(&fixtures::clean()).contains("id=\"metrics\""));
}

#[test]
fn one_row_of_the_forest() {
    let page = html(&fixtures::measured());
    let rows = part(&page, r#"<table class="wide forest">"#, "</table>");
    insta::assert_snapshot!(part(rows, "<tbody>", "</tr>"));
}

#[test]
fn odd_numbers_draw_something() {
    let mut report = fixtures::measured();
    for (index, row) in report.metrics.iter_mut().enumerate() {
        let cost = [0.0, 1e-9, 1e18][index % 3];
        if let (Some(base), Some(effect)) = (&mut row.base, &mut row.effect) {
            base.median = cost;
            (effect.estimate, effect.low, effect.high) = (cost, -cost, cost);
            effect.visible = 0.0;
        }
    }
    let page = html(&report);
    assert_eq!(unbalanced(body(&page)), Vec::<String>::new());
    let odd = regex::Regex::new(r"\b(NaN|inf)\b").unwrap();
    assert!(!odd.is_match(&page), "a coordinate is no number");
}
