//! `orchestrator resume`: goes on with a run that was interrupted.

use clap::Args;

use super::args::{Failure, Global};
use super::run::{Watching, drive};
use super::{ExitCode, start};
use crate::run::RunFolder;

/// Arguments of `resume`.
#[derive(Debug, Args)]
pub struct ResumeArgs {
    /// Run id, an unambiguous beginning of one, or `latest`
    #[arg(default_value = "latest")]
    run: String,
    #[command(flatten)]
    watching: Watching,
}

/// Does what the run has left to do.
pub async fn resume(global: &Global, args: ResumeArgs) -> Result<ExitCode, Failure> {
    let places = start::Places::find(global)?;
    let folder = RunFolder::open(&places.results, &args.run).map_err(Failure::usage)?;
    drive(global, &places, folder, &args.watching).await
}
