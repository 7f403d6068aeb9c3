//! Keeping everything else away from a reading.

use std::mem::MaybeUninit;

use nix::libc;
use nix::sched::{CpuSet, sched_setaffinity};
use nix::sys::mman::{MlockAllFlags, mlockall};
use nix::unistd::Pid;

use crate::measure::Stop;

/// Above every ordinary program and most threads of the kernel.
const PRIORITY: i32 = 50;

/// Stays on CPU 0, in memory, and before all other programs. What the machine refuses it refuses on both sides of a
/// comparison; the readings are then noisier, not wrong.
pub fn alone() -> Result<(), Stop> {
    let mut first = CpuSet::new();
    first.set(0).map_err(|error| Stop::Fail(format!("CPU 0: {error}")))?;
    let _ = sched_setaffinity(Pid::from_raw(0), &first);
    // SAFETY: an all-zero sched_param is valid, and the kernel only reads it.
    let _ = unsafe {
        let mut parameters: libc::sched_param = MaybeUninit::zeroed().assume_init();
        parameters.sched_priority = PRIORITY;
        libc::sched_setscheduler(0, libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK, &parameters)
    };
    let _ = mlockall(MlockAllFlags::MCL_CURRENT);
    Ok(())
}
