//! The report as Markdown: `report.md`, also the draft of a mail or of a comment on a pull request.

pub(crate) mod escape;
mod metrics;
mod since;

use escape::{block, cell_code, code, text};

use super::harmless::harmless;
use super::labels;
use super::model::{Report, SideCoverage};
use super::{nodes, view};
use crate::term::text::{count, duration};
use crate::words::{Change, Finding};

/// Tests named in one cell.
const MAX_TESTS: usize = 6;

/// The report as Markdown (CommonMark with tables).
pub fn markdown(report: &Report) -> String {
    let report = harmless(report);
    let mut out = String::new();
    head(&mut out, &report);
    findings(&mut out, &report);
    since::since(&mut out, &report);
    builds(&mut out, &report);
    tests(&mut out, &report);
    metrics::metrics(&mut out, &report);
    coverage(&mut out, &report);
    foot(&mut out, &report);
    out
}

/// Appends a line.
fn line(out: &mut String, text: &str) {
    out.push_str(text.trim_end());
    out.push('\n');
}

fn title(out: &mut String, text: &str) {
    line(out, "");
    line(out, &format!("## {text}"));
    line(out, "");
}

fn table(out: &mut String, heads: &[&str], rows: impl IntoIterator<Item = Vec<String>>) {
    line(out, &format!("| {} |", heads.join(" | ")));
    line(out, &format!("|{}", "---|".repeat(heads.len())));
    for row in rows {
        line(out, &format!("| {} |", row.join(" | ")));
    }
}

fn head(out: &mut String, report: &Report) {
    let verdict = labels::run(report.verdict);
    line(out, &format!("**{}**: {}", verdict.word, text(&report.headline)));
    line(out, "");
    let series = &report.series;
    let version = series.version.map(|version| format!(" v{version}")).unwrap_or_default();
    let patches = match series.patches.len() {
        1 => "1 patch".to_owned(),
        n => format!("{n} patches"),
    };
    let port = match &series.upstream {
        Some(upstream) if series.port => {
            format!(", ported from “{}” v{} ({})", text(&upstream.title), upstream.version, code(&upstream.message_id))
        }
        _ => String::new(),
    };
    line(out, &format!("Series {}: {}{version}, {patches}{port}.", code(&series.name), text(&series.title)));
    line(out, "");
    if let Some(posting) = &series.posting {
        let place = posting.url.as_deref().unwrap_or(&posting.source);
        let summary = posting.summary();
        let more = if summary.is_empty() { String::new() } else { format!("; {}", text(&summary)) };
        line(out, &format!("- posted: {}{more}", code(place)));
    }
    for tree in &report.trees {
        match &tree.error {
            Some(error) => line(out, &format!("- tree {}: could not be had: {}", code(&tree.name), text(error))),
            None => {
                let version = tree.kernel_version.as_deref().unwrap_or("unknown version");
                let source = tree.source.as_deref().unwrap_or("unknown source");
                let commit = tree.commit.as_deref().map(|commit| format!(", base {}", code(commit)));
                let rest = format!("{}, {}{}", text(version), text(source), commit.unwrap_or_default());
                line(out, &format!("- tree {}: {rest}", code(&tree.name)));
            }
        }
        for skipped in &tree.skipped_sources {
            line(out, &format!("  - skipped: {}", text(skipped)));
        }
        for base in tree.base.iter().flat_map(view::base_lines) {
            line(out, &format!("  - {}", text(&base)));
        }
        for note in &tree.notes {
            line(out, &format!("  - {}", text(note)));
        }
    }
    for note in series.notes.iter().chain(&report.run.notes) {
        line(out, &format!("- note: {}", text(note)));
    }
}

fn findings(out: &mut String, report: &Report) {
    if report.findings.is_empty() {
        return;
    }
    let (problems, notices) = view::weigh(report);
    title(out, &format!("Findings: {}, {}", count(problems as u64, "problem"), count(notices as u64, "notice")));
    for (index, finding) in report.findings.iter().enumerate() {
        if index > 0 {
            line(out, "");
        }
        one_finding(out, index + 1, finding);
    }
}

fn one_finding(out: &mut String, number: usize, finding: &Finding) {
    let severity = labels::severity(finding.severity);
    let blamed = match &finding.patch {
        Some(patch) => format!("patch {}/{}: {}", patch.number, patch.total, text(&patch.subject)),
        None => text(&finding.revision),
    };
    line(out, &format!("### {number}. {} {}, {blamed}", severity.word, labels::word(&finding.kind)));
    line(out, "");
    line(out, &text(&finding.summary));
    line(out, "");
    let place: Vec<String> = view::place(finding).into_iter().map(code).collect();
    line(out, &format!("Seen on {}.", place.join(" · ")));
    for evidence in &finding.evidence {
        line(out, "");
        line(out, &format!("{}, {}:", text(&evidence.what), code(&evidence.source)));
        line(out, "");
        out.push_str(&block(&evidence.text));
    }
    line(out, "");
    line(out, "Reproduce:");
    line(out, "");
    out.push_str(&block(&finding.reproduce));
}

fn builds(out: &mut String, report: &Report) {
    for grid in view::grids(report) {
        title(out, &format!("Builds on {}", text(grid.tree)));
        let revisions: Vec<String> = grid.revisions.iter().map(|revision| revision.slug()).collect();
        let heads: Vec<&str> = ["kconfig", "kind"].into_iter().chain(revisions.iter().map(String::as_str)).collect();
        let rows = grid.rows.iter().map(|row| {
            let kind = row.info.map(|info| labels::word(&info.kind)).unwrap_or_default();
            let cells =
                row.cells.iter().map(|cell| cell.map(|cell| text(&labels::build(cell).marked())).unwrap_or_default());
            [cell_code(row.kconfig), kind].into_iter().chain(cells).collect()
        });
        table(out, &heads, rows);
    }
    let legend: Vec<String> =
        view::build_legend(report).iter().map(|(word, meaning)| format!("{}: {meaning}", text(word))).collect();
    if !legend.is_empty() {
        line(out, "");
        line(out, &format!("{}.", legend.join("; ")));
    }
    let reasons = view::build_reasons(report);
    if !reasons.is_empty() {
        line(out, "");
    }
    for (reason, cells) in reasons {
        let builds: Vec<String> = cells
            .iter()
            .map(|cell| code(&format!("{}/{}/{}", cell.tree, cell.revision.slug(), cell.kconfig)))
            .collect();
        line(out, &format!("- {}: {}", builds.join(", "), text(&reason)));
    }
}

fn tests(out: &mut String, report: &Report) {
    if report.tests.is_empty() {
        return;
    }
    title(out, "Tests, base against patched");
    let heads = ["tree", "kconfig", "machine", "result"];
    let rows = report.tests.iter().map(|table| {
        let counts: Vec<String> =
            view::counts(table).into_iter().map(|(change, n)| format!("{n} {}", labels::change(change).word)).collect();
        let note = table.note.as_ref().map(|note| format!("; {}", text(note))).unwrap_or_default();
        vec![
            cell_code(&table.tree),
            cell_code(&table.kconfig),
            cell_code(&table.machine),
            format!("{}{note}", counts.join(", ")),
        ]
    });
    table(out, &heads, rows);
    let changed = view::changed(report);
    if changed.is_empty() {
        return;
    }
    line(out, "");
    let rows = changed.iter().map(|changed| {
        let remarks: Vec<String> = changed.remarks.iter().map(|remark| text(remark)).collect();
        vec![
            labels::change(changed.change).marked(),
            cell_code(&view::names(&changed.tests, MAX_TESTS)),
            cell_code(&view::kconfig_on(report, changed.kconfig, changed.machine)),
            changed.base.clone(),
            changed.patched.clone(),
            remarks.join("; "),
        ]
    });
    table(out, &["change", "tests", "kconfig", "base", "patched", "remarks"], rows);
    line(out, "");
    let meanings: Vec<String> = view::changes(report)
        .into_iter()
        .filter(|(change, _)| *change != Change::StillPassing)
        .map(|(change, label)| format!("{}: {}", label.word, labels::change_meaning(change)))
        .collect();
    line(out, &format!("{}.", meanings.join("; ")));
}

fn coverage(out: &mut String, report: &Report) {
    let coverage = &report.coverage;
    title(out, "Coverage");
    let side = |side: SideCoverage| format!("{} of {}", side.covered, side.total);
    let tests = &coverage.tests;
    line(out, &format!("- tests: base {}, patched {}, {} on both", side(tests.base), side(tests.patched), tests.both));
    let builds = &coverage.builds;
    line(
        out,
        &format!(
            "- builds: {} of {} built, {} failed, {} without an answer, {} not run",
            builds.built, builds.planned, builds.failed, builds.infra, builds.not_run
        ),
    );
    for not in &coverage.not_covered {
        let place: Vec<String> = not.tree.iter().chain(&not.kconfig).map(|place| code(place)).collect();
        let place = if place.is_empty() { String::new() } else { format!(" ({})", place.join(" · ")) };
        line(out, &format!("- not covered: {}{place}: {}", text(&not.what), text(&not.why)));
    }
    for health in &coverage.base_health {
        let kconfig = health.kconfig.as_ref().map(|kconfig| format!(" · {}", code(kconfig))).unwrap_or_default();
        line(out, &format!("- base ({}{kconfig}): {}", code(&health.tree), text(&health.summary)));
    }
}

fn foot(out: &mut String, report: &Report) {
    title(out, "Run");
    let run = &report.run;
    let timing = &report.timing;
    line(out, &format!("- {} {}, started {}", code(&run.id), text(&run.version), text(&run.started)));
    line(
        out,
        &format!(
            "- {} wall, {} CPU of make, QEMU and git; {}, {} reused from earlier runs",
            duration(timing.wall_ms),
            duration(timing.children_cpu_ms),
            count(timing.units_done, "unit"),
            timing.units_reused
        ),
    );
    let host = &run.host;
    let tools: Vec<String> = host.toolchains.iter().map(|tool| format!("{} {}", tool.name, tool.version)).collect();
    line(
        out,
        &format!(
            "- {}, {}, {}, {} ({})",
            text(&host.os),
            text(&host.arch),
            count(host.cores, "core"),
            labels::word(&host.accel),
            text(&host.accel_why)
        ),
    );
    line(out, &format!("- {}", text(&tools.join(", "))));
    let sandbox = if host.sandboxed { "builds sandboxed" } else { "builds not sandboxed" };
    line(out, &format!("- {sandbox}: {}", text(&host.sandbox)));
    for node in nodes::lines(report) {
        line(out, &format!("- {}", text(&node)));
    }
    line(out, "");
    line(out, "Repeat:");
    line(out, "");
    out.push_str(&block(&run.command));
}

#[cfg(test)]
mod tests {
    use pulldown_cmark::{Event, Options, Parser, Tag};

    use super::*;
    use crate::report::fixtures;

    #[test]
    fn all_sorts_of_run() {
        for (name, report) in fixtures::all() {
            insta::assert_snapshot!(name, markdown(&report));
        }
    }

    #[test]
    fn a_row_names_its_machine_where_there_are_several() {
        let mut report = fixtures::findings();
        let mut second = report.tests[0].clone();
        second.machine = "box-7".into();
        let place = |machine: &str| cell_code(&format!("{} on {machine}", second.kconfig));
        let places = [place(&report.tests[0].machine), place("box-7")];
        assert!(places.iter().all(|place| !markdown(&report).contains(place)));
        report.tests.push(second);
        let text = markdown(&report);
        assert!(places.iter().all(|place| text.contains(place)), "{text}");
    }

    #[test]
    fn hostile_text_makes_no_markup() {
        let evil = "</code><script>x</script> ![i](http://e) [l](http://e) | `` ``` \n# h\n\u{1b}[31m @all";
        let mut report = fixtures::findings();
        for finding in &mut report.findings {
            finding.summary = evil.into();
            finding.reproduce = evil.into();
            finding.kconfig = Some(evil.into());
            for evidence in &mut finding.evidence {
                (evidence.text, evidence.source, evidence.what) = (evil.into(), evil.into(), evil.into());
            }
        }
        report.headline = evil.into();
        report.tests[0].rows[0].change = Change::Regressed;
        report.tests[0].rows[0].test = evil.into();
        report.tests[0].rows[0].note = Some(evil.into());
        report.builds[0].kconfig = evil.into();
        let text = markdown(&report);
        assert!(!text.contains('\u{1b}'));
        let columns = |start: &str| {
            let rows = text.lines().filter(|line| line.starts_with(start));
            rows.map(|line| line.replace("\\|", "").matches('|').count()).collect::<Vec<_>>()
        };
        assert!(columns("| ✗ REGRESSED").iter().all(|bars| *bars == 7), "a cell was broken");
        for event in Parser::new_ext(&text, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH) {
            let bad = matches!(
                event,
                Event::Html(_) | Event::InlineHtml(_) | Event::Start(Tag::Link { .. } | Tag::Image { .. })
            );
            assert!(!bad, "{event:?}");
        }
    }
}
