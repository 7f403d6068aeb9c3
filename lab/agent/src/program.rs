//! Running one program to its end, or to its deadline, with nothing of it left behind.

use std::fs::File;
use std::io::{Error, ErrorKind, Read, Result};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use orchestrator_protocol::Status;

use crate::channel::Channel;
use crate::guest;
use crate::output::{Line, Lines};

/// How long a killed process may take to go away before it counts as stuck in the kernel.
const KILL_GRACE: Duration = Duration::from_secs(5);

/// How long to wait for output before the clock and the children are looked at again, in milliseconds.
const TICK: u16 = 50;

/// Most bytes read from a stream at a time.
const CHUNK: usize = 64 * 1024;

/// Where programs find others; a guest has no more than `/bin`.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Takes the lines of a program as they come.
pub type OnLine<'a> = &'a mut dyn FnMut(&mut Channel, Line) -> Result<()>;

/// How a program ended.
#[derive(Debug, PartialEq, Eq)]
pub struct Ended {
    /// How.
    pub status: Status,
    /// Bytes of overlong lines that were cut off.
    pub cut: u64,
    /// A process of it cannot be killed: it is stuck in the kernel.
    pub stuck: bool,
}

/// Runs a program in a process group of its own; as init, kills every other process of the machine afterwards.
///
/// The inner error is one of starting the program; the outer one is the channel's.
pub fn run(
    program: &str,
    args: &[&str],
    deadline: Duration,
    channel: &mut Channel,
    on_line: OnLine,
) -> Result<std::result::Result<Ended, Error>> {
    let mut command = Command::new(program);
    command.args(args).env_clear();
    command.env("PATH", PATH).env("HOME", "/").env("TMPDIR", "/tmp");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // Nothing may run between fork and exec: for that, the standard library wants a Unix socket, and the smallest
    // kernels have no network.
    command.process_group(0);
    let start = Instant::now();
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => return Ok(Err(error)),
    };
    let pid = Pid::from_raw(child.id().cast_signed());
    let mut out = Source::new(child.stdout.take().expect("piped").into(), false)?;
    let mut err = Source::new(child.stderr.take().expect("piped").into(), true)?;
    let mut status = None;
    while status.is_none() && start.elapsed() < deadline {
        wait_for_output([&out.pipe, &err.pipe].into_iter().flatten())?;
        out.read(channel, on_line)?;
        err.read(channel, on_line)?;
        status = reap(pid).status;
        channel.beat()?;
    }
    let stuck = !clean_up(pid, channel)?;
    for source in [&mut out, &mut err] {
        source.drain(channel, on_line)?;
    }
    let cut = out.lines.cut + err.lines.cut;
    Ok(Ok(Ended { status: status.unwrap_or(Status::Deadline), cut, stuck }))
}

/// One output stream of a program.
struct Source {
    pipe: Option<File>,
    lines: Lines,
}

impl Source {
    fn new(pipe: OwnedFd, err: bool) -> Result<Self> {
        fcntl(&pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        Ok(Source { pipe: Some(File::from(pipe)), lines: Lines::new(err) })
    }

    /// Reads what is there; false when nothing was.
    fn read(&mut self, channel: &mut Channel, on_line: OnLine) -> Result<bool> {
        let Some(pipe) = &mut self.pipe else { return Ok(false) };
        let mut buffer = [0; CHUNK];
        match pipe.read(&mut buffer) {
            Ok(0) => {
                self.pipe = None;
                Ok(false)
            }
            Ok(count) => {
                for line in self.lines.push(&buffer[..count]) {
                    on_line(channel, line)?;
                }
                Ok(true)
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Reads what is left. The writers are dead (or stuck in the kernel), so this ends.
    fn drain(&mut self, channel: &mut Channel, on_line: OnLine) -> Result<()> {
        while self.read(channel, on_line)? {}
        self.lines.finish().map_or(Ok(()), |line| on_line(channel, line))
    }
}

fn wait_for_output<'a>(pipes: impl Iterator<Item = &'a File>) -> Result<()> {
    let mut fds: Vec<PollFd> = pipes.map(|pipe| PollFd::new(pipe.as_fd(), PollFlags::POLLIN)).collect();
    match poll(&mut fds, PollTimeout::from(TICK)) {
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// What waiting without blocking found.
struct Reaped {
    /// How the awaited process ended, if it did.
    status: Option<Status>,
    /// No child, own or adopted, exists any more.
    none_left: bool,
}

/// Takes every child that has ended; init gets those whose parents died, too.
fn reap(awaited: Pid) -> Reaped {
    let mut status = None;
    loop {
        match waitpid(None::<Pid>, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(pid, code)) if pid == awaited => status = Some(Status::Code(code)),
            Ok(WaitStatus::Signaled(pid, signal, _)) if pid == awaited => status = Some(Status::Signal(signal as i32)),
            Ok(WaitStatus::StillAlive) => return Reaped { status, none_left: false },
            Ok(_) | Err(Errno::EINTR) => {}
            Err(_) => return Reaped { status, none_left: true },
        }
    }
}

/// Kills all that is left; false when something of it stays.
fn clean_up(leader: Pid, channel: &mut Channel) -> Result<bool> {
    let start = Instant::now();
    loop {
        kill_all(leader);
        if reap(leader).none_left {
            return Ok(true);
        }
        if start.elapsed() >= KILL_GRACE {
            return Ok(false);
        }
        std::thread::sleep(Duration::from_millis(10));
        channel.beat()?;
    }
}

/// As init, kills every other process of the machine. A visitor kills the group and all that descends from itself:
/// orphans come to it, too.
fn kill_all(leader: Pid) {
    if guest::is_init() {
        // There being none is what is wanted, here and below.
        let _ = kill(Pid::from_raw(-1), Signal::SIGKILL);
        return;
    }
    let _ = kill(Pid::from_raw(-leader.as_raw()), Signal::SIGKILL);
    kill_descendants();
}

/// Kills every process that descends from this one.
pub fn kill_descendants() {
    let own = std::process::id();
    let mut parents = Vec::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        parents.extend(parent(&stat).map(|parent| (pid, parent)));
    }
    for pid in descendants(own, &parents) {
        let _ = kill(Pid::from_raw(pid.cast_signed()), Signal::SIGKILL);
    }
}

/// The parent in `/proc/PID/stat`; the name before it may hold anything.
fn parent(stat: &str) -> Option<u32> {
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

/// All below `root` in (process, parent).
fn descendants(root: u32, parents: &[(u32, u32)]) -> Vec<u32> {
    let mut found = vec![root];
    let mut at = 0;
    while let Some(parent) = found.get(at).copied() {
        let children = parents.iter().filter(|(pid, of)| *of == parent && !found.contains(pid));
        let children: Vec<u32> = children.map(|(pid, _)| *pid).collect();
        found.extend(children);
        at += 1;
    }
    found.remove(0);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, deadline: Duration) -> (Ended, Vec<(bool, String)>) {
        let mut lines = Vec::new();
        let mut channel = Channel::to(std::io::sink());
        let ended = run("/bin/sh", &["-c", script], deadline, &mut channel, &mut |_, line| {
            lines.push((line.err, line.text));
            Ok(())
        });
        (ended.unwrap().unwrap(), lines)
    }

    #[test]
    fn descendants_are_children_and_theirs() {
        assert_eq!(descendants(2, &[(3, 2), (4, 3), (5, 1), (6, 4)]), [3, 4, 6]);
        assert_eq!(parent("7 (a) b) S 42 7 7"), Some(42));
        assert_eq!(parent("nonsense"), None);
    }

    // One test, because all children of the process are reaped by whoever waits.
    #[test]
    fn programs_are_run_to_their_end_or_deadline() {
        // Orphans come to us as they come to init.
        nix::sys::prctl::set_child_subreaper(true).unwrap();
        let long = Duration::from_secs(600);
        let (ended, lines) = shell("echo a; printf b; echo c >&2; exit 3", long);
        assert_eq!(ended, Ended { status: Status::Code(3), cut: 0, stuck: false });
        assert!(lines.contains(&(false, "a".into())) && lines.contains(&(false, "b".into())));
        assert!(lines.contains(&(true, "c".into())));

        let (ended, _) = shell("kill -9 $$", long);
        assert_eq!(ended.status, Status::Signal(9));

        // A child that keeps the pipe open does not keep us.
        let (ended, lines) = shell("sleep 1000 & echo $!", long);
        assert_eq!((ended.status, ended.stuck), (Status::Code(0), false));
        assert!(!std::path::Path::new(&format!("/proc/{}", lines[0].1)).exists());

        let (ended, lines) = shell("trap '' TERM; echo in; sleep 1000", Duration::from_millis(1));
        assert_eq!((ended.status, ended.stuck), (Status::Deadline, false));
        assert!(lines.len() <= 1);

        let mut channel = Channel::to(std::io::sink());
        let missing = run("/no/such/program", &[], long, &mut channel, &mut |_, _| Ok(())).unwrap();
        assert_eq!(missing.unwrap_err().kind(), ErrorKind::NotFound);
    }
}
