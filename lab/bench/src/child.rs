//! A child that shares memory and does nothing else.

use nix::libc;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, Pid, fork};

use crate::measure::Stop;

/// A child that waits for its end.
#[derive(Debug)]
pub struct Child(Pid);

impl Child {
    /// Makes the child: all private memory is shared with it from now on.
    pub fn new() -> Result<Child, Stop> {
        // SAFETY: this program has one thread, and the child calls nothing but these two functions.
        match unsafe { fork() } {
            Ok(ForkResult::Parent { child }) => Ok(Child(child)),
            Ok(ForkResult::Child) => {
                // SAFETY: system calls without memory.
                unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
                loop {
                    // SAFETY: as above.
                    unsafe { libc::pause() };
                }
            }
            Err(error) => Err(Stop::Fail(format!("fork: {error}"))),
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = kill(self.0, Signal::SIGKILL);
        let _ = waitpid(self.0, None);
    }
}
