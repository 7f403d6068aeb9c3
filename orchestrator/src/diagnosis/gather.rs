//! Looking at a run: the edge of this room.

use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};

use super::past::{Past, Started};
use super::processes::{Seen, command};
use super::{Disk, Facts, Holder, LockWait, Program, Said, Standing, UnitAtWork, Worker};
use crate::report::Report;
use crate::run::{FolderError, RunFolder, debug_line, read_events};

/// As much of the end of a log is read for its last line, in bytes.
const TAIL: u64 = 8 * 1024;

/// Looks at the run called `name` for `pause`, in which it shows which processes work.
///
/// # Errors
/// When there is no such run.
pub fn gather(results: &Utf8Path, cache: &Utf8Path, name: &str, pause: Duration) -> Result<Facts, FolderError> {
    let run = RunFolder::locate(results, name)?;
    let path = results.join(&run);
    let engine = RunFolder::open(results, &run).map(|folder| folder.options.engine).map_err(|error| error.to_string());
    let log = path.join("events.jsonl");
    let (events, unreadable) = match log.exists().then(|| read_events(&log)) {
        None => (Vec::new(), None),
        Some(Ok(events)) => (events, None),
        Some(Err(error)) => (Vec::new(), Some(error.to_string())),
    };
    let (lines, bad_lines) = match debug_line::read(&path) {
        Ok(lines) => (lines, None),
        Err(error) => (Vec::new(), Some(error.to_string())),
    };
    let mut past = Past::read(&events, &lines);
    if let Some(why) = unreadable.or(bad_lines) {
        past.standing = Standing::Unreadable(why);
    } else if let Standing::Ended { headline, .. } = &mut past.standing {
        match headline_of(&path) {
            Ok(text) => *headline = Some(text),
            Err(why) => past.standing = Standing::Unreadable(why),
        }
    }
    let seen = Seen::look(pause);
    let worker = worker(&path, &seen);
    let is_alive = worker.is_some();
    let at_work = match is_alive {
        true => past.open.iter().map(|open| unit(&past, open, &worker, cache, results, &seen)).collect(),
        // What they were at is known, what they wait for is nothing any more.
        false => past.open.iter().map(left).collect(),
    };
    let of_no_unit = |unit: &Option<String>| !past.open.iter().any(|open| Past::belongs(unit.as_deref(), &open.unit));
    let waits = past.waits.iter().filter(|(unit, ..)| is_alive && of_no_unit(unit));
    let waits = waits.map(|(_, path, since)| wait(path, *since, results, &seen)).collect();
    Ok(Facts {
        run,
        now_ms: jiff::Timestamp::now().as_millisecond(),
        engine,
        standing: past.standing,
        worker,
        last_worker: past.last_worker,
        last_sign_ms: past.last_sign_ms,
        last_words: past.words,
        planned: past.planned,
        ended: past.ended,
        at_work,
        waits,
        infra: past.infra,
        disks: [("results", path.as_path()), ("cache", cache)]
            .iter()
            .filter_map(|(what, path)| disk(what, path))
            .collect(),
        memory_mib: memory_mib(),
        path,
    })
}

/// The sentence of a report.
fn headline_of(run: &Utf8Path) -> Result<String, String> {
    let path = run.join("report.json");
    let text = fs_err::read_to_string(&path).map_err(|error| error.to_string())?;
    Report::from_json(&text).map(|report| report.headline).map_err(|error| format!("{path}: {error}"))
}

/// Who works on a run: the holder of its lock. A lock that is only asked for is not taken and keeps what it says.
fn worker(run: &Utf8Path, seen: &Seen) -> Option<Worker> {
    let path = run.join("lock");
    let file = std::fs::File::open(&path).ok()?;
    match crate::process::try_lock_shared(&file) {
        Ok(()) | Err(std::fs::TryLockError::Error(_)) => None,
        Err(std::fs::TryLockError::WouldBlock) => {
            let held = seen.holders(&path).first().map(|holder| holder.pid);
            let said = || fs_err::read_to_string(&path).ok().and_then(|text| text.trim().parse().ok());
            let pid: Option<u32> = held.or_else(said);
            let state = pid.and_then(|pid| seen.state(pid));
            let cpu_ms = pid.map_or(0, |pid| seen.cpu_ms(pid));
            Some(Worker { pid, state, command: pid.map(command).unwrap_or_default(), cpu_ms })
        }
    }
}

fn left(open: &super::past::Open) -> UnitAtWork {
    UnitAtWork { unit: open.unit.clone(), attempt: open.attempt, since_ms: open.since_ms, ..UnitAtWork::default() }
}

/// Everything about a unit at work.
fn unit(
    past: &Past,
    open: &super::past::Open,
    worker: &Option<Worker>,
    cache: &Utf8Path,
    results: &Utf8Path,
    seen: &Seen,
) -> UnitAtWork {
    let own = |logged: &Option<String>| Past::belongs(logged.as_deref(), &open.unit);
    let worker = worker.as_ref().and_then(|worker| worker.pid);
    // An id may have been given to another process since.
    let is_ours = |pid: u32| worker.is_none_or(|worker| seen.is_below(pid, worker));
    let started = past.programs.iter().filter(|program| own(&program.unit) && is_ours(program.pid));
    let started: Vec<&Started> = started.collect();
    let programs = started.iter().map(|program| Program {
        name: program.name.clone(),
        pid: program.pid,
        deadline_ms: program.deadline_ms,
        processes: seen.family(program.pid),
    });
    let boot = past.keys.get(&open.unit).and_then(|key| newest_attempt(&cache.join("boots").join(key)));
    let mut logs: Vec<Utf8PathBuf> = started.iter().filter_map(|program| program.log.clone()).collect();
    logs.extend(boot.iter().map(|boot| boot.join("console.log")));
    let said = logs.iter().filter_map(|log| last_line(log)).max_by_key(|said| said.at_ms);
    let deadline = past.deadlines.get(&open.unit).map(|deadline| {
        // Silence begins anew with every frame of the agent.
        let frames = boot.as_ref().filter(|_| deadline.name == "silence").map(|boot| boot.join("results.jsonl"));
        let from = frames.and_then(|frames| modified_ms(&frames)).unwrap_or(deadline.at_ms).max(deadline.at_ms);
        (deadline.name.clone(), from + deadline.in_ms)
    });
    let waits = past.waits.iter().filter(|(unit, ..)| own(unit));
    UnitAtWork {
        waits: waits.map(|(_, path, since)| wait(path, *since, results, seen)).collect(),
        programs: programs.collect(),
        said,
        guest_deadline: deadline,
        ..left(open)
    }
}

fn wait(path: &Utf8Path, since_ms: i64, results: &Utf8Path, seen: &Seen) -> LockWait {
    let of_run = |holder: Holder| Holder { run: run_of(holder.pid, results, seen), ..holder };
    let holders = seen.holders(path).into_iter().map(of_run).collect();
    LockWait { path: path.to_owned(), since_ms, holders }
}

/// The run of these results that a process works on.
fn run_of(pid: u32, results: &Utf8Path, seen: &Seen) -> Option<String> {
    let entries = results.read_dir_utf8().ok()?.filter_map(Result::ok).filter(|entry| entry.file_name() != "latest");
    let mut runs = entries.filter(|entry| seen.holders(&entry.path().join("lock")).iter().any(|held| held.pid == pid));
    runs.next().map(|entry| entry.file_name().to_owned())
}

/// The folder of the attempt that was written to last.
fn newest_attempt(boot: &Utf8Path) -> Option<Utf8PathBuf> {
    let attempts = boot.read_dir_utf8().ok()?.filter_map(Result::ok).filter(|entry| entry.path().is_dir());
    attempts.map(|entry| entry.path().to_owned()).max_by_key(|path| modified_ms(path))
}

fn modified_ms(path: &Utf8Path) -> Option<i64> {
    let modified = fs_err::metadata(path).ok()?.modified().ok()?;
    Some(jiff::Timestamp::try_from(modified).ok()?.as_millisecond())
}

/// The last line of a log that is not empty.
fn last_line(file: &Utf8Path) -> Option<Said> {
    use std::io::{Read, Seek, SeekFrom};
    let at_ms = modified_ms(file)?;
    let mut open = fs_err::File::open(file).ok()?;
    let length = open.metadata().ok()?.len();
    open.seek(SeekFrom::Start(length.saturating_sub(TAIL))).ok()?;
    let mut bytes = Vec::new();
    open.take(TAIL).read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let line = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
    Some(Said { file: file.to_owned(), line: line.to_owned(), at_ms })
}

fn disk(what: &str, path: &Utf8Path) -> Option<Disk> {
    let stat = nix::sys::statvfs::statvfs(path.as_std_path()).ok()?;
    Some(Disk {
        what: what.to_owned(),
        path: path.to_owned(),
        free: stat.blocks_available() * stat.fragment_size(),
        // A file system that makes them as they are needed says zero.
        files: (stat.files() > 0).then(|| stat.files_available()),
        read_only: stat.flags().contains(nix::sys::statvfs::FsFlags::ST_RDONLY),
    })
}

fn memory_mib() -> Option<u64> {
    let text = fs_err::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kib| kib / 1024)
}
