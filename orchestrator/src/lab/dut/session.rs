//! A reserved box: power, console, ssh, and the state that evidence leads to.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::files::folder;
use super::health::{BoxState, Verdict, out_message};
use super::lock::BoxLock;
use super::power::PowerDriver;
use super::serial::Serial;
use super::ssh::Shell;
use super::state::{Answer, Evidence, Safe, State, prove_default};
use crate::lab::recorder::Recorder;
use crate::process::Stream;
use crate::words::{Dut, Machine, Timeouts};

/// Between two questions who runs.
pub(super) const PAUSE: Duration = Duration::from_secs(1);
/// How long a console may take to open.
const CONSOLE: Duration = Duration::from_secs(30);

/// Where the console's lines go beside the box's own log: into an attempt's, while there is one.
#[derive(Default)]
pub(super) struct Tape {
    recorder: Mutex<Option<Recorder>>,
    pub(super) news: Notify,
}

impl Tape {
    fn line(&self, line: &str) {
        if let Some(recorder) = self.recorder.lock().expect("no holder panics").as_mut() {
            recorder.line(Stream::Out, line);
        }
        self.news.notify_one();
    }

    /// From now on lines go to `recorder`; gives the one before.
    pub(super) fn put(&self, recorder: Option<Recorder>) -> Option<Recorder> {
        std::mem::replace(&mut *self.recorder.lock().expect("no holder panics"), recorder)
    }

    /// Looks at the recorder.
    pub(super) fn look<T>(&self, look: impl FnOnce(&mut Recorder) -> T) -> Option<T> {
        self.recorder.lock().expect("no holder panics").as_mut().map(look)
    }
}

/// A box that is ours.
pub struct Session {
    name: String,
    pub(super) dut: Dut,
    pub(super) timeouts: Timeouts,
    cache: Utf8PathBuf,
    pub(super) power: PowerDriver,
    pub(super) shell: Shell,
    pub(super) serial: Serial,
    pub(super) tape: Arc<Tape>,
    state: State,
    /// Boots that were seen: none of them is a fresh one.
    seen: Vec<String>,
    pub(super) cancel: CancellationToken,
    _lock: BoxLock,
}

impl Session {
    /// Takes over a reserved box and begins to record its console.
    ///
    /// # Errors
    /// When the disk refuses; one sentence.
    pub fn with(
        machine: &Machine,
        dut: &Dut,
        cache: &Utf8Path,
        lock: BoxLock,
        cancel: &CancellationToken,
    ) -> Result<Session, String> {
        let own = folder(cache, &machine.name)?;
        let tape = Arc::new(Tape::default());
        let to = tape.clone();
        let on_line = Arc::new(move |line: &str| to.line(line));
        Ok(Session {
            name: machine.name.clone(),
            dut: dut.clone(),
            timeouts: machine.timeouts,
            cache: cache.to_owned(),
            power: PowerDriver::new(&dut.power),
            shell: Shell::new(&dut.ssh, &own)?,
            serial: Serial::open(&dut.console, &dut.power, own.join("console.log"), on_line),
            tape,
            state: State::Unknown,
            seen: Vec::new(),
            cancel: cancel.clone(),
            _lock: lock,
        })
    }

    /// Refuses a box that was taken out.
    ///
    /// # Errors
    /// One sentence: why it was.
    pub fn in_service(&self) -> Result<(), String> {
        match BoxState::load(&self.cache, &self.name)?.out {
            None => Ok(()),
            Some(why) => Err(out_message(&self.name, &why)),
        }
    }

    /// Something was seen.
    pub(super) fn saw(&mut self, evidence: Evidence) {
        let next = self.state.after(evidence);
        tracing::debug!(machine = self.name, from = ?self.state, ?evidence, to = ?next, "state of a box");
        self.state = next;
    }

    /// Something was seen that leads on.
    ///
    /// # Errors
    /// When it does not follow from what is known: the box is poisoned then, and only a power cycle helps.
    pub(super) fn reach(&mut self, evidence: Evidence) -> Result<(), String> {
        let from = self.state.clone();
        self.saw(evidence);
        match self.state {
            State::Poisoned => Err(format!("{evidence:?} does not follow from {from:?}: only a power cycle helps")),
            State::Unknown | State::Cycled | State::Default | State::Loaded | State::Starting | State::Testing => {
                Ok(())
            }
        }
    }

    /// A boot is no fresh one any more.
    pub(super) fn remember(&mut self, boot_id: &str) {
        self.seen.push(boot_id.to_owned());
    }

    /// Cycles the power and waits for the default kernel: whatever the box did before is over.
    ///
    /// # Errors
    /// One sentence: the BMC does not do as told, the console does not open, or no default kernel comes up. It counts as
    /// a missed check.
    pub async fn fence(&mut self) -> Result<(), String> {
        self.fenced().await.map(drop)
    }

    pub(super) async fn fenced(&mut self) -> Result<Safe, String> {
        let result = self.try_fence().await;
        self.remember_health(result.as_ref().err(), true)?;
        result
    }

    async fn try_fence(&mut self) -> Result<Safe, String> {
        // What runs now must not be taken for what comes after; a box that is off or dead does not answer.
        if let Ok(before) = self.shell.who(&self.cancel).await {
            self.remember(&before.boot_id);
        }
        self.power.cycle(&self.cancel).await?;
        self.saw(Evidence::PowerCycled);
        self.serial.opened(CONSOLE).await?;
        self.default_kernel().await
    }

    /// Waits for the default kernel.
    ///
    /// # Errors
    /// One sentence: what answered instead.
    pub(super) async fn default_kernel(&mut self) -> Result<Safe, String> {
        let limit = Duration::from_secs(self.timeouts.power_on);
        let end = tokio::time::Instant::now() + limit;
        loop {
            let why = match self.shell.who(&self.cancel).await {
                Ok(answer) => match prove_default(&answer, &self.dut.boot.default_kernel.uname, &self.seen) {
                    Ok(safe) => {
                        self.reach(Evidence::DefaultProven)?;
                        self.remember(&safe.boot_id);
                        return Ok(safe);
                    }
                    Err(why) => why,
                },
                Err(why) => why,
            };
            if tokio::time::Instant::now() >= end {
                self.saw(Evidence::Failed);
                return Err(format!("the default kernel did not come up within {} s: {why}", limit.as_secs()));
            }
            self.pause().await?;
        }
    }

    pub(super) async fn pause(&self) -> Result<(), String> {
        tokio::select! {
            () = self.cancel.cancelled() => Err("interrupted".to_owned()),
            () = tokio::time::sleep(PAUSE) => Ok(()),
        }
    }

    /// A check of health: the default kernel answers. A miss may lead to a power cycle, and out.
    ///
    /// # Errors
    /// One sentence: what is wrong.
    pub async fn check(&mut self) -> Result<String, String> {
        let asked = self.shell.who(&self.cancel).await;
        let proof = asked.and_then(|answer: Answer| {
            prove_default(&answer, &self.dut.boot.default_kernel.uname, &[]).map(|_| answer.uname)
        });
        let verdict = self.remember_health(proof.as_ref().err(), false)?;
        match (proof, verdict) {
            (Ok(uname), _) => Ok(uname),
            (Err(error), Verdict::Cycle) => {
                self.fenced().await.map_err(|second| format!("{error}; after a power cycle: {second}"))?;
                Ok("its default kernel, after a power cycle".to_owned())
            }
            (Err(error), Verdict::Wait | Verdict::Out) => Err(error),
        }
    }

    /// Fences a box that was taken out and brings it back.
    ///
    /// # Errors
    /// One sentence: why there is no evidence that it is well.
    pub async fn bring_back(&mut self) -> Result<(), String> {
        self.fenced().await?;
        let mut state = BoxState::load(&self.cache, &self.name)?;
        state.back();
        state.save(&self.cache, &self.name)
    }

    fn remember_health(&self, trouble: Option<&String>, cycled: bool) -> Result<Verdict, String> {
        if self.cancel.is_cancelled() {
            return Ok(Verdict::Wait);
        }
        let mut state = BoxState::load(&self.cache, &self.name)?;
        let verdict = match trouble {
            None => {
                state.good();
                Verdict::Wait
            }
            Some(why) => state.miss(why, &self.dut.health, cycled),
        };
        state.save(&self.cache, &self.name)?;
        Ok(verdict)
    }

    /// Opens the console for a person.
    ///
    /// # Errors
    /// One sentence: why it does not open.
    pub async fn console(&mut self) -> Result<(), String> {
        self.serial.opened(CONSOLE).await
    }
}
