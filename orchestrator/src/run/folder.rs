//! The folder of a run and the folder of all runs.
//!
//! ```text
//! results/
//!   latest -> <run>
//!   <run>/
//!     run.json        options and series, all that `resume` needs
//!     events.jsonl    the event log
//!     report.{json,md,html}, junit.xml
//!     units/<unit>/   logs of each unit
//!     lock            held while a process works on the run
//! ```

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

use super::{BasePlan, Options, TreeArgument};
use crate::words::{FormatTrouble, Series};

/// Version of the layout above and of `run.json`.
pub const FORMAT: u32 = 1;

/// Trouble with a run's folder.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// No such run.
    #[error("there is no run `{name}` in {results}{}", hint.as_deref().map(|h| format!("; did you mean `{h}`?")).unwrap_or_default())]
    Missing {
        /// What was asked for.
        name: String,
        /// Where.
        results: Utf8PathBuf,
        /// The nearest name that exists.
        hint: Option<String>,
    },
    /// Another process works on it.
    #[error("run {run} is being worked on by process {pid}; wait for it or stop it")]
    Busy {
        /// Run id.
        run: String,
        /// Its process id, as far as known.
        pid: String,
    },
    /// Its `run.json` cannot be used.
    #[error("{file} cannot be used: {why}; or start the run anew, which makes nothing again that the cache holds")]
    Broken {
        /// The file.
        file: Utf8PathBuf,
        /// Why.
        why: String,
    },
    /// The file system said no.
    #[error("{0}; check that the folder of runs can be written and that its disk is not full")]
    Io(#[from] std::io::Error),
}

/// What `run.json` holds.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Contents {
    format: u32,
    run: String,
    started: String,
    command: String,
    options: Options,
    trees: Vec<TreePlan>,
}

/// One tree of a run and the series for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TreePlan {
    /// The tree, as asked for.
    pub tree: TreeArgument,
    /// The series as it was read when the run began (a port may differ from tree to tree), or why there is none for
    /// this tree.
    pub series: Result<Series, String>,
    /// Which commit of the tree the series goes on.
    #[serde(default)]
    pub base: BasePlan,
}

/// A run's folder.
#[derive(Debug, Clone)]
pub struct RunFolder {
    /// Run id, the folder's name.
    pub run: String,
    /// When it began, RFC 3339.
    pub started: String,
    /// The command that began it, shell-quoted.
    pub command: String,
    /// What was asked.
    pub options: Options,
    /// The trees, each with its series.
    pub trees: Vec<TreePlan>,
    path: Utf8PathBuf,
}

/// Held while a process works on a run.
#[derive(Debug)]
pub struct RunLock {
    _file: std::fs::File,
}

impl RunFolder {
    /// Makes a folder for a new run, named after time and series, and points `latest` to it.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn create(
        results: &Utf8Path,
        command: &str,
        options: Options,
        trees: Vec<TreePlan>,
    ) -> Result<RunFolder, FolderError> {
        fs_err::create_dir_all(results)?;
        let now = jiff::Timestamp::now();
        let name = trees.iter().find_map(|plan| plan.series.as_ref().ok()).map_or("series", |series| &series.name);
        let name: String = name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' }).collect();
        let name = name.trim_matches(['-', '.']).chars().take(40).collect::<String>();
        let stem = format!("{}-{name}", now.strftime("%Y%m%d-%H%M%S"));
        let mut run = stem.clone();
        let mut count = 1;
        let path = loop {
            let path = results.join(&run);
            match fs_err::create_dir(&path) {
                Ok(()) => break path,
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                    count += 1;
                    run = format!("{stem}-{count}");
                }
                Err(error) => return Err(error.into()),
            }
        };
        let folder = RunFolder {
            run,
            started: now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            command: command.to_owned(),
            options,
            trees,
            path,
        };
        folder.write_plan(&folder.trees)?;
        let link = results.join(format!(".latest.{}", std::process::id()));
        let _ = fs_err::remove_file(&link);
        fs_err::os::unix::fs::symlink(&folder.run, &link)?;
        fs_err::rename(&link, results.join("latest"))?;
        Ok(folder)
    }

    /// The same run with these trees: what was chosen while it was at work.
    pub fn with_trees(&self, trees: Vec<TreePlan>) -> RunFolder {
        RunFolder { trees, ..self.clone() }
    }

    /// Writes `run.json` with these trees: what was chosen is kept, so that a resumed run stays with it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_plan(&self, trees: &[TreePlan]) -> std::io::Result<()> {
        let contents = Contents {
            format: FORMAT,
            run: self.run.clone(),
            started: self.started.clone(),
            command: self.command.clone(),
            options: self.options.clone(),
            trees: trees.to_vec(),
        };
        self.write("run.json", serde_json::to_string_pretty(&contents).map_err(std::io::Error::other)?.as_bytes())
    }

    /// The id of the run called `name`: a run id, an unambiguous beginning of one, or `latest`. Its files may be damaged.
    ///
    /// # Errors
    /// When there is none.
    pub fn locate(results: &Utf8Path, name: &str) -> Result<String, FolderError> {
        let names = names(results)?;
        let missing = || {
            let near = names.iter().max_by(|a, b| {
                let score = |other: &str| strsim::jaro_winkler(name, other);
                score(a).total_cmp(&score(b))
            });
            FolderError::Missing { name: name.to_owned(), results: results.to_owned(), hint: near.cloned() }
        };
        if name == "latest" {
            let target = fs_err::read_link(results.join("latest")).map_err(|_| missing())?;
            return target.file_name().and_then(|name| name.to_str()).ok_or_else(missing).map(str::to_owned);
        }
        if names.iter().any(|other| other == name) {
            return Ok(name.to_owned());
        }
        let mut starting = names.iter().filter(|other| !name.is_empty() && other.starts_with(name));
        match (starting.next(), starting.next()) {
            (Some(only), None) => Ok(only.clone()),
            _ => Err(missing()),
        }
    }

    /// Opens the run called `name`, as [`RunFolder::locate`] finds it.
    ///
    /// # Errors
    /// When there is none, or it is from another version.
    pub fn open(results: &Utf8Path, name: &str) -> Result<RunFolder, FolderError> {
        let run = RunFolder::locate(results, name)?;
        let path = results.join(&run);
        let file = path.join("run.json");
        let broken = |why: String| FolderError::Broken { file: file.clone(), why };
        let text = fs_err::read_to_string(&file).map_err(|error| broken(error.to_string()))?;
        let version: serde_json::Value = serde_json::from_str(&text).map_err(|error| broken(error.to_string()))?;
        FormatTrouble::check("run.json", version["format"].as_u64(), FORMAT)
            .map_err(|error| broken(error.to_string()))?;
        let contents: Contents = serde_json::from_value(version).map_err(|error| broken(error.to_string()))?;
        Ok(RunFolder {
            run,
            started: contents.started,
            command: contents.command,
            options: contents.options,
            trees: contents.trees,
            path,
        })
    }

    /// All runs that can be opened, oldest first.
    ///
    /// # Errors
    /// When `results` cannot be read.
    pub fn all(results: &Utf8Path) -> Result<Vec<RunFolder>, FolderError> {
        Ok(names(results)?.iter().filter_map(|name| RunFolder::open(results, name).ok()).collect())
    }

    /// The series: that of the first tree that has one.
    pub fn series(&self) -> Option<&Series> {
        self.trees.iter().find_map(|plan| plan.series.as_ref().ok())
    }

    /// Where it is.
    pub fn path(&self) -> &Utf8Path {
        &self.path
    }

    /// Takes the run for this process.
    ///
    /// # Errors
    /// When another process has it.
    pub fn lock(&self) -> Result<RunLock, FolderError> {
        let path = self.path.join("lock");
        let file = fs_err::OpenOptions::new().create(true).truncate(false).write(true).read(true).open(&path)?;
        let file = file.into_parts().0;
        match crate::process::try_lock(&file) {
            Ok(()) => {
                fs_err::write(&path, std::process::id().to_string())?;
                self.sweep()?;
                Ok(RunLock { _file: file })
            }
            Err(std::fs::TryLockError::WouldBlock) => Err(FolderError::Busy {
                run: self.run.clone(),
                pid: std::fs::read_to_string(&path).unwrap_or_default(),
            }),
            Err(std::fs::TryLockError::Error(error)) => Err(error.into()),
        }
    }

    /// Removes files that a killed process had begun to write: nobody else works on the run.
    fn sweep(&self) -> std::io::Result<()> {
        for entry in fs_err::read_dir(&self.path)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(TEMPORARY) {
                fs_err::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    /// Writes a file of the run whole or not at all.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, name: &str, bytes: &[u8]) -> std::io::Result<()> {
        write_atomically(&self.path.join(name), bytes)
    }

    /// Folder for the logs of a unit; made if missing.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn unit_dir(&self, unit: &str) -> std::io::Result<Utf8PathBuf> {
        let path = self.path.join("units").join(unit);
        fs_err::create_dir_all(&path)?;
        Ok(path)
    }
}

/// How the name of a file begins that is being written.
const TEMPORARY: &str = ".tmp-";

/// Writes a file whole or not at all: a temporary name in the same folder, then a rename. It is on the disk before it
/// has its name, so that a host that loses its power does not leave an empty one.
///
/// # Errors
/// When it cannot be written.
pub fn write_atomically(path: &Utf8Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Utf8Path::new("."));
    let mut file = tempfile::Builder::new().prefix(TEMPORARY).tempfile_in(folder)?;
    std::io::Write::write_all(&mut file, bytes)?;
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    file.as_file().set_permissions(mode)?;
    file.as_file().sync_data()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// Ids of all runs, oldest first.
pub(super) fn names(results: &Utf8Path) -> std::io::Result<Vec<String>> {
    let entries = match results.read_dir_utf8() {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut names: Vec<String> = entries
        .filter_map(Result::ok)
        .filter(|entry| entry.file_name() != "latest" && entry.path().join("run.json").is_file())
        .map(|entry| entry.file_name().to_owned())
        .collect();
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::testing::{options, plans};

    #[test]
    fn runs_are_found_by_id_beginning_and_latest() {
        let folder = tempfile::tempdir().unwrap();
        let results = Utf8Path::from_path(folder.path()).unwrap();
        let one = RunFolder::create(results, "c", options(), plans("../v6")).unwrap();
        let two = RunFolder::create(results, "c", options(), plans("../v6")).unwrap();
        assert_ne!(one.run, two.run);
        assert!(!one.run.contains('/'));
        assert_eq!(RunFolder::open(results, "latest").unwrap().run, two.run);
        assert_eq!(RunFolder::open(results, &one.run).unwrap().options, options());
        assert_eq!(RunFolder::all(results).unwrap().len(), 2);
        let error = RunFolder::open(results, "20").unwrap_err();
        assert!(matches!(error, FolderError::Missing { hint: Some(_), .. }), "{error}");
    }

    #[test]
    fn a_run_belongs_to_one_process() {
        let folder = tempfile::tempdir().unwrap();
        let results = Utf8Path::from_path(folder.path()).unwrap();
        let run = RunFolder::create(results, "c", options(), plans("v6")).unwrap();
        let lock = run.lock().unwrap();
        assert!(matches!(run.lock(), Err(FolderError::Busy { .. })));
        drop(lock);
        let half = run.path().join(".tmp-half");
        fs_err::write(&half, "{").unwrap();
        run.lock().unwrap();
        assert!(!half.exists(), "a killed process left it");
    }
}
