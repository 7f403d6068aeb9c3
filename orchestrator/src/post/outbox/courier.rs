//! Sending a message, and finding out what became of one that was interrupted.

use std::time::Duration;

use super::item::{Item, ItemId};
use super::state::{By, Receipt, Record, State, wait};
use super::store::{Kept, LockedOutbox, OutboxError};

/// Delivers messages of one kind.
pub trait Courier {
    /// Delivers a message. Everything that may fail without a trace at the receiving side (connecting, logging in, naming
    /// the receivers) comes first; [`Gate::pass`] is called at the last moment before the message may be taken.
    ///
    /// `past` is what happened to the message before, oldest first: some receivers may have it already.
    ///
    /// # Errors
    /// When the outbox cannot be written. What the receiving side says is an [`Outcome`].
    fn deliver(
        &self,
        item: &Item,
        past: &[Record],
        gate: Gate<'_>,
    ) -> impl Future<Output = Result<Outcome, OutboxError>> + Send;

    /// Asks the receiving side whether it has a message whose delivery was interrupted.
    fn arrived(&self, item: &Item) -> impl Future<Output = Arrival> + Send;
}

/// What a delivery came to.
#[derive(Debug)]
pub enum Outcome {
    /// The receiving side has it.
    Delivered {
        /// Proof that the outbox was told before.
        passed: Passed,
        /// One sentence.
        why: String,
        /// What single receivers said.
        receipts: Vec<Receipt>,
        /// What the receiving side calls what it made of it.
        reference: Option<String>,
    },
    /// Not now; it is tried again later.
    Deferred {
        /// One sentence.
        why: String,
        /// How long the receiving side asks to wait.
        retry_after: Option<Duration>,
        /// What single receivers said; those that accepted have the message.
        receipts: Vec<Receipt>,
    },
    /// Never like this.
    Refused {
        /// One sentence.
        why: String,
        /// What single receivers said.
        receipts: Vec<Receipt>,
    },
    /// The connection broke after the message may have been taken.
    Unknown {
        /// Proof that the outbox was told before.
        passed: Passed,
        /// One sentence.
        why: String,
    },
}

/// Whether the receiving side has a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Arrival {
    /// It has.
    Yes {
        /// Where it was found, one sentence.
        why: String,
        /// What it calls what it made of it.
        reference: Option<String>,
    },
    /// It surely has not and will not: sending again makes no double.
    No {
        /// How that is known, one sentence.
        why: String,
    },
    /// Nobody can tell.
    Unknown {
        /// Why not, one sentence.
        why: String,
    },
}

/// The last step before a message may be taken.
pub struct Gate<'a> {
    outbox: &'a LockedOutbox,
    id: &'a ItemId,
}

/// Proof that the outbox knows that a message may have left.
#[derive(Debug)]
pub struct Passed(());

impl Gate<'_> {
    /// Writes that the message may have left from now on. `receipts` are the receivers it is handed over for.
    ///
    /// # Errors
    /// When it cannot be written; nothing may be sent then.
    pub fn pass(self, why: &str, receipts: Vec<Receipt>) -> Result<Passed, OutboxError> {
        let record = Record { receipts, ..Record::new(self.outbox.now(), State::Sending, By::Program, why) };
        self.outbox.record(self.id, record)?;
        Ok(Passed(()))
    }
}

/// Brings a message as far as it goes now: sends it when it is ready and due, asks what became of it when it was
/// interrupted, leaves it alone otherwise. The last record says where it is.
///
/// # Errors
/// When the outbox cannot be read or written.
pub async fn send(outbox: &LockedOutbox, id: &ItemId, courier: &impl Courier) -> Result<Kept, OutboxError> {
    let mut kept = outbox.find(id.as_str())?;
    if kept.state() == State::Sending {
        kept = ask(outbox, kept, courier).await?;
    }
    if kept.state() != State::Ready {
        return Ok(kept);
    }
    if let Some(newer) = outbox.newer(&kept)? {
        let why = format!("message {newer} says what holds now");
        return outbox.record(id, Record::new(outbox.now(), State::Superseded, By::Program, why));
    }
    if kept.last().next_try.is_some_and(|next| next > outbox.now()) {
        return Ok(kept);
    }
    let outcome = courier.deliver(&kept.item, &kept.records, Gate { outbox, id }).await?;
    let records = outbox.find(id.as_str())?.records;
    outbox.record(id, settle(outcome, &records, outbox.now()))
}

/// Finds out what became of a message whose delivery was interrupted.
async fn ask(outbox: &LockedOutbox, kept: Kept, courier: &impl Courier) -> Result<Kept, OutboxError> {
    let receipts = kept.last().receipts.clone();
    let record = |state, why, receipts, reference| Record {
        receipts,
        reference,
        ..Record::new(outbox.now(), state, By::Program, why)
    };
    let record = match courier.arrived(&kept.item).await {
        Arrival::Yes { why, reference } => record(State::Sent, why, receipts, reference),
        Arrival::No { why } => record(State::Ready, why, Vec::new(), None),
        Arrival::Unknown { why } => {
            record(State::Uncertain, format!("it was interrupted while it was sent, and {why}"), receipts, None)
        }
    };
    outbox.record(&kept.item.id, record)
}

/// The record of an outcome.
fn settle(outcome: Outcome, past: &[Record], now: i64) -> Record {
    let record = |state, why, receipts| Record { receipts, ..Record::new(now, state, By::Program, why) };
    match outcome {
        Outcome::Delivered { passed: Passed(()), why, receipts, reference } => {
            Record { reference, ..record(State::Sent, why, receipts) }
        }
        Outcome::Deferred { why, retry_after, receipts } => match wait(past) {
            Some(wait) => {
                let wait = wait.max(retry_after.unwrap_or_default());
                let wait = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
                Record { next_try: Some(now.saturating_add(wait)), ..record(State::Ready, why, receipts) }
            }
            None => record(State::Refused, format!("not accepted for days; the last answer: {why}"), receipts),
        },
        Outcome::Refused { why, receipts } => record(State::Refused, why, receipts),
        Outcome::Unknown { passed: Passed(()), why } => {
            let sent_to = past.last().filter(|last| last.state == State::Sending).map(|last| last.receipts.clone());
            record(State::Uncertain, why, sent_to.unwrap_or_default())
        }
    }
}
