//! `orchestrator lab power`: switching a box by hand.

use clap::{Args, ValueEnum};

use super::machines::{dut, place};
use super::{ExitCode, Failure, Global, start};
use crate::lab::{BoxLock, PowerDriver};

/// Arguments of `lab power`.
#[derive(Debug, Args)]
pub struct PowerArgs {
    /// The box
    name: String,
    /// What to do
    action: Action,
}

/// What to do with the power.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Action {
    /// Switch it on
    On,
    /// Switch it off
    Off,
    /// Off, and on again
    Cycle,
    /// Say whether it is on
    Status,
}

/// Switches a box. One that a process uses is left alone; who holds it by hand may switch it.
pub async fn power(global: &Global, args: &PowerArgs) -> Result<ExitCode, Failure> {
    let places = start::Places::find(global)?;
    let cancel = start::cancel_on_signals()?;
    let (_, dut) = dut(&places, &args.name)?;
    let driver = PowerDriver::new(&dut.power);
    let _place = match args.action {
        Action::Status => None,
        Action::On | Action::Off | Action::Cycle => place(&args.name, &dut, "lab power", &cancel).await?,
    };
    let _lock = match args.action {
        Action::Status => None,
        Action::On | Action::Off | Action::Cycle => {
            let by = "orchestrator lab power";
            match BoxLock::try_take(&places.cache, &args.name, by).map_err(Failure::infra)? {
                Ok(lock) => Some(lock),
                Err(held) if held.pid.is_none() => None,
                Err(held) => return Err(Failure::infra(format!("{} is held {held}", args.name))),
            }
        }
    };
    match args.action {
        Action::On => driver.on(&cancel).await,
        Action::Off => driver.off(&cancel).await,
        Action::Cycle => driver.cycle(&cancel).await,
        Action::Status => Ok(()),
    }
    .map_err(Failure::infra)?;
    let state = driver.status(&cancel).await.map_err(Failure::infra)?;
    say!("{}: {}", args.name, state.word());
    Ok(ExitCode::Clean)
}
