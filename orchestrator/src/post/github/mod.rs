//! Commit statuses, check runs, one comment and one issue on GitHub.
//!
//! Whatever a series says reaches GitHub only inside code spans and code blocks: there `@name`, `#1` and markup mean
//! nothing. A comment and an issue are found again by a hidden marker in their first line and by their author.

mod api;
mod courier;
mod payload;
#[cfg(test)]
mod tests;
mod text;

pub use courier::GithubCourier;
pub use payload::{At, Payload, Target, messages};
