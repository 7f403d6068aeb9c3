//! The messages of labgrid's coordinator that are needed here; the numbers are those of its interface.
//!
//! They are written by hand: a dozen messages need neither an interface file nor a compiler for it. Fields that are of
//! no use here are left out, which the encoding allows.

use std::collections::HashMap;

/// What a client says on its stream.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ToCoordinator {
    #[prost(oneof = "Say", tags = "1, 2, 3")]
    pub say: Option<Say>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(super) enum Say {
    #[prost(message, tag = "1")]
    Sync(Sync),
    #[prost(message, tag = "2")]
    Startup(Startup),
    #[prost(message, tag = "3")]
    Subscribe(Subscribe),
}

/// Is answered by the same number, after everything that was said before it.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Sync {
    #[prost(uint64, tag = "1")]
    pub id: u64,
}

/// Makes the connection a client's; locks are held under its name.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Startup {
    #[prost(string, tag = "1")]
    pub version: String,
    #[prost(string, tag = "2")]
    pub name: String,
}

/// Asks for news.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Subscribe {
    #[prost(bool, tag = "2")]
    pub all_places: bool,
}

/// What the coordinator says on the stream.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct FromCoordinator {
    #[prost(message, optional, tag = "1")]
    pub sync: Option<Sync>,
    #[prost(message, repeated, tag = "2")]
    pub updates: Vec<Update>,
}

/// News; those of resources are passed over.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Update {
    #[prost(message, optional, tag = "3")]
    pub place: Option<Place>,
    #[prost(string, optional, tag = "4")]
    pub deleted_place: Option<String>,
}

/// A place.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Place {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(map = "string, string", tag = "4")]
    pub tags: HashMap<String, String>,
    /// Who holds it.
    #[prost(string, optional, tag = "6")]
    pub acquired: Option<String>,
    /// Token of the reservation that it is kept for.
    #[prost(string, optional, tag = "11")]
    pub reservation: Option<String>,
}

/// Nothing: the answer of calls that have none, and the question of those that ask for all.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Nothing {}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Places {
    #[prost(message, repeated, tag = "1")]
    pub places: Vec<Place>,
}

/// Tags that a place must have; `name` is its name.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Filter {
    #[prost(map = "string, string", tag = "1")]
    pub filter: HashMap<String, String>,
}

/// A turn in the queue, or a kept place.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Turn {
    #[prost(string, tag = "1")]
    pub owner: String,
    #[prost(string, tag = "2")]
    pub token: String,
    #[prost(enumeration = "TurnState", tag = "3")]
    pub state: i32,
    #[prost(map = "string, message", tag = "5")]
    pub filters: HashMap<String, Filter>,
    /// Group and place.
    #[prost(map = "string, string", tag = "6")]
    pub allocations: HashMap<String, String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub(super) enum TurnState {
    Waiting = 0,
    Allocated = 1,
    Acquired = 2,
    Expired = 3,
    Invalid = 4,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct CreateTurn {
    #[prost(map = "string, message", tag = "1")]
    pub filters: HashMap<String, Filter>,
    #[prost(double, tag = "2")]
    pub prio: f64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct OneTurn {
    #[prost(message, optional, tag = "1")]
    pub turn: Option<Turn>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Turns {
    #[prost(message, repeated, tag = "1")]
    pub turns: Vec<Turn>,
}

/// Names a turn.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Token {
    #[prost(string, tag = "1")]
    pub token: String,
}

/// Names a place to acquire.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct AcquirePlace {
    #[prost(string, tag = "1")]
    pub place: String,
}

/// Names a place to release, when it is held by that one.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ReleasePlace {
    #[prost(string, tag = "1")]
    pub place: String,
    #[prost(string, optional, tag = "2")]
    pub holder: Option<String>,
}
