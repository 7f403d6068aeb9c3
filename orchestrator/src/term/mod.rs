//! The terminal: the one place that decides what is written to it while a run goes on, and how.
//!
//! [`Progress`] is the picture of a run that the events draw; [`lines`] turns it into text, purely; [`Live`] owns the
//! streams. [`text`] makes hostile text harmless, for this room and for the reports.

mod color;
pub mod lines;
mod live;
mod progress;
pub mod text;

pub use color::{ColorChoice, Styles};
pub use live::{Live, Mode};
pub use progress::{Progress, Running};

/// Columns to use where the terminal does not say, e.g. in a pipe.
pub const DEFAULT_WIDTH: usize = 100;

/// Columns of the terminal behind standard output, [`DEFAULT_WIDTH`] when there is none.
pub fn stdout_width() -> usize {
    columns(terminal_size::terminal_size_of(std::io::stdout()))
}

/// Columns of the terminal behind standard error, [`DEFAULT_WIDTH`] when there is none.
pub fn stderr_width() -> usize {
    columns(terminal_size::terminal_size_of(std::io::stderr()))
}

fn columns(size: Option<(terminal_size::Width, terminal_size::Height)>) -> usize {
    // A pseudo-terminal that was never told its size says 0.
    size.map(|(width, _)| usize::from(width.0)).filter(|width| *width > 0).unwrap_or(DEFAULT_WIDTH)
}
