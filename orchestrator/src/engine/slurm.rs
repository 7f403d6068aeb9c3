//! Units as jobs of Slurm.
//!
//! The result file is the truth, the queue a hint: a job that is in neither is submitted again. Before a submission
//! the queue is looked at by name, so that what an orchestrator that died submitted is found again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use tokio::sync::{Notify, Semaphore, watch};
use tokio_util::sync::CancellationToken;

use super::job::FORMAT;
use super::slurm_words::squeue_arguments;
use super::unit::{JOB, RESULT};
use super::{Caller, Demand, Job, Row, SlurmFile, Submitted, UnitResult, sbatch_arguments, squeue_rows, submitted};
use crate::process::quote;
use crate::words::{Event, EventSink};

/// Looks at the queue in a row in which a job must be missing before it counts as lost.
const ABSENT: u32 = 2;
/// Times that a lost job is submitted again.
const RESUBMISSIONS: u32 = 3;

/// What an engine of Slurm's starts with.
pub struct Start {
    /// Its settings.
    pub setup: SlurmFile,
    /// Runs Slurm's programs.
    pub caller: Arc<dyn Caller>,
    /// The cache, seen by all nodes.
    pub cache: Utf8PathBuf,
    /// Id of the run.
    pub run: String,
    /// This program on the nodes.
    pub program: String,
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
}

/// Jobs of one run in Slurm.
pub struct Slurm {
    start: Arc<Start>,
    queue: watch::Receiver<Snapshot>,
    waiting: Arc<AtomicUsize>,
    wake: Arc<Notify>,
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
        let poller = tokio::spawn(poll(start.clone(), sender, waiting.clone(), wake.clone()));
        let places = Semaphore::new(start.setup.jobs.min(Semaphore::MAX_PERMITS));
        Slurm { start, queue, waiting, wake, places, poller }
    }

    /// The settings.
    pub fn setup(&self) -> &SlurmFile {
        &self.start.setup
    }

    /// Folder of a job: everything about it lies there.
    pub fn folder(&self, job: &Job) -> Utf8PathBuf {
        self.start.cache.join("jobs").join(&self.start.run).join(&job.digest()[..16])
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
        let folder = self.folder(job);
        let digest = job.digest();
        write_job(&folder, job).map_err(|error| Stopped::Trouble(format!("{folder}: {error}")))?;
        let name = match job.attempt {
            1 => format!("{}/{}", self.start.run, job.unit),
            attempt => format!("{}/{}#{attempt}", self.start.run, job.unit),
        };
        let _awake = Awake::new(&self.waiting, &self.wake);
        let follow = Follow { slurm: self, job, demand, folder: &folder, name: &name, digest: &digest };
        if follow.result()?.is_some_and(|result| result.done.is_trouble()) {
            // From before the run was resumed: this is the next try.
            let path = folder.join(RESULT);
            fs_err::remove_file(&path).map_err(|error| Stopped::Trouble(error.to_string()))?;
        }
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

    async fn scancel(&self, name: &str) {
        let arguments = vec!["--me".to_owned(), format!("--name={name}")];
        let answer = self.start.caller.call("scancel", arguments, String::new()).await;
        if answer.code != Some(0) {
            self.note(format!("{name} could not be cancelled in Slurm, it runs to its end: {}", answer.err.trim()));
        }
    }
}

/// One job from its submission to its result.
struct Follow<'a> {
    slurm: &'a Slurm,
    job: &'a Job,
    demand: &'a Demand,
    folder: &'a Utf8Path,
    name: &'a str,
    digest: &'a str,
}

impl Follow<'_> {
    async fn to_the_end(&self) -> Result<UnitResult, Stopped> {
        let cancel = &self.slurm.start.cancel;
        let mut queue = self.slurm.queue.clone();
        // The first look at the queue must have been since this process took the run.
        let mut after = 0;
        let (mut sent, mut absent, mut lost, mut complained, mut requeued) = (false, 0, 0, false, false);
        let mut state = String::new();
        loop {
            if let Some(result) = self.result()? {
                if requeued {
                    // An older attempt was first; the newer one works for nothing.
                    self.slurm.scancel(self.name).await;
                }
                return Ok(result);
            }
            let seen = tokio::select! {
                seen = next(&mut queue, after) => seen,
                () = cancel.cancelled() => {
                    self.slurm.scancel(self.name).await;
                    // What ended in the meantime is not thrown away.
                    return self.result()?.ok_or(Stopped::Cancelled);
                }
            };
            let Some(seen) = seen else { return Err(Stopped::Trouble("the queue is no longer looked at".to_owned())) };
            after = seen.serial;
            if let Some(row) = seen.rows.get(self.name) {
                (sent, absent) = (true, 0);
                requeued |= state == "RUNNING" && row.state == "PENDING";
                if state != row.state {
                    state.clone_from(&row.state);
                    self.say(row);
                }
                continue;
            }
            if let Some(result) = self.result()? {
                return Ok(result);
            }
            if sent {
                absent += 1;
                if absent < ABSENT {
                    continue;
                }
                lost += 1;
                let unit = &self.job.unit;
                if lost > RESUBMISSIONS {
                    let log = self.last_words();
                    return Err(Stopped::Trouble(format!("Slurm lost the job {lost} times without a result{log}")));
                }
                self.slurm.note(format!("the job of {unit} vanished from Slurm without a result; submitted again"));
            }
            match self.submit().await {
                Submitted::Job(id) => {
                    (sent, absent) = (true, 0);
                    self.progress(&format!("job {id} of Slurm"));
                }
                Submitted::Refused(why) => return Err(Stopped::Trouble(format!("Slurm refuses the job: {why}"))),
                Submitted::Unclear(why) => {
                    (sent, absent) = (false, 0);
                    if !complained {
                        complained = true;
                        let unit = &self.job.unit;
                        self.slurm.note(format!("submitting {unit} to Slurm gave no clear answer ({why}); trying on"));
                    }
                }
            }
            // A look that was under way while the job was submitted says nothing about it.
            after = queue.borrow().serial + 1;
        }
    }

    async fn submit(&self) -> Submitted {
        let start = &self.slurm.start;
        let words = [&start.program, "--cache", start.cache.as_str(), "unit", self.folder.as_str()].map(quote);
        let script = format!("#!/bin/sh\nexec {}\n", words.join(" "));
        let arguments = sbatch_arguments(self.name, &format!("{}/%j.log", self.folder), self.demand);
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
            self.slurm.note(format!("Slurm does not start job {} ({}): {}", row.id, self.job.unit, row.reason));
        }
    }

    fn progress(&self, message: &str) {
        let (unit, message) = (self.job.unit.clone(), message.to_owned());
        (self.slurm.start.events)(Event::UnitProgress { unit, done: 0, total: 0, message });
    }

    /// Last line of what the job printed, for messages.
    fn last_words(&self) -> String {
        let mut logs: Vec<Utf8PathBuf> = match self.folder.read_dir_utf8() {
            Ok(entries) => entries.flatten().map(|entry| entry.path().to_owned()).collect(),
            Err(_) => Vec::new(),
        };
        logs.retain(|path| path.extension() == Some("log"));
        logs.sort();
        let text = logs.last().and_then(|log| std::fs::read_to_string(log).ok()).unwrap_or_default();
        text.trim().lines().last().map(|line| format!(": {line}")).unwrap_or_default()
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
async fn poll(start: Arc<Start>, queue: watch::Sender<Snapshot>, waiting: Arc<AtomicUsize>, wake: Arc<Notify>) {
    let mut silent = false;
    loop {
        while waiting.load(Ordering::SeqCst) == 0 {
            wake.notified().await;
        }
        let answer = start.caller.call("squeue", squeue_arguments(), String::new()).await;
        match squeue_rows(&answer) {
            Ok(rows) => {
                silent = false;
                let mine = format!("{}/", start.run);
                let rows = rows.into_iter().filter(|row| row.name.starts_with(&mine));
                let rows: BTreeMap<String, Row> = rows.map(|row| (row.name.clone(), row)).collect();
                queue.send_modify(|seen| {
                    seen.serial += 1;
                    seen.rows = Arc::new(rows);
                });
            }
            Err(why) => {
                if !silent {
                    let message = format!("the queue of Slurm cannot be seen ({why}); waiting for it");
                    (start.events)(Event::Note { message });
                }
                silent = true;
            }
        }
        tokio::time::sleep(Duration::from_secs(start.setup.poll)).await;
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
