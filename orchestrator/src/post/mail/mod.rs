//! The mail: a reply in the thread of the series that says what the run found.
//!
//! Pure: a [`Report`](crate::report::Report), its [`Series`](crate::words::Series) and the policy go in, a [`Message`] comes
//! out. [`Standing`] is what a mail says in the end, by which the next one is compared with it.

mod body;
mod findings;
mod headers;
mod message;
mod numbers;
mod page;
mod standing;
#[cfg(test)]
mod tests;
mod thread;

pub use message::{Mail, Message, Previous, compose};
pub use standing::Standing;
pub use thread::{MailError, Parent, identity, parent, refuse_without_verdict};
