//! What can happen to a message.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Where a message is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// A person has to approve it.
    PendingModeration,
    /// It may be sent, from [`Record::next_try`] on.
    Ready,
    /// It may have left: the record before it was handed over, and not followed by another one.
    Sending,
    /// The receiving side has it.
    Sent,
    /// The receiving side will not have it.
    Refused,
    /// It may have left and nobody can be asked; a person has to decide.
    Uncertain,
    /// A person does not want it sent.
    Dropped,
    /// A newer message on the topic took its place before it left.
    Superseded,
}

impl State {
    /// All of them.
    pub const ALL: [State; 8] = [
        State::PendingModeration,
        State::Ready,
        State::Sending,
        State::Sent,
        State::Refused,
        State::Uncertain,
        State::Dropped,
        State::Superseded,
    ];

    /// The word as it stands in files.
    pub fn word(self) -> &'static str {
        match self {
            State::PendingModeration => "pending-moderation",
            State::Ready => "ready",
            State::Sending => "sending",
            State::Sent => "sent",
            State::Refused => "refused",
            State::Uncertain => "uncertain",
            State::Dropped => "dropped",
            State::Superseded => "superseded",
        }
    }

    /// True when a message may go on from here to `next`.
    pub fn allows(self, next: State) -> bool {
        use State::{Dropped, PendingModeration, Ready, Refused, Sending, Sent, Superseded, Uncertain};
        match self {
            PendingModeration => matches!(next, Ready | Dropped | Superseded),
            // Ready again: put off to a later time.
            Ready => matches!(next, Ready | Sending | Refused | Dropped | Superseded),
            Sending => matches!(next, Ready | Sent | Refused | Uncertain),
            Uncertain => matches!(next, Ready | Sent | Dropped),
            Refused => matches!(next, Ready | Dropped | Superseded),
            // A person may think better of it.
            Dropped => matches!(next, Ready),
            Sent | Superseded => false,
        }
    }

    /// True when the message has left or may have left.
    pub fn may_have_left(self) -> bool {
        match self {
            State::Sending | State::Sent | State::Uncertain => true,
            State::PendingModeration | State::Ready | State::Refused | State::Dropped | State::Superseded => false,
        }
    }

    /// True when the message has not left and a newer one on its topic takes its place.
    pub fn is_waiting(self) -> bool {
        self.allows(State::Superseded)
    }
}

/// Who made a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum By {
    /// The program.
    Program,
    /// A person, by a command.
    Person,
}

/// What one receiver said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The receiver: a mail address.
    pub to: String,
    /// What it came to.
    pub reception: Reception,
    /// The receiving side's own words, bounded.
    pub reply: String,
}

/// What became of a message at one receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reception {
    /// Taken.
    Accepted,
    /// Not now.
    Deferred,
    /// Never.
    Refused,
}

/// One thing that happened to a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// When, in milliseconds since the Unix epoch.
    pub at: i64,
    /// Its state from then on.
    pub state: State,
    /// Who says so.
    pub by: By,
    /// Why, one sentence.
    pub why: String,
    /// Not to be tried before, in milliseconds since the Unix epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_try: Option<i64>,
    /// What single receivers said, where there are several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub receipts: Vec<Receipt>,
    /// What the receiving side calls what it made of it: address of a comment, number of a check.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
}

impl Record {
    /// A record of a state with nothing but its reason.
    pub fn new(at: i64, state: State, by: By, why: impl Into<String>) -> Record {
        Record { at, state, by, why: why.into(), next_try: None, receipts: Vec::new(), reference: None }
    }

    /// Receivers that surely have the message. In a record of a delivery that was not seen to its end (`sending`,
    /// `uncertain`), receivers are named that were only about to get it.
    pub fn accepted(&self) -> impl Iterator<Item = &str> {
        let known = match self.state {
            State::Sending | State::Uncertain => false,
            State::PendingModeration
            | State::Ready
            | State::Sent
            | State::Refused
            | State::Dropped
            | State::Superseded => true,
        };
        let accepted = self.receipts.iter().filter(move |receipt| known && receipt.reception == Reception::Accepted);
        accepted.map(|receipt| receipt.to.as_str())
    }
}

/// Waiting times after the first, second, ... time that the receiving side said "not now"; the last one is repeated.
const WAITS: [Duration; 6] =
    [minutes(5), minutes(15), minutes(60), minutes(4 * 60), minutes(12 * 60), minutes(24 * 60)];

/// How often in a row "not now" is taken for an answer: five days, as mail servers do.
const MOST_DEFERRALS: usize = 9;

const fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(60 * minutes)
}

/// How long to wait when the receiving side said "not now", `None` when it said so too often. `records` do not hold
/// this time yet.
pub(super) fn wait(records: &[Record]) -> Option<Duration> {
    let deferrals = records
        .iter()
        .rev()
        .filter(|record| record.state != State::Sending)
        .take_while(|record| record.state == State::Ready && record.next_try.is_some())
        .count();
    (deferrals < MOST_DEFERRALS).then(|| WAITS[deferrals.min(WAITS.len() - 1)])
}
