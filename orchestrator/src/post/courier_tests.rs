//! What the tests of all couriers need: an outbox with a clock that is moved by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use camino::Utf8Path;

use super::message::Message;
use super::outbox::{By, Clock, Courier, Decision, Kept, LockedOutbox, Outbox, Record, State, send};

/// An outbox in a folder of its own.
pub(crate) struct Desk {
    _folder: tempfile::TempDir,
    outbox: Outbox,
    seconds: Arc<AtomicI64>,
}

impl Desk {
    pub(crate) fn new() -> Desk {
        let folder = tempfile::tempdir().unwrap();
        let outbox = Outbox::of(Utf8Path::from_path(folder.path()).unwrap());
        Desk { _folder: folder, outbox, seconds: Arc::new(AtomicI64::new(1_775_030_400)) }
    }

    pub(crate) fn clock(&self) -> Clock {
        let seconds = self.seconds.clone();
        Arc::new(move || jiff::Timestamp::from_second(seconds.load(Ordering::SeqCst)).unwrap())
    }

    pub(crate) fn now(&self) -> i64 {
        self.seconds.load(Ordering::SeqCst)
    }

    pub(crate) fn wait(&self, seconds: i64) {
        self.seconds.fetch_add(seconds, Ordering::SeqCst);
    }

    fn keep(&self, locked: &LockedOutbox, message: &Message) -> Kept {
        match locked.decide(&message.draft.subject).unwrap() {
            Decision::Say { id, .. } => {
                locked.put(id, message.draft.clone(), State::Ready, By::Person, "test").unwrap()
            }
            Decision::Said { id, .. } => locked.find(id.as_str()).unwrap(),
        }
    }

    /// Says it, or goes on saying it.
    pub(crate) async fn say(&self, message: &Message, courier: &impl Courier) -> Kept {
        let locked = self.outbox.lock(self.clock()).unwrap();
        let kept = self.keep(&locked, message);
        send(&locked, &kept.item.id, courier).await.unwrap()
    }

    /// Leaves it as a crash between the request and its record does.
    pub(crate) fn crash(&self, message: &Message) {
        let locked = self.outbox.lock(self.clock()).unwrap();
        let kept = self.keep(&locked, message);
        let record = Record::new(locked.now(), State::Sending, By::Program, "it is sent");
        locked.record(&kept.item.id, record).unwrap();
    }
}
