//! `orchestrator approve`: lets the patches of a run onto real machines.

use clap::Args;

use super::args::{Failure, Global};
use super::{ExitCode, start};
use crate::moderation::Approvals;
use crate::run::RunFolder;
use crate::term::text::visible;

/// Arguments of `approve`.
#[derive(Debug, Args)]
pub struct ApproveArgs {
    /// Run id, an unambiguous beginning of one, or `latest`
    run: String,
}

/// Writes down who let which patches onto boxes.
pub fn approve(global: &Global, args: &ApproveArgs) -> Result<ExitCode, Failure> {
    let places = start::Places::find(global)?;
    let folder = RunFolder::open(&places.results, &args.run).map_err(Failure::usage)?;
    let by = nix::unistd::User::from_uid(nix::unistd::getuid()).ok().flatten();
    let by = by.map_or_else(|| format!("uid {}", nix::unistd::getuid()), |user| user.name);
    let at = jiff::Timestamp::now().to_string();
    let all = folder.trees.iter().filter_map(|plan| plan.series.as_ref().ok());
    let mut known = Approvals::read(&places.results).map_err(Failure::infra)?;
    let mut any = false;
    for series in all {
        any = true;
        if known.of(series).is_none() {
            let approval = Approvals::add(&places.results, series, &folder.run, &by, &at).map_err(Failure::infra)?;
            known.all.push(approval);
        }
        say!("{}: {} may run on real machines", folder.run, visible(&series.title));
    }
    if !any {
        return Err(Failure::usage(format!("{} has no patches", folder.run)));
    }
    say!("`orchestrator resume {}` runs what waited", folder.run);
    Ok(ExitCode::Clean)
}
