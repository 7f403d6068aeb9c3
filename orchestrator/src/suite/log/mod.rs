//! Reports in the kernel log: WARN, BUG, KASAN, lockdep, hung tasks and their like, and which test they belong to.
//!
//! The log is hostile and may be flooded: reading it is linear in its size, and what is kept is bounded. Formats are
//! those of Linux 5.x to 7.x, with and without timestamps, caller ids and level prefixes.

mod body;
mod checked;
mod header;
mod line;
mod open;
mod scan;
mod signature;

pub use checked::log_checked;
pub use line::Marker;
pub use scan::{Log, read, scan};

#[cfg(test)]
mod corpus;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;
