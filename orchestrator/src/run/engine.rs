//! Drives a run from its folder to its report.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use camino::Utf8PathBuf;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::board::Board;
use super::booter::Booter;
use super::builds::{BuildStage, Made};
use super::context::Own;
use super::examine::{Examined, examine};
use super::forecast::plain_boots;
use super::history::History;
use super::host_accel::HostAccel;
use super::plan::{Expected, Plan};
use super::trees::{Prepared, prepare};
use super::{Context, EventLog, LOG_FORMAT, Options, RunFolder, index, read_events, recorder, summary};
use crate::build;
use crate::config::Home;
use crate::report::{self, Report};
use crate::term::Live;
use crate::words::{Event, Kconfig, Kind, Suite, UnitKind};

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
    #[error("run folder {folder}: {source}")]
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
    /// Every build.
    pub builds: Vec<Made>,
    /// Every kconfig of kind boot.
    pub examined: Vec<Examined>,
}

/// The kconfigs that a run looks at: those of its profile, or those it names.
///
/// # Errors
/// When the matrix cannot be used, or a named kconfig is not in it.
pub fn select_kconfigs(home: &Home, options: &Options) -> Result<Vec<Kconfig>, RunError> {
    let matrix = build::matrix(home).map_err(|error| RunError::Input(error.to_string()))?;
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
    Ok(matrix.into_iter().filter(wanted).collect())
}

/// Carries out a run, or what is left of it, and writes its reports.
///
/// # Errors
/// When a file of the user cannot be used, or the run folder cannot be written.
pub async fn execute(
    places: &Places,
    folder: &RunFolder,
    live: Live,
    cancel: CancellationToken,
) -> Result<Report, RunError> {
    let start = Instant::now();
    let trouble = |source| RunError::Folder { folder: folder.path().to_owned(), source };
    let log_path = folder.path().join("events.jsonl");
    let before = if log_path.exists() { read_events(&log_path).map_err(trouble)? } else { Vec::new() };
    let kconfigs = select_kconfigs(&places.home, &folder.options)?;
    let catalogue = crate::tree::catalogue(&places.home).map_err(|error| RunError::Input(error.to_string()))?;
    let live = Arc::new(Mutex::new(Some(live)));
    let watcher = live.clone();
    let (events, log_trouble) = recorder::sink(EventLog::open(&log_path).map_err(trouble)?, move |event| {
        if let Some(live) = watcher.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            live.on_event(event);
        }
    });
    let context = Context {
        home: places.home.clone(),
        cache: places.cache.clone(),
        folder: folder.clone(),
        events: events.clone(),
        cancel: cancel.clone(),
        own: Arc::new(Own::from_events(&before)),
    };
    events(Event::RunStarted {
        run: folder.run.clone(),
        format: LOG_FORMAT,
        command: folder.command.clone(),
        resumed: !before.is_empty(),
    });
    let results = folder.path().parent().unwrap_or(folder.path());
    let plan = Plan::new(History::read(results, &folder.run), events.clone());
    for tree in &folder.trees {
        let patches = tree.series.as_ref().map_or(0, |series| series.patches.len());
        plan.guess(&tree.tree.name(), patches, &kconfigs, folder.options.no_boot);
    }
    plan.say();
    let accel = Arc::new(HostAccel::default());
    let mut trees = Vec::new();
    for tree in &folder.trees {
        let span = tracing::debug_span!("prepare", tree = tree.tree.name());
        let prepared = prepare(&context, tree, &catalogue).instrument(span).await;
        if !matches!(prepared, Prepared::Ready { .. }) {
            plan.give_up(&tree.tree.name());
        }
        trees.push(test_tree(&context, prepared, &kconfigs, &accel, &plan).await?);
    }
    let inputs = summary::Inputs {
        context: &context,
        trees: &trees,
        kconfigs: &kconfigs,
        matrix: &build::matrix(&places.home).map_err(|error| RunError::Input(error.to_string()))?,
        accel: accel.get(),
        resumed: !before.is_empty(),
        interrupted: cancel.is_cancelled(),
        wall_before_ms: wall_before(&before),
        wall_ms: millis(start),
        notes: notes(&read_events(&log_path).map_err(trouble)?),
    };
    let report = summary::report(&inputs).await;
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

fn write_reports(folder: &RunFolder, report: &Report) -> std::io::Result<()> {
    folder.write("report.md", report::markdown(report).as_bytes())?;
    folder.write("junit.xml", report::junit(report).as_bytes())?;
    folder.write("report.html", report::html(report).as_bytes())?;
    // Last: whoever sees report.json finds the others, too.
    folder.write("report.json", report.to_json().as_bytes())
}

/// Builds and boots on one tree.
async fn test_tree(
    context: &Context,
    prepared: Prepared,
    kconfigs: &[Kconfig],
    accel: &Arc<HostAccel>,
    plan: &Plan,
) -> Result<TreeResult, RunError> {
    let Prepared::Ready { tree, revisions, .. } = &prepared else {
        return Ok(TreeResult { prepared, kconfigs: Vec::new(), builds: Vec::new(), examined: Vec::new() });
    };
    let booter = Booter::new(context, &tree.name, kconfigs, accel.clone());
    let booter = booter.map_err(|error| RunError::Input(error.to_string()))?;
    let with_suites: Vec<(Kconfig, Vec<Suite>)> =
        kconfigs.iter().map(|kconfig| (kconfig.clone(), booter.suites(kconfig))).collect();
    let stage = BuildStage::new(context, tree, revisions, &with_suites).await;
    let tip = revisions.len() - 1;
    let mut pins = BTreeMap::new();
    let mut boards = Vec::new();
    for (kconfig, _) in &with_suites {
        let (pin, board) = Board::new(tip);
        pins.insert(kconfig.name.clone(), pin);
        if kconfig.kind == Kind::Boot && !context.options().no_boot {
            boards.push((kconfig, board));
        }
    }
    let tests = &context.options().tests;
    let forecast = stage.forecast();
    plan.builds(&tree.name, forecast.iter().map(|build| build.unit.clone()).collect());
    for (kconfig, _) in &boards {
        let of = |index: usize| {
            let mut builds = forecast.iter().filter(|build| build.kconfig == kconfig.name);
            builds.find(|build| build.revision == index).and_then(|build| build.record.as_ref())
        };
        if let (Some(base), Some(patched)) = (of(0), of(tip)) {
            plan.boots(&tree.name, &kconfig.name, plain_boots(&booter, kconfig, base, patched, tests).await);
        }
    }
    plan.say();
    drop(forecast);
    let examinations = boards.iter().map(|(kconfig, board)| async {
        // What the kconfig has to boot is known as soon as both ends are built.
        let refine = async {
            if let (Some(base), Some(patched)) = (board.wait(0).await, board.wait(tip).await) {
                plan.boots(&tree.name, &kconfig.name, plain_boots(&booter, kconfig, &base, &patched, tests).await);
                plan.say();
            }
        };
        let (examined, ()) = tokio::join!(examine(kconfig, board, &booter, tests), refine);
        let booted =
            examined.boots().map(|boot| Expected { unit: boot.unit.clone(), kind: UnitKind::Boot, known: boot.reused });
        plan.boots(&tree.name, &kconfig.name, booted.collect());
        plan.say();
        examined
    });
    let (builds, examined) = tokio::join!(stage.run(pins), futures::future::join_all(examinations));
    Ok(TreeResult { prepared, kconfigs: with_suites, builds, examined })
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
