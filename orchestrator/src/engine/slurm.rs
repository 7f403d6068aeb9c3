//! Units as jobs of Slurm.
//!
//! The result file is the truth, the queue a hint: a job that is in neither is submitted again. Before a submission
//! the queue is looked at by name, so that what an orchestrator that died submitted is found again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use tokio::sync::{Notify, Semaphore, watch};
use tokio_util::sync::CancellationToken;

use super::job::FORMAT;
use super::slurm_words::squeue_arguments;
use super::unit::{JOB, RESULT};
use super::{
    Caller, Carrier, Demand, Job, Parcel, Row, SlurmFile, Submitted, UnitResult, sbatch_arguments, squeue_rows,
    submitted,
};
use crate::process::quote;
use crate::words::{Event, EventSink};

/// Looks at the queue in a row in which a job must be missing before it counts as lost.
const ABSENT: u32 = 2;
/// Times that a lost job is submitted again.
const RESUBMISSIONS: u32 = 3;
/// Transfers of one unit that may fail in a row.
const FAILURES: u32 = 5;

/// What an engine of Slurm's starts with.
pub struct Start {
    /// Its settings.
    pub setup: SlurmFile,
    /// Runs Slurm's programs.
    pub caller: Arc<dyn Caller>,
    /// Brings jobs to the nodes and results back.
    pub carrier: Arc<dyn Carrier>,
    /// The cache of this host.
    pub cache: Utf8PathBuf,
    /// Id of the run.
    pub run: String,
    /// Where notes and progress go.
    pub events: EventSink,
    /// Comes when the user wants to stop.
    pub cancel: CancellationToken,
}

/// Why a unit has no result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stopped {
    /// The user wants to stop; the job was cancelled.
    Cancelled,
    /// Trouble of ours or Slurm's.
    Trouble(String),
}

/// The queue as it was last seen.
#[derive(Debug, Clone, Default)]
struct Snapshot {
    /// Number of the look; 0 before the first.
    serial: u64,
    rows: Arc<BTreeMap<String, Row>>,
    /// Folders of jobs whose results wait to be fetched.
    arrived: Arc<BTreeSet<String>>,
}

/// Jobs whose results were taken while the queue still showed them, and looks since then that showed them at work. Such a
/// job is a newer attempt, which works for nothing.
type Taken = Arc<Mutex<BTreeMap<String, u32>>>;

fn locked(taken: &Taken) -> MutexGuard<'_, BTreeMap<String, u32>> {
    taken.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Jobs of one run in Slurm.
pub struct Slurm {
    start: Arc<Start>,
    queue: watch::Receiver<Snapshot>,
    waiting: Arc<AtomicUsize>,
    wake: Arc<Notify>,
    taken: Taken,
    places: Semaphore,
    poller: tokio::task::JoinHandle<()>,
}

impl Drop for Slurm {
    fn drop(&mut self) {
        self.poller.abort();
    }
}

impl Slurm {
    /// Takes up work; must be called within the async runtime.
    pub fn new(start: Start) -> Slurm {
        let start = Arc::new(start);
        let (sender, queue) = watch::channel(Snapshot::default());
        let (waiting, wake) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
        let taken = Taken::default();
        let poller = Poller { start: start.clone(), queue: sender, taken: taken.clone() };
        let poller = tokio::spawn(poller.poll(waiting.clone(), wake.clone()));
        let places = Semaphore::new(start.setup.jobs.min(Semaphore::MAX_PERMITS));
        Slurm { start, queue, waiting, wake, taken, places, poller }
    }

    /// The settings.
    pub fn setup(&self) -> &SlurmFile {
        &self.start.setup
    }

    /// Folder of a job below the cache: everything about it lies there.
    pub fn folder(&self, job: &Job) -> Utf8PathBuf {
        jobs(&self.start).join(&job.digest()[..16])
    }

    /// Has a job done and gives its result, paths as they are on this host.
    ///
    /// # Errors
    /// When it was cancelled, Slurm refuses it, or it got lost again and again.
    pub async fn run(&self, job: &Job, demand: &Demand) -> Result<UnitResult, Stopped> {
        let cancel = &self.start.cancel;
        let _place = tokio::select! {
            place = self.places.acquire() => place.map_err(|_| Stopped::Cancelled)?,
            () = cancel.cancelled() => return Err(Stopped::Cancelled),
        };
        // Only what has a place takes memory: thousands may wait for one.
        Box::pin(self.placed(job, demand)).await
    }

    async fn placed(&self, job: &Job, demand: &Demand) -> Result<UnitResult, Stopped> {
        let parcel = self.start.carrier.pack(job).await.map_err(Stopped::Trouble)?;
        let job = &parcel.job;
        let inside = self.folder(job);
        let folder = self.start.cache.join(&inside);
        let digest = job.digest();
        write_job(&folder, job).map_err(|error| Stopped::Trouble(format!("{folder}: {error}")))?;
        let name = match job.attempt {
            1 => format!("{}/{}", self.start.run, job.unit),
            attempt => format!("{}/{}#{attempt}", self.start.run, job.unit),
        };
        let _awake = Awake::new(&self.waiting, &self.wake);
        let follow = Follow {
            slurm: self,
            parcel: &parcel,
            demand,
            folder: &folder,
            inside: &inside,
            name: &name,
            digest: &digest,
        };
        let followed = follow.to_the_end().await;
        if let Ok(result) = &followed {
            for message in &result.notes {
                self.note(message.clone());
            }
        }
        followed
    }

    fn note(&self, message: String) {
        (self.start.events)(Event::Note { message });
    }

    /// Cancels what is still in the queue of a run that needs nothing more: newer attempts at what has a result, also
    /// those that an earlier process left. Unless `always`, nothing is done where no unit came here.
    pub async fn finish(&self, always: bool) {
        if !always && self.queue.borrow().serial == 0 {
            return;
        }
        let start = &self.start;
        let mut before = BTreeSet::new();
        for _ in 0..3 {
            let rows = match jobs_of(start).await {
                Ok(rows) => rows,
                Err(why) => return self.note(format!("what the run left in the queue of Slurm is not known ({why})")),
            };
            let at_work = |row: &&Row| ["RUNNING", "PENDING"].contains(&row.state.as_str());
            let at_work: BTreeSet<String> = rows.values().filter(at_work).map(|row| row.name.clone()).collect();
            if at_work.is_empty() {
                return;
            }
            // In the first look it may be an attempt that gave its result and is about to end.
            for name in at_work.intersection(&before) {
                scancel(start, name).await;
            }
            before = at_work;
            tokio::time::sleep(Duration::from_secs(start.setup.poll)).await;
        }
    }
}

/// Folder of the jobs of a run, below the cache.
fn jobs(start: &Start) -> Utf8PathBuf {
    Utf8Path::new("jobs").join(&start.run)
}

/// The jobs of the run in the queue, by name.
async fn jobs_of(start: &Start) -> Result<BTreeMap<String, Row>, String> {
    let rows = squeue_rows(&start.caller.call("squeue", squeue_arguments(), String::new()).await)?;
    let mine = format!("{}/", start.run);
    let rows = rows.into_iter().filter(|row| row.name.starts_with(&mine));
    Ok(rows.map(|row| (row.name.clone(), row)).collect())
}

async fn scancel(start: &Start, name: &str) {
    let arguments = vec!["--me".to_owned(), format!("--name={name}")];
    let answer = start.caller.call("scancel", arguments, String::new()).await;
    if answer.code != Some(0) {
        let message = format!("{name} could not be cancelled in Slurm, it runs to its end: {}", answer.err.trim());
        (start.events)(Event::Note { message });
    }
}

/// One job from its submission to its result.
struct Follow<'a> {
    slurm: &'a Slurm,
    parcel: &'a Parcel,
    demand: &'a Demand,
    /// Its folder on this host.
    folder: &'a Utf8Path,
    /// The same below the cache.
    inside: &'a Utf8Path,
    name: &'a str,
    digest: &'a str,
}

impl Follow<'_> {
    async fn to_the_end(&self) -> Result<UnitResult, Stopped> {
        let start = &self.slurm.start;
        let cancel = &start.cancel;
        let mut queue = self.slurm.queue.clone();
        // The first look at the queue must have been since this process took the run.
        let mut after = 0;
        let (mut sent, mut absent, mut lost, mut complained, mut ours) = (false, 0, 0, false, false);
        let mut failures = 0;
        let mut state = String::new();
        loop {
            if let Some(result) = self.result()? {
                if ours || !result.done.is_trouble() {
                    if ours {
                        locked(&self.slurm.taken).insert(self.name.to_owned(), 0);
                    }
                    return Ok(result);
                }
                // From before the run was resumed: this is the next try.
                self.forget().await.map_err(Stopped::Trouble)?;
                after = queue.borrow().serial + 1;
            }
            let seen = tokio::select! {
                seen = next(&mut queue, after) => seen,
                () = cancel.cancelled() => {
                    scancel(start, self.name).await;
                    // What ended in the meantime is not thrown away.
                    return self.result()?.ok_or(Stopped::Cancelled);
                }
            };
            let Some(seen) = seen else { return Err(Stopped::Trouble("the queue is no longer looked at".to_owned())) };
            after = seen.serial;
            if self.inside.file_name().is_some_and(|name| seen.arrived.contains(name)) {
                if let Err(why) = start.carrier.fetch(&self.parcel.job, self.inside).await {
                    self.failed("its result cannot be fetched", why, &mut failures)?;
                }
                continue;
            }
            if let Some(row) = seen.rows.get(self.name) {
                (sent, absent, ours) = (true, 0, true);
                if state != row.state {
                    state.clone_from(&row.state);
                    self.say(row);
                }
                continue;
            }
            if self.result()?.is_some() {
                continue;
            }
            if sent {
                absent += 1;
                if absent < ABSENT {
                    continue;
                }
                lost += 1;
                let unit = &self.parcel.job.unit;
                if lost > RESUBMISSIONS {
                    let words = start.carrier.last_words(self.inside).await;
                    let words = if words.is_empty() { words } else { format!(": {words}") };
                    return Err(Stopped::Trouble(format!("Slurm lost the job {lost} times without a result{words}")));
                }
                self.slurm.note(format!("the job of {unit} vanished from Slurm without a result; submitted again"));
            }
            if let Err(why) = start.carrier.send(self.parcel, self.inside).await {
                self.failed("it cannot be sent to the nodes", why, &mut failures)?;
                (sent, absent) = (false, 0);
                continue;
            }
            ours = true;
            match self.submit().await {
                Submitted::Job(id) => {
                    (sent, absent, failures) = (true, 0, 0);
                    self.progress(&format!("job {id} of Slurm"));
                }
                Submitted::Refused(why) => {
                    let asked = self.demand.shape.constraint.as_ref().filter(|_| why.contains("feature"));
                    let asked = asked.map(|words| format!(" (--constraint={words})")).unwrap_or_default();
                    return Err(Stopped::Trouble(format!("Slurm refuses the job: {why}{asked}")));
                }
                Submitted::Unclear(why) => {
                    (sent, absent) = (false, 0);
                    if !complained {
                        complained = true;
                        let unit = &self.parcel.job.unit;
                        self.slurm.note(format!("submitting {unit} to Slurm gave no clear answer ({why}); trying on"));
                    }
                }
            }
            // A look that was under way while the job was submitted says nothing about it.
            after = queue.borrow().serial + 1;
        }
    }

    /// A transfer that failed is tried again at the next look: a queue that can be seen and a transfer that fails again
    /// and again is trouble that does not pass.
    fn failed(&self, what: &str, why: String, failures: &mut u32) -> Result<(), Stopped> {
        if self.slurm.start.cancel.is_cancelled() {
            return Ok(());
        }
        *failures += 1;
        if *failures > FAILURES {
            return Err(Stopped::Trouble(format!("{what}: {why}")));
        }
        if *failures == 1 {
            let unit = &self.parcel.job.unit;
            self.slurm.note(format!("{unit}: {what} ({why}); trying again"));
        }
        Ok(())
    }

    /// Takes a result away, here and where the nodes are.
    async fn forget(&self) -> Result<(), String> {
        self.slurm.start.carrier.forget(self.inside).await?;
        fs_err::remove_file(self.folder.join(RESULT)).map_err(|error| error.to_string())
    }

    async fn submit(&self) -> Submitted {
        let start = &self.slurm.start;
        let cache = start.carrier.cache();
        let folder = cache.join(self.inside);
        let words = [&self.parcel.program, "--cache", cache.as_str(), "unit", folder.as_str()].map(quote);
        let script = format!("#!/bin/sh\nexec {}\n", words.join(" "));
        let arguments = sbatch_arguments(self.name, &format!("{folder}/%j.log"), self.demand);
        submitted(&start.caller.call("sbatch", arguments, script).await)
    }

    /// The result, when it is there.
    fn result(&self) -> Result<Option<UnitResult>, Stopped> {
        let path = self.folder.join(RESULT);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Stopped::Trouble(format!("{path}: {error}"))),
        };
        let result: UnitResult =
            serde_json::from_slice(&bytes).map_err(|error| Stopped::Trouble(format!("{path}: {error}")))?;
        if result.format != FORMAT || result.digest != self.digest {
            return Err(Stopped::Trouble(format!("{path} answers another job")));
        }
        Ok(Some(UnitResult { done: result.done.with_cache(&self.slurm.start.cache), ..result }))
    }

    fn say(&self, row: &Row) {
        let why = if row.reason == "None" { String::new() } else { format!(" ({})", row.reason) };
        self.progress(&format!("job {} of Slurm: {}{why}", row.id, row.state.to_lowercase()));
        if row.state == "PENDING" && ["held", "Dependency", "BadConstraints"].iter().any(|w| row.reason.contains(w)) {
            self.slurm.note(format!("Slurm does not start job {} ({}): {}", row.id, self.parcel.job.unit, row.reason));
        }
    }

    fn progress(&self, message: &str) {
        let (unit, message) = (self.parcel.job.unit.clone(), message.to_owned());
        (self.slurm.start.events)(Event::UnitProgress { unit, done: 0, total: 0, message });
    }
}

/// Counts a unit that waits, so that the queue is looked at.
struct Awake<'a>(&'a AtomicUsize);

impl<'a> Awake<'a> {
    fn new(waiting: &'a AtomicUsize, wake: &Notify) -> Awake<'a> {
        waiting.fetch_add(1, Ordering::SeqCst);
        wake.notify_one();
        Awake(waiting)
    }
}

impl Drop for Awake<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The first look at the queue after number `after`.
async fn next(queue: &mut watch::Receiver<Snapshot>, after: u64) -> Option<Snapshot> {
    queue.wait_for(|seen| seen.serial > after).await.ok().map(|seen| seen.clone())
}

/// Looks at the queue for all units together, at a bounded rate, and only while somebody waits.
struct Poller {
    start: Arc<Start>,
    queue: watch::Sender<Snapshot>,
    taken: Taken,
}

impl Poller {
    async fn poll(self, waiting: Arc<AtomicUsize>, wake: Arc<Notify>) {
        let mut silent = false;
        loop {
            while waiting.load(Ordering::SeqCst) == 0 {
                wake.notified().await;
            }
            match self.look().await {
                Ok((rows, arrived)) => {
                    silent = false;
                    self.look_after_taken(&rows).await;
                    self.queue.send_modify(|seen| {
                        seen.serial += 1;
                        (seen.rows, seen.arrived) = (Arc::new(rows), Arc::new(arrived));
                    });
                }
                Err(why) => {
                    if !silent {
                        let message = format!("the queue of Slurm cannot be seen ({why}); waiting for it");
                        (self.start.events)(Event::Note { message });
                    }
                    silent = true;
                }
            }
            tokio::time::sleep(Duration::from_secs(self.start.setup.poll)).await;
        }
    }

    /// The jobs of the run by name, and the results that wait. Results are looked for last: what left the queue without
    /// one had none.
    async fn look(&self) -> Result<(BTreeMap<String, Row>, BTreeSet<String>), String> {
        let start = &self.start;
        let rows = jobs_of(start).await?;
        Ok((rows, start.carrier.arrived(&jobs(start)).await?))
    }

    /// Cancels newer attempts at what has a result.
    async fn look_after_taken(&self, rows: &BTreeMap<String, Row>) {
        let mut late = Vec::new();
        locked(&self.taken).retain(|name, looks| match rows.get(name).map(|row| row.state.as_str()) {
            None => false,
            Some("RUNNING" | "PENDING") => {
                // In the first look it may be the attempt that gave the result, about to end.
                *looks += 1;
                let stays = *looks < 2;
                if !stays {
                    late.push(name.clone());
                }
                stays
            }
            Some(_) => true,
        });
        for name in late {
            scancel(&self.start, &name).await;
        }
    }
}

fn write_job(folder: &Utf8Path, job: &Job) -> std::io::Result<()> {
    let path = folder.join(JOB);
    if path.exists() {
        return Ok(());
    }
    fs_err::create_dir_all(folder)?;
    let partial = folder.join("job.json.partial");
    fs_err::write(&partial, serde_json::to_vec_pretty(job).map_err(std::io::Error::other)?)?;
    fs_err::rename(partial, path)
}
