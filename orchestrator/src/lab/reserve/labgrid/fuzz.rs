//! What labgrid's coordinator says, for fuzzing.

use prost::Message;

use super::messages::{FromCoordinator, Places, Turns};
use super::queue::{Next, lives, next};
use crate::lab::reserve::holder::is_ours;

/// Places and turns, each as the coordinator encodes them: `PLACES`, the same number of bytes as the first byte says,
/// then turns.
///
/// A message reads back as itself. A place that somebody holds is never taken, and only one of ours whose holder is gone
/// is freed.
pub fn coordinator(data: &[u8]) {
    if let Ok(news) = FromCoordinator::decode(data) {
        assert_eq!(FromCoordinator::decode(news.encode_to_vec().as_slice()).expect("its own bytes"), news);
    }
    let Some((length, rest)) = data.split_first() else { return };
    let (places, turns) = rest.split_at(usize::from(*length).min(rest.len()));
    let (Ok(places), Ok(turns)) = (Places::decode(places), Turns::decode(turns)) else { return };
    let (places, turns) = (places.places, turns.turns);
    let names = places.iter().map(|place| place.name.as_str()).chain(["box"]).take(8);
    let tokens: Vec<&str> = turns.iter().map(|turn| turn.token.as_str()).chain(["mine"]).take(8).collect();
    for name in names {
        let held =
            places.iter().find(|place| place.name == name).map(|place| place.acquired.clone().unwrap_or_default());
        for token in &tokens {
            match next(name, token, &places, &turns) {
                Next::NoPlace => assert!(held.is_none()),
                Next::Take => assert_eq!(held.as_deref(), Some(""), "a place that is held is taken"),
                Next::Free { holder, turns: own } => {
                    assert!(is_ours(&holder) && held.as_deref() == Some(&holder) && !lives(&holder, &turns));
                    assert!(own.len() <= turns.len());
                }
                Next::Wait(_) | Next::AgainTurn => assert!(held.is_some()),
            }
        }
    }
}
