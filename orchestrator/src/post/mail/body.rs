//! The text of the mail: verdict first, then what a reviewer needs to believe it.

use std::collections::BTreeSet;

use super::findings;
use super::message::Previous;
use super::numbers;
use super::page::Page;
use super::standing::Standing;
use super::thread::Parent;
use crate::post::lists::{Lists, Sender};
use crate::report::model::{Report, TreeInfo};
use crate::report::{labels, view};
use crate::term::text::{count, duration, visible};
use crate::words::{Accel, Change, Kind, Series};

/// Names in one field; the others are counted.
const MAX_NAMES: usize = 8;

/// Names listed in a sentence; the others are counted.
const MAX_LISTED: usize = 3;

/// Entries of a list; the others are counted.
const MAX_BULLETS: usize = 6;

/// All that the text is made from. The report is harmless already.
pub(super) struct Said<'a> {
    pub report: &'a Report,
    pub series: &'a Series,
    pub lists: &'a Lists,
    pub sender: &'a Sender,
    pub parent: &'a Parent,
    pub previous: Option<&'a Previous>,
    pub standing: &'a Standing,
    pub message_id: &'a str,
}

impl Said<'_> {
    /// True when the patches are not the posted mails.
    pub fn is_port(&self) -> bool {
        self.report.series.port
    }
}

/// The text.
pub(super) fn body(said: &Said<'_>) -> String {
    let mut page = Page::default();
    greeting(&mut page, said);
    verdict(&mut page, said);
    // What has to be mended comes before what it was found on.
    findings::findings(&mut page, said);
    what_was_tested(&mut page, said);
    numbers::numbers(&mut page, said.report);
    not_covered(&mut page, said.report);
    base_health(&mut page, said.report);
    page.gap();
    page.line("-- ");
    let run = &said.report.run;
    page.line(&format!("orchestrator {}, run {}, {}", run.version, run.id, duration(said.report.timing.wall_ms)));
    // A signature begins with two hyphens and a space; the page trims its lines.
    page.finish().replace("\n--\n", "\n-- \n")
}

fn patches(n: usize) -> String {
    if n == 1 { "1 patch".to_owned() } else { format!("{n} patches") }
}

fn greeting(page: &mut Page, said: &Said<'_>) {
    let name = visible(&said.parent.envelope.from.name);
    let name: String = name.trim().chars().take(60).collect();
    page.line(&if name.is_empty() { "Hi,".to_owned() } else { format!("Hi {name},") });
    if said.is_port() {
        let trees: Vec<&str> = said.report.trees.iter().map(|tree| tree.name.as_str()).collect();
        page.paragraph(&format!(
            "the posted mails were not tested, but a port of them to {}: {} that were changed until they applied there. What is \
             said below holds for the port; where it differs from the mails, it may not hold for them.",
            trees.join(" and "),
            patches(said.report.series.patches.len()),
        ));
    }
}

fn verdict(page: &mut Page, said: &Said<'_>) {
    page.paragraph(&format!("{}: {}", labels::run(said.report.verdict).word, said.report.headline));
    let Some(previous) = said.previous else { return };
    let link = said.lists.link(&previous.message_id).unwrap_or_else(|| format!("<{}>", previous.message_id));
    match (previous.standing.findings.len(), said.standing.carried) {
        (0, _) => {}
        (1.., 0) => page.paragraph(&format!("This takes the place of the earlier report on this version, {link}")),
        (1.., carried) => page.paragraph(&format!(
            "{} of the earlier report on this version {} besides; this run did not look there again: {link}",
            count(carried as u64, "finding"),
            if carried == 1 { "stands" } else { "stand" }
        )),
    }
}

fn what_was_tested(page: &mut Page, said: &Said<'_>) {
    let report = said.report;
    let series = &report.series;
    page.gap();
    let version = series.upstream.as_ref().map(|upstream| upstream.version).or(series.version);
    let version = version.map(|version| format!(" v{version}")).unwrap_or_default();
    let port = if said.is_port() { " (port)" } else { "" };
    page.field("series", &format!("{}{version}, {}{port}", series.title, patches(series.patches.len())));
    if let Some(link) = said.lists.link(&said.parent.envelope.message_id) {
        page.field_to_copy("url", &link);
    }
    for tree in &report.trees {
        page.field("base", &base(tree));
        for note in tree.notes.iter().take(3) {
            page.field("", note);
        }
    }
    for kind in [Kind::Boot, Kind::Link, Kind::Compile] {
        let of_kind = report.kconfigs.iter().filter(|kconfig| kconfig.kind == kind);
        let all: Vec<String> = of_kind.map(|kconfig| format!("{} ({})", kconfig.name, kconfig.arch)).collect();
        if !all.is_empty() {
            page.field("config", &format!("{}: {}", labels::word(&kind), some(&all, MAX_NAMES)));
        }
    }
    let compilers: BTreeSet<&String> = report.kconfigs.iter().map(|kconfig| &kconfig.toolchain).collect();
    page.field("compiler", &some(&compilers.into_iter().cloned().collect::<Vec<_>>(), MAX_NAMES));
    let booted = report.boots.iter().filter(|boot| boot.attempt > 0);
    let machines: BTreeSet<String> =
        booted.map(|boot| format!("{} ({})", boot.machine, executed(boot.accel))).collect();
    if !machines.is_empty() {
        page.field("machine", &some(&machines.into_iter().collect::<Vec<_>>(), MAX_NAMES));
    }
    builds_and_tests(page, report);
}

fn base(tree: &TreeInfo) -> String {
    if let Some(error) = &tree.error {
        return format!("{}: could not be had: {error}", tree.name);
    }
    let commit = tree.commit.as_ref().map(|commit| format!("commit {}", commit.chars().take(12).collect::<String>()));
    let parts = [tree.kernel_version.clone(), commit, tree.source.clone()];
    format!("{}: {}", tree.name, parts.into_iter().flatten().collect::<Vec<_>>().join(", "))
}

/// How a machine executes instructions.
fn executed(accel: Accel) -> &'static str {
    match accel {
        Accel::Kvm => "hardware virtualisation",
        Accel::Tcg => "emulated",
        Accel::Icount => "emulated, clock counts instructions",
        Accel::Native => "a real machine",
    }
}

/// At most `max` of the names.
fn some(names: &[String], max: usize) -> String {
    let mut text = names.iter().take(max).cloned().collect::<Vec<_>>().join(", ");
    if names.len() > max {
        text.push_str(&format!(" and {} more", names.len() - max));
    }
    text
}

/// `22 kconfigs: a, b, c` with the first names alone, where what stands behind the colon is a list of names.
fn shortened(text: &str) -> String {
    let Some((head, tail)) = text.rsplit_once(": ") else { return text.to_owned() };
    let names: Vec<String> = tail.split(", ").map(str::to_owned).collect();
    let is_list = names.iter().all(|name| !name.is_empty() && !name.contains(char::is_whitespace));
    if is_list { format!("{head}: {}", some(&names, MAX_LISTED)) } else { text.to_owned() }
}

fn builds_and_tests(page: &mut Page, report: &Report) {
    let builds = &report.coverage.builds;
    let others = [(builds.failed, "failed"), (builds.infra, "without an answer"), (builds.not_run, "not run")];
    let others: String = others.into_iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!(", {n} {what}")).collect();
    page.field("builds", &format!("{} of {} built (base and every patch){others}", builds.built, builds.planned));
    let tests = &report.coverage.tests;
    if report.tests.is_empty() {
        page.field("tests", "none ran");
        return;
    }
    let mut counts: std::collections::BTreeMap<Change, usize> = std::collections::BTreeMap::new();
    for (change, n) in report.tests.iter().flat_map(view::counts) {
        *counts.entry(change).or_default() += n;
    }
    let counts: Vec<String> =
        counts.into_iter().map(|(change, n)| format!("{n} {}", labels::change(change).word.to_lowercase())).collect();
    let side = |side: crate::report::model::SideCoverage| format!("{} of {}", side.covered, side.total);
    page.field(
        "tests",
        &format!(
            "{} gave an answer on the base, {} with the series, {} on both: {}",
            side(tests.base),
            side(tests.patched),
            tests.both,
            counts.join(", ")
        ),
    );
}

fn not_covered(page: &mut Page, report: &Report) {
    let all = &report.coverage.not_covered;
    if all.is_empty() && report.coverage.unmeasured.is_empty() {
        return;
    }
    page.paragraph("Not covered:");
    for not in all.iter().take(MAX_BULLETS) {
        let place: Vec<&str> = not.tree.iter().chain(&not.kconfig).map(String::as_str).collect();
        let place = if place.is_empty() { String::new() } else { format!(" ({})", place.join(", ")) };
        page.bullet(&format!("{}{place}: {}", shortened(&not.what), not.why));
    }
    for unmeasured in report.coverage.unmeasured.iter().take(MAX_BULLETS) {
        page.bullet(unmeasured);
    }
    let more = all.len().saturating_sub(MAX_BULLETS) + report.coverage.unmeasured.len().saturating_sub(MAX_BULLETS);
    if more > 0 {
        page.bullet(&format!("and {more} more"));
    }
}

fn base_health(page: &mut Page, report: &Report) {
    let all = &report.coverage.base_health;
    if all.is_empty() {
        return;
    }
    page.paragraph("The base has trouble of its own, which is not held against the series:");
    for health in all.iter().take(MAX_BULLETS) {
        page.bullet(&shortened(&health.summary));
    }
    if all.len() > MAX_BULLETS {
        page.bullet(&format!("and {} more", all.len() - MAX_BULLETS));
    }
}

#[cfg(test)]
mod tests {
    use super::shortened;

    #[test]
    fn only_lists_of_names_are_shortened() {
        for (text, expected) in [
            ("22 kconfigs: a, b, c, d, e", "22 kconfigs: a, b, c and 2 more"),
            ("6 tests fail without the series, too: x.y", "6 tests fail without the series, too: x.y"),
            ("kconfig w1", "kconfig w1"),
            (
                "the base warns: one, two and three, four, five, six",
                "the base warns: one, two and three, four, five, six",
            ),
        ] {
            assert_eq!(shortened(text), expected);
        }
    }
}
