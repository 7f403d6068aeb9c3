//! The earlier run of the same series, and what changed since.
//!
//! [`earlier`] decides, without I/O, which run that is; [`compare_runs`] reads both and sets them side by side.

mod answered;
mod assemble;
mod find;
mod ranges;
#[cfg(test)]
mod whole_tests;

pub use assemble::{Told, compare_runs, since};
pub use find::{Head, Which, earlier};
