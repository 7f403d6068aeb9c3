//! The one wrapper that spawns processes.
//!
//! Every program the orchestrator runs goes through [`Command`]: it gets a process group of its own, dies with the
//! orchestrator, sees only an allow-listed environment, is stopped by a deadline ladder (TERM, grace, KILL), streams
//! its output to a log and to a callback, and can be printed as a shell command that repeats it.

mod command;
mod gate;
mod limits;
mod lines;
mod lock;
mod sandbox;
mod secrets;
mod spawner;

pub use command::{Command, End, Exit, ProcessError, quote};
pub use limits::confinement;
pub use lines::Stream;
pub use lock::{WorkLock, try_lock, try_lock_shared};
pub use sandbox::{Sandbox, SandboxProbe};
pub use secrets::without_secrets;
