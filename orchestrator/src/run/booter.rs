//! Boots builds, each result once: looks up what is known, boots what is not, goes on after a crash.

use std::collections::BTreeMap;
use std::sync::Arc;

use camino::Utf8Path;
use tokio::sync::Semaphore;
use tracing::Instrument;

use super::boots::{self, BootInputs};
use super::host_accel::HostAccel;
use super::tools::{self, Tools};
use super::{Context, Unit};
use crate::lab::{self, Selection};
use crate::moderation::{Approvals, Authors, Intake, may_use_box};
use crate::suite;
use crate::words::{
    Accel, BootEnd, BootRecord, BootSpec, BuildRecord, Clock, Kconfig, Machine, Suite, UnitKind, UnitOutcome, boot_unit,
};

/// Tries at a boot that ends in trouble of ours.
const ATTEMPTS: u32 = 3;

/// What a guest takes of the places for guests; one on the instruction clock has one CPU only and takes one.
const GUEST: u32 = 2;

/// New boots for the tests that a crash left over.
const RESTARTS: usize = 12;

/// A boot to be had.
#[derive(Clone, Copy)]
pub struct Want<'a> {
    /// The kconfig.
    pub kconfig: &'a Kconfig,
    /// Build whose kernel boots.
    pub kernel: &'a BuildRecord,
    /// Build whose selftests run.
    pub selftests: &'a BuildRecord,
    /// Which tests, how often.
    pub selection: &'a Selection,
    /// Runs the benchmarks of the kconfig on this clock; its tests when `None`.
    pub clock: Option<Clock>,
    /// Tells repetitions apart; 0 for the first.
    pub repetition: u32,
    /// What it is for, part of the unit's name; empty for the plain boot.
    pub purpose: &'a str,
}

/// A boot that was had.
#[derive(Debug, Clone)]
pub struct Booted {
    /// Its record.
    pub record: BootRecord,
    /// True when it is the result of an earlier run.
    pub reused: bool,
    /// Its unit; the logs are in `units/<unit>/` of the run.
    pub unit: String,
}

/// All that determines a boot beside its builds.
struct Setup<'a> {
    spec: &'a BootSpec,
    machine: &'a Machine,
    suites: Vec<Suite>,
    accel: Accel,
    tools: Tools,
    selection: &'a Selection,
    key: String,
}

/// Boots builds of one tree.
pub struct Booter {
    context: Context,
    tree: String,
    machines: BTreeMap<String, Machine>,
    suites: BTreeMap<String, Suite>,
    guests: Semaphore,
    accel: Arc<HostAccel>,
}

impl Booter {
    /// A booter for these kconfigs on `tree`. `accel` is shared between trees, so that the host is probed once.
    ///
    /// # Errors
    /// When a machine or suite file cannot be used.
    pub fn new(
        context: &Context,
        tree: &str,
        kconfigs: &[Kconfig],
        accel: Arc<HostAccel>,
    ) -> Result<Booter, lab::LabError> {
        let mut machines = BTreeMap::new();
        let mut suites = BTreeMap::new();
        for spec in kconfigs.iter().filter_map(|kconfig| kconfig.boot.as_ref()) {
            if !machines.contains_key(&spec.machine) {
                machines.insert(spec.machine.clone(), lab::machine(context.home.root(), &spec.machine)?);
            }
            for name in spec.suites.iter().chain(&spec.benchmarks) {
                if !suites.contains_key(name) {
                    suites.insert(name.clone(), lab::suite(context.home.root(), name)?);
                }
            }
        }
        let guests = Semaphore::new(context.options().guests.max(1) * GUEST as usize);
        Ok(Booter { context: context.clone(), tree: tree.to_owned(), machines, suites, guests, accel })
    }

    /// All suites of a kconfig: those that test and those that measure.
    pub fn all_suites(&self, kconfig: &Kconfig) -> Vec<Suite> {
        self.named(kconfig.boot.iter().flat_map(|spec| spec.suites.iter().chain(&spec.benchmarks)))
    }

    /// The suites of a kconfig that test.
    pub fn suites(&self, kconfig: &Kconfig) -> Vec<Suite> {
        self.named(kconfig.boot.iter().flat_map(|spec| &spec.suites))
    }

    /// The suites of a kconfig that measure.
    pub fn benchmarks(&self, kconfig: &Kconfig) -> Vec<Suite> {
        self.named(kconfig.boot.iter().flat_map(|spec| &spec.benchmarks))
    }

    fn named<'a>(&self, names: impl Iterator<Item = &'a String>) -> Vec<Suite> {
        names.filter_map(|name| self.suites.get(name)).cloned().collect()
    }

    /// Name of the tree.
    pub fn tree(&self) -> &str {
        &self.tree
    }

    /// Whether the user wants to stop.
    pub fn cancelled(&self) -> bool {
        self.context.cancel.is_cancelled()
    }

    /// Boots, and boots again for the tests that a crash left over, until each has a verdict or nothing moves.
    pub async fn boot(&self, want: Want<'_>) -> Vec<Booted> {
        let mut all = vec![self.boot_once(want, want.selection, 0).await];
        for restart in 1..=RESTARTS {
            let last = &all[all.len() - 1].record;
            let moved = !last.tests.is_empty();
            if last.remaining.is_empty() || !moved || self.context.cancel.is_cancelled() {
                break;
            }
            let selection = Selection { only: last.remaining.clone(), skip: Vec::new(), repeat: want.selection.repeat };
            all.push(self.boot_once(want, &selection, restart).await);
        }
        all
    }

    async fn boot_once(&self, want: Want<'_>, selection: &Selection, restart: usize) -> Booted {
        let unit = self.unit_name(want, restart);
        let span = tracing::debug_span!("unit", name = unit);
        self.one_boot(want, selection, unit).instrument(span).await
    }

    /// One boot: from the cache, or up to [`ATTEMPTS`] attempts when the trouble is ours.
    async fn one_boot(&self, want: Want<'_>, selection: &Selection, unit: String) -> Booted {
        let setup = match self.setup(want, selection).await {
            Ok(setup) => setup,
            Err(reason) => return self.infra(want, unit, &reason),
        };
        let key = setup.key.clone();
        if let Some(record) = self.lookup(&key) {
            let record = relabel(record, want);
            Unit::reused(&self.context.events, UnitKind::Boot, unit.clone(), outcome(&record), Some(key));
            self.keep_logs(&unit, &record);
            let reused = !self.context.own.ended(&unit);
            return Booted { record, reused, unit };
        }
        // Guests wait here, not before the look-up: what is known costs nothing.
        let cost = if setup.accel == Accel::Icount { 1 } else { GUEST };
        let Ok(_guest) = self.guests.acquire_many(cost).await else {
            return self.infra(want, unit, "the run is ending");
        };
        let mut attempt = 1;
        loop {
            let work = Unit::start(&self.context.events, UnitKind::Boot, unit.clone(), attempt);
            let mut record = self.attempt(want, &setup, attempt, &unit).await;
            if selection.only != want.selection.only {
                // What is measured depends on what was measured before it: the rest of a boot has no numbers.
                record.metrics.clear();
            }
            let kept = boots::keep(&self.context.cache, &key, &record);
            self.context.own.make(&key);
            if let Err(error) = &kept {
                self.context.note(format!("the result of {unit} could not be kept in the cache: {error}"));
            }
            self.keep_logs(&unit, &record);
            work.end(outcome(&record), Some(key.clone()));
            let trouble = matches!(record.end, BootEnd::Infra { .. });
            if !trouble || attempt == ATTEMPTS || self.context.cancel.is_cancelled() {
                return Booted { record, reused: false, unit };
            }
            attempt += 1;
        }
    }

    /// All that determines a boot beside its builds.
    ///
    /// # Errors
    /// One sentence: the kconfig, the host or the build lacks something.
    async fn setup<'a>(&'a self, want: Want<'a>, selection: &'a Selection) -> Result<Setup<'a>, String> {
        let spec = want.kconfig.boot.as_ref().ok_or("the kconfig is not of kind boot")?;
        let machine = self.machines.get(&spec.machine).ok_or("the machine is not known")?;
        self.moderated(machine)?;
        let suites = match want.clock {
            None => self.suites(want.kconfig),
            Some(_) => self.benchmarks(want.kconfig),
        };
        let accel = match want.clock {
            Some(Clock::Instructions) if machine.qemu().is_none() => {
                return Err(format!("{} is no guest: it has no clock that counts instructions", machine.name));
            }
            Some(Clock::Instructions) => Accel::Icount,
            Some(Clock::Wall) | None => self.accel(machine).await.map_err(|error| error.to_string())?,
        };
        let mut tools = tools::gather(&self.context.cache, want.kernel, want.selftests, &suites, want.clock)?;
        match want.clock {
            Some(Clock::Instructions) => {
                let binary = machine.qemu().map_or("", |qemu| qemu.binary.as_str());
                tools.depends_on(&tools::program_version(binary));
            }
            // Both sides must be measured in turns, in one run: another day's boots are another load's.
            Some(Clock::Wall) => tools.depends_on(&self.context.folder.run),
            None => {}
        }
        let none = String::new();
        let selftests = want.selftests.artefacts.selftests.as_ref().unwrap_or(&none);
        let inputs = BootInputs {
            image: want.kernel.artefacts.image.as_ref().unwrap_or(&none),
            // A program of our own is the same for every revision.
            selftests: if suites.iter().any(|suite| suite.selftest.is_some()) { selftests } else { &none },
            tools: &tools.hash,
            suites: &suites,
            machine,
            spec,
            accel,
            selection,
            repetition: want.repetition,
            agent: &lab::agent_hash(),
        };
        let key = boots::key(&inputs);
        Ok(Setup { spec, machine, suites, accel, tools, selection, key })
    }

    /// Whether the series of this tree may run on `machine`. Approvals are read anew each time: one may have come.
    ///
    /// # Errors
    /// One sentence: what it waits for.
    fn moderated(&self, machine: &Machine) -> Result<(), String> {
        if machine.qemu().is_some() {
            return Ok(());
        }
        let folder = &self.context.folder;
        let plan = folder.trees.iter().find(|plan| plan.tree.name() == self.tree);
        let series = plan.and_then(|plan| plan.series.as_ref().ok()).ok_or("the tree has no series")?;
        let authors = Authors::load(&self.context.home).map_err(|error| error.to_string())?;
        let results = folder.path().parent().unwrap_or(folder.path());
        let approvals = Approvals::read(results).map_err(|error| format!("the approvals cannot be read: {error}"))?;
        let intake = if folder.options.by_itself { Intake::ByItself } else { Intake::ByHand };
        may_use_box(series, machine, intake, &authors, &approvals)
    }

    fn lookup(&self, key: &str) -> Option<BootRecord> {
        let record = self.context.may_take(key).then(|| boots::lookup(&self.context.cache, key)).flatten();
        tracing::debug!(key, hit = record.is_some(), "boot looked up");
        record
    }

    /// Whether the result of this boot is there already.
    pub async fn knows(&self, want: Want<'_>) -> bool {
        // What cannot be set up has no results either; the boot itself says why.
        self.setup(want, want.selection).await.is_ok_and(|setup| self.lookup(&setup.key).is_some())
    }

    async fn attempt(&self, want: Want<'_>, setup: &Setup<'_>, attempt: u32, unit: &str) -> BootRecord {
        let Setup { spec, machine, suites, accel, tools, selection, key } = setup;
        let mut selection = (*selection).clone();
        for suite in suites {
            selection.skip.extend(suite.skip.iter().map(|test| format!("{}.{test}", suite.name)));
        }
        let artefacts = &want.kernel.artefacts;
        let dir = boots::attempt_dir(&self.context.cache, key, attempt);
        // Logs of an earlier boot are hard links in other runs' folders: they must not be written into.
        let _ = fs_err::remove_dir_all(&dir);
        let request = lab::BootRequest {
            unit: unit.to_owned(),
            kernel: artefacts.dir.join(artefacts.image_file.as_deref().unwrap_or("vmlinux")),
            modules: artefacts.modules.iter().map(|module| artefacts.dir.join(module)).collect(),
            selftests: tools.programs.clone(),
            suites: suites.to_vec(),
            spec: (*spec).clone(),
            machine: (*machine).clone(),
            selection: selection.clone(),
            accel: *accel,
            counting: tools.counting.clone(),
            files: tools.files.clone(),
            deadline_factor: 1,
            cache: self.context.cache.clone(),
            dir,
            events: self.context.events.clone(),
            cancel: self.context.cancel.clone(),
        };
        let raw = lab::boot(&request).await;
        if raw.accel != *accel && !raw.frames.is_empty() {
            self.accel.fell_back(raw.accel);
        }
        let config = fs_err::read_to_string(artefacts.dir.join("config")).unwrap_or_default();
        let console = fs_err::read(&raw.console).unwrap_or_default();
        let names: Vec<String> = suites.iter().map(|suite| suite.name.clone()).collect();
        let modules: Vec<String> = artefacts.modules.iter().map(|file| module_name(file)).collect();
        let input = suite::JudgeInput {
            frames: &raw.frames,
            problems: &raw.problems,
            end: &raw.end,
            console: &String::from_utf8_lossy(&console),
            suites: &names,
            only: &selection.only,
            skip: &selection.skip,
            modules: &modules,
            config: &config,
        };
        let meta = suite::BootMeta {
            kernel: want.kernel.revision,
            selftests: want.selftests.revision,
            kconfig: want.kconfig.name.clone(),
            machine: machine.name.clone(),
            accel: raw.accel,
            attempt,
            dir: raw.dir.clone(),
            wall_ms: raw.wall_ms,
            cpu_ms: raw.cpu_ms,
            replay: raw.replay.clone(),
        };
        let mut record = suite::judge(input, meta);
        if want.clock.is_some() && raw.accel != *accel {
            // Another clock than that of the other side.
            record.metrics.clear();
        }
        if tools.counting.is_some() && !record.metrics.is_empty() {
            let counts = fs_err::read(raw.dir.join("counts.jsonl")).map_err(|error| error.to_string());
            match counts.and_then(|bytes| lab::Counts::read(&bytes)) {
                Ok(counts) if counts.complete || record.end != BootEnd::Completed => {
                    let problems = counts.rejected.iter().cloned().chain(counts.attach(&mut record.metrics));
                    for problem in problems.take(3) {
                        self.context.note(format!("{unit}: instructions by function: {problem}"));
                    }
                }
                Ok(_) => record.end = uncounted("the plugin's file has no end"),
                Err(error) => record.end = uncounted(&error),
            }
        }
        record
    }

    async fn accel(&self, machine: &Machine) -> Result<Accel, lab::LabError> {
        match machine.qemu() {
            Some(qemu) => self.accel.choose(lab::probe_accel(&self.context.cache, qemu, &self.context.cancel)).await,
            None => Ok(Accel::Native),
        }
    }

    /// Name of the unit of a boot.
    pub fn unit(&self, want: Want<'_>) -> String {
        self.unit_name(want, 0)
    }

    fn unit_name(&self, want: Want<'_>, restart: usize) -> String {
        let mut name = boot_unit(&self.tree, want.kernel.revision, want.selftests.revision, &want.kconfig.name);
        if let Some(clock) = want.clock {
            name.push_str(match clock {
                Clock::Instructions => "/instructions",
                Clock::Wall => "/wall",
            });
        }
        if !want.purpose.is_empty() {
            name.push_str(&format!("/{}", want.purpose));
        }
        if restart > 0 {
            name.push_str(&format!("/rest-{restart}"));
        }
        name
    }

    fn keep_logs(&self, unit: &str, record: &BootRecord) {
        let names = ["console.log", "results.jsonl", "qemu.log", "plan.json", "boot.json", "counts.jsonl"];
        self.context.keep_logs(unit, &names.map(|name| record.dir.join(name)));
    }

    fn infra(&self, want: Want<'_>, unit: String, reason: &str) -> Booted {
        let record = BootRecord {
            kernel: want.kernel.revision,
            selftests: want.selftests.revision,
            kconfig: want.kconfig.name.clone(),
            machine: want.kconfig.boot.as_ref().map(|spec| spec.machine.clone()).unwrap_or_default(),
            accel: match want.clock {
                Some(Clock::Instructions) => Accel::Icount,
                Some(Clock::Wall) | None => Accel::Tcg,
            },
            attempt: 0,
            end: BootEnd::Infra { reason: reason.to_owned() },
            uname: String::new(),
            log_checked: Err("nothing was booted".to_owned()),
            tests: Vec::new(),
            metrics: Vec::new(),
            remaining: Vec::new(),
            splats: Vec::new(),
            dir: "".into(),
            wall_ms: 0,
            cpu_ms: 0,
            replay: String::new(),
        };
        Unit::start(&self.context.events, UnitKind::Boot, unit.clone(), 1).end(outcome(&record), None);
        Booted { record, reused: false, unit }
    }
}

/// A boot whose instructions were not counted: trouble of ours, which is tried again and never kept.
fn uncounted(why: &str) -> BootEnd {
    BootEnd::Infra { reason: format!("instructions by function were not counted: {why}") }
}

/// The name that a module file has in the kernel.
fn module_name(file: &str) -> String {
    Utf8Path::new(file).file_stem().unwrap_or(file).replace('-', "_")
}

/// The same boot seen as another revision or kconfig with the same key.
fn relabel(record: BootRecord, want: Want<'_>) -> BootRecord {
    BootRecord {
        kernel: want.kernel.revision,
        selftests: want.selftests.revision,
        kconfig: want.kconfig.name.clone(),
        ..record
    }
}

/// How a boot ended, for the event log. A failing test is a good result of a boot: whether it speaks against the
/// series, only the comparison with the base says.
fn outcome(record: &BootRecord) -> UnitOutcome {
    match &record.end {
        BootEnd::Completed => UnitOutcome::Done,
        BootEnd::Panicked => UnitOutcome::Failed { reason: "the kernel panicked".to_owned() },
        BootEnd::Hung { deadline } => UnitOutcome::Failed { reason: format!("the guest hung ({deadline} deadline)") },
        BootEnd::Reset => UnitOutcome::Failed { reason: "the guest reset without a word".to_owned() },
        BootEnd::Infra { reason } => UnitOutcome::Infra { reason: reason.clone() },
    }
}
