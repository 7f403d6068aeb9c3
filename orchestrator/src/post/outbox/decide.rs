//! Whether a message says anything new.

use super::item::{ItemId, Subject};
use super::state::State;
use super::store::Kept;

/// What to do with something that could be said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// It is new, or not what was said last.
    Say {
        /// Id for the message.
        id: ItemId,
        /// Messages on the topic that have not left and are now out of date.
        supersedes: Vec<ItemId>,
    },
    /// It was said last, waits to be said, or a person or the receiving side did not want it.
    Said {
        /// The message that says it.
        id: ItemId,
        /// Its state.
        state: State,
        /// Messages on the topic that have not left and are now out of date.
        supersedes: Vec<ItemId>,
    },
}

/// Decides from all messages of the outbox, oldest first.
///
/// What counts is the last message on the topic that has left (or may have), and those that came after it: one mail per
/// change, and the same verdict after another one is a change.
pub(super) fn decide(all: &[Kept], subject: &Subject) -> Decision {
    let on_topic: Vec<&Kept> = all.iter().filter(|kept| same_topic(&kept.item.subject, subject)).collect();
    let left = on_topic.iter().rposition(|kept| kept.may_have_left());
    let since = &on_topic[left.unwrap_or(0)..];
    let says_it = |kept: &&&Kept| kept.item.subject.fingerprint == subject.fingerprint;
    let last = left.map(|at| on_topic[at]);
    // The last one that left outweighs those that wait: what they would say is out of date when it holds again.
    let said = last
        .into_iter()
        .find(|kept| says_it(&kept))
        .or_else(|| since.iter().rev().find(|kept| says_it(kept) && kept.state() != State::Superseded).copied());
    let supersedes = on_topic
        .iter()
        .filter(|kept| kept.state().is_waiting() && said.is_none_or(|said| said.item.id != kept.item.id))
        .map(|kept| kept.item.id.clone())
        .collect();
    match said {
        Some(kept) => Decision::Said { id: kept.item.id.clone(), state: kept.state(), supersedes },
        None => Decision::Say { id: fresh_id(&on_topic, subject, last), supersedes },
    }
}

/// True for two messages about the same thing at the same place.
pub(super) fn same_topic(one: &Subject, other: &Subject) -> bool {
    (one.kind, &one.topic) == (other.kind, &other.topic)
}

/// An id that no message on the topic has: one that was superseded before it left may be said after all later on.
fn fresh_id(on_topic: &[&Kept], subject: &Subject, last: Option<&Kept>) -> ItemId {
    let mut id = ItemId::of(subject, last.map(|kept| &kept.item.id));
    while on_topic.iter().any(|kept| kept.item.id == id) {
        id = ItemId::of(subject, Some(&id));
    }
    id
}
