//! Reading what the build tools print.
//!
//! [`Reader`] takes the output of make line by line, finds out which target each line belongs to and what it says.
//! Everything read here is hostile text (a patch decides what the compiler prints) and therefore bounded.

mod line;
mod reader;
#[cfg(test)]
mod tests;

pub(super) use reader::{Reader, Said};
