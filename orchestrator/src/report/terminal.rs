//! The report on a terminal: verdict first, then what a person has to know to act.

mod metrics;
mod since;

use super::harmless::{harmless, harmless_text};
use super::labels::{self, Label, Tone};
use super::model::{Previous, Report, TreeInfo};
use super::{nodes, view};
use crate::term::Styles;
use crate::term::text::{count, duration, pad, truncate, visible, width, wrap};
use crate::words::{Evidence, Finding};

/// Findings shown in full; the others are counted.
const MAX_FINDINGS: usize = 20;

/// Lines shown of one piece of evidence.
const MAX_EVIDENCE: usize = 8;

/// Tests named in one line.
const MAX_TESTS: usize = 6;

/// The report as text of at most `columns` columns, except for commands and paths, which stay whole to be copied.
pub fn terminal(report: &Report, columns: usize, styles: &Styles) -> String {
    let report = harmless(report);
    let mut page = Page { out: String::new(), columns: columns.max(40), styles: *styles };
    head(&mut page, &report);
    findings(&mut page, &report);
    since::since(&mut page, &report);
    builds(&mut page, &report);
    test_tables(&mut page, &report);
    metrics::metrics(&mut page, &report);
    coverage(&mut page, &report);
    foot(&mut page, &report);
    if !report.findings.is_empty() {
        // The top has scrolled away by now.
        page.line("");
        verdict(&mut page, &report);
    }
    page.out
}

/// What changed from one run to another, as text of at most `columns` columns.
pub fn since_terminal(previous: &Previous, title: &str, columns: usize, styles: &Styles) -> String {
    let previous = harmless_text(previous);
    let mut page = Page { out: String::new(), columns: columns.max(40), styles: *styles };
    let title = page.styles.strong(visible(title));
    page.line(&title);
    since::body(&mut page, &previous);
    page.out
}

/// Text that grows.
struct Page {
    out: String,
    columns: usize,
    styles: Styles,
}

impl Page {
    fn line(&mut self, text: &str) {
        self.out.push_str(text.trim_end());
        self.out.push('\n');
    }

    fn title(&mut self, text: &str) {
        let title = self.styles.strong(text);
        self.out.push('\n');
        self.line(&title);
    }

    /// A paragraph beside `first`, which takes `indent` columns on the screen.
    fn hang(&mut self, first: &str, indent: usize, text: &str) {
        let room = self.columns.saturating_sub(indent).max(20);
        let lines = wrap(text, room);
        let start = std::iter::once(first.to_owned()).chain(std::iter::repeat(" ".repeat(indent)));
        for (start, line) in start.zip(if lines.is_empty() { vec![String::new()] } else { lines }) {
            self.line(&(start + &line));
        }
    }

    /// A name in a column of its own and a paragraph beside it.
    fn field(&mut self, name: &str, text: &str) {
        let name = self.styles.dim(pad(name, 10));
        self.hang(&format!("  {name}"), 12, text);
    }

    fn paint(&self, tone: Tone, text: &str) -> String {
        match tone {
            Tone::Good => self.styles.good(text),
            Tone::Bad => self.styles.bad(text),
            Tone::Warn => self.styles.warn(text),
            Tone::Dim => self.styles.dim(text),
        }
    }
}

fn verdict(page: &mut Page, report: &Report) {
    let verdict = labels::run(report.verdict);
    let word = page.paint(verdict.tone, &verdict.word);
    page.hang(&format!("{word}  "), width(&verdict.word) + 2, &report.headline);
}

fn head(page: &mut Page, report: &Report) {
    verdict(page, report);
    page.line("");
    let series = &report.series;
    let version = series.version.map(|version| format!(" v{version}")).unwrap_or_default();
    let patches = match series.patches.len() {
        1 => "1 patch".to_owned(),
        n => format!("{n} patches"),
    };
    let mut text = format!("{}: {}{version}, {patches}", series.name, series.title);
    if let Some(upstream) = series.upstream.as_ref().filter(|_| series.port) {
        text.push_str(&format!(", a port of <{}>", upstream.message_id));
    }
    page.field("series", &text);
    if let Some(posting) = &series.posting {
        page.field("posted", posting.url.as_deref().unwrap_or(&posting.source));
        if !posting.summary().is_empty() {
            page.field("", &posting.summary());
        }
    }
    for tree in &report.trees {
        page.field("tree", &tree_text(tree));
        for skipped in &tree.skipped_sources {
            page.field("", &format!("skipped: {skipped}"));
        }
        for line in tree.base.iter().flat_map(view::base_lines) {
            page.field("", &line);
        }
        for note in &tree.notes {
            page.field("", note);
        }
    }
    for note in series.notes.iter().chain(&report.run.notes) {
        page.field("note", note);
    }
}

fn tree_text(tree: &TreeInfo) -> String {
    if let Some(error) = &tree.error {
        return format!("{}: could not be had: {error}", tree.name);
    }
    // The source of a branch or a clone names the commit itself.
    let named = |commit: &String| tree.source.as_ref().is_some_and(|source| source.contains(commit.as_str()));
    let commit = tree.commit.as_ref().map(|commit| commit.chars().take(12).collect()).filter(|commit| !named(commit));
    let parts = [tree.kernel_version.clone(), tree.source.clone(), commit];
    format!("{}: {}", tree.name, parts.into_iter().flatten().collect::<Vec<String>>().join(", "))
}

fn findings(page: &mut Page, report: &Report) {
    if report.findings.is_empty() {
        return;
    }
    let (problems, notices) = view::weigh(report);
    page.title(&format!("Findings: {}, {}", count(problems as u64, "problem"), count(notices as u64, "notice")));
    for (index, finding) in report.findings.iter().take(MAX_FINDINGS).enumerate() {
        if index > 0 {
            page.line("");
        }
        one_finding(page, index + 1, finding);
    }
    if report.findings.len() > MAX_FINDINGS {
        page.line("");
        page.line(&format!("  and {} more, see report.html", report.findings.len() - MAX_FINDINGS));
    }
}

fn one_finding(page: &mut Page, number: usize, finding: &Finding) {
    let severity = labels::severity(finding.severity);
    let start = format!("{number:>3}. {} {}", severity.word, labels::word(&finding.kind));
    let painted = page.paint(severity.tone, &start);
    let where_ = match &finding.patch {
        Some(patch) => format!("  patch {}/{}: {}", patch.number, patch.total, patch.subject),
        None => format!("  {}", finding.revision),
    };
    let room = page.columns.saturating_sub(width(&start));
    page.line(&format!("{painted}{}", truncate(&where_, room)));
    page.hang("     ", 5, &finding.summary);
    page.hang("     ", 5, &view::place(finding).join(" · "));
    for evidence in &finding.evidence {
        proof(page, evidence);
    }
    let reproduce = page.styles.code(&finding.reproduce);
    page.line(&format!("     $ {reproduce}"));
}

fn proof(page: &mut Page, evidence: &Evidence) {
    let source = page.styles.dim(format!("{} {}", evidence.what, evidence.source));
    page.line(&format!("     {source}"));
    let lines: Vec<&str> = evidence.text.lines().collect();
    for line in lines.iter().take(MAX_EVIDENCE) {
        page.line(&format!("       | {}", truncate(line, page.columns - 9)));
    }
    if lines.len() > MAX_EVIDENCE {
        page.line(&format!("       | … {}", count((lines.len() - MAX_EVIDENCE) as u64, "more line")));
    }
}

fn builds(page: &mut Page, report: &Report) {
    for grid in view::grids(report) {
        page.title(&format!("Builds on {}", grid.tree));
        let names = grid.rows.iter().map(|row| width(row.kconfig)).max().unwrap_or(0).clamp(7, 24);
        // As many revisions side by side as fit; the others follow below.
        let room = page.columns.saturating_sub(names + 12).max(8) / 7;
        for start in (0..grid.revisions.len()).step_by(room) {
            let end = grid.revisions.len().min(start + room);
            let heads: String = grid.revisions[start..end].iter().map(|revision| pad(&revision.slug(), 7)).collect();
            let head = page.styles.dim(format!("  {}  {:<7} {}", pad("kconfig", names), "kind", heads.trim_end()));
            page.line(&head);
            for row in &grid.rows {
                let kind = row.info.map(|info| labels::word(&info.kind)).unwrap_or_default();
                let cells: String = row.cells[start..end]
                    .iter()
                    .map(|cell| match cell.map(labels::build) {
                        Some(Label { word, tone, mark: _ }) => {
                            page.paint(tone, &word) + &" ".repeat(7usize.saturating_sub(width(&word)))
                        }
                        None => " ".repeat(7),
                    })
                    .collect();
                page.line(&format!("  {}  {kind:<7} {cells}", pad(&truncate(row.kconfig, names), names)));
            }
        }
    }
    let legend: Vec<String> = view::build_legend(report)
        .into_iter()
        .filter(|(word, _)| *word != "ok")
        .map(|(word, meaning)| format!("{word}: {meaning}"))
        .collect();
    for line in legend {
        page.hang("  ", 4, &line);
    }
    for (reason, cells) in view::build_reasons(report) {
        let first = cells[0];
        let mut text = format!("{} {} {}", first.tree, first.kconfig, first.revision.slug());
        if cells.len() > 1 {
            text.push_str(&format!(" and {} more", cells.len() - 1));
        }
        page.hang("  ", 4, &format!("{text}: {reason}"));
    }
}

fn test_tables(page: &mut Page, report: &Report) {
    if report.tests.is_empty() {
        return;
    }
    page.title("Tests, base against patched");
    for table in &report.tests {
        let counts: Vec<String> =
            view::counts(table).into_iter().map(|(change, n)| format!("{n} {}", labels::change(change).word)).collect();
        let text = format!("{} {} {}: {}", table.tree, table.kconfig, table.machine, counts.join(", "));
        page.hang("  ", 4, &text);
        if let Some(note) = &table.note {
            page.hang("    ", 4, note);
        }
    }
    for changed in view::changed(report) {
        let label = labels::change(changed.change);
        let word = page.paint(label.tone, &pad(&label.word, 14));
        let names = view::names(&changed.tests, MAX_TESTS);
        let place = view::kconfig_on(report, changed.kconfig, changed.machine);
        let text = format!("{names} ({place}: {} → {})", changed.base, changed.patched);
        page.hang(&format!("  {word}"), 16, &text);
        for remark in &changed.remarks {
            page.hang("                ", 16, remark);
        }
    }
}

fn coverage(page: &mut Page, report: &Report) {
    let coverage = &report.coverage;
    page.title("Coverage");
    let tests = &coverage.tests;
    let side = |name, side: super::model::SideCoverage| format!("{name} {} of {}", side.covered, side.total);
    page.field(
        "tests",
        &format!("{}, {}, {} on both", side("base", tests.base), side("patched", tests.patched), tests.both),
    );
    let builds = &coverage.builds;
    let mut text = format!("{} of {} built", builds.built, builds.planned);
    for (n, what) in [(builds.failed, "failed"), (builds.infra, "without an answer"), (builds.not_run, "not run")] {
        if n > 0 {
            text.push_str(&format!(", {n} {what}"));
        }
    }
    page.field("builds", &text);
    for not in &coverage.not_covered {
        let place: Vec<&str> = not.tree.iter().chain(&not.kconfig).map(String::as_str).collect();
        let place = if place.is_empty() { String::new() } else { format!(" ({})", place.join(" · ")) };
        page.field("missing", &format!("{}{place}: {}", not.what, not.why));
    }
    for health in &coverage.base_health {
        page.field("base", &health.summary);
    }
}

fn foot(page: &mut Page, report: &Report) {
    let timing = &report.timing;
    page.title("Run");
    page.field("id", &report.run.id);
    let reused = match timing.units_reused {
        0 => String::new(),
        n => format!(", {n} reused from earlier runs"),
    };
    let text = format!(
        "{} wall, {} CPU of make, QEMU and git, {} of its own; {}{reused}",
        duration(timing.wall_ms),
        duration(timing.children_cpu_ms),
        duration(timing.cpu_ms),
        count(timing.units_done, "unit"),
    );
    page.field("time", &text);
    let host = &report.run.host;
    let accel = labels::word(&host.accel);
    page.field("host", &format!("{}, {}, {accel}: {}", host.os, count(host.cores, "core"), host.accel_why));
    for line in nodes::lines(report) {
        page.field("node", &line);
    }
    if !host.sandboxed {
        page.field("sandbox", &format!("none: {}", host.sandbox));
    }
    let command = page.styles.code(&report.run.command);
    page.line(&format!("  {}$ {command}", page.styles.dim(pad("again", 10))));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixtures;

    #[test]
    fn plain_text_of_all_sorts_of_run() {
        for (name, report) in fixtures::all() {
            for columns in [80, 120] {
                insta::assert_snapshot!(format!("{name}_{columns}"), terminal(&report, columns, &Styles::plain()));
            }
        }
    }

    #[test]
    fn a_row_names_its_machine_where_there_are_several() {
        let mut report = fixtures::findings();
        assert!(!terminal(&report, 400, &Styles::plain()).contains(" on box-7: "));
        let mut second = report.tests[0].clone();
        second.machine = "box-7".into();
        report.tests.push(second);
        let text = terminal(&report, 400, &Styles::plain());
        let place = |machine: &str| format!("({} on {machine}: ", report.tests[0].kconfig);
        for machine in [&report.tests[0].machine, "box-7"] {
            assert!(text.contains(&place(machine)), "{machine}: {text}");
        }
    }

    #[test]
    fn colour_adds_nothing_but_escapes() {
        let report = fixtures::findings();
        let colored = terminal(&report, 80, &Styles::colored());
        insta::assert_snapshot!("findings_80_colored", colored.replace('\u{1b}', "␛"));
        assert_eq!(anstream::adapter::strip_str(&colored).to_string(), terminal(&report, 80, &Styles::plain()));
    }

    #[test]
    fn lines_fit_unless_they_are_to_be_copied() {
        for (name, report) in fixtures::all() {
            for columns in [40, 60, 80, 120] {
                for line in terminal(&report, columns, &Styles::plain()).lines() {
                    let copied = ["$ ", "units/", "series/", ".", "<"].iter().any(|part| line.contains(part));
                    assert!(copied || width(line) <= columns, "{name}, {columns} columns: {line}");
                }
            }
        }
    }

    #[test]
    fn hostile_text_reaches_no_terminal() {
        let mut report = fixtures::findings();
        report.headline = "\u{1b}[2J\u{9b}31m\u{202e}".into();
        report.findings[0].reproduce = "x\u{1b}]52;c;AAAA\u{7}".into();
        let text = terminal(&report, 80, &Styles::plain());
        assert!(!text.chars().any(|c| c != '\n' && crate::term::text::is_hostile(c)));
    }
}
