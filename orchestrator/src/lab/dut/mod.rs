//! Real boxes: devices under test.
//!
//! One way in: [`boot_box`] reserves a box, power cycles it, proves that its default kernel runs, sends what is needed,
//! boots the test kernel, proves by build id that it runs, lets the agent work, and brings the default kernel back. What
//! a step needs as proof it takes as a value that only evidence can make ([`state`]).

mod boot;
mod files;
#[cfg(any(test, feature = "fuzz"))]
pub(super) mod fuzz;
mod health;
mod lock;
mod power;
mod redfish;
mod send;
mod serial;
mod session;
mod ssh;
mod starting;
mod state;
mod tests_run;

pub(super) use boot::boot_box;
pub use health::{BoxState, HealthWatch};
pub use lock::{BoxLock, Held};
pub use power::{PowerDriver, PowerState};
pub use serial::printable;
pub use session::Session;
pub use ssh::{known_hosts_line, ssh_options};
