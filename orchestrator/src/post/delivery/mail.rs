//! The courier of mails.

use std::collections::BTreeSet;

use super::smtp::Smtp;
use super::{archive, git_send_email};
use crate::post::lists::{GitSendEmailEntry, Lists, Transport};
use crate::post::mail::Message;
use crate::post::outbox::{Arrival, Courier, Gate, Item, OutboxError, Outcome, Record};

/// Why mail cannot leave.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    /// Nothing is configured.
    #[error(
        "there is no way to send mail; write `smtp:` or `git_send_email:` into your lists.yaml (see docs/posting.md)"
    )]
    NoTransport,
    /// The one that was asked for is not configured.
    #[error("there is no `smtp:` in your lists.yaml (see docs/posting.md)")]
    NoSmtp,
    /// Nobody to send as.
    #[error(
        "nothing is sent without a sender; write `sender: {{name: ..., email: ...}}` into your lists.yaml (see docs/posting.md)"
    )]
    NoSender,
    /// The password is not there.
    #[error("{0}")]
    Secret(String),
}

/// Delivers mails, and asks the archive for those that were interrupted.
#[derive(Debug)]
pub struct MailCourier {
    way: Way,
    archive: Option<String>,
}

#[derive(Debug)]
enum Way {
    Smtp(Smtp),
    GitSendEmail(GitSendEmailEntry),
}

impl MailCourier {
    /// The courier that the policy names, or the one that was asked for.
    ///
    /// # Errors
    /// When it is not configured, or its password is not there.
    pub fn new(lists: &Lists, via: Option<Transport>) -> Result<MailCourier, DeliveryError> {
        let sender = lists.sender.as_ref().ok_or(DeliveryError::NoSender)?;
        let smtp = || {
            let entry = lists.smtp.as_ref().ok_or(DeliveryError::NoSmtp)?;
            Smtp::new(entry, &sender.domain).map(Way::Smtp).map_err(DeliveryError::Secret)
        };
        let git = || Way::GitSendEmail(lists.git_send_email.clone().unwrap_or_default());
        let way = match (via, &lists.smtp, &lists.git_send_email) {
            (Some(Transport::Smtp), ..) | (None, Some(_), _) => smtp()?,
            (Some(Transport::GitSendEmail), ..) | (None, None, Some(_)) => git(),
            (None, None, None) => return Err(DeliveryError::NoTransport),
        };
        Ok(MailCourier { way, archive: lists.archive.clone() })
    }
}

impl Courier for MailCourier {
    async fn deliver(&self, item: &Item, past: &[Record], gate: Gate<'_>) -> Result<Outcome, OutboxError> {
        let message: Message = match item.payload() {
            Ok(message) => message,
            Err(error) => {
                let why = format!("another version of the program wrote this mail: {error}");
                return Ok(Outcome::Refused { why, receipts: Vec::new() });
            }
        };
        let have_it: BTreeSet<&str> = past.iter().flat_map(Record::accepted).collect();
        let mut recipients: Vec<String> = message.to.iter().chain(&message.cc).cloned().collect();
        recipients.retain(|address| !have_it.contains(address.as_str()));
        match &self.way {
            Way::Smtp(smtp) => smtp.deliver(&message, &recipients, gate).await,
            Way::GitSendEmail(entry) => git_send_email::deliver(entry, &message, &recipients, gate).await,
        }
    }

    async fn arrived(&self, item: &Item) -> Arrival {
        match item.payload::<Message>() {
            Ok(message) => archive::look_up(self.archive.as_deref(), &message.message_id).await,
            Err(error) => Arrival::Unknown { why: format!("another version of the program wrote this mail: {error}") },
        }
    }
}
