//! What a confined process may use up: processes, memory, sizes of files.
//!
//! Control groups count everything below it together and hold root as well; they need a place in the hierarchy that
//! may be written. Resource limits need nothing, but count by process or by user, and the one of processes does not
//! hold root. Both are set, and the report says when only the second was possible.

use std::fs::File;
use std::io::Write;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Sandbox;
use camino::{Utf8Path, Utf8PathBuf};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Most processes and threads at the same time. A build with many jobs has some hundred.
pub(super) const PROCESSES: u64 = 8192;
/// Most bytes of one file: more than an image with all debug information has.
const FILE: u64 = 16 << 30;
/// Beginning of the names of our groups; the number of our process follows.
const PREFIX: &str = "orchestrator-";

/// Most bytes of memory of one confined process with all its children: three quarters of the host's.
pub(super) fn memory() -> u64 {
    static BYTES: OnceLock<u64> = OnceLock::new();
    *BYTES.get_or_init(|| {
        let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let total =
            text.lines().find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB")?.parse().ok());
        // Where the host does not say, a limit that any build of a kernel fits into.
        total.map_or(16 << 30, |kib: u64| kib * 1024 / 4 * 3)
    })
}

/// Sets the limits that need no control group, in the child before it becomes the program.
///
/// # Errors
/// When the kernel refuses one.
pub(super) fn restrict(memory: u64) -> std::io::Result<()> {
    let limits = [
        (Resource::RLIMIT_NPROC, PROCESSES),
        (Resource::RLIMIT_FSIZE, FILE),
        (Resource::RLIMIT_DATA, memory),
        (Resource::RLIMIT_CORE, 0),
    ];
    for (resource, most) in limits {
        let (_, hard) = getrlimit(resource)?;
        let most = most.min(hard);
        setrlimit(resource, most, most)?;
    }
    Ok(())
}

/// Where groups can be made: the folders of our own group, by what they limit.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Homes {
    /// One hierarchy for all.
    Unified(Utf8PathBuf),
    /// One hierarchy each for processes and memory.
    Split { pids: Utf8PathBuf, memory: Utf8PathBuf },
}

/// Finds the folders of our own group, given `/proc/self/cgroup` and `/proc/self/mountinfo`.
fn homes(groups: &str, mounts: &str) -> Option<Homes> {
    let mount = |wanted: &dyn Fn(&str, &str) -> bool| {
        mounts.lines().find_map(|line| {
            let (head, tail) = line.split_once(" - ")?;
            let mut head = head.split(' ').skip(3);
            let (root, place) = (head.next()?, head.next()?);
            let mut tail = tail.split(' ');
            let (kind, options) = (tail.next()?, tail.nth(1)?);
            wanted(kind, options).then(|| (root.to_owned(), Utf8PathBuf::from(place)))
        })
    };
    let group = |wanted: &dyn Fn(&str, &str) -> bool| {
        groups.lines().find_map(|line| {
            let mut parts = line.splitn(3, ':');
            let (number, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
            wanted(number, controllers).then(|| path.to_owned())
        })
    };
    let folder = |(root, place): (String, Utf8PathBuf), path: String| {
        let below = path.strip_prefix(root.trim_end_matches('/')).unwrap_or(&path).trim_start_matches('/').to_owned();
        if below.is_empty() { place } else { place.join(below) }
    };
    let split = |name: &str| {
        let has = |list: &str| list.split(',').any(|controller| controller == name);
        let place = mount(&|kind, options| kind == "cgroup" && has(options))?;
        Some(folder(place, group(&|_, controllers| has(controllers))?))
    };
    if let (Some(pids), Some(memory)) = (split("pids"), split("memory")) {
        return Some(Homes::Split { pids, memory });
    }
    let place = mount(&|kind, _| kind == "cgroup2")?;
    Some(Homes::Unified(folder(place, group(&|number, _| number == "0")?)))
}

/// The control groups of one confined process. They go when this is dropped.
#[derive(Debug)]
pub(super) struct Cage {
    folders: Vec<Utf8PathBuf>,
    entrances: Vec<File>,
}

impl Cage {
    /// Makes groups with limits.
    ///
    /// # Errors
    /// One sentence: this host does not let us.
    pub(super) fn make() -> Result<Cage, String> {
        let read = |path: &str| std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"));
        let homes =
            homes(&read("/proc/self/cgroup")?, &read("/proc/self/mountinfo")?).ok_or("it has no control groups")?;
        Cage::make_in(&homes, PROCESSES, memory())
    }

    fn make_in(homes: &Homes, processes: u64, memory: u64) -> Result<Cage, String> {
        let (processes, memory) = (processes.to_string(), memory.to_string());
        let mut cage = Cage { folders: Vec::new(), entrances: Vec::new() };
        match homes {
            Homes::Unified(home) => {
                let inside = home.join("cgroup.subtree_control");
                let given = std::fs::read_to_string(&inside).unwrap_or_default();
                if !["pids", "memory"].iter().all(|name| given.split_whitespace().any(|word| word == *name)) {
                    std::fs::write(&inside, "+pids +memory").map_err(|error| {
                        format!("{inside}: {error}; start it in a group of its own, e.g. with systemd-run --user --scope -p Delegate=yes")
                    })?;
                }
                let limits = [("pids.max", processes.as_str()), ("memory.max", &memory), ("memory.swap.max", "0")];
                cage.add(home, &limits)?;
            }
            Homes::Split { pids, memory: place } => {
                cage.add(pids, &[("pids.max", &processes)])?;
                cage.add(place, &[("memory.limit_in_bytes", &memory)])?;
            }
        }
        Ok(cage)
    }

    fn add(&mut self, home: &Utf8Path, limits: &[(&str, &str)]) -> Result<(), String> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        sweep(home);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = home.join(format!("{PREFIX}{}-{number}", std::process::id()));
        std::fs::create_dir(&folder).map_err(|error| format!("{folder}: {error}"))?;
        self.folders.push(folder.clone());
        for (name, value) in limits {
            let file = folder.join(name);
            match std::fs::OpenOptions::new()
                .write(true)
                .open(&file)
                .and_then(|mut file| file.write_all(value.as_bytes()))
            {
                // Kernels without accounting of swap do not have this file.
                Err(error) if *name == "memory.swap.max" && error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(format!("{file}: {error}")),
                Ok(()) => {}
            }
        }
        let entrance = folder.join("cgroup.procs");
        let entrance =
            std::fs::OpenOptions::new().write(true).open(&entrance).map_err(|error| format!("{entrance}: {error}"))?;
        self.entrances.push(entrance);
        Ok(())
    }

    /// How many processes in it the kernel has killed for want of memory.
    pub(super) fn out_of_memory(&self) -> u64 {
        let files = ["memory.events", "memory.oom_control"];
        let texts = self.folders.iter().flat_map(|folder| files.map(|file| std::fs::read_to_string(folder.join(file))));
        texts.flatten().map(|text| killed(&text)).max().unwrap_or(0)
    }

    /// Descriptors to which a process writes `0` to get in.
    pub(super) fn entrances(&self) -> Vec<RawFd> {
        self.entrances.iter().map(AsRawFd::as_raw_fd).collect()
    }
}

impl Drop for Cage {
    fn drop(&mut self) {
        for folder in &self.folders {
            // When the kernel has not yet buried the last process in it, a later sweep takes it.
            let _ = std::fs::remove_dir(folder);
        }
    }
}

/// The counter of kills in `memory.events` (v2) or `memory.oom_control` (v1).
fn killed(text: &str) -> u64 {
    text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok()).unwrap_or(0)
}

/// Ends what the groups of a maker that is gone still hold, and removes them.
///
/// Bubblewrap that is killed between its fork and the next call leaves a process that waits for its parent for ever.
fn sweep(home: &Utf8Path) {
    let Ok(entries) = home.read_dir_utf8() else { return };
    for entry in entries.flatten() {
        let maker = entry.file_name().strip_prefix(PREFIX).and_then(|rest| rest.split('-').next()?.parse::<u32>().ok());
        if maker.is_some_and(|maker| !Utf8Path::new("/proc").join(maker.to_string()).exists()) {
            let left = std::fs::read_to_string(entry.path().join("cgroup.procs")).unwrap_or_default();
            for pid in left.lines().filter_map(|line| line.parse().ok()).filter(|pid| *pid > 0) {
                let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
            }
            // Only an empty one goes; the kernel may take a moment to bury, then a later sweep has it.
            let _ = std::fs::remove_dir(entry.path());
        }
    }
}

/// Whether control groups can be had here, tried once per process; else why not.
pub(super) fn groups() -> &'static Result<(), String> {
    static ANSWER: OnceLock<Result<(), String>> = OnceLock::new();
    ANSWER.get_or_init(|| Cage::make().map(drop))
}

/// How confined processes are held, one sentence for the report; limits that could not be set are named.
pub fn confinement() -> String {
    let mut said = match groups() {
        Ok(()) => format!(
            "bubblewrap: no network, only the system's programs, no home folder; at most {PROCESSES} processes and {} GiB of memory",
            memory() >> 30
        ),
        Err(why) => format!(
            "bubblewrap: no network, only the system's programs, no home folder; memory only limited by process, \
             processes {}, because control groups cannot be used: {why}",
            if nix::unistd::getuid().is_root() { "not limited" } else { "only by user" }
        ),
    };
    for lack in Sandbox::lacks() {
        said.push_str("; ");
        said.push_str(lack);
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_group_is_found_in_one_hierarchy_and_in_several() {
        let unified = homes(
            "0::/user.slice/user-1000.slice/a.scope\n",
            "30 25 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n",
        );
        assert_eq!(unified, Some(Homes::Unified("/sys/fs/cgroup/user.slice/user-1000.slice/a.scope".into())));
        let split = homes(
            "8:pids:/\n4:cpu,memory:/box/x\n0::/\n",
            "1 0 0:1 / /cg/pids rw - cgroup cgroup rw,pids\n2 0 0:2 /box /cg/memory rw - cgroup cgroup rw,cpu,memory\n\
             3 0 0:3 / /cg/unified rw - cgroup2 cgroup2 rw\n",
        );
        assert_eq!(split, Some(Homes::Split { pids: "/cg/pids".into(), memory: "/cg/memory/x".into() }));
        assert_eq!(homes("0::/\n", "1 0 0:1 / / rw - ext4 /dev/sda rw\n"), None);
    }

    #[test]
    fn a_place_that_cannot_be_used_is_named() {
        let error = Cage::make_in(&Homes::Unified("/nonexistent".into()), 1, 1).unwrap_err();
        assert!(error.contains("/nonexistent/cgroup.subtree_control"), "{error}");
    }

    /// Where groups can be made here; `None` (said) where they cannot.
    fn here() -> Option<Homes> {
        let read = |path| std::fs::read_to_string(path).unwrap();
        match groups() {
            Ok(()) => Some(homes(&read("/proc/self/cgroup"), &read("/proc/self/mountinfo")).expect("groups were made")),
            Err(why) => {
                eprintln!("not tested: {why}");
                None
            }
        }
    }

    /// A script of bash in these groups.
    fn inside(entrances: Vec<RawFd>, script: &str) -> std::process::Command {
        use std::os::unix::process::CommandExt;
        let mut command = std::process::Command::new("bash");
        command.args(["-c", script]).stdin(std::process::Stdio::null());
        // SAFETY: write is async-signal-safe, and the closure allocates nothing.
        unsafe {
            command.pre_exec(move || {
                for entrance in &entrances {
                    if nix::libc::write(*entrance, c"0".as_ptr().cast(), 1) != 1 {
                        return Err(std::io::Error::last_os_error());
                    }
                }
                Ok(())
            });
        }
        command
    }

    #[test]
    fn a_fork_bomb_ends_at_the_limit_of_its_group() {
        let Some(homes) = here() else { return };
        let cage = Cage::make_in(&homes, 8, 64 << 20).unwrap();
        let mut command = inside(cage.entrances(), "for i in $(seq 30); do read -t 1 < <(:) & done; wait");
        let mut child = command.stderr(std::process::Stdio::piped()).spawn().unwrap();
        let mut said = String::new();
        // bash tries again for some seconds; its first complaint is enough.
        let mut stderr = std::io::BufReader::new(child.stderr.take().unwrap());
        std::io::BufRead::read_line(&mut stderr, &mut said).unwrap();
        let _ = child.kill();
        child.wait().unwrap();
        assert!(said.contains("fork"), "{said}");
        assert_eq!(cage.out_of_memory(), 0);
    }

    #[test]
    fn a_kill_for_want_of_memory_is_counted_though_the_whole_ends_well() {
        let Some(homes) = here() else { return };
        let cage = Cage::make_in(&homes, 64, 64 << 20).unwrap();
        let hungry = "head -c 300m /dev/zero | tail -c 300m >/dev/null 2>&1; exit 0";
        assert!(inside(cage.entrances(), hungry).status().unwrap().success());
        assert_eq!(cage.out_of_memory(), 1);
    }

    #[test]
    fn what_a_dead_maker_left_is_ended() {
        let Some(homes) = here() else { return };
        let cage = Cage::make_in(&homes, 64, 64 << 20).unwrap();
        let mut left = inside(cage.entrances(), "exec sleep 1000").spawn().unwrap();
        let mut maker = inside(Vec::new(), "exit 0").spawn().unwrap();
        maker.wait().unwrap();
        let mut folders = Vec::new();
        for folder in &cage.folders {
            let orphan = folder.with_file_name(format!("{PREFIX}{}-left", maker.id()));
            std::fs::create_dir(&orphan).unwrap();
            std::fs::write(orphan.join("cgroup.procs"), left.id().to_string()).unwrap();
            folders.push(orphan);
        }
        sweep(folders[0].parent().unwrap());
        assert!(!left.wait().unwrap().success());
        for folder in folders {
            sweep(folder.parent().unwrap());
        }
    }
}
