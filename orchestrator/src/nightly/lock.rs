//! One night at a time.

use camino::{Utf8Path, Utf8PathBuf};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::journal;

/// Who has the lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Busy {
    /// Its process id.
    pub pid: u32,
    /// Since when.
    pub since: Timestamp,
}

impl std::fmt::Display for Busy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "process {} has been at work since {}", self.pid, self.since.strftime("%Y-%m-%d %H:%M UTC"))
    }
}

/// Held while a night is at work. The operating system gives it back when the process ends, however that happens.
#[derive(Debug)]
pub struct NightLock {
    _file: std::fs::File,
}

/// The lock was not to be had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another nightly run is at work.
    #[error("another nightly run is at work{}", owner.as_ref().map(|busy| format!(": {busy}")).unwrap_or_default())]
    Busy {
        /// Who, as far as the lock says.
        owner: Option<Busy>,
    },
    /// The lock cannot be written.
    #[error("{file}: {source}")]
    Io {
        /// The lock.
        file: Utf8PathBuf,
        /// The operating system's word.
        source: std::io::Error,
    },
}

impl NightLock {
    /// Takes the lock of the nightly runs below `results`.
    ///
    /// # Errors
    /// When another process has it, or it cannot be written.
    pub fn take(results: &Utf8Path, now: Timestamp) -> Result<NightLock, LockError> {
        let folder = journal::folder(results);
        let path = folder.join("lock");
        let trouble = |source| LockError::Io { file: path.clone(), source };
        std::fs::create_dir_all(&folder).map_err(trouble)?;
        let open = std::fs::OpenOptions::new().create(true).truncate(false).write(true).read(true).open(&path);
        let file = open.map_err(trouble)?;
        match crate::process::try_lock(&file) {
            Ok(()) => {
                let text = serde_json::to_string(&Busy { pid: std::process::id(), since: now });
                std::fs::write(&path, text.unwrap_or_default()).map_err(trouble)?;
                Ok(NightLock { _file: file })
            }
            Err(std::fs::TryLockError::WouldBlock) => {
                let text = std::fs::read_to_string(&path).unwrap_or_default();
                Err(LockError::Busy { owner: serde_json::from_str(&text).ok() })
            }
            Err(std::fs::TryLockError::Error(source)) => Err(trouble(source)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_told_of_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let results = Utf8Path::from_path(folder.path()).unwrap();
        let now: Timestamp = "2026-01-31T02:00:00Z".parse().unwrap();
        let lock = NightLock::take(results, now).unwrap();
        let error = NightLock::take(results, now).unwrap_err();
        let expected = format!(
            "another nightly run is at work: process {} has been at work since 2026-01-31 02:00 UTC",
            std::process::id()
        );
        assert_eq!(error.to_string(), expected);
        drop(lock);
        NightLock::take(results, now).unwrap();
    }
}
