//! What others do to the program's children: QEMU, make and compilers are killed and stopped, memory runs out.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::known::{Known, line_with, row};
use super::stage::{Ended, Stage, finish, program, wait};

/// A run at work, both its streams in a file.
struct AtWork {
    child: Child,
    said: std::path::PathBuf,
}

impl AtWork {
    fn begin(known: &Known, words: &[String]) -> AtWork {
        let said = known.folder().join("said");
        let file = std::fs::File::create(&said).unwrap();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let mut command = known.command(&words);
        command.stdout(file.try_clone().unwrap()).stderr(Stdio::from(file));
        AtWork { child: command.spawn().unwrap(), said }
    }

    /// Waits for a process of the cache that this says yes to.
    fn wait_for(&mut self, known: &Known, wanted: impl Fn(&str) -> bool) -> Pid {
        loop {
            if let Some(pid) = find(known, &wanted) {
                return pid;
            }
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "it ended first: {}", std::fs::read_to_string(&self.said).unwrap());
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn end(mut self) -> Ended {
        let status = wait(&mut self.child, Duration::from_secs(1800)).expect("it ends");
        Ended { code: status.code(), said: std::fs::read_to_string(&self.said).unwrap() }
    }
}

fn find(known: &Known, wanted: &impl Fn(&str) -> bool) -> Option<Pid> {
    let cache = known.cache.to_str().unwrap();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
        let stands = std::fs::read_link(entry.path().join("cwd")).unwrap_or_default();
        if !stands.to_string_lossy().contains(cache) {
            continue;
        }
        let words = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let words = String::from_utf8_lossy(&words).replace('\0', " ");
        if wanted(words.trim()) {
            return Some(Pid::from_raw(pid));
        }
    }
    None
}

fn is(program: &'static str) -> impl Fn(&str) -> bool {
    move |words| {
        let name = words.split(' ').next().unwrap_or_default();
        name.rsplit('/').next() == Some(program)
    }
}

/// The same, while it makes a part of the kernel. kbuild asks the tools for their options and versions, too.
fn makes(program: &'static str) -> impl Fn(&str) -> bool {
    let part = match program {
        "cc1" => "lib/test_hmm.c",
        "ld" => " -o ",
        other => other,
    };
    move |words| is(program)(words) && words.contains(part)
}

/// Forgets the builds of the series and the object that it changes, so that there is something to compile and to link.
fn unmake(known: &Known) {
    known.forget("builds");
    let mut removed = 0;
    for folder in std::fs::read_dir(known.cache.join("work/linux-6.12")).unwrap() {
        removed += usize::from(std::fs::remove_file(folder.unwrap().path().join("lib/test_hmm.o")).is_ok());
    }
    assert!(removed > 0, "the object lies in a work folder");
}

fn words(known: &Known) -> Vec<String> {
    Stage::run_words(&known.series)
}

fn resume() -> Vec<String> {
    ["resume", "latest"].map(str::to_owned).to_vec()
}

/// QEMU is killed: the boot is tried again in the same run.
pub fn qemu_dies(known: &Known) {
    known.forget("boots");
    let mut run = AtWork::begin(known, &words(known));
    kill(run.wait_for(known, is("qemu-system-x86_64")), Signal::SIGKILL).unwrap();
    let ended = run.end();
    assert_eq!(ended.code, Some(1), "{}", ended.said);
    known.is_the_same();
    row("QEMU killed", 1, &line_with(&ended, "signal 9"));
}

/// QEMU is stopped: the deadline finds that it is QEMU which hangs, not the kernel in it.
pub fn qemu_hangs(known: &Known) {
    known.forget("boots");
    let mut run = AtWork::begin(known, &words(known));
    let qemu = run.wait_for(known, is("qemu-system-x86_64"));
    // Once it listens: before, it is not told from a guest that never speaks.
    while !std::path::Path::new(&format!("/proc/{qemu}/cwd/qmp.sock")).exists() {
        assert!(run.child.try_wait().unwrap().is_none(), "it ended first");
        std::thread::sleep(Duration::from_millis(1));
    }
    kill(qemu, Signal::SIGSTOP).unwrap();
    let ended = run.end();
    assert_eq!(ended.code, Some(1), "{}", ended.said);
    known.is_the_same();
    row("QEMU stopped (SIGSTOP)", 1, &line_with(&ended, "QEMU itself hangs"));
}

/// make, the compiler, the linker are killed: no verdict, and a resume has it.
pub fn make_dies(known: &Known) {
    let mut tries = 0;
    let mut saw = String::new();
    for victim in ["make", "cc1", "ld"] {
        unmake(known);
        let mut run = AtWork::begin(known, &words(known));
        kill(run.wait_for(known, makes(victim)), Signal::SIGKILL).unwrap();
        let ended = run.end();
        assert_eq!(ended.code, Some(2), "{victim}: {}", ended.said);
        saw = ended.said.lines().find(|line| line.contains("illed")).expect("it says so").trim().to_owned();
        let resumed = known.resume();
        assert_eq!(resumed.code, Some(1), "{victim}: {}", resumed.said);
        known.is_the_same();
        tries += 1;
    }
    row("make, cc1, ld killed", tries, &saw);
}

/// make is stopped: a user who has seen enough can end the run.
pub fn make_hangs(known: &Known) {
    unmake(known);
    let mut run = AtWork::begin(known, &words(known));
    kill(run.wait_for(known, is("make")), Signal::SIGSTOP).unwrap();
    let asked = Instant::now();
    kill(Pid::from_raw(run.child.id().cast_signed()), Signal::SIGINT).unwrap();
    let ended = run.end();
    assert_eq!(ended.code, Some(130), "{}", ended.said);
    let took = asked.elapsed();
    let resumed = known.resume();
    assert_eq!(resumed.code, Some(1), "{}", resumed.said);
    known.is_the_same();
    row("make stopped (SIGSTOP), then Ctrl-C", 1, &format!("interrupted after {} s", took.as_secs()));
}

/// The program may have so little memory that no guest starts.
pub fn no_memory_for_a_guest(known: &Known) {
    known.forget("boots");
    let limit = |words: &[String], most: &str| {
        let mut command = Command::new("prlimit");
        command.arg(format!("--as={most}")).arg(program()).args(words);
        for (name, value) in known.command(&[]).get_envs() {
            command.env(name, value.unwrap());
        }
        finish(command)
    };
    let ended = limit(&words(known), "2500000000");
    assert_eq!(ended.code, Some(2), "{}", ended.said);
    let saw = line_with(&ended, "llocate memory");
    let resumed = known.resume();
    assert_eq!(resumed.code, Some(1), "{}", resumed.said);
    known.is_the_same();
    row("too little memory for a guest", 1, &saw);
}

/// A control group takes the compiler's memory away.
pub fn no_memory_for_a_build(known: &Known) {
    let Some(group) = Group::new() else {
        println!("left out: no control group for memory can be made here");
        return;
    };
    unmake(known);
    let mut run = AtWork::begin(known, &words(known));
    let compiler = run.wait_for(known, makes("cc1"));
    // Everything in its sandbox, but not the program.
    group.take(compiler, 8 << 20);
    let ended = run.end();
    drop(group);
    assert_eq!(ended.code, Some(2), "{}", ended.said);
    let saw = ended.said.lines().find(|line| line.contains("emory")).expect("it says so").trim().to_owned();
    let resumed = Stage::call(known, &resume().iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(resumed.code, Some(1), "{}", resumed.said);
    known.is_the_same();
    row("out of memory in the compiler", 1, &saw);
}

/// A control group of the old or the new kind.
struct Group {
    folder: std::path::PathBuf,
    limit: &'static str,
}

impl Group {
    fn new() -> Option<Group> {
        let name = format!("orchestrator-faults-{}", std::process::id());
        [("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")].into_iter().find_map(
            |(root, limit)| {
                let folder = std::path::Path::new(root).join(&name);
                std::fs::create_dir(&folder).ok()?;
                let group = Group { folder, limit };
                group.folder.join(limit).exists().then_some(group)
            },
        )
    }

    fn take(&self, pid: Pid, most: u64) {
        std::fs::write(self.folder.join(self.limit), most.to_string()).unwrap();
        // It may have ended; then the next one is not touched and the test says so.
        let _ = std::fs::write(self.folder.join("cgroup.procs"), pid.to_string());
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Processes that are being ended hold it for a moment.
        for _ in 0..100 {
            if std::fs::remove_dir(&self.folder).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
