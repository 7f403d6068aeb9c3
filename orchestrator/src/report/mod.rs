//! Reports: the content of `report.json` and what people read.
//!
//! [`Report`] is the contract with scripts. All renderers are pure: a report goes in, a string comes out.

pub mod model;

pub use model::Report;
