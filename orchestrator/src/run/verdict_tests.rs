//! Whatever kept a run from an answer, it is not called clean.

use std::time::Duration;

use super::*;
use crate::report::fixtures;

/// A way to lose an answer.
type Loss = (&'static str, fn(&mut Report), &'static str);

fn first_build(report: &mut Report, outcome: BuildOutcome) {
    report.builds[1].outcome = outcome;
}

fn no_rows(report: &mut Report, end: Option<BootEnd>) {
    report.tests[0].rows.clear();
    report.tests[0].note = None;
    for boot in &mut report.boots {
        boot.end.clone_from(&end);
    }
}

/// Every loss that a report can hold, and what the headline says of it.
const LOSSES: [Loss; 13] = [
    ("a tree", |report| report.trees[0].error = Some("no such host".into()), "could not be had: no such host"),
    ("a build", |report| first_build(report, BuildOutcome::Infra { reason: "disk full".into() }), "disk full"),
    ("a test", |report| report.tests[0].rows[3].change = Change::Unknown, "1 test with hmm gave no answer"),
    (
        "all tests",
        |report| report.tests[0].rows.iter_mut().for_each(|row| row.change = Change::Unknown),
        "with hmm gave no answer",
    ),
    (
        "a boot by our trouble",
        |report| no_rows(report, Some(BootEnd::Infra { reason: "QEMU was killed".into() })),
        "no test with hmm gave an answer: QEMU was killed",
    ),
    ("a boot that hung", |report| no_rows(report, Some(BootEnd::Hung { deadline: "boot".into() })), "the guest hung"),
    ("a boot that panicked", |report| no_rows(report, Some(BootEnd::Panicked)), "the base kernel panicked"),
    ("a boot that reset", |report| no_rows(report, Some(BootEnd::Reset)), "the guest reset"),
    ("a boot that did nothing", |report| no_rows(report, Some(BootEnd::Completed)), "gave an answer"),
    ("a boot that never was", |report| no_rows(report, None), "gave an answer"),
    ("a benchmark", |report| report.coverage.unmeasured.push("benchmarks gave no reading".into()), "no reading"),
    ("reach", |report| report.coverage.untested.push("nothing was compiled".into()), "nothing was compiled"),
    (
        "all builds",
        |report| {
            for cell in &mut report.builds {
                cell.outcome = BuildOutcome::NotRun { reason: "no compiler".into() };
            }
        },
        "nothing was built",
    ),
];

#[test]
fn no_loss_is_called_clean() {
    assert_eq!(verdict(&fixtures::clean(), None).0, RunVerdict::Clean, "the report to start from");
    for (name, lose, said) in LOSSES {
        let mut report = fixtures::clean();
        lose(&mut report);
        let (verdict, headline) = verdict(&report, None);
        assert_eq!(verdict, RunVerdict::Infra, "{name}: {headline}");
        assert!(headline.contains(said), "{name}: {headline}");
    }
}

#[test]
fn several_losses_are_counted() {
    let mut report = fixtures::clean();
    for (_, lose, _) in LOSSES.iter().take(3) {
        lose(&mut report);
    }
    let (verdict, headline) = verdict(&report, None);
    assert_eq!(verdict, RunVerdict::Infra);
    assert!(headline.ends_with("(and 2 more)"), "{headline}");
}

#[test]
fn a_finding_outweighs_a_loss_and_a_stop_outweighs_both() {
    let mut report = fixtures::findings();
    for (_, lose, _) in LOSSES.iter().take(3) {
        lose(&mut report);
    }
    assert_eq!(verdict(&report, None).0, RunVerdict::Findings);
    let (verdict, headline) = verdict(&report, Some(Why::User));
    assert_eq!(verdict, RunVerdict::Interrupted);
    assert!(headline.contains("orchestrator resume"), "{headline}");
}

#[test]
fn a_notice_is_no_problem() {
    let mut report = fixtures::clean();
    let mut finding = fixtures::findings().findings[0].clone();
    finding.severity = Severity::Notice;
    report.findings = vec![finding];
    assert_eq!(verdict(&report, None).0, RunVerdict::Clean);
}

#[test]
fn what_did_not_fit_into_its_time_is_never_called_clean() {
    let mut report = fixtures::clean();
    let why = Why::Time(Duration::from_secs(3600));
    assert_eq!(verdict(&report, None).0, RunVerdict::Clean);
    let (word, text) = verdict(&report, Some(why));
    assert_eq!(word, RunVerdict::Interrupted);
    assert!(
        text.starts_with("not done within the 1 h 00 min that the run had: its last steps; `orchestrator resume "),
        "{text}"
    );
    report.builds[1].outcome = BuildOutcome::NotRun { reason: why.to_string() };
    let (word, text) = verdict(&report, Some(why));
    assert_eq!(word, RunVerdict::Interrupted);
    assert!(text.contains("had: 1 x build, and all that depends on them; "), "{text}");
    assert!(verdict(&report, Some(Why::User)).1.starts_with("interrupted; "));
}
