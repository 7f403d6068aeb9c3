//! `orchestrator lab reserve`: holding a box by hand.

use clap::Args;

use super::machines::{dut, own};
use super::{ExitCode, Failure, Global, start};
use crate::lab::BoxLock;

/// Arguments of `lab reserve`.
#[derive(Debug, Args)]
pub struct ReserveArgs {
    /// The box
    name: String,
    /// Why, for those who wait
    #[arg(long, value_name = "WORDS")]
    reason: String,
}

/// Holds a box until `lab release`.
pub fn reserve(global: &Global, args: &ReserveArgs) -> Result<ExitCode, Failure> {
    let places = start::Places::find(global)?;
    let (_, dut) = dut(&places, &args.name)?;
    own(&args.name, &dut)?;
    BoxLock::hold(&places.cache, &args.name, &args.reason).map_err(Failure::infra)?;
    say!("{0} is yours; `orchestrator lab release {0}` gives it back", args.name);
    Ok(ExitCode::Clean)
}
