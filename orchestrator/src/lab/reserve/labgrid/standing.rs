//! Who holds a place, for people who ask.

use super::queue::lives;
use super::session;
use crate::lab::reserve::acquire::ReserveError;
use crate::lab::reserve::holder::{Holder, is_ours};

/// How a place stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Who holds it.
    pub holder: Option<String>,
    /// That it is a run of this program which is gone: the next one takes the place over.
    pub abandoned: bool,
    /// Who waits for it or has it reserved, in labgrid's order.
    pub queue: Vec<String>,
}

/// Asks a coordinator about a place.
///
/// # Errors
/// When it does not answer or has no such place.
pub async fn standing(coordinator: &str, place: &str) -> Result<Standing, ReserveError> {
    let fail = |status: tonic::Status| ReserveError::Unreachable {
        coordinator: coordinator.to_owned(),
        why: status.message().to_owned(),
    };
    let (calls, _news) = session::open(coordinator, &Holder::new("look").name).await.map_err(fail)?;
    let places = calls.places().await.map_err(fail)?;
    let turns = calls.turns().await.map_err(fail)?;
    let Some(found) = places.iter().find(|found| found.name == place) else {
        let (coordinator, place) = (coordinator.to_owned(), place.to_owned());
        return Err(ReserveError::NoPlace { coordinator, place, hint: String::new() });
    };
    let holder = found.acquired.clone().filter(|holder| !holder.is_empty());
    let abandoned = holder.as_deref().is_some_and(|holder| is_ours(holder) && !lives(holder, &turns));
    let wants = |turn: &&super::messages::Turn| {
        turn.filters.values().any(|filter| filter.filter.get("name").is_some_and(|name| name == place))
            && Some(&turn.owner) != holder.as_ref()
    };
    let queue = turns.iter().filter(wants).map(|turn| turn.owner.clone()).collect();
    Ok(Standing { holder, abandoned, queue })
}
