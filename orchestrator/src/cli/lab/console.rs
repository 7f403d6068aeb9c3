//! `orchestrator lab console`: the console of a box, as it comes.

use std::io::{Read, Seek, SeekFrom};
use std::time::Duration;

use clap::Args;

use super::machines::{dut, place};
use super::{ExitCode, Failure, Global, start};
use crate::lab::{BoxLock, Session, printable};

/// How often the log is looked at while another process records.
const PAUSE: Duration = Duration::from_millis(200);

/// Arguments of `lab console`.
#[derive(Debug, Args)]
pub struct ConsoleArgs {
    /// The box
    name: String,
}

/// Shows the console until it is interrupted. When another process uses the box, that one records, and its record is
/// shown: a BMC has one console for one reader.
pub async fn console(global: &Global, args: &ConsoleArgs) -> Result<ExitCode, Failure> {
    let places = start::Places::find(global)?;
    let cancel = start::cancel_on_signals()?;
    let (machine, dut) = dut(&places, &args.name)?;
    let path = places.cache.join("lab").join(&args.name).join("console.log");
    let mut at = fs_err::metadata(&path).map_or(0, |file| file.len());
    let by = "orchestrator lab console";
    let _place = place(&args.name, &dut, "lab console", &cancel).await?;
    let taken = BoxLock::try_take(&places.cache, &args.name, by).map_err(Failure::infra)?;
    let _session = match taken {
        Ok(lock) => {
            let session = Session::with(&machine, &dut, &places.cache, lock, &cancel);
            let mut session = session.map_err(Failure::infra)?;
            session.console().await.map_err(Failure::infra)?;
            Some(session)
        }
        Err(held) => {
            start::write_note(&format!("{} is held {held}; this is what is recorded there", args.name));
            None
        }
    };
    start::write_note(&format!("recorded in {path}; Ctrl-C ends this"));
    while !cancel.is_cancelled() {
        at = show(&path, at).map_err(Failure::infra)?;
        tokio::select! {
            () = cancel.cancelled() => {}
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
    Ok(ExitCode::Clean)
}

/// Prints what the log has beyond `at`; gives its new end. A log that began anew is shorter.
fn show(path: &camino::Utf8Path, at: u64) -> std::io::Result<u64> {
    let mut file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error),
    };
    let size = file.metadata()?.len();
    let at = if size < at { 0 } else { at };
    file.seek(SeekFrom::Start(at))?;
    let mut bytes = Vec::new();
    file.take(size - at).read_to_end(&mut bytes)?;
    for line in String::from_utf8_lossy(&bytes).lines() {
        say!("{}", printable(line));
    }
    Ok(size)
}
