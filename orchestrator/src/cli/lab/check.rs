//! `orchestrator lab check`: whether boxes are well.

use clap::Args;

use super::machines::{dut, machine, names, place};
use super::{ExitCode, Failure, Global, start};
use crate::lab::{BoxLock, Session};
use crate::words::Hardware;

/// Arguments of `lab check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Boxes to check; all when none is named
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Cycle the power first: the check that a unit makes
    #[arg(long)]
    cycle: bool,
    /// Bring back a box that was taken out, once a power cycle has proven it well
    #[arg(long = "return", requires = "names")]
    bring_back: bool,
}

/// Checks boxes; exit code 2 when one is not well.
pub async fn check(global: &Global, args: &CheckArgs) -> Result<ExitCode, Failure> {
    let places = start::Places::find(global)?;
    let cancel = start::cancel_on_signals()?;
    let mut chosen = args.names.clone();
    if chosen.is_empty() {
        for name in names(&places)? {
            if matches!(machine(&places, &name)?.hardware, Hardware::Dut(_)) {
                chosen.push(name);
            }
        }
    }
    if chosen.is_empty() {
        say!("there are no boxes in {}", places.home.lab_dir());
    }
    let mut code = ExitCode::Clean;
    for name in chosen {
        let (machine, dut) = dut(&places, &name)?;
        let _place = place(&name, &dut, "lab check", &cancel).await?;
        let lock = BoxLock::try_take(&places.cache, &name, "orchestrator lab check").map_err(Failure::infra)?;
        let result = match lock {
            // Its user watches it more closely than we could.
            Err(held) => {
                say!("{name}: held {held}");
                continue;
            }
            Ok(lock) => {
                let session = Session::with(&machine, &dut, &places.cache, lock, &cancel);
                let mut session = session.map_err(Failure::infra)?;
                if args.bring_back {
                    session.bring_back().await.map(|()| "back in service, its default kernel proven".to_owned())
                } else if args.cycle {
                    session.fence().await.map(|()| "well: its default kernel came up after a power cycle".to_owned())
                } else {
                    session.check().await.map(|uname| format!("well: {uname} answers"))
                }
                .and_then(|good| session.in_service().map(|()| good))
            }
        };
        match result {
            Ok(good) => say!("{name}: {good}"),
            Err(error) => {
                say!("{name}: NOT well: {error}");
                code = ExitCode::Infra;
            }
        }
        if cancel.is_cancelled() {
            return Ok(ExitCode::Interrupted);
        }
    }
    Ok(code)
}
