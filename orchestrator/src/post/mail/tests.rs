use camino::Utf8Path;

use super::*;
use crate::post::lists::Lists;
use crate::post::outbox::Outbox;
use crate::post::plan::{Plan, PlanError, Request, plan};
use crate::post::show;
use crate::post::testing::{self, envelope, lists, port, posted, series};
use crate::report::fixtures;
use crate::report::model::Report;
use crate::term::text::width;
use crate::words::{Envelope, FindingKind, Series};

fn planned(report: &Report, series: &Series, posted: Option<&Envelope>, lists: &Lists) -> Result<Plan, PlanError> {
    let request = Request { report, series, lists, posted, to: &[], cc: &[], now: 1_775_040_000 };
    plan(&request, &Outbox::of(Utf8Path::new("/nonexistent")))
}

fn text(report: &Report, series: &Series) -> String {
    let plan = planned(report, series, Some(&envelope(0, "Migrate on fault for device pages")), &lists()).unwrap();
    show::mail(&plan.message)
}

/// Only the findings of one kind.
fn only(kind: FindingKind) -> Report {
    let mut report = posted(fixtures::findings());
    report.findings.retain(|finding| finding.kind == kind);
    report.headline = report.findings[0].summary.clone();
    report.findings.iter_mut().for_each(|finding| finding.tree = "mm-unstable".into());
    report
}

#[test]
fn a_clean_run() {
    let text = text(&posted(fixtures::clean()), &series());
    let body = text.split_once("\n\n").unwrap().1;
    assert!(body.lines().count() <= 40, "it does not fit on a screen:\n{body}");
    insta::assert_snapshot!("clean", text);
}

#[test]
fn a_clean_run_of_a_port() {
    let text = text(&fixtures::clean(), &port());
    let body = text.split_once("\n\n").unwrap().1;
    assert!(body.lines().count() <= 40, "it does not fit on a screen:\n{body}");
    let start: String = body.lines().take(4).collect();
    assert!(start.contains("the posted mails were not tested"), "{start}");
    insta::assert_snapshot!("clean_port", text);
}

#[test]
fn findings_of_every_kind() {
    insta::assert_snapshot!("findings", text(&posted(fixtures::findings()), &series()));
}

#[test]
fn a_build_error() {
    insta::assert_snapshot!("build_error", text(&only(FindingKind::BuildFailed), &series()));
}

#[test]
fn a_panic() {
    insta::assert_snapshot!("panic", text(&only(FindingKind::Panic), &series()));
}

#[test]
fn a_splat_and_a_regressed_test() {
    let mut report = only(FindingKind::NewSplat);
    report.findings.extend(only(FindingKind::TestRegressed).findings);
    insta::assert_snapshot!("splat_and_test", text(&report, &series()));
}

#[test]
fn a_metric_that_regressed() {
    insta::assert_snapshot!("metric", text(&posted(fixtures::measured()), &series()));
}

#[test]
fn a_run_without_a_verdict_is_never_mailed() {
    for report in [fixtures::infra(), fixtures::interrupted()] {
        let error = planned(&posted(report), &series(), None, &lists()).unwrap_err();
        assert!(matches!(error, PlanError::Mail(MailError::NoVerdict { .. })), "{error}");
    }
    insta::assert_snapshot!(
        planned(&fixtures::infra(), &port(), None, &lists()).unwrap_err(),
        @"the run has no verdict (infra: No answer: the disk of /var/cache/orchestrator is full after 3 of 14 builds.); trouble of the host says nothing about the series and is never mailed; mend it, then `orchestrator resume 20260401-101500-v6`"
    );
}

#[test]
fn a_port_whose_mails_were_not_read_has_no_recipients_until_they_are_named() {
    let report = fixtures::clean();
    let (series, lists) = (port(), lists());
    assert!(matches!(
        planned(&report, &series, None, &lists),
        Err(PlanError::Mail(MailError::NotFetched { message_id })) if message_id == testing::COVER
    ));
    let to = ["author@example.org".to_owned()];
    let request =
        Request { report: &report, series: &series, lists: &lists, posted: None, to: &to, cc: &[], now: 1_775_040_000 };
    let plan = plan(&request, &Outbox::of(Utf8Path::new("/nonexistent"))).unwrap();
    assert_eq!(plan.message.to, to);
    assert_eq!(plan.parent.envelope.message_id, testing::COVER);
}

#[test]
fn the_blamed_patch_is_answered_when_it_alone_is_to_blame() {
    let plan = planned(&only(FindingKind::BuildFailed), &series(), None, &lists()).unwrap();
    assert_eq!(plan.parent.envelope.message_id, series().patches[1].message_id.clone().unwrap());
    let plan = planned(&posted(fixtures::findings()), &series(), None, &lists()).unwrap();
    assert_eq!(plan.parent.envelope.message_id, testing::COVER);
    // Patch numbers of a port are not those of the mails.
    let posted = envelope(0, "x");
    let plan = planned(&only(FindingKind::BuildFailed), &port(), Some(&posted), &lists()).unwrap();
    assert_eq!(plan.parent.envelope.message_id, testing::COVER);
}

#[test]
fn prose_fits() {
    for (name, report) in fixtures::all() {
        if refuse_without_verdict(&report).is_err() {
            continue;
        }
        let text = text(&report, &port());
        let body = text.split_once("\n\n").unwrap().1;
        for line in body.lines().filter(|line| width(line) >= 76) {
            let copied = ["reproduce:", "url:", "patch link:", "test:", "metric:", "| ", ">> ", "   "];
            assert!(copied.iter().any(|start| line.starts_with(start)), "{name}: {line}");
        }
    }
}
