//! `orchestrator gc`: removes what old runs left, and what trees had before their present base.

use bytesize::ByteSize;
use clap::Args;

use super::args::{Failure, Global};
use super::{ExitCode, start};
use crate::run::gc::{Budget, collect, fit, prune_trees};
use crate::term::text::count;

/// Arguments of `gc`.
#[derive(Debug, Args)]
pub struct GcArgs {
    /// Keep this many of the newest runs
    #[arg(long, default_value_t = 20)]
    keep_runs: usize,
    /// Remove results in the cache that no kept run uses and that were not used for this many days
    #[arg(long, default_value_t = 14)]
    days: u64,
    /// Also remove build folders and imported trees
    #[arg(long)]
    all: bool,
    /// Then remove what was used least recently until cache and runs take no more than this, e.g. 20G; runs stay
    #[arg(long, value_name = "SIZE")]
    keep_disk: Option<ByteSize>,
    /// Only say what would go
    #[arg(long)]
    dry_run: bool,
}

/// Makes the disk fit its budget; exit code 2 when it does not.
fn keep_disk(places: &start::Places, budget: u64, dry_run: bool) -> Result<ExitCode, Failure> {
    let size = |bytes: u64| ByteSize(bytes).display().iec().to_string();
    let choice = fit(&places.results, &places.cache, budget, dry_run).map_err(Failure::infra)?;
    for part in &choice.goes {
        let used =
            i64::try_from(part.used).ok().and_then(|at| jiff::Timestamp::from_second(at).ok()).unwrap_or_default();
        let verb = if dry_run { "would remove" } else { "removed" };
        say!("{verb} {} ({}, last used {})", part.path, size(part.bytes), used.strftime("%Y-%m-%d %H:%M UTC"));
    }
    let gone: u64 = choice.goes.iter().map(|part| part.bytes).sum();
    let verb = if dry_run { "would take" } else { "take" };
    say!("cache and runs {verb} {} of {}, {} less than before", size(choice.stays), size(budget), size(gone));
    if choice.stays <= budget {
        return Ok(ExitCode::Clean);
    }
    for (why, bytes) in &choice.held {
        say!("{} stay: {why}", size(*bytes));
    }
    Ok(ExitCode::Infra)
}

/// Collects.
pub async fn gc(global: &Global, args: &GcArgs) -> Result<ExitCode, Failure> {
    let places = start::Places::find(global)?;
    let budget = Budget { keep_runs: args.keep_runs, days: args.days, all: args.all, dry_run: args.dry_run };
    let removed = collect(&places.results, &places.cache, &budget).map_err(Failure::infra)?;
    let verb = if args.dry_run { "would remove" } else { "removed" };
    for (path, bytes) in &removed {
        say!("{verb} {path} ({} MiB)", bytes >> 20);
    }
    let pruned =
        prune_trees(&places.cache, args.dry_run, &start::cancel_on_signals()?).await.map_err(Failure::infra)?;
    for (tree, pruned) in &pruned {
        say!("{verb} {} of tree {tree} ({} MiB)", count(pruned.bases as u64, "old base"), pruned.bytes >> 20);
    }
    if let Some(budget) = args.keep_disk {
        return keep_disk(&places, budget.as_u64(), args.dry_run);
    }
    let total: u64 = removed.iter().map(|(_, bytes)| bytes).chain(pruned.iter().map(|(_, tree)| &tree.bytes)).sum();
    say!("{verb} {} folders and files, {} MiB", removed.len(), total >> 20);
    Ok(ExitCode::Clean)
}
