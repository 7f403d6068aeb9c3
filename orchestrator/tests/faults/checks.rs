//! What must hold after any fault: nobody left, nothing held, nothing half, nothing done twice.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::stage::{Stage, read_json};

/// Longest until everything that a killed program left behind is gone.
const PATIENCE: Duration = Duration::from_secs(30);

/// Asserts that no process, mount or lock of the stage is left, and gives how long that took.
pub fn nothing_is_left(stage: &Stage) -> Duration {
    let start = Instant::now();
    loop {
        let mut left = processes(stage);
        left.extend(mounts(stage));
        left.extend(locks(stage));
        if left.is_empty() {
            return start.elapsed();
        }
        assert!(start.elapsed() < PATIENCE, "left behind: {left:#?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Processes that were started with a path of the stage, or stand in one.
fn processes(stage: &Stage) -> Vec<String> {
    let ours = [stage.cache.to_str().unwrap().to_owned(), stage.folder().to_str().unwrap().to_owned()];
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        if pid == std::process::id() {
            continue;
        }
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        let stands = std::fs::read_link(entry.path().join("cwd")).unwrap_or_default();
        let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
        let environment = String::from_utf8_lossy(&environment).into_owned();
        let named = |text: &str| ours.iter().any(|path| names_path(text, path));
        // The test itself may have been started with the cache in its environment.
        if named(&line) || named(&stands.to_string_lossy()) || environment.contains(ours[1].as_str()) {
            found.push(format!("process {pid}: {line}"));
        }
    }
    found
}

/// Whether a text has this path, itself or with more below it.
fn names_path(text: &str, path: &str) -> bool {
    let after = |at: usize| text[at + path.len()..].chars().next();
    text.match_indices(path).any(|(at, _)| after(at).is_none_or(|c| !c.is_alphanumeric() && c != '-' && c != '.'))
}

#[test]
fn a_path_is_not_that_of_a_folder_beside_it() {
    assert!(names_path("qemu -kernel /c/cache/builds/x", "/c/cache") && names_path("/c/cache", "/c/cache"));
    assert!(!names_path("qemu -kernel /c/cache2/builds/x", "/c/cache"));
}

fn mounts(stage: &Stage) -> Vec<String> {
    let table = std::fs::read_to_string("/proc/self/mounts").unwrap();
    let below = |line: &&str| {
        let place = line.split(' ').nth(1).unwrap_or_default();
        let place = Path::new(place);
        // A stage may itself be a mount.
        (place.starts_with(&stage.cache) && place != stage.cache) || place.starts_with(stage.folder().join("tmp"))
    };
    table.lines().filter(below).map(|line| format!("mount {line}")).collect()
}

/// Locks that somebody holds.
fn locks(stage: &Stage) -> Vec<String> {
    let mut found = Vec::new();
    for path in lock_files(stage) {
        let Ok(file) = std::fs::File::open(&path) else { continue };
        if let Err(std::fs::TryLockError::WouldBlock) = file.try_lock() {
            found.push(format!("lock {}", path.display()));
        }
    }
    found
}

fn lock_files(stage: &Stage) -> Vec<PathBuf> {
    let mut folders = vec![stage.results(), stage.cache.clone()];
    for parent in ["trees", "work", "builds", "boots", "symbols"] {
        folders.push(stage.cache.join(parent));
    }
    for parent in [stage.results(), stage.cache.join("work")] {
        folders.extend(names(&parent).into_iter().map(|name| parent.join(name)));
    }
    let is_lock = |name: &String| name == "lock" || name.ends_with(".lock");
    let all = folders.iter().flat_map(|folder| names(folder).into_iter().filter(is_lock).map(|name| folder.join(name)));
    all.filter(|path| path.is_file()).collect()
}

pub fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Every finished result of the cache: its record, told apart from one that was written again.
pub type Finished = BTreeMap<PathBuf, (u64, i64, i64)>;

/// Reads every record; asserts that each is whole.
pub fn finished(stage: &Stage) -> Finished {
    let mut all = Finished::new();
    for kind in ["builds", "boots"] {
        let folder = stage.cache.join(kind);
        for key in names(&folder).into_iter().filter(|key| !key.starts_with('.')) {
            let record = folder.join(&key).join("record.json");
            if let Ok(data) = std::fs::metadata(&record) {
                read_json(&record);
                all.insert(record, (data.ino(), data.mtime(), data.mtime_nsec()));
            }
        }
    }
    all
}

/// Asserts that what was finished before is there still, and was not made again.
pub fn nothing_is_lost(before: &Finished, after: &Finished) {
    for (record, stamp) in before {
        assert_eq!(after.get(record), Some(stamp), "{} was lost or made again", record.display());
    }
}

/// Asserts that every file of the runs that is there can be read, and the event log but for a cut-off line.
pub fn nothing_is_half(stage: &Stage) {
    for run in names(&stage.results()).into_iter().filter(|name| name != "latest" && !name.starts_with('.')) {
        let run = stage.results().join(run);
        for file in ["run.json", "report.json"] {
            if run.join(file).exists() {
                read_json(&run.join(file));
            }
        }
        let html = std::fs::read_to_string(run.join("report.html")).unwrap_or("</html>".to_owned());
        assert!(html.trim_end().ends_with("</html>"), "{} is cut off", run.display());
    }
}

/// Asserts that the run made no result twice.
pub fn nothing_was_done_twice(run: &Path) {
    let mut made: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for event in events(run) {
        let ended = event["event"] == "unit-ended" && event["reused"] == false;
        let good = event["outcome"] == "done" || event["outcome"] == "failed";
        if let (true, true, Some(key)) = (ended, good, event["key"].as_str()) {
            made.entry(key.to_owned()).or_default().push(event["unit"].to_string());
        }
    }
    let twice: Vec<_> = made.iter().filter(|(_, units)| units.len() > 1).collect();
    assert!(twice.is_empty(), "made twice: {twice:#?}");
}

/// Events of a run's log.
pub fn events(run: &Path) -> Vec<Value> {
    let text = std::fs::read(run.join("events.jsonl")).unwrap_or_default();
    String::from_utf8_lossy(&text).lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// Asserts that a run that came to its end left nothing that it made on the way.
pub fn no_leftovers(stage: &Stage) {
    let mut found = Vec::new();
    let mut look = |folder: PathBuf| {
        for name in names(&folder) {
            let temporary = name.starts_with(".making")
                || name.starts_with(".tmp")
                || name.starts_with(".unpacking")
                || name.starts_with(".latest")
                || name.starts_with("tmp_pack")
                || [".partial", ".tmp", ".new", "-old", ".sock"].iter().any(|end| name.ends_with(end));
            if temporary {
                found.push(folder.join(name));
            }
        }
    };
    for folder in ["", "builds", "boots", "trees", "symbols", "programs", "plugins", "home", "intake", "work"] {
        look(stage.cache.join(folder));
    }
    for folder in names(&stage.cache.join("work")) {
        look(stage.cache.join("work").join(folder));
    }
    for folder in names(&stage.cache.join("boots")) {
        let folder = stage.cache.join("boots").join(folder);
        look(folder.clone());
        names(&folder).into_iter().for_each(|attempt| look(folder.join(attempt)));
    }
    look(stage.cache.join("trees/linux-6.12.git/objects/pack"));
    look(stage.results());
    look(stage.latest());
    look(stage.temporary());
    let own: Vec<String> = names(&stage.temporary());
    assert!(found.is_empty() && own.is_empty(), "left behind: {found:#?} {own:#?}");
}

/// Keys of the builds or boots that a run made or took, without those of the base: that is the same for every trial.
pub fn used(run: &Path, kind: &str) -> impl Iterator<Item = String> {
    let of_kind = |event: &Value| event["event"] == "unit-ended" && event["kind"] == kind;
    let own = |event: &Value| !event["unit"].as_str().unwrap_or_default().contains("/base/");
    let events: Vec<Value> = events(run).into_iter().filter(|event| of_kind(event) && own(event)).collect();
    events.into_iter().filter_map(|event| event["key"].as_str().map(str::to_owned))
}

/// Removes the boots that the last run used, so that they are had again.
pub fn forget_its_boots(stage: &Stage) {
    for key in used(&stage.latest(), "boot") {
        let _ = std::fs::remove_dir_all(stage.cache.join("boots").join(key));
    }
}
