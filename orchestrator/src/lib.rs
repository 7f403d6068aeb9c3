//! Test orchestrator for Linux memory-management patch series.
//!
//! Data goes left to right once: `series` → `tree` → `build` → `lab` → `suite` → `compare` → `report`; `run` plans
//! and drives them. See `docs/architecture.md`.

pub mod build;
pub mod cli;
pub mod compare;
pub mod config;
pub mod diagnosis;
pub mod engine;
#[cfg(test)]
pub(crate) mod formats;
#[cfg(any(test, feature = "fuzz"))]
pub mod fuzz;
pub mod intake;
pub mod known;
pub mod lab;
pub mod moderation;
pub mod nightly;
pub mod post;
pub mod process;
pub mod report;
pub mod run;
pub mod series;
pub mod site;
pub mod stats;
pub mod suite;
pub mod term;
pub mod tree;
pub mod words;
