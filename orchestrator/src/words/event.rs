//! The one event enum that drives terminal, log, store and reports.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Kinds of unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum UnitKind {
    /// Get a tree.
    Fetch,
    /// Apply the series to a tree.
    Apply,
    /// Build a revision with a kconfig.
    Build,
    /// Boot a build and run its suites.
    Boot,
}

/// How a unit ended. Infrastructure trouble, failure and not-run are three things.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "outcome")]
pub enum UnitOutcome {
    /// It gave a good result.
    Done,
    /// It gave a result that speaks against the kernel.
    Failed {
        /// One line.
        reason: String,
    },
    /// Trouble of ours.
    Infra {
        /// One line.
        reason: String,
    },
    /// Not run.
    NotRun {
        /// Why.
        reason: String,
    },
}

/// A unit that is still to be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingUnit {
    /// Its name, as in [`Event::UnitStarted`].
    pub unit: String,
    /// Its kind.
    pub kind: UnitKind,
    /// Wall milliseconds it usually takes here, where an earlier run knows.
    pub usual_ms: Option<u64>,
}

/// Something that happened in a run. Serialised one per line in `events.jsonl`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "event")]
pub enum Event {
    /// The run began (or was resumed).
    RunStarted {
        /// Run id.
        run: String,
        /// Version of the event log's format.
        format: u32,
        /// The command, shell-quoted.
        command: String,
        /// True when an earlier process began it.
        resumed: bool,
    },
    /// The plan, or a refinement of it: how many units are known now.
    Planned {
        /// Units in all.
        units: usize,
        /// Of which were done before, by key.
        reused: usize,
        /// Units still to be done, in order, as far as they are known; the time left is estimated from them.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pending: Vec<PendingUnit>,
    },
    /// A unit began.
    UnitStarted {
        /// `build linux-6.12/p3/hmm`.
        unit: String,
        /// Its kind.
        kind: UnitKind,
        /// Attempt, from 1.
        attempt: u32,
    },
    /// A unit goes on. Not written to the log; only shown.
    UnitProgress {
        /// Which unit.
        unit: String,
        /// Steps done (objects compiled, tests run, bytes fetched).
        done: u64,
        /// Steps in all; 0 when unknown.
        total: u64,
        /// What is happening now.
        message: String,
    },
    /// A unit ended.
    UnitEnded {
        /// Which unit.
        unit: String,
        /// Its kind.
        kind: UnitKind,
        /// Attempt, from 1.
        attempt: u32,
        /// How.
        #[serde(flatten)]
        outcome: UnitOutcome,
        /// Content key of the result, where it has one.
        key: Option<String>,
        /// True when the result of an earlier run was taken.
        reused: bool,
        /// Wall time in milliseconds.
        wall_ms: u64,
    },
    /// A finding was made.
    Found {
        /// The finding.
        finding: Box<super::Finding>,
    },
    /// Something a person should know that is no finding (fallback taken, source skipped).
    Note {
        /// One sentence.
        message: String,
    },
    /// The run ended.
    RunEnded {
        /// `clean`, `findings`, `infra`, `interrupted`.
        verdict: String,
        /// Wall time of this process in milliseconds.
        wall_ms: u64,
    },
}

/// Where rooms say what happens. Cheap to clone; never blocks.
pub type EventSink = std::sync::Arc<dyn Fn(Event) + Send + Sync>;
