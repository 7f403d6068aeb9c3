//! `orchestrator show`: the report of a run.

use clap::{Args, ValueEnum};

use super::args::{Failure, Global};
use super::{ExitCode, start};
use crate::report::model::Report;
use crate::run::RunFolder;

/// Arguments of `show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// Run id, an unambiguous beginning of one, or `latest`
    #[arg(default_value = "latest")]
    run: String,
    /// How to show it
    #[arg(long, default_value = "terminal")]
    format: Format,
}

/// Forms of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For this terminal.
    Terminal,
    /// The text of report.md.
    Markdown,
    /// The text of report.json.
    Json,
    /// The text of junit.xml.
    Junit,
    /// Where report.html is.
    Html,
}

/// Shows a report; the exit code is the run's.
pub fn show(global: &Global, args: &ShowArgs) -> Result<ExitCode, Failure> {
    let places = start::Places::find(global)?;
    let run = RunFolder::open(&places.results, &args.run).map_err(Failure::usage)?;
    let file = |name: &str| {
        fs_err::read_to_string(run.path().join(name)).map_err(|error| {
            let next = format!("the run has no report; `orchestrator resume {}` goes on with it", run.run);
            Failure::infra(format!("{error}\n{next}"))
        })
    };
    let report = Report::from_json(&file("report.json")?).map_err(Failure::infra)?;
    match args.format {
        Format::Terminal => start::write_out(&start::terminal_report(global, &report)),
        Format::Markdown => start::write_out(&file("report.md")?),
        Format::Json => start::write_out(&file("report.json")?),
        Format::Junit => start::write_out(&file("junit.xml")?),
        Format::Html => say!("{}", run.path().join("report.html")),
    }
    Ok(report.verdict.into())
}
