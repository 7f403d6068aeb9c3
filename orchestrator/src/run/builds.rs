//! The build stage: every revision with every kconfig, each result once.

use std::collections::BTreeMap;

use camino::Utf8PathBuf;
use tokio::sync::Semaphore;
use tracing::Instrument;

use super::board::Pins;
use super::plan::Expected;
use super::{Context, Unit, users};
use crate::build::{self, BuildOptions, BuildRequest};
use crate::engine::{BuildJob, Slot};
use crate::words::{
    BuildOutcome, BuildRecord, Kconfig, RevisionCommit, Suite, Tree, UnitKind, UnitOutcome, build_unit,
};

/// A build that was had.
#[derive(Debug, Clone)]
pub struct Made {
    /// Its record.
    pub record: BuildRecord,
    /// True when it is the result of an earlier run.
    pub reused: bool,
    /// Its unit; the log is in `units/<unit>/` of the run.
    pub unit: String,
}

/// One build that the stage has to have.
struct Planned<'a> {
    revision: &'a RevisionCommit,
    kconfig: &'a Kconfig,
    /// The tools, or why the host cannot build it.
    tools: Result<String, String>,
}

/// A build that the stage is going to have.
pub struct Forecast {
    /// Its unit.
    pub unit: Expected,
    /// Index of its revision.
    pub revision: usize,
    /// Name of its kconfig.
    pub kconfig: String,
    /// Its record, when it is there already.
    pub record: Option<BuildRecord>,
}

/// The build stage of one tree.
pub struct BuildStage<'a> {
    /// The run.
    pub context: &'a Context,
    /// The tree.
    pub tree: &'a Tree,
    /// Base, then each patch.
    pub revisions: &'a [RevisionCommit],
    /// Kconfigs with the suites whose selftests belong to them.
    pub kconfigs: &'a [(Kconfig, Vec<Suite>)],
    /// The host's tools for each kconfig.
    pub tools: &'a HostTools,
}

/// By kconfig: the tools, or why the host cannot build it.
pub type HostTools = BTreeMap<String, Result<String, String>>;

/// Looks at the host's tools.
pub async fn host_tools(context: &Context, kconfigs: &[Kconfig]) -> HostTools {
    let mut tools = HostTools::new();
    for kconfig in kconfigs {
        let answer = build::toolchain(kconfig, build_options(context), &context.cancel).await;
        tools.insert(kconfig.name.clone(), answer.map_err(|error| error.to_string()));
    }
    tools
}

fn build_options(context: &Context) -> BuildOptions {
    let options = context.options();
    BuildOptions { w1: options.w1, sparse: options.sparse }
}

impl BuildStage<'_> {
    /// What the stage is going to have, in order, and what of it is there.
    pub fn forecast(&self) -> Vec<Forecast> {
        let mut all = Vec::new();
        for (index, revision) in self.revisions.iter().enumerate() {
            for (kconfig, suites) in self.kconfigs {
                let unit = build_unit(&self.tree.name, revision.revision, &kconfig.name);
                let planned = Planned { revision, kconfig, tools: self.tools[&kconfig.name].clone() };
                let request = self.request(&planned, suites, &unit);
                let key = planned.tools.as_ref().ok().map(|tools| build::key(&request, tools));
                let record = key.and_then(|key| self.lookup(&key, &planned));
                let unit = Expected { unit, kind: UnitKind::Build, known: record.is_some() };
                all.push(Forecast { unit, revision: index, kconfig: kconfig.name.clone(), record });
            }
        }
        all
    }

    /// The result of an earlier run, if it may be taken.
    fn lookup(&self, key: &str, planned: &Planned<'_>) -> Option<BuildRecord> {
        let record = self.context.may_take(key).then(|| build::lookup(&self.context.cache, key)).flatten();
        let (revision, kconfig) = (planned.revision.revision.slug(), &planned.kconfig.name);
        tracing::debug!(revision, kconfig, key, hit = record.is_some(), "build looked up");
        let record = record?;
        Some(build::relabel(record, planned.revision.revision, planned.kconfig))
    }

    /// Has every build. An engine with one place has the base first and all kconfigs of a revision before the next, so
    /// that the worktree moves only forward; one with more has as many kconfigs at once, the revisions of each in
    /// order. Each result is pinned as it comes. Results that are known cost a look-up.
    pub async fn run(&self, pins: BTreeMap<String, Pins>) -> Vec<Made> {
        let pairs =
            (0..self.revisions.len()).flat_map(|index| (0..self.kconfigs.len()).map(move |which| (index, which)));
        let places = self.context.engine.builds_at_once();
        let chains: Vec<Vec<(usize, usize)>> = match places {
            0 | 1 => vec![pairs.collect()],
            _ => {
                let of = |which| (0..self.revisions.len()).map(move |index| (index, which)).collect();
                (0..self.kconfigs.len()).map(of).collect()
            }
        };
        let free = Semaphore::new(places.clamp(1, Semaphore::MAX_PERMITS));
        let work = chains.into_iter().map(|chain| async {
            // Nobody closes it; chains begin in order.
            let _place = free.acquire().await.ok();
            self.chain(chain, &pins).await
        });
        let done = futures::future::join_all(work).await;
        let mut all: Vec<((usize, usize), Made)> = done.into_iter().flatten().collect();
        all.sort_by_key(|(place, _)| *place);
        all.into_iter().map(|(_, made)| made).collect()
    }

    /// Has some builds, one after the other, in one work folder.
    async fn chain(&self, chain: Vec<(usize, usize)>, pins: &BTreeMap<String, Pins>) -> Vec<((usize, usize), Made)> {
        let mut slot = None;
        let mut all = Vec::new();
        for (index, which) in chain {
            let (revision, (kconfig, suites)) = (&self.revisions[index], &self.kconfigs[which]);
            let tools = self.tools[&kconfig.name].clone();
            let unit = build_unit(&self.tree.name, revision.revision, &kconfig.name);
            let planned = Planned { revision, kconfig, tools };
            let have = self.have(&unit, &planned, suites, &mut slot);
            let made = have.instrument(tracing::debug_span!("unit", name = unit)).await;
            if let Some(pins) = pins.get(&kconfig.name) {
                pins.pin(made.record.clone());
            }
            all.push(((index, which), made));
        }
        all
    }

    /// The outcome of a build that the end of the run came before: nothing went wrong.
    fn interrupted(&self) -> BuildOutcome {
        BuildOutcome::NotRun { reason: self.context.why_stopped() }
    }

    async fn have(&self, unit: &str, planned: &Planned<'_>, suites: &[Suite], slot: &mut Option<Slot>) -> Made {
        let (context, unit) = (self.context, unit.to_owned());
        let request = self.request(planned, suites, &unit);
        let unbuilt = |outcome| BuildRecord::unbuilt(planned.revision.revision, planned.kconfig, outcome);
        let tools = match &planned.tools {
            Ok(tools) => tools,
            Err(reason) => {
                // Compilers that could not be asked because the user stopped the run are no trouble of the host.
                let record = unbuilt(match context.cancel.is_cancelled() {
                    true => self.interrupted(),
                    false => BuildOutcome::NotRun { reason: reason.clone() },
                });
                return self.ended(Unit::start(&context.events, UnitKind::Build, unit, 1), record);
            }
        };
        let key = build::key(&request, tools);
        if let Some(record) = self.lookup(&key, planned) {
            return self.known(unit, key, record);
        }
        let alone = context.alone(&unit, &key).await;
        if let Some(record) = self.lookup(&key, planned) {
            return self.known(unit, key, record);
        }
        let work = Unit::start(&context.events, UnitKind::Build, unit, 1);
        if context.cancel.is_cancelled() {
            return self.ended(work, unbuilt(self.interrupted()));
        }
        if let Err(reason) = &alone {
            return self.ended(work, unbuilt(BuildOutcome::Infra { reason: reason.clone() }));
        }
        let job = BuildJob {
            key,
            tree: self.tree.clone(),
            revision: planned.revision.clone(),
            kconfig: planned.kconfig.clone(),
            suites: suites.to_vec(),
            jobs: context.engine.make_jobs().unwrap_or(request.jobs),
            options: request.options,
            touched: request.touched,
            fresh: request.fresh,
        };
        let mut record = context.engine.build(job, &work.name, &context.surroundings(), slot).await;
        if context.cancel.is_cancelled() && matches!(record.outcome, BuildOutcome::Infra { .. }) {
            record.outcome = self.interrupted();
        }
        self.ended(work, record)
    }

    /// A build that was there.
    fn known(&self, unit: String, key: String, record: BuildRecord) -> Made {
        users::touch(&record.artefacts.dir);
        Unit::reused(&self.context.events, UnitKind::Build, unit.clone(), outcome(&record), Some(key));
        self.keep_log(&unit, &record);
        let reused = !self.context.own.ended(&unit);
        Made { record, reused, unit }
    }

    fn ended(&self, work: Unit, record: BuildRecord) -> Made {
        let unit = work.name.clone();
        self.keep_log(&unit, &record);
        let key = match record.outcome {
            BuildOutcome::Built | BuildOutcome::Failed { .. } | BuildOutcome::SelftestsFailed { .. } => {
                Some(record.key.clone())
            }
            BuildOutcome::Infra { .. } | BuildOutcome::NotRun { .. } => None,
        };
        if let Some(key) = &key {
            self.context.own.make(key);
        }
        work.end(outcome(&record), key);
        Made { record, reused: false, unit }
    }

    fn keep_log(&self, unit: &str, record: &BuildRecord) {
        if !record.log.is_empty() {
            let dir = &record.artefacts.dir;
            self.context.keep_logs(unit, &[dir.join(&record.log), dir.join("config")]);
        }
    }

    fn request(&self, planned: &Planned<'_>, suites: &[Suite], unit: &str) -> BuildRequest {
        let mut touched: Vec<String> = self.revisions.iter().flat_map(|revision| revision.touched.clone()).collect();
        touched.sort();
        touched.dedup();
        BuildRequest {
            source: Utf8PathBuf::new(),
            revision: planned.revision.clone(),
            kconfig: planned.kconfig.clone(),
            suites: suites.to_vec(),
            out: Utf8PathBuf::new(),
            cache: self.context.cache.clone(),
            jobs: self.context.options().jobs,
            options: build_options(self.context),
            touched,
            fresh: self.context.options().fresh,
            unit: unit.to_owned(),
            node: None,
            events: self.context.events.clone(),
            cancel: self.context.cancel.clone(),
        }
    }
}

/// How a build ended, for the event log.
fn outcome(record: &BuildRecord) -> UnitOutcome {
    match &record.outcome {
        BuildOutcome::Built => UnitOutcome::Done,
        BuildOutcome::Failed { reason } => UnitOutcome::Failed { reason: reason.clone() },
        BuildOutcome::SelftestsFailed { reason } => UnitOutcome::Failed { reason: format!("selftests: {reason}") },
        BuildOutcome::Infra { reason } => UnitOutcome::Infra { reason: reason.clone() },
        BuildOutcome::NotRun { reason } => UnitOutcome::NotRun { reason: reason.clone() },
    }
}
