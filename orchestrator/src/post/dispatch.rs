//! From a message's kind to its courier.

use super::delivery::{DeliveryError, MailCourier};
use super::lists::{Lists, Transport};
use super::outbox::{self, Kept, Kind, LockedOutbox, OutboxError};

/// Why a message cannot be sent.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The outbox.
    #[error(transparent)]
    Outbox(#[from] OutboxError),
    /// Its courier cannot be had.
    #[error(transparent)]
    Delivery(#[from] DeliveryError),
    /// There is no courier for its kind.
    #[error("message {id}: `orchestrator outbox send` does not send messages of kind {}", kind.word())]
    NoCourier {
        /// The message.
        id: outbox::ItemId,
        /// Its kind.
        kind: Kind,
    },
}

/// What couriers are made from.
#[derive(Debug)]
pub struct Couriers<'a> {
    /// The policy.
    pub lists: &'a Lists,
    /// How mail is to leave, where it is not as the policy says.
    pub via: Option<Transport>,
}

impl Couriers<'_> {
    /// Brings a message as far as it goes now, see [`outbox::send`].
    ///
    /// # Errors
    /// When its courier cannot be had, or the outbox cannot be written.
    pub async fn send(&self, outbox: &LockedOutbox, kept: &Kept) -> Result<Kept, SendError> {
        let id = &kept.item.id;
        match kept.item.subject.kind {
            Kind::Mail => Ok(outbox::send(outbox, id, &MailCourier::new(self.lists, self.via)?).await?),
            kind @ (Kind::PatchworkCheck
            | Kind::GithubStatus
            | Kind::GithubCheckRun
            | Kind::GithubComment
            | Kind::GithubIssue
            | Kind::Kcidb) => Err(SendError::NoCourier { id: id.clone(), kind }),
        }
    }
}
