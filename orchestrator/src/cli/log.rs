//! `orchestrator log`: the logs of a unit.

use std::io::Write;

use camino::{Utf8Path, Utf8PathBuf};
use clap::Args;

use super::args::{Failure, Global};
use super::{ExitCode, start};
use crate::run::RunFolder;
use crate::run::debug_line::{self, Filter, LEVELS};

/// Arguments of `log`.
#[derive(Debug, Args)]
pub struct LogArgs {
    /// Run id, an unambiguous beginning of one, or `latest`
    run: String,
    /// Unit, or a part of its name that only it has; without it the units are listed
    unit: Option<String>,
    /// Show the debug log of the run instead: what the program did, of UNIT (or units with that in their name) or of all
    #[arg(long)]
    debug: bool,
    /// Only lines of this level and graver ones
    #[arg(long, value_name = "LEVEL", requires = "debug", value_parser = LEVELS)]
    level: Option<String>,
    /// Print the lines as they are, JSON
    #[arg(long, requires = "debug")]
    json: bool,
}

/// Prints lines of the debug log.
fn debug(run: &RunFolder, args: &LogArgs) -> Result<ExitCode, Failure> {
    let filter = Filter { unit: args.unit.clone(), level: args.level.clone() };
    let lines = debug_line::read(run.path()).map_err(Failure::infra)?;
    if lines.is_empty() {
        return Err(Failure::usage(format!("run {} has no debug log (`--log off`, or an older program)", run.run)));
    }
    let mut out = std::io::stdout().lock();
    for line in lines.iter().filter(|line| filter.takes(line)) {
        let text = if args.json { serde_json::to_string(line).map_err(Failure::infra)? } else { line.show() };
        if writeln!(out, "{text}").is_err() {
            break;
        }
    }
    Ok(ExitCode::Clean)
}

/// Prints every log of a unit, each under its name.
pub fn log(global: &Global, args: &LogArgs) -> Result<ExitCode, Failure> {
    let places = start::Places::find(global)?;
    let run = RunFolder::open(&places.results, &args.run).map_err(Failure::usage)?;
    if args.debug {
        return debug(&run, args);
    }
    let root = run.path().join("units");
    let mut files = Vec::new();
    collect(&root, &mut files).map_err(Failure::infra)?;
    files.sort();
    let unit_of =
        |file: &Utf8PathBuf| file.parent().and_then(|dir| dir.strip_prefix(&root).ok()).map(Utf8Path::to_string);
    let mut units: Vec<String> = files.iter().filter_map(unit_of).collect();
    units.dedup();
    let Some(wanted) = &args.unit else {
        units.iter().for_each(|unit| say!("{unit}"));
        return Ok(ExitCode::Clean);
    };
    let exact: Vec<&String> = units.iter().filter(|unit| *unit == wanted).collect();
    let partly: Vec<&String> = units.iter().filter(|unit| unit.contains(wanted.as_str())).collect();
    let unit = match (exact.as_slice(), partly.as_slice()) {
        ([unit], _) | ([], [unit]) => *unit,
        (_, []) => {
            return Err(Failure::usage(format!(
                "no unit of run {} is called `{wanted}`; `orchestrator log {}` lists them",
                run.run, run.run
            )));
        }
        (_, several) => {
            let names: Vec<&str> = several.iter().map(|unit| unit.as_str()).collect();
            return Err(Failure::usage(format!("`{wanted}` could be any of\n  {}", names.join("\n  "))));
        }
    };
    let mut out = std::io::stdout().lock();
    for file in files.iter().filter(|file| unit_of(file).as_ref() == Some(unit)) {
        let bytes = fs_err::read(file).map_err(Failure::infra)?;
        // A reader that went away (`| head`) is no trouble.
        if writeln!(out, "==> {file} <==").and_then(|()| out.write_all(&printable(&bytes))).is_err() {
            break;
        }
    }
    Ok(ExitCode::Clean)
}

/// Logs come from hostile programs: escape sequences must not reach the terminal.
fn printable(bytes: &[u8]) -> Vec<u8> {
    bytes
        .iter()
        .map(|byte| if byte.is_ascii_control() && !matches!(byte, b'\n' | b'\t') { b'?' } else { *byte })
        .collect()
}

fn collect(dir: &Utf8Path, files: &mut Vec<Utf8PathBuf>) -> std::io::Result<()> {
    let entries = match dir.read_dir_utf8() {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() { collect(entry.path(), files)? } else { files.push(entry.path().to_owned()) }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_do_not_reach_the_terminal() {
        assert_eq!(printable(b"a\x1b[2Jb\r\n\tc"), b"a?[2Jb?\n\tc");
    }
}
