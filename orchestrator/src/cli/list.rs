//! `orchestrator list`: the runs, oldest first.

use camino::Utf8Path;
use clap::{Args, ValueEnum};
use comfy_table::{ContentArrangement, Table, presets};

use super::args::{Failure, Global};
use super::{ExitCode, start};
use crate::run::index::{self, Filter, RunRow};
use crate::run::{FolderError, RunFolder};
use crate::term::text;

/// Arguments of `list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Only runs of this series
    #[arg(long, value_name = "SERIES")]
    series: Option<String>,
    /// Only runs with this verdict
    #[arg(long, value_name = "VERDICT")]
    verdict: Option<Verdict>,
    /// Only runs begun on this day or later (UTC)
    #[arg(long, value_name = "YYYY-MM-DD")]
    since: Option<jiff::civil::Date>,
    /// Print JSON, one run per line
    #[arg(long)]
    json: bool,
}

/// What became of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Verdict {
    /// Nothing speaks against the series.
    Clean,
    /// There are findings.
    Findings,
    /// No verdict.
    Infra,
    /// Stopped by the user.
    Interrupted,
    /// A process works on it.
    Running,
    /// Its process died; `resume` goes on.
    Unfinished,
    /// Its report is damaged or of another version.
    Unreadable,
}

impl Verdict {
    fn word(self) -> &'static str {
        match self {
            Verdict::Clean => "clean",
            Verdict::Findings => "findings",
            Verdict::Infra => "infra",
            Verdict::Interrupted => "interrupted",
            Verdict::Running => "running",
            Verdict::Unfinished => "unfinished",
            Verdict::Unreadable => "unreadable",
        }
    }
}

/// Lists the runs.
pub fn list(global: &Global, args: &ListArgs) -> Result<ExitCode, Failure> {
    let places = start::Places::find(global)?;
    let filter = Filter { series: args.series.clone(), since: args.since.map(|day| day.to_string()) };
    let rows = index::runs(&places.results, &filter).map_err(Failure::infra)?;
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(["RUN", "SERIES", "STARTED", "TOOK", "VERDICT"]);
    let mut shown = 0;
    for row in &rows {
        let path = places.results.join(&row.id);
        let verdict = verdict(row, || is_running(&places.results, &row.id));
        if args.verdict.is_some_and(|wanted| wanted.word() != verdict) {
            continue;
        }
        shown += 1;
        if args.json {
            let line = serde_json::json!({
                "run": row.id, "series": row.argument, "title": row.title, "trees": row.trees, "started": row.started,
                "wall_ms": row.wall_ms, "verdict": verdict, "findings": row.findings, "path": path,
            });
            say!("{line}");
        } else {
            let took = if row.verdict.is_some() { text::clock(row.wall_ms) } else { String::new() };
            let verdict = match (verdict, row.findings) {
                ("unfinished", _) => "unfinished: `resume` goes on".to_owned(),
                (word, 0) => word.to_owned(),
                (word, count) => format!("{word} ({count})"),
            };
            table.add_row([&text::visible(&row.id), &text::visible(&row.argument), &row.started, &took, &verdict]);
        }
    }
    let filtered = args.series.is_some() || args.verdict.is_some() || args.since.is_some();
    match (args.json, shown, filtered) {
        (true, ..) => {}
        (false, 0, true) => say!("no such run in {}", places.results),
        (false, 0, false) => say!("no runs in {}; `orchestrator run series v6` makes one", places.results),
        (false, ..) => say!("{}", table.trim_fmt()),
    }
    Ok(ExitCode::Clean)
}

/// The verdict of a run in one word.
fn verdict(row: &RunRow, is_running: impl Fn() -> bool) -> &str {
    match row.verdict.as_deref() {
        None if is_running() => Verdict::Running.word(),
        None => Verdict::Unfinished.word(),
        // A run that is resumed has the report of its first process until the new one is written.
        Some("interrupted") if is_running() => Verdict::Running.word(),
        Some(word) => word,
    }
}

fn is_running(results: &Utf8Path, id: &str) -> bool {
    RunFolder::open(results, id).is_ok_and(|run| matches!(run.lock(), Err(FolderError::Busy { .. })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_without_an_end_is_running_or_unfinished() {
        let row = |verdict: Option<&str>| RunRow {
            id: "r".into(),
            argument: "v6".into(),
            title: String::new(),
            started: String::new(),
            trees: Vec::new(),
            verdict: verdict.map(str::to_owned),
            findings: 0,
            wall_ms: 0,
        };
        let cases = [
            (None, "running", "unfinished"),
            (Some("interrupted"), "running", "interrupted"),
            (Some("clean"), "clean", "clean"),
        ];
        for (known, with, without) in cases {
            assert_eq!((verdict(&row(known), || true), verdict(&row(known), || false)), (with, without));
        }
    }
}
