//! Where events go: into the run's log and to whoever watches.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use super::EventLog;
use crate::words::{Event, EventSink, UnitKind, UnitOutcome};

/// Makes the sink that writes every event to `log` first and then tells `watcher`.
///
/// A log that cannot be written any more (disk full) must not stop the run in the middle of a unit: the trouble is
/// kept in the returned slot, and the run ends as infrastructure trouble when it sees it.
pub fn sink(
    log: EventLog,
    watcher: impl FnMut(&Event) + Send + 'static,
) -> (EventSink, Arc<Mutex<Option<std::io::Error>>>) {
    let trouble = Arc::new(Mutex::new(None));
    let slot = trouble.clone();
    let state = Mutex::new((log, watcher));
    let sink = move |event: Event| {
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = state.0.append(&event) {
            slot.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        }
        (state.1)(&event);
    };
    (Arc::new(sink), trouble)
}

/// A unit that goes on; says so when it begins and when it ends.
pub struct Unit {
    /// Its name, `build/linux-6.12/p3/hmm`.
    pub name: String,
    kind: UnitKind,
    attempt: u32,
    start: Instant,
    events: EventSink,
}

impl Unit {
    /// Begins a unit.
    pub fn start(events: &EventSink, kind: UnitKind, name: String, attempt: u32) -> Unit {
        events(Event::UnitStarted { unit: name.clone(), kind, attempt });
        Unit { name, kind, attempt, start: Instant::now(), events: events.clone() }
    }

    /// Ends it with a result made now.
    pub fn end(self, outcome: UnitOutcome, key: Option<String>) {
        let wall_ms = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        let Unit { name, kind, attempt, events, .. } = self;
        events(Event::UnitEnded { unit: name, kind, attempt, outcome, key, reused: false, wall_ms });
    }

    /// Says that a unit's result was there already.
    pub fn reused(events: &EventSink, kind: UnitKind, name: String, outcome: UnitOutcome, key: Option<String>) {
        events(Event::UnitEnded { unit: name, kind, attempt: 0, outcome, key, reused: true, wall_ms: 0 });
    }
}
