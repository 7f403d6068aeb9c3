//! Reserving a box by a lock file on this host.
//!
//! The kernel gives the lock back when its holder dies, however it dies. Beside it lies what a person holds by hand.

use std::io::Write;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::files::{folder, write};

/// How often a taken box is asked for again.
const PAUSE: Duration = Duration::from_millis(500);

/// Who holds a box.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// Unit, command, or the words of a person.
    pub by: String,
    /// Process; none for a person's.
    #[serde(default)]
    pub pid: Option<u32>,
    /// Since when.
    pub since: String,
}

impl std::fmt::Display for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.pid {
            Some(pid) => write!(f, "{} (process {pid}) since {}", self.by, self.since),
            None => write!(f, "by hand: {}, since {}", self.by, self.since),
        }
    }
}

/// A way to lock a file.
type Lock = fn(&std::fs::File) -> Result<(), std::fs::TryLockError>;

/// A box that is ours until this is dropped.
#[derive(Debug)]
pub struct BoxLock {
    _file: std::fs::File,
}

fn by_hand(folder: &Utf8Path) -> Utf8PathBuf {
    folder.join("held.json")
}

fn read(path: &Utf8Path) -> Option<Held> {
    serde_json::from_slice(&fs_err::read(path).ok()?).ok()
}

impl BoxLock {
    /// Takes a box if nobody has it; else says who has.
    ///
    /// # Errors
    /// When the disk refuses; one sentence.
    pub fn try_take(cache: &Utf8Path, name: &str, by: &str) -> Result<Result<BoxLock, Held>, String> {
        BoxLock::ask(cache, name, by, crate::process::try_lock)
    }

    /// Takes a box if `lock` gets its file.
    fn ask(cache: &Utf8Path, name: &str, by: &str, lock: Lock) -> Result<Result<BoxLock, Held>, String> {
        let folder = folder(cache, name)?;
        let path = folder.join("lock");
        let io = |error: std::io::Error| format!("{path}: {error}");
        let mut file =
            std::fs::OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&path).map_err(io)?;
        match lock(&file) {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => {
                let unknown = Held { by: "somebody".to_owned(), pid: None, since: "a moment ago".to_owned() };
                return Ok(Err(read(&path).unwrap_or(unknown)));
            }
            Err(std::fs::TryLockError::Error(error)) => return Err(io(error)),
        }
        if let Some(held) = read(&by_hand(&folder)) {
            return Ok(Err(held));
        }
        let held = Held { by: by.to_owned(), pid: Some(std::process::id()), since: now() };
        let text = serde_json::to_vec(&held).map_err(|error| error.to_string())?;
        file.set_len(0).and_then(|()| file.write_all(&text)).map_err(io)?;
        Ok(Ok(BoxLock { _file: file }))
    }

    /// Takes a box, and waits while another has it; `waiting` is told once by whom it is held.
    ///
    /// # Errors
    /// When the disk refuses, or the run is interrupted; one sentence.
    pub async fn take(
        cache: &Utf8Path,
        name: &str,
        by: &str,
        cancel: &CancellationToken,
        waiting: impl Fn(&Held),
    ) -> Result<BoxLock, String> {
        let mut told = None;
        loop {
            // It asks again and again anyway.
            let held = match BoxLock::ask(cache, name, by, std::fs::File::try_lock)? {
                Ok(lock) => return Ok(lock),
                Err(held) => held,
            };
            if told.as_ref() != Some(&held) {
                waiting(&held);
                told = Some(held);
            }
            tokio::select! {
                () = cancel.cancelled() => return Err("interrupted".to_owned()),
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
    }

    /// Who has a box; none when it is free.
    ///
    /// # Errors
    /// When the disk refuses; one sentence.
    pub fn holder(cache: &Utf8Path, name: &str) -> Result<Option<Held>, String> {
        let folder = folder(cache, name)?;
        let path = folder.join("lock");
        if let Ok(file) = std::fs::File::open(&path)
            && matches!(crate::process::try_lock_shared(&file), Err(std::fs::TryLockError::WouldBlock))
        {
            return Ok(read(&path).or(Some(Held { by: "somebody".to_owned(), pid: None, since: now() })));
        }
        Ok(read(&by_hand(&folder)))
    }

    /// Holds a free box for a person until [`BoxLock::release`].
    ///
    /// # Errors
    /// When another has it, or the disk refuses; one sentence.
    pub fn hold(cache: &Utf8Path, name: &str, reason: &str) -> Result<(), String> {
        let _lock = match BoxLock::try_take(cache, name, "reserving it by hand")? {
            Ok(lock) => lock,
            Err(held) => return Err(format!("{name} is held {held}")),
        };
        let held = Held { by: reason.to_owned(), pid: None, since: now() };
        let text = serde_json::to_vec(&held).map_err(|error| error.to_string())?;
        write(&by_hand(&folder(cache, name)?), &text)
    }

    /// Gives back what a person held; none when nobody did.
    ///
    /// # Errors
    /// When the disk refuses; one sentence.
    pub fn release(cache: &Utf8Path, name: &str) -> Result<Option<Held>, String> {
        let path = by_hand(&folder(cache, name)?);
        let held = read(&path);
        match fs_err::remove_file(&path) {
            Ok(()) => Ok(held),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// UTC to the second.
pub(super) fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_box_has_one_holder_and_a_waiter_learns_who() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Utf8Path::from_path(dir.path()).unwrap();
        let first = BoxLock::try_take(cache, "b", "unit one").unwrap().unwrap();
        let held = BoxLock::try_take(cache, "b", "unit two").unwrap().unwrap_err();
        assert_eq!((held.by.as_str(), held.pid), ("unit one", Some(std::process::id())));
        assert_eq!(BoxLock::holder(cache, "b").unwrap(), Some(held));
        let cancel = CancellationToken::new();
        let told = std::sync::Mutex::new(Vec::new());
        let waiter = BoxLock::take(cache, "b", "unit two", &cancel, |held| told.lock().unwrap().push(held.clone()));
        let release = async {
            while told.lock().unwrap().is_empty() {
                tokio::task::yield_now().await;
            }
            drop(first);
        };
        let (second, ()) = tokio::join!(waiter, release);
        assert_eq!(told.lock().unwrap()[0].by, "unit one");
        drop(second.unwrap());
        assert_eq!(BoxLock::holder(cache, "b").unwrap(), None);
    }

    #[test]
    fn the_lock_of_a_killed_process_is_free() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Utf8Path::from_path(dir.path()).unwrap();
        drop(BoxLock::try_take(cache, "b", "x").unwrap().unwrap());
        let lock = cache.join("lab/b/lock");
        let script = "exec 9<\"$1\"; flock 9; echo locked; exec sleep 1000";
        let mut child = std::process::Command::new("sh")
            .args(["-c", script, "sh", lock.as_str()])
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.take().unwrap()), &mut line).unwrap();
        assert!(BoxLock::try_take(cache, "b", "y").unwrap().is_err());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(BoxLock::try_take(cache, "b", "y").unwrap().is_ok());
    }

    #[test]
    fn what_a_person_holds_is_held_without_a_process() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Utf8Path::from_path(dir.path()).unwrap();
        BoxLock::hold(cache, "b", "new firmware").unwrap();
        let held = BoxLock::try_take(cache, "b", "unit").unwrap().unwrap_err();
        assert!(held.to_string().contains("new firmware"), "{held}");
        assert!(BoxLock::hold(cache, "b", "again").unwrap_err().contains("new firmware"));
        assert_eq!(BoxLock::release(cache, "b").unwrap().unwrap().by, "new firmware");
        assert_eq!(BoxLock::release(cache, "b").unwrap(), None);
        assert!(BoxLock::try_take(cache, "b", "unit").unwrap().is_ok());
    }
}
