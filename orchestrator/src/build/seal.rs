//! Hashes of what is kept, so that a damaged file of the cache is never taken for a result.
//!
//! A build's folder has the hashes of all its files in `sums.json`; a single file has its hash beside it, in a file of
//! the same name with `.b3` at the end, written before it. What older versions kept has none and is believed.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

/// Name of the file of hashes in a folder.
const SUMS: &str = "sums.json";

/// Content hashes (BLAKE3, hex) by path in the folder.
#[derive(Debug, Serialize, Deserialize)]
struct Sums {
    files: BTreeMap<Utf8PathBuf, String>,
}

/// A file that is not what it was when it was made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file} is damaged: {why}")]
pub struct Damaged {
    /// The file.
    pub file: Utf8PathBuf,
    /// In a few words.
    pub why: String,
}

fn hash(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().to_string()
}

/// Writes the hashes of all files in `folder`.
///
/// # Errors
/// When the disk refuses.
pub(super) fn seal(folder: &Utf8Path) -> std::io::Result<()> {
    let mut files = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        for entry in next.read_dir_utf8()? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                open.push(entry.into_path());
            } else {
                let name = entry.path().strip_prefix(folder).unwrap_or(entry.path()).to_owned();
                files.insert(name, hash(&fs_err::read(entry.path())?));
            }
        }
    }
    let text = serde_json::to_vec_pretty(&Sums { files }).map_err(std::io::Error::other)?;
    fs_err::write(folder.join(SUMS), text)
}

/// Reads these files of a sealed folder and compares them with what they were.
///
/// # Errors
/// The first that differs or is gone.
pub fn check<'a>(folder: &Utf8Path, files: impl IntoIterator<Item = &'a str>) -> Result<(), Damaged> {
    let path = folder.join(SUMS);
    let damaged = |file: Utf8PathBuf, why: String| Damaged { file, why };
    let text = match std::fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(damaged(path, error.to_string())),
    };
    let sums: Sums = serde_json::from_slice(&text).map_err(|error| damaged(path, error.to_string()))?;
    for name in files {
        let file = folder.join(name);
        let Some(sum) = sums.files.get(Utf8Path::new(name)) else {
            return Err(damaged(file, "it was not there when its folder was sealed".to_owned()));
        };
        match std::fs::read(&file) {
            Ok(bytes) if hash(&bytes) == *sum => {}
            Ok(_) => return Err(damaged(file, "its content changed since it was made".to_owned())),
            Err(error) => return Err(damaged(file, error.to_string())),
        }
    }
    Ok(())
}

fn seal_of(file: &Utf8Path) -> Utf8PathBuf {
    Utf8PathBuf::from(format!("{file}.b3"))
}

/// The file with the hash of `bytes` that belongs beside `file`: its path and content. It is to be written before the file.
pub fn seal_beside(file: &Utf8Path, bytes: &[u8]) -> (Utf8PathBuf, String) {
    (seal_of(file), hash(bytes))
}

/// Whether `bytes`, read from `file`, are what was written there; true of a file without a seal.
pub fn is_intact(file: &Utf8Path, bytes: &[u8]) -> bool {
    match std::fs::read_to_string(seal_of(file)) {
        Ok(seal) => seal == hash(bytes),
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::testing::folder;

    #[test]
    fn a_file_that_changed_or_went_is_named() {
        let (_guard, dir) = folder();
        fs_err::create_dir(dir.join("modules")).unwrap();
        for file in ["vmlinux", "modules/a.ko", "config"] {
            fs_err::write(dir.join(file), file).unwrap();
        }
        check(&dir, ["vmlinux"]).expect("an older folder has no hashes");
        seal(&dir).unwrap();
        let all = ["vmlinux", "modules/a.ko", "config"];
        check(&dir, all).unwrap();
        fs_err::write(dir.join("modules/a.ko"), "modules/b.ko").unwrap();
        assert_eq!(check(&dir, all).unwrap_err().file, dir.join("modules/a.ko"));
        check(&dir, ["vmlinux"]).unwrap();
        fs_err::remove_file(dir.join("config")).unwrap();
        assert_eq!(check(&dir, ["config"]).unwrap_err().file, dir.join("config"));
        fs_err::write(dir.join("new"), "").unwrap();
        assert_eq!(check(&dir, ["new"]).unwrap_err().file, dir.join("new"));
        fs_err::write(dir.join(SUMS), "{").unwrap();
        assert_eq!(check(&dir, ["vmlinux"]).unwrap_err().file, dir.join(SUMS));
    }

    #[test]
    fn a_seal_beside_a_file_is_for_its_content() {
        let (_guard, dir) = folder();
        let file = dir.join("record.json");
        assert!(is_intact(&file, b"x"), "an older file has no seal");
        let (place, seal) = seal_beside(&file, b"x");
        fs_err::write(place, seal).unwrap();
        assert!(is_intact(&file, b"x"));
        assert!(!is_intact(&file, b"y"));
    }
}
