//! The rooms that turn console logs, KTAP and numbers into a verdict, built by themselves.
//!
//! Nothing ships from here. The same files are part of the orchestrator; built alone, they compile in seconds instead of
//! minutes, so that every mutant of theirs can be tried (`make mutants`) and their line coverage is theirs alone
//! (`make coverage`). That they build without the other rooms also proves that a verdict depends on no edge.

// The fuzz targets of a room are driven by the orchestrator.
#![cfg_attr(test, allow(dead_code))]

#[path = "../../src/compare/mod.rs"]
pub mod compare;
#[path = "../../src/build/compare.rs"]
pub mod diagnostics;
#[path = "../../src/stats/mod.rs"]
pub mod stats;
#[path = "../../src/suite/mod.rs"]
pub mod suite;
#[path = "../../src/term/text.rs"]
pub mod text;
#[path = "../../src/words/mod.rs"]
pub mod words;

/// What the comparison uses of the build room: diagnostics of compilers, without their line numbers.
pub mod build {
    pub use crate::diagnostics::{DiagnosticSignature, new_diagnostics, signature, without_numbers};
}

/// What the statistics use of the terminal room: how a number of instructions is written.
pub mod term {
    pub use crate::text;
}
