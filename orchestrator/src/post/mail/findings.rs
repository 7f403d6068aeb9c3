//! The findings in the mail: those that weigh most in full, the others in a line each.

use super::body::Said;
use super::page::Page;
use crate::process::quote;
use crate::report::labels;
use crate::words::{Clock, Finding, FindingKind, Severity};

/// Problems shown in full.
const MAX_FULL: usize = 4;

/// Findings told in a line each; the others are counted.
const MAX_SHORT: usize = 12;

/// Lines of evidence of one finding.
const MAX_EVIDENCE: usize = 10;

/// All findings.
pub(super) fn findings(page: &mut Page, said: &Said<'_>) {
    let (problems, notices): (Vec<&Finding>, Vec<&Finding>) =
        said.report.findings.iter().partition(|finding| finding.severity == Severity::Problem);
    if !problems.is_empty() {
        tags(page, said);
    }
    let shown = problems.len().min(MAX_FULL);
    for (index, finding) in problems.iter().take(shown).enumerate() {
        in_full(page, said, finding, index + 1, problems.len());
    }
    in_short(page, "Further problems:", &problems[shown..]);
    in_short(page, "Besides (no problem, but worth a look):", &notices);
}

/// What the kernel's lists ask those to add who mend something that a robot found.
fn tags(page: &mut Page, said: &Said<'_>) {
    page.paragraph(
        "If you fix the issue in a separate patch/commit (i.e. not just a new version of the same patch/commit), kindly add \
         following tags",
    );
    // The bar keeps tools that gather trailers from replies from taking these for trailers of the patch.
    let sender = &said.sender.person;
    page.line(&format!("| Reported-by: {} <{}>", sender.name, sender.email));
    if let Some(link) = said.lists.link(said.message_id) {
        page.line(&format!("| Closes: {link}"));
    }
}

fn in_full(page: &mut Page, said: &Said<'_>, finding: &Finding, number: usize, of: usize) {
    page.gap();
    let blamed = match &finding.patch {
        Some(patch) => format!("patch {}/{}", patch.number, patch.total),
        None => finding.revision.clone(),
    };
    page.line(&format!("[{number} of {of}] {} {}, {blamed}", labels::word(&finding.kind).to_uppercase(), finding.tree));
    page.hang("", "", &finding.summary);
    page.gap();
    if let Some(patch) = &finding.patch {
        page.field("patch subject", &patch.subject);
        let posted = said.series.patches.iter().find(|posted| posted.number == patch.number);
        let id = posted.and_then(|posted| posted.message_id.as_ref()).filter(|_| !said.is_port());
        if let Some(link) = id.and_then(|id| said.lists.link(id)) {
            page.field_to_copy("patch link", &link);
        }
    }
    if let Some(name) = &finding.kconfig {
        let info = said.report.kconfigs.iter().find(|kconfig| kconfig.name == *name);
        let about = info.map(|info| format!(" ({}, {}, {})", labels::word(&info.kind), info.arch, info.toolchain));
        page.field("config", &format!("{name}{}", about.unwrap_or_default()));
    }
    let parts = [("machine", &finding.machine), ("test", &finding.test), ("metric", &finding.metric)];
    for (name, value) in parts {
        if let Some(value) = value {
            page.field_to_copy(name, value);
        }
    }
    if let Some(function) = &finding.function {
        page.field("function", function);
    }
    page.field_to_copy("reproduce", &reproduce(said, finding));
    for evidence in &finding.evidence {
        page.gap();
        page.quoted(&evidence.text, MAX_EVIDENCE);
    }
}

fn in_short(page: &mut Page, title: &str, findings: &[&Finding]) {
    if findings.is_empty() {
        return;
    }
    page.paragraph(title);
    for finding in findings.iter().take(MAX_SHORT) {
        let blamed = finding.patch.as_ref().map(|patch| format!(", patch {}/{}", patch.number, patch.total));
        let kconfig = finding.kconfig.as_ref().map(|kconfig| format!(" {kconfig}"));
        page.bullet(&format!(
            "{} ({}{}{}): {}",
            labels::word(&finding.kind),
            finding.tree,
            kconfig.unwrap_or_default(),
            blamed.unwrap_or_default(),
            finding.summary
        ));
    }
    if findings.len() > MAX_SHORT {
        page.bullet(&format!("and {} more", findings.len() - MAX_SHORT));
    }
}

/// A command that shows the finding to somebody who has the program and not this run.
fn reproduce(said: &Said<'_>, finding: &Finding) -> String {
    let cover = said.series.cover.as_ref().and_then(|cover| cover.message_id.clone());
    let posted = cover.or_else(|| said.series.patches.first().and_then(|patch| patch.message_id.clone()));
    let series = match posted {
        Some(id) if !said.is_port() => id,
        Some(_) | None => said.report.series.name.clone(),
    };
    let mut words = vec!["orchestrator run series".to_owned(), quote(&series)];
    words.push(format!("--tree {}", quote(&finding.tree)));
    if let Some(kconfig) = &finding.kconfig {
        words.push(format!("--kconfig {}", quote(kconfig)));
    }
    for test in finding.test.iter().chain(&finding.metric) {
        words.push(format!("--test {}", quote(test)));
    }
    if finding.kind == FindingKind::MetricRegressed && on_wall_clock(said, finding) {
        words.push("--clock wall".to_owned());
    }
    words.join(" ")
}

/// True when the metric of a finding was measured with elapsed time where the finding saw it.
fn on_wall_clock(said: &Said<'_>, finding: &Finding) -> bool {
    let same = |metric: &&crate::words::MetricComparison| {
        Some(&metric.metric) == finding.metric.as_ref() && Some(&metric.machine) == finding.machine.as_ref()
    };
    said.report.metrics.iter().find(same).is_some_and(|metric| metric.clock == Clock::Wall)
}
