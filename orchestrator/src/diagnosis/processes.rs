//! Processes and locks of this host, as they are now.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use camino::Utf8Path;
use nix::sys::stat::{major, minor};

use super::proc_files::{self, Held, Stat};
use super::{Holder, Process};

/// All processes at two moments.
pub(super) struct Seen {
    all: Vec<Stat>,
    before: BTreeMap<u32, u64>,
    tick_ms: u64,
    locks: Vec<Held>,
}

impl Seen {
    /// Looks twice, with `pause` between, so that it shows who works.
    pub(super) fn look(pause: Duration) -> Seen {
        let before = processes().into_iter().map(|stat| (stat.pid, stat.ticks)).collect();
        std::thread::sleep(pause);
        let hertz = nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK).ok().flatten().unwrap_or(100);
        let tick_ms = 1000 / u64::try_from(hertz).unwrap_or(100).max(1);
        let locks = fs_err::read_to_string("/proc/locks").unwrap_or_default();
        Seen { all: processes(), before, tick_ms, locks: proc_files::locks(&locks) }
    }

    /// The state of a process; `None` when there is none of this id.
    pub(super) fn state(&self, pid: u32) -> Option<char> {
        self.all.iter().find(|stat| stat.pid == pid).map(|stat| stat.state)
    }

    /// A process and all that descend from it.
    pub(super) fn family(&self, root: u32) -> Vec<Process> {
        let family = proc_files::family(&self.all, root);
        let process = |stat: &Stat| Process {
            pid: stat.pid,
            name: stat.name.clone(),
            state: stat.state,
            cpu_ms: self.used(stat),
            is_leaf: !family.iter().any(|other| other.parent == stat.pid),
        };
        family.iter().map(process).collect()
    }

    /// CPU time that a process used between both looks, without its children, in milliseconds.
    pub(super) fn cpu_ms(&self, pid: u32) -> u64 {
        self.all.iter().find(|stat| stat.pid == pid).map_or(0, |stat| self.used(stat))
    }

    fn used(&self, stat: &Stat) -> u64 {
        stat.ticks.saturating_sub(*self.before.get(&stat.pid).unwrap_or(&0)) * self.tick_ms
    }

    /// Whether `pid` descends from `root`.
    pub(super) fn is_below(&self, pid: u32, root: u32) -> bool {
        proc_files::family(&self.all, root).iter().any(|stat| stat.pid == pid)
    }

    /// Who has the lock of a file. File systems may give files another device number than `/proc/locks` does; then the
    /// process must have the file open.
    pub(super) fn holders(&self, file: &Utf8Path) -> Vec<Holder> {
        let Ok(metadata) = fs_err::metadata(file) else { return Vec::new() };
        let device = (major(metadata.dev()), minor(metadata.dev()));
        let mut pids: Vec<u32> = self
            .locks
            .iter()
            .filter(|held| held.inode == metadata.ino())
            .filter_map(|held| held.pid.map(|pid| (pid, held.device)))
            .filter(|(pid, of)| *of == device || has_open(*pid, file))
            .map(|(pid, _)| pid)
            .collect();
        // A lock outlives who took it as long as a child has the file open.
        let gone = |pid: &u32| self.state(*pid).is_none();
        if pids.iter().any(gone) {
            let heirs = self.all.iter().map(|stat| stat.pid).filter(|pid| has_open(*pid, file));
            let heirs: Vec<u32> = heirs.filter(|pid| *pid != std::process::id()).collect();
            if !heirs.is_empty() {
                pids.retain(|pid| !gone(pid));
                pids.extend(heirs);
            }
        }
        pids.sort_unstable();
        pids.dedup();
        pids.into_iter().map(|pid| Holder { pid, state: self.state(pid), command: command(pid), run: None }).collect()
    }
}

/// The command line of a process, or its end.
pub(super) fn command(pid: u32) -> String {
    let bytes = fs_err::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words = bytes.split(|byte| *byte == 0).filter(|word| !word.is_empty());
    let words: Vec<String> = words.map(|word| crate::process::quote(&String::from_utf8_lossy(word))).collect();
    crate::process::without_secrets(&words.join(" ")).into_owned()
}

fn has_open(pid: u32, file: &Utf8Path) -> bool {
    let Ok(file) = file.canonicalize_utf8() else { return false };
    let Ok(entries) = std::fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
    entries.filter_map(Result::ok).any(|entry| std::fs::read_link(entry.path()).is_ok_and(|target| target == file))
}

fn processes() -> Vec<Stat> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let ids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    // One that ended meanwhile has no file any more.
    ids.filter_map(|pid| proc_files::stat(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_holds_a_lock_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let path = Utf8Path::from_path(folder.path()).unwrap().join("lock");
        let file = std::fs::File::create(&path).unwrap();
        assert!(Seen::look(Duration::ZERO).holders(&path).is_empty());
        file.lock().unwrap();
        let holders = Seen::look(Duration::ZERO).holders(&path);
        let own = std::process::id();
        assert_eq!(holders.iter().map(|holder| holder.pid).collect::<Vec<_>>(), [own]);
        assert!(holders[0].state.is_some() && !holders[0].command.is_empty());
    }

    #[test]
    fn a_lock_that_its_taker_left_behind_is_of_who_has_the_file_open() {
        use std::io::BufRead;
        let folder = tempfile::tempdir().unwrap();
        let path = Utf8Path::from_path(folder.path()).unwrap().join("lock");
        fs_err::write(&path, "").unwrap();
        // The shell takes the lock and ends; its child keeps the file open.
        let script = "exec 9<\"$1\"; flock 9; sleep 1000 >&- & echo $!";
        let mut shell = std::process::Command::new("sh")
            .args(["-c", script, "sh", path.as_str()])
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        std::io::BufReader::new(shell.stdout.take().unwrap()).read_line(&mut line).unwrap();
        shell.wait().unwrap();
        let heir: u32 = line.trim().parse().unwrap();
        let holders = Seen::look(Duration::ZERO).holders(&path);
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(heir.cast_signed()), nix::sys::signal::Signal::SIGKILL)
            .unwrap();
        assert_eq!(holders.iter().map(|holder| holder.pid).collect::<Vec<_>>(), [heir]);
    }

    #[test]
    fn a_stopped_child_is_in_the_family() {
        let mut child = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
        let pid = nix::unistd::Pid::from_raw(child.id().cast_signed());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGSTOP).unwrap();
        // The kernel says when it has stopped.
        nix::sys::wait::waitpid(pid, Some(nix::sys::wait::WaitPidFlag::WUNTRACED)).unwrap();
        let family = Seen::look(Duration::ZERO).family(std::process::id());
        let seen = family.iter().find(|process| process.pid == child.id()).cloned();
        child.kill().unwrap();
        child.wait().unwrap();
        let seen = seen.unwrap();
        assert_eq!((seen.state, seen.cpu_ms, seen.is_leaf), ('T', 0, true));
    }
}
