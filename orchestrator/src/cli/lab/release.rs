//! `orchestrator lab release`: giving back a box that was held by hand.

use clap::Args;

use super::machines::{dut, own};
use super::{ExitCode, Failure, Global, start};
use crate::lab::BoxLock;

/// Arguments of `lab release`.
#[derive(Debug, Args)]
pub struct ReleaseArgs {
    /// The box
    name: String,
}

/// Gives a box back. What a process holds ends with that process.
pub fn release(global: &Global, args: &ReleaseArgs) -> Result<ExitCode, Failure> {
    let places = start::Places::find(global)?;
    let (_, dut) = dut(&places, &args.name)?;
    own(&args.name, &dut)?;
    match BoxLock::release(&places.cache, &args.name).map_err(Failure::infra)? {
        Some(held) => say!("{} is free; it was held {held}", args.name),
        None => match BoxLock::holder(&places.cache, &args.name).map_err(Failure::infra)? {
            Some(held) => return Err(Failure::usage(format!("{} is not held by hand, but {held}", args.name))),
            None => say!("{} was free", args.name),
        },
    }
    Ok(ExitCode::Clean)
}
