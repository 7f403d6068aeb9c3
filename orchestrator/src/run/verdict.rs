//! The verdict of a run: one word and one sentence.

use super::Why;
use crate::report::model::{BootRow, BuildCell, Report, RunVerdict, TestTable};
use crate::term::text;
use crate::words::{BootEnd, BuildOutcome, Change, Severity};

/// Weighs everything in a report. Findings outweigh trouble of ours, which outweighs a clean result: what could not
/// be answered is never called clean.
pub fn verdict(report: &Report, stopped: Option<Why>) -> (RunVerdict, String) {
    let next = format!("`orchestrator resume {}` goes on", report.run.id);
    match stopped {
        Some(Why::User) => return (RunVerdict::Interrupted, format!("interrupted; {next}")),
        // What fitted may speak well of the series; what did not has not been asked.
        Some(why @ Why::Time(_)) => return (RunVerdict::Interrupted, format!("{}; {next}", unfinished(report, why))),
        None => {}
    }
    let problems = report.findings.iter().filter(|finding| finding.severity == Severity::Problem).count();
    if problems > 0 {
        let first = &report.findings[0].summary;
        let more = if problems > 1 { format!(" (and {} more)", problems - 1) } else { String::new() };
        return (RunVerdict::Findings, format!("{first}{more}"));
    }
    let open = unanswered(report);
    if let Some(first) = open.first() {
        let more = if open.len() > 1 { format!(" (and {} more)", open.len() - 1) } else { String::new() };
        return (RunVerdict::Infra, format!("no verdict: {first}{more}"));
    }
    (RunVerdict::Clean, clean(report))
}

/// How much was not done for want of time.
fn unfinished(report: &Report, why: Why) -> String {
    let reason = why.to_string();
    let left = |cell: &&BuildCell| matches!(&cell.outcome, BuildOutcome::NotRun { reason: of } if *of == reason);
    let builds = report.builds.iter().filter(left).count();
    let cut = |boot: &&BootRow| matches!(&boot.end, Some(BootEnd::Infra { .. }));
    let boots = report.boots.iter().filter(cut).count();
    let parts = [(builds, "build"), (boots, "boot that was cut off")].into_iter().filter(|(number, _)| *number > 0);
    let parts: Vec<String> = parts.map(|(number, noun)| format!("{number} x {noun}")).collect();
    match parts.is_empty() {
        true => format!("{reason}: its last steps"),
        false => format!("{reason}: {}, and all that depends on them", parts.join(", ")),
    }
}

/// What was planned and got no answer through no fault of the series.
fn unanswered(report: &Report) -> Vec<String> {
    let mut open = Vec::new();
    for tree in report.trees.iter().filter(|tree| tree.error.is_some()) {
        open.push(format!("tree {} could not be had: {}", tree.name, tree.error.as_deref().unwrap_or_default()));
    }
    for cell in &report.builds {
        match &cell.outcome {
            BuildOutcome::Infra { reason } => {
                open.push(format!("build of {} with {}: {reason}", cell.revision, cell.kconfig));
            }
            BuildOutcome::Built
            | BuildOutcome::Failed { .. }
            | BuildOutcome::SelftestsFailed { .. }
            | BuildOutcome::NotRun { .. } => {}
        }
    }
    for table in &report.tests {
        let unknown = table.rows.iter().filter(|row| row.change == Change::Unknown).count();
        if unknown > 0 {
            open.push(format!("{} with {} gave no answer", text::count(unknown as u64, "test"), table.kconfig));
        } else if table.rows.is_empty() && table.note.is_none() {
            open.push(format!("no test with {} gave an answer{}", table.kconfig, why(report, table)));
        }
    }
    open.extend(report.coverage.unmeasured.iter().chain(&report.coverage.untested).cloned());
    let answered = report.builds.iter().any(|cell| matches!(cell.outcome, BuildOutcome::Built));
    if open.is_empty() && !answered {
        open.push("nothing was built".to_owned());
    }
    open
}

/// Why the boots of a table gave nothing.
fn why(report: &Report, table: &TestTable) -> String {
    let mut boots = report.boots.iter().filter(|boot| boot.tree == table.tree && boot.kconfig == table.kconfig);
    let reason = boots.find_map(|boot| match &boot.end {
        Some(BootEnd::Infra { reason }) => Some(reason.clone()),
        Some(BootEnd::Hung { deadline }) => Some(format!("the guest hung ({deadline} deadline)")),
        Some(BootEnd::Panicked) => Some("the base kernel panicked".to_owned()),
        Some(BootEnd::Reset) => Some("the guest reset".to_owned()),
        Some(BootEnd::Completed) | None => None,
    });
    reason.map(|reason| format!(": {reason}")).unwrap_or_default()
}

/// The sentence of a clean run: how much it looked at.
fn clean(report: &Report) -> String {
    let builds = report.coverage.builds.built;
    let both = report.coverage.tests.both;
    let booted = !report.boots.is_empty();
    let identical = report.tests.iter().any(|table| table.rows.is_empty() && table.note.is_some());
    let tests = match (booted, identical) {
        (true, _) => format!("{} compared on both sides", text::count(both, "test")),
        (false, true) => "nothing booted, because kernel and selftests are identical to the base's".to_owned(),
        (false, false) => "nothing booted".to_owned(),
    };
    let new = report.tests.iter().flat_map(|table| &table.rows).filter(|row| row.change == Change::NewPass).count();
    let new = if new > 0 { format!(", {} pass", text::count(new as u64, "new test")) } else { String::new() };
    let base = match report.coverage.base_health.len() {
        0 => String::new(),
        count => format!("; {} of the base itself listed apart", text::count(count as u64, "trouble")),
    };
    format!("nothing speaks against the series: {}, {tests}{new}{base}", text::count(builds, "build"))
}

#[cfg(test)]
#[path = "verdict_tests.rs"]
mod tests;
