//! `orchestrator lab`: the machines of the lab, one subcommand per file.

mod check;
mod console;
mod list;
mod machines;
mod power;
mod release;
mod reserve;
mod run;

use clap::Subcommand;

use super::args::{Failure, Global};
use super::{ExitCode, start};

/// What to do in the lab.
#[derive(Debug, Subcommand)]
pub enum LabCommand {
    /// List the machines: what they have, how they are, who holds them
    List(list::ListArgs),
    /// Check whether boxes are well; --return brings one back that was taken out
    Check(check::CheckArgs),
    /// Hold a box by hand, until it is released
    Reserve(reserve::ReserveArgs),
    /// Give back a box that is held by hand
    Release(release::ReleaseArgs),
    /// Switch a box on or off, or say whether it is on
    Power(power::PowerArgs),
    /// Show the console of a box as it comes, and record it
    Console(console::ConsoleArgs),
    /// Boot a build on a machine, run suites, print the verdicts
    Run(run::RunArgs),
}

/// Does it.
pub async fn lab(global: &Global, command: LabCommand) -> Result<ExitCode, Failure> {
    match command {
        LabCommand::List(args) => list::list(global, &args).await,
        LabCommand::Check(args) => check::check(global, &args).await,
        LabCommand::Reserve(args) => reserve::reserve(global, &args),
        LabCommand::Release(args) => release::release(global, &args),
        LabCommand::Power(args) => power::power(global, &args).await,
        LabCommand::Console(args) => console::console(global, &args).await,
        LabCommand::Run(args) => run::run(global, &args).await,
    }
}
