//! What changed since an earlier run, on the page.

use super::super::labels;
use super::super::model::{Report, TreeVersions};
use super::super::versions;
use super::page::{Fact, Mark};
use crate::words::{PatchFate, PatchPair};

/// One finding of either run.
pub struct SinceFinding {
    pub mark: Mark,
    /// Number of the finding on this page; `None` when it is the earlier run's.
    pub number: Option<usize>,
    pub kind: String,
    pub patch: String,
    pub kconfig: String,
    pub summary: String,
    pub remark: String,
}

/// A patch in both versions.
pub struct PairView {
    pub mark: Mark,
    pub now: String,
    pub before: String,
    pub subject: String,
    pub earlier_subject: String,
}

/// The range-diff on one tree.
pub struct RangeDiffView {
    pub title: String,
    pub text: String,
    pub left_off: usize,
}

/// The section.
pub struct SinceView {
    pub title: String,
    pub facts: Vec<Fact>,
    pub findings: Vec<SinceFinding>,
    pub meanings: Vec<(String, &'static str)>,
    pub pairs: Vec<PairView>,
    pub range_diffs: Vec<RangeDiffView>,
    pub notes: Vec<String>,
}

/// The section of a report; `None` when there is no earlier run.
pub fn since(report: &Report) -> Option<SinceView> {
    let previous = report.previous.as_ref()?;
    let fact = |name, text: String| Fact { name, text, href: None };
    let verdict = labels::run(previous.verdict);
    let mut facts = vec![
        fact("run", format!("{}, {}", previous.run, verdict.word)),
        fact("findings", versions::numbers(previous).trim_start_matches("findings: ").to_owned()),
        fact("patches", versions::patches(&previous.patches)),
    ];
    facts.extend(versions::reused(&previous.reused).map(|reused| fact("reused", reused)));
    let lists = versions::lists(previous);
    let findings = lists.iter().flat_map(|changes| {
        changes.findings.iter().map(|finding| SinceFinding {
            mark: changes.label.clone().into(),
            number: changes.of_this_run.then_some(finding.number),
            kind: labels::word(&finding.kind),
            patch: finding.patch.as_ref().map(|patch| patch.subject.clone()).unwrap_or_default(),
            kconfig: finding.kconfig.clone().unwrap_or_default(),
            summary: finding.summary.clone(),
            remark: finding.remark.clone().unwrap_or_default(),
        })
    });
    let present = lists.iter().filter(|changes| !changes.findings.is_empty());
    Some(SinceView {
        title: versions::title(report, previous),
        facts,
        findings: findings.collect(),
        meanings: present.map(|changes| (changes.label.word.clone(), changes.meaning)).collect(),
        pairs: previous.patches.iter().map(pair).collect(),
        range_diffs: previous.trees.iter().filter(|tree| !tree.range_diff.is_empty()).map(range_diff).collect(),
        notes: versions::notes(previous),
    })
}

fn pair(pair: &PatchPair) -> PairView {
    let number = |number: Option<usize>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
    PairView {
        mark: labels::fate(pair.fate).into(),
        now: number(pair.number),
        before: number(pair.earlier),
        subject: pair.subject.clone(),
        earlier_subject: match pair.fate {
            PatchFate::Changed | PatchFate::Unchanged => pair.earlier_subject.clone().unwrap_or_default(),
            PatchFate::New | PatchFate::Dropped => String::new(),
        },
    }
}

fn range_diff(tree: &TreeVersions) -> RangeDiffView {
    RangeDiffView {
        title: format!("git range-diff on {}", tree.tree),
        text: tree.range_diff.join("\n"),
        left_off: tree.left_off,
    }
}
