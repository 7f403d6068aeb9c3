//! Removing what old runs left: run folders, results by key and what was made beside them, old bases of trees, and on
//! demand build folders and trees.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use camino::{Utf8Path, Utf8PathBuf};
use tokio_util::sync::CancellationToken;

use super::{RunFolder, read_events};
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
    let runs = RunFolder::all(results)?;
    let mut doomed: Vec<Utf8PathBuf> = Vec::new();
    let mut used = BTreeSet::new();
    let kept_from = runs.len().saturating_sub(budget.keep_runs);
    let mut busy = false;
    for (index, run) in runs.iter().enumerate() {
        let running = run.lock().is_err();
        busy |= running;
        if index < kept_from && !running {
            doomed.push(run.path().to_owned());
        } else {
            used.extend(keys(run)?);
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
        let metadata = fs_err::symlink_metadata(&path)?;
        let bytes = if metadata.is_dir() { tree::folder_size(&path)? } else { metadata.len() };
        match (budget.dry_run, metadata.is_dir()) {
            (true, _) => {}
            (false, true) => fs_err::remove_dir_all(&path)?,
            (false, false) => fs_err::remove_file(&path)?,
        }
        removed.push((path, bytes));
    }
    Ok(removed)
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
fn keys(run: &RunFolder) -> std::io::Result<Vec<String>> {
    let log = run.path().join("events.jsonl");
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
    for entry in path.read_dir_utf8()? {
        let entry = entry?;
        least = least.min(if entry.file_type()?.is_dir() { newest(entry.path())? } else { age(entry.path())? });
    }
    Ok(least)
}

fn age(path: &Utf8Path) -> std::io::Result<Duration> {
    let modified = fs_err::symlink_metadata(path)?.modified()?;
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
