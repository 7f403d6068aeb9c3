//! Reading two runs and setting them side by side.

use camino::Utf8Path;
use tokio_util::sync::CancellationToken;

use super::answered::answered;
use super::find::{Head, Which, earlier};
use super::ranges::{Version, on_tree};
use crate::compare::{compare_findings, pair_patches};
use crate::report::Report;
use crate::report::model::{Previous, ReusedUnits, RunVerdict, TreeVersions};
use crate::run::{FolderError, RunFolder, folder};
use crate::words::{PatchFate, PatchPair, Series};

/// So many of the newest runs are looked at.
const RUNS: usize = 500;

/// A run and its report.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a> {
    /// The run.
    pub folder: &'a RunFolder,
    /// What it said.
    pub report: &'a Report,
}

impl Told<'_> {
    /// The series for a tree.
    fn series(&self, tree: &str) -> Option<&Series> {
        let plan = self.folder.trees.iter().find(|plan| plan.tree.name() == tree)?;
        plan.series.as_ref().ok()
    }
}

/// The earlier run that `which` asks for, with what changed since; `None` when there is none.
///
/// # Errors
/// When the run folders cannot be read.
pub async fn since(
    later: Told<'_>,
    which: Which,
    cache: &Utf8Path,
    cancel: &CancellationToken,
) -> Result<Option<Previous>, FolderError> {
    let results = later.folder.path().parent().unwrap_or(later.folder.path());
    let Some(series) = later.folder.series() else { return Ok(None) };
    let trees = later.report.trees.iter().map(|tree| tree.name.clone()).collect();
    let this = Head::new(&later.folder.run, &later.folder.started, series, trees, Some(later.report.verdict));
    let mut heads = Vec::new();
    for name in folder::names(results)?.iter().rev().take(RUNS) {
        // A run that cannot be read is none to compare with.
        heads.extend(RunFolder::open(results, name).ok().and_then(|run| head(&run, &this)));
    }
    let Some(found) = earlier(&heads, &this, which) else { return Ok(None) };
    let folder = RunFolder::open(results, &found.run)?;
    let Some(report) = report_of(&folder) else { return Ok(None) };
    Ok(Some(compare_runs(Told { folder: &folder, report: &report }, later, cache, cancel).await))
}

/// The head of a run, when it may be one of the series of `this`. What `reproduce` did is a part of another run.
fn head(run: &RunFolder, this: &Head) -> Option<Head> {
    let trees = run.trees.iter().map(|plan| plan.tree.name()).collect();
    let head = Head::new(&run.run, &run.started, run.series()?, trees, None);
    if run.options.reproduces || !head.same_series(this) {
        return None;
    }
    Some(Head { verdict: verdict(run), ..head })
}

fn verdict(run: &RunFolder) -> Option<RunVerdict> {
    #[derive(serde::Deserialize)]
    struct Brief {
        verdict: RunVerdict,
    }
    let text = fs_err::read_to_string(run.path().join("report.json")).ok()?;
    serde_json::from_str::<Brief>(&text).ok().map(|brief| brief.verdict)
}

fn report_of(run: &RunFolder) -> Option<Report> {
    let text = fs_err::read_to_string(run.path().join("report.json")).ok()?;
    Report::from_json(&text).ok()
}

/// Sets two runs side by side. Takes seconds when `git range-diff` has much to do.
pub async fn compare_runs(
    earlier: Told<'_>,
    later: Told<'_>,
    cache: &Utf8Path,
    cancel: &CancellationToken,
) -> Previous {
    let mut trees: Vec<TreeVersions> = Vec::new();
    let mut patches: Option<Vec<PatchPair>> = None;
    for tree in &later.report.trees {
        let old = earlier.report.trees.iter().find(|old| old.name == tree.name);
        let (Some(old), Some(before), Some(now)) = (old, earlier.series(&tree.name), later.series(&tree.name)) else {
            continue;
        };
        let (old, new) = (Version { tree: old, series: before }, Version { tree, series: now });
        let (versions, pairs) = on_tree(cache, old, new, cancel).await;
        trees.push(versions);
        if patches.is_none() {
            patches = pairs;
        }
    }
    let of = |told: &Told<'_>| told.folder.series().map(|series| series.patches.clone()).unwrap_or_default();
    let patches = patches.unwrap_or_else(|| pair_patches(&of(&earlier), &of(&later)));
    let (old, new) = (earlier.report, later.report);
    let findings = compare_findings(
        &old.findings,
        &new.findings,
        &patches,
        |finding| answered(new, finding),
        |finding| answered(old, finding),
    );
    Previous {
        run: earlier.folder.run.clone(),
        started: earlier.folder.started.clone(),
        series: old.series.name.clone(),
        version: old.series.version.or(old.series.upstream.as_ref().map(|upstream| upstream.version)),
        verdict: old.verdict,
        findings,
        reused: reused(new, &patches, &trees),
        patches,
        trees,
    }
}

/// Units of base and patches that are the same as before, on bases that are the same as before.
fn reused(report: &Report, patches: &[PatchPair], trees: &[TreeVersions]) -> ReusedUnits {
    let same = |number: usize| {
        let unchanged = |pair: &PatchPair| {
            pair.fate == PatchFate::Unchanged && pair.number == Some(number) && pair.earlier == Some(number)
        };
        patches.iter().any(unchanged)
    };
    let unchanged = (1..=report.series.patches.len()).take_while(|number| same(*number)).count();
    let kept = |tree: &str| {
        let mut same_base = trees.iter().filter(|one| one.base.is_some() && one.base == one.earlier_base);
        same_base.any(|one| one.tree == tree)
    };
    let mut units = ReusedUnits::default();
    for cell in report.builds.iter().filter(|cell| kept(&cell.tree) && cell.revision.index() <= unchanged) {
        units.builds += 1;
        units.builds_reused += usize::from(cell.reused);
    }
    for boot in report.boots.iter().filter(|boot| kept(&boot.tree) && boot.end.is_some()) {
        if boot.kernel.index().max(boot.selftests.index()) <= unchanged {
            units.boots += 1;
            units.boots_reused += usize::from(boot.reused);
        }
    }
    units
}

#[cfg(test)]
#[path = "assemble_tests.rs"]
mod tests;
