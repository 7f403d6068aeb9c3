//! The agent at work on a box: its frames come by ssh, and stop when ssh is lost or we stop listening.

use std::io::Write;
use std::sync::Mutex;
use std::time::Duration;

use orchestrator_protocol::{Frame, Message, Status};
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::session::Session;
use crate::lab::ending::{Said, Stop};
use crate::lab::progress::Progress;
use crate::lab::recorder::Bounded;
use crate::lab::results::Receiver;
use crate::lab::supervisor::hear;
use crate::lab::watch::{Limits, Watch};
use crate::process::Stream;

/// How often the agent hears from us; it ends its test after 45 s without a word.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// Where a longer line is cut by the reader of a process.
const CUT: usize = 64 * 1024;

/// What the agent said.
pub(super) struct Collector<'a> {
    results: Bounded,
    receiver: Receiver,
    progress: Progress<'a>,
    limits: Limits,
    watch: Watch,
    /// A line that is no frame: whole it is garbage, as the last one it was cut off.
    held: Option<String>,
    /// All good frames.
    pub frames: Vec<Frame>,
    /// What they said about the end.
    pub said: Said,
    /// Why to stop, when there is a reason.
    pub stop: Option<Stop>,
}

impl<'a> Collector<'a> {
    pub(super) fn new(results: Bounded, progress: Progress<'a>, limits: Limits) -> Self {
        Collector {
            results,
            receiver: Receiver::default(),
            progress,
            limits,
            watch: Watch::new(limits, Instant::now()),
            held: None,
            frames: Vec::new(),
            said: Said::default(),
            stop: None,
        }
    }

    /// The agent is started now.
    pub(super) fn begin(&mut self) {
        self.watch = Watch::new(self.limits, Instant::now());
    }

    /// What broke the protocol.
    pub(super) fn problem(&self) -> Option<String> {
        self.receiver.problem.clone()
    }

    fn line(&mut self, line: &str) {
        let mut text = self.held.take().unwrap_or_default();
        text.push_str(line);
        if line.len() == CUT || serde_json::from_str::<Frame>(&text).is_err() && !self.is_garbage(&text) {
            self.held = Some(text);
            return;
        }
        text.push('\n');
        self.bytes(text.as_bytes());
    }

    /// A second line behind one that is no frame proves that it was no piece of one.
    fn is_garbage(&self, text: &str) -> bool {
        text.len() > CUT * 64 || !text.starts_with('{')
    }

    fn bytes(&mut self, bytes: &[u8]) {
        match self.results.write(bytes) {
            Ok(true) => {}
            Ok(false) => return self.stop_with(Stop::Flood("results.jsonl")),
            Err(error) => return self.stop_with(Stop::Trouble(error)),
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
        if let Some(problem) = self.receiver.problem.clone() {
            self.stop_with(Stop::Protocol(problem));
        }
    }

    /// Takes what the agent kept on the box and ssh did not bring, up to the first line that is damaged: what a kernel
    /// that died was writing need not be whole. Gives how many frames that were.
    pub(super) fn kept(&mut self, text: &str) -> usize {
        self.held = None;
        let before = self.frames.len();
        for line in text.split_inclusive('\n') {
            let good = line.ends_with('\n')
                && serde_json::from_str::<Frame>(line).is_ok_and(|frame| frame.seq == self.frames.len() as u64);
            if !good || self.receiver.problem.is_some() {
                break;
            }
            self.bytes(line.as_bytes());
        }
        self.frames.len() - before
    }

    fn stop_with(&mut self, stop: Stop) {
        self.stop.get_or_insert(stop);
    }
}

/// Runs the agent until it ends, ssh is lost, or there is a reason to stop it. True when ssh itself ended.
pub(super) async fn run(session: &Session, script: &str, collector: &Mutex<Collector<'_>>) -> Result<bool, String> {
    let (input, mut output) = std::io::pipe().map_err(|error| format!("a pipe for ssh: {error}"))?;
    let command = session.shell.command(script).stdin_pipe(input);
    let (stop, news) = (CancellationToken::new(), Notify::new());
    let ssh = async {
        let exit = command.run(&stop, |stream, line| {
            match stream {
                Stream::Out => collector.lock().expect("no holder panics").line(line),
                Stream::Err => tracing::debug!(line, "the agent's ssh"),
            }
            news.notify_one();
        });
        exit.await
    };
    let heartbeat = async {
        let mut tick = tokio::time::interval(HEARTBEAT);
        loop {
            tick.tick().await;
            // An ssh that is gone is seen by its end.
            let _ = output.write_all(b"\n");
        }
    };
    let watch = async {
        loop {
            let deadline = look(session, collector);
            let Some((when, which)) = deadline else { return };
            tokio::select! {
                () = session.cancel.cancelled() => {
                    collector.lock().expect("no holder panics").stop_with(Stop::Cancelled);
                }
                () = news.notified() => {}
                () = session.tape.news.notified() => {}
                () = tokio::time::sleep_until(when) => {
                    collector.lock().expect("no holder panics").stop_with(Stop::Deadline(which));
                }
            }
        }
    };
    tokio::pin!(ssh);
    tokio::select! {
        exit = &mut ssh => {
            exit.map_err(|error| error.to_string())?;
            return Ok(true);
        }
        () = heartbeat => {}
        () = watch => {}
    }
    stop.cancel();
    ssh.await.map_err(|error| error.to_string())?;
    Ok(false)
}

/// The next deadline; `None` when there is a reason to stop.
fn look(session: &Session, collector: &Mutex<Collector<'_>>) -> Option<(Instant, crate::lab::watch::Deadline)> {
    let mut collector = collector.lock().expect("no holder panics");
    session.tape.look(|recorder| {
        if recorder.console.alive {
            collector.watch.alive();
        }
        collector.watch.lockups(recorder.console.lockups);
        if recorder.console.panic.is_some() {
            collector.watch.panicked(Instant::now());
        }
        if let Some(stop) = recorder.stop.clone() {
            collector.stop_with(stop);
        }
    });
    if collector.stop.is_some() { None } else { Some(collector.watch.next()) }
}

#[cfg(test)]
mod tests {
    use camino::Utf8Path;

    use super::*;
    use crate::lab::testing::{self, frames, hello};
    use crate::words::{Accel, Timeouts};

    fn with(take: impl FnOnce(&mut Collector<'_>)) -> (usize, Option<String>) {
        let dir = tempfile::tempdir().unwrap();
        let dir = Utf8Path::from_path(dir.path()).unwrap();
        let request = testing::request(dir);
        let results = Bounded::create(dir.join("results.jsonl"), 1 << 20).unwrap();
        let limits = Limits::new(&Timeouts::default(), Accel::Native, 1, 1);
        let mut collector = Collector::new(results, Progress::new(&request), limits);
        take(&mut collector);
        (collector.frames.len(), collector.problem())
    }

    fn lines() -> Vec<String> {
        let begin = |test: &str| Message::Begin { suite: "hmm".into(), test: test.into(), round: 1 };
        frames(&[hello(), begin("a"), Message::Beat, begin("b")]).lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_line_that_was_cut_off_is_no_problem_and_garbage_is() {
        let lines = lines();
        assert_eq!(with(|c| lines.iter().for_each(|line| c.line(line))), (4, None));
        let cut = with(|c| {
            c.line(&lines[0]);
            c.line(&lines[1][..20]);
        });
        assert_eq!(cut, (1, None));
        let (count, problem) = with(|c| {
            c.line(&lines[0]);
            c.line("Segmentation fault");
        });
        assert!(count == 1 && problem.unwrap().contains("garbage"));
    }

    #[test]
    fn what_the_box_kept_goes_on_where_ssh_ended() {
        let lines = lines();
        let kept = format!("{}\n{}\n{}\n{}", lines[1], lines[2], lines[3], "\0\0\0\0");
        let mut more = 0;
        let outcome = with(|c| {
            c.line(&lines[0]);
            c.line(&lines[1][..20]);
            more = c.kept(&kept);
        });
        assert_eq!((outcome, more), ((4, None), 3));
        // A file of another boot does not go on.
        let foreign = with(|c| {
            c.line(&lines[0]);
            more = c.kept(&format!("{}\n", lines[3]));
        });
        assert_eq!((foreign, more), ((1, None), 0));
    }
}
