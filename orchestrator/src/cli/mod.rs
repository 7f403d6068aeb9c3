//! The command line: one subcommand per file, nothing else here decides anything.

/// Prints a line on standard output. A reader that went away (`| head`) is no trouble.
macro_rules! say {
    ($($argument:tt)*) => {
        crate::cli::start::write_out(&format!("{}\n", format_args!($($argument)*)))
    };
}

mod approve;
mod args;
mod b4_check;
mod compare;
mod doctor;
mod exit;
mod gc;
mod known;
mod lab;
mod list;
mod log;
mod nightly;
mod outbox;
mod post;
mod post_place;
mod reproduce;
mod resume;
mod run;
mod show;
mod site;
mod start;
mod unit;
mod versions;

pub use args::{Cli, main};
pub use exit::ExitCode;
