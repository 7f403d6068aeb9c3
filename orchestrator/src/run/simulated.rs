//! Hands that only take the time that a unit takes, cases made by chance, and a watch on what is done at once and what
//! was done before.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use futures::future::BoxFuture;
use proptest::prelude::*;
use tokio::time::Instant;

use crate::build;
use crate::engine::{BootJob, BuildJob, Hands, Slot, Surroundings};
use crate::words::testing::{boot_record, build_record, test_record};
use crate::words::{
    Accel, Artefacts, BootEnd, BootRecord, BuildOutcome, BuildRecord, Crash, Kind, MetricSamples, Sample, Verdict,
};

/// What everything takes some times: long against the fractions of a second after which a lock is asked for again.
pub(super) const TURN: Duration = Duration::from_secs(600);

/// What a build of one source with one configuration comes to.
#[derive(Debug, Clone)]
pub(super) struct BuildFate {
    pub(super) outcome: u8,
    pub(super) turns: u32,
    pub(super) image: usize,
    pub(super) selftests: usize,
}

/// How a kernel behaves.
#[derive(Debug, Clone)]
pub(super) struct KernelFate {
    /// Test `a`: good, bad, or bad every other time.
    pub(super) test: u8,
    /// Test `b` panics.
    pub(super) crashes: bool,
    pub(super) turns: u32,
    /// So many attempts end in trouble of ours first.
    pub(super) trouble: u32,
}

#[derive(Debug, Clone)]
pub(super) struct Config {
    /// Two of the same content are the same build.
    pub(super) content: usize,
    pub(super) boots: bool,
}

#[derive(Debug, Clone)]
pub(super) struct Case {
    /// Source of each revision; two of the same source are the same build.
    pub(super) sources: Vec<usize>,
    pub(super) configs: Vec<Config>,
    pub(super) machines: usize,
    /// By content, then by source.
    pub(super) builds: Vec<Vec<BuildFate>>,
    /// By image.
    pub(super) kernels: Vec<KernelFate>,
    pub(super) guests: usize,
    pub(super) places: usize,
    pub(super) measures: bool,
    /// Turn in which the run is stopped, to be resumed.
    pub(super) stop: Option<u32>,
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
    pub(super) fn case()(
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
pub(super) struct Seen {
    pub(super) building: BTreeSet<String>,
    /// Image of each build that is there, by key.
    pub(super) built: BTreeMap<String, BuildFate>,
    pub(super) booting: BTreeMap<String, usize>,
    pub(super) booted: BTreeSet<String>,
    pub(super) attempts: BTreeMap<String, u32>,
    pub(super) runs_of_image: BTreeMap<usize, u32>,
    /// Time of all units one after the other, and of the builds alone.
    pub(super) work: Duration,
    pub(super) build_work: Duration,
    /// When each build was there, by key.
    pub(super) built_at: BTreeMap<String, Instant>,
    pub(super) first_boot: Option<Instant>,
    pub(super) wrong: Vec<String>,
}

impl Seen {
    fn expect(&mut self, right: bool, what: impl FnOnce() -> String) {
        if !right {
            self.wrong.push(what());
        }
    }
}

/// Takes the time that a unit takes, and watches what is done at once and what was done before.
pub(super) struct Simulated {
    pub(super) case: Case,
    pub(super) cache: Utf8PathBuf,
    pub(super) seen: Arc<Mutex<Seen>>,
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
