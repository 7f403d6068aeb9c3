//! The text of a comment, an issue and a check run.

use crate::post::said::Said;
use crate::post::weigh::weigh;
use crate::report::model::RunVerdict;
use crate::report::{harmless, markdown_text};
use crate::term::text::{truncate, visible};

/// Most characters of a text that GitHub takes (65536), less what a marker needs. Counted in bytes, which are never fewer.
const LIMIT: usize = 65_000;

/// The hidden line by which a text is found again. The identity is hex.
pub fn marker(what: &str, identity: &str) -> String {
    format!("<!-- orchestrator:{what}:{identity} -->")
}

/// What the run says, in Markdown of at most [`LIMIT`] bytes in which nothing of the series is markup.
pub fn body(said: &Said<'_>, report_url: Option<&str>) -> String {
    let report = harmless(said.report);
    let shown = Said { report: &report, series: said.series };
    let word = match report.verdict {
        RunVerdict::Clean => "Nothing speaks against it",
        RunVerdict::Findings => "There are findings",
        RunVerdict::Infra | RunVerdict::Interrupted => "No verdict",
    };
    let code = markdown_text::code;
    let mut text = format!("**{word}**: {}\n\n", code(&report.headline));
    for tree in weigh(shown.report) {
        let version = tree.tree.kernel_version.as_deref().unwrap_or("unknown");
        let commit = tree.tree.commit.as_deref().unwrap_or("unknown");
        text.push_str(&format!("- tree {}, Linux {}, base {}\n", code(&tree.tree.name), code(version), code(commit)));
    }
    if report.series.port {
        text.push_str("- a port of the series was tested, not the patches as they are here\n");
    }
    let mut tail = format!("\nRun {}, {}", code(&report.run.id), code(&report.run.command));
    if let Some(url) = report_url {
        tail.push_str(&format!(", [report]({url})"));
    }
    tail.push('\n');
    let total = report.findings.len();
    for (index, finding) in report.findings.iter().enumerate() {
        let patch = finding.patch.as_ref().map(|p| format!("patch {}/{}: ", p.number, p.total)).unwrap_or_default();
        let mut section = format!("\n{}. {patch}{}\n", index + 1, code(&finding.summary));
        for evidence in &finding.evidence {
            section.push_str(&format!("\n{}", markdown_text::block(&evidence.text)));
        }
        section.push_str(&format!("\n{}", markdown_text::block(&finding.reproduce)));
        let rest = format!("\n{} more findings are in the report.\n", total - index);
        if text.len() + section.len() + rest.len() + tail.len() > LIMIT {
            text.push_str(&rest);
            break;
        }
        text.push_str(&section);
    }
    text.push_str(&tail);
    text
}

/// One line without markup, of at most `limit` characters.
pub fn line(text: &str, limit: usize) -> String {
    let shown = truncate(&visible(text), limit);
    shown.chars().take(limit).collect()
}
