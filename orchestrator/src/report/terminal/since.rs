//! What changed since an earlier run, on a terminal.

use super::Page;
use crate::report::labels;
use crate::report::model::{Previous, Report};
use crate::report::versions;

/// Findings shown of one list; the others are counted.
const MAX: usize = 6;

/// A short section; nothing when there is no earlier run.
pub fn since(page: &mut Page, report: &Report) {
    if let Some(previous) = &report.previous {
        page.title(&versions::title(report, previous));
        body(page, previous);
    }
}

/// The section without its title.
pub fn body(page: &mut Page, previous: &Previous) {
    let verdict = labels::run(previous.verdict);
    page.field("run", &format!("{}, {}", previous.run, verdict.word));
    page.field("findings", versions::numbers(previous).trim_start_matches("findings: "));
    for changes in versions::lists(previous) {
        for finding in changes.findings.iter().take(MAX) {
            let word = page.paint(changes.label.tone, &crate::term::text::pad(&changes.label.word, 10));
            let number = if changes.of_this_run { format!("{}. ", finding.number) } else { String::new() };
            page.hang(&format!("  {word}"), 12, &format!("{number}{}", versions::line(finding)));
        }
        if changes.findings.len() > MAX {
            page.field("", &format!("and {} more {}", changes.findings.len() - MAX, changes.label.word));
        }
    }
    page.field("patches", &versions::patches(&previous.patches));
    if let Some(reused) = versions::reused(&previous.reused) {
        page.field("reused", &reused);
    }
    for note in versions::notes(previous) {
        page.field("", &note);
    }
}
