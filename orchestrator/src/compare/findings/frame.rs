//! What every finding of one tree has in common.

use crate::words::{BlamedPatch, Finding, FindingKind, Series, Severity};

/// The tree and the series that findings are about.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    /// Tree.
    pub tree: &'a str,
    /// The series as applied.
    pub series: &'a Series,
}

impl Frame<'_> {
    /// How many patches there are.
    pub fn total(&self) -> usize {
        self.series.patches.len()
    }

    /// The patch with this number.
    pub fn patch(&self, number: usize) -> Option<BlamedPatch> {
        let patch = self.series.patches.get(number.checked_sub(1)?)?;
        Some(BlamedPatch { number, total: self.total(), subject: patch.subject.clone() })
    }

    /// A finding about a patch (or about the tip, when no patch could be named) with everything else still empty.
    pub fn finding(&self, kind: FindingKind, severity: Severity, patch: Option<usize>, summary: String) -> Finding {
        let total = self.total();
        Finding {
            kind,
            severity,
            tree: self.tree.to_owned(),
            revision: format!("patch {}/{total}", patch.unwrap_or(total)),
            patch: patch.and_then(|number| self.patch(number)),
            kconfig: None,
            machine: None,
            test: None,
            metric: None,
            function: None,
            summary,
            evidence: Vec::new(),
            reproduce: String::new(),
        }
    }

    /// `patch 2/3 "subject"`, or `the series` when no patch could be named.
    pub fn name(&self, patch: Option<usize>) -> String {
        match patch.and_then(|number| self.patch(number)) {
            Some(patch) => format!("patch {}/{} \"{}\"", patch.number, patch.total, patch.subject),
            None => "the series".to_owned(),
        }
    }
}
