//! Findings about builds: breaks, breaks that a later patch mends, warnings, dropped symbols.

use std::collections::{BTreeMap, BTreeSet};

use super::Frame;
use super::names::list;
use super::proof::evidence;
use crate::build::{DiagnosticSignature, new_diagnostics, signature};
use crate::words::{BuildOutcome, BuildRecord, Diagnostic, Evidence, Finding, FindingKind, Level, Severity};

/// Different new warnings of one patch that become a finding each; what is beyond is counted in the last.
const WARNINGS: usize = 12;

/// Diagnostics quoted in one finding.
const QUOTED: usize = 4;

/// Where selftests lie in the tree.
const SELFTESTS: &str = "tools/testing/selftests/";

/// A build and where its log lies in the run's folder.
#[derive(Debug, Clone, Copy)]
pub struct BuildSeen<'a> {
    /// The record.
    pub record: &'a BuildRecord,
    /// Path of its log, relative to the run's folder.
    pub log: &'a str,
}

/// A finding of one kconfig before those of several are merged.
struct Draft {
    finding: Finding,
    kconfig: String,
    /// What must be shared for two kconfigs to show the same cause: one of these.
    marks: BTreeSet<DiagnosticSignature>,
    /// Stands for the cause where the tools named none.
    reason: String,
}

/// Findings of all kconfigs of a tree. `builds` holds, for each kconfig, the builds of base and patches in order.
///
/// - A base that does not build gives none: nobody can be blamed against it.
/// - Revisions that fail in a row are one break, blamed on the first; the others are consequences. When a later
///   revision builds again it is BisectBroken and names the patch that mends it, else BuildFailed; ConfigDropped when
///   a symbol is lost. Selftests likewise; a break of selftests that is mended is a notice.
/// - A warning that the base does not have is blamed on the first patch that has it; one that the last patch does not
///   have any more is a notice.
/// - The same finding on the same patch under several kconfigs is one, when they share a diagnostic.
pub fn build_findings(frame: &Frame<'_>, builds: &BTreeMap<String, Vec<BuildSeen<'_>>>) -> Vec<Finding> {
    let drafts = builds.iter().flat_map(|(kconfig, builds)| of_kconfig(frame, kconfig, builds));
    let mut merged: Vec<(Draft, Vec<String>)> = Vec::new();
    for draft in drafts {
        match merged.iter_mut().find(|(other, _)| same_cause(other, &draft)) {
            Some((other, kconfigs)) => {
                if !kconfigs.contains(&draft.kconfig) {
                    kconfigs.push(draft.kconfig);
                }
                other.marks.extend(draft.marks);
                other.finding.severity = other.finding.severity.min(draft.finding.severity);
            }
            None => {
                let kconfigs = vec![draft.kconfig.clone()];
                merged.push((draft, kconfigs));
            }
        }
    }
    merged
        .into_iter()
        .map(|(draft, kconfigs)| {
            let mut finding = draft.finding;
            finding.kconfig = kconfigs.first().cloned();
            finding.summary = format!("{} (kconfig {})", finding.summary, list(&kconfigs));
            finding
        })
        .collect()
}

fn same_cause(one: &Draft, other: &Draft) -> bool {
    let shared = match (one.marks.is_empty(), other.marks.is_empty()) {
        (true, true) => one.reason == other.reason,
        (false, false) => !one.marks.is_disjoint(&other.marks),
        (true, false) | (false, true) => false,
    };
    one.finding.kind == other.finding.kind
        && one.finding.patch == other.finding.patch
        && one.finding.revision == other.finding.revision
        && one.kconfig != other.kconfig
        && shared
}

/// What a build says about a thing that may break.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Health {
    Good,
    Broken,
    /// Trouble of ours, or hidden behind another break.
    Unknown,
}

fn kernel_health(record: &BuildRecord) -> Health {
    match record.outcome {
        BuildOutcome::Built | BuildOutcome::SelftestsFailed { .. } => Health::Good,
        BuildOutcome::Failed { .. } => Health::Broken,
        BuildOutcome::Infra { .. } | BuildOutcome::NotRun { .. } => Health::Unknown,
    }
}

fn selftest_health(record: &BuildRecord) -> Health {
    match record.outcome {
        BuildOutcome::Built => Health::Good,
        BuildOutcome::SelftestsFailed { .. } => Health::Broken,
        BuildOutcome::Failed { .. } | BuildOutcome::Infra { .. } | BuildOutcome::NotRun { .. } => Health::Unknown,
    }
}

fn reason_of(record: &BuildRecord) -> &str {
    match &record.outcome {
        BuildOutcome::Failed { reason } | BuildOutcome::SelftestsFailed { reason } => reason,
        BuildOutcome::Built | BuildOutcome::Infra { .. } | BuildOutcome::NotRun { .. } => "",
    }
}

fn of_kconfig(frame: &Frame<'_>, kconfig: &str, builds: &[BuildSeen<'_>]) -> Vec<Draft> {
    let Some((base, patches)) = builds.split_first() else { return Vec::new() };
    if base.record.revision.index() != 0 || kernel_health(base.record) != Health::Good {
        return Vec::new();
    }
    let mut drafts: Vec<Draft> =
        breaks(patches, kernel_health).into_iter().map(|found| kernel_draft(frame, kconfig, base, &found)).collect();
    if selftest_health(base.record) == Health::Good {
        let broken = breaks(patches, selftest_health);
        drafts.extend(broken.into_iter().map(|found| selftest_draft(frame, kconfig, base, &found)));
    }
    drafts.extend(warnings(frame, kconfig, base, patches));
    drafts
}

/// Revisions in a row that are broken.
struct Break<'a> {
    first: BuildSeen<'a>,
    /// The first patch that may be to blame: before `first` when revisions in between gave no answer.
    earliest: usize,
    mended_by: Option<BuildSeen<'a>>,
}

fn breaks<'a>(patches: &[BuildSeen<'a>], health: fn(&BuildRecord) -> Health) -> Vec<Break<'a>> {
    let mut found: Vec<Break<'a>> = Vec::new();
    let mut open = false;
    let mut after_good = 1;
    for seen in patches {
        let index = seen.record.revision.index();
        match health(seen.record) {
            Health::Good => {
                if let (true, Some(last)) = (open, found.last_mut()) {
                    last.mended_by = Some(*seen);
                }
                open = false;
                after_good = index + 1;
            }
            Health::Broken if !open => {
                open = true;
                found.push(Break { first: *seen, earliest: after_good.min(index), mended_by: None });
            }
            // A consequence of the break before, or nothing that says something.
            Health::Broken | Health::Unknown => {}
        }
    }
    found
}

/// What is said of a break beside its reason: until when, and how certain the culprit is.
fn circumstances(found: &Break<'_>) -> (String, String) {
    let number = found.first.record.revision.index();
    let until = found.mended_by.map(|seen| format!(" until {} mends it", seen.record.revision)).unwrap_or_default();
    let doubt = if found.earliest < number {
        format!("; it may be any of patches {} to {number}, as those before gave no answer", found.earliest)
    } else {
        String::new()
    };
    (until, doubt)
}

fn kernel_draft(frame: &Frame<'_>, kconfig: &str, base: &BuildSeen<'_>, found: &Break<'_>) -> Draft {
    let record = found.first.record;
    let number = record.revision.index();
    let (name, reason) = (frame.name(Some(number)), reason_of(record));
    let (until, doubt) = circumstances(found);
    let (kind, what) = match (record.dropped.is_empty(), found.mended_by) {
        (false, _) => (FindingKind::ConfigDropped, "loses a symbol that the kconfig needs"),
        (true, None) => (FindingKind::BuildFailed, "does not build"),
        (true, Some(_)) => (FindingKind::BisectBroken, "does not build"),
    };
    let summary = format!("{name} {what}{until}: {reason}{doubt}");
    let errors = new_errors(base, &found.first);
    let mut finding = frame.finding(kind, Severity::Problem, Some(number), summary);
    finding.function = errors.first().and_then(|error| error.function.clone());
    finding.evidence = vec![proof(&found.first, &errors, reason)];
    let marks = errors.iter().map(signature).collect();
    Draft { finding, kconfig: kconfig.to_owned(), marks, reason: reason.to_owned() }
}

fn selftest_draft(frame: &Frame<'_>, kconfig: &str, base: &BuildSeen<'_>, found: &Break<'_>) -> Draft {
    let record = found.first.record;
    let number = record.revision.index();
    let reason = reason_of(record);
    let (until, doubt) = circumstances(found);
    let severity = if found.mended_by.is_some() { Severity::Notice } else { Severity::Problem };
    let summary = format!("the selftests of {} do not build{until}: {reason}{doubt}", frame.name(Some(number)));
    let errors = new_errors(base, &found.first);
    let mut finding = frame.finding(FindingKind::SelftestBuildFailed, severity, Some(number), summary);
    finding.function = errors.first().and_then(|error| error.function.clone());
    finding.evidence = vec![proof(&found.first, &errors, reason)];
    let marks = errors.iter().map(signature).collect();
    Draft { finding, kconfig: kconfig.to_owned(), marks, reason: reason.to_owned() }
}

fn new_errors(base: &BuildSeen<'_>, seen: &BuildSeen<'_>) -> Vec<Diagnostic> {
    let mut errors = new_diagnostics(&base.record.diagnostics, &seen.record.diagnostics);
    errors.retain(|diagnostic| diagnostic.level == Level::Error);
    errors
}

/// Whether the compiler has said all that it has to say about selftests on both sides. An error draws warnings after
/// it that have no cause of their own, and hides others.
fn knows_selftest_warnings(base: &BuildSeen<'_>, seen: &BuildSeen<'_>) -> bool {
    [base, seen].iter().all(|seen| selftest_health(seen.record) == Health::Good)
}

/// Warnings that the base does not have. A build that failed says nothing: it stopped before the others.
fn warnings(frame: &Frame<'_>, kconfig: &str, base: &BuildSeen<'_>, patches: &[BuildSeen<'_>]) -> Vec<Draft> {
    let new_in = |seen: &BuildSeen<'_>| -> Vec<Diagnostic> {
        let mut new = new_diagnostics(&base.record.diagnostics, &seen.record.diagnostics);
        let selftests_too = knows_selftest_warnings(base, seen);
        new.retain(|diagnostic| {
            diagnostic.level == Level::Warning && (selftests_too || !diagnostic.file.starts_with(SELFTESTS))
        });
        new
    };
    let built: Vec<&BuildSeen<'_>> = patches.iter().filter(|seen| kernel_health(seen.record) == Health::Good).collect();
    let last: BTreeSet<DiagnosticSignature> =
        built.last().map(|seen| new_in(seen)).unwrap_or_default().iter().map(signature).collect();
    let mut known = BTreeSet::new();
    let mut drafts = Vec::new();
    for seen in built {
        let mut order = Vec::new();
        let mut of_patch: BTreeMap<DiagnosticSignature, Vec<Diagnostic>> = BTreeMap::new();
        for diagnostic in new_in(seen) {
            let mark = signature(&diagnostic);
            if known.contains(&mark) {
                continue;
            }
            if !of_patch.contains_key(&mark) {
                order.push(mark.clone());
            }
            of_patch.entry(mark).or_default().push(diagnostic);
        }
        let beyond = order.len().saturating_sub(WARNINGS);
        for (count, mark) in order.into_iter().enumerate() {
            known.insert(mark.clone());
            if count >= WARNINGS {
                continue;
            }
            let more = if count + 1 == WARNINGS { beyond } else { 0 };
            let finding = warning(frame, seen, &of_patch[&mark], last.contains(&mark), more);
            let reason = finding.summary.clone();
            drafts.push(Draft { finding, kconfig: kconfig.to_owned(), marks: BTreeSet::from([mark]), reason });
        }
    }
    drafts
}

fn warning(frame: &Frame<'_>, seen: &BuildSeen<'_>, diagnostics: &[Diagnostic], stays: bool, more: usize) -> Finding {
    let number = seen.record.revision.index();
    let Diagnostic { file, line, function, message, option, .. } = &diagnostics[0];
    let option = option.as_ref().map(|option| format!(" [{option}]")).unwrap_or_default();
    let place = match (file.as_str(), line) {
        ("", _) => String::new(),
        (file, 0) => format!("{file}: "),
        (file, line) => format!("{file}:{line}: "),
    };
    let gone = if stays { "" } else { "; a later patch removes it" };
    let beyond = if more > 0 { format!("; and {more} more warnings") } else { String::new() };
    let summary = format!("{} adds a warning: {place}{message}{option}{gone}{beyond}", frame.name(Some(number)));
    let severity = if stays { Severity::Problem } else { Severity::Notice };
    let mut finding = frame.finding(FindingKind::NewWarning, severity, Some(number), summary);
    finding.function.clone_from(function);
    finding.evidence = vec![proof(seen, diagnostics, message)];
    finding
}

fn proof(seen: &BuildSeen<'_>, diagnostics: &[Diagnostic], otherwise: &str) -> Evidence {
    let text: Vec<&str> = diagnostics.iter().take(QUOTED).map(|diagnostic| diagnostic.text.as_str()).collect();
    let text = if text.is_empty() { otherwise.to_owned() } else { text.join("\n") };
    evidence("build log", seen.log.to_owned(), &text)
}
