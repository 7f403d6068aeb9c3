//! The health of a tree's base by itself: builds, boots and tests without any series.
//!
//! Every run builds and boots the base beside the series, so its report says how the base is. A base is *broken* when a
//! kconfig that was good in an earlier night no longer builds or comes up, or when none is good. A kconfig that never
//! was good is the tree's custom and keeps nobody from a verdict. Failing tests do not break a base: they fail on both
//! sides and blame nobody anyway.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::report::model::{BootRow, Report};
use crate::words::{BootEnd, BuildOutcome};

/// Names told of a list; more are only counted.
const NAMED: usize = 5;

/// Most failing tests kept of one base.
const TESTS: usize = 500;

/// The base with one kconfig.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum KconfigBase {
    /// It builds, and comes up where it is booted.
    Good,
    /// It, or its selftests, do not build.
    DoesNotBuild {
        /// One line.
        reason: String,
    },
    /// It was booted and never reached the end of its tests.
    DoesNotBoot {
        /// One line.
        reason: String,
    },
    /// Nothing is known, through trouble of ours.
    Unknown,
}

impl KconfigBase {
    fn trouble(&self) -> Option<&str> {
        match self {
            KconfigBase::Good | KconfigBase::Unknown => None,
            KconfigBase::DoesNotBuild { reason } | KconfigBase::DoesNotBoot { reason } => Some(reason),
        }
    }
}

/// The base as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BaseStanding {
    /// Builds, boots and passes.
    Good,
    /// Builds and boots; some tests fail, or a kconfig is bad that never was good.
    Failing,
    /// Broken: nothing on it is the fault of a series.
    Broken,
    /// Nothing is known.
    Unknown,
}

impl BaseStanding {
    /// The word as it stands in reports.
    pub fn word(self) -> &'static str {
        match self {
            BaseStanding::Good => "good",
            BaseStanding::Failing => "failing",
            BaseStanding::Broken => "broken",
            BaseStanding::Unknown => "unknown",
        }
    }
}

/// What one run saw of a base.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BaseRecord {
    /// Commit, 40 hex digits.
    pub commit: String,
    /// Version of the kernel.
    pub kernel_version: String,
    /// The run.
    pub run: String,
    /// All together.
    pub standing: BaseStanding,
    /// By kconfig.
    pub kconfigs: BTreeMap<String, KconfigBase>,
    /// Tests that failed every time, as `<kconfig> <test>`, sorted.
    pub failing: Vec<String>,
}

impl BaseRecord {
    /// What is wrong, one sentence; empty when nothing is.
    pub fn why(&self) -> String {
        let kconfigs = self.kconfigs.iter().filter_map(|(kconfig, base)| Some((kconfig, base.trouble()?)));
        let mut parts: Vec<String> = kconfigs.map(|(kconfig, reason)| format!("{kconfig}: {reason}")).collect();
        if !self.failing.is_empty() {
            parts.push(format!("{}: {}", fail(self.failing.len()), named(&self.failing)));
        }
        parts.join("; ")
    }
}

/// What is new about a base since it was looked at last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BaseNews {
    /// It was not broken and now is.
    Broke {
        /// What is wrong.
        why: String,
    },
    /// It was broken and no longer is.
    Recovered,
    /// Tests that did not fail before fail now.
    Worse {
        /// Which, as in [`BaseRecord::failing`].
        tests: Vec<String>,
    },
    /// Tests that failed before no longer do.
    Better {
        /// Which.
        tests: Vec<String>,
    },
}

impl BaseNews {
    /// The news of `tree` in one sentence.
    pub fn sentence(&self, tree: &str) -> String {
        match self {
            BaseNews::Broke { why } => format!("the base of {tree} is broken, which blames no series: {why}"),
            BaseNews::Recovered => format!("the base of {tree} is no longer broken"),
            BaseNews::Worse { tests } => {
                format!("{} on the base of {tree}, which did not before: {}", fail(tests.len()), named(tests))
            }
            BaseNews::Better { tests } => {
                format!("what failed on the base of {tree} and no longer does: {}", named(tests))
            }
        }
    }
}

fn fail(tests: usize) -> String {
    if tests == 1 { "1 test fails".to_owned() } else { format!("{tests} tests fail") }
}

fn named(names: &[String]) -> String {
    let more = names.len().saturating_sub(NAMED);
    let list = names.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    if more > 0 { format!("{list} and {more} more") } else { list }
}

/// Judges the base of `tree` by a run's report. `good_before` are the kconfigs with which some earlier base of the tree
/// was good. `None` when the run did not come so far as to look at the base.
pub fn judge_base(report: &Report, tree: &str, good_before: &BTreeSet<&str>) -> Option<BaseRecord> {
    let info = report.trees.iter().find(|info| info.name == tree && info.error.is_none())?;
    let mut kconfigs = BTreeMap::new();
    for cell in report.builds.iter().filter(|cell| cell.tree == tree && cell.revision.index() == 0) {
        let base = match &cell.outcome {
            BuildOutcome::Built => boots(report, tree, &cell.kconfig),
            BuildOutcome::Failed { reason } => {
                KconfigBase::DoesNotBuild { reason: format!("does not build: {reason}") }
            }
            BuildOutcome::SelftestsFailed { reason } => {
                KconfigBase::DoesNotBuild { reason: format!("its selftests do not build: {reason}") }
            }
            BuildOutcome::Infra { .. } | BuildOutcome::NotRun { .. } => KconfigBase::Unknown,
        };
        kconfigs.insert(cell.kconfig.clone(), base);
    }
    if kconfigs.is_empty() {
        return None;
    }
    let tables = report.tests.iter().filter(|table| table.tree == tree);
    let rows = tables.flat_map(|table| table.rows.iter().map(|row| (&table.kconfig, row)));
    let failing: BTreeSet<String> = rows
        .filter(|(_, row)| row.base.tries > 0 && row.base.bad == row.base.tries)
        .map(|(kconfig, row)| format!("{kconfig} {}", row.test))
        .take(TESTS)
        .collect();
    let failing: Vec<String> = failing.into_iter().collect();
    Some(BaseRecord {
        commit: info.commit.clone().unwrap_or_default(),
        kernel_version: info.kernel_version.clone().unwrap_or_default(),
        run: report.run.id.clone(),
        standing: standing(&kconfigs, &failing, good_before),
        kconfigs,
        failing,
    })
}

/// The boots of the base's kernel with its own selftests.
fn boots(report: &Report, tree: &str, kconfig: &str) -> KconfigBase {
    let own = |row: &&BootRow| {
        row.tree == tree && row.kconfig == kconfig && row.kernel.index() == 0 && row.selftests.index() == 0
    };
    let mut died = None;
    let mut silent = false;
    for end in report.boots.iter().filter(own).filter_map(|row| row.end.as_ref()) {
        match end {
            // Who reached the end once comes up; a test that takes the machine down is a failing test.
            BootEnd::Completed => return KconfigBase::Good,
            BootEnd::Panicked => died = Some("panics".to_owned()),
            BootEnd::Hung { deadline } => died = Some(format!("hangs ({deadline} deadline)")),
            BootEnd::Reset => died = Some("resets".to_owned()),
            BootEnd::Infra { .. } => silent = true,
        }
    }
    match (died, silent) {
        (Some(reason), _) => KconfigBase::DoesNotBoot { reason },
        (None, true) => KconfigBase::Unknown,
        // It builds, and nobody booted it.
        (None, false) => KconfigBase::Good,
    }
}

fn standing(
    kconfigs: &BTreeMap<String, KconfigBase>,
    failing: &[String],
    good_before: &BTreeSet<&str>,
) -> BaseStanding {
    let bad: Vec<&str> =
        kconfigs.iter().filter(|(_, base)| base.trouble().is_some()).map(|(name, _)| name.as_str()).collect();
    let any_good = kconfigs.values().any(|base| *base == KconfigBase::Good);
    if bad.iter().any(|name| good_before.contains(name)) || (!bad.is_empty() && !any_good) {
        BaseStanding::Broken
    } else if !any_good {
        BaseStanding::Unknown
    } else if !bad.is_empty() || !failing.is_empty() {
        BaseStanding::Failing
    } else {
        BaseStanding::Good
    }
}

/// What is new since `before`, the last judgement that knew something.
pub fn news(before: Option<&BaseRecord>, now: &BaseRecord) -> Option<BaseNews> {
    let was_broken = before.is_some_and(|before| before.standing == BaseStanding::Broken);
    match now.standing {
        BaseStanding::Unknown => None,
        BaseStanding::Broken if was_broken => None,
        BaseStanding::Broken => Some(BaseNews::Broke { why: now.why() }),
        BaseStanding::Good | BaseStanding::Failing if was_broken => Some(BaseNews::Recovered),
        BaseStanding::Good | BaseStanding::Failing => {
            let before = before?;
            let only = |these: &BaseRecord, others: &BaseRecord| -> Vec<String> {
                // What a run did not look at is neither better nor worse.
                let seen = |test: &&String| {
                    let kconfig = test.split(' ').next().unwrap_or_default();
                    others.kconfigs.get(kconfig) == Some(&KconfigBase::Good)
                };
                these.failing.iter().filter(|test| !others.failing.contains(test)).filter(seen).cloned().collect()
            };
            let (worse, better) = (only(now, before), only(before, now));
            if !worse.is_empty() {
                Some(BaseNews::Worse { tests: worse })
            } else if !better.is_empty() {
                Some(BaseNews::Better { tests: better })
            } else {
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nightly::testing::{ReportMaker, broken_build};

    fn judge(report: &Report, good_before: &[&str]) -> BaseRecord {
        judge_base(report, "t", &good_before.iter().copied().collect()).unwrap()
    }

    #[test]
    fn standing_table() {
        let good = ReportMaker::new("t").report();
        let failed = ReportMaker::new("t").base_build("hmm", broken_build()).report();
        let both = ReportMaker::new("t").base_build("debug", broken_build()).report();
        let panics = ReportMaker::new("t").base_boot("hmm", BootEnd::Panicked).report();
        let infra = ReportMaker::new("t").base_boot("hmm", BootEnd::Infra { reason: "qemu".into() }).report();
        let failing = ReportMaker::new("t").row("hmm.x", (1, 1), (1, 1)).report();
        let flaky = ReportMaker::new("t").row("hmm.x", (1, 3), (0, 1)).report();
        let cases: [(&str, &Report, &[&str], BaseStanding); 9] = [
            ("all is well", &good, &[], BaseStanding::Good),
            ("the only kconfig does not build", &failed, &[], BaseStanding::Broken),
            ("a kconfig that never built", &both, &[], BaseStanding::Failing),
            ("a kconfig that built before", &both, &["debug"], BaseStanding::Broken),
            ("another one built before", &both, &["hmm"], BaseStanding::Failing),
            ("does not come up", &panics, &[], BaseStanding::Broken),
            ("trouble of ours says nothing", &infra, &["hmm"], BaseStanding::Unknown),
            ("tests fail", &failing, &["hmm"], BaseStanding::Failing),
            ("tests fail sometimes", &flaky, &["hmm"], BaseStanding::Good),
        ];
        for (what, report, good_before, expected) in cases {
            assert_eq!(judge(report, good_before).standing, expected, "{what}");
        }
        assert_eq!(judge_base(&good, "other", &BTreeSet::new()), None);
    }

    #[test]
    fn each_change_is_news_once() {
        let good = judge(&ReportMaker::new("t").report(), &[]);
        let broken = judge(&ReportMaker::new("t").base_boot("hmm", BootEnd::Panicked).report(), &["hmm"]);
        let failing = judge(&ReportMaker::new("t").row("hmm.x", (1, 1), (1, 1)).report(), &["hmm"]);
        let unknown = BaseRecord { standing: BaseStanding::Unknown, ..good.clone() };
        let tests = vec!["hmm hmm.x".to_owned()];
        let cases = [
            (None, &good, None),
            (None, &broken, Some(BaseNews::Broke { why: "hmm: panics".into() })),
            (Some(&good), &broken, Some(BaseNews::Broke { why: "hmm: panics".into() })),
            (Some(&broken), &broken, None),
            (Some(&broken), &good, Some(BaseNews::Recovered)),
            (Some(&broken), &unknown, None),
            (Some(&good), &failing, Some(BaseNews::Worse { tests: tests.clone() })),
            (Some(&failing), &good, Some(BaseNews::Better { tests })),
            (Some(&failing), &failing, None),
        ];
        for (index, (before, now, expected)) in cases.into_iter().enumerate() {
            assert_eq!(news(before, now), expected, "case {index}");
        }
    }
}
