//! What a run did not cover, and what is wrong with the base by itself.

use std::collections::BTreeMap;

use super::engine::TreeResult;
use super::examine::{Examined, records};
use super::trees::Prepared;
use crate::report::model::{BaseHealth, NotCovered};
use crate::term::text::count;
use crate::words::{BootEnd, BuildOutcome, Change, Evidence, Profile, TestComparison, Verdict};

/// Tests named in one entry; more are only counted.
const NAMED: usize = 60;

/// Lines quoted as evidence.
const QUOTED: usize = 12;

/// Boots or a suite of a kconfig for which there is no machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unplaced {
    /// Name of the kconfig.
    pub kconfig: String,
    /// What does not run: a few words.
    pub what: String,
    /// Why: one sentence.
    pub why: String,
}

/// Everything on this tree that got no answer, with the reason.
pub fn not_covered(result: &TreeResult) -> Vec<NotCovered> {
    let Prepared::Ready { tree, .. } = &result.prepared else { return Vec::new() };
    let mut gaps = Vec::new();
    let mut gap = |kconfig: Option<&str>, what: String, why: String, tests: Vec<String>| {
        gaps.push(NotCovered { what, why, tree: Some(tree.name.clone()), kconfig: kconfig.map(str::to_owned), tests });
    };
    for (kconfig, why) in not_built(result) {
        gap(Some(&kconfig), format!("kconfig {kconfig}"), why, Vec::new());
    }
    for unplaced in &result.unplaced {
        gap(Some(&unplaced.kconfig), unplaced.what.clone(), unplaced.why.clone(), Vec::new());
    }
    let mut paths: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for made in &result.builds {
        for missed in &made.record.not_compiled {
            let files = paths.entry((made.record.kconfig.clone(), missed.reason.clone())).or_default();
            if !files.contains(&missed.path) {
                files.push(missed.path.clone());
            }
        }
    }
    for ((kconfig, why), files) in paths {
        gap(Some(&kconfig), files.join(", "), why, Vec::new());
    }
    for examined in &result.examined {
        let kconfig = Some(examined.kconfig.as_str());
        for (why, tests) in by_reason(examined, Change::NotCovered) {
            gap(kconfig, count(tests.len() as u64, "test"), format!("skipped: {why}"), named(tests));
        }
        for (why, tests) in by_reason(examined, Change::Unknown) {
            gap(kconfig, count(tests.len() as u64, "test"), format!("no answer: {why}"), named(tests));
        }
        if let Some(why) = examined.boots().find_map(|boot| boot.record.log_checked.as_ref().err()) {
            gap(kconfig, "the kernel log".to_owned(), why.clone(), Vec::new());
        }
    }
    for measured in &result.measured {
        let kconfig = Some(measured.kconfig.as_str());
        if let Some(why) = &measured.not_booted {
            gap(kconfig, "benchmarks".to_owned(), why.clone(), Vec::new());
        }
        // A metric that only one side has is told among the metrics.
        let neither = |test: &String| !measured.metrics.iter().any(|comparison| comparison.metric == *test);
        for (why, tests) in by_reason(measured, Change::NotCovered) {
            let tests: Vec<String> = tests.into_iter().filter(neither).collect();
            if !tests.is_empty() {
                gap(kconfig, count(tests.len() as u64, "metric"), format!("skipped: {why}"), named(tests));
            }
        }
        for (why, tests) in by_reason(measured, Change::Unknown) {
            gap(kconfig, count(tests.len() as u64, "metric"), format!("no answer: {why}"), named(tests));
        }
    }
    gaps
}

/// Benchmarks that were to run and gave no answer, or only half of one.
pub fn unmeasured(result: &TreeResult) -> Vec<String> {
    let mut open = Vec::new();
    // Why nothing was booted at all is told as a gap.
    for measured in result.measured.iter().filter(|measured| measured.not_booted.is_none()) {
        let name = format!("benchmarks with {}", measured.kconfig);
        let ends =
            measured.base.iter().map(|boot| (boot, true)).chain(measured.patched.iter().map(|boot| (boot, false)));
        let trouble = ends.filter_map(|(boot, base)| match &boot.record.end {
            BootEnd::Infra { reason } => Some(format!("{}: {reason}", boot.unit)),
            // On the patched side it is a finding.
            BootEnd::Panicked | BootEnd::Hung { .. } | BootEnd::Reset if base => {
                Some(format!("{}: the base kernel does not survive them", boot.unit))
            }
            BootEnd::Completed | BootEnd::Panicked | BootEnd::Hung { .. } | BootEnd::Reset => None,
        });
        let before = open.len();
        open.extend(trouble.take(1).map(|trouble| format!("{name}: {trouble}")));
        let unknown = measured.comparisons.iter().filter(|comparison| comparison.change == Change::Unknown).count();
        if open.len() > before {
            continue;
        }
        let skipped = measured.comparisons.iter().any(|comparison| comparison.change == Change::NotCovered);
        if measured.metrics.is_empty() && !skipped {
            open.push(format!("{name} gave no reading"));
        } else if unknown > 0 {
            open.push(format!("{name}: {} gave no answer", count(unknown as u64, "metric")));
        }
    }
    open
}

/// Kconfigs of the matrix that the run's profile leaves out.
pub fn other_profiles(matrix: &[(String, Profile)], profile: Profile, chosen: bool) -> Option<NotCovered> {
    // What needs a machine that few have is no gap of those who have none.
    let left = matrix.iter().filter(|(_, other)| *other > profile && *other != Profile::Lab);
    let left: Vec<&str> = left.map(|(name, _)| name.as_str()).collect();
    (!left.is_empty() && !chosen).then(|| NotCovered {
        what: format!("{} kconfigs: {}", left.len(), left.join(", ")),
        why: "not in this profile; --profile full or nightly covers them".to_owned(),
        tree: None,
        kconfig: None,
        tests: Vec::new(),
    })
}

/// Kconfigs that this host cannot build, each once.
fn not_built(result: &TreeResult) -> BTreeMap<String, String> {
    let builds = result.builds.iter().filter_map(|made| match &made.record.outcome {
        BuildOutcome::NotRun { reason } => Some((made.record.kconfig.clone(), reason.clone())),
        BuildOutcome::Built
        | BuildOutcome::Failed { .. }
        | BuildOutcome::SelftestsFailed { .. }
        | BuildOutcome::Infra { .. } => None,
    });
    builds.collect()
}

/// Tests with this change, by the reason that one of their verdicts gives.
fn by_reason(examined: &Examined, change: Change) -> BTreeMap<String, Vec<String>> {
    let mut groups: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for comparison in examined.comparisons.iter().filter(|comparison| comparison.change == change) {
        groups.entry(reason(comparison)).or_default().push(comparison.test.clone());
    }
    groups
}

fn reason(comparison: &TestComparison) -> String {
    let of = |verdict: &Option<Verdict>| match verdict {
        Some(Verdict::Skip { reason } | Verdict::Infra { reason }) => Some(reason.clone()),
        Some(Verdict::Pass | Verdict::Fail { .. } | Verdict::Timeout | Verdict::Xfail | Verdict::Crashed { .. })
        | None => None,
    };
    of(&comparison.patched_verdict)
        .or_else(|| of(&comparison.base_verdict))
        .or_else(|| comparison.note.clone())
        .unwrap_or_else(|| "it was not got to".to_owned())
}

fn named(mut tests: Vec<String>) -> Vec<String> {
    let more = tests.len().saturating_sub(NAMED);
    tests.truncate(NAMED);
    if more > 0 {
        tests.push(format!("and {more} more"));
    }
    tests
}

/// Trouble that the base has by itself: it blames nobody.
pub fn base_health(result: &TreeResult) -> Vec<BaseHealth> {
    let Prepared::Ready { tree, .. } = &result.prepared else { return Vec::new() };
    let mut health = Vec::new();
    let mut trouble = |kconfig: &str, summary: String, evidence: Vec<Evidence>| {
        health.push(BaseHealth { tree: tree.name.clone(), kconfig: Some(kconfig.to_owned()), summary, evidence });
    };
    for made in result.builds.iter().filter(|made| made.record.revision.index() == 0) {
        let (reason, what) = match &made.record.outcome {
            BuildOutcome::Failed { reason } => (reason, "the base does not build"),
            BuildOutcome::SelftestsFailed { reason } => (reason, "the base's selftests do not build"),
            BuildOutcome::Built | BuildOutcome::Infra { .. } | BuildOutcome::NotRun { .. } => continue,
        };
        trouble(&made.record.kconfig, format!("{what}: {reason}"), Vec::new());
    }
    for examined in result.examined.iter().chain(&result.measured) {
        let failing: Vec<String> = examined
            .comparisons
            .iter()
            .filter(|comparison| comparison.change == Change::StillFailing)
            .map(|comparison| comparison.test.clone())
            .collect();
        if !failing.is_empty() {
            let evidence = failing.iter().take(2).filter_map(|test| output(examined, test)).collect();
            let count = failing.len();
            trouble(
                &examined.kconfig,
                format!("{count} tests fail without the series, too: {}", named(failing).join(", ")),
                evidence,
            );
        }
        let mut seen: BTreeMap<String, Evidence> = BTreeMap::new();
        for boot in &examined.base {
            for splat in &boot.record.splats {
                seen.entry(splat.signature.clone()).or_insert_with(|| Evidence {
                    what: "console".to_owned(),
                    source: format!("units/{}/console.log:{}", boot.unit, splat.line),
                    text: splat.text.lines().take(QUOTED).collect::<Vec<_>>().join("\n"),
                });
            }
        }
        if !seen.is_empty() {
            let count = seen.len();
            let evidence = seen.into_values().take(3).collect();
            trouble(&examined.kconfig, format!("the base's kernel log has {count} reports of its own"), evidence);
        }
    }
    health
}

/// What a failing test of the base printed.
fn output(examined: &Examined, test: &str) -> Option<Evidence> {
    for (boot, record) in examined.base.iter().zip(records(&examined.base)) {
        let found =
            record.tests.iter().find(|tried| tried.test == test && matches!(tried.verdict, Verdict::Fail { .. }));
        if let Some(tried) = found {
            return Some(Evidence {
                what: format!("output of {test}"),
                source: format!("units/{}/results.jsonl", boot.unit),
                text: tried.output.lines().take(QUOTED).collect::<Vec<_>>().join("\n"),
            });
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_profile_leaves_out_is_said_unless_the_user_chose() {
        let matrix = [("hmm", Profile::Quick), ("hmm-kasan", Profile::Full), ("hmm-box", Profile::Lab)];
        let matrix = matrix.map(|(name, profile)| (name.to_owned(), profile));
        let gap = other_profiles(&matrix, Profile::Quick, false).unwrap();
        assert_eq!(gap.what, "1 kconfigs: hmm-kasan");
        assert!(other_profiles(&matrix, Profile::Nightly, false).is_none());
        assert!(other_profiles(&matrix, Profile::Quick, true).is_none());
    }
}
