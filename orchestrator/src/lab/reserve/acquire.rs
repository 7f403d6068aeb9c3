//! The one way to a reservation.

use tokio_util::sync::CancellationToken;

use super::holder::Holder;
use super::labgrid;
use super::reservation::Reservation;
use crate::words::{EventSink, Reserve};

/// No reservation.
#[derive(Debug, thiserror::Error)]
pub enum ReserveError {
    /// The run was interrupted while it waited.
    #[error("interrupted")]
    Cancelled,
    /// The coordinator has no such place.
    #[error("labgrid at {coordinator} has no place {place}{hint}")]
    NoPlace {
        /// Its address.
        coordinator: String,
        /// The place.
        place: String,
        /// What there is.
        hint: String,
    },
    /// The coordinator cannot be reached, or not for long enough.
    #[error("labgrid at {coordinator}: {why}; is labgrid-coordinator running there?")]
    Unreachable {
        /// Its address.
        coordinator: String,
        /// The last trouble.
        why: String,
    },
    /// The coordinator refuses.
    #[error("labgrid at {coordinator} refuses {place}: {why}")]
    Refused {
        /// Its address.
        coordinator: String,
        /// The place.
        place: String,
        /// Its words.
        why: String,
    },
}

/// Reserves a box with the engine that shares it, and waits while another holds it; a note says who.
///
/// `None` where there is nothing to ask: a box of this host's alone has its lock file only, and the licence of a box that
/// Slurm shares belongs to the job that this is.
///
/// # Errors
/// When there is nothing to wait for, or the run is interrupted.
pub async fn acquire(
    reserve: &Reserve,
    holder: &Holder,
    events: &EventSink,
    cancel: &CancellationToken,
) -> Result<Option<Reservation>, ReserveError> {
    match reserve {
        Reserve::Local {} | Reserve::Slurm { .. } => Ok(None),
        Reserve::Labgrid { coordinator, place } => {
            let pace = labgrid::Pace::default();
            labgrid::acquire(coordinator, place, holder, &pace, events, cancel).await.map(Some)
        }
    }
}
