//! What makes two findings of two runs the same finding.

use crate::build::without_numbers;
use crate::words::{Finding, FindingKind};

/// What a finding is about, without what moves from version to version: numbers of lines and of patches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) kind: FindingKind,
    pub(super) tree: String,
    /// Test, metric, function or diagnostic; empty when the finding is about a patch or a boot as a whole.
    pub(super) what: String,
    pub(super) kconfig: Option<String>,
    /// Subject of the patch to blame.
    pub(super) subject: Option<String>,
}

/// The identity of a finding. `subject_now` gives a patch's subject in the later version.
pub(super) fn identity(finding: &Finding, subject_now: &dyn Fn(&str) -> String) -> Identity {
    Identity {
        kind: finding.kind,
        tree: finding.tree.clone(),
        what: what(finding),
        kconfig: finding.kconfig.clone(),
        subject: finding.patch.as_ref().map(|patch| subject_now(&patch.subject)),
    }
}

fn what(finding: &Finding) -> String {
    let test = || finding.test.clone().unwrap_or_default();
    match finding.kind {
        FindingKind::BuildFailed
        | FindingKind::BisectBroken
        | FindingKind::ConfigDropped
        | FindingKind::NewWarning
        | FindingKind::SelftestBuildFailed => diagnostic(finding),
        FindingKind::TestRegressed
        | FindingKind::NewTestFailed
        | FindingKind::TestVanished
        | FindingKind::FlakyTest => test(),
        FindingKind::MetricRegressed | FindingKind::MetricImproved => finding.metric.clone().unwrap_or_default(),
        // The same report may come in another test the next time.
        FindingKind::NewSplat | FindingKind::Panic => finding.function.clone().unwrap_or_else(test),
        FindingKind::Hang => test(),
        FindingKind::PatchRefused | FindingKind::ApplyFailed | FindingKind::BootFailed => String::new(),
    }
}

/// The first line that a tool said, without its numbers.
fn diagnostic(finding: &Finding) -> String {
    let line = finding.evidence.first().and_then(|evidence| evidence.text.lines().next()).unwrap_or_default();
    without_numbers(line.trim())
}
