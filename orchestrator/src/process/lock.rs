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
    for _ in 0..TRIES {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => std::thread::sleep(PAUSE),
            answer @ (Ok(()) | Err(TryLockError::Error(_))) => return answer,
        }
    }
    file.try_lock()
}
