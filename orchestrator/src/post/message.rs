//! What is said at one place.

use super::http::Call;
use super::outbox::Draft;

/// A message for the outbox, and the requests that deliver it, for a dry run.
#[derive(Debug, Clone)]
pub struct Message {
    /// What the outbox keeps.
    pub draft: Draft,
    /// What is sent, in order. Requests that only read are not among them.
    pub calls: Vec<Call>,
}

/// Why nothing is said of a run at a place: one sentence with what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unsaid(pub String);
