//! Locks of files that say who is at work.

use std::fs::{File, TryLockError};
use std::time::Duration;

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
