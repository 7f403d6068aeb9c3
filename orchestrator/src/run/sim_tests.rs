//! The local engine's order of work on virtual time: the real stages, boards, examinations and measurements of a tree;
//! only make and QEMU are [`Simulated`].

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use proptest::prelude::*;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::board::{bootable, same_artefacts};
use super::context::Own;
use super::engine::{TreeResult, test_tree};
use super::examine::Examined;
use super::history::History;
use super::host_accel::Host;
use super::metric_past::MetricPast;
use super::placement::{Placement, Placements};
use super::plan::Plan;
use super::simulated::{BuildFate, Case, Seen, Simulated, TURN, case};
use super::testing::{machine, options, plans};
use super::trees::Prepared;
use super::{Context, RunFolder, Stop};
use crate::config::Home;
use crate::engine::Engine;
use crate::lab::AccelChoice;
use crate::words::testing::{kconfig, revision, series};
use crate::words::{
    Accel, BaseChoice, BootEnd, BuildOutcome, Clock, Event, Fragment, Kconfig, Kind, RevisionCommit, Tree, TreeBase,
};

/// What waiting for locks may take in all.
const MOMENT: Duration = Duration::from_secs(3600);
/// Longer than all units of a case one after the other.
const FOR_EVER: Duration = Duration::from_secs(600 * 100_000);

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
            let before = {
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
                if case.stop.is_none() {
                    check_first_boot(&house, &result, &seen);
                }
                seen.attempts.clone()
            };
            // All of it once more: nothing but trouble is tried again.
            house.run(None).await;
            let seen = house.seen.lock().unwrap();
            assert_eq!(seen.wrong, [""; 0]);
            let builds = result.builds.iter().map(|made| matches!(made.record.outcome, BuildOutcome::Infra { .. }));
            let trouble = builds.chain(case.kernels.iter().map(|kernel| kernel.trouble > 0)).any(|trouble| trouble);
            assert!(trouble || seen.attempts == before, "{:?} after {before:?}", seen.attempts);
        });
    }
}
