//! The outbox: everything that is to leave, kept before it leaves, sent once.
//!
//! ```text
//! results/outbox/
//!   lock             held while a process puts, sends or decides
//!   <id>/
//!     item.json      what is to be sent, never changed: a resend sends the very same bytes
//!     records.json   what happened to it, the last record is its state
//! ```
//!
//! A message is one [`Item`] of one [`Kind`]; its `topic` says what it speaks about and its `fingerprint` what it says of
//! it. [`LockedOutbox::decide`] compares both with what was said before, [`LockedOutbox::put`] keeps it, and
//! [`send`] hands it to a [`Courier`]. Files are synced before the next step begins, and the last thing before a message
//! may have left is a record that says so: whatever was interrupted before that record is simply tried again, whatever was
//! interrupted after it is asked for at the receiving side, or left to a person.

mod courier;
mod decide;
mod disk;
#[cfg(test)]
mod format_tests;
mod item;
mod state;
mod store;
#[cfg(test)]
mod tests;

pub use courier::{Arrival, Courier, Gate, Outcome, Passed, send};
pub use decide::Decision;
pub use item::{Draft, Item, ItemId, Kind, Subject};
pub use state::{By, Receipt, Reception, Record, State};
pub use store::{Clock, Kept, LockedOutbox, Outbox, OutboxError, system_clock};
