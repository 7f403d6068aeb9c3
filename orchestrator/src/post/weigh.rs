//! What a run says of each patch on each tree: what checks and comments are made of.
//!
//! A problem that names a patch is that patch's; one that could not be pinned is every patch's. What got no answer is
//! never good. Trouble that the base has by itself blames nobody.

use super::said::Said;
use crate::report::model::{PatchInfo, Report, RunVerdict, TreeInfo};
use crate::term::text::{count, truncate, visible};
use crate::words::{BuildOutcome, Change, Finding, FindingKind, Severity};

/// How a patch fares on a tree, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// Everything planned was done and nothing speaks against it.
    Good,
    /// A person should look; it does not fail.
    Notice,
    /// Something planned got no answer.
    Open,
    /// It should not be taken like this.
    Bad,
}

/// One patch on one tree.
#[derive(Debug)]
pub struct PatchWeight<'a> {
    /// The patch.
    pub patch: &'a PatchInfo,
    /// The worst that is said of it.
    pub weight: Weight,
    /// Problems that name it.
    pub own: Vec<&'a Finding>,
    /// Problems of the series that name no patch.
    pub shared: Vec<&'a Finding>,
    /// Notices that name it, or no patch.
    pub notices: Vec<&'a Finding>,
    /// What got no answer, one sentence each.
    pub open: Vec<String>,
    /// Kconfigs with which it was built.
    pub built: usize,
}

/// All patches on one tree.
#[derive(Debug)]
pub struct TreeWeight<'a> {
    /// The tree.
    pub tree: &'a TreeInfo,
    /// Tests that answered on both sides.
    pub compared: usize,
    /// The patches, in order.
    pub patches: Vec<PatchWeight<'a>>,
}

impl TreeWeight<'_> {
    /// The worst of all patches.
    pub fn weight(&self) -> Weight {
        self.patches.iter().map(|patch| patch.weight).max().unwrap_or(Weight::Open)
    }
}

/// Weighs a run, tree by tree.
pub fn weigh(report: &Report) -> Vec<TreeWeight<'_>> {
    let open: Vec<Vec<String>> = report.trees.iter().map(|tree| open_of_tree(report, tree)).collect();
    let blameless = open.iter().all(Vec::is_empty) && report.builds.iter().all(|cell| !is_infra(&cell.outcome));
    let no_verdict = match report.verdict {
        RunVerdict::Interrupted => true,
        // Somewhere an answer is missing; when it is not known where, it is missing everywhere.
        RunVerdict::Infra => blameless,
        RunVerdict::Clean | RunVerdict::Findings => false,
    };
    let trees = report.trees.iter().zip(open).map(|(tree, mut open)| {
        if no_verdict {
            open.push(report.headline.clone());
        }
        weigh_tree(report, tree, &open)
    });
    trees.collect()
}

fn weigh_tree<'a>(report: &'a Report, tree: &'a TreeInfo, open: &[String]) -> TreeWeight<'a> {
    let findings = || report.findings.iter().filter(|finding| finding.tree == tree.name);
    let of = |finding: &Finding, number: usize| finding.patch.as_ref().map(|patch| patch.number) == Some(number);
    let problem = |finding: &Finding| finding.severity == Severity::Problem;
    let patches = report.series.patches.iter().map(|patch| {
        let own: Vec<&Finding> = findings().filter(|f| problem(f) && of(f, patch.number)).collect();
        let shared: Vec<&Finding> = findings().filter(|f| problem(f) && f.patch.is_none()).collect();
        let notices: Vec<&Finding> = findings().filter(|f| is_notice(f, patch.number)).collect();
        let mut open = open.to_vec();
        if tree.error.is_none() && patch.number > tree.applied.len() {
            open.push("it was not tested, because the series could not be applied up to it".to_owned());
        }
        let cells = || report.builds.iter().filter(|c| c.tree == tree.name && c.revision.index() == patch.number);
        open.extend(cells().filter_map(|cell| match &cell.outcome {
            BuildOutcome::Infra { reason } => Some(format!("its build with {} has no result: {reason}", cell.kconfig)),
            BuildOutcome::Built
            | BuildOutcome::Failed { .. }
            | BuildOutcome::SelftestsFailed { .. }
            | BuildOutcome::NotRun { .. } => None,
        }));
        let built = cells().filter(|cell| matches!(cell.outcome, BuildOutcome::Built)).count();
        if built == 0 && own.is_empty() && open.is_empty() {
            open.push("it was not built with any kconfig".to_owned());
        }
        let weight = match (own.is_empty() && shared.is_empty(), open.is_empty(), notices.is_empty()) {
            (false, ..) => Weight::Bad,
            (true, false, _) => Weight::Open,
            (true, true, false) => Weight::Notice,
            (true, true, true) => Weight::Good,
        };
        PatchWeight { patch, weight, own, shared, notices, open, built }
    });
    let tables = report.tests.iter().filter(|table| table.tree == tree.name);
    let answered = |change: Change| match change {
        Change::Regressed | Change::Flaky | Change::StillFailing | Change::Fixed | Change::StillPassing => true,
        Change::NewFail | Change::NewPass | Change::Vanished | Change::Unknown | Change::NotCovered => false,
    };
    let compared = tables.flat_map(|table| &table.rows).filter(|row| answered(row.change)).count();
    TreeWeight { tree, compared, patches: patches.collect() }
}

/// A notice that concerns a patch: it names it, or none and not the base. What got better is no notice.
fn is_notice(finding: &Finding, number: usize) -> bool {
    let better = finding.kind == FindingKind::MetricImproved;
    let concerns = match &finding.patch {
        Some(patch) => patch.number == number,
        None => finding.revision != "base",
    };
    finding.severity == Severity::Notice && !better && concerns
}

fn is_infra(outcome: &BuildOutcome) -> bool {
    matches!(outcome, BuildOutcome::Infra { .. })
}

/// What got no answer on a tree, whatever the patch.
fn open_of_tree(report: &Report, tree: &TreeInfo) -> Vec<String> {
    if let Some(error) = &tree.error {
        return vec![format!("tree {} could not be had: {error}", tree.name)];
    }
    let mut open = Vec::new();
    let bases = report.builds.iter().filter(|cell| cell.tree == tree.name && cell.revision.index() == 0);
    for cell in bases {
        if let BuildOutcome::Infra { reason } = &cell.outcome {
            open.push(format!("the base's build with {} has no result: {reason}", cell.kconfig));
        }
    }
    for table in report.tests.iter().filter(|table| table.tree == tree.name) {
        let unknown = table.rows.iter().filter(|row| row.change == Change::Unknown).count();
        if unknown > 0 {
            open.push(format!("{} with {} gave no answer", count(unknown as u64, "test"), table.kconfig));
        } else if table.rows.is_empty() && table.note.is_none() {
            open.push(format!("no test with {} gave an answer", table.kconfig));
        }
    }
    open.extend(report.coverage.unmeasured.iter().cloned());
    open
}

/// What is said of a patch in one line of at most `columns`. It is the same in every run that finds the same.
pub fn sentence(tree: &TreeWeight<'_>, patch: &PatchWeight<'_>, columns: usize) -> String {
    let more = |n: usize| if n > 1 { format!(" (and {} more)", n - 1) } else { String::new() };
    let problems = patch.own.len() + patch.shared.len();
    let text = match patch.weight {
        Weight::Bad => match patch.own.first() {
            Some(first) => format!("{}{}", first.summary, more(problems)),
            None => {
                let first = patch.shared.first().map(|finding| finding.summary.as_str()).unwrap_or_default();
                format!("the series, not pinned to one patch: {first}{}", more(problems))
            }
        },
        Weight::Open => {
            let first = patch.open.first().map(String::as_str).unwrap_or_default();
            format!("no verdict: {first}{}", more(patch.open.len()))
        }
        Weight::Notice => {
            let first = patch.notices.first().map(|finding| finding.summary.as_str()).unwrap_or_default();
            format!("to be looked at: {first}{}", more(patch.notices.len()))
        }
        Weight::Good => format!(
            "builds with {}; the series breaks none of {}",
            count(patch.built as u64, "kconfig"),
            count(tree.compared as u64, "test")
        ),
    };
    truncate(&visible(&text), columns)
}

/// A hash of all that is worth saying again when it changes: the verdict and what the findings are about, not when
/// and by which run they were found.
pub fn fingerprint(said: &Said<'_>) -> String {
    let report = said.report;
    let mut hasher = blake3::Hasher::new();
    let mut add = |part: &str| {
        hasher.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes());
    };
    add(report.verdict.word());
    let mut findings: Vec<String> = report.findings.iter().map(about).collect();
    findings.sort();
    findings.dedup();
    findings.iter().for_each(|finding| add(finding));
    for tree in weigh(report) {
        add(&tree.tree.name);
        for patch in &tree.patches {
            add(match patch.weight {
                Weight::Good => "good",
                Weight::Notice => "notice",
                Weight::Open => "open",
                Weight::Bad => "bad",
            });
        }
    }
    add(&said.patches_hash());
    hasher.finalize().to_hex()[..32].to_owned()
}

/// What a finding is about, without its numbers and lines.
fn about(finding: &Finding) -> String {
    let patch = finding.patch.as_ref().map(|patch| patch.number.to_string());
    let parts = [
        Some(format!("{:?} {:?}", finding.kind, finding.severity)),
        Some(finding.tree.clone()),
        patch,
        finding.kconfig.clone(),
        finding.machine.clone(),
        finding.test.clone(),
        finding.metric.clone(),
        finding.function.clone(),
    ];
    parts.map(Option::unwrap_or_default).join("\u{0}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::post::said::testing::said_of;
    use crate::report::fixtures;
    use crate::report::model::TreeInfo;

    fn weights(report: &Report) -> Vec<Vec<Weight>> {
        weigh(report).iter().map(|tree| tree.patches.iter().map(|patch| patch.weight).collect()).collect()
    }

    #[test]
    fn blame_goes_to_the_patch_and_what_is_open_is_never_good() {
        use Weight::{Bad, Good, Notice, Open};
        assert_eq!(weights(&fixtures::clean()), [[Good; 6]]);
        assert_eq!(weights(&fixtures::infra()), [[Open; 6]]);
        assert_eq!(weights(&fixtures::interrupted()), [[Open; 6]]);
        assert_eq!(weights(&fixtures::tree_missing()), [[Good; 6], [Open; 6]]);
        assert_eq!(weights(&fixtures::identical()), [[Good]]);
        let measured = weights(&fixtures::measured());
        assert_eq!(measured, [[Good, Bad, Good, Good, Good, Good]]);
        // Patch 6 has problems on another tree only; a test without an answer leaves it open here.
        assert_eq!(weights(&fixtures::findings()), [[Bad, Bad, Bad, Bad, Bad, Open]]);
        let mut notice = fixtures::measured();
        notice.verdict = RunVerdict::Clean;
        notice.findings[0].severity = Severity::Notice;
        assert_eq!(weights(&notice)[0], [Good, Notice, Good, Good, Good, Good]);
    }

    #[test]
    fn a_problem_without_a_patch_is_every_patchs() {
        let mut report = fixtures::measured();
        report.findings[0].patch = None;
        let trees = weigh(&report);
        assert!(trees[0].patches.iter().all(|patch| patch.weight == Weight::Bad));
        let text = sentence(&trees[0], &trees[0].patches[4], 300);
        assert!(text.starts_with("the series, not pinned to one patch: Migration of present"), "{text}");
    }

    #[test]
    fn patches_behind_one_that_does_not_apply_were_not_tested() {
        let mut report = fixtures::clean();
        report.trees[0].applied.truncate(4);
        assert_eq!(weights(&report)[0][3..], [Weight::Good, Weight::Open, Weight::Open]);
        let no_trees: Vec<TreeInfo> = Vec::new();
        report.trees = no_trees;
        assert!(weigh(&report).is_empty());
    }

    #[test]
    fn an_infra_verdict_is_nowhere_good_even_if_nobody_knows_where() {
        let mut report = fixtures::clean();
        report.verdict = RunVerdict::Infra;
        assert_eq!(weights(&report), [[Weight::Open; 6]]);
    }

    #[test]
    fn the_fingerprint_holds_what_is_said_and_not_when() {
        let report = fixtures::findings();
        let one = fingerprint(&said_of(&report).said(&report));
        let mut again = report.clone();
        again.run.id = "20270101-000000-v6".into();
        again.findings.reverse();
        again.findings[0].evidence.clear();
        again.timing.wall_ms += 1;
        assert_eq!(one, fingerprint(&said_of(&again).said(&again)));
        let mut other = report.clone();
        other.findings[3].patch = None;
        assert_ne!(one, fingerprint(&said_of(&other).said(&other)));
        let mut infra = report.clone();
        infra.verdict = RunVerdict::Infra;
        assert_ne!(one, fingerprint(&said_of(&infra).said(&infra)));
    }
}
