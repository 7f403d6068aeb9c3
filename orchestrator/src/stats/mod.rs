//! Numbers: what the readings of two sides say together. Pure and deterministic, no I/O.
//!
//! * [`compare`] takes the readings of all boots of both sides and gives one [`crate::words::MetricComparison`] per
//!   metric and part. On the instruction clock readings are paired by phase (`instructions`), on the wall clock boots
//!   are what is counted (`wall`).
//! * [`steps`] finds the patches of a series that brought a change, [`walks`] sets one walk of the page tables against
//!   two.
//! * [`interleaved`] and [`next_boots`] say which boots to make on the wall clock.
//! * The rest are the textbook methods these need, each tested against published values or R and scipy.

pub mod basics;
mod compare;
pub mod discovery;
pub mod instructions;
pub mod mann_whitney;
mod order;
mod outcome;
#[cfg(test)]
mod properties;
pub mod random;
pub mod shift;
mod sides;
pub mod signed_rank;
pub mod steps;
#[cfg(test)]
mod testing;
mod threshold;
mod walks;
pub mod wall;

pub use compare::{Inputs, Place, compare, compare_one, unit};
pub use order::{Kernel, interleaved, next_boots};
pub use outcome::Outcome;
pub use threshold::{History, learned_threshold};
pub use walks::walks;
