//! What the couriers of all places have in common.

use super::http::Trouble;
use super::outbox::{Arrival, Outcome};

/// Trouble as the outbox understands it. It also holds behind the gate: whoever delivers here reads first what is there,
/// so that trying again makes no double.
pub(super) fn outcome(trouble: Trouble) -> Outcome {
    match trouble {
        Trouble::Later { why, retry_after } => Outcome::Deferred { why, retry_after, receipts: Vec::new() },
        Trouble::Never { why } => Outcome::Refused { why, receipts: Vec::new() },
    }
}

/// A payload of another version of the program.
pub(super) fn unreadable(error: &serde_json::Error) -> Outcome {
    let why = format!("this version of the program cannot read the message ({error}); drop it and post the run again");
    Outcome::Refused { why, receipts: Vec::new() }
}

/// The answer to whether an interrupted message arrived, of a courier that reads before it sends.
pub(super) fn reads_first(what: &str) -> Arrival {
    Arrival::No { why: format!("{what} read before anything is sent, so trying again makes no double") }
}
