//! What b4 shows of a run beside a series under review (`b4.review-series-check-cmd`).

use serde::Serialize;

use super::said::Said;
use super::weigh::{Weight, weigh};
use crate::report::model::RunVerdict;
use crate::term::text::{truncate, visible, visible_lines};

/// Columns of a summary: a cell of b4's table.
const SUMMARY_COLUMNS: usize = 200;

/// Lines of the details.
const MOST_LINES: usize = 200;

/// How b4 colours a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckStatus {
    /// Nothing speaks against the series.
    Pass,
    /// A person should look, or there is no answer.
    Warn,
    /// Something speaks against the series.
    Fail,
}

/// One entry of the array that b4 reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckResult {
    /// Column of b4's table. b4 keeps one result for each.
    pub tool: String,
    /// Its colour.
    pub status: CheckStatus,
    /// One line.
    pub summary: String,
    /// Where more stands; empty when nowhere.
    pub url: String,
    /// More lines.
    pub details: String,
}

/// The results of a run, one for each tree.
pub fn results(said: &Said<'_>, url: Option<String>) -> Vec<CheckResult> {
    let report = said.report;
    let trees = weigh(report);
    let several = trees.len() > 1;
    let result = |tree: &super::weigh::TreeWeight<'_>| {
        let status = match (tree.weight(), report.verdict) {
            (Weight::Bad, _) => CheckStatus::Fail,
            (Weight::Good, RunVerdict::Clean | RunVerdict::Findings) => CheckStatus::Pass,
            (Weight::Good | Weight::Notice | Weight::Open, _) => CheckStatus::Warn,
        };
        let mut lines = vec![report.headline.clone(), String::new()];
        for patch in &tree.patches {
            let head = format!("patch {}: {}", patch.patch.number, patch.patch.subject);
            let findings = patch.own.iter().chain(&patch.notices);
            let said: Vec<String> = findings
                .map(|finding| format!("  {}\n  {}", finding.summary, finding.reproduce))
                .chain(patch.open.iter().map(|open| format!("  no answer: {open}")))
                .collect();
            if !said.is_empty() {
                lines.push(head);
                lines.extend(said);
            }
        }
        let shared = tree.patches.first().map(|patch| patch.shared.as_slice()).unwrap_or_default();
        lines.extend(shared.iter().map(|finding| format!("no single patch: {}", finding.summary)));
        let worst = tree.patches.iter().max_by_key(|patch| (patch.weight, usize::MAX - patch.patch.number));
        let summary = match (tree.weight(), worst) {
            (Weight::Good, _) | (_, None) => report.headline.clone(),
            (_, Some(patch)) => {
                let sentence = super::weigh::sentence(tree, patch, SUMMARY_COLUMNS);
                if patch.own.is_empty() { sentence } else { format!("patch {}: {sentence}", patch.patch.number) }
            }
        };
        CheckResult {
            tool: if several { format!("orchestrator/{}", tree.tree.name) } else { "orchestrator".to_owned() },
            status,
            summary: truncate(&visible(&summary), SUMMARY_COLUMNS),
            url: url.clone().unwrap_or_default(),
            details: visible_lines(&lines.join("\n"), MOST_LINES, 500).join("\n"),
        }
    };
    match trees.is_empty() {
        true => vec![no_answer(&report.headline)],
        false => trees.iter().map(result).collect(),
    }
}

/// The result when there is no run, or none that came to an answer: a warning with the reason. An empty answer with an
/// exit code would be shown as a failure of the series, and an empty one without as nothing at all.
pub fn no_answer(why: &str) -> CheckResult {
    let why = why.trim();
    CheckResult {
        tool: "orchestrator".to_owned(),
        status: CheckStatus::Warn,
        summary: truncate(&visible(&format!("no verdict: {why}")), SUMMARY_COLUMNS),
        url: String::new(),
        details: visible_lines(why, MOST_LINES, 500).join("\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::post::said::testing::said_of;
    use crate::report::fixtures;

    #[test]
    fn what_b4_is_told() {
        let told: Vec<(&str, Vec<CheckResult>)> = fixtures::all()
            .iter()
            .map(|(name, report)| (*name, results(&said_of(report).said(report), None)))
            .collect();
        insta::assert_json_snapshot!(told);
    }

    #[test]
    fn only_a_clean_tree_passes() {
        for (name, report) in fixtures::all() {
            for result in results(&said_of(&report).said(&report), None) {
                let expected = match (name, result.tool.as_str()) {
                    ("clean" | "identical", _) | ("tree_missing", "orchestrator/linux-6.12") => CheckStatus::Pass,
                    ("findings" | "measured" | "since", _) => CheckStatus::Fail,
                    _ => CheckStatus::Warn,
                };
                assert_eq!(result.status, expected, "{name} {}", result.tool);
            }
        }
        assert_eq!(no_answer("x").status, CheckStatus::Warn);
    }
}
