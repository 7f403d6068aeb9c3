//! The build stage: every revision with every kconfig, each result once.

use std::collections::BTreeMap;

use camino::Utf8PathBuf;

use super::board::Pins;
use super::{Context, Unit};
use crate::build::{self, BuildOptions, BuildRequest};
use crate::tree::Worktree;
use crate::words::{BuildOutcome, BuildRecord, Kconfig, RevisionCommit, Suite, Tree, UnitKind, UnitOutcome};

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
    /// The key and the tools, or why the host cannot build it.
    tools: Result<String, String>,
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
}

impl BuildStage<'_> {
    /// Units of this stage.
    pub fn units(&self) -> usize {
        self.revisions.len() * self.kconfigs.len()
    }

    /// Has every build: the base first, all kconfigs of a revision before the next, so that the worktree moves only
    /// forward. Each result is pinned as it comes. Results that are known cost a look-up.
    pub async fn run(&self, mut pins: BTreeMap<String, Pins>) -> Vec<Made> {
        let mut tools = BTreeMap::new();
        for (kconfig, _) in self.kconfigs {
            let answer = build::toolchain(kconfig, self.build_options(), &self.context.cancel).await;
            tools.insert(kconfig.name.clone(), answer.map_err(|error| error.to_string()));
        }
        let mut worktree = None;
        let mut all = Vec::new();
        for revision in self.revisions {
            for (kconfig, suites) in self.kconfigs {
                let tools = tools[&kconfig.name].clone();
                let made = self.have(&Planned { revision, kconfig, tools }, suites, &mut worktree).await;
                if let Some(pins) = pins.get_mut(&kconfig.name) {
                    pins.pin(made.record.clone());
                }
                all.push(made);
            }
        }
        all
    }

    fn build_options(&self) -> BuildOptions {
        let options = self.context.options();
        BuildOptions { w1: options.w1, sparse: options.sparse }
    }

    async fn have(&self, planned: &Planned<'_>, suites: &[Suite], worktree: &mut Option<Worktree>) -> Made {
        let context = self.context;
        let unit = format!("build/{}/{}/{}", self.tree.name, planned.revision.revision.slug(), planned.kconfig.name);
        let request = self.request(planned, suites, &unit);
        let tools = match &planned.tools {
            Ok(tools) => tools,
            Err(reason) => {
                let record = unbuilt(&request, BuildOutcome::NotRun { reason: reason.clone() });
                return self.ended(Unit::start(&context.events, UnitKind::Build, unit, 1), record);
            }
        };
        let key = build::key(&request, tools);
        let may_take = context.may_take(&key);
        if let Some(record) = may_take.then(|| build::lookup(&context.cache, &key)).flatten() {
            let record = build::relabel(record, planned.revision.revision, planned.kconfig);
            Unit::reused(&context.events, UnitKind::Build, unit.clone(), outcome(&record), Some(key));
            self.keep_log(&unit, &record);
            let reused = !context.own.ended(&unit);
            return Made { record, reused, unit };
        }
        let work = Unit::start(&context.events, UnitKind::Build, unit, 1);
        if context.cancel.is_cancelled() {
            let record = unbuilt(&request, BuildOutcome::Infra { reason: "the run was interrupted".to_owned() });
            return self.ended(work, record);
        }
        if let Err(error) = self.switch(worktree, planned.revision).await {
            let record = unbuilt(&request, BuildOutcome::Infra { reason: error });
            return self.ended(work, record);
        }
        let source = worktree.as_ref().map(|worktree| worktree.dir().to_owned()).unwrap_or_default();
        let record = build::build(&BuildRequest { source, ..request }).await;
        self.ended(work, record)
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

    /// Brings the worktree to a revision, making it first where there is none yet.
    async fn switch(&self, worktree: &mut Option<Worktree>, revision: &RevisionCommit) -> Result<(), String> {
        let context = self.context;
        if worktree.is_none() {
            let dir = self.work_dir().join("src");
            let unit = format!("build/{}/worktree", self.tree.name);
            let opened = Worktree::open(self.tree, &dir, &unit, &context.events, &context.cancel).await;
            *worktree = Some(opened.map_err(|error| error.to_string())?);
        }
        match worktree {
            Some(worktree) => {
                worktree.switch(revision, &context.cancel).await.map(drop).map_err(|error| error.to_string())
            }
            None => Ok(()),
        }
    }

    fn work_dir(&self) -> Utf8PathBuf {
        self.context.cache.join("work").join(&self.tree.name)
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
            out: self.work_dir().join(&planned.kconfig.name),
            cache: self.context.cache.clone(),
            jobs: self.context.options().jobs,
            options: self.build_options(),
            touched,
            fresh: self.context.options().fresh,
            unit: unit.to_owned(),
            events: self.context.events.clone(),
            cancel: self.context.cancel.clone(),
        }
    }
}

/// The record of a build that was not tried.
fn unbuilt(request: &BuildRequest, outcome: BuildOutcome) -> BuildRecord {
    BuildRecord {
        key: String::new(),
        revision: request.revision.revision,
        kconfig: request.kconfig.name.clone(),
        kind: request.kconfig.kind,
        outcome,
        diagnostics: Vec::new(),
        compiled: Vec::new(),
        not_compiled: Vec::new(),
        dropped: Vec::new(),
        notes: Vec::new(),
        toolchain: String::new(),
        artefacts: crate::words::Artefacts::default(),
        sandbox: Err("nothing was built".to_owned()),
        log: String::new(),
        wall_ms: 0,
        cpu_ms: 0,
        replay: String::new(),
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
