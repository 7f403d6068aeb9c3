//! Finished builds in the cache: `builds/<key>/` with `record.json` as the sign that it is whole.

use camino::{Utf8Path, Utf8PathBuf};

use super::seal::{check, seal};
use crate::words::{BuildOutcome, BuildRecord, Kconfig, Kind, Revision};

/// Name of the record inside a build's folder.
const RECORD: &str = "record.json";

/// Folder of the build with this key.
pub fn folder(cache: &Utf8Path, key: &str) -> Utf8PathBuf {
    cache.join("builds").join(key)
}

/// The record of a finished build, when the cache holds it.
///
/// Revision and kconfig name in it are those it was built for; see [`relabel`]. A folder without a readable record
/// (an older format, a damaged disk) counts as not built. Of the other files only [`check`] tells whether they are whole:
/// reading a kernel takes longer than most of a run that finds everything.
pub fn lookup(cache: &Utf8Path, key: &str) -> Option<BuildRecord> {
    let dir = folder(cache, key);
    let text = std::fs::read_to_string(dir.join(RECORD)).ok()?;
    let mut record: BuildRecord = serde_json::from_str(&text).ok()?;
    if let Err(damaged) = check(&dir, [RECORD]) {
        tracing::warn!(%damaged, "a build of the cache is not used");
        return None;
    }
    // The cache may have been moved since.
    record.artefacts.dir = dir;
    (record.key == key && tells_sources(&record)).then_some(record)
}

/// Whether a record says what it was made of, as far as anything was made. Those of older versions do not, and without
/// that nobody can tell whether a build says anything about a series.
fn tells_sources(record: &BuildRecord) -> bool {
    let made = match record.outcome {
        BuildOutcome::Built | BuildOutcome::SelftestsFailed { .. } => {
            record.kind != Kind::Compile || !record.compiled.is_empty()
        }
        BuildOutcome::Failed { .. } | BuildOutcome::Infra { .. } | BuildOutcome::NotRun { .. } => false,
    };
    !made || record.artefacts.sources.is_some()
}

/// Throws a build away: from now on it counts as not built.
///
/// # Errors
/// When the disk refuses.
pub fn discard(dir: &Utf8Path) -> std::io::Result<()> {
    match fs_err::remove_file(dir.join(RECORD)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// The same build seen as another revision or kconfig with the same key.
pub fn relabel(record: BuildRecord, revision: Revision, kconfig: &Kconfig) -> BuildRecord {
    BuildRecord { revision, kconfig: kconfig.name.clone(), ..record }
}

/// Whether a build that ended so is worth keeping: trouble of ours says nothing about the next try.
pub(super) fn is_final(outcome: &BuildOutcome) -> bool {
    match outcome {
        BuildOutcome::Built | BuildOutcome::Failed { .. } | BuildOutcome::SelftestsFailed { .. } => true,
        BuildOutcome::Infra { .. } | BuildOutcome::NotRun { .. } => false,
    }
}

/// Writes `record` into the prepared folder `staging` and renames that to its place.
///
/// # Errors
/// When the disk refuses.
pub(super) fn publish(cache: &Utf8Path, staging: &Utf8Path, record: &BuildRecord, fresh: bool) -> std::io::Result<()> {
    if !fresh && lookup(cache, &record.key).is_some() {
        // Made by another process meanwhile; same key, same content. Somebody may read it already.
        return fs_err::remove_dir_all(staging);
    }
    let text = serde_json::to_vec_pretty(record).map_err(std::io::Error::other)?;
    let partial = staging.join("record.json.partial");
    fs_err::write(&partial, text)?;
    fs_err::rename(&partial, staging.join(RECORD))?;
    seal(staging)?;
    let place = folder(cache, &record.key);
    if place.exists() {
        // Unreadable, or not wanted any more. Away in one step, so that a reader finds one of the two.
        let old = place.with_file_name(format!("{}-old", staging.file_name().unwrap_or(".old")));
        fs_err::rename(&place, &old)?;
        fs_err::rename(staging, &place)?;
        return fs_err::remove_dir_all(old);
    }
    fs_err::rename(staging, &place)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::testing::folder as testing_folder;
    use crate::words::Artefacts;
    use crate::words::testing::build_record;

    fn record(key: &str) -> BuildRecord {
        let artefacts = Artefacts { sources: Some("sources".into()), ..Artefacts::default() };
        BuildRecord { key: key.into(), artefacts, ..build_record(0, 1) }
    }

    #[test]
    fn a_published_record_is_found_and_points_into_this_cache() {
        let (_guard, cache) = testing_folder();
        let staging = cache.join("builds/.staging");
        fs_err::create_dir_all(&staging).unwrap();
        fs_err::write(staging.join("vmlinux"), "x").unwrap();
        publish(&cache, &staging, &record("k1"), false).unwrap();
        let found = lookup(&cache, "k1").unwrap();
        assert_eq!(found.artefacts.dir, folder(&cache, "k1"));
        assert!(found.artefacts.dir.join("vmlinux").is_file());
        assert!(!staging.exists());
        let older = BuildRecord { artefacts: Artefacts::default(), ..record("k2") };
        fs_err::create_dir_all(&staging).unwrap();
        publish(&cache, &staging, &older, false).unwrap();
        assert_eq!(lookup(&cache, "k2"), None, "it does not say what it was made of");
    }

    #[test]
    fn half_done_and_damaged_folders_are_not_found_and_can_be_replaced() {
        let (_guard, cache) = testing_folder();
        let place = folder(&cache, "k1");
        fs_err::create_dir_all(&place).unwrap();
        assert_eq!(lookup(&cache, "k1"), None, "no record");
        fs_err::write(place.join(RECORD), "{\"key\": \"k1\"").unwrap();
        assert_eq!(lookup(&cache, "k1"), None, "cut off");
        let staging = cache.join("builds/.staging");
        fs_err::create_dir_all(&staging).unwrap();
        publish(&cache, &staging, &record("k1"), false).unwrap();
        assert!(lookup(&cache, "k1").is_some());
        let text = fs_err::read_to_string(place.join(RECORD)).unwrap();
        fs_err::write(place.join(RECORD), text.replacen("\"wall_ms\": ", "\"wall_ms\": 1", 1)).unwrap();
        assert_eq!(lookup(&cache, "k1"), None, "readable, but not what was written");
    }

    #[test]
    fn a_discarded_build_is_not_found_and_can_be_made_again() {
        let (_guard, cache) = testing_folder();
        let staging = cache.join("builds/.staging");
        for _ in 0..2 {
            fs_err::create_dir_all(&staging).unwrap();
            publish(&cache, &staging, &record("k1"), false).unwrap();
            assert!(lookup(&cache, "k1").is_some());
            discard(&folder(&cache, "k1")).unwrap();
            assert_eq!(lookup(&cache, "k1"), None);
        }
        discard(&folder(&cache, "k1")).expect("it is gone already");
    }

    #[test]
    fn only_results_about_the_kernel_are_final() {
        let reason = String::new();
        assert!(is_final(&BuildOutcome::Failed { reason: reason.clone() }));
        assert!(is_final(&BuildOutcome::SelftestsFailed { reason: reason.clone() }));
        assert!(!is_final(&BuildOutcome::Infra { reason: reason.clone() }));
        assert!(!is_final(&BuildOutcome::NotRun { reason }));
    }
}
