//! The shared words of the project: plain data that the rooms hand to each other.
//!
//! Every type here is a word of `docs/glossary.md`. Nothing in this module does I/O.

mod base;
mod boot;
mod build;
mod comparison;
mod event;
mod finding;
mod format;
mod kconfig;
mod machine;
mod metric;
mod revision;
mod series;
mod source;
mod suite;
mod tag;
#[cfg(test)]
pub(crate) mod testing;
mod tree;
mod unit;
mod verdict;
mod version;

pub use base::*;
pub use boot::*;
pub use build::*;
pub use comparison::*;
pub use event::*;
pub use finding::*;
pub use format::*;
pub use kconfig::*;
pub use machine::*;
pub use metric::*;
pub use revision::*;
pub use series::*;
pub use source::*;
pub use suite::*;
pub use tag::{TagValue, Tags};
pub use tree::*;
pub use unit::*;
pub use verdict::*;
pub use version::*;
