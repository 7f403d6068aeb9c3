//! Running make: in the sandbox, into the log, with progress, until it ends or something outside of the kernel fails.

use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};

use super::BuildRequest;
use super::diagnostics::{Reader, Said};
use super::escapes;
use super::make::FIXED_ENV;
use super::trouble::trouble;
use crate::process::{Command, End, ProcessError, Sandbox, SandboxProbe, Stream};
use crate::words::Event;

/// After this many targets failed make is stopped: they have one cause, and the rest would only repeat it.
const FAILURE_LIMIT: usize = 100;

/// Longest that one call may take: no honest build of a kernel does, and a Makefile that waits for ever must end.
const DEADLINE: Duration = Duration::from_secs(12 * 3600);
/// The same for a program that only reads or configures.
const SHORT_DEADLINE: Duration = Duration::from_secs(3600);
/// Most bytes that one call may say. All warnings of an allmodconfig with `W=1` are a tenth of it.
const OUTPUT_LIMIT: u64 = 256 * 1024 * 1024;
/// Free bytes of the disk below which a call is stopped, so that nothing else on the host fails for want of them.
const DISK_FLOOR: u64 = 1 << 30;
/// How often the disk is looked at.
const DISK_PERIOD: Duration = Duration::from_secs(1);

/// Runs a program with both streams in one.
const PLAIN: &str = "exec \"$@\" 2>&1";

/// The same, and says at the end what CPU time that took: what runs inside of a sandbox with its own processes is not
/// accounted to us. When the sandbox goes, everything in it goes, so that the shell need not make way for the program.
const CONFINED: &str = "\"$@\" 2>&1; code=$?; printf 'CPU time: '; times; exit $code";
const CPU_LINE: &str = "CPU time: ";

/// What is said of a call that configures.
pub(super) const CONFIGURING: &str = "configuring";

/// One call of make, or of another program that speaks like a build.
#[derive(Debug, Clone, Default)]
pub(super) struct Job {
    /// Program; make when not given.
    pub program: Option<String>,
    /// Arguments.
    pub arguments: Vec<String>,
    /// Environment beyond the fixed one.
    pub env: Vec<(String, String)>,
    /// Folder of the source that bare file names in the output are relative to; empty for `O=`.
    pub base: String,
    /// Root that stands for the tree in the output, when it is not the source folder itself.
    pub root: Option<Utf8PathBuf>,
    /// Steps expected, 0 when unknown.
    pub total: u64,
    /// What is said while no step is known yet.
    pub about: &'static str,
}

/// A make that ended by itself.
#[derive(Debug)]
pub(super) struct Made {
    /// What it said.
    pub said: Said,
    /// Whether everything asked for was made.
    pub complete: bool,
    /// Last line that is not empty, for failures that no diagnostic explains.
    pub last_line: String,
}

/// What the calls of one build have in common and what they add up to.
pub(super) struct Session<'a> {
    request: &'a BuildRequest,
    out: Utf8PathBuf,
    log: Utf8PathBuf,
    /// Whether calls are confined; else why not.
    pub sandbox: Result<(), String>,
    /// CPU time of all calls.
    pub cpu: Duration,
    /// Whether a make was stopped because too much failed: what it left in the folder may be half-written.
    pub stopped: bool,
}

impl<'a> Session<'a> {
    /// Calls that write to `out` alone and are logged to `log`.
    pub fn new(request: &'a BuildRequest, out: &Utf8Path, log: &Utf8Path) -> Self {
        let sandbox = match Sandbox::probe() {
            SandboxProbe::Works => Ok(()),
            SandboxProbe::Missing(reason) => Err(reason.clone()),
        };
        Session { request, out: out.to_owned(), log: log.to_owned(), sandbox, cpu: Duration::ZERO, stopped: false }
    }

    /// A session of the same build that writes to another folder.
    pub fn beside(&self, out: &Utf8Path) -> Session<'a> {
        Session {
            request: self.request,
            out: out.to_owned(),
            log: self.log.clone(),
            sandbox: self.sandbox.clone(),
            cpu: Duration::ZERO,
            stopped: false,
        }
    }

    /// The call as a plain command, for people.
    pub fn command(&self, job: &Job) -> Command {
        let program = job.program.as_deref().unwrap_or("make");
        self.with_env(Command::new(program, &self.out), job).args(job.arguments.iter().cloned())
    }

    fn with_env(&self, command: Command, job: &Job) -> Command {
        let fixed = FIXED_ENV.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        fixed.chain(job.env.iter().cloned()).fold(command, |command, (name, value)| command.env(name, value))
    }

    /// Runs make.
    ///
    /// # Errors
    /// When it says nothing about the kernel: one line for the build's record.
    pub async fn make(&mut self, job: &Job) -> Result<Made, String> {
        let replay = self.command(job).replay();
        append(&self.log, &format!("$ {replay}\n")).map_err(|error| error.to_string())?;
        // make writes steps and compilers' words to two streams; only in one do they stay in order.
        let program = job.program.as_deref().unwrap_or("make");
        let script = if self.sandbox.is_ok() { CONFINED } else { PLAIN };
        let shell = Command::new("sh", &self.out).args(["-c", script, "sh", program]);
        let mut command = self.with_env(shell, job).args(job.arguments.iter().cloned()).log(&self.log);
        if self.sandbox.is_ok() {
            command = command.sandbox(Sandbox {
                writable: vec![self.out.clone()],
                readable: vec![self.request.source.clone()],
                ..Sandbox::default()
            });
        }
        let deadline = if job.about == CONFIGURING { SHORT_DEADLINE } else { DEADLINE };
        command = command.deadline(deadline);
        self.progress(0, job.total, job.about);
        let root = job.root.as_ref().unwrap_or(&self.request.source);
        let mut reader = Reader::new(root, &self.out, &job.base);
        let mut bad_luck: Option<String> = None;
        let mut last_line = String::new();
        let stop = self.request.cancel.child_token();
        let mut cpu = Duration::ZERO;
        let mut ended = false;
        let mut said = 0u64;
        let mut flood = false;
        let on_line = |_: Stream, line: &str| {
            said += line.len() as u64 + 1;
            if said > OUTPUT_LIMIT && !flood {
                flood = true;
                stop.cancel();
            }
            if flood {
                return;
            }
            let spent = line.strip_prefix(CPU_LINE);
            if ended || spent.is_some() {
                ended = true;
                cpu += cpu_time(spent.unwrap_or(line));
                return;
            }
            if let Some(target) = reader.line(line) {
                let done = reader.so_far().steps;
                let total = if done > job.total { 0 } else { job.total };
                self.progress(done, total, &target);
            } else if bad_luck.is_none() {
                bad_luck = trouble(line);
            }
            if reader.so_far().failed_targets() > FAILURE_LIMIT {
                stop.cancel();
            }
            if !line.trim().is_empty() {
                line.trim().clone_into(&mut last_line);
            }
        };
        let disk = DiskWatch::start(&self.out, DISK_FLOOR, DISK_PERIOD, stop.clone());
        let ran = command.run(&stop, on_line).await;
        let full = disk.end().await;
        // No process of the build is left, and nothing of its folder was used yet.
        let escapes = escapes::sweep(&self.out, &self.request.source).map_err(|error| error.to_string())?;
        let exit = match ran {
            Ok(exit) => exit,
            Err(error @ ProcessError::NotFound { .. }) => return Err(format!("{error}: run `make deps`")),
            Err(error @ ProcessError::Io { .. }) => return Err(error.to_string()),
        };
        self.cpu += exit.cpu.max(cpu);
        self.stopped |= exit.end == End::Cancelled;
        if let Some(free) = full.filter(|_| exit.end == End::Cancelled && !self.request.cancel.is_cancelled()) {
            return Err(format!(
                "the disk is nearly full ({} MiB left): the build was stopped; free some space, or the series fills it",
                free >> 20
            ));
        }
        if flood && exit.end == End::Cancelled {
            last_line = format!("stopped: it said more than {} MiB", OUTPUT_LIMIT >> 20);
        }
        if let Some(first) = escapes.first() {
            self.stopped = true;
            let (count, rest) = (escapes.len(), "it would have led the orchestrator to read or write elsewhere");
            return Err(format!("the build left {first} ({count} in all); removed, {rest}"));
        }
        let made = |complete| Made { said: reader.finish(), complete, last_line };
        match (exit.end, bad_luck) {
            // Whatever make says: it also asks the compiler what it can do, and a killed one reads as "it cannot".
            (End::Code(_), _) if exit.out_of_memory > 0 => Err(format!(
                "memory ran out, and processes of make were killed ({}): build with fewer jobs",
                exit.out_of_memory,
            )),
            (End::Code(0), _) => Ok(made(true)),
            (End::Cancelled, _) if self.request.cancel.is_cancelled() => Err("interrupted".to_owned()),
            (End::Code(_), Some(reason)) => Err(reason),
            (End::Code(137), None) => Err("make was killed (signal 9), most likely for want of memory".to_owned()),
            (End::Code(_) | End::Cancelled, _) => Ok(made(false)),
            (End::Signal(signal), _) => Err(format!("make was killed (signal {signal})")),
            (End::Deadline, _) => Err(format!("make overran its deadline of {} hours", deadline.as_secs() / 3600)),
        }
    }

    /// Runs a small confined program that only reads, and gives its standard output.
    ///
    /// # Errors
    /// When it fails; one line.
    pub async fn output(&mut self, program: &str, arguments: &[String], stdin: Vec<u8>) -> Result<String, String> {
        let mut command = Command::new(program, &self.out).args(arguments.iter().cloned()).stdin(stdin);
        command = command.deadline(SHORT_DEADLINE);
        if self.sandbox.is_ok() {
            let readable = vec![self.request.source.clone(), self.out.clone()];
            command = command.sandbox(Sandbox { readable, ..Sandbox::default() });
        }
        command.output(&self.request.cancel).await.map_err(|error| error.to_string())
    }

    fn progress(&self, done: u64, total: u64, message: &str) {
        (self.request.events)(Event::UnitProgress {
            unit: self.request.unit.clone(),
            done,
            total,
            message: message.to_owned(),
        });
    }
}

/// Stops a call when it fills the disk.
struct DiskWatch {
    task: tokio::task::JoinHandle<u64>,
}

impl DiskWatch {
    /// Looks at the disk of `folder` every `period` and cancels `stop` when less than `floor` bytes are free.
    fn start(folder: &Utf8Path, floor: u64, period: Duration, stop: tokio_util::sync::CancellationToken) -> Self {
        let folder = folder.to_owned();
        DiskWatch {
            task: tokio::spawn(async move {
                let mut ticks = tokio::time::interval(period);
                loop {
                    ticks.tick().await;
                    // A folder that cannot be asked is the build's trouble, which it will name itself.
                    let free = nix::sys::statvfs::statvfs(folder.as_std_path())
                        .map_or(u64::MAX, |disk| disk.blocks_available() * disk.fragment_size());
                    if free < floor {
                        stop.cancel();
                        return free;
                    }
                }
            }),
        }
    }

    /// The free bytes that were too few, when they were.
    async fn end(self) -> Option<u64> {
        self.task.abort();
        self.task.await.ok()
    }
}

/// The sum of `1m2.50s 0m3.25s`: one of the two lines that the shell's `times` prints, for itself and its children.
fn cpu_time(text: &str) -> Duration {
    let one = |word: &str| {
        let (minutes, seconds) = word.strip_suffix('s')?.split_once('m')?;
        let seconds = 60.0 * minutes.parse::<f64>().ok()? + seconds.parse::<f64>().ok()?;
        Duration::try_from_secs_f64(seconds).ok()
    };
    text.split_whitespace().filter_map(one).sum()
}

/// Adds a line to the log.
pub(super) fn append(log: &Utf8Path, text: &str) -> std::io::Result<()> {
    use std::io::Write;
    fs_err::OpenOptions::new().create(true).append(true).open(log)?.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_disk_that_fills_stops_the_call_and_one_with_room_does_not() {
        let stop = tokio_util::sync::CancellationToken::new();
        let watch = DiskWatch::start("/".into(), u64::MAX, Duration::from_millis(1), stop.clone());
        stop.cancelled().await;
        assert!(watch.end().await.is_some());
        let stop = tokio_util::sync::CancellationToken::new();
        let watch = DiskWatch::start("/".into(), 0, Duration::from_millis(1), stop.clone());
        assert_eq!((watch.end().await, stop.is_cancelled()), (None, false));
    }

    #[test]
    fn cpu_times_of_the_shell_add_up() {
        assert_eq!(cpu_time("1m2.500s 0m3.250s"), Duration::from_millis(65_750));
        assert_eq!(cpu_time("nonsense -1ms 0m1s"), Duration::from_secs(1));
    }
}
