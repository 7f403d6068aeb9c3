//! The report as JUnit XML, for CI systems that show it.
//!
//! One suite per tree and kconfig holds its builds and tests; what belongs to no kconfig is in the suite of its tree.
//! Findings of severity `problem` are failures, NOT-COVERED and STILL-FAILING are skipped, INFRA is an error.

use std::time::Duration;

use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestRerun, TestSuite};

use super::harmless::harmless;
use super::labels;
use super::model::{BuildCell, Report, RunVerdict, TestRow, TestTable};
use super::view;
use crate::words::{BuildOutcome, Change, Finding, FindingKind, Severity};

/// The report as JUnit XML.
pub fn junit(report: &Report) -> String {
    let report = harmless(report);
    let mut out = quick_junit::Report::new(format!("orchestrator {} {}", report.series.name, report.run.id));
    out.set_time(Duration::from_millis(report.timing.wall_ms));
    let mut findings = Findings { left: report.findings.iter().collect() };
    let mut suites = Suites { list: Vec::new() };
    for tree in &report.trees {
        let case = match &tree.error {
            Some(error) => bad(format!("tree {}", tree.name), NonSuccessKind::Error, "INFRA", error),
            None => TestCase::new(format!("tree {}", tree.name), TestCaseStatus::success()),
        };
        suites.add(&tree.name, None, case);
    }
    for cell in &report.builds {
        let found = findings.take(|finding| is_of_build(finding, cell));
        suites.add(&cell.tree, Some(&cell.kconfig), build_case(cell, &found));
    }
    for table in &report.tests {
        for row in &table.rows {
            let found = findings.take(|finding| is_of_test(finding, table, row));
            suites.add(&table.tree, Some(&table.kconfig), test_case(table, row, &found));
        }
    }
    for finding in findings.take(|_| true) {
        let name = format!("{} {}", labels::word(&finding.kind), finding.revision);
        let about = finding.test.as_ref().or(finding.metric.as_ref());
        let name = about.map(|about| format!("{name} {about}")).unwrap_or(name);
        let case = with_findings(TestCase::new(name, TestCaseStatus::success()), &[finding]);
        suites.add(&finding.tree, finding.kconfig.as_deref(), case);
    }
    match report.verdict {
        RunVerdict::Clean | RunVerdict::Findings => {}
        RunVerdict::Infra | RunVerdict::Interrupted => {
            let word = labels::run(report.verdict).word;
            suites.add("run", None, bad("run".to_owned(), NonSuccessKind::Error, &word, &report.headline));
        }
    }
    out.add_test_suites(suites.list);
    out.to_string().expect("writing to memory does not fail")
}

/// Findings that no test case shows yet.
struct Findings<'a> {
    left: Vec<&'a Finding>,
}

impl<'a> Findings<'a> {
    fn take(&mut self, mut wanted: impl FnMut(&Finding) -> bool) -> Vec<&'a Finding> {
        let (taken, left) = self.left.iter().partition(|finding| wanted(finding));
        self.left = left;
        taken
    }
}

/// The suites so far, in the order of their first case.
struct Suites {
    list: Vec<TestSuite>,
}

impl Suites {
    fn add(&mut self, tree: &str, kconfig: Option<&str>, mut case: TestCase) {
        let name = kconfig.map_or(tree.to_owned(), |kconfig| format!("{tree}/{kconfig}"));
        case.set_classname(name.replace(['.', '/'], "_"));
        if let Some(suite) = self.list.iter_mut().find(|suite| suite.name.as_str() == name) {
            suite.add_test_case(case);
            return;
        }
        let mut suite = TestSuite::new(name);
        suite.add_test_case(case);
        self.list.push(suite);
    }
}

fn is_of_build(finding: &Finding, cell: &BuildCell) -> bool {
    let about_builds = match finding.kind {
        FindingKind::BuildFailed
        | FindingKind::BisectBroken
        | FindingKind::ConfigDropped
        | FindingKind::NewWarning
        | FindingKind::SelftestBuildFailed => true,
        FindingKind::PatchRefused
        | FindingKind::ApplyFailed
        | FindingKind::TestRegressed
        | FindingKind::NewTestFailed
        | FindingKind::TestVanished
        | FindingKind::NewSplat
        | FindingKind::Panic
        | FindingKind::Hang
        | FindingKind::BootFailed
        | FindingKind::FlakyTest
        | FindingKind::MetricRegressed
        | FindingKind::MetricImproved => false,
    };
    about_builds
        && finding.tree == cell.tree
        && finding.kconfig.as_deref() == Some(&cell.kconfig)
        && finding.revision == cell.revision.to_string()
}

fn is_of_test(finding: &Finding, table: &TestTable, row: &TestRow) -> bool {
    finding.tree == table.tree
        && finding.kconfig.as_deref() == Some(&table.kconfig)
        && finding.machine.as_ref().is_none_or(|machine| *machine == table.machine)
        && finding.test.as_deref() == Some(&row.test)
}

fn build_case(cell: &BuildCell, found: &[&Finding]) -> TestCase {
    let name = format!("build {}", cell.revision);
    let mut case = match &cell.outcome {
        BuildOutcome::Built => TestCase::new(name, TestCaseStatus::success()),
        BuildOutcome::Infra { reason } => bad(name, NonSuccessKind::Error, "INFRA", reason),
        BuildOutcome::NotRun { reason } => skipped(name, "NOT-RUN", reason),
        // Without a finding of its own it fails as the revision before it, or as the base.
        BuildOutcome::Failed { reason } | BuildOutcome::SelftestsFailed { reason } => {
            skipped(name, "STILL-FAILING", reason)
        }
    };
    case.set_time(Duration::from_millis(cell.wall_ms));
    with_findings(case, found)
}

fn test_case(table: &TestTable, row: &TestRow, found: &[&Finding]) -> TestCase {
    let name = format!("{} on {}", row.test, table.machine);
    let label = labels::change(row.change);
    let base = labels::side(row.base_verdict.as_ref(), row.base);
    let patched = labels::side(row.patched_verdict.as_ref(), row.patched);
    let why = row.note.clone().unwrap_or_else(|| {
        let reasons = [row.base_verdict.as_ref(), row.patched_verdict.as_ref()];
        reasons.into_iter().rev().find_map(labels::verdict_reason).unwrap_or_default().to_owned()
    });
    let message = format!(
        "base {base}, patched {patched}: {}",
        if why.is_empty() { labels::change_meaning(row.change) } else { &why }
    );
    let case = match row.change {
        Change::StillPassing | Change::NewPass | Change::Fixed => TestCase::new(name, TestCaseStatus::success()),
        Change::Regressed | Change::NewFail | Change::Vanished => {
            bad(name, NonSuccessKind::Failure, &label.word, &message)
        }
        Change::StillFailing | Change::NotCovered => skipped(name, &label.word, &message),
        Change::Unknown => bad(name, NonSuccessKind::Error, &label.word, &message),
        Change::Flaky => {
            let mut rerun = TestRerun::new(NonSuccessKind::Failure);
            rerun.set_type(label.word.as_str()).set_message(message);
            let mut status = TestCaseStatus::success();
            status.add_rerun(rerun);
            TestCase::new(name, status)
        }
    };
    with_findings(case, found)
}

/// The case as a failure when a problem is among the findings, with all of them written out.
fn with_findings(mut case: TestCase, found: &[&Finding]) -> TestCase {
    let text: Vec<String> = found.iter().map(|finding| describe(finding)).collect();
    match found.iter().find(|finding| finding.severity == Severity::Problem) {
        Some(problem) => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status.set_type(labels::word(&problem.kind)).set_message(problem.summary.as_str());
            status.set_description(text.join("\n\n"));
            case.status = status;
        }
        None if text.is_empty() => {}
        None => {
            case.set_system_out(text.join("\n\n"));
        }
    }
    case
}

fn describe(finding: &Finding) -> String {
    let mut lines = vec![format!("{}: {}", labels::word(&finding.kind), finding.summary)];
    if let Some(patch) = &finding.patch {
        lines.push(format!("patch {}/{}: {}", patch.number, patch.total, patch.subject));
    }
    lines.push(view::place(finding).join(" · "));
    for evidence in &finding.evidence {
        lines.push(format!("{} {}:\n{}", evidence.what, evidence.source, evidence.text));
    }
    lines.push(format!("reproduce: {}", finding.reproduce));
    lines.join("\n")
}

fn bad(name: String, kind: NonSuccessKind, ty: &str, message: &str) -> TestCase {
    let mut status = TestCaseStatus::non_success(kind);
    status.set_type(ty).set_message(message);
    TestCase::new(name, status)
}

fn skipped(name: String, ty: &str, message: &str) -> TestCase {
    let mut status = TestCaseStatus::skipped();
    status.set_type(ty).set_message(message);
    TestCase::new(name, status)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixtures;

    #[test]
    fn all_sorts_of_run() {
        for (name, report) in fixtures::all() {
            insta::assert_snapshot!(name, junit(&report));
        }
    }

    #[test]
    fn every_problem_is_a_failure_and_shown_once() {
        let report = fixtures::findings();
        let xml = junit(&report);
        for finding in &report.findings {
            let word = labels::word(&finding.kind);
            let times = |before: char| xml.matches(&format!("{before}{word}: ")).count();
            assert_eq!(times('>') + times('\n'), 1, "{word}");
        }
        let (problems, _) = view::weigh(&report);
        assert!(xml.matches("<failure").count() >= problems - 1);
        assert!(xml.contains("<flakyFailure"));
    }

    #[test]
    fn hostile_text_is_valid_xml() {
        let mut report = fixtures::findings();
        report.headline = "\0\u{1b}]0;\u{ffff}]]> & <a b='\"'>".into();
        report.verdict = RunVerdict::Infra;
        report.findings[2].summary = "]]></failure>\u{b}\u{fffe}".into();
        let xml = junit(&report);
        assert!(!xml.chars().any(|c| c != '\n' && crate::term::text::is_hostile(c)));
        let read = quick_junit::Report::deserialize_from_str(&xml).unwrap();
        let messages: Vec<String> = read
            .test_suites
            .iter()
            .flat_map(|suite| &suite.test_cases)
            .filter_map(|case| match &case.status {
                TestCaseStatus::NonSuccess { message, .. } => {
                    message.as_ref().map(|message| message.as_str().to_owned())
                }
                TestCaseStatus::Success { .. } | TestCaseStatus::Skipped { .. } => None,
            })
            .collect();
        assert!(messages.contains(&"^@^[]0;<U+FFFF>]]> & <a b='\"'>".to_owned()), "{messages:?}");
        assert!(messages.contains(&"]]></failure>^K<U+FFFE>".to_owned()), "{messages:?}");
    }
}
