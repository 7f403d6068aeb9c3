//! Files a user writes: where they lie and how they are read.
//!
//! [`Home`] finds the project folder (`series/`, `kconfigs/`, `lab/`) or unpacks the copy inside the program.
//! [`load`] reads one YAML file and reports all its problems at once, each with file, line and remedy; a room that
//! checks more than types and names (references between files, say) takes [`load_document`] and adds [`Problem`]s of
//! its own through [`Document::problem`]. [`schemas`] lists the JSON schema of every file.

mod check;
mod document;
mod home;
mod load;
mod parse;
mod problem;
mod schemas;

pub use document::{Document, Position};
pub use home::{Home, HomeError};
pub use load::{load, load_document, parse_document};
pub use problem::{ConfigError, Problem, closest};
pub use schemas::{UserFile, schemas};
