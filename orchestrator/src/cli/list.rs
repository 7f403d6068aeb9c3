//! `orchestrator list`: the runs, oldest first.

use clap::Args;
use comfy_table::{ContentArrangement, Table, presets};

use super::args::{Failure, Global};
use super::{ExitCode, start};
use crate::report::model::Report;
use crate::run::RunFolder;

/// Arguments of `list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Print JSON, one run per line
    #[arg(long)]
    json: bool,
}

/// Lists the runs.
pub fn list(global: &Global, args: &ListArgs) -> Result<ExitCode, Failure> {
    let places = start::Places::find(global)?;
    let runs = RunFolder::all(&places.results).map_err(Failure::infra)?;
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(["RUN", "SERIES", "STARTED", "VERDICT"]);
    for run in &runs {
        let verdict = verdict(run);
        if args.json {
            let line = serde_json::json!({
                "run": run.run, "series": run.options.series, "title": run.series().map(|series| &series.title),
                "started": run.started, "verdict": verdict, "path": run.path(),
            });
            say!("{line}");
        } else {
            table.add_row([&run.run, &run.options.series, &run.started, &verdict]);
        }
    }
    match (args.json, runs.is_empty()) {
        (true, _) => {}
        (false, true) => say!("no runs in {}; `orchestrator run series v6` makes one", places.results),
        (false, false) => say!("{}", table.trim_fmt()),
    }
    Ok(ExitCode::Clean)
}

/// The verdict of a run in one word and a few more.
fn verdict(run: &RunFolder) -> String {
    let report = fs_err::read_to_string(run.path().join("report.json")).ok();
    match report.map(|text| Report::from_json(&text)) {
        Some(Ok(report)) => match report.findings.len() {
            0 => report.verdict.word().to_owned(),
            count => format!("{} ({count})", report.verdict.word()),
        },
        Some(Err(_)) => "report unreadable".to_owned(),
        None if run.lock().is_err() => "running".to_owned(),
        None => "unfinished: `resume` goes on".to_owned(),
    }
}
