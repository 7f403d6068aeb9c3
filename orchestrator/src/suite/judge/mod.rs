//! From one boot's frames, console and end to its record: what every test did.
//!
//! # Rules
//! - Only a result line makes a pass, and only when the whole of the program's output fits together: one plan, one
//!   result of that test, no [problem](super::ktap::Problem), exit code 0. See [`verdict`] for the exit codes.
//! - A test that was open when the kernel died, hung or reset did that: Crashed. So did one that overran the agent's
//!   deadline, or after which the kernel is tainted as having oopsed.
//! - The other tests of that boot are [remaining](crate::words::BootRecord::remaining), for another boot.
//! - Trouble of ours is Infra: a set-up step that spoils the results, a frame lost or forged, a result line missing,
//!   an overrun of the whole suite's time (each test has a limit of its own).
//! - A module that will not unload is a failing test of its own: `<suite>.unload-<module>`.
//! - A program that runs whole and does not end well also gets a record under the bare suite's name.

mod boot;
mod reported;
mod runs;
mod verdict;
mod whole;

pub use boot::{BootMeta, JudgeInput, judge};

#[cfg(test)]
mod tests;
