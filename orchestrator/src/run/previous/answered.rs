//! Whether a run has an answer for what a finding of another run is about. Without one, nothing is called fixed.

use crate::report::model::{Report, TestTable};
use crate::words::{BootEnd, BuildOutcome, Change, Finding, FindingKind, MetricChange, Revision};

/// Whether `report` says, of the place that `finding` is about, that it is good or bad.
pub fn answered(report: &Report, finding: &Finding) -> bool {
    let Some(tree) = report.trees.iter().find(|tree| tree.name == finding.tree && tree.error.is_none()) else {
        return false;
    };
    let whole = tree.applied.len() == report.series.patches.len();
    match finding.kind {
        FindingKind::PatchRefused | FindingKind::ApplyFailed => whole,
        FindingKind::BuildFailed
        | FindingKind::BisectBroken
        | FindingKind::ConfigDropped
        | FindingKind::NewWarning
        | FindingKind::SelftestBuildFailed => whole && builds(report, finding),
        FindingKind::TestRegressed
        | FindingKind::NewTestFailed
        | FindingKind::TestVanished
        | FindingKind::FlakyTest => whole && tests(report, finding),
        FindingKind::NewSplat | FindingKind::Panic | FindingKind::Hang | FindingKind::BootFailed => {
            whole && boots(report, finding)
        }
        FindingKind::MetricRegressed | FindingKind::MetricImproved => whole && metrics(report, finding),
    }
}

/// Every patch was built with the finding's kconfig, for better or worse.
fn builds(report: &Report, finding: &Finding) -> bool {
    let of_kconfig = report.builds.iter().filter(|cell| {
        cell.tree == finding.tree && Some(&cell.kconfig) == finding.kconfig.as_ref() && cell.revision != Revision::Base
    });
    let answers: Vec<bool> = of_kconfig
        .map(|cell| match cell.outcome {
            BuildOutcome::Built | BuildOutcome::Failed { .. } | BuildOutcome::SelftestsFailed { .. } => true,
            BuildOutcome::Infra { .. } | BuildOutcome::NotRun { .. } => false,
        })
        .collect();
    answers.len() >= report.series.patches.len() && answers.iter().all(|answer| *answer)
}

fn table<'a>(report: &'a Report, finding: &Finding) -> Option<&'a TestTable> {
    let mut tables = report.tests.iter();
    tables.find(|table| {
        table.tree == finding.tree && Some(&table.kconfig) == finding.kconfig.as_ref() && is_on(finding, &table.machine)
    })
}

/// Another machine answers nothing about what happened on this one.
fn is_on(finding: &Finding, machine: &str) -> bool {
    finding.machine.as_ref().is_none_or(|own| own == machine)
}

/// Nothing was booted because nothing differs from the base: a series cannot break what it does not change.
fn identical(table: &TestTable) -> bool {
    table.rows.is_empty() && table.note.is_some()
}

fn tests(report: &Report, finding: &Finding) -> bool {
    let (Some(table), Some(test)) = (table(report, finding), &finding.test) else { return false };
    let row = table.rows.iter().find(|row| row.test == *test);
    let answer = row.is_some_and(|row| match row.change {
        Change::Regressed
        | Change::Fixed
        | Change::StillFailing
        | Change::StillPassing
        | Change::NewPass
        | Change::NewFail
        | Change::Vanished
        | Change::Flaky => true,
        Change::NotCovered | Change::Unknown => false,
    });
    answer || identical(table)
}

/// The patched kernel was booted to the end, or there was no reason to boot it.
fn boots(report: &Report, finding: &Finding) -> bool {
    let Some(table) = table(report, finding) else { return false };
    if identical(table) {
        return true;
    }
    if finding.test.is_some() && !tests(report, finding) {
        return false;
    }
    let mut boots = report.boots.iter().filter(|boot| {
        boot.tree == finding.tree
            && Some(&boot.kconfig) == finding.kconfig.as_ref()
            && is_on(finding, &boot.machine)
            && boot.kernel != Revision::Base
    });
    boots.any(|boot| match boot.end {
        Some(BootEnd::Completed | BootEnd::Panicked | BootEnd::Hung { .. } | BootEnd::Reset) => true,
        Some(BootEnd::Infra { .. }) | None => false,
    })
}

fn metrics(report: &Report, finding: &Finding) -> bool {
    let Some(metric) = &finding.metric else { return false };
    report.metrics.iter().any(|one| {
        let answer = match one.change {
            MetricChange::Regressed | MetricChange::Improved | MetricChange::Unchanged => true,
            MetricChange::New | MetricChange::Vanished | MetricChange::NotEnoughData => false,
        };
        answer
            && one.tree == finding.tree
            && Some(&one.kconfig) == finding.kconfig.as_ref()
            && is_on(finding, &one.machine)
            && one.metric == *metric
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixtures;

    /// A finding of this kind on the first kconfig of the report that suits it.
    fn finding(kind: FindingKind, kconfig: &str, test: Option<&str>) -> Finding {
        let mut finding = fixtures::findings().findings[0].clone();
        finding.kind = kind;
        finding.tree = fixtures::TREE.into();
        finding.kconfig = Some(kconfig.into());
        finding.test = test.map(str::to_owned);
        finding.metric = None;
        finding
    }

    #[test]
    fn only_what_was_looked_at_again_has_an_answer() {
        let report = fixtures::clean();
        let test = report.tests[0].rows.iter().find(|row| row.change == Change::StillPassing).unwrap().test.clone();
        let skipped = report.tests[0].rows.iter().find(|row| row.change == Change::NotCovered);
        let skipped = skipped.map(|row| row.test.clone()).unwrap_or_else(|| "no.such.test".into());
        let table = [
            (finding(FindingKind::ApplyFailed, "hmm", None), true),
            (finding(FindingKind::BuildFailed, "hmm", None), true),
            (finding(FindingKind::NewWarning, "elsewhere", None), false),
            (finding(FindingKind::TestRegressed, "hmm", Some(&test)), true),
            (finding(FindingKind::TestRegressed, "hmm", Some(&skipped)), false),
            (finding(FindingKind::TestRegressed, "elsewhere", Some(&test)), false),
            (finding(FindingKind::Panic, "hmm", Some(&test)), true),
            (finding(FindingKind::BootFailed, "hmm", None), true),
            (finding(FindingKind::MetricRegressed, "hmm", None), false),
        ];
        for (finding, expected) in table {
            assert_eq!(answered(&report, &finding), expected, "{:?} {:?}", finding.kind, finding.kconfig);
        }
        let elsewhere = Finding { tree: "other".into(), ..finding(FindingKind::ApplyFailed, "hmm", None) };
        assert!(!answered(&report, &elsewhere));
    }

    #[test]
    fn a_run_that_stopped_half_way_mends_nothing() {
        let mut report = fixtures::clean();
        report.builds.retain(|cell| cell.revision.index() < 3);
        assert!(!answered(&report, &finding(FindingKind::BuildFailed, "hmm", None)));
        let mut report = fixtures::clean();
        report.trees[0].applied.truncate(1);
        assert!(!answered(&report, &finding(FindingKind::ApplyFailed, "hmm", None)));
        assert!(!answered(&report, &finding(FindingKind::BuildFailed, "hmm", None)));
        let mut report = fixtures::clean();
        for boot in &mut report.boots {
            boot.end = Some(BootEnd::Infra { reason: "no disk".into() });
        }
        assert!(!answered(&report, &finding(FindingKind::BootFailed, "hmm", None)));
    }

    #[test]
    fn what_is_identical_to_the_base_cannot_be_broken() {
        let mut report = fixtures::identical();
        report.tests[0].rows.clear();
        let kconfig = report.tests[0].kconfig.clone();
        let regressed = finding(FindingKind::TestRegressed, &kconfig, Some("any"));
        assert!(answered(&report, &regressed) && answered(&report, &finding(FindingKind::Panic, &kconfig, None)));
        report.tests[0].note = None;
        assert!(!answered(&report, &regressed));
    }
}
