//! `orchestrator run series`: tests a series.

use clap::Args;
use tracing_subscriber::filter::Targets;

use super::args::{Failure, Global};
use super::{ExitCode, start};
use crate::report::Report;
use crate::run::{self, Options, RunFolder, TreeArgument, TreePlan, debug_log};
use crate::series::{self, SeriesSource};
use crate::term;
use crate::words::{Clock, Profile};

/// Arguments of `run series`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Name from series/ (`v6`), an mbox, a patch, a folder of patches, or BASE..TIP of the clone that --tree names
    series: String,
    #[command(flatten)]
    choices: Choices,
    #[command(flatten)]
    watching: Watching,
}

/// What is tested, and how.
#[derive(Debug, Args)]
pub struct Choices {
    /// Tree from series/trees.yaml, or the path of a local clone (PATH or PATH@REV); may be given several times
    #[arg(long = "tree", short = 't', value_name = "TREE")]
    trees: Vec<String>,
    /// Which kconfigs of kconfigs/matrix.yaml
    #[arg(long, short = 'p', default_value = "quick")]
    profile: Profile,
    /// Only this kconfig, whatever its profile; may be given several times
    #[arg(long = "kconfig", short = 'k', value_name = "NAME")]
    kconfigs: Vec<String>,
    /// Only this test, by full name; may be given several times
    #[arg(long = "test", value_name = "TEST")]
    tests: Vec<String>,
    /// Build with W=1
    #[arg(long)]
    w1: bool,
    /// Build with sparse
    #[arg(long)]
    sparse: bool,
    /// Build only, boot nothing
    #[arg(long)]
    no_boot: bool,
    /// Clock of the benchmarks; may be given several times [default: instructions]
    #[arg(long = "clock", value_name = "CLOCK", conflicts_with = "no_bench")]
    clocks: Vec<Clock>,
    /// Run no benchmarks
    #[arg(long)]
    no_bench: bool,
    /// Ask the sources of the trees for a newer state first
    #[arg(long)]
    refresh: bool,
    /// Take no result from the cache
    #[arg(long)]
    fresh: bool,
    /// Parallel jobs of make [default: the cores]
    #[arg(long, short = 'j', value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
    /// Guests at the same time [default: half the cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    guests: Option<u16>,
}

/// How a run is watched.
#[derive(Debug, Args)]
pub struct Watching {
    /// Print events as JSON, one per line, on standard output; the report only goes to its files
    #[arg(long)]
    json: bool,
    /// Print only the report
    #[arg(long, short = 'q', conflicts_with = "json")]
    quiet: bool,
    /// What goes into debug.log of the run, e.g. `off` or `info,orchestrator::process=debug`
    #[arg(long, value_name = "FILTER", env = "ORCHESTRATOR_LOG", default_value = "debug")]
    log: Targets,
}

/// Starts a run and sees it to its end.
pub async fn run(global: &Global, args: RunArgs) -> Result<ExitCode, Failure> {
    let places = start::Places::find(global)?;
    let folder = begin(&places, args.series, args.choices)?;
    drive(global, &places, folder, &args.watching).await
}

/// Starts a run and sees it to its end without a word on standard output.
pub async fn quietly(
    global: &Global,
    places: &start::Places,
    series: String,
    choices: Choices,
) -> Result<(RunFolder, Report), Failure> {
    let folder = begin(places, series, choices)?;
    let watching = Watching { json: false, quiet: true, log: Targets::new().with_default(tracing::Level::DEBUG) };
    let report = execute(global, places, &folder, &watching).await?;
    Ok((folder, report))
}

/// Makes the folder of a new run.
fn begin(places: &start::Places, series: String, choices: Choices) -> Result<RunFolder, Failure> {
    let trees: Vec<TreeArgument> = choices.trees.iter().map(|text| TreeArgument::parse(text, &places.cwd)).collect();
    let plans = plans(&series, &trees, places)?;
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let options = Options {
        series,
        trees: plans.iter().map(|plan| plan.tree.clone()).collect(),
        profile: choices.profile,
        kconfigs: choices.kconfigs,
        tests: choices.tests,
        w1: choices.w1,
        sparse: choices.sparse,
        no_boot: choices.no_boot,
        clocks: clocks(choices.clocks, choices.no_bench),
        fresh: choices.fresh,
        refresh: choices.refresh,
        jobs: choices.jobs.map_or(cores, usize::from),
        guests: choices.guests.map_or((cores / 2).max(1), usize::from),
    };
    run::select_kconfigs(&places.home, &options).map_err(Failure::usage)?;
    RunFolder::create(&places.results, &start::command_line(), options, plans).map_err(Failure::infra)
}

/// The clocks to measure on, each once.
fn clocks(mut clocks: Vec<Clock>, none: bool) -> Vec<Clock> {
    match (none, clocks.is_empty()) {
        (true, _) => Vec::new(),
        (false, true) => vec![Clock::Instructions],
        (false, false) => {
            clocks.sort_unstable();
            clocks.dedup();
            clocks
        }
    }
}

/// Reads the series once for every tree. At least one tree must have it.
fn plans(argument: &str, trees: &[TreeArgument], places: &start::Places) -> Result<Vec<TreePlan>, Failure> {
    let clone = trees.iter().find_map(|tree| match tree {
        TreeArgument::Clone { path, .. } => Some(path.clone()),
        TreeArgument::Name(_) => None,
    });
    let source = match SeriesSource::guess(argument, &places.home).map_err(Failure::usage)? {
        SeriesSource::Range { range, .. } => {
            SeriesSource::Range { repo: clone.clone().unwrap_or_else(|| places.cwd.clone()), range }
        }
        other => other,
    };
    let load = |tree: Option<&str>| series::load(&places.home, &source, tree);
    // A range of a clone has its base in it: the tree is that clone at that base.
    if let SeriesSource::Range { repo, .. } = &source {
        let series = load(None).map_err(Failure::usage)?;
        let rev = series.base_commit.clone().unwrap_or_else(|| "HEAD".to_owned());
        return Ok(vec![TreePlan { tree: TreeArgument::Clone { path: repo.clone(), rev }, series: Ok(series) }]);
    }
    if trees.is_empty() {
        let series = load(None).map_err(Failure::usage)?;
        let tree = series.default_tree.clone().unwrap_or_else(|| run::DEFAULT_TREE.to_owned());
        return Ok(vec![TreePlan { tree: TreeArgument::Name(tree), series: Ok(series) }]);
    }
    let mut plans = Vec::new();
    let mut first_error = None;
    for tree in trees {
        let name = match tree {
            TreeArgument::Name(name) => Some(name.as_str()),
            TreeArgument::Clone { .. } => None,
        };
        let series = load(name).map_err(|error| {
            let text = error.to_string();
            first_error.get_or_insert(Failure::usage(error));
            text
        });
        plans.push(TreePlan { tree: tree.clone(), series });
    }
    match first_error {
        Some(error) if plans.iter().all(|plan| plan.series.is_err()) => Err(error),
        Some(_) | None => Ok(plans),
    }
}

/// Sees a run to its end and shows its report.
pub async fn drive(
    global: &Global,
    places: &start::Places,
    folder: RunFolder,
    watching: &Watching,
) -> Result<ExitCode, Failure> {
    let report = execute(global, places, &folder, watching).await?;
    if !watching.json {
        start::write_out(&start::terminal_report(global, &report));
        say!("report: {}", folder.path().join("report.html"));
    }
    Ok(report.verdict.into())
}

/// Carries out a run.
async fn execute(
    global: &Global,
    places: &start::Places,
    folder: &RunFolder,
    watching: &Watching,
) -> Result<Report, Failure> {
    let cancel = start::cancel_on_signals()?;
    let _lock = folder.lock().map_err(Failure::infra)?;
    debug_log::start(folder.path(), watching.log.clone()).map_err(Failure::infra)?;
    tracing::info!(run = folder.run, version = env!("CARGO_PKG_VERSION"), "{}", start::command_line());
    let mode = term::Mode::choose(watching.json, watching.quiet);
    let live = term::Live::start(mode, start::color(global).stderr());
    let places = run::Places { home: places.home.clone(), cache: places.cache.clone() };
    run::execute(&places, folder, live, cancel).await.map_err(Failure::infra)
}
