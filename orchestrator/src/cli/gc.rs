//! `orchestrator gc`: removes what old runs left, and what trees had before their present base.

use clap::Args;

use super::args::{Failure, Global};
use super::{ExitCode, start};
use crate::run::gc::{Budget, collect, prune_trees};
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
    /// Only say what would go
    #[arg(long)]
    dry_run: bool,
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
    let total: u64 = removed.iter().map(|(_, bytes)| bytes).chain(pruned.iter().map(|(_, tree)| &tree.bytes)).sum();
    say!("{verb} {} folders and files, {} MiB", removed.len(), total >> 20);
    Ok(ExitCode::Clean)
}
