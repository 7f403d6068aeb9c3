//! The run room: plans what to do, drives the other rooms, keeps what was done.
//!
//! A run is a folder below `results/`. Its event log is the truth about what happened; results themselves are kept by
//! content key in the cache, so that a resumed or repeated run does nothing twice.

mod base_plan;
mod bases;
mod board;
mod booter;
mod boots;
mod builds;
pub mod cache_format;
mod context;
pub mod debug_line;
pub mod debug_log;
mod engine;
mod examine;
mod flake_past;
mod folder;
mod forecast;
#[cfg(test)]
mod format_tests;
mod gaps;
pub mod gc;
mod history;
mod host;
mod host_accel;
pub mod index;
mod judge;
pub mod keep_disk;
mod log;
mod measure;
mod metric_past;
mod options;
mod placement;
mod plan;
mod posted_stock;
pub mod previous;
mod recorder;
#[cfg(test)]
mod sim_tests;
#[cfg(test)]
mod simulated;
mod stop;
mod summary;
#[cfg(test)]
pub(crate) mod testing;
mod tools;
mod trees;
mod uncompiled;
pub mod users;
mod verdict;

pub use base_plan::{BasePlan, SettledBase};
pub use context::Context;
pub use engine::{DEFAULT_TREE, Places, RunError, execute, select_kconfigs};
pub use flake_past::{FlakePast, TestsOfRun};
pub use folder::{FolderError, RunFolder, RunLock, TreePlan, write_atomically};

/// The message of the debug log's line when somebody asks the program to stop.
pub const ASKED_TO_STOP: &str = "asked to stop";

/// The message of the debug log's line when a run could not be carried out.
pub const FAILED: &str = "the run failed";

#[cfg(any(test, feature = "fuzz"))]
pub(crate) use log::fuzz_event_line;
pub use log::{EventLog, FORMAT as LOG_FORMAT, read_events};
pub use options::{Options, TreeArgument};
pub use recorder::{Unit, sink};
pub use stop::{Stop, Stopper, Why};
