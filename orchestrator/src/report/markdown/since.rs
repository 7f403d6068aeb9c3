//! What changed since an earlier run, as Markdown.

use super::escape::{code, text};
use super::{line, title};
use crate::report::labels;
use crate::report::model::Report;
use crate::report::versions;

/// The section; nothing when there is no earlier run.
pub fn since(out: &mut String, report: &Report) {
    let Some(previous) = &report.previous else { return };
    title(out, &text(&versions::title(report, previous)));
    let verdict = labels::run(previous.verdict);
    line(
        out,
        &format!("Compared with run {} ({}); {}.", code(&previous.run), verdict.word, versions::numbers(previous)),
    );
    line(out, "");
    for changes in versions::lists(previous) {
        for finding in changes.findings {
            let number = if changes.of_this_run { format!(" {}.", finding.number) } else { String::new() };
            line(out, &format!("- **{}**{number} {}", changes.label.word, text(&versions::line(finding))));
        }
    }
    line(out, &format!("- patches: {}", text(&versions::patches(&previous.patches))));
    if let Some(reused) = versions::reused(&previous.reused) {
        line(out, &format!("- reused: {}", text(&reused)));
    }
    for note in versions::notes(previous) {
        line(out, &format!("- {}", text(&note)));
    }
}
