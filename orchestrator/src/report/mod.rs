//! Reports: the content of `report.json` and what people read.
//!
//! [`Report`] is the contract with scripts. All renderers are pure: a report goes in, a string comes out.

#[cfg(any(test, feature = "fuzz"))]
#[cfg_attr(not(test), expect(dead_code, reason = "most of it is for tests"))]
pub(crate) mod fixtures;
pub(crate) mod harmless;
mod html;
mod junit;
pub(crate) mod labels;
mod markdown;
pub mod model;
mod nodes;
pub(crate) mod numbers;
mod terminal;
mod versions;
pub(crate) mod view;

pub(crate) use harmless::harmless;
pub use html::html;
pub use junit::junit;
pub(crate) use markdown::escape as markdown_text;
pub use markdown::markdown;
pub use model::Report;
pub use terminal::{since_terminal, terminal};
