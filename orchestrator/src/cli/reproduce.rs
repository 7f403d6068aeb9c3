//! `orchestrator reproduce`: does again what a finding is about.

use clap::Args;

use super::args::{Failure, Global};
use super::run::{Watching, drive};
use super::{ExitCode, start};
use crate::report::model::Report;
use crate::run::{Options, RunFolder, TreePlan};
use crate::words::Finding;

/// Arguments of `reproduce`.
#[derive(Debug, Args)]
pub struct ReproduceArgs {
    /// Run id, an unambiguous beginning of one, or `latest`
    run: String,
    /// Number of the finding in the report, from 1
    finding: usize,
    #[command(flatten)]
    watching: Watching,
}

/// Starts a run of only what the finding needs: its tree, its kconfig, its test, the patches up to the one it names.
/// Nothing is taken from the cache.
pub async fn reproduce(global: &Global, args: ReproduceArgs) -> Result<ExitCode, Failure> {
    let places = start::Places::find(global)?;
    let old = RunFolder::open(&places.results, &args.run).map_err(Failure::usage)?;
    let text = fs_err::read_to_string(old.path().join("report.json")).map_err(Failure::usage)?;
    let report = Report::from_json(&text).map_err(Failure::usage)?;
    let finding = args.finding.checked_sub(1).and_then(|index| report.findings.get(index)).ok_or_else(|| {
        Failure::usage(format!("run {} has {} findings; give a number from 1", old.run, report.findings.len()))
    })?;
    let (options, trees) = narrowed(&old, finding);
    if trees.is_empty() {
        return Err(Failure::usage(format!("tree {} of the finding is not part of run {}", finding.tree, old.run)));
    }
    let folder = RunFolder::create(&places.results, &start::command_line(), options, trees).map_err(Failure::infra)?;
    drive(global, &places, folder, &args.watching).await
}

/// Options and trees of a run that does only what a finding needs.
fn narrowed(old: &RunFolder, finding: &Finding) -> (Options, Vec<TreePlan>) {
    let options = Options {
        kconfigs: finding.kconfig.iter().cloned().collect(),
        // What happened on one machine need not happen on another.
        machines: finding.machine.clone().map_or_else(|| old.options.machines.clone(), |machine| vec![machine]),
        machines_with: match finding.machine {
            Some(_) => Default::default(),
            None => old.options.machines_with.clone(),
        },
        tests: finding.test.iter().chain(&finding.metric).cloned().collect(),
        fresh: true,
        refresh: false,
        reproduces: true,
        ..old.options.clone()
    };
    let mut trees: Vec<TreePlan> = old.trees.iter().filter(|plan| plan.tree.name() == finding.tree).cloned().collect();
    for plan in &mut trees {
        if let (Ok(series), Some(patch)) = (&mut plan.series, &finding.patch) {
            series.patches.truncate(patch.number);
        }
    }
    (options, trees)
}
