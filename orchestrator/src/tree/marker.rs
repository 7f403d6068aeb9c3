//! What an import left: the file `imported.json` in the bare repository.
//!
//! It is written last, under a temporary name, and renamed: a repository without it is half made.

use std::io::Write;
use std::os::unix::fs::MetadataExt;

use camino::Utf8Path;
use serde::{Deserialize, Serialize};

use super::spec::Source;

/// Version of the file's format.
const FORMAT: u32 = 1;
const NAME: &str = "imported.json";

/// A finished import.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Imported {
    pub(super) format: u32,
    /// Which source served.
    pub(super) source: Source,
    /// The same for people, with what was found there.
    pub(super) served: String,
    /// What tells a newer state from this one: package version, commit, the tarball's stamp.
    pub(super) version: String,
    /// Base commit.
    pub(super) commit: String,
    /// Tree id of the commit.
    pub(super) tree: String,
    /// Version from the Makefile.
    pub(super) kernel_version: String,
    /// Sources before it that failed.
    pub(super) skipped: Vec<String>,
}

impl Imported {
    pub(super) fn current_format() -> u32 {
        FORMAT
    }

    /// The marker of a repository; `None` when there is none that this program understands.
    pub(super) fn read(repo: &Utf8Path) -> Option<Imported> {
        let bytes = std::fs::read(repo.join(NAME)).ok()?;
        serde_json::from_slice(&bytes).ok().filter(|marker: &Imported| marker.format == FORMAT)
    }

    /// Writes it, whole or not at all.
    pub(super) fn write(&self, repo: &Utf8Path) -> std::io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(repo)?;
        serde_json::to_writer_pretty(&mut file, self)?;
        file.write_all(b"\n")?;
        file.persist(repo.join(NAME))?;
        Ok(())
    }
}

/// Size and time of a file: enough to see that it was replaced.
pub(super) fn stamp(file: &Utf8Path) -> std::io::Result<String> {
    let meta = fs_err::metadata(file)?;
    Ok(format!("{} bytes, {}.{:09}", meta.len(), meta.mtime(), meta.mtime_nsec()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::file::DebianEntry;

    #[test]
    fn a_marker_survives_a_round_trip_and_a_foreign_one_is_no_marker() {
        let folder = tempfile::tempdir().unwrap();
        let repo = Utf8Path::from_path(folder.path()).unwrap();
        assert_eq!(Imported::read(repo), None);
        let source =
            Source::Debian(DebianEntry { package: "linux-source-6.12".into(), suite: None, metapackage: false });
        let marker = Imported {
            format: FORMAT,
            source,
            served: "Debian package linux-source-6.12 6.12.117-1".into(),
            version: "6.12.117-1".into(),
            commit: "c".repeat(40),
            tree: "d".repeat(40),
            kernel_version: "6.12.117".into(),
            skipped: vec![],
        };
        marker.write(repo).unwrap();
        assert_eq!(Imported::read(repo), Some(marker.clone()));
        Imported { format: FORMAT + 1, ..marker }.write(repo).unwrap();
        assert_eq!(Imported::read(repo), None);
        std::fs::write(repo.join(NAME), "{\"form").unwrap();
        assert_eq!(Imported::read(repo), None);
    }
}
