//! From a message's kind to its courier.

use super::delivery::{DeliveryError, MailCourier};
use super::github::GithubCourier;
use super::http::Trouble;
use super::kcidb::KcidbCourier;
use super::lists::{Lists, Transport};
use super::outbox::{self, Kept, Kind, LockedOutbox, OutboxError, system_clock};
use super::patchwork::PatchworkCourier;
use super::places::{Places, TokenError};

/// Why a message cannot be sent.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The outbox.
    #[error(transparent)]
    Outbox(#[from] OutboxError),
    /// Its courier cannot be had.
    #[error(transparent)]
    Delivery(#[from] DeliveryError),
    /// The place has no token.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The place is not in `series/places.yaml` (any more), or cannot be talked to.
    #[error("message {id}: {why}")]
    Place {
        /// The message.
        id: outbox::ItemId,
        /// Why.
        why: String,
    },
}

/// What couriers are made from.
#[derive(Debug)]
pub struct Couriers<'a> {
    /// The policy.
    pub lists: &'a Lists,
    /// How mail is to leave, where it is not as the policy says.
    pub via: Option<Transport>,
    /// The places beside mail.
    pub places: &'a Places,
}

/// A variable of the environment.
fn env(name: &str) -> Option<String> {
    std::env::var(name).ok()
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
            Kind::PatchworkCheck => {
                let place = self.places.patchwork.as_ref().ok_or_else(|| missing(kept, "patchwork"))?;
                let courier = PatchworkCourier::new(&place.token(env)?, system_clock());
                Ok(outbox::send(outbox, id, &courier.map_err(|trouble| unusable(kept, trouble))?).await?)
            }
            Kind::GithubStatus | Kind::GithubCheckRun | Kind::GithubComment | Kind::GithubIssue => {
                let place = self.places.github.as_ref().ok_or_else(|| missing(kept, "github"))?;
                let courier = GithubCourier::new(&place.token(env)?, &place.api_url, place.reserve, system_clock());
                Ok(outbox::send(outbox, id, &courier.map_err(|trouble| unusable(kept, trouble))?).await?)
            }
            Kind::Kcidb => {
                let place = self.places.kcidb.as_ref().ok_or_else(|| missing(kept, "kcidb"))?;
                let courier = KcidbCourier::new(&place.token(env)?, system_clock());
                Ok(outbox::send(outbox, id, &courier.map_err(|trouble| unusable(kept, trouble))?).await?)
            }
        }
    }
}

fn missing(kept: &Kept, place: &str) -> SendError {
    let why = format!("series/places.yaml names no {place}; put it there again, or drop the message");
    SendError::Place { id: kept.item.id.clone(), why }
}

fn unusable(kept: &Kept, trouble: Trouble) -> SendError {
    let (Trouble::Later { why, .. } | Trouble::Never { why }) = trouble;
    SendError::Place { id: kept.item.id.clone(), why }
}
