//! What stands after a run: the findings by their identity, so that a change can be told from a repetition.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::report::Report;
use crate::report::labels;
use crate::words::{Finding, FindingKind, Severity};

/// A finding by what stays the same when it is found again: no line numbers, no measured values.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FindingIdentity {
    /// `build-failed`.
    pub kind: String,
    /// Tree.
    pub tree: String,
    /// Kconfig; empty where it does not depend on one.
    pub kconfig: String,
    /// Number of the patch; 0 where none is blamed, and for metrics, whose steps are uncertain.
    pub patch: usize,
    /// Test, metric and function.
    pub what: String,
}

impl FindingIdentity {
    fn of(finding: &Finding) -> FindingIdentity {
        let what = [&finding.test, &finding.metric, &finding.function];
        let what: Vec<&str> = what.into_iter().map(|part| part.as_deref().unwrap_or_default()).collect();
        let is_metric = matches!(finding.kind, FindingKind::MetricRegressed | FindingKind::MetricImproved);
        FindingIdentity {
            kind: labels::word(&finding.kind),
            tree: finding.tree.clone(),
            kconfig: finding.kconfig.clone().unwrap_or_default(),
            patch: finding.patch.as_ref().filter(|_| !is_metric).map_or(0, |patch| patch.number),
            what: what.join(" "),
        }
    }
}

/// What is known of a version of a series after a run and what was said of it before.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Problems that stand, of this run and of earlier ones that this run did not look at again.
    pub findings: BTreeSet<FindingIdentity>,
    /// How many of the findings are not of this run.
    pub carried: usize,
}

impl Standing {
    /// After `report`, when `before` is what was said last.
    ///
    /// A finding that was told and that this run did not look at (another tree, another kconfig) still stands: a quick run
    /// that passes takes nothing back from a full one. Notices (a flaky test, a cheaper metric) are no part of it: they come
    /// and go from night to night.
    pub fn after(report: &Report, before: Option<&Standing>) -> Standing {
        let problems = report.findings.iter().filter(|finding| finding.severity == Severity::Problem);
        let mut findings: BTreeSet<FindingIdentity> = problems.map(FindingIdentity::of).collect();
        let trees: BTreeSet<&String> =
            report.trees.iter().filter(|tree| tree.error.is_none()).map(|tree| &tree.name).collect();
        let looked_at = |finding: &FindingIdentity| {
            trees.contains(&finding.tree)
                && (finding.kconfig.is_empty() || report.kconfigs.iter().any(|kconfig| kconfig.name == finding.kconfig))
        };
        let mut carried = BTreeSet::new();
        if let Some(before) = before {
            let still = |finding: &&FindingIdentity| !looked_at(finding) && !findings.contains(finding);
            carried = before.findings.iter().filter(still).cloned().collect();
        }
        let count = carried.len();
        findings.extend(carried);
        Standing { findings, carried: count }
    }

    /// A hash of all that makes it worth a mail: the findings, wherever they were seen. A further tree or kconfig on
    /// which nothing is found, or the same, is no news: a night that tests a version on several trees sends one mail.
    pub fn fingerprint(&self) -> String {
        let what = |finding: &FindingIdentity| FindingIdentity { tree: String::new(), ..finding.clone() };
        let findings: BTreeSet<FindingIdentity> = self.findings.iter().map(what).collect();
        let text = serde_json::to_string(&findings).expect("plain data");
        blake3::hash(text.as_bytes()).to_hex().as_str()[..32].to_owned()
    }
}
