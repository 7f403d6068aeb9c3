//! The diagnosis of one run: why it stands still, or why it ended as it did, and what to do.
//!
//! [`gather`] looks at the run's folder, its logs, its processes, locks and disks; [`explain`] makes sentences of that and
//! does no I/O; [`show`] sets them for a terminal.

mod causes;
mod explain;
mod facts;
mod gather;
mod past;
mod proc_files;
mod processes;
mod show;
#[cfg(test)]
mod testing;
mod units;

pub use explain::{Explanation, Weight, explain};
pub use facts::*;
pub use gather::gather;
pub use show::show;
