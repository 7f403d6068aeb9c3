//! The suite room: from what a boot said to what its tests did. Pure.
//!
//! [`ktap`] reads test output, [`log`] finds the kernel's own reports on the console, and [`judge`](judge()) turns both and the
//! way the boot ended into verdicts.

mod found;
#[cfg(any(test, feature = "fuzz"))]
pub(crate) mod fuzz;
mod idle;
pub mod judge;
pub mod ktap;
pub mod log;
pub mod reports;
mod samples;
mod thp_table;

pub use judge::{BootMeta, JudgeInput, judge};
pub use log::{log_checked, scan};
