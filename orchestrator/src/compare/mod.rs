//! The compare room: base against patched. Pure; the heart of an honest verdict.
//!
//! [`collect`] sorts the verdicts of all boots of a side by test into [`Tries`]; [`compare`] turns two sides into one
//! [`Change`](crate::words::Change); [`next_tries`] says how many repeats are worth it before that is believed;
//! [`compare_boots`] does so for every test of two lists of boots. [`new_splats`] looks at the kernel logs,
//! [`bisect`] at which patch is to blame, and [`findings`] write down what a person should read. [`compare_findings`]
//! sets the findings of two runs side by side, [`pair_patches`] the patches of two versions.

pub mod bisect;
mod boots;
mod crashes;
pub mod findings;
mod fisher;
mod flakes;
mod functions;
mod repeat;
mod splats;
#[cfg(test)]
pub(crate) mod testing;
mod tries;
mod versions;

pub use crate::words::TestComparison;
pub use boots::{collect, compare_boots, listed, note_needless, repeats, suspects};
pub use crashes::followers;
pub use fisher::{SIGNIFICANT, detectable, fisher_greater};
pub use flakes::{BaseTries, FlakeRate, flake_rate, with_history};
pub use functions::{Attribution, attribute};
pub use repeat::{CONFIRM_TRIES, INFRA_LIMIT, MAX_TRIES, NextTries, next_tries};
pub use splats::{NewSplat, new_splats};
pub use tries::{Standing, Tries, compare};
pub use versions::{compare_findings, pair_patches, read_range_diff};
