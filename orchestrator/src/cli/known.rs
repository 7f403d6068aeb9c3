//! `orchestrator known`: the known issues, and which of them are out of date.

use camino::Utf8Path;
use clap::Args;

use super::args::{Failure, Global};
use super::{ExitCode, site, start};
use crate::known::{self, Age, Aged, KnownIssues, Past};
use crate::report::model::Report;
use crate::run::RunFolder;
use crate::term::text::visible;

/// Arguments of `known`.
#[derive(Debug, Args)]
pub struct KnownArgs {
    /// End with 1 when an issue is past its day or matches nothing any more
    #[arg(long)]
    check: bool,
    /// Days without a match, on which there could have been one, after which an issue is out of date
    #[arg(long, value_name = "DAYS", default_value_t = 14, value_parser = clap::value_parser!(u32).range(1..))]
    stale: u32,
}

/// Lists the known issues.
pub fn known(global: &Global, args: &KnownArgs) -> Result<ExitCode, Failure> {
    let places = start::Places::find(global)?;
    let known = KnownIssues::read(&places.results).map_err(Failure::usage)?;
    if known.issues.is_empty() {
        say!("no known issues: {} has none", places.results.join(known::NAME));
        return Ok(ExitCode::Clean);
    }
    let mut old = false;
    aged(&places.results, &known, args.stale, |aged| {
        let entry = &aged.issue.entry;
        let state = match aged.age {
            Age::InForce => "in force",
            Age::Expired => "EXPIRED",
            Age::Stale { .. } => "STALE",
        };
        let last = aged.last.as_ref().map(|(run, day)| format!("last seen {day} in {run}"));
        say!("{:<8}  {}: {}", state, visible(&entry.name), visible(&aged.issue.sentence()));
        say!("          {}", last.unwrap_or_else(|| "never seen in the runs that are kept".to_owned()));
        if let Some(advice) = aged.advice() {
            old = true;
            say!("          -> {}", visible(&advice));
        }
    })?;
    Ok(if old && args.check { ExitCode::Findings } else { ExitCode::Clean })
}

/// Gives every issue to `tell`, with how it stands by the runs below `results`.
pub fn aged(results: &Utf8Path, known: &KnownIssues, stale: u32, tell: impl FnMut(&Aged<'_>)) -> Result<(), Failure> {
    let reports: Vec<Report> = RunFolder::all(results)
        .map_err(Failure::infra)?
        .iter()
        .filter_map(|run| Report::from_json(&fs_err::read_to_string(run.path().join("report.json")).ok()?).ok())
        .collect();
    let past: Vec<Past<'_>> = reports
        .iter()
        .filter_map(|report| Some(Past { day: report.run.started.get(..10)?.parse().ok()?, report }))
        .collect();
    let stale = usize::try_from(stale).unwrap_or(usize::MAX);
    known::age(known, site::today(), stale, &past).iter().for_each(tell);
    Ok(())
}
