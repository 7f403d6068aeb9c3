//! `orchestrator run series`: tests a series.

use camino::Utf8PathBuf;
use clap::Args;
use tracing_subscriber::filter::Targets;

use super::args::{Failure, Global};
use super::{ExitCode, start};
use crate::intake::{self, Asked, Choice, Intake, IntakeError};
use crate::report::Report;
use crate::run::{self, BasePlan, Options, RunFolder, TreeArgument, TreePlan, debug_log};
use crate::series::SeriesSource;
use crate::term;
use crate::words::{Clock, Profile};

/// Arguments of `run series`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Name from series/ (`v6`), an mbox, a patch, a folder of patches, BASE..TIP of the clone that --tree names, or
    /// what was posted: a Message-ID, the address of a mail, change-id:ID, a patchwork address, OWNER/REPO#12
    series: String,
    /// Of what was posted, the newest version
    #[arg(long, conflicts_with = "version")]
    latest: bool,
    /// This version of what was posted, or of an mbox that holds several
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    version: Option<u32>,
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
    /// Commit of the tree that the series goes on [default: the base-commit that the series names, where the tree has
    /// it; without --tree the tree and commit that the patches fit best]
    #[arg(long, value_name = "COMMIT", requires = "trees")]
    base: Option<String>,
    /// Mbox or folder of patches that the series builds on; may be given several times
    #[arg(long = "prerequisite", value_name = "PATH")]
    prerequisites: Vec<Utf8PathBuf>,
    /// Which kconfigs of kconfigs/matrix.yaml
    #[arg(long, short = 'p', default_value = "quick")]
    profile: Profile,
    /// Only this kconfig, whatever its profile; may be given several times
    #[arg(long = "kconfig", short = 'k', value_name = "NAME")]
    kconfigs: Vec<String>,
    /// Boot on this machine of lab/ instead of those of the kconfigs; may be given several times
    #[arg(long = "machine", value_name = "NAME")]
    machines: Vec<String>,
    /// Boot on every machine of lab/ that has this tag, e.g. gpu=xe; given several times it must have all
    #[arg(long = "machine-with", value_name = "KEY=VALUE", value_parser = tag)]
    machines_with: Vec<(String, String)>,
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
    /// Engine from lab/engines.yaml that does the units [default: that of the file, else local]
    #[arg(long, value_name = "NAME", env = "ORCHESTRATOR_ENGINE")]
    engine: Option<String>,
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
    /// What goes into debug.jsonl of the run, e.g. `off` or `info,orchestrator::process=debug`
    #[arg(long, value_name = "FILTER", env = "ORCHESTRATOR_LOG", default_value = "debug")]
    log: Targets,
}

/// Starts a run and sees it to its end.
pub async fn run(global: &Global, args: RunArgs) -> Result<ExitCode, Failure> {
    let places = start::Places::find(global)?;
    let choice = choice(args.latest, args.version);
    let folder = begin(&places, args.series, choice, args.choices).await?;
    drive(global, &places, folder, &args.watching).await
}

/// Starts a run and sees it to its end without a word on standard output.
pub async fn quietly(
    global: &Global,
    places: &start::Places,
    series: String,
    choices: Choices,
) -> Result<(RunFolder, Report), Failure> {
    let folder = begin(places, series, Choice::AsNamed, choices).await?;
    let watching = Watching { json: false, quiet: true, log: Targets::new().with_default(tracing::Level::DEBUG) };
    let report = execute(global, places, &folder, &watching).await?;
    Ok((folder, report))
}

/// Makes the folder of a new run.
async fn begin(places: &start::Places, series: String, choice: Choice, choices: Choices) -> Result<RunFolder, Failure> {
    let trees: Vec<TreeArgument> = choices.trees.iter().map(|text| TreeArgument::parse(text, &places.cwd)).collect();
    let plans = plans(&series, &trees, choice, choices.base.as_deref(), places).await?;
    let prerequisites = existing(&choices.prerequisites, places)?;
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let options = Options {
        series,
        trees: plans.iter().map(|plan| plan.tree.clone()).collect(),
        profile: choices.profile,
        kconfigs: choices.kconfigs,
        machines: choices.machines,
        machines_with: choices.machines_with.into_iter().collect(),
        tests: choices.tests,
        w1: choices.w1,
        sparse: choices.sparse,
        no_boot: choices.no_boot,
        clocks: clocks(choices.clocks, choices.no_bench),
        fresh: choices.fresh,
        refresh: choices.refresh,
        prerequisites,
        by_itself: false,
        reproduces: false,
        engine: start::engine(places, choices.engine.as_deref())?,
        jobs: choices.jobs.map_or(cores, usize::from),
        guests: choices.guests.map_or((cores / 2).max(1), usize::from),
    };
    run::select_kconfigs(&places.home, &options).map_err(Failure::usage)?;
    RunFolder::create(&places.results, &start::command_line(), options, plans).map_err(Failure::infra)
}

/// Reads KEY=VALUE.
fn tag(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() && !value.is_empty() => Ok((key.to_owned(), value.to_owned())),
        Some(_) | None => Err("write KEY=VALUE, e.g. gpu=xe".to_owned()),
    }
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

/// The paths as they are from anywhere.
fn existing(paths: &[Utf8PathBuf], places: &start::Places) -> Result<Vec<Utf8PathBuf>, Failure> {
    let absolute = |path: &Utf8PathBuf| {
        let path = places.cwd.join(path);
        match path.exists() {
            true => Ok(path),
            false => {
                Err(Failure::usage(format!("{path} does not exist (name an mbox, a patch or a folder of patches)")))
            }
        }
    };
    paths.iter().map(absolute).collect()
}

/// Which version is meant.
fn choice(latest: bool, version: Option<u32>) -> Choice {
    match (latest, version) {
        (_, Some(version)) => Choice::Version(version),
        (true, None) => Choice::Latest,
        (false, None) => Choice::AsNamed,
    }
}

/// A series that could not be had: the user's to mend, or the world's.
pub(super) fn failure(error: IntakeError) -> Failure {
    match (&error, error.is_infrastructure()) {
        (IntakeError::Cancelled { .. }, _) => Failure { message: error.to_string(), code: ExitCode::Interrupted },
        (_, true) => Failure::infra(error),
        (_, false) => Failure::usage(error),
    }
}

/// Reads the series once for every tree. At least one tree must have it.
async fn plans(
    argument: &str,
    trees: &[TreeArgument],
    choice: Choice,
    base: Option<&str>,
    places: &start::Places,
) -> Result<Vec<TreePlan>, Failure> {
    let clone = trees.iter().find_map(|tree| match tree {
        TreeArgument::Clone { path, .. } => Some(path.clone()),
        TreeArgument::Name(_) => None,
    });
    let asked = match intake::ask(argument, &places.home).map_err(Failure::usage)? {
        Asked::Local(SeriesSource::Range { range, .. }) => {
            Asked::Local(SeriesSource::Range { repo: clone.clone().unwrap_or_else(|| places.cwd.clone()), range })
        }
        other => other,
    };
    let cancel = start::cancel_on_signals()?;
    let intake = Intake::open(&places.home, &places.cache, &cancel).map_err(failure)?;
    let load = |tree: Option<String>| {
        let (intake, asked) = (&intake, &asked);
        async move { intake.load(&places.home, asked, tree.as_deref(), choice).await }
    };
    // A range of a clone has its base in it: the tree is that clone at that base.
    if let Asked::Local(SeriesSource::Range { repo, .. }) = &asked {
        let series = load(None).await.map_err(failure)?;
        let start = series.base_commit.clone().unwrap_or_else(|| "HEAD".to_owned());
        let rev = base.map_or(start, str::to_owned);
        let base = BasePlan::Commit(rev.clone());
        return Ok(vec![TreePlan { tree: TreeArgument::Clone { path: repo.clone(), rev }, series: Ok(series), base }]);
    }
    if trees.is_empty() {
        let series = load(None).await.map_err(failure)?;
        let (tree, base) = match &series.default_tree {
            Some(tree) => (tree.clone(), BasePlan::TreeList),
            None => (run::DEFAULT_TREE.to_owned(), BasePlan::Best),
        };
        return Ok(vec![TreePlan { tree: TreeArgument::Name(tree), series: Ok(series), base }]);
    }
    let mut plans = Vec::new();
    let mut first_error = None;
    for tree in trees {
        let name = match tree {
            TreeArgument::Name(name) => Some(name.clone()),
            TreeArgument::Clone { .. } => None,
        };
        let series = load(name).await.map_err(|error| {
            let text = error.to_string();
            first_error.get_or_insert(failure(error));
            text
        });
        let (tree, base) = with_base(tree, base);
        plans.push(TreePlan { tree, series, base });
    }
    match first_error {
        Some(error) if plans.iter().all(|plan| plan.series.is_err()) => Err(error),
        Some(_) | None => Ok(plans),
    }
}

/// A named tree and which commit of it is the base. What names a state of a clone is looked up in the clone.
fn with_base(tree: &TreeArgument, base: Option<&str>) -> (TreeArgument, BasePlan) {
    match (tree, base) {
        (TreeArgument::Name(_), Some(base)) => (tree.clone(), BasePlan::Commit(base.to_owned())),
        (TreeArgument::Name(_), None) => (tree.clone(), BasePlan::Named),
        (TreeArgument::Clone { path, .. }, Some(base)) => {
            let rev = base.to_owned();
            (TreeArgument::Clone { path: path.clone(), rev: rev.clone() }, BasePlan::Commit(rev))
        }
        (TreeArgument::Clone { rev, .. }, None) if rev == "HEAD" => (tree.clone(), BasePlan::Named),
        (TreeArgument::Clone { rev, .. }, None) => (tree.clone(), BasePlan::Commit(rev.clone())),
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
    tracing::info!(run = folder.run, command = start::command_line(), "run begins");
    let mode = term::Mode::choose(watching.json, watching.quiet);
    let live = term::Live::start(mode, start::color(global).stderr());
    let places = run::Places { home: places.home.clone(), cache: places.cache.clone() };
    run::execute(&places, folder, live, cancel).await.map_err(|error| {
        tracing::error!(%error, "{}", run::FAILED);
        Failure::infra(error)
    })
}
