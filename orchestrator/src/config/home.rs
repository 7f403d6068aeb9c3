//! The project folder: `series/`, `kconfigs/` and `lab/`.

use std::io::Write;

use camino::{Utf8Path, Utf8PathBuf};

// `pub(super) static EMBEDDED: &[(&str, &[u8])]`: path and bytes of every shipped file, sorted; made by build.rs.
include!(concat!(env!("OUT_DIR"), "/home_files.rs"));

/// The project folder could not be found or made.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    /// The folder that the user named is not a project folder.
    #[error(
        "{folder} is no project folder: {missing} is missing there (name the folder that holds series/ and kconfigs/)"
    )]
    NotAHome {
        /// The folder.
        folder: Utf8PathBuf,
        /// What it lacks.
        missing: &'static str,
    },
    /// The shipped files could not be unpacked.
    #[error(
        "cannot unpack the shipped series, kconfigs and machines to {folder}: {source} (check space and permissions there)"
    )]
    Unpack {
        /// Where to.
        folder: Utf8PathBuf,
        /// The operating system's word.
        source: std::io::Error,
    },
}

/// The folder that holds `series/`, `kconfigs/` and `lab/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    root: Utf8PathBuf,
    embedded: bool,
}

impl Home {
    /// Finds it: the folder the user named; else the nearest folder from `cwd` upwards that holds `series/` and
    /// `kconfigs/`; else the files shipped inside the program, unpacked once below `cache/home/`.
    ///
    /// # Errors
    /// When the named folder is none, or the shipped files cannot be unpacked.
    pub fn find(explicit: Option<&Utf8Path>, cwd: &Utf8Path, cache: &Utf8Path) -> Result<Home, HomeError> {
        if let Some(folder) = explicit {
            return match missing(folder) {
                None => Ok(Home { root: folder.to_owned(), embedded: false }),
                Some(missing) => Err(HomeError::NotAHome { folder: folder.to_owned(), missing }),
            };
        }
        match cwd.ancestors().find(|folder| missing(folder).is_none()) {
            Some(root) => Ok(Home { root: root.to_owned(), embedded: false }),
            None => unpack(cache),
        }
    }

    /// The folder itself.
    pub fn root(&self) -> &Utf8Path {
        &self.root
    }

    /// Manifests, trees and ports.
    pub fn series_dir(&self) -> Utf8PathBuf {
        self.root.join("series")
    }

    /// Fragments and the matrix.
    pub fn kconfigs_dir(&self) -> Utf8PathBuf {
        self.root.join("kconfigs")
    }

    /// Machines and suites.
    pub fn lab_dir(&self) -> Utf8PathBuf {
        self.root.join("lab")
    }

    /// True when these are the files shipped inside the program.
    pub fn is_embedded(&self) -> bool {
        self.embedded
    }
}

fn missing(folder: &Utf8Path) -> Option<&'static str> {
    ["series", "kconfigs"].into_iter().find(|name| !folder.join(name).is_dir())
}

/// Name of the folder for these files: a hash of all names and contents.
fn fingerprint(files: &[(&str, &[u8])]) -> String {
    let mut hasher = blake3::Hasher::new();
    for (path, bytes) in files {
        hasher.update(&(path.len() as u64).to_le_bytes()).update(path.as_bytes());
        hasher.update(&(bytes.len() as u64).to_le_bytes()).update(bytes);
    }
    hasher.finalize().to_hex().to_string()
}

fn unpack(cache: &Utf8Path) -> Result<Home, HomeError> {
    let parent = cache.join("home");
    let root = parent.join(fingerprint(EMBEDDED));
    let fail = |source| HomeError::Unpack { folder: root.clone(), source };
    if !root.is_dir() {
        std::fs::create_dir_all(&parent).map_err(fail)?;
        let temporary = tempfile::Builder::new().prefix(".unpacking-").tempdir_in(&parent).map_err(fail)?;
        write_files(temporary.path(), EMBEDDED).map_err(fail)?;
        match std::fs::rename(temporary.path(), &root) {
            // The folder has its final name now; there is nothing left to remove.
            Ok(()) => drop(temporary.keep()),
            // Another process was faster; its files are the same.
            Err(_) if root.is_dir() => (),
            Err(source) => return Err(fail(source)),
        }
    }
    Ok(Home { root, embedded: true })
}

fn write_files(root: &std::path::Path, files: &[(&str, &[u8])]) -> std::io::Result<()> {
    for folder in ["series", "kconfigs", "lab"] {
        std::fs::create_dir_all(root.join(folder))?;
    }
    for (path, bytes) in files {
        let path = root.join(path);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let mut file = std::fs::File::create(&path)?;
        file.write_all(bytes)?;
        file.sync_all()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn temp() -> (tempfile::TempDir, Utf8PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::try_from(folder.path().canonicalize().unwrap()).unwrap();
        (folder, path)
    }

    fn make(folder: &Utf8Path) {
        for name in ["series", "kconfigs", "lab"] {
            std::fs::create_dir_all(folder.join(name)).unwrap();
        }
    }

    #[test]
    fn the_named_folder_wins_over_the_nearest_one() {
        let (_keep, temp) = temp();
        let (near, named) = (temp.join("near"), temp.join("named"));
        make(&near);
        make(&named);
        let deep = near.join("a/b");
        std::fs::create_dir_all(&deep).unwrap();
        let home = Home::find(Some(&named), &deep, &temp.join("cache")).unwrap();
        assert_eq!(home.series_dir(), named.join("series"));
        let home = Home::find(None, &deep, &temp.join("cache")).unwrap();
        assert_eq!((home.root(), home.is_embedded()), (near.as_path(), false));
        assert!(!temp.join("cache").exists());
    }

    #[test]
    fn a_named_folder_that_is_none_is_refused() {
        let (_keep, temp) = temp();
        std::fs::create_dir(temp.join("series")).unwrap();
        let error = Home::find(Some(&temp), &temp, &temp).unwrap_err().to_string();
        assert!(error.contains("kconfigs is missing"), "{error}");
    }

    #[test]
    fn without_a_project_the_shipped_files_are_unpacked_once() {
        let (_keep, temp) = temp();
        let cache = temp.join("cache");
        let home = Home::find(None, &temp, &cache).unwrap();
        assert!(home.is_embedded());
        for (path, bytes) in EMBEDDED {
            assert_eq!(std::fs::read(home.root().join(path)).unwrap(), *bytes, "{path}");
        }
        assert!(home.series_dir().join("v6.yaml").is_file());
        let marker = home.root().join("marker");
        std::fs::write(&marker, "").unwrap();
        assert_eq!(Home::find(None, &temp, &cache).unwrap(), home);
        assert!(marker.exists(), "it was unpacked a second time");
        assert_eq!(std::fs::read_dir(cache.join("home")).unwrap().count(), 1, "a temporary folder was left");
    }

    #[test]
    fn only_data_is_shipped() {
        for (path, _) in EMBEDDED {
            let path = Utf8Path::new(path);
            let data = matches!(path.extension(), Some("yaml" | "config" | "patch"));
            assert!(data, "{path} does not belong into the program");
        }
    }

    #[test]
    fn the_fingerprint_depends_on_names_and_contents() {
        let one = fingerprint(&[("a", b"bc")]);
        assert_ne!(one, fingerprint(&[("ab", b"c")]));
        assert_ne!(one, fingerprint(&[("a", b"bd")]));
        assert_eq!(one, fingerprint(&[("a", b"bc")]));
    }
}
