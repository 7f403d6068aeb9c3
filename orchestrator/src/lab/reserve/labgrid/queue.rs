//! Deciding what to do while a place is waited for. Pure.

use super::messages::{Place, Turn, TurnState};
use super::session::LEASE;
use crate::lab::reserve::holder::is_ours;

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Next {
    /// The place is kept for us: take it.
    Take,
    /// Wait; somebody else has it.
    Wait(String),
    /// Our turn is gone: take another one.
    AgainTurn,
    /// It is held by a run of this program that is gone: free it.
    Free {
        /// Its name.
        holder: String,
        /// Its turns.
        turns: Vec<String>,
    },
    /// There is no such place.
    NoPlace,
}

/// What to do for `place`, with our turn `token`. `places` must have been asked for before `turns`: a holder's sign of
/// life is older than its hold, so it is then among the turns of every hold that is seen.
pub(super) fn next(place: &str, token: &str, places: &[Place], turns: &[Turn]) -> Next {
    let Some(found) = places.iter().find(|found| found.name == place) else { return Next::NoPlace };
    let holder = found.acquired.as_deref().filter(|holder| !holder.is_empty());
    if let Some(holder) = holder
        && is_ours(holder)
        && !lives(holder, turns)
    {
        let own = turns.iter().filter(|turn| turn.owner == holder).map(|turn| turn.token.clone());
        return Next::Free { holder: holder.to_owned(), turns: own.collect() };
    }
    let Some(turn) = turns.iter().find(|turn| turn.token == token) else { return Next::AgainTurn };
    match (turn.state(), holder) {
        (TurnState::Expired | TurnState::Invalid, _) => Next::AgainTurn,
        (_, Some(holder)) => Next::Wait(format!("held by {holder}")),
        (TurnState::Allocated | TurnState::Acquired, None) => Next::Take,
        (TurnState::Waiting, None) => {
            let kept = found.reservation.as_deref().and_then(|kept| turns.iter().find(|turn| turn.token == kept));
            Next::Wait(match kept {
                Some(turn) => format!("reserved for {}", turn.owner),
                None => "free in a moment".to_owned(),
            })
        }
    }
}

/// Whether a holder gave a sign of life within the last minute.
pub(super) fn lives(holder: &str, turns: &[Turn]) -> bool {
    turns.iter().any(|turn| {
        let lease = turn.filters.values().any(|filter| filter.filter.contains_key(LEASE));
        lease && turn.owner == holder && turn.state() == TurnState::Waiting
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::super::messages::Filter;
    use super::*;

    const DEAD: &str = "lab1/alice:orchestrator:00000001";

    fn place(acquired: Option<&str>, reservation: Option<&str>) -> Vec<Place> {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let place = Place {
            name: "box".into(),
            acquired: owned(acquired),
            reservation: owned(reservation),
            ..Place::default()
        };
        vec![Place { name: "other".into(), ..Place::default() }, place]
    }

    fn turn(owner: &str, token: &str, state: TurnState, key: &str) -> Turn {
        let filter = Filter { filter: HashMap::from([(key.to_owned(), "box".to_owned())]) };
        Turn {
            owner: owner.into(),
            token: token.into(),
            state: state.into(),
            filters: HashMap::from([("main".to_owned(), filter)]),
            ..Turn::default()
        }
    }

    #[test]
    fn every_state_has_its_next_step() {
        let mine = |state| turn("me", "M", state, "name");
        let other = turn("bob", "B", TurnState::Allocated, "name");
        let lease = |state| turn(DEAD, "L", state, LEASE);
        let dead = turn(DEAD, "D", TurnState::Acquired, "name");
        let free = || Next::Free { holder: DEAD.into(), turns: vec!["D".into(), "L".into()] };
        let waits = |why: &str| Next::Wait(why.to_owned());
        use TurnState::{Acquired, Allocated, Expired, Invalid, Waiting};
        let cases: [(Vec<Place>, Vec<Turn>, Next); 12] = [
            (place(None, Some("M")), vec![mine(Allocated)], Next::Take),
            (place(None, Some("M")), vec![mine(Acquired)], Next::Take),
            (place(Some(""), Some("M")), vec![mine(Allocated)], Next::Take),
            (place(Some("lab1/bob"), None), vec![mine(Waiting)], waits("held by lab1/bob")),
            (place(Some("lab1/bob"), Some("M")), vec![mine(Allocated)], waits("held by lab1/bob")),
            (place(None, Some("B")), vec![other, mine(Waiting)], waits("reserved for bob")),
            (place(None, None), vec![mine(Waiting)], waits("free in a moment")),
            (place(None, None), vec![], Next::AgainTurn),
            (place(None, None), vec![mine(Expired)], Next::AgainTurn),
            (place(None, None), vec![mine(Invalid)], Next::AgainTurn),
            (place(Some(DEAD), None), vec![dead.clone(), lease(Expired), mine(Waiting)], free()),
            (place(Some(DEAD), None), vec![dead, lease(Waiting), mine(Waiting)], waits(&format!("held by {DEAD}"))),
        ];
        for (places, turns, expected) in cases {
            assert_eq!(next("box", "M", &places, &turns), expected);
        }
        assert_eq!(next("none", "M", &place(None, None), &[]), Next::NoPlace);
    }

    #[test]
    fn a_person_that_holds_a_place_is_never_driven_out() {
        assert!(matches!(next("box", "M", &place(Some("lab1/bob"), None), &[]), Next::AgainTurn));
        assert!(!lives("lab1/bob", &[turn("lab1/bob", "X", TurnState::Waiting, "name")]));
    }
}
