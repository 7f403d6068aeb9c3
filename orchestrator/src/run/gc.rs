//! Removing what old runs left: run folders, results by key and what was made beside them, old bases of trees, and on
//! demand build folders and trees.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use camino::{Utf8Path, Utf8PathBuf};
use tokio_util::sync::CancellationToken;

use super::keep_disk::{Choice, Part, Value, choose};
use super::{RunFolder, read_events, users};
use crate::lab;
use crate::tree::{self, Pruned, TreeError};
use crate::words::Event;

/// What may stay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budget {
    /// This many of the newest runs stay.
    pub keep_runs: usize,
    /// Results that no kept run uses stay this many days after their last use.
    pub days: u64,
    /// Build folders and imported trees go, too.
    pub all: bool,
    /// Nothing is removed.
    pub dry_run: bool,
}

/// What is no result stays this long: somebody may still be at work on it.
const LEFTOVER: Duration = Duration::from_secs(86_400);

/// Removes what the budget does not keep and gives each removed folder or file with its size in bytes. Runs that a process
/// works on, and everything that kept runs refer to, stay.
///
/// # Errors
/// When a folder cannot be read or removed.
pub fn collect(
    results: &Utf8Path,
    cache: &Utf8Path,
    budget: &Budget,
) -> Result<Vec<(Utf8PathBuf, u64)>, super::FolderError> {
    let _gate = users::close_gate(cache)?;
    let runs = RunFolder::all(results)?;
    let mut doomed: Vec<Utf8PathBuf> = Vec::new();
    let mut used = BTreeSet::new();
    let kept_from = runs.len().saturating_sub(budget.keep_runs);
    // Runs of other results folders use the cache, too.
    let others = users::users(cache)?;
    let mut busy = !others.is_empty();
    for other in &others {
        used.extend(keys(other)?);
    }
    for (index, run) in runs.iter().enumerate() {
        let running = run.lock().is_err();
        busy |= running;
        if index < kept_from && !running {
            doomed.push(run.path().to_owned());
        } else {
            used.extend(keys(run.path())?);
        }
    }
    doomed.extend(unborn(results)?);
    let old = Duration::from_secs(budget.days * 86_400);
    for kind in ["builds", "boots"] {
        for (path, name) in entries(&cache.join(kind))? {
            let is_old = match is_leftover(&name) {
                // A process that still works there writes its log.
                true => newest(&path)? >= LEFTOVER,
                false => !used.contains(&name) && age(&path)? >= old,
            };
            if is_old {
                doomed.push(path);
            }
        }
    }
    for kind in ["symbols", "plugins", "programs"] {
        for (path, name) in files(&cache.join(kind))? {
            // They are made again within a second, and a guest has read them when it is up.
            let is_old = match is_leftover(&name) {
                true => age(&path)? >= LEFTOVER,
                false => !busy && !is_needed(&name, &used) && age(&path)? >= old,
            };
            if is_old {
                doomed.push(path);
            }
        }
    }
    for (path, _) in files(&cache.join("locks"))? {
        // A killed process left it, unless somebody is at this work for a day.
        if !busy && age(&path)? >= LEFTOVER {
            doomed.push(path);
        }
    }
    if !busy {
        // What was sent to an engine for a run; the results themselves are in builds and boots.
        for (path, _) in entries(&cache.join("jobs"))? {
            if age(&path)? >= old {
                doomed.push(path);
            }
        }
    }
    if budget.all && !busy {
        for kind in ["work", "trees"] {
            doomed.extend(entries(&cache.join(kind))?.into_iter().map(|(path, _)| path));
        }
    }
    let mut removed = Vec::new();
    for path in doomed {
        let bytes = size(&path)?;
        if !budget.dry_run {
            remove(&path)?;
        }
        removed.push((path, bytes));
    }
    Ok(removed)
}

/// A result that was used this short a time ago may be the next thing that a run at work reads.
const FRESH: Duration = Duration::from_secs(3600);

/// Removes what was used least recently until cache and runs take no more than `bytes`. Nothing goes that a run at work uses,
/// and no run folder.
///
/// # Errors
/// When a folder cannot be read or removed.
pub fn fit(results: &Utf8Path, cache: &Utf8Path, bytes: u64, dry_run: bool) -> Result<Choice, super::FolderError> {
    let _gate = users::close_gate(cache)?;
    let parts = parts(results, cache)?;
    let choice = choose(&parts, bytes);
    if !dry_run {
        for part in &choice.goes {
            remove(&part.path)?;
        }
    }
    Ok(choice)
}

/// Everything on the disk that is ours.
fn parts(results: &Utf8Path, cache: &Utf8Path) -> Result<Vec<Part>, super::FolderError> {
    const AT_WORK: &str = "a run is at work";
    let mut parts = Vec::new();
    let mut add = |path: Utf8PathBuf, value: Value, held: Option<&'static str>| -> std::io::Result<()> {
        // What a run at work has made may be gone or have another name now.
        let modified = match fs_err::symlink_metadata(&path) {
            Ok(metadata) => metadata.modified()?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        let used = modified.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
        parts.push(Part { bytes: size(&path)?, path, used, value, held });
        Ok(())
    };
    let mut at_work = users::users(cache)?;
    for run in RunFolder::all(results)? {
        if run.lock().is_err() {
            at_work.push(run.path().to_owned());
        }
        add(run.path().to_owned(), Value::Made, Some("runs that are kept; --keep-runs says how many"))?;
    }
    let mut used = BTreeSet::new();
    for run in &at_work {
        used.extend(keys(run)?);
    }
    let busy = (!at_work.is_empty()).then_some(AT_WORK);
    for kind in ["builds", "boots"] {
        for (path, name) in entries(&cache.join(kind))? {
            let held = match (is_leftover(&name), busy) {
                (true, busy) => busy.or((newest(&path)? < FRESH).then_some("it was written to within the last hour")),
                (false, Some(why)) if used.contains(&name) || age(&path)? < FRESH => Some(why),
                (false, _) => None,
            };
            add(path, Value::Made, held)?;
        }
    }
    for kind in ["symbols", "plugins", "programs"] {
        for (path, _) in files(&cache.join(kind))? {
            add(path, Value::Made, busy)?;
        }
    }
    for (kind, value) in [("jobs", Value::Made), ("work", Value::Made), ("trees", Value::Fetched)] {
        for (path, _) in entries(&cache.join(kind))? {
            add(path, value, busy)?;
        }
    }
    Ok(parts)
}

fn size(path: &Utf8Path) -> std::io::Result<u64> {
    match fs_err::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => tree::folder_size(path),
        Ok(metadata) => Ok(metadata.len()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(error),
    }
}

fn remove(path: &Utf8Path) -> std::io::Result<()> {
    match fs_err::symlink_metadata(path)?.is_dir() {
        true => fs_err::remove_dir_all(path),
        false => fs_err::remove_file(path),
    }
}

/// Has every imported tree forget the bases it had before the present one. Gives each tree with what that freed.
///
/// # Errors
/// When a repository cannot be read, or git refuses.
pub async fn prune_trees(
    cache: &Utf8Path,
    dry_run: bool,
    cancel: &CancellationToken,
) -> Result<Vec<(String, Pruned)>, PruneError> {
    let mut all = Vec::new();
    for (path, _) in entries(&cache.join("trees"))? {
        let Some(name) = path.file_name().and_then(|name| name.strip_suffix(".git")) else { continue };
        if let Some(pruned) = tree::prune(cache, name, "1.day.ago", dry_run, cancel).await? {
            all.push((name.to_owned(), pruned));
        }
    }
    Ok(all)
}

/// Trees that could not be pruned.
#[derive(Debug, thiserror::Error)]
pub enum PruneError {
    /// The cache cannot be read.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// A tree's repository is not usable.
    #[error(transparent)]
    Tree(#[from] TreeError),
}

/// Whether a folder of the cache is no result: what a killed build left, or the log of one that ended in trouble of
/// ours, which is in the run's folder, too.
fn is_leftover(name: &str) -> bool {
    name.starts_with('.') || name.ends_with(".infra")
}

/// Whether a file that was made for builds and boots is still wanted: the symbol table of a build that a kept run used,
/// and the programs that this version of ours brings along.
fn is_needed(name: &str, used: &BTreeSet<String>) -> bool {
    let of_build = name.split_once('-').is_some_and(|(key, _)| used.contains(key));
    of_build || [lab::plugin_file(), lab::bench_file()].iter().any(|own| own == name)
}

/// Folders of runs that were killed before `run.json` was in them: nobody can go on with those, and nothing is in them.
fn unborn(results: &Utf8Path) -> std::io::Result<Vec<Utf8PathBuf>> {
    let mut found = Vec::new();
    for (path, name) in entries(results)? {
        let of_run =
            name.split('-').next().is_some_and(|day| day.len() == 8 && day.bytes().all(|b| b.is_ascii_digit()));
        let begun = path.read_dir_utf8()?.flatten().any(|entry| !entry.file_name().starts_with(".tmp-"));
        if of_run && !begun && newest(&path)? >= LEFTOVER {
            found.push(path);
        }
    }
    Ok(found)
}

/// Keys of the results that a run made or took.
fn keys(run: &Utf8Path) -> std::io::Result<Vec<String>> {
    let log = run.join("events.jsonl");
    if !log.exists() {
        return Ok(Vec::new());
    }
    let key = |(_, event)| match event {
        Event::UnitEnded { key, .. } => key,
        Event::RunStarted { .. }
        | Event::Planned { .. }
        | Event::UnitStarted { .. }
        | Event::UnitProgress { .. }
        | Event::Found { .. }
        | Event::Note { .. }
        | Event::RunEnded { .. } => None,
    };
    Ok(read_events(&log)?.into_iter().filter_map(key).collect())
}

/// Folders in a folder of the cache.
fn entries(dir: &Utf8Path) -> std::io::Result<Vec<(Utf8PathBuf, String)>> {
    listed(dir, std::fs::FileType::is_dir)
}

/// Files in a folder of the cache.
fn files(dir: &Utf8Path) -> std::io::Result<Vec<(Utf8PathBuf, String)>> {
    listed(dir, std::fs::FileType::is_file)
}

fn listed(dir: &Utf8Path, kind: fn(&std::fs::FileType) -> bool) -> std::io::Result<Vec<(Utf8PathBuf, String)>> {
    match dir.read_dir_utf8() {
        Ok(entries) => {
            let mut list = Vec::new();
            for entry in entries {
                let entry = entry?;
                if kind(&entry.file_type()?) {
                    list.push((entry.path().to_owned(), entry.file_name().to_owned()));
                }
            }
            list.sort();
            Ok(list)
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// How long ago anything in a folder was written.
fn newest(path: &Utf8Path) -> std::io::Result<Duration> {
    let mut least = age(path)?;
    let entries = match path.read_dir_utf8() {
        Ok(entries) => entries,
        // Gone this moment: somebody is at work.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Duration::ZERO),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        least = least.min(if entry.file_type()?.is_dir() { newest(entry.path())? } else { age(entry.path())? });
    }
    Ok(least)
}

/// How long ago something was written; what is gone this moment was written now.
fn age(path: &Utf8Path) -> std::io::Result<Duration> {
    let modified = match fs_err::symlink_metadata(path) {
        Ok(metadata) => metadata.modified()?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Duration::ZERO),
        Err(error) => return Err(error),
    };
    Ok(SystemTime::now().duration_since(modified).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::testing;

    #[test]
    fn results_of_kept_runs_and_runs_at_work_stay() {
        let folder = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(folder.path()).unwrap();
        let (results, cache) = (root.join("results"), root.join("cache"));
        let old = testing::run_folder(&results, "a");
        let kept = testing::run_folder(&results, "b");
        for (run, key) in [(&old, "one"), (&kept, "two")] {
            fs_err::create_dir_all(cache.join("builds").join(key)).unwrap();
            let mut log = super::super::EventLog::open(&run.path().join("events.jsonl")).unwrap();
            log.append(&testing::unit_ended(key)).unwrap();
        }
        let budget = Budget { keep_runs: 1, days: 0, all: false, dry_run: false };
        let lock = old.lock().unwrap();
        assert_eq!(collect(&results, &cache, &budget).unwrap(), []);
        drop(lock);
        collect(&results, &cache, &budget).unwrap();
        assert!(!old.path().exists() && kept.path().exists());
        assert!(!cache.join("builds/one").exists() && cache.join("builds/two").exists());
    }

    #[test]
    fn what_a_run_of_other_results_uses_stays() {
        let folder = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(folder.path()).unwrap();
        let (results, elsewhere, cache) = (root.join("results"), root.join("elsewhere"), root.join("cache"));
        let other = testing::run_folder(&elsewhere, "a");
        let mut log = super::super::EventLog::open(&other.path().join("events.jsonl")).unwrap();
        log.append(&testing::unit_ended("one")).unwrap();
        fs_err::create_dir_all(cache.join("builds/one")).unwrap();
        fs_err::create_dir_all(cache.join("work/t")).unwrap();
        let budget = Budget { keep_runs: 1, days: 0, all: true, dry_run: false };
        let user = users::register(&cache, other.path()).unwrap();
        assert_eq!(collect(&results, &cache, &budget).unwrap(), []);
        assert_eq!(fit(&results, &cache, 0, false).unwrap().goes, []);
        drop(user);
        assert_eq!(collect(&results, &cache, &budget).unwrap().len(), 2);
    }

    #[test]
    fn a_budget_takes_what_was_used_least_recently_but_nothing_of_a_run_at_work() {
        let folder = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(folder.path()).unwrap();
        let (results, cache) = (root.join("results"), root.join("cache"));
        let run = testing::run_folder(&results, "a");
        let mut log = super::super::EventLog::open(&run.path().join("events.jsonl")).unwrap();
        log.append(&testing::unit_ended("mine")).unwrap();
        let hour = Duration::from_secs(3600);
        for (name, hours) in [
            ("builds/mine", 9),
            ("builds/old", 8),
            ("boots/new", 2),
            ("builds/fresh", 0),
            ("work/t", 50),
            ("trees/t.git", 90),
        ] {
            let path = cache.join(name);
            fs_err::create_dir_all(&path).unwrap();
            fs_err::write(path.join("file"), [0; 1000]).unwrap();
            std::fs::File::open(&path).unwrap().set_modified(SystemTime::now() - hours * hour).unwrap();
        }
        let own = tree::folder_size(run.path()).unwrap();
        let gone = |choice: Choice| -> Vec<String> {
            choice.goes.iter().map(|part| part.path.strip_prefix(&cache).unwrap().to_string()).collect()
        };
        let lock = run.lock().unwrap();
        let own_now = tree::folder_size(run.path()).unwrap();
        assert!(own_now >= own);
        let fits = |thousands: u64, dry: bool| fit(&results, &cache, own_now + thousands * 1000, dry).unwrap();
        assert_eq!(gone(fits(5, true)), ["builds/old"]);
        assert!(cache.join("builds/old").exists(), "a dry run removes nothing");
        let all = fits(0, true);
        assert_eq!(all.stays, own_now + 4000, "{all:?}");
        assert_eq!(gone(all), ["builds/old", "boots/new"]);
        drop(lock);
        assert_eq!(gone(fits(2, false)), ["work/t", "builds/mine", "builds/old", "boots/new"]);
        assert!(!cache.join("work/t").exists() && cache.join("builds/fresh").exists());
        assert_eq!(gone(fits(0, false)), ["builds/fresh", "trees/t.git"]);
        assert!(run.path().join("run.json").exists());
    }

    #[test]
    fn tables_and_programs_that_nobody_needs_go_when_they_are_old() {
        let folder = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(folder.path()).unwrap();
        let (results, cache) = (root.join("results"), root.join("cache"));
        let kept = testing::run_folder(&results, "a");
        let mut log = super::super::EventLog::open(&kept.path().join("events.jsonl")).unwrap();
        log.append(&testing::unit_ended("one")).unwrap();
        let day = Duration::from_secs(86_400);
        let (plugin, bench) = (lab::plugin_file(), lab::bench_file());
        let all = [
            ("symbols/one-2.txt", 30),
            ("symbols/two-2.txt", 30),
            ("symbols/three-2.txt", 1),
            ("symbols/.tmpdead", 2),
            ("symbols/.tmpalive", 0),
            (&*format!("plugins/{plugin}"), 30),
            ("plugins/other.so", 30),
            (&*format!("programs/{bench}"), 30),
            ("programs/hmm-bench-other", 30),
        ];
        for (name, days) in all {
            let path = cache.join(name);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(&path, "12345").unwrap();
            std::fs::File::open(&path).unwrap().set_modified(SystemTime::now() - days * day).unwrap();
        }
        let budget = Budget { keep_runs: 1, days: 14, all: false, dry_run: true };
        let gone = |budget: &Budget| -> Vec<(String, u64)> {
            let removed = collect(&results, &cache, budget).unwrap();
            removed.into_iter().map(|(path, bytes)| (path.strip_prefix(&cache).unwrap().to_string(), bytes)).collect()
        };
        let expected = ["symbols/.tmpdead", "symbols/two-2.txt", "plugins/other.so", "programs/hmm-bench-other"]
            .map(|name| (name.to_owned(), 5));
        assert_eq!(gone(&budget), expected);
        assert!(all.iter().all(|(name, _)| cache.join(name).exists()), "a dry run removes nothing");
        assert_eq!(gone(&Budget { dry_run: false, ..budget.clone() }), expected);
        for (name, _) in all {
            assert_eq!(cache.join(name).exists(), !expected.iter().any(|(gone, _)| gone == name), "{name}");
        }
        assert_eq!(gone(&budget), []);
    }

    #[test]
    fn what_dead_processes_left_goes_after_a_day() {
        let folder = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(folder.path()).unwrap();
        let cache = root.join("cache");
        let names = [".making-dead", ".making-alive", "dead.infra", "alive.infra"];
        for name in names {
            let dir = cache.join("builds").join(name).join("modules");
            fs_err::create_dir_all(&dir).unwrap();
            fs_err::write(dir.join("log"), "").unwrap();
            if name.contains("dead") {
                let old = SystemTime::now() - 2 * LEFTOVER;
                for path in [dir.join("log"), dir.clone(), dir.parent().unwrap().to_owned()] {
                    std::fs::File::open(&path).unwrap().set_modified(old).unwrap();
                }
            }
        }
        // What a build is writing in stays even where no day is given to results.
        let results = root.join("results");
        for (name, file) in [("20260102-030405-dead", ".tmp-x"), ("20260102-030406-s", "notes"), ("notes", ".tmp-x")] {
            let dir = results.join(name);
            fs_err::create_dir_all(&dir).unwrap();
            fs_err::write(dir.join(file), "").unwrap();
            for path in [dir.join(file), dir] {
                std::fs::File::open(&path).unwrap().set_modified(SystemTime::now() - 2 * LEFTOVER).unwrap();
            }
        }
        fs_err::create_dir_all(results.join("20260102-030407-alive")).unwrap();
        let budget = Budget { keep_runs: 1, days: 0, all: false, dry_run: false };
        let removed = collect(&results, &cache, &budget).unwrap();
        let gone: Vec<_> = removed.iter().filter_map(|(path, _)| path.file_name()).collect();
        assert_eq!(gone, ["20260102-030405-dead", ".making-dead", "dead.infra"]);
    }
}
