//! Slurm simulated on virtual time: many units, and everything that can go wrong with them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use futures::future::{BoxFuture, join_all};
use proptest::prelude::*;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::job::FORMAT;
use super::unit::{JOB, RESULT};
use super::{Answer, BuildJob, Caller, Demand, Done, Job, Shape, Slurm, SlurmFile, Start, Stopped, UnitResult, Work};
use crate::build::BuildOptions;
use crate::words::testing::{build_record, kconfig};
use crate::words::{BuildOutcome, BuildRecord, Event, Kind, Revision, RevisionCommit, Tree};

/// Faults, each as one in so many; 0 for never.
#[derive(Debug, Clone, Copy, Default)]
struct Faults {
    /// A job is accepted and forgotten.
    lost: usize,
    /// A submission times out and was accepted.
    unclear: usize,
    /// A submission finds no controller and was not accepted.
    down: usize,
    /// The queue cannot be seen.
    blind: usize,
    /// A job is started once more although its first attempt runs on.
    requeued: usize,
}

struct Task {
    id: usize,
    name: String,
    folder: Utf8PathBuf,
    /// When it ends, once it runs.
    end: Option<Instant>,
    requeued: bool,
}

struct State {
    faults: Faults,
    places: usize,
    calls: usize,
    next: usize,
    looks: usize,
    tasks: Vec<Task>,
    /// Work done so far, in seconds of places.
    busy: f64,
    most_queued: usize,
    twice: Vec<String>,
    ended: BTreeMap<String, usize>,
    clock: Instant,
}

/// A cluster.
#[derive(Clone)]
struct Cluster(Arc<Mutex<State>>);

impl Cluster {
    fn new(places: usize, faults: Faults) -> Cluster {
        Cluster(Arc::new(Mutex::new(State {
            faults,
            places,
            calls: 0,
            next: 1,
            looks: 0,
            tasks: Vec::new(),
            busy: 0.0,
            most_queued: 0,
            twice: Vec::new(),
            ended: BTreeMap::new(),
            clock: Instant::now(),
        })))
    }
}

/// Seconds that a job takes.
fn seconds(id: usize) -> u64 {
    60 + (id as u64).wrapping_mul(2_654_435_761) % 240
}

impl State {
    /// Ends and starts jobs up to now, in the order in which that happens.
    fn advance(&mut self) {
        let now = Instant::now();
        loop {
            let running = self.tasks.iter().filter(|task| task.end.is_some()).count();
            let clock = self.clock;
            for task in self.tasks.iter_mut().filter(|task| task.end.is_none()).take(self.places - running) {
                task.end = Some(clock + Duration::from_secs(seconds(task.id)));
            }
            let first = self.tasks.iter().enumerate().filter_map(|(at, task)| Some((task.end?, at))).min();
            let Some((end, at)) = first.filter(|(end, _)| *end <= now) else { break };
            self.clock = end;
            let task = self.tasks.remove(at);
            self.busy += seconds(task.id) as f64;
            finish(&task);
            *self.ended.entry(task.name.clone()).or_default() += 1;
            if task.requeued {
                self.tasks.push(Task { requeued: false, end: None, ..task });
            }
        }
        self.clock = now;
    }

    fn one_in(&mut self, often: usize) -> bool {
        self.calls += 1;
        often > 0 && (self.calls.wrapping_mul(2_654_435_761) >> 7).is_multiple_of(often)
    }

    fn accept(&mut self, name: &str, log: &str) -> usize {
        let id = self.next;
        self.next += 1;
        if self.tasks.iter().any(|task| task.name == name) {
            self.twice.push(name.to_owned());
        }
        let faults = self.faults;
        if !self.one_in(faults.lost) {
            let folder = Utf8Path::new(log).parent().unwrap().to_owned();
            let requeued = self.one_in(faults.requeued);
            self.tasks.push(Task { id, name: name.to_owned(), folder, end: None, requeued });
        }
        self.most_queued = self.most_queued.max(self.tasks.len());
        id
    }
}

/// Leaves the result of a job as `orchestrator unit` does: the first one stays.
fn finish(task: &Task) {
    let path = task.folder.join(RESULT);
    if path.exists() {
        return;
    }
    let job: Job = serde_json::from_slice(&std::fs::read(task.folder.join(JOB)).unwrap()).unwrap();
    let result = UnitResult {
        format: FORMAT,
        digest: job.digest(),
        id: format!("{}.0", task.id),
        node: "n1".into(),
        notes: Vec::new(),
        done: Done::Build(Box::new(build_record(0, 1))),
    };
    std::fs::write(path, serde_json::to_vec(&result).unwrap()).unwrap();
}

fn value<'a>(arguments: &'a [String], flag: &str) -> &'a str {
    arguments.iter().find_map(|argument| argument.strip_prefix(flag)).unwrap()
}

impl Caller for Cluster {
    fn call<'a>(&'a self, program: &'a str, arguments: Vec<String>, _input: String) -> BoxFuture<'a, Answer> {
        let mut state = self.0.lock().unwrap();
        state.advance();
        let faults = state.faults;
        let failed = |err: &str| Answer { code: Some(1), out: String::new(), err: err.to_owned() };
        let answer = match program {
            "sbatch" => {
                let (name, log) = (value(&arguments, "--job-name="), value(&arguments, "--output="));
                if state.one_in(faults.down) {
                    failed("sbatch: error: Unable to contact slurm controller (connect failure)")
                } else {
                    let id = state.accept(name, log);
                    match state.one_in(faults.unclear) {
                        true => Answer { code: None, out: String::new(), err: "no answer in time".into() },
                        false => Answer { code: Some(0), out: format!("{id}\n"), err: String::new() },
                    }
                }
            }
            "squeue" => {
                state.looks += 1;
                let line = |task: &Task| {
                    let word = if task.end.is_some() { "RUNNING|None" } else { "PENDING|Resources" };
                    format!("{}|{}|{word}\n", task.id, task.name)
                };
                match state.one_in(faults.blind) {
                    true => failed("slurm_load_jobs error: Unable to contact slurm controller"),
                    false => Answer { code: Some(0), out: state.tasks.iter().map(line).collect(), err: String::new() },
                }
            }
            "scancel" => {
                let name = value(&arguments, "--name=").to_owned();
                state.tasks.retain(|task| task.name != name);
                Answer { code: Some(0), out: String::new(), err: String::new() }
            }
            other => failed(&format!("{other} is not known here")),
        };
        state.advance();
        drop(state);
        Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(20)).await;
            answer
        })
    }
}

fn job(number: usize) -> Job {
    let work = BuildJob {
        key: format!("k{number}"),
        tree: Tree {
            name: "t".into(),
            repo: "trees/t.git".into(),
            commit: "a".repeat(40),
            kernel_version: "6.12".into(),
            source: String::new(),
            skipped_sources: Vec::new(),
        },
        revision: RevisionCommit {
            revision: Revision::Base,
            commit: "a".repeat(40),
            tree: "b".repeat(40),
            touched: Vec::new(),
        },
        kconfig: kconfig("hmm", Kind::Boot),
        suites: Vec::new(),
        jobs: 2,
        options: BuildOptions::default(),
        touched: Vec::new(),
        fresh: false,
    };
    Job::new(&format!("build/t/base/k{number}"), 1, Work::Build(Box::new(work)), Utf8Path::new("/cache"))
}

struct House {
    _guard: tempfile::TempDir,
    cache: Utf8PathBuf,
    notes: Arc<Mutex<BTreeSet<String>>>,
    cancel: CancellationToken,
}

impl House {
    fn new() -> House {
        let guard = tempfile::tempdir().unwrap();
        let cache = Utf8PathBuf::from_path_buf(guard.path().to_owned()).unwrap();
        House { _guard: guard, cache, notes: Arc::default(), cancel: CancellationToken::new() }
    }

    fn slurm(&self, cluster: &Cluster, jobs: usize) -> Slurm {
        let notes = self.notes.clone();
        Slurm::new(Start {
            setup: SlurmFile {
                conf: None,
                program: None,
                builds_at_once: 4,
                jobs,
                poll: 2,
                build: Shape::default(),
                boot: Shape::default(),
                r#box: Shape::default(),
            },
            caller: Arc::new(cluster.clone()),
            cache: self.cache.clone(),
            run: "r".into(),
            program: "/orchestrator".into(),
            events: Arc::new(move |event| {
                if let Event::Note { message } = event {
                    notes.lock().unwrap().insert(message);
                }
            }),
            cancel: self.cancel.clone(),
        })
    }
}

fn virtual_time(work: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(work);
}

/// Resident memory of this process in KiB.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

async fn all_done(slurm: &Slurm, units: usize) {
    let demand = Demand::default();
    let jobs: Vec<Job> = (0..units).map(job).collect();
    let done = join_all(jobs.iter().map(|job| slurm.run(job, &demand))).await;
    for (job, result) in jobs.iter().zip(done) {
        assert_eq!(result.unwrap().digest, job.digest());
    }
}

/// The numbers in docs/performance.md: `cargo test --lib a_thousand_units -- --nocapture`.
#[test]
fn a_thousand_units_keep_the_cluster_busy() {
    const UNITS: usize = 1000;
    const PLACES: usize = 40;
    virtual_time(async {
        let house = House::new();
        let cluster = Cluster::new(PLACES, Faults::default());
        let slurm = house.slurm(&cluster, 200);
        let (begun, real, memory) = (Instant::now(), std::time::Instant::now(), resident());
        all_done(&slurm, UNITS).await;
        let (took, real) = (begun.elapsed().as_secs_f64(), real.elapsed());
        let state = cluster.0.lock().unwrap();
        let ideal = state.busy / PLACES as f64;
        println!(
            "{UNITS} units on {PLACES} places: {took:.0} s of virtual time, {ideal:.0} s of work per place ({:.1} % busy), \
             {} looks at the queue, {:.2} ms of real time per unit, memory grew by {} KiB",
            100.0 * ideal / took,
            state.looks,
            real.as_secs_f64() * 1000.0 / UNITS as f64,
            resident().saturating_sub(memory),
        );
        assert_eq!(state.ended.len(), UNITS);
        assert!(state.ended.values().all(|times| *times == 1), "a unit was done twice");
        assert_eq!(state.twice, [""; 0], "a unit was in the queue twice at once");
        assert!(state.most_queued <= 200);
        // The last jobs to run cannot fill all places; apart from them no place is ever idle.
        assert!(took <= ideal + 300.0 + 30.0, "{took} s where {ideal} s would do");
        assert!(state.looks as f64 <= took / 2.0 + 2.0, "the queue is looked at at a bounded rate");
    });
}

#[test]
fn a_cancelled_run_leaves_nothing_in_the_queue() {
    virtual_time(async {
        let house = House::new();
        let cluster = Cluster::new(2, Faults::default());
        let slurm = house.slurm(&cluster, 10);
        let (one, two, demand) = (job(1), job(2), Demand::default());
        let stop = async {
            tokio::time::sleep(Duration::from_secs(10)).await;
            house.cancel.cancel();
        };
        let (one, two, ()) = tokio::join!(slurm.run(&one, &demand), slurm.run(&two, &demand), stop);
        assert_eq!((one, two), (Err(Stopped::Cancelled), Err(Stopped::Cancelled)));
        assert!(cluster.0.lock().unwrap().tasks.is_empty());
    });
}

#[test]
fn another_process_takes_over_what_is_in_the_queue() {
    virtual_time(async {
        let house = House::new();
        let cluster = Cluster::new(2, Faults::default());
        let (job, demand) = (job(1), Demand::default());
        let first = house.slurm(&cluster, 10);
        let killed = tokio::time::timeout(Duration::from_secs(10), first.run(&job, &demand)).await;
        assert!(killed.is_err(), "the first process is gone before the job ends");
        drop(first);
        let second = house.slurm(&cluster, 10);
        second.run(&job, &demand).await.unwrap();
        assert_eq!(cluster.0.lock().unwrap().next, 2, "it was submitted once");
    });
}

#[test]
fn trouble_of_before_a_resume_is_tried_again() {
    virtual_time(async {
        let house = House::new();
        let cluster = Cluster::new(2, Faults::default());
        let (job, demand) = (job(1), Demand::default());
        let first = house.slurm(&cluster, 10);
        first.run(&job, &demand).await.unwrap();
        let path = first.folder(&job).join(RESULT);
        drop(first);
        let mut result: UnitResult = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let outcome = BuildOutcome::Infra { reason: "disk full".into() };
        result.done = Done::Build(Box::new(BuildRecord { outcome, ..build_record(0, 1) }));
        std::fs::write(&path, serde_json::to_vec(&result).unwrap()).unwrap();
        let second = house.slurm(&cluster, 10);
        let again = second.run(&job, &demand).await.unwrap();
        assert!(!again.done.is_trouble());
        second.run(&job, &demand).await.unwrap();
        assert_eq!(cluster.0.lock().unwrap().next, 3, "a good result is taken as it is");
    });
}

#[test]
fn a_job_that_is_always_lost_is_given_up() {
    virtual_time(async {
        let house = House::new();
        let cluster = Cluster::new(2, Faults { lost: 1, ..Faults::default() });
        let slurm = house.slurm(&cluster, 10);
        let lost = slurm.run(&job(1), &Demand::default()).await;
        assert!(matches!(lost, Err(Stopped::Trouble(why)) if why.contains("lost the job 4 times")));
        assert!(house.notes.lock().unwrap().iter().any(|note| note.contains("vanished from Slurm")));
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn whatever_slurm_does_each_unit_ends_once(
        units in 1_usize..40,
        places in 1_usize..8,
        jobs in 1_usize..20,
        // Not so often that one job is lost four times.
        lost in prop::sample::select(vec![0_usize, 23, 41]),
        unclear in prop::sample::select(vec![0_usize, 2, 5]),
        down in prop::sample::select(vec![0_usize, 2, 5]),
        blind in prop::sample::select(vec![0_usize, 2, 3]),
        requeued in prop::sample::select(vec![0_usize, 3]),
    ) {
        let faults = Faults { lost, unclear, down, blind, requeued };
        virtual_time(async move {
            let house = House::new();
            let cluster = Cluster::new(places, faults);
            let slurm = house.slurm(&cluster, jobs);
            all_done(&slurm, units).await;
            let state = cluster.0.lock().unwrap();
            assert_eq!(state.twice, [""; 0], "a unit was in the queue twice at once");
            // A requeued job that nobody noticed yet may still be there beside those in work.
            let left_over = if requeued > 0 { units } else { 0 };
            assert!(state.most_queued <= jobs + left_over);
        });
    }
}
