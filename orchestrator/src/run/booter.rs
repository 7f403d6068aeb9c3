//! Boots builds, each result once: looks up what is known, boots what is not, goes on after a crash.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tracing::Instrument;

use super::boots::{self, BootInputs};
use super::host_accel::HostAccel;
use super::placement::Placements;
use super::tools::{self, Tools};
use super::{Context, Unit, users};
use crate::engine::BootJob;
use crate::lab::{self, Selection};
use crate::moderation::{Approvals, Authors, Intake, may_use_box};
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
    /// Names of kconfigs on machines in names of units, by kconfig and machine.
    labels: BTreeMap<(String, String), String>,
    guests: Semaphore,
    accel: Arc<HostAccel>,
    /// Looks after the boxes between their units.
    _health: lab::HealthWatch,
}

impl Booter {
    /// A booter for these kconfigs on `tree` and the machines of `placements`. `accel` is shared between trees, so that the host is probed once.
    ///
    /// # Errors
    /// When a machine or suite file cannot be used.
    pub fn new(
        context: &Context,
        tree: &str,
        kconfigs: &[Kconfig],
        placements: &Placements,
        accel: Arc<HostAccel>,
    ) -> Result<Booter, lab::LabError> {
        let mut suites = BTreeMap::new();
        let places = placements.places.iter();
        let machines: BTreeMap<String, Machine> =
            places.clone().map(|place| (place.machine.name.clone(), place.machine.clone())).collect();
        let labels = places
            .map(|place| ((place.kconfig.name.clone(), place.machine.name.clone()), place.label.clone()))
            .collect();
        for spec in kconfigs.iter().filter_map(|kconfig| kconfig.boot.as_ref()) {
            for name in spec.suites.iter().chain(&spec.benchmarks) {
                if !suites.contains_key(name) {
                    suites.insert(name.clone(), lab::suite(context.home.root(), name)?);
                }
            }
        }
        let guests = Semaphore::new(context.options().guests.max(1) * GUEST as usize);
        let (cache, events, cancel) = (&context.cache, &context.events, &context.cancel);
        let health = lab::HealthWatch::start(machines.values(), cache, events, cancel);
        let (context, tree) = (context.clone(), tree.to_owned());
        Ok(Booter { context, tree, machines, suites, labels, guests, accel, _health: health })
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
            return self.known(want, unit, key, record);
        }
        // Guests wait here, not before the look-up: what is known costs nothing.
        let cost = if setup.accel == Accel::Icount { 1 } else { GUEST };
        let _guest = match self.context.engine.is_here(setup.machine) {
            true => match self.guests.acquire_many(cost).await {
                Ok(guest) => Some(guest),
                Err(_) => return self.infra(want, unit, "the run is ending"),
            },
            // The engine's own queue decides.
            false => None,
        };
        let _alone = match self.context.alone(&unit, &key).await {
            Ok(Some(alone)) => alone,
            Ok(None) => return self.infra(want, unit, "the run was interrupted"),
            Err(reason) => return self.infra(want, unit, &reason),
        };
        if let Some(record) = self.lookup(&key) {
            return self.known(want, unit, key, record);
        }
        if let Err(reason) = undamaged(want) {
            return self.infra(want, unit, &reason);
        }
        let mut attempt = 1;
        loop {
            let work = Unit::start(&self.context.events, UnitKind::Boot, unit.clone(), attempt);
            let mut record = self.attempt(want, &setup, attempt, &unit).await;
            if selection.only != want.selection.only {
                // What is measured depends on what was measured before it: the rest of a boot has no numbers.
                record.metrics.clear();
            }
            let kept = boots::keep(&self.context.cache, &key, &record);
            if kept.is_ok() {
                self.context.own.make(&key);
            }
            if let Err(error) = &kept {
                self.context.note(format!("the result of {unit} could not be kept in the cache: {error}"));
            }
            self.keep_logs(&unit, &record);
            // A result that could not be kept has no key: it will be made again.
            work.end(outcome(&record), kept.is_ok().then(|| key.clone()));
            let trouble = matches!(record.end, BootEnd::Infra { .. });
            if !trouble || attempt == ATTEMPTS || self.context.cancel.is_cancelled() {
                return Booted { record, reused: false, unit };
            }
            attempt += 1;
        }
    }

    /// A boot whose result was there.
    fn known(&self, want: Want<'_>, unit: String, key: String, record: BootRecord) -> Booted {
        let record = relabel(record, want);
        users::touch(&self.context.cache.join("boots").join(&key));
        Unit::reused(&self.context.events, UnitKind::Boot, unit.clone(), outcome(&record), Some(key));
        self.keep_logs(&unit, &record);
        let reused = !self.context.own.ended(&unit);
        Booted { record, reused, unit }
    }

    /// All that determines a boot beside its builds.
    ///
    /// # Errors
    /// One sentence: the kconfig, the host or the build lacks something.
    async fn setup<'a>(&'a self, want: Want<'a>, selection: &'a Selection) -> Result<Setup<'a>, String> {
        let spec = want.kconfig.boot.as_ref().ok_or("the kconfig is not of kind boot")?;
        let machine = self.machines.get(spec.machine()).ok_or("the machine is not known")?;
        self.moderated(machine)?;
        if let Some(host) = machine.invented_host() {
            let next = "describe your own in lab/ and name it with `--machine` or in the kconfig (docs/boxes.md)";
            return Err(format!("{} is an example of a box ({host} is no host): {next}", machine.name));
        }
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
        let mut tools = tools::gather(
            (self.context.home.root(), &self.context.cache),
            want.kernel,
            want.selftests,
            &suites,
            want.clock,
        )?;
        match want.clock {
            Some(Clock::Instructions) => {
                tools.depends_on(&tools::program_version(qemu_binary(machine)));
            }
            // Both sides must be measured in turns, in one run: another day's boots are another load's.
            Some(Clock::Wall) => tools.depends_on(&self.context.folder.run),
            None => {}
        }
        let none = String::new();
        let selftests = want.selftests.artefacts.selftests.as_ref().unwrap_or(&none);
        let agent = lab::agent_hash_for(machine.arch())?;
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
            agent: &agent,
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
        let job = BootJob {
            key: key.clone(),
            image: artefacts.dir.join(artefacts.image_file.as_deref().unwrap_or("vmlinux")),
            build_id: artefacts.build_id.clone(),
            modules: artefacts.modules.iter().map(|module| artefacts.dir.join(module)).collect(),
            config: artefacts.dir.join("config"),
            programs: tools.programs.clone(),
            files: tools.files.clone(),
            counting: tools.counting.clone(),
            suites: suites.clone(),
            spec: (*spec).clone(),
            machine: (*machine).clone(),
            selection,
            accel: *accel,
            measures: want.clock.is_some(),
            exclusive: want.clock == Some(Clock::Wall),
            kernel: want.kernel.revision,
            selftests: want.selftests.revision,
            kconfig: want.kconfig.name.clone(),
        };
        let at = self.context.surroundings();
        match self.context.engine.boot(job, unit, attempt, &dir, &at).await {
            Ok(record) => {
                if record.accel != *accel && !record.uname.is_empty() {
                    self.accel.fell_back(qemu_binary(machine), record.accel);
                }
                record
            }
            Err(reason) => BootRecord { attempt, ..unbooted(want, Some(machine), &reason) },
        }
    }

    async fn accel(&self, machine: &Machine) -> Result<Accel, lab::LabError> {
        match machine.qemu() {
            Some(qemu) => {
                let probe = lab::probe_accel(&self.context.cache, qemu, &self.context.cancel);
                self.accel.choose(&qemu.binary, probe).await
            }
            None => Ok(self.accel.native(&machine.name)),
        }
    }

    /// Name of the unit of a boot.
    pub fn unit(&self, want: Want<'_>) -> String {
        self.unit_name(want, 0)
    }

    fn unit_name(&self, want: Want<'_>, restart: usize) -> String {
        let kconfig = &want.kconfig.name;
        let machine = want.kconfig.boot.as_ref().map_or("", |spec| spec.machine());
        let label = self.labels.get(&(kconfig.clone(), machine.to_owned())).unwrap_or(kconfig);
        let mut name = boot_unit(&self.tree, want.kernel.revision, want.selftests.revision, label);
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
        let machine = want.kconfig.boot.as_ref().and_then(|spec| self.machines.get(spec.machine()));
        let record = unbooted(want, machine, reason);
        Unit::start(&self.context.events, UnitKind::Boot, unit.clone(), 1).end(outcome(&record), None);
        Booted { record, reused: false, unit }
    }
}

/// Reads all that a boot takes from the cache: a verdict on a damaged kernel would be one on the series.
///
/// # Errors
/// One sentence: what is damaged and what helps.
fn undamaged(want: Want<'_>) -> Result<(), String> {
    let kernel = &want.kernel.artefacts;
    let image = kernel.image_file.as_deref().unwrap_or("vmlinux");
    let loaded = [image, "config"].into_iter().chain(kernel.modules.iter().map(String::as_str));
    tools::undamaged(want.kernel, loaded)?;
    tools::undamaged(want.selftests, want.selftests.artefacts.selftest_files.iter().map(String::as_str))
}

/// QEMU's program for a guest; empty for others.
fn qemu_binary(machine: &Machine) -> &str {
    machine.qemu().map_or("", |qemu| qemu.binary.as_str())
}

/// The record of a boot that was not had.
fn unbooted(want: Want<'_>, machine: Option<&Machine>, reason: &str) -> BootRecord {
    BootRecord {
        kernel: want.kernel.revision,
        selftests: want.selftests.revision,
        kconfig: want.kconfig.name.clone(),
        machine: want.kconfig.boot.as_ref().map_or("", |spec| spec.machine()).to_owned(),
        accel: match (want.clock, machine) {
            (Some(Clock::Instructions), _) => Accel::Icount,
            (Some(Clock::Wall) | None, Some(machine)) if machine.qemu().is_none() => Accel::Native,
            (Some(Clock::Wall) | None, _) => Accel::Tcg,
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
        node: None,
    }
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
