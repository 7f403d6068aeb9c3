//! The command line: one subcommand per file, nothing else here decides anything.

mod args;
mod doctor;
mod exit;
mod gc;
mod list;
mod log;
mod reproduce;
mod resume;
mod run;
mod show;
mod start;

pub use args::{Cli, main};
pub use exit::ExitCode;
