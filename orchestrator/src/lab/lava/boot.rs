//! One boot on a device of LAVA's, from request to record.

use std::time::Instant;

use orchestrator_protocol::{Frame, Message, Status};
use tokio::time::Instant as Clock;

use super::client::{Client, JobState};
use super::definition::{BUILT_IN, Parts, definition};
use super::ending::{Seen, Verdict, decide};
use super::job::{Pace, Patient, Stopped, get};
use super::log::{Entry, entry};
use super::publish::{Published, hash};
use super::remember::Memory;
use super::token;
use super::untangle::Untangle;
use crate::lab::agent::AGENT;
use crate::lab::boot::failed;
use crate::lab::ending::{Said, Stop};
use crate::lab::progress::Progress;
use crate::lab::qemu::INITRAMFS;
use crate::lab::recorder::{Bounded, LIMIT, Recorder};
use crate::lab::results::Receiver;
use crate::lab::supervisor::hear;
use crate::lab::watch::{Limits, Watch};
use crate::lab::{BootRequest, RawBoot, plan, record};
use crate::process::Stream;
use crate::words::{Accel, BootEnd, Event, Lava};

/// Boots a device and runs the suites on it.
///
/// This never fails: trouble of ours or of the lab's is a [`BootEnd::Infra`] that says what to do.
pub(in crate::lab) async fn boot_device(request: &BootRequest, lava: &Lava) -> RawBoot {
    boot_with(request, lava, &Pace::default()).await
}

pub(super) async fn boot_with(request: &BootRequest, lava: &Lava, pace: &Pace) -> RawBoot {
    let start = Instant::now();
    let mut boot = match try_boot(request, lava, pace).await {
        Ok(boot) => boot,
        Err(Stopped::Cancelled) => failed(request, Accel::Native, "interrupted".to_owned()),
        Err(Stopped::Trouble(reason)) => failed(request, Accel::Native, reason),
    };
    boot.confined = Err("a device of LAVA's ran it".to_owned());
    boot.wall_ms = start.elapsed().as_millis() as u64;
    if let Err(error) = record::write(request, &boot) {
        boot.end = BootEnd::Infra { reason: error };
    }
    boot
}

/// A job that is ready to be submitted.
struct Ready {
    published: Published,
    /// Its name in LAVA.
    title: String,
    definition: String,
    memory: Memory,
}

async fn try_boot(request: &BootRequest, lava: &Lava, pace: &Pace) -> Result<RawBoot, Stopped> {
    let token =
        token::read(&lava.token).map_err(|why| Stopped::Trouble(format!("no token for {}: {why}", lava.url)))?;
    let client = Client::new(&lava.url, &token).map_err(Stopped::Trouble)?;
    let ready = {
        let (request, lava) = (request.clone(), lava.clone());
        // Hundreds of megabytes are read and copied.
        let work = tokio::task::spawn_blocking(move || prepare(&request, &lava));
        work.await.map_err(|error| Stopped::Trouble(error.to_string()))?.map_err(Stopped::Trouble)?
    };
    let Ready { published, title, definition, memory } = ready;
    let mut patient = Patient { pace, cancel: &request.cancel, since: None };
    let (id, earlier) = get(&client, &memory, &lava.url, &title, &definition, &mut patient).await?;
    let address = format!("{}/scheduler/job/{id}", lava.url.trim_end_matches('/'));
    let what = if earlier { "goes on with" } else { "is" };
    (request.events)(Event::Note { message: format!("{}: {what} LAVA job {address}", request.unit) });
    let mut follow = Follow::new(request, pace).map_err(Stopped::Trouble)?;
    let outcome = follow.run(&client, id, &mut patient).await;
    // Whatever comes of it, the device is not ours any more, and nobody waits for this job.
    let stop = match outcome {
        Ok(stop) => stop,
        Err(Stopped::Cancelled) => Some(Stop::Cancelled),
        // Its result may still come: a run that is resumed asks for it.
        Err(trouble) => return Err(trouble),
    };
    if stop.is_some()
        && let Err(trouble) = client.cancel(id).await
    {
        let message = format!("{}: LAVA job {id} could not be canceled: {trouble}", request.unit);
        (request.events)(Event::Note { message });
    }
    memory.forget();
    drop(published);
    Ok(follow.boot(id, stop, &address))
}

/// Name of the job of a request, for tests.
#[cfg(test)]
pub(super) fn job_name(request: &BootRequest, lava: &Lava) -> Result<String, String> {
    let ready = prepare(request, lava)?;
    Ok(ready.title.split(' ').next().unwrap_or_default().to_owned())
}

/// Publishes the files and writes the definition of the job.
fn prepare(request: &BootRequest, lava: &Lava) -> Result<Ready, String> {
    let said = |error: std::io::Error| error.to_string();
    let guest = plan::guest(request).map_err(|problems| problems.join("; "))?;
    fs_err::create_dir_all(&request.dir).map_err(said)?;
    let plan = serde_json::to_vec_pretty(&guest.plan).map_err(|error| error.to_string())?;
    let contents: Result<Vec<_>, _> = guest.files.iter().map(|(file, _)| fs_err::read(file).map_err(said)).collect();
    let initramfs = request.dir.join(INITRAMFS);
    fs_err::write(&initramfs, guest.initramfs(AGENT, &plan, &contents?)).map_err(said)?;
    fs_err::write(request.dir.join("plan.json"), plan).map_err(said)?;
    let (kernel_hash, initrd_hash) = (hash(&request.kernel)?, hash(&initramfs)?);
    // The folder is that of one attempt of one unit's key: another attempt is another job.
    let own = [&kernel_hash, &initrd_hash, &guest.command_line, &lava.device_type, request.dir.as_str()];
    let name = format!("orchestrator-{}", &blake3::hash(own.join("\n").as_bytes()).to_hex()[..16]);
    let mut published = Published::new();
    let kernel_url = published.add(lava, &name, "kernel", &request.kernel, &kernel_hash)?;
    let initrd_url = published.add(lava, &name, "initrd", &initramfs, &initrd_hash)?;
    let title: String = format!("{name} {}", request.unit).chars().filter(|c| !c.is_control()).take(190).collect();
    let timeouts = &request.machine.timeouts;
    let factor = u64::from(request.spec.slowness.max(1) * request.deadline_factor.max(1));
    let parts = Parts {
        name: title.clone(),
        device_type: lava.device_type.clone(),
        kernel_url,
        initrd_url,
        command_line: guest.command_line,
        arch: request.machine.arch().to_owned(),
        memory_mib: request.spec.memory_mib,
        cpus: request.spec.cpus,
        boot_seconds: (timeouts.boot + timeouts.suite) * factor + 60,
    };
    let definition = definition(lava.template.as_deref().unwrap_or(BUILT_IN), &parts)?;
    fs_err::write(request.dir.join("job.yaml"), &definition).map_err(said)?;
    Ok(Ready { published, title, definition, memory: Memory::of(&request.cache, &name) })
}

/// Reading a job's log as it grows.
struct Follow<'a> {
    request: &'a BootRequest,
    pace: &'a Pace,
    progress: Progress<'a>,
    recorder: Recorder,
    results: Bounded,
    untangle: Untangle,
    receiver: Receiver,
    frames: Vec<Frame>,
    said: Said,
    watch: Option<Watch>,
    /// Lines of LAVA's log that were read.
    lines: usize,
    /// The first line that is none of LAVA's.
    strange: Option<String>,
    verdict: Verdict,
    errors: String,
    told: String,
}

impl<'a> Follow<'a> {
    fn new(request: &'a BootRequest, pace: &'a Pace) -> Result<Self, String> {
        Ok(Follow {
            request,
            pace,
            progress: Progress::new(request),
            recorder: Recorder::create(&request.dir, LIMIT)?,
            results: Bounded::create(request.dir.join("results.jsonl"), LIMIT)?,
            untangle: Untangle::default(),
            receiver: Receiver::default(),
            frames: Vec::new(),
            said: Said::default(),
            watch: None,
            lines: 0,
            strange: None,
            verdict: Verdict::default(),
            errors: String::new(),
            told: String::new(),
        })
    }

    /// Until the job is over (`None`) or there is a reason to end it.
    async fn run(&mut self, client: &Client, id: u64, patient: &mut Patient<'_>) -> Result<Option<Stop>, Stopped> {
        let mut done: Option<Clock> = None;
        loop {
            let Some(job) = patient.answer(client.job(id).await).await? else { continue };
            self.tell(&job);
            let over = job.state == "Finished";
            if matches!(job.state.as_str(), "Running" | "Canceling" | "Finished") {
                // One answer may not be all: when the job is over, an empty one says so.
                loop {
                    let Some(text) = patient.answer(client.log(id, self.lines).await).await? else { continue };
                    let before = self.lines;
                    if let Some(stop) = self.take(&text, over) {
                        return Ok(Some(stop));
                    }
                    if !over || self.lines == before {
                        break;
                    }
                }
            }
            if over {
                self.verdict.health = job.health;
                if self.verdict.message.is_empty() {
                    self.verdict.message = job.failure_comment.unwrap_or_else(|| self.errors.clone());
                }
                return Ok(None);
            }
            if self.said.done {
                if done.get_or_insert_with(Clock::now).elapsed() >= self.pace.finish {
                    return Ok(None);
                }
            } else if let Some(stop) = self.overdue() {
                return Ok(Some(stop));
            }
            if self.untangle.restarted() {
                // What the device does now is of no use.
                let _ = client.cancel(id).await;
                return Ok(None);
            }
            patient.pause().await?;
        }
    }

    /// Says how the job stands, once.
    fn tell(&mut self, job: &JobState) {
        let text = match (&job.actual_device, job.state.as_str()) {
            (Some(device), "Running") => format!("LAVA job {} runs on {device}", job.id),
            (_, "Submitted" | "Scheduling" | "Scheduled") => format!("LAVA job {} waits for a device", job.id),
            (_, state) => format!("LAVA job {} is {}", job.id, state.to_lowercase()),
        };
        if self.told != text && self.frames.is_empty() {
            self.progress.say(&text);
            self.told = text;
        }
    }

    /// Takes a piece of the log. Its last line may be half written while the job runs.
    fn take(&mut self, text: &str, over: bool) -> Option<Stop> {
        for line in text.split_inclusive('\n') {
            let whole = line.ends_with('\n');
            if !whole && !over {
                return None;
            }
            self.lines += 1;
            match entry(line.trim_end_matches(['\n', '\r'])) {
                Ok(Entry::Console(line)) => {
                    if let Some(stop) = self.console(&line) {
                        return Some(stop);
                    }
                }
                Ok(Entry::Verdict { result, kind, message }) => {
                    if result != "pass" {
                        self.verdict.kind = kind;
                        self.verdict.message = message;
                    }
                }
                Ok(Entry::Error(text)) => {
                    self.recorder.line(Stream::Err, &text);
                    self.errors = text;
                }
                Ok(Entry::Other) => {}
                Err(problem) => {
                    self.strange.get_or_insert(problem);
                }
            }
        }
        None
    }

    fn console(&mut self, line: &str) -> Option<Stop> {
        let got = self.untangle.line(line);
        if let Some(text) = got.console {
            self.recorder.line(Stream::Out, &text);
        }
        let now = Clock::now();
        if self.untangle.started() && self.watch.is_none() {
            let spec = &self.request.spec;
            let timeouts = &self.request.machine.timeouts;
            let limits = Limits::new(timeouts, Accel::Native, spec.slowness, self.request.deadline_factor);
            let mut watch = Watch::new(limits, now);
            watch.alive();
            self.watch = Some(watch);
            self.progress.say("starting the kernel");
        }
        if self.untangle.flooded {
            return Some(Stop::Flood("results.jsonl"));
        }
        match self.results.write(&got.frames) {
            Ok(true) => {}
            Ok(false) => return Some(Stop::Flood("results.jsonl")),
            Err(error) => return Some(Stop::Trouble(error)),
        }
        for frame in self.receiver.push(&got.frames) {
            if let Some(watch) = &mut self.watch {
                watch.frame(now, frame.message == Message::Done);
                if matches!(frame.message, Message::End { status: Status::Deadline, .. }) {
                    watch.stuck();
                }
            }
            hear(&mut self.said, &frame.message);
            self.progress.frame(&frame.message);
            self.frames.push(frame);
        }
        if let Some(watch) = &mut self.watch {
            watch.lockups(self.recorder.console.lockups);
            if self.recorder.console.panic.is_some() {
                watch.panicked(now);
            }
        }
        if let Some(problem) = &self.receiver.problem {
            return Some(Stop::Protocol(problem.clone()));
        }
        self.recorder.stop.clone()
    }

    /// What takes too long, beyond what the log may lag behind.
    fn overdue(&self) -> Option<Stop> {
        let (deadline, which) = self.watch.as_ref()?.next();
        (Clock::now() >= deadline + self.pace.lag).then_some(Stop::Deadline(which))
    }

    /// The boot as it is judged.
    fn boot(mut self, id: u64, stop: Option<Stop>, address: &str) -> RawBoot {
        self.receiver.finish();
        let missing = || self.untangle.gap().or_else(|| self.strange.clone().filter(|_| !self.said.done));
        let problem = self.receiver.problem.clone().or_else(missing);
        let seen = Seen {
            job: id,
            stop,
            verdict: self.verdict,
            started: self.untangle.started(),
            restarted: self.untangle.restarted(),
            console: self.recorder.console,
            said: self.said,
            problem,
        };
        let dir = &self.request.dir;
        RawBoot {
            end: decide(&seen),
            frames: self.frames,
            problems: seen.problem.into_iter().collect(),
            dir: dir.clone(),
            console: dir.join("console.log"),
            accel: Accel::Native,
            confined: Ok(()),
            wall_ms: 0,
            cpu_ms: 0,
            replay: format!("# {address}, submitted as {}", dir.join("job.yaml")),
        }
    }
}
