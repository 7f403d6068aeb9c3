//! The run room: plans what to do, drives the other rooms, keeps what was done.
//!
//! A run is a folder below `results/`. Its event log is the truth about what happened; results themselves are kept by
//! content key in the cache, so that a resumed or repeated run does nothing twice.

mod board;
mod folder;
mod log;
mod options;
mod recorder;
#[cfg(test)]
mod testing;

pub use board::{Board, Pins, bootable, same_artefacts};
pub use folder::{FolderError, RunFolder, RunLock, write_atomically};
pub use log::{EventLog, FORMAT as LOG_FORMAT, read_events};
pub use options::{Options, TreeArgument};
pub use recorder::{Unit, Watcher, sink};
