//! The local engine's order of work on virtual time: the real stages, boards, examinations and measurements of a tree;
//! only make and QEMU are [`Simulated`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use futures::future::BoxFuture;
use proptest::prelude::*;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::board::{bootable, same_artefacts};
use super::context::Own;
use super::engine::{Host, TreeResult, test_tree};
use super::examine::Examined;
use super::history::History;
use super::metric_past::MetricPast;
use super::placement::{Placement, Placements};
use super::plan::Plan;
use super::testing::{machine, options, plans};
use super::trees::Prepared;
use super::{Context, RunFolder, Stop};
use crate::build;
use crate::config::Home;
use crate::engine::{BootJob, BuildJob, Engine, Hands, Slot, Surroundings};
use crate::lab::AccelChoice;
use crate::words::testing::{boot_record, build_record, kconfig, revision, series, test_record};
use crate::words::{
    Accel, Artefacts, BaseChoice, BootEnd, BootRecord, BuildOutcome, BuildRecord, Clock, Crash, Event, Fragment,
    Kconfig, Kind, MetricSamples, RevisionCommit, Sample, Tree, TreeBase, Verdict,
};

/// What everything takes some times: long against the fractions of a second after which a lock is asked for again.
const TURN: Duration = Duration::from_secs(600);
/// What waiting for locks may take in all.
const MOMENT: Duration = Duration::from_secs(3600);
/// Longer than all units of a case one after the other.
const FOR_EVER: Duration = Duration::from_secs(600 * 100_000);

/// What a build of one source with one configuration comes to.
#[derive(Debug, Clone)]
struct BuildFate {
    outcome: u8,
    turns: u32,
    image: usize,
    selftests: usize,
}

/// How a kernel behaves.
#[derive(Debug, Clone)]
struct KernelFate {
    /// Test `a`: good, bad, or bad every other time.
    test: u8,
    /// Test `b` panics.
    crashes: bool,
    turns: u32,
    /// So many attempts end in trouble of ours first.
    trouble: u32,
}

#[derive(Debug, Clone)]
struct Config {
    /// Two of the same content are the same build.
    content: usize,
    boots: bool,
}

#[derive(Debug, Clone)]
struct Case {
    /// Source of each revision; two of the same source are the same build.
    sources: Vec<usize>,
    configs: Vec<Config>,
    machines: usize,
    /// By content, then by source.
    builds: Vec<Vec<BuildFate>>,
    /// By image.
    kernels: Vec<KernelFate>,
    guests: usize,
    places: usize,
    measures: bool,
    /// Turn in which the run is stopped, to be resumed.
    stop: Option<u32>,
}

const SOURCES: usize = 5;
const CONTENTS: usize = 3;
const IMAGES: usize = 4;

prop_compose! {
    fn build_fate()(
        // Most builds are good.
        outcome in prop::sample::select(vec![0_u8, 0, 0, 0, 0, 0, 1, 2, 3]),
        turns in 1_u32..6,
        image in 0..IMAGES,
        selftests in 0_usize..2,
    ) -> BuildFate {
        BuildFate { outcome, turns, image, selftests }
    }
}

prop_compose! {
    fn kernel_fate()(
        test in prop::sample::select(vec![0_u8, 0, 1, 2]),
        crashes in prop::sample::select(vec![false, false, false, true]),
        turns in 1_u32..4,
        trouble in prop::sample::select(vec![0_u32, 0, 0, 1, 2, 3, 5]),
    ) -> KernelFate {
        KernelFate { test, crashes, turns, trouble }
    }
}

prop_compose! {
    fn case()(
        sources in prop::collection::vec(0..SOURCES, 2..6),
        configs in prop::collection::vec((0..CONTENTS, prop::bool::weighted(0.7)), 1..4),
        machines in 1_usize..3,
        builds in prop::collection::vec(prop::collection::vec(build_fate(), SOURCES), CONTENTS),
        kernels in prop::collection::vec(kernel_fate(), IMAGES),
        guests in 1_usize..4,
        places in 1_usize..4,
        measures in any::<bool>(),
        stop in prop::option::weighted(0.4, 0_u32..40),
    ) -> Case {
        let configs = configs.into_iter().map(|(content, boots)| Config { content, boots }).collect();
        Case { sources, configs, machines, builds, kernels, guests, places, measures, stop }
    }
}

/// What was seen.
#[derive(Debug, Default)]
struct Seen {
    building: BTreeSet<String>,
    /// Image of each build that is there, by key.
    built: BTreeMap<String, BuildFate>,
    booting: BTreeMap<String, usize>,
    booted: BTreeSet<String>,
    attempts: BTreeMap<String, u32>,
    runs_of_image: BTreeMap<usize, u32>,
    /// Time of all units one after the other, and of the builds alone.
    work: Duration,
    build_work: Duration,
    /// When each build was there, by key.
    built_at: BTreeMap<String, Instant>,
    first_boot: Option<Instant>,
    most_builds: usize,
    wrong: Vec<String>,
}

impl Seen {
    fn expect(&mut self, right: bool, what: impl FnOnce() -> String) {
        if !right {
            self.wrong.push(what());
        }
    }
}

/// Takes the time that a unit takes, and watches what is done at once and what was done before.
struct Simulated {
    case: Case,
    cache: Utf8PathBuf,
    seen: Arc<Mutex<Seen>>,
}

impl Simulated {
    async fn build_it(&self, job: &BuildJob, at: &Surroundings) -> BuildRecord {
        let source: usize = job.revision.tree.trim_start_matches('0').parse().unwrap_or(0);
        let content: usize = job.kconfig.fragments[0].text.trim().parse().unwrap();
        let fate = self.case.builds[content][source].clone();
        {
            let mut seen = self.seen.lock().unwrap();
            let (there, under_way) = (seen.built.contains_key(&job.key), !seen.building.insert(job.key.clone()));
            seen.expect(!there && !under_way, || format!("{} was built twice", job.key));
            let places = self.case.places;
            let at_once = seen.building.len();
            seen.expect(at_once <= places, || format!("{at_once} builds at once in {places} places"));
            seen.most_builds = seen.most_builds.max(at_once);
        }
        let ended = wait(fate.turns, at).await;
        let mut seen = self.seen.lock().unwrap();
        seen.building.remove(&job.key);
        let unbuilt = |outcome| BuildRecord::unbuilt(job.revision.revision, &job.kconfig, outcome);
        if !ended {
            return unbuilt(BuildOutcome::Infra { reason: "stopped".into() });
        }
        seen.work += TURN * fate.turns;
        seen.build_work += TURN * fate.turns;
        seen.built_at.insert(job.key.clone(), Instant::now());
        let outcome = match fate.outcome {
            1 => BuildOutcome::Failed { reason: "error".into() },
            2 => BuildOutcome::SelftestsFailed { reason: "error".into() },
            3 => return unbuilt(BuildOutcome::Infra { reason: "no disk".into() }),
            _ => BuildOutcome::Built,
        };
        let good = fate.outcome != 1;
        let kernel = good && job.kconfig.kind == Kind::Boot;
        let tests = kernel && fate.outcome == 0;
        let artefacts = Artefacts {
            dir: build::folder(&self.cache, &job.key),
            image: kernel.then(|| format!("image-{}", fate.image)),
            image_file: kernel.then(|| "vmlinux".to_owned()),
            selftests: tests.then(|| format!("selftests-{}", fate.selftests)),
            selftest_files: if tests { vec!["hmm-tests".to_owned()] } else { Vec::new() },
            sources: Some("sources".to_owned()),
            ..Artefacts::default()
        };
        let record = BuildRecord {
            key: job.key.clone(),
            revision: job.revision.revision,
            kconfig: job.kconfig.name.clone(),
            kind: job.kconfig.kind,
            outcome,
            artefacts,
            ..build_record(0, 1)
        };
        build::testing::keep(&self.cache, &record, &["vmlinux", "config", "hmm-tests", "sources", "build.log"]);
        seen.built.insert(job.key.clone(), fate);
        record
    }

    async fn boot_it(&self, job: &BootJob, unit: &str, attempt: u32, dir: &Utf8Path, at: &Surroundings) -> BootRecord {
        let key_of = |file: &Utf8Path| file.parent().and_then(Utf8Path::file_name).unwrap_or_default().to_owned();
        let (fate, image, trouble) = {
            let mut seen = self.seen.lock().unwrap();
            let needed = std::iter::once(&job.image).chain(job.programs.iter().map(|(_, program)| program));
            for key in needed.map(|file| key_of(file)) {
                let there = seen.built.get(&key).is_some_and(|fate| fate.outcome != 1);
                seen.expect(there, || format!("{unit} began before the build {key} was there"));
            }
            let cost = if job.accel == Accel::Icount { 1 } else { 2 };
            let twice = seen.booted.contains(&job.key) || seen.booting.insert(job.key.clone(), cost).is_some();
            seen.expect(!twice, || format!("{unit} was booted twice"));
            let (taken, guests) = (seen.booting.values().sum::<usize>(), self.case.guests);
            seen.expect(taken <= 2 * guests, || format!("{taken} halves of {guests} guests at once"));
            seen.expect((1..=3).contains(&attempt), || format!("attempt {attempt} of {unit}"));
            let image = seen.built.get(&key_of(&job.image)).map_or(0, |fate| fate.image);
            let fate = self.case.kernels[image].clone();
            seen.first_boot.get_or_insert_with(Instant::now);
            let attempts = seen.attempts.entry(job.key.clone()).or_default();
            *attempts += 1;
            let trouble = *attempts <= fate.trouble;
            (fate, image, trouble)
        };
        let ended = wait(fate.turns, at).await;
        let mut seen = self.seen.lock().unwrap();
        seen.booting.remove(&job.key);
        fs_err::create_dir_all(dir).unwrap();
        let nothing = BootRecord {
            kernel: job.kernel,
            selftests: job.selftests,
            kconfig: job.kconfig.clone(),
            machine: job.machine.name.clone(),
            accel: job.accel,
            attempt,
            dir: dir.to_owned(),
            ..boot_record(0, 1)
        };
        if !ended {
            return BootRecord { end: BootEnd::Infra { reason: "stopped".into() }, uname: String::new(), ..nothing };
        }
        seen.work += TURN * fate.turns;
        if trouble {
            return BootRecord { end: BootEnd::Infra { reason: "no memory".into() }, ..nothing };
        }
        seen.booted.insert(job.key.clone());
        let runs = seen.runs_of_image.entry(image).or_default();
        *runs += 1;
        let bad = fate.test == 1 || (fate.test == 2 && runs.is_multiple_of(2));
        drop(seen);
        ran(job, &fate, image, bad, nothing)
    }
}

/// What the tests, or metrics, of a boot gave.
fn ran(job: &BootJob, fate: &KernelFate, image: usize, bad: bool, nothing: BootRecord) -> BootRecord {
    let suite = &job.suites[0].name;
    let only = &job.selection.only;
    let all: Vec<String> = match job.measures {
        true => only.clone(),
        false => ["a", "b", "c"].iter().map(|test| format!("{suite}.{test}")).collect(),
    };
    let wanted = |test: &String| only.is_empty() || only.contains(test);
    let mut record = nothing;
    let mut wanted = all.into_iter().filter(wanted);
    for test in wanted.by_ref() {
        if job.measures {
            let sample = |phase| Sample { phase, value: 1000 * (1 + image as u64) + u64::from(phase), copy: None };
            let samples = (0..8).map(sample).collect();
            record.metrics.push(MetricSamples { metric: test.clone(), pages: 1, samples, functions: Vec::new() });
        } else if fate.crashes && test.ends_with(".b") {
            record.tests.push(test_record(&test, Verdict::Crashed { crash: Crash::Panic }));
            record.end = BootEnd::Panicked;
            break;
        }
        let failed = bad && !job.measures && test.ends_with(".a");
        let verdict = if failed { Verdict::Fail { reason: "wrong".into() } } else { Verdict::Pass };
        for _ in 0..job.selection.repeat {
            record.tests.push(test_record(&test, verdict.clone()));
        }
    }
    record.remaining = wanted.collect();
    record
}

/// Whether the time went by before the run was stopped.
async fn wait(turns: u32, at: &Surroundings) -> bool {
    tokio::select! {
        biased;
        () = at.cancel.cancelled() => false,
        () = tokio::time::sleep(TURN * turns) => true,
    }
}

impl Hands for Simulated {
    fn builds_at_once(&self) -> usize {
        self.case.places
    }

    fn build<'a>(
        &'a self,
        job: &'a BuildJob,
        _unit: &'a str,
        at: &'a Surroundings,
        _slot: &'a mut Option<Slot>,
    ) -> BoxFuture<'a, BuildRecord> {
        Box::pin(self.build_it(job, at))
    }

    fn boot<'a>(
        &'a self,
        job: &'a BootJob,
        unit: &'a str,
        attempt: u32,
        dir: &'a Utf8Path,
        at: &'a Surroundings,
    ) -> BoxFuture<'a, BootRecord> {
        Box::pin(self.boot_it(job, unit, attempt, dir, at))
    }
}

/// A run of the case, its cache and what was seen of it.
struct House {
    _guard: tempfile::TempDir,
    root: Utf8PathBuf,
    case: Case,
    seen: Arc<Mutex<Seen>>,
    kconfigs: Vec<Kconfig>,
    placements: Placements,
}

impl House {
    fn new(case: Case) -> House {
        // Results are synced to the disk, hundreds of them; in memory that costs nothing.
        let memory = std::path::Path::new("/dev/shm");
        let guard = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
        let root = Utf8PathBuf::from_path_buf(guard.path().to_owned()).unwrap();
        let mut kconfigs = Vec::new();
        let mut placements = Placements::default();
        for (number, config) in case.configs.iter().enumerate() {
            let kind = if config.boots { Kind::Boot } else { Kind::Link };
            let mut kconfig = kconfig(&format!("k{number}"), kind);
            kconfig.fragments = vec![Fragment { name: "x.config".into(), text: format!("{}\n", config.content) }];
            if let Some(spec) = &mut kconfig.boot {
                spec.suites = vec!["hmm".into()];
                spec.benchmarks = vec!["thp-benchmark".into()];
            }
            for which in 0..case.machines * usize::from(config.boots) {
                let mut place = kconfig.clone();
                let mut machine = machine();
                machine.name = format!("m{which}");
                place.boot.as_mut().unwrap().machine = Some(machine.name.clone());
                let label = format!("{}@{}", kconfig.name, machine.name);
                placements.places.push(Placement { kconfig: place, machine, label });
            }
            kconfigs.push(kconfig);
        }
        House { _guard: guard, root, case, seen: Arc::default(), kconfigs, placements }
    }

    fn prepared(&self) -> Prepared {
        let tip = self.case.sources.len() - 1;
        let revisions = self.case.sources.iter().enumerate().map(|(index, source)| RevisionCommit {
            revision: revision(index, tip),
            commit: format!("{index:040}"),
            tree: format!("{source:040}"),
            touched: vec!["mm/a.c".into()],
        });
        let tree = Tree {
            name: "t".into(),
            repo: self.root.join("t.git"),
            commit: "a".repeat(40),
            kernel_version: "6.12".into(),
            source: String::new(),
            skipped_sources: Vec::new(),
        };
        let base = TreeBase {
            commit: tree.commit.clone(),
            chosen: BaseChoice::TreeList,
            why: String::new(),
            blobs: None,
            prerequisites: Vec::new(),
        };
        Prepared::Ready {
            tree,
            base: Box::new(base),
            series: Box::new(series("x", &vec!["diff"; tip])),
            revisions: revisions.collect(),
            notes: Vec::new(),
        }
    }

    /// Runs, or goes on, until all is done or turn `stop` has come. Gives what came of it and all events.
    async fn run(&self, stop: Option<u32>) -> (TreeResult, Vec<Event>) {
        let events = Arc::new(Mutex::new(Vec::new()));
        let heard = events.clone();
        let cancel = CancellationToken::new();
        let options = super::Options {
            guests: self.case.guests,
            clocks: if self.case.measures { vec![Clock::Instructions] } else { Vec::new() },
            ..options()
        };
        let hands = Simulated { case: self.case.clone(), cache: self.root.join("cache"), seen: self.seen.clone() };
        let repository = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let context = Context {
            home: Home::find(Some(repository), repository, repository).unwrap(),
            cache: self.root.join("cache"),
            folder: RunFolder::create(&self.root.join("results"), "c", options, plans("x")).unwrap(),
            events: Arc::new(move |event| heard.lock().unwrap().push(event)),
            cancel: cancel.clone(),
            stopper: Stop::from(cancel.clone()).start(),
            engine: Arc::new(Engine::by(Arc::new(hands))),
            own: Arc::new(Own::default()),
        };
        let tools = self.kconfigs.iter().map(|kconfig| (kconfig.name.clone(), Ok("gcc: 12".to_owned()))).collect();
        let host = Host { tools, accel: Arc::default() };
        let probed = async { Ok(AccelChoice { accel: Accel::Tcg, reason: String::new() }) };
        host.accel.choose("false", probed).await.unwrap();
        let plan = Plan::new(History::default(), context.events.clone());
        let past = MetricPast::default();
        let work = test_tree(&context, self.prepared(), &self.kconfigs, &self.placements, &host, &plan, &past);
        let clock = async {
            match stop {
                Some(turns) => {
                    tokio::time::sleep(TURN * turns).await;
                    cancel.cancel();
                }
                None => std::future::pending().await,
            }
        };
        tokio::pin!(clock);
        let work = tokio::time::timeout(FOR_EVER, work);
        tokio::pin!(work);
        let result = tokio::select! {
            result = &mut work => result,
            () = &mut clock => work.await,
        };
        let result = result.expect("it ends, and waits for nothing that never comes").unwrap();
        let events = std::mem::take(&mut *events.lock().unwrap());
        (result, events)
    }

    /// What each build must come to, by revision and kconfig.
    fn fate(&self, index: usize, which: usize) -> &BuildFate {
        &self.case.builds[self.case.configs[which].content][self.case.sources[index]]
    }
}

/// Each unit begins once per attempt, and each that began ends.
fn check_units(events: &[Event]) {
    let mut open = BTreeSet::new();
    let mut begun = BTreeSet::new();
    for event in events {
        match event {
            Event::UnitStarted { unit, attempt, .. } => {
                assert!(begun.insert((unit, *attempt)), "{unit}, attempt {attempt}, was started twice");
                open.insert((unit, *attempt));
            }
            Event::UnitEnded { unit, attempt, reused: false, .. } => {
                assert!(open.remove(&(unit, *attempt)), "{unit}, attempt {attempt}, ended without a beginning");
            }
            _ => {}
        }
    }
    assert!(open.is_empty(), "begun and never ended: {open:?}");
}

/// Every build is what it must be, whatever became of others.
fn check_builds(house: &House, result: &TreeResult) {
    let configs = house.case.configs.len();
    assert_eq!(result.builds.len(), house.case.sources.len() * configs);
    for (place, made) in result.builds.iter().enumerate() {
        let (index, which) = (place / configs, place % configs);
        assert_eq!((made.record.revision.index(), made.record.kconfig.as_str()), (index, &*format!("k{which}")));
        let outcome = match made.record.outcome {
            BuildOutcome::Built => 0,
            BuildOutcome::Failed { .. } => 1,
            BuildOutcome::SelftestsFailed { .. } => 2,
            BuildOutcome::Infra { .. } => 3,
            BuildOutcome::NotRun { .. } => 4,
        };
        assert_eq!(outcome, house.fate(index, which).outcome, "{}", made.unit);
    }
}

/// A kconfig is booted on every machine if and only if its own base and tip are there and differ.
fn check_boots(house: &House, result: &TreeResult) {
    let configs = house.case.configs.len();
    let tip = house.case.sources.len() - 1;
    let booted = house.placements.places.iter();
    assert_eq!(result.examined.len(), booted.len());
    for (place, examined) in booted.zip(&result.examined) {
        let which = house.kconfigs.iter().position(|kconfig| kconfig.name == place.kconfig.name).unwrap();
        let of = |index: usize| &result.builds[index * configs + which].record;
        let (base, patched) = (of(0), of(tip));
        let worth = bootable(base) && bootable(patched) && !same_artefacts(base, patched);
        let name = &place.label;
        assert_eq!(examined.not_booted.is_none(), worth, "{name}: {:?}", examined.not_booted);
        let both = !examined.base.is_empty() && !examined.patched.is_empty();
        assert!(both || !worth, "{name} was not booted");
        assert!(bootable(base) || examined.boots().count() == 0, "{name}: no base, but boots");
    }
    for (examined, measured) in result.examined.iter().zip(&result.measured) {
        let of = |index: usize| {
            let mut builds = result.builds.iter().map(|made| &made.record);
            builds.find(|build| build.kconfig == measured.kconfig && build.revision.index() == index).unwrap()
        };
        let (base, patched) = (of(0), of(tip));
        let differ = bootable(base) && bootable(patched) && base.artefacts.image != patched.artefacts.image;
        let worth = differ && examined.crash().is_none();
        let name = &measured.kconfig;
        let answered = |boots: &Examined| boots.boots().all(|boot| !matches!(boot.record.end, BootEnd::Infra { .. }));
        // Boots that all ended in trouble have no metrics to compare.
        assert!(worth || measured.not_booted.is_some(), "{name} was measured for nothing");
        let why = &measured.not_booted;
        assert!(!worth || !measured.patched.is_empty(), "{name} was not measured: {why:?}");
        assert!(!worth || !answered(measured) || !measured.metrics.is_empty(), "{name}: {why:?}");
    }
}

/// The first boot waits for nothing but a base and a build that differs from it.
fn check_first_boot(house: &House, result: &TreeResult, seen: &Seen) {
    let configs = house.case.configs.len();
    let column = |which: usize| result.builds.iter().skip(which).step_by(configs).map(|made| &made.record);
    let ready = (0..configs).filter(|which| house.case.configs[*which].boots).filter_map(|which| {
        let base = column(which).next().filter(|base| bootable(base))?;
        let other = column(which).filter(|build| bootable(build) && !same_artefacts(base, build));
        let first = other.map(|build| seen.built_at[&build.key]).min()?;
        Some(first.max(seen.built_at[&base.key]))
    });
    if let Some(ready) = ready.min() {
        let waited = seen.first_boot.map(|first| first - ready);
        assert!(waited.is_some_and(|waited| waited <= MOMENT), "the first boot waited {waited:?}");
    }
}

fn virtual_time(work: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(work);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn every_unit_that_can_be_done_is_done_once_in_order_and_within_the_limits(case in case()) {
        virtual_time(async move {
            let house = House::new(case.clone());
            if let Some(turns) = case.stop {
                let begun = Instant::now();
                let (_, events) = house.run(Some(turns)).await;
                check_units(&events);
                let took = begun.elapsed();
                assert!(took <= TURN * turns + MOMENT, "stopped in turn {turns}, it went on for {took:?}");
            }
            // What was stopped goes on: `seen` knows what was there before.
            let before = {
                let seen = house.seen.lock().unwrap();
                (seen.work, seen.build_work)
            };
            let begun = Instant::now();
            let (result, events) = house.run(None).await;
            let took = begun.elapsed();
            check_units(&events);
            check_builds(&house, &result);
            check_boots(&house, &result);
            let seen = house.seen.lock().unwrap();
            assert_eq!(seen.wrong, [""; 0]);
            assert!(seen.building.is_empty() && seen.booting.is_empty());
            // Something is always at work, and no build ever waits for a boot.
            let (work, build_work) = (seen.work - before.0, seen.build_work - before.1);
            assert!(took <= work + MOMENT, "{took:?} for {work:?} of work");
            if let Some(last) = seen.built_at.values().copied().max().filter(|last| *last >= begun) {
                let built = last - begun;
                assert!(built <= build_work + MOMENT, "{built:?} for {build_work:?} of builds");
            }
            // All of it once more: nothing but trouble is tried again.
            if case.stop.is_none() {
                check_first_boot(&house, &result, &seen);
            }
            let before = seen.attempts.clone();
            drop(seen);
            house.run(None).await;
            let seen = house.seen.lock().unwrap();
            assert_eq!(seen.wrong, [""; 0]);
            let builds = result.builds.iter().map(|made| matches!(made.record.outcome, BuildOutcome::Infra { .. }));
            let trouble = builds.chain(case.kernels.iter().map(|kernel| kernel.trouble > 0)).any(|trouble| trouble);
            assert!(trouble || seen.attempts == before, "{:?} after {before:?}", seen.attempts);
        });
    }
}
