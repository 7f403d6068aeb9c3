//! Watching a guest while it runs: taking frames, keeping deadlines, stopping it.

use std::io::{ErrorKind, Read};
use std::sync::Mutex;
use std::time::Duration;

use camino::Utf8Path;
use orchestrator_protocol::{Frame, Message, Status};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::console::Console;
use super::ending::{Said, Stop};
use super::progress::Progress;
use super::recorder::{Bounded, Recorder};
use super::results::Receiver;
use super::sockets::{self, CONTROL};
use super::watch::Watch;

/// `TAINT_DIE` of the kernel: it oopsed.
const TAINT_DIE: u64 = 1 << 7;

/// How long a guest that hangs may take to show where, once it was told to.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// How long QEMU may take to greet whom connects to its control socket. It does so whatever its guest does.
const GREETING: Duration = Duration::from_secs(30);

/// How long QEMU may take to quit when asked.
const QUIT: Duration = Duration::from_secs(1);

/// Tokens between the supervisor and the process it watches.
#[derive(Debug, Clone, Default)]
pub(super) struct Tokens {
    /// Ends QEMU.
    pub stop: CancellationToken,
    /// QEMU ended.
    pub gone: CancellationToken,
}

/// What a supervisor gathered.
#[derive(Debug)]
pub(super) struct Gathered {
    /// Why it stopped the guest, if it did.
    pub stop: Option<Stop>,
    /// The kernel log up to the moment when it did.
    pub console: Option<Console>,
    /// All good frames.
    pub frames: Vec<Frame>,
    /// What broke the protocol.
    pub problem: Option<String>,
    /// What the frames said about the end.
    pub said: Said,
}

/// Watches one guest.
pub(super) struct Supervisor<'a> {
    recorder: &'a Mutex<Recorder>,
    news: &'a Notify,
    results: Bounded,
    watch: Watch,
    progress: Progress<'a>,
    receiver: Receiver,
    frames: Vec<Frame>,
    said: Said,
}

impl<'a> Supervisor<'a> {
    /// `news` is told when the recorder took a line.
    pub(super) fn new(
        recorder: &'a Mutex<Recorder>,
        news: &'a Notify,
        results: Bounded,
        watch: Watch,
        progress: Progress<'a>,
    ) -> Self {
        let (receiver, said) = (Receiver::default(), Said::default());
        Supervisor { recorder, news, results, watch, progress, receiver, frames: Vec::new(), said }
    }

    /// Watches until QEMU is gone.
    pub(super) async fn run(
        mut self,
        listener: UnixListener,
        dir: &Utf8Path,
        cancel: &CancellationToken,
        tokens: &Tokens,
    ) -> Gathered {
        let mut socket = None;
        let mut stop = self.watch_guest(&listener, &mut socket, cancel, tokens).await;
        let mut console = None;
        if let Some(stop) = &mut stop {
            let seen = self.console();
            let panic = seen.panic.clone();
            console = Some(seen);
            if let Some(mut control) = Control::connect(dir).await {
                if let Stop::Deadline(deadline) = stop
                    && panic.is_none()
                    && control.is_mute().await
                {
                    // Then nobody knows what the guest does.
                    *stop = Stop::Trouble(format!(
                        "QEMU itself hangs or was stopped: when deadline `{}` was over it did not answer for {} s",
                        deadline.name(),
                        GREETING.as_secs()
                    ));
                } else if let Stop::Deadline(deadline) = stop {
                    let text = format!("deadline `{}` is over; an NMI asks the kernel where it is", deadline.name());
                    self.recorder.lock().expect("no holder panics").note(&text);
                    show_where_it_hangs(&mut control, tokens).await;
                }
                ask_to_quit(&mut control, tokens).await;
            }
            tokens.stop.cancel();
        }
        tokens.gone.cancelled().await;
        self.take_rest(listener, socket);
        self.receiver.finish();
        Gathered { stop, console, frames: self.frames, problem: self.receiver.problem, said: self.said }
    }

    /// Until there is a reason to stop it, or it is gone (`None`).
    async fn watch_guest(
        &mut self,
        listener: &UnixListener,
        socket: &mut Option<UnixStream>,
        cancel: &CancellationToken,
        tokens: &Tokens,
    ) -> Option<Stop> {
        let mut connected = false;
        let mut buffer = vec![0; 64 * 1024];
        let mut told = None;
        loop {
            let (deadline, which) = self.watch.next();
            if told != Some(which) {
                let in_ms = deadline.saturating_duration_since(Instant::now()).as_millis();
                tracing::debug!(deadline = which.name(), in_ms, "guest deadline");
                told = Some(which);
            }
            tokio::select! {
                biased;
                () = cancel.cancelled() => return Some(Stop::Cancelled),
                () = tokens.gone.cancelled() => return None,
                accepted = listener.accept(), if !connected => match accepted {
                    Ok((stream, _)) => {
                        connected = true;
                        *socket = Some(stream);
                    }
                    Err(error) => return Some(Stop::Trouble(format!("the results socket: {error}"))),
                },
                count = read(socket, &mut buffer), if socket.is_some() => match count {
                    0 => *socket = None,
                    count => self.take(&buffer[..count]).err().map_or((), |stop| self.note(stop)),
                },
                () = self.news.notified() => {}
                () = tokio::time::sleep_until(deadline) => return Some(Stop::Deadline(which)),
            }
            if let Some(stop) = self.look() {
                return Some(stop);
            }
        }
    }

    /// What the recorder has seen since.
    fn look(&mut self) -> Option<Stop> {
        let recorder = self.recorder.lock().expect("no holder panics");
        if recorder.console.alive {
            self.watch.alive();
        }
        self.watch.lockups(recorder.console.lockups);
        if recorder.console.panic.is_some() {
            self.watch.panicked(Instant::now());
        }
        recorder.stop.clone()
    }

    fn console(&self) -> Console {
        self.recorder.lock().expect("no holder panics").console.clone()
    }

    fn note(&self, stop: Stop) {
        self.recorder.lock().expect("no holder panics").stop.get_or_insert(stop);
    }

    /// Takes bytes of the results channel.
    fn take(&mut self, bytes: &[u8]) -> Result<(), Stop> {
        match self.results.write(bytes) {
            Ok(true) => {}
            Ok(false) => return Err(Stop::Flood("results.jsonl")),
            Err(error) => return Err(Stop::Trouble(error)),
        }
        for frame in self.receiver.push(bytes) {
            self.watch.frame(Instant::now(), frame.message == Message::Done);
            if matches!(frame.message, Message::End { status: Status::Deadline, .. }) {
                self.watch.stuck();
            }
            hear(&mut self.said, &frame.message);
            self.progress.frame(&frame.message);
            self.frames.push(frame);
        }
        self.receiver.problem.clone().map_or(Ok(()), |problem| Err(Stop::Protocol(problem)))
    }

    /// QEMU is gone: whatever it sent lies in the socket, perhaps not even accepted yet.
    fn take_rest(&mut self, listener: UnixListener, socket: Option<UnixStream>) {
        let stream = match socket {
            Some(stream) => stream.into_std().ok(),
            None if self.frames.is_empty() => sockets::accept_now(listener),
            None => None,
        };
        let Some(mut stream) = stream else { return };
        let mut buffer = vec![0; 64 * 1024];
        loop {
            match stream.read(&mut buffer) {
                Ok(0) => return,
                Ok(count) => {
                    if let Err(stop) = self.take(&buffer[..count]) {
                        return self.note(stop);
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    }
}

/// Keeps what decides how the boot ended.
pub(super) fn hear(said: &mut Said, message: &Message) {
    match message {
        Message::Hello { .. } => said.hello = true,
        Message::Setup { what, error: Some(error), fatal: true } => said.fatal = Some(format!("{what}: {error}")),
        Message::End { status, tainted, .. } => {
            said.deadline = *status == Status::Deadline;
            said.died |= tainted & TAINT_DIE != 0;
        }
        Message::Done => said.done = true,
        Message::Setup { .. }
        | Message::Listed { .. }
        | Message::Begin { .. }
        | Message::Output { .. }
        | Message::Beat
        | Message::Result { .. }
        | Message::Unloaded { .. } => {}
    }
}

/// Bytes read; 0 at the end or on an error, which for a socket means that QEMU is gone.
async fn read(socket: &mut Option<UnixStream>, buffer: &mut [u8]) -> usize {
    match socket {
        Some(stream) => stream.read(buffer).await.unwrap_or(0),
        None => std::future::pending().await,
    }
}

/// Makes a hanging kernel panic, so that its log shows where it hangs. A kernel that panics ends QEMU.
async fn show_where_it_hangs(control: &mut Control, tokens: &Tokens) {
    control.execute("inject-nmi").await;
    tokio::select! {
        () = tokens.gone.cancelled() => {}
        () = tokio::time::sleep(LAST_WORDS) => {}
    }
}

/// Lets QEMU end by itself, as that is how its CPU time becomes known. The caller stops what does not listen.
async fn ask_to_quit(control: &mut Control, tokens: &Tokens) {
    control.execute("quit").await;
    tokio::select! {
        () = tokens.gone.cancelled() => {}
        () = tokio::time::sleep(QUIT) => {}
    }
}

/// QEMU's control socket. Its replies do not matter: what it did shows. That it speaks at all does.
struct Control(UnixStream);

impl Control {
    /// `None` when QEMU does not listen, or not any more.
    async fn connect(dir: &Utf8Path) -> Option<Self> {
        let mut control = Control(sockets::connect(dir, CONTROL).ok()?);
        control.execute("qmp_capabilities").await;
        Some(control)
    }

    /// Whether QEMU is there and says nothing: one that hangs or was stopped. One whose guest hangs greets.
    async fn is_mute(&mut self) -> bool {
        let mut byte = [0];
        tokio::time::timeout(GREETING, self.0.read(&mut byte)).await.is_err()
    }

    async fn execute(&mut self, command: &str) {
        let line = format!("{{\"execute\":\"{command}\"}}\n");
        let _ = self.0.write_all(line.as_bytes()).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_qemu_that_greets_is_told_from_one_that_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let dir = Utf8Path::from_path(dir.path()).unwrap();
        assert!(Control::connect(dir).await.is_none(), "nobody listens");
        let listener = sockets::listen(dir, CONTROL).unwrap();
        let mut control = Control::connect(dir).await.unwrap();
        assert!(control.is_mute().await, "it listens and says nothing");
        let (mut qemu, _) = listener.accept().await.unwrap();
        qemu.write_all(b"{\"QMP\": {}}\r\n").await.unwrap();
        assert!(!control.is_mute().await);
        drop(qemu);
    }

    #[tokio::test]
    async fn a_qemu_that_hangs_up_is_gone_and_not_mute() {
        let dir = tempfile::tempdir().unwrap();
        let dir = Utf8Path::from_path(dir.path()).unwrap();
        let listener = sockets::listen(dir, CONTROL).unwrap();
        let mut control = Control::connect(dir).await.unwrap();
        drop(listener);
        assert!(!control.is_mute().await);
    }
}
