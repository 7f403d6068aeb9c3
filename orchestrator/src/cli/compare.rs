//! `orchestrator compare`: what changed from one run to another.

use clap::Args;

use super::args::{Failure, Global};
use super::{ExitCode, start};
use crate::report::model::Report;
use crate::run::RunFolder;
use crate::run::previous::{Told, Which, compare_runs, since};
use crate::term::stdout_width;
use crate::words::Severity;

/// Arguments of `compare`.
#[derive(Debug, Args)]
pub struct CompareArgs {
    /// The earlier run (run id, an unambiguous beginning of one, or `latest`); the only one when it is to be compared
    /// with the newest run of an earlier version of its series
    first: String,
    /// The later run
    second: Option<String>,
    /// With one run: compare it with the newest earlier run of the same version
    #[arg(long, conflicts_with = "second")]
    same_version: bool,
    /// Print JSON, as `previous` in report.json
    #[arg(long)]
    json: bool,
}

/// Compares two runs; the exit code is 1 when the later one has a new problem.
pub async fn compare(global: &Global, args: &CompareArgs) -> Result<ExitCode, Failure> {
    let places = start::Places::find(global)?;
    let open = |name: &str| RunFolder::open(&places.results, name).map_err(Failure::usage);
    let (first, cancel) = (open(&args.first)?, start::cancel_on_signals()?);
    let (later, previous) = match &args.second {
        Some(second) => {
            let second = open(second)?;
            let (old, new) = (report_of(&first)?, report_of(&second)?);
            let (old, new) = (Told { folder: &first, report: &old }, Told { folder: &second, report: &new });
            let previous = compare_runs(old, new, &places.cache, &cancel).await;
            (second, previous)
        }
        None => {
            let report = report_of(&first)?;
            let which = if args.same_version { Which::SameVersion } else { Which::EarlierVersion };
            let told = Told { folder: &first, report: &report };
            let found = since(told, which, &places.cache, &cancel).await.map_err(Failure::infra)?;
            let previous = found.ok_or_else(|| {
                let wanted = if args.same_version { "of the same version" } else { "of an earlier version" };
                let why =
                    format!("there is no finished run {wanted} of the series of {} on one of its trees", first.run);
                Failure::usage(format!("{why}; name two runs to compare any two"))
            })?;
            (first, previous)
        }
    };
    if args.json {
        say!("{}", serde_json::to_string_pretty(&previous).map_err(Failure::infra)?);
    } else {
        let title = format!("From {} to {}", previous.run, later.run);
        let styles = start::color(global).stdout();
        start::write_out(&crate::report::since_terminal(&previous, &title, stdout_width(), &styles));
    }
    let worse = previous.findings.new.iter().any(|finding| finding.severity == Severity::Problem);
    Ok(if worse { ExitCode::Findings } else { ExitCode::Clean })
}

fn report_of(run: &RunFolder) -> Result<Report, Failure> {
    let text = fs_err::read_to_string(run.path().join("report.json")).map_err(|error| {
        let next = format!("the run has no report; `orchestrator resume {}` goes on with it", run.run);
        Failure::infra(format!("{error}\n{next}"))
    })?;
    Report::from_json(&text).map_err(Failure::infra)
}
