//! Building, running and stopping one process.

use std::collections::BTreeMap;
use std::io::PipeReader;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::AsyncWriteExt;
use tokio_util::sync::CancellationToken;

use super::gate::Gate;
use super::limits::{self, Cage};
use super::lines::{Stream, read_lines};
use super::{Sandbox, spawner, without_secrets};

/// A session keyring of its own (`linux/keyctl.h`).
const KEYCTL_JOIN_SESSION_KEYRING: nix::libc::c_long = 1;

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It exited with this code.
    Code(i32),
    /// A signal that we did not send ended it.
    Signal(i32),
    /// It overran its deadline and was stopped.
    Deadline,
    /// The run was interrupted and it was stopped.
    Cancelled,
}

/// The result of a process that was started.
#[derive(Debug, Clone)]
pub struct Exit {
    /// How it ended.
    pub end: End,
    /// Wall time.
    pub wall: Duration,
    /// CPU time of it and of all descendants that were waited for.
    pub cpu: Duration,
    /// Processes of its control group that the kernel killed for want of memory, whatever became of the whole; 0 where
    /// it had no control group.
    pub out_of_memory: u64,
}

impl Exit {
    /// True when it exited with code 0.
    pub fn success(&self) -> bool {
        self.end == End::Code(0)
    }
}

/// A process that could not be started or talked to.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// The program is not installed.
    #[error("{program} is not installed or not in PATH ({source})")]
    NotFound {
        /// Program name.
        program: String,
        /// The operating system's word.
        source: std::io::Error,
    },
    /// Any other trouble.
    #[error("running {program}: {source}")]
    Io {
        /// Program name.
        program: String,
        /// The operating system's word.
        source: std::io::Error,
    },
}

/// Where a process reads from.
#[derive(Debug, Clone)]
enum Input {
    /// Nothing.
    Empty,
    /// These bytes.
    Bytes(Vec<u8>),
    /// A pipe that somebody writes to. The first run takes it, so that the writer learns when that process is gone.
    Pipe(Arc<Mutex<Option<PipeReader>>>),
}

/// A process to run. Nothing of the caller's environment reaches it but `PATH`.
#[derive(Debug, Clone)]
pub struct Command {
    program: String,
    args: Vec<String>,
    cwd: Utf8PathBuf,
    env: BTreeMap<String, String>,
    stdin: Input,
    returns_end_lines: bool,
    deadline: Option<Duration>,
    grace: Duration,
    log: Option<Utf8PathBuf>,
    sandbox: Option<Sandbox>,
    death_signal: Signal,
}

impl Command {
    /// A process that runs `program` in folder `cwd`.
    pub fn new(program: impl Into<String>, cwd: impl Into<Utf8PathBuf>) -> Self {
        let path = std::env::var("PATH").unwrap_or_else(|_| "/usr/local/bin:/usr/bin:/bin".to_owned());
        let fixed = [("PATH", path.as_str()), ("LC_ALL", "C"), ("TZ", "UTC")];
        Command {
            program: program.into(),
            args: Vec::new(),
            cwd: cwd.into(),
            env: fixed.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            stdin: Input::Empty,
            returns_end_lines: false,
            deadline: None,
            grace: Duration::from_secs(5),
            log: None,
            sandbox: None,
            death_signal: Signal::SIGTERM,
        }
    }

    /// Adds an argument.
    pub fn arg(mut self, arg: impl Into<String>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds arguments.
    pub fn args<S: Into<String>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets an environment variable.
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.insert(name.into(), value.into());
        self
    }

    /// Lets a variable of the caller's environment through, where it is set.
    pub fn inherit(self, name: &str) -> Self {
        match std::env::var(name) {
            Ok(value) => self.env(name, value),
            Err(_) => self,
        }
    }

    /// Bytes for its standard input; without them it is empty.
    pub fn stdin(mut self, bytes: Vec<u8>) -> Self {
        self.stdin = Input::Bytes(bytes);
        self
    }

    /// A pipe for its standard input, for more than fits in memory. It serves one run.
    pub fn stdin_pipe(mut self, reader: PipeReader) -> Self {
        self.stdin = Input::Pipe(Arc::new(Mutex::new(Some(reader))));
        self
    }

    /// Takes a carriage return for the end of a line too: programs that draw a progress meter use it.
    pub fn returns_end_lines(mut self) -> Self {
        self.returns_end_lines = true;
        self
    }

    /// Stops it after this long.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Appends both streams to a file as they come.
    pub fn log(mut self, file: impl Into<Utf8PathBuf>) -> Self {
        self.log = Some(file.into());
        self
    }

    /// Confines it.
    pub fn sandbox(mut self, sandbox: Sandbox) -> Self {
        self.sandbox = Some(sandbox);
        self
    }

    /// The signal it gets when the orchestrator dies without a chance to stop it (default TERM, which lets make
    /// remove half-written targets; a sandboxed process is always killed with all its children).
    pub fn death_signal(mut self, signal: Signal) -> Self {
        self.death_signal = signal;
        self
    }

    fn argv(&self, gate: Option<&Gate>) -> Vec<String> {
        let inner = std::iter::once(self.program.clone()).chain(self.args.iter().cloned());
        let gate = gate.into_iter().flat_map(Gate::words);
        match &self.sandbox {
            None => inner.collect(),
            Some(sandbox) => {
                let outer = std::iter::once("bwrap".to_owned()).chain(sandbox.arguments(&self.cwd));
                outer.chain(gate).chain(inner).collect()
            }
        }
    }

    /// A shell command that repeats it, without the sandbox.
    pub fn replay(&self) -> String {
        let env = self
            .env
            .iter()
            .filter(|(name, _)| name.as_str() != "PATH")
            .map(|(name, value)| format!("{name}={}", quote(value)));
        let words = std::iter::once(&self.program).chain(&self.args).map(|word| quote(word));
        let line: Vec<String> = env.chain(words).collect();
        format!("cd {} && {}", quote(self.cwd.as_str()), line.join(" "))
    }

    /// Runs it to its end, or until its deadline or `cancel`; `on_line` sees every line of output as it comes.
    ///
    /// # Errors
    /// When it cannot be started or its streams or log fail. A process that ran and failed is an [`Exit`].
    pub async fn run(
        &self,
        cancel: &CancellationToken,
        on_line: impl FnMut(Stream, &str),
    ) -> Result<Exit, ProcessError> {
        let result = self.run_to_end(cancel, on_line).await;
        if let Err(error) = &result {
            let command = self.replay();
            tracing::debug!(program = self.program, command = %without_secrets(&command), %error, "process failed");
        }
        result
    }

    /// Says in the debug log that it runs: with what `doctor --run` needs to find it and its output again.
    fn say_started(&self, pid: u32) {
        let command = self.replay();
        tracing::debug!(
            pid,
            program = self.program,
            sandboxed = self.sandbox.is_some(),
            deadline_ms = self.deadline.map(|deadline| u64::try_from(deadline.as_millis()).unwrap_or(u64::MAX)),
            log = self.log.as_deref().map(Utf8Path::as_str),
            command = %without_secrets(&command),
            "process started"
        );
    }

    async fn run_to_end(
        &self,
        cancel: &CancellationToken,
        mut on_line: impl FnMut(Stream, &str),
    ) -> Result<Exit, ProcessError> {
        let io = |source| ProcessError::Io { program: self.program.clone(), source };
        let start = Instant::now();
        let (mut child, gate, cage) = self.spawn().await?;
        let pid = child.id();
        self.say_started(pid);
        let group = Pid::from_raw(pid.cast_signed());
        let mut guard = GroupGuard(Some(group));
        // Closed before anything is killed, here and when this future is dropped (locals go in reverse order).
        let mut gate = gate.map(Gate::open).transpose().map_err(io)?;
        let stdin = child.stdin.take();
        let stdout = tokio::process::ChildStdout::from_std(child.stdout.take().expect("piped")).map_err(io)?;
        let stderr = tokio::process::ChildStderr::from_std(child.stderr.take().expect("piped")).map_err(io)?;
        if let (Some(stdin), Input::Bytes(bytes)) = (stdin, self.stdin.clone()) {
            let mut stdin = tokio::process::ChildStdin::from_std(stdin).map_err(io)?;
            // A child that does not read its input closes the pipe; that is its business.
            tokio::spawn(async move { stdin.write_all(&bytes).await.ok() });
        }
        let mut log = match &self.log {
            Some(path) => {
                let file = tokio::fs::OpenOptions::new().create(true).append(true).open(path).await.map_err(io)?;
                Some(tokio::io::BufWriter::new(file))
            }
            None => None,
        };
        // wait4 also gives the CPU time; it blocks, so it has a thread of its own.
        let mut waiter = tokio::task::spawn_blocking(move || wait(group));
        let (lines, mut inbox) = tokio::sync::mpsc::channel(1024);
        let readers = [
            tokio::spawn(read_lines(stdout, Stream::Out, self.returns_end_lines, lines.clone())),
            tokio::spawn(read_lines(stderr, Stream::Err, self.returns_end_lines, lines)),
        ];
        let deadline = tokio::time::sleep(self.deadline.unwrap_or(Duration::from_secs(365 * 86400)));
        tokio::pin!(deadline);
        let mut stopped = None;
        let mut kill_at = None;
        let mut status = None;
        let mut drained = false;
        while !(drained && status.is_some()) {
            let kill = async {
                match kill_at {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                line = inbox.recv(), if !drained => match line {
                    Some((stream, bytes)) => {
                        if let Some(log) = &mut log {
                            log.write_all(&bytes).await.map_err(io)?;
                            // Whoever looks at a run that is at work sees the last line, unless more is on its way.
                            if inbox.is_empty() {
                                log.flush().await.map_err(io)?;
                            }
                        }
                        let text = String::from_utf8_lossy(&bytes);
                        on_line(stream, text.trim_end_matches(['\n', '\r']));
                    }
                    None => drained = true,
                },
                ended = &mut waiter, if status.is_none() => {
                    status = Some(ended.map_err(|error| io(std::io::Error::other(error)))?.map_err(io)?);
                    gate = None;
                    // A grandchild that kept the pipes open must not keep us.
                    let _ = killpg(group, Signal::SIGKILL);
                }
                () = &mut deadline, if stopped.is_none() => {
                    stopped = Some(End::Deadline);
                    gate = None;
                    kill_at = Some(tokio::time::Instant::now() + self.grace);
                    let _ = killpg(group, Signal::SIGTERM);
                }
                () = cancel.cancelled(), if stopped.is_none() => {
                    stopped = Some(End::Cancelled);
                    gate = None;
                    kill_at = Some(tokio::time::Instant::now() + self.grace);
                    let _ = killpg(group, Signal::SIGTERM);
                }
                () = kill => {
                    kill_at = None;
                    let _ = killpg(group, Signal::SIGKILL);
                }
            }
        }
        guard.0 = None;
        drop(gate);
        for reader in readers {
            reader.abort();
        }
        if let Some(mut log) = log {
            log.flush().await.map_err(io)?;
        }
        let (status, cpu) = status.expect("the loop ends only with a status");
        let end = stopped.unwrap_or_else(|| match (status.code(), status.signal()) {
            (Some(code), _) => End::Code(code),
            (None, signal) => End::Signal(signal.unwrap_or(0)),
        });
        let out_of_memory = cage.as_ref().map_or(0, Cage::out_of_memory);
        let exit = Exit { end, wall: start.elapsed(), cpu, out_of_memory };
        let (wall_ms, cpu_ms) = (exit.wall.as_millis(), exit.cpu.as_millis());
        tracing::debug!(pid, program = self.program, ?end, wall_ms, cpu_ms, "process ended");
        Ok(exit)
    }

    /// Runs it and gives its standard output; anything but exit code 0 is an error that quotes its standard error.
    ///
    /// # Errors
    /// When it cannot be started or does not exit with 0.
    pub async fn output(&self, cancel: &CancellationToken) -> Result<String, ProcessError> {
        let mut out = String::new();
        let mut err = String::new();
        let exit = self
            .run(cancel, |stream, line| {
                let text = if stream == Stream::Out { &mut out } else { &mut err };
                text.push_str(line);
                text.push('\n');
            })
            .await?;
        if exit.success() {
            return Ok(out);
        }
        let how = match exit.end {
            End::Code(code) => format!("exit code {code}"),
            End::Signal(signal) => format!("signal {signal}"),
            End::Deadline => "stopped at its deadline".to_owned(),
            End::Cancelled => "interrupted".to_owned(),
        };
        let source = std::io::Error::other(format!("{how}: {}", err.trim()));
        Err(ProcessError::Io { program: self.program.clone(), source })
    }

    fn input(&self) -> Result<Stdio, ProcessError> {
        match &self.stdin {
            Input::Empty => Ok(Stdio::null()),
            Input::Bytes(_) => Ok(Stdio::piped()),
            Input::Pipe(pipe) => match pipe.lock().ok().and_then(|mut pipe| pipe.take()) {
                Some(reader) => Ok(reader.into()),
                None => Err(ProcessError::Io {
                    program: self.program.clone(),
                    source: std::io::Error::other("its input was used by an earlier run"),
                }),
            },
        }
    }

    async fn spawn(&self) -> Result<(std::process::Child, Option<Gate>, Option<Cage>), ProcessError> {
        let io = |source| ProcessError::Io { program: self.program.clone(), source };
        let gate = self.sandbox.as_ref().map(|_| Gate::new()).transpose().map_err(io)?;
        let argv = self.argv(gate.as_ref());
        let mut command = std::process::Command::new(&argv[0]);
        command.args(&argv[1..]).env_clear().envs(&self.env).process_group(0);
        command.current_dir(if self.sandbox.is_some() { Utf8Path::new("/") } else { &self.cwd });
        command.stdin(self.input()?);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let signal = if self.sandbox.is_some() { Signal::SIGKILL } else { self.death_signal };
        let inherited = gate.as_ref().map(Gate::descriptor);
        let confined = self.sandbox.is_some();
        // Where groups cannot be had, the report says so.
        let cage = (confined && limits::groups().is_ok()).then(Cage::make).transpose();
        let cage = cage.map_err(|what| io(std::io::Error::other(format!("limits could not be set: {what}"))))?;
        let entrances = cage.as_ref().map(Cage::entrances).unwrap_or_default();
        let memory = limits::memory();
        // SAFETY: close_range, prctl, fcntl, write, keyctl and those of limits are plain system calls, and the closure
        // allocates nothing.
        unsafe {
            command.pre_exec(move || {
                // What the caller's shell left open is nobody's business; a kernel before 5.11 cannot do this.
                let flag = nix::libc::CLOSE_RANGE_CLOEXEC.cast_signed();
                nix::libc::close_range(3, nix::libc::c_uint::MAX, flag);
                if let Some(descriptor) = inherited
                    && nix::libc::fcntl(descriptor, nix::libc::F_SETFD, 0) != 0
                {
                    return Err(std::io::Error::last_os_error());
                }
                for entrance in &entrances {
                    if nix::libc::write(*entrance, c"0".as_ptr().cast(), 1) != 1 {
                        return Err(std::io::Error::last_os_error());
                    }
                }
                if confined {
                    limits::restrict(memory)?;
                    // The caller's keys are nobody's business either; a kernel without keys has none to show.
                    nix::libc::syscall(nix::libc::SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0, 0);
                }
                nix::sys::prctl::set_pdeathsig(signal).map_err(Into::into)
            });
        }
        let child = spawner::spawn(command).await.map_err(|source| match source.kind() {
            std::io::ErrorKind::NotFound => ProcessError::NotFound { program: argv[0].clone(), source },
            _ => ProcessError::Io { program: argv[0].clone(), source },
        })?;
        Ok((child, gate, cage))
    }
}

/// Kills the group when the future is dropped before the process ended.
struct GroupGuard(Option<Pid>);

impl Drop for GroupGuard {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            let _ = killpg(group, Signal::SIGKILL);
        }
    }
}

fn wait(pid: Pid) -> std::io::Result<(std::process::ExitStatus, Duration)> {
    let mut status = 0;
    // SAFETY: an all-zero rusage is a valid value, and both pointers are to live locals.
    let mut usage: nix::libc::rusage = unsafe { std::mem::zeroed() };
    loop {
        // SAFETY: as above; the pid is a child of ours that only this function waits for.
        let got = unsafe { nix::libc::wait4(pid.as_raw(), &raw mut status, 0, &raw mut usage) };
        if got == pid.as_raw() {
            break;
        }
        let error = std::io::Error::last_os_error();
        if error.kind() != std::io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
    let time = |t: nix::libc::timeval| {
        Duration::from_secs(t.tv_sec.unsigned_abs()) + Duration::from_micros(t.tv_usec.unsigned_abs())
    };
    Ok((std::process::ExitStatus::from_raw(status), time(usage.ru_utime) + time(usage.ru_stime)))
}

/// Quotes a word for a POSIX shell where it needs it.
pub fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=+./,:@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
#[path = "command_tests.rs"]
mod tests;
