//! Drives a run from its folder to its report.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use camino::Utf8PathBuf;
use tracing::Instrument;

use super::board::Board;
use super::booter::{Booted, Booter};
use super::builds::{BuildStage, Made, host_tools};
use super::context::Own;
use super::examine::{Examined, examine};
use super::flake_past::FlakePast;
use super::forecast::{measured_boots, plain_boots};
use super::gaps::Unplaced;
use super::history::History;
use super::host_accel::Host;
use super::measure::{Measurement, metric_names};
use super::metric_past::MetricPast;
use super::placement::{Placement, Placements, place};
use super::plan::{Expected, Plan};
use super::previous::{self, Told, Which};
use super::trees::{Prepared, prepare};
use super::{
    BasePlan, Context, EventLog, LOG_FORMAT, Options, RunFolder, Stop, bases, index, read_events, recorder, summary,
    users,
};
use crate::build;
use crate::config::Home;
use crate::engine::{self, Engine, Surroundings};
use crate::known::KnownIssues;
use crate::report::model::ReportError;
use crate::report::{self, Report};
use crate::term::Live;
use crate::words::{BuildRecord, Clock, Event, Kconfig, Kind, Profile, Series, Suite, UnitKind};

/// The tree of a series that names none.
pub const DEFAULT_TREE: &str = "linux-6.12";

/// The folders a run reads from and keeps results in.
#[derive(Debug, Clone)]
pub struct Places {
    /// Manifests, kconfigs, machines.
    pub home: Home,
    /// Trees, build folders, results by key.
    pub cache: Utf8PathBuf,
}

/// A run that could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A file the user wrote cannot be used, or an option names what is not there.
    #[error("{0}")]
    Input(String),
    /// The run's own files cannot be read or written.
    #[error("run folder {folder}: {source}; once it can be written, `orchestrator resume` goes on")]
    Folder {
        /// The folder.
        folder: Utf8PathBuf,
        /// The operating system's word.
        source: std::io::Error,
    },
}

/// Everything that is known of one tree at the end.
pub struct TreeResult {
    /// What became of it.
    pub prepared: Prepared,
    /// Kconfigs with their suites.
    pub kconfigs: Vec<(Kconfig, Vec<Suite>)>,
    /// What boots nowhere, or not everywhere.
    pub unplaced: Vec<Unplaced>,
    /// Every build.
    pub builds: Vec<Made>,
    /// Every kconfig of kind boot, on each of its machines.
    pub examined: Vec<Examined>,
    /// Every kconfig with benchmarks, on every clock.
    pub measured: Vec<Examined>,
}

impl TreeResult {
    /// Every boot on the tree.
    pub fn boots(&self) -> impl Iterator<Item = &Booted> {
        self.examined.iter().chain(&self.measured).flat_map(Examined::boots)
    }
}

/// The kconfigs that a run looks at: those of its profile, or those it names.
///
/// # Errors
/// When the matrix cannot be used, a named kconfig is not in it, or a machine or suite that one names cannot be used.
pub fn select_kconfigs(home: &Home, options: &Options) -> Result<Vec<Kconfig>, RunError> {
    let matrix = build::matrix(home).map_err(|error| RunError::Input(error.to_string()))?;
    let selected = select(&matrix, options)?;
    place(home, &selected, options)?;
    Ok(selected)
}

fn select(matrix: &[Kconfig], options: &Options) -> Result<Vec<Kconfig>, RunError> {
    for name in &options.kconfigs {
        if !matrix.iter().any(|kconfig| kconfig.name == *name) {
            let near = crate::config::closest(name, matrix.iter().map(|kconfig| kconfig.name.as_str()));
            let hint = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            return Err(RunError::Input(format!("there is no kconfig `{name}` in kconfigs/matrix.yaml{hint}")));
        }
    }
    let wanted = |kconfig: &Kconfig| match options.kconfigs.is_empty() {
        true => kconfig.profile <= options.profile,
        false => options.kconfigs.contains(&kconfig.name),
    };
    let selected: Vec<Kconfig> = matrix.iter().filter(|kconfig| wanted(kconfig)).cloned().collect();
    let suites: BTreeSet<&str> = selected.iter().flat_map(|kconfig| suites_of(kconfig, options)).collect();
    for test in &options.tests {
        let suite = test.split('.').next().unwrap_or(test);
        if !suites.contains(suite) {
            let list: Vec<&str> = suites.iter().copied().collect();
            let list = if list.is_empty() { "none".to_owned() } else { list.join(", ") };
            return Err(RunError::Input(format!(
                "no suite of this run has the test `{test}`: its name begins with that of its suite; suites here: {list}"
            )));
        }
    }
    Ok(selected)
}

/// Names of the suites that a kconfig runs with these options.
fn suites_of<'a>(kconfig: &'a Kconfig, options: &Options) -> Vec<&'a str> {
    let Some(spec) = kconfig.boot.as_ref().filter(|_| kconfig.kind == Kind::Boot && !options.no_boot) else {
        return Vec::new();
    };
    let benchmarks = spec.benchmarks.iter().filter(|_| !options.clocks.is_empty());
    spec.suites.iter().chain(benchmarks).map(String::as_str).collect()
}

/// Carries out a run, or what is left of it, and writes its reports.
///
/// # Errors
/// When a file of the user cannot be used, or the run folder cannot be written.
pub async fn execute(
    places: &Places,
    folder: &RunFolder,
    live: Live,
    stop: impl Into<Stop>,
) -> Result<Report, RunError> {
    let start = Instant::now();
    let stopper = stop.into().start();
    let cancel = stopper.cancel.clone();
    let trouble = |source| RunError::Folder { folder: folder.path().to_owned(), source };
    let (cache, run) = (places.cache.clone(), folder.path().to_owned());
    let user = tokio::task::spawn_blocking(move || users::register(&cache, &run)).await;
    let _user = user.map_err(|error| trouble(std::io::Error::other(error)))?.map_err(trouble)?;
    let log_path = folder.path().join("events.jsonl");
    let before = if log_path.exists() { read_events(&log_path).map_err(trouble)? } else { Vec::new() };
    refuse_newer(folder)?;
    // Read once: the files may change while the run is at work.
    let matrix = build::matrix(&places.home).map_err(|error| RunError::Input(error.to_string()))?;
    let kconfigs = select(&matrix, &folder.options)?;
    let placements = place(&places.home, &kconfigs, &folder.options)?;
    let catalogue = crate::tree::catalogue(&places.home).map_err(|error| RunError::Input(error.to_string()))?;
    let results = folder.path().parent().unwrap_or(folder.path());
    let known = KnownIssues::read(results).map_err(|error| RunError::Input(error.to_string()))?;
    let live = Arc::new(Mutex::new(Some(live)));
    let watcher = live.clone();
    let (events, log_trouble) = recorder::sink(EventLog::open(&log_path).map_err(trouble)?, move |event| {
        if let Some(live) = watcher.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            live.on_event(event);
        }
    });
    let engines = engine::engines(&places.home).map_err(|error| RunError::Input(error.to_string()))?;
    let at = Surroundings { cache: places.cache.clone(), node: None, events: events.clone(), cancel: cancel.clone() };
    let engine = Engine::open(&engines, &folder.options.engine, &folder.run, &at).map_err(RunError::Input)?;
    let context = Context {
        home: places.home.clone(),
        cache: places.cache.clone(),
        folder: folder.clone(),
        events: events.clone(),
        cancel: cancel.clone(),
        stopper: stopper.clone(),
        engine: Arc::new(engine),
        own: Arc::new(Own::from_events(&before)),
    };
    events(Event::RunStarted {
        run: folder.run.clone(),
        format: LOG_FORMAT,
        command: folder.command.clone(),
        resumed: !before.is_empty(),
    });
    // In the report at the end, too; but nobody should wait for builds to learn it.
    for gap in &placements.gaps {
        events(Event::Note { message: format!("not run: {}: {}", gap.what, gap.why) });
    }
    let past = match folder.options.clocks.is_empty() {
        true => MetricPast::default(),
        false => MetricPast::read(results, &folder.run),
    };
    let flakes = FlakePast::read(results, &folder.run);
    let plan = Plan::new(History::read(results, &folder.run), events.clone());
    let mut plans = Vec::new();
    for tree in &folder.trees {
        plans.push(bases::choose_tree(&context, tree.clone(), &catalogue).await);
    }
    for tree in &plans {
        let patches = tree.series.as_ref().map_or(0, |series| series.patches.len());
        plan.guess(&tree.tree.name(), patches, &kconfigs, &placements);
    }
    plan.say();
    let host = Host { tools: host_tools(&context, &kconfigs).await, accel: Arc::default() };
    let mut trees = Vec::new();
    for index in 0..plans.len() {
        let tree = &plans[index];
        let name = tree.tree.name();
        let span = tracing::debug_span!("prepare", tree = name);
        let (prepared, settled) = prepare(&context, tree, &catalogue).instrument(span).await;
        if let Some(settled) = settled {
            plans[index].base = BasePlan::Settled(settled);
            folder.write_plan(&plans).map_err(trouble)?;
        }
        if !matches!(prepared, Prepared::Ready { .. }) {
            plan.give_up(&name);
        }
        let mut tested = test_tree(&context, prepared, &kconfigs, &placements, &host, &plan, &past).await?;
        for examined in &mut tested.examined {
            flakes.look_at([&name, &examined.kconfig, &examined.machine], &mut examined.comparisons);
        }
        trees.push(tested);
    }
    context.engine.finish().await;
    let accel = host.accel.get();
    let inputs = summary::Inputs {
        context: &context,
        trees: &trees,
        kconfigs: &kconfigs,
        matrix: &matrix,
        accel: accel.as_ref(),
        past: &past,
        known: &known,
        resumed: !before.is_empty(),
        stopped: stopper.why(),
        wall_before_ms: wall_before(&before),
        wall_ms: millis(start),
        notes: notes(&read_events(&log_path).map_err(trouble)?),
    };
    let mut report = summary::report(&inputs).await;
    if !cancel.is_cancelled() {
        let now = folder.with_trees(plans);
        let told = Told { folder: &now, report: &report };
        match previous::since(told, Which::EarlierVersion, &places.cache, &cancel).await {
            Ok(previous) => report.previous = previous,
            Err(error) => context.note(format!("earlier runs of the series could not be read: {error}")),
        }
    }
    for finding in &report.findings {
        events(Event::Found { finding: Box::new(finding.clone()) });
    }
    write_reports(folder, &report).map_err(trouble)?;
    if let Err(error) = index::refresh(results) {
        context.note(format!("the index of runs is not up to date; `orchestrator list` tries again: {error}"));
    }
    events(Event::RunEnded { verdict: report.verdict.word().to_owned(), wall_ms: millis(start) });
    let live = live.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(live) = live {
        // A closed terminal is no reason to call the run failed: its files are written.
        let _ = live.finish();
    }
    match log_trouble.lock().unwrap_or_else(PoisonError::into_inner).take() {
        Some(error) => Err(trouble(error)),
        None => Ok(report),
    }
}

/// A report of a newer program is not written over.
fn refuse_newer(folder: &RunFolder) -> Result<(), RunError> {
    let path = folder.path().join("report.json");
    match fs_err::read_to_string(&path).map(|text| Report::from_json(&text)) {
        Ok(Err(error @ ReportError::OtherSchema { .. })) => Err(RunError::Input(format!("{path}: {error}"))),
        // None yet, or damaged: it is written anew.
        Ok(Ok(_) | Err(ReportError::Malformed(_))) | Err(_) => Ok(()),
    }
}

fn write_reports(folder: &RunFolder, report: &Report) -> std::io::Result<()> {
    folder.write("report.md", report::markdown(report).as_bytes())?;
    folder.write("junit.xml", report::junit(report).as_bytes())?;
    folder.write("report.html", report::html(report).as_bytes())?;
    // Last: whoever sees report.json finds the others, too.
    folder.write("report.json", report.to_json().as_bytes())
}

/// Builds and boots on one tree.
pub(super) async fn test_tree(
    context: &Context,
    prepared: Prepared,
    kconfigs: &[Kconfig],
    placements: &Placements,
    host: &Host,
    plan: &Plan,
    past: &MetricPast,
) -> Result<TreeResult, RunError> {
    let Prepared::Ready { tree, series, revisions, .. } = &prepared else {
        let (builds, examined, measured) = (Vec::new(), Vec::new(), Vec::new());
        return Ok(TreeResult { prepared, kconfigs: Vec::new(), unplaced: Vec::new(), builds, examined, measured });
    };
    let booter = Booter::new(context, &tree.name, kconfigs, placements, host.accel.clone());
    let booter = booter.map_err(|error| RunError::Input(error.to_string()))?;
    let with_suites: Vec<(Kconfig, Vec<Suite>)> =
        kconfigs.iter().map(|kconfig| (kconfig.clone(), booter.all_suites(kconfig))).collect();
    let stage = BuildStage { context, tree, revisions, kconfigs: &with_suites, tools: &host.tools };
    let tip = revisions.len() - 1;
    let mut pins = BTreeMap::new();
    let mut boards = Vec::new();
    for (kconfig, _) in &with_suites {
        let (pin, board) = Board::new(tip);
        pins.insert(kconfig.name.clone(), pin);
        boards.extend(placements.of(&kconfig.name).map(|place| (place, board.clone())));
    }
    let plans: Vec<KconfigPlan<'_>> =
        boards.iter().map(|(place, board)| KconfigPlan::new(context, series, place, board, &booter)).collect();
    let forecast = stage.forecast();
    plan.builds(&tree.name, forecast.iter().map(|build| build.unit.clone()).collect());
    for boots in &plans {
        let kconfig = boots.kconfig;
        let of = |index: usize| {
            let mut builds = forecast.iter().filter(|build| build.kconfig == kconfig.name);
            builds.find(|build| build.revision == index).and_then(|build| build.record.as_ref())
        };
        if let (Some(base), Some(patched)) = (of(0), of(tip)) {
            plan.boots(&tree.name, &boots.place.label, boots.expected(&booter, base, patched).await);
        }
    }
    plan.say();
    drop(forecast);
    let examinations = plans.iter().map(|boots| async {
        let (label, board) = (boots.place.label.as_str(), boots.board);
        // What the kconfig has to boot is known as soon as both ends are built.
        let refine = async {
            if let (Some(base), Some(patched)) = (board.wait(0).await, board.wait(tip).await) {
                plan.boots(&tree.name, label, boots.expected(&booter, &base, &patched).await);
                plan.say();
            }
        };
        let ((examined, measured), ()) = tokio::join!(boots.run(&tree.name, &booter, past), refine);
        let booted = examined.iter().chain(&measured).flat_map(Examined::boots);
        let booted = booted.map(|boot| Expected { unit: boot.unit.clone(), kind: UnitKind::Boot, known: boot.reused });
        plan.boots(&tree.name, label, booted.collect());
        plan.say();
        (examined, measured)
    });
    let (builds, booted) = tokio::join!(stage.run(pins), futures::future::join_all(examinations));
    let (examined, measured): (Vec<Option<Examined>>, Vec<Vec<Examined>>) = booted.into_iter().unzip();
    let (examined, measured) = (examined.into_iter().flatten().collect(), measured.into_iter().flatten().collect());
    let unplaced = placements.gaps.clone();
    Ok(TreeResult { prepared, kconfigs: with_suites, unplaced, builds, examined, measured })
}

/// What is booted of one kconfig on one machine.
struct KconfigPlan<'a> {
    place: &'a Placement,
    kconfig: &'a Kconfig,
    board: &'a Board,
    /// Tests to run (all when empty); `None` when none are wanted.
    tests: Option<Vec<String>>,
    /// Clocks to measure on, and which metrics (the profile's when empty).
    clocks: Vec<Clock>,
    metrics: Vec<String>,
    profile: Profile,
    /// Subjects of the series' patches.
    subjects: Vec<String>,
}

impl<'a> KconfigPlan<'a> {
    fn new(
        context: &Context,
        series: &Series,
        place: &'a Placement,
        board: &'a Board,
        booter: &Booter,
    ) -> KconfigPlan<'a> {
        let kconfig = &place.kconfig;
        let options = context.options();
        let (suites, benchmarks) = (booter.suites(kconfig), booter.benchmarks(kconfig));
        let metrics = chosen(&options.tests, &benchmarks).filter(|_| !benchmarks.is_empty());
        KconfigPlan {
            place,
            kconfig,
            board,
            tests: chosen(&options.tests, &suites).filter(|_| !suites.is_empty()),
            clocks: if metrics.is_some() { options.clocks.clone() } else { Vec::new() },
            metrics: metrics.unwrap_or_default(),
            profile: options.profile,
            subjects: series.patches.iter().map(|patch| patch.subject.clone()).collect(),
        }
    }

    /// The boots it takes at least; what is suspect adds more.
    async fn expected(&self, booter: &Booter, base: &BuildRecord, patched: &BuildRecord) -> Vec<Expected> {
        let mut boots = Vec::new();
        if let Some(tests) = &self.tests {
            boots.extend(plain_boots(booter, self.kconfig, base, patched, tests).await);
        }
        let guest = self.place.machine.qemu().is_some();
        for clock in self.clocks.iter().filter(|clock| guest || **clock == Clock::Wall) {
            let metrics = metric_names(&booter.benchmarks(self.kconfig), self.profile, &self.metrics);
            boots.extend(measured_boots(booter, self.kconfig, base, patched, *clock, metrics).await);
        }
        boots
    }

    /// Tests, then measures: what a kernel costs that crashes is of no interest.
    async fn run(&self, tree: &str, booter: &Booter, past: &MetricPast) -> (Option<Examined>, Vec<Examined>) {
        let mut examined = None;
        if let Some(tests) = &self.tests {
            examined = Some(examine(self.kconfig, self.board, booter, tests).await);
        }
        let mut measured = Vec::new();
        for clock in &self.clocks {
            let measurement = Measurement {
                tree,
                kconfig: self.kconfig,
                board: self.board,
                booter,
                clock: *clock,
                profile: self.profile,
                only: &self.metrics,
                subjects: &self.subjects,
                past,
            };
            let no_clock = (*clock == Clock::Instructions && self.place.machine.qemu().is_none()).then(|| {
                let name = &self.place.machine.name;
                format!("{name} is no guest: it has no clock that counts instructions (--clock wall measures on it)")
            });
            measured.push(match no_clock.or_else(|| examined.as_ref().and_then(Examined::crash)) {
                Some(why) => measurement.refused(why),
                None => measurement.run().await,
            });
        }
        (examined, measured)
    }
}

/// Of the tests that the user asked for by name, those of these suites: all (an empty list) when none was asked for,
/// `None` when only others' were.
fn chosen(tests: &[String], suites: &[Suite]) -> Option<Vec<String>> {
    let of = |test: &str, suite: &Suite| {
        test.strip_prefix(suite.name.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    let own: Vec<String> = tests.iter().filter(|test| suites.iter().any(|suite| of(test, suite))).cloned().collect();
    (tests.is_empty() || !own.is_empty()).then_some(own)
}

/// Milliseconds that earlier processes worked on the run: from each start to the last event before the next.
fn wall_before(events: &[(i64, Event)]) -> u64 {
    let mut total = 0;
    let mut began: Option<i64> = None;
    let mut last = 0;
    for (at, event) in events {
        if matches!(event, Event::RunStarted { .. }) {
            total += began.map_or(0, |began| last - began);
            began = Some(*at);
        }
        last = *at;
    }
    total += began.map_or(0, |began| last - began);
    u64::try_from(total).unwrap_or(0)
}

/// Notes of the whole run, each once.
fn notes(events: &[(i64, Event)]) -> Vec<String> {
    let mut notes: Vec<String> = Vec::new();
    for (_, event) in events {
        if let Event::Note { message } = event
            && !notes.contains(message)
        {
            notes.push(message.clone());
        }
    }
    notes
}

fn millis(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn started() -> Event {
        Event::RunStarted { run: "r".into(), format: 1, command: "c".into(), resumed: false }
    }

    fn note(message: &str) -> Event {
        Event::Note { message: message.into() }
    }

    #[test]
    fn time_between_two_processes_is_not_counted() {
        let events = [(100, started()), (150, note("a")), (9_000, started()), (9_010, note("a"))];
        assert_eq!(wall_before(&events), 60);
        assert_eq!(notes(&events), ["a"]);
    }
}
