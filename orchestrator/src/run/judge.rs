//! From everything that one tree gave to findings, gaps and the base's own trouble.

use std::collections::BTreeMap;

use super::booter::Booted;
use super::engine::TreeResult;
use super::examine::Examined;
use super::gaps;
use super::trees::Prepared;
use super::{Context, summary};
use crate::compare::findings::{
    BootSides, BuildSeen, Frame, Seen, boot_findings, build_findings, merge, metric_findings,
};
use crate::report::model::{BaseHealth, NotCovered};
use crate::words::{BootEnd, Finding, Severity};

/// Lines kept of the end of a console that has no report.
const TAIL: usize = 30;

/// What is to be told of one tree.
#[derive(Debug, Default)]
pub struct Judged {
    /// Findings, without the command that reproduces them.
    pub findings: Vec<Finding>,
    /// What got no answer.
    pub not_covered: Vec<NotCovered>,
    /// What is wrong without the series.
    pub base_health: Vec<BaseHealth>,
}

/// Judges one tree.
pub fn judge(context: &Context, result: &TreeResult) -> Judged {
    let (tree, series) = match &result.prepared {
        Prepared::Unavailable { .. } => return Judged::default(),
        Prepared::Rejected { findings, .. } => return Judged { findings: findings.clone(), ..Judged::default() },
        Prepared::Ready { tree, series, .. } => (tree, series),
    };
    let frame = Frame { tree: &tree.name, series };
    let logs: Vec<String> = result.builds.iter().map(|made| summary::log_path(&made.unit, "build.log")).collect();
    let mut builds: BTreeMap<String, Vec<BuildSeen<'_>>> = BTreeMap::new();
    for (made, log) in result.builds.iter().zip(&logs) {
        builds.entry(made.record.kconfig.clone()).or_default().push(BuildSeen { record: &made.record, log });
    }
    for seen in builds.values_mut() {
        seen.sort_by_key(|seen| seen.record.revision.index());
    }
    let mut findings = build_findings(&frame, &builds);
    let mut of_boots: Vec<Finding> = Vec::new();
    for examined in &result.examined {
        of_boots.extend(boot_findings(&frame, &sides(context, examined)));
    }
    for measured in &result.measured {
        // What the tests have shown of a patch already need not be told again by a benchmark that trips over it, too.
        let told = |finding: &Finding, of_boots: &[Finding]| {
            of_boots.iter().any(|other| {
                other.severity == Severity::Problem
                    && other.kconfig == finding.kconfig
                    && other.machine == finding.machine
                    && other.patch == finding.patch
            })
        };
        let fresh: Vec<Finding> = boot_findings(&frame, &sides(context, measured))
            .into_iter()
            .filter(|finding| !told(finding, &of_boots))
            .collect();
        of_boots.extend(fresh);
    }
    for measured in &result.measured {
        let unit = measured.patched.first().map_or("", |boot| boot.unit.as_str());
        let metrics = metric_findings(&frame, &measured.metrics, &summary::log_path(unit, "results.jsonl"));
        // What a patch costs that breaks tests is a symptom of that; the table of metrics shows it all the same.
        let broken: Vec<_> = of_boots
            .iter()
            .filter(|finding| {
                finding.severity == Severity::Problem
                    && finding.kconfig.as_ref() == Some(&measured.kconfig)
                    && finding.machine.as_ref() == Some(&measured.machine)
            })
            .filter_map(|finding| finding.patch.clone())
            .collect();
        let blames_broken = |finding: &Finding| finding.patch.as_ref().is_some_and(|patch| broken.contains(patch));
        findings.extend(metrics.into_iter().filter(|finding| !blames_broken(finding)));
    }
    findings.extend(merge(of_boots));
    Judged { findings, not_covered: gaps::not_covered(result), base_health: gaps::base_health(result) }
}

fn sides<'a>(context: &Context, examined: &'a Examined) -> BootSides<'a> {
    let seen = |boots: &[Booted]| -> Vec<Seen> {
        let one =
            |boot: &Booted| Seen { record: boot.record.clone(), unit: boot.unit.clone(), tail: tail(context, boot) };
        boots.iter().map(one).collect()
    };
    BootSides {
        kconfig: &examined.kconfig,
        machine: &examined.machine,
        base: seen(&examined.base),
        patched: seen(&examined.patched),
        patched_old_tests: seen(&examined.patched_old_tests),
        comparisons: &examined.comparisons,
        blame: examined.blame.clone(),
    }
}

/// The last lines of the console of a boot that died.
fn tail(context: &Context, boot: &Booted) -> String {
    match boot.record.end {
        BootEnd::Completed | BootEnd::Infra { .. } => String::new(),
        BootEnd::Panicked | BootEnd::Hung { .. } | BootEnd::Reset => {
            let path = context.folder.path().join(summary::log_path(&boot.unit, "console.log"));
            let bytes = fs_err::read(path).unwrap_or_default();
            let text = String::from_utf8_lossy(&bytes[bytes.len().saturating_sub(64 * 1024)..]).into_owned();
            let lines: Vec<&str> = text.lines().collect();
            lines[lines.len().saturating_sub(TAIL)..].join("\n")
        }
    }
}
