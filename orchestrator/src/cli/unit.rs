//! `orchestrator unit`: does one unit of a run on a node of an engine.

use camino::Utf8PathBuf;
use clap::Args;

use super::args::{Failure, Global};
use super::{ExitCode, start};
use crate::engine::{self, UnitError};

/// Arguments of `unit`.
#[derive(Debug, Args)]
pub struct UnitArgs {
    /// Folder with `job.json`
    folder: Utf8PathBuf,
}

/// Does the job. Which attempt it is and where, Slurm says in the environment.
pub async fn unit(global: &Global, args: UnitArgs) -> Result<ExitCode, Failure> {
    let places = start::Places::find(global)?;
    let cancel = start::cancel_on_signals()?;
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let job = variable("SLURM_JOB_ID").unwrap_or_else(|| format!("pid{}", std::process::id()));
    let restart = variable("SLURM_RESTART_COUNT").unwrap_or_else(|| "0".to_owned());
    let host = || nix::sys::utsname::uname().map(|name| name.nodename().to_string_lossy().into_owned());
    let node = variable("SLURMD_NODENAME").map_or_else(host, Ok).map_err(Failure::infra)?;
    let done = engine::perform(&args.folder, &places.cache, &node, &format!("{job}.{restart}"), cancel).await;
    match done {
        Ok(()) => Ok(ExitCode::Clean),
        Err(UnitError::Stopped) => Ok(ExitCode::Interrupted),
        Err(error @ (UnitError::Io(_) | UnitError::Job { .. })) => Err(Failure::infra(error)),
    }
}
