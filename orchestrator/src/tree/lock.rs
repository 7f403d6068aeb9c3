//! Locks on folders of the cache, held by a value and freed with it (also by the kernel when the program is killed).

use std::fs::{File, TryLockError};
use std::time::Duration;

use camino::Utf8Path;
use tokio_util::sync::CancellationToken;

use crate::process;

/// How often a lock that another run holds is tried again.
const PATIENCE: Duration = Duration::from_millis(200);

/// An exclusive lock.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock, or gives `None` when another run holds it.
    ///
    /// A child of ours that has not executed its program yet is no other run: it is waited for a moment
    /// ([`process::try_lock`]), lest a folder that is free is passed over for one in which nothing is built yet.
    pub(super) fn try_take(path: &Utf8Path) -> std::io::Result<Option<Lock>> {
        Lock::ask(path, process::try_lock)
    }

    fn ask(path: &Utf8Path, ask: impl Fn(&File) -> Result<(), TryLockError>) -> std::io::Result<Option<Lock>> {
        if let Some(parent) = path.parent() {
            fs_err::create_dir_all(parent)?;
        }
        let file = File::options().create(true).truncate(false).write(true).open(path)?;
        match ask(&file) {
            Ok(()) => Ok(Some(Lock { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Takes the lock, however long another run holds it; `None` when `cancel` came first. `waiting` is called once
    /// when there is somebody to wait for.
    pub(super) async fn take(
        path: &Utf8Path,
        waiting: impl FnOnce(),
        cancel: &CancellationToken,
    ) -> std::io::Result<Option<Lock>> {
        let mut waiting = Some(waiting);
        loop {
            if let Some(lock) = Lock::ask(path, File::try_lock)? {
                if waiting.is_none() {
                    tracing::info!(lock = path.as_str(), "lock taken");
                }
                return Ok(Some(lock));
            }
            if let Some(waiting) = waiting.take() {
                tracing::info!(lock = path.as_str(), "waiting for a lock");
                waiting();
            }
            tokio::select! {
                () = cancel.cancelled() => {
                    tracing::info!(lock = path.as_str(), "gave up waiting for a lock");
                    return Ok(None);
                }
                () = tokio::time::sleep(PATIENCE) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use camino::Utf8PathBuf;

    use super::*;

    #[tokio::test]
    async fn the_second_waits_until_the_first_is_done() {
        let folder = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::try_from(folder.path().join("sub/x.lock")).unwrap();
        let first = Lock::try_take(&path).unwrap().unwrap();
        assert!(Lock::try_take(&path).unwrap().is_none());
        // The first lock is given up only once the second asker says that it waits.
        let second = Lock::take(&path, move || drop(first), &CancellationToken::new()).await.unwrap();
        assert!(second.is_some());
        assert!(Lock::try_take(&path).unwrap().is_none());
    }

    #[test]
    fn who_holds_it_for_a_moment_only_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::try_from(folder.path().join("x.lock")).unwrap();
        let held = Lock::try_take(&path).unwrap().unwrap();
        let (asked, hear) = std::sync::mpsc::channel();
        let freed = std::thread::spawn(move || {
            hear.recv().unwrap();
            drop(held);
        });
        let taken = Lock::ask(&path, |file| {
            // Held when it is asked for the first time.
            assert!(matches!(file.try_lock(), Err(TryLockError::WouldBlock)));
            asked.send(()).unwrap();
            process::try_lock(file)
        });
        assert!(taken.unwrap().is_some());
        freed.join().unwrap();
    }

    #[tokio::test]
    async fn waiting_can_be_interrupted() {
        let folder = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::try_from(folder.path().join("x.lock")).unwrap();
        let _first = Lock::try_take(&path).unwrap().unwrap();
        let cancel = CancellationToken::new();
        let stop = cancel.clone();
        let second = Lock::take(&path, move || stop.cancel(), &cancel).await.unwrap();
        assert!(second.is_none());
    }
}
