//! Findings that are open, and since when.

use super::gather::{Gathered, Seen};
use crate::words::{Finding, Severity};

/// A finding of the newest run of a series on a tree.
pub struct Open<'a> {
    /// The finding.
    pub finding: &'a Finding,
    /// The run that shows it now.
    pub run: &'a str,
    /// Number of the finding in that run's report, from 1.
    pub number: usize,
    /// The first run of the unbroken row of runs that show it.
    pub since: Seen<'a>,
    /// How many runs that row has.
    pub runs: usize,
}

/// What makes two findings the same over versions and commits: the patch is not part of it, as it may move.
fn same(one: &Finding, other: &Finding) -> bool {
    one.kind == other.kind
        && one.tree == other.tree
        && one.kconfig == other.kconfig
        && one.test == other.test
        && one.metric == other.metric
        && one.function == other.function
}

/// What is open of a series: of the newest answered run on each tree, problems first.
pub fn open<'a>(gathered: &'a Gathered, series: &str) -> Vec<Open<'a>> {
    let mut all = Vec::new();
    let mut trees: Vec<&str> = Vec::new();
    let seen: Vec<Seen<'a>> =
        gathered.seen().filter(|seen| seen.report.series.name == series && seen.outcome.is_verdict()).collect();
    for newest in seen.iter().rev() {
        if trees.contains(&newest.tree) {
            continue;
        }
        trees.push(newest.tree);
        for (index, finding) in newest.report.findings.iter().enumerate().filter(|(_, f)| f.tree == newest.tree) {
            let row: Vec<&Seen<'a>> = seen
                .iter()
                .rev()
                .filter(|other| other.tree == newest.tree)
                .take_while(|other| other.report.findings.iter().any(|old| same(old, finding)))
                .collect();
            if let Some(since) = row.last() {
                let run = newest.report.run.id.as_str();
                all.push(Open { finding, run, number: index + 1, since: **since, runs: row.len() });
            }
        }
    }
    all.sort_by_key(|open| match open.finding.severity {
        Severity::Problem => 0,
        Severity::Notice => 1,
    });
    all
}
