//! Locks of files that say who is at work.

use std::fs::{File, TryLockError};
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use tokio_util::sync::CancellationToken;

/// How often a lock that is taken is asked for again, and after how long each time: half a second in all.
const TRIES: u32 = 100;
const PAUSE: Duration = Duration::from_millis(5);

/// Takes the lock of a file, unless somebody has it.
///
/// A child of ours holds open all that we have open from its fork until it executes its program, and with a file that
/// we close meanwhile its lock. A lock that is taken is therefore asked for again for a moment.
///
/// # Errors
/// As [`File::try_lock`].
pub fn try_lock(file: &File) -> Result<(), TryLockError> {
    for_a_moment(|| file.try_lock())
}

/// Takes a share of the lock of a file, unless somebody has it for himself; asks again for a moment, as [`try_lock`].
///
/// # Errors
/// As [`File::try_lock_shared`].
pub fn try_lock_shared(file: &File) -> Result<(), TryLockError> {
    for_a_moment(|| file.try_lock_shared())
}

fn for_a_moment(ask: impl Fn() -> Result<(), TryLockError>) -> Result<(), TryLockError> {
    for _ in 0..TRIES {
        match ask() {
            Err(TryLockError::WouldBlock) => std::thread::sleep(PAUSE),
            answer @ (Ok(()) | Err(TryLockError::Error(_))) => return answer,
        }
    }
    ask()
}

/// How often work that another process is at is looked at again.
const PATIENCE: Duration = Duration::from_millis(200);

/// Says that this process makes something that is made once. Given up with the value, or by the kernel when the process
/// is killed; the file goes with the value, or with the next one of the same path.
#[derive(Debug)]
pub struct WorkLock {
    path: Utf8PathBuf,
    _file: File,
}

impl WorkLock {
    /// Takes the lock, however long another holds it; `None` when `cancel` came first. `waiting` is called once when there
    /// is somebody to wait for.
    ///
    /// # Errors
    /// When the file cannot be made or locked.
    pub async fn take(
        path: &Utf8Path,
        waiting: impl FnOnce(),
        cancel: &CancellationToken,
    ) -> std::io::Result<Option<WorkLock>> {
        if let Some(parent) = path.parent() {
            fs_err::create_dir_all(parent)?;
        }
        let mut waiting = Some(waiting);
        loop {
            let file = File::options().create(true).truncate(false).write(true).open(path)?;
            match file.try_lock() {
                // Whoever had it may have removed the file between our opening and locking it.
                Ok(()) if is_at(&file, path) => return Ok(Some(WorkLock { path: path.to_owned(), _file: file })),
                Ok(()) => continue,
                Err(TryLockError::Error(error)) => return Err(error),
                Err(TryLockError::WouldBlock) => {}
            }
            if let Some(waiting) = waiting.take() {
                waiting();
            }
            tokio::select! {
                () = cancel.cancelled() => return Ok(None),
                () = tokio::time::sleep(PATIENCE) => {}
            }
        }
    }
}

impl Drop for WorkLock {
    fn drop(&mut self) {
        // While it is held, so that nobody's else is removed. One that stays is taken over by the next of the same path.
        let _ = std::fs::remove_file(&self.path);
    }
}

fn is_at(file: &File, path: &Utf8Path) -> bool {
    match (file.metadata(), std::fs::metadata(path)) {
        (Ok(open), Ok(there)) => (open.dev(), open.ino()) == (there.dev(), there.ino()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(folder: &tempfile::TempDir) -> Utf8PathBuf {
        Utf8PathBuf::try_from(folder.path().join("locks/x.lock")).unwrap()
    }

    #[tokio::test]
    async fn work_is_done_by_one_and_the_file_goes() {
        let folder = tempfile::tempdir().unwrap();
        let path = path(&folder);
        let never = CancellationToken::new();
        let first = WorkLock::take(&path, || panic!("nobody has it"), &never).await.unwrap().unwrap();
        // It is given up only once the second asker says that it waits.
        let second = WorkLock::take(&path, move || drop(first), &never).await.unwrap();
        assert!(path.exists());
        drop(second);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn a_file_that_a_killed_process_left_is_in_nobodys_way() {
        let folder = tempfile::tempdir().unwrap();
        let path = path(&folder);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(&path, "").unwrap();
        let never = CancellationToken::new();
        assert!(WorkLock::take(&path, || panic!("nobody has it"), &never).await.unwrap().is_some());
    }

    #[tokio::test]
    async fn waiting_for_work_can_be_interrupted() {
        let folder = tempfile::tempdir().unwrap();
        let path = path(&folder);
        let cancel = CancellationToken::new();
        let _first = WorkLock::take(&path, || {}, &cancel).await.unwrap().unwrap();
        let stop = cancel.clone();
        assert!(WorkLock::take(&path, move || stop.cancel(), &cancel).await.unwrap().is_none());
    }

    #[test]
    fn a_lock_on_a_file_that_was_removed_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::try_from(folder.path().join("x.lock")).unwrap();
        let old = File::create(&path).unwrap();
        assert!(is_at(&old, &path));
        fs_err::remove_file(&path).unwrap();
        assert!(!is_at(&old, &path));
        let _new = File::create(&path).unwrap();
        assert!(!is_at(&old, &path));
    }
}
