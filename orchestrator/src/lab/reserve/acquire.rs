//! The one way to a reservation.

use camino::Utf8Path;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use tokio_util::sync::CancellationToken;

use super::holder::Holder;
use super::labgrid;
use super::reservation::Reservation;
use crate::words::{Event, EventSink, Reserve};

/// How often to look whether a lock file is free.
const LOCK_PAUSE: std::time::Duration = std::time::Duration::from_secs(1);

/// No reservation.
#[derive(Debug, thiserror::Error)]
pub enum ReserveError {
    /// The run was interrupted while it waited.
    #[error("interrupted")]
    Cancelled,
    /// The coordinator has no such place.
    #[error("labgrid at {coordinator} has no place {place}{hint}")]
    NoPlace {
        /// Its address.
        coordinator: String,
        /// The place.
        place: String,
        /// What there is.
        hint: String,
    },
    /// The coordinator cannot be reached, or not for long enough.
    #[error("labgrid at {coordinator}: {why}; is labgrid-coordinator running there?")]
    Unreachable {
        /// Its address.
        coordinator: String,
        /// The last trouble.
        why: String,
    },
    /// The coordinator refuses.
    #[error("labgrid at {coordinator} refuses {place}: {why}")]
    Refused {
        /// Its address.
        coordinator: String,
        /// The place.
        place: String,
        /// Its words.
        why: String,
    },
    /// The lock file cannot be used.
    #[error("{file}: {why}")]
    File {
        /// The file.
        file: String,
        /// The operating system's word.
        why: String,
    },
    /// Another part of the program reserves such a box.
    #[error("a licence of Slurm is held by the job that runs on its control node: run this unit as a job of Slurm")]
    Slurm,
}

/// Reserves the box `machine`, and waits while another holds it; a note says who. `locks` is the folder of lock files.
///
/// # Errors
/// When there is nothing to wait for, or the run is interrupted.
pub async fn acquire(
    reserve: &Reserve,
    machine: &str,
    holder: &Holder,
    locks: &Utf8Path,
    events: &EventSink,
    cancel: &CancellationToken,
) -> Result<Reservation, ReserveError> {
    match reserve {
        Reserve::Local {} => lock_file(machine, holder, locks, events, cancel).await,
        Reserve::Slurm { .. } => Err(ReserveError::Slurm),
        Reserve::Labgrid { coordinator, place } => {
            labgrid::acquire(coordinator, place, holder, &labgrid::Pace::default(), events, cancel).await
        }
    }
}

/// Waits for a lock file. The kernel gives it back when the program ends, however it ends.
async fn lock_file(
    machine: &str,
    holder: &Holder,
    locks: &Utf8Path,
    events: &EventSink,
    cancel: &CancellationToken,
) -> Result<Reservation, ReserveError> {
    let path = locks.join(format!("{machine}.lock"));
    let fail = |why: &dyn std::fmt::Display| ReserveError::File { file: path.to_string(), why: why.to_string() };
    fs_err::create_dir_all(locks).map_err(|error| fail(&error))?;
    let mut told = false;
    loop {
        let file = std::fs::OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(|error| fail(&error))?;
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(mut lock) => {
                let text = format!("{} {}\n", holder.name, holder.purpose);
                let written = lock.set_len(0).and_then(|()| std::io::Write::write_all(&mut *lock, text.as_bytes()));
                written.map_err(|error| fail(&error))?;
                return Ok(Reservation::file(machine.to_owned(), lock));
            }
            Err((_, Errno::EWOULDBLOCK)) if !told => {
                told = true;
                let who = std::fs::read_to_string(&path).unwrap_or_default();
                let who: String = who.trim().chars().filter(|c| !c.is_control()).take(200).collect();
                events(Event::Note { message: format!("{}: waiting for {machine}, held by {who}", holder.purpose) });
            }
            Err((_, Errno::EWOULDBLOCK)) => {}
            Err((_, error)) => return Err(fail(&error)),
        }
        tokio::select! {
            () = cancel.cancelled() => return Err(ReserveError::Cancelled),
            () = tokio::time::sleep(LOCK_PAUSE) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_lock_file_lets_one_in_and_says_who_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let locks = Utf8Path::from_path(folder.path()).unwrap();
        let notes = Arc::new(Mutex::new(Vec::new()));
        let sink = notes.clone();
        let (first, second) = (Holder::new("boot a"), Holder::new("boot b"));
        let (sender, told) = tokio::sync::oneshot::channel();
        let sender = Mutex::new(Some(sender));
        let events: EventSink = Arc::new(move |event| {
            if let Event::Note { message } = event {
                sink.lock().unwrap().push(message);
                if let Some(sender) = sender.lock().unwrap().take() {
                    let _ = sender.send(());
                }
            }
        });
        let cancel = CancellationToken::new();
        let local = Reserve::Local {};
        let held = acquire(&local, "box-01", &first, locks, &events, &cancel).await.unwrap();
        assert!(held.is_still_held());
        let waiting = acquire(&local, "box-01", &second, locks, &events, &cancel);
        let release = async {
            told.await.unwrap();
            held.release().await;
        };
        let (got, ()) = tokio::join!(waiting, release);
        assert_eq!(got.unwrap().what(), "box-01");
        let notes = notes.lock().unwrap();
        assert_eq!(notes.len(), 1);
        assert!(notes[0].contains("boot b: waiting for box-01, held by ") && notes[0].ends_with("boot a"), "{notes:?}");
    }

    #[tokio::test]
    async fn an_interrupted_wait_ends() {
        let folder = tempfile::tempdir().unwrap();
        let locks = Utf8Path::from_path(folder.path()).unwrap();
        let events: EventSink = Arc::new(|_| ());
        let cancel = CancellationToken::new();
        let holder = Holder::new("boot a");
        let _held = acquire(&Reserve::Local {}, "b", &holder, locks, &events, &cancel).await.unwrap();
        cancel.cancel();
        let error = acquire(&Reserve::Local {}, "b", &holder, locks, &events, &cancel).await.unwrap_err();
        assert!(matches!(error, ReserveError::Cancelled));
    }
}
