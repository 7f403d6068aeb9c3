//! A box that is ours for now.

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// The lock is gone; whatever is done with the box from now on may be somebody else's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} was lost: {why}")]
pub struct Lost {
    /// What was reserved.
    pub what: String,
    /// How the lock was lost.
    pub why: String,
}

/// A reserved box. It is given back by [`Reservation::release`] or when it is dropped, whichever comes first.
#[must_use = "a reservation that is dropped is given back"]
pub struct Reservation {
    what: String,
    /// Tells the task that looks after the lock to give it back.
    end: CancellationToken,
    task: Option<JoinHandle<()>>,
    /// Why the lock was lost, once it was.
    state: watch::Receiver<Option<String>>,
}

impl std::fmt::Debug for Reservation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Reservation({})", self.what)
    }
}

impl Reservation {
    /// A lock that `task` looks after: it says in `state` why it was lost, and gives it back when `end` is cancelled.
    pub(super) fn task(
        what: String,
        end: CancellationToken,
        task: JoinHandle<()>,
        state: watch::Receiver<Option<String>>,
    ) -> Self {
        Reservation { what, end, task: Some(task), state }
    }

    /// What is reserved, for messages.
    pub fn what(&self) -> &str {
        &self.what
    }

    /// Whether nothing has taken the lock away yet.
    pub fn is_still_held(&self) -> bool {
        self.state.borrow().is_none() && self.task.as_ref().is_some_and(|task| !task.is_finished())
    }

    /// Completes when the lock is lost, and never when it is not.
    pub async fn lost(&self) -> Lost {
        let mut state = self.state.clone();
        let why = match state.wait_for(Option::is_some).await {
            Ok(why) => why.clone().unwrap_or_default(),
            Err(_) => "the task that looked after it is gone".to_owned(),
        };
        Lost { what: self.what.clone(), why }
    }

    /// Does the work while the lock is held.
    ///
    /// # Errors
    /// [`Lost`] as soon as it is lost: `work` is then dropped where it stands, and what it found out is worth nothing.
    pub async fn while_held<T>(&self, work: impl Future<Output = T>) -> Result<T, Lost> {
        tokio::select! {
            biased;
            lost = self.lost() => Err(lost),
            done = work => if self.is_still_held() { Ok(done) } else { Err(self.lost().await) },
        }
    }

    /// Gives it back and waits until that is done.
    pub async fn release(mut self) {
        self.end.cancel();
        if let Some(task) = self.task.take() {
            // A task that panicked has lost its connection and with it the lock.
            let _ = task.await;
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.end.cancel();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    /// A reservation whose task counts how often it gives the lock back, and the way to take it away.
    fn counted() -> (Reservation, Arc<AtomicU32>, watch::Sender<Option<String>>) {
        let (end, count) = (CancellationToken::new(), Arc::new(AtomicU32::new(0)));
        let (sender, state) = watch::channel(None);
        let (token, counter) = (end.clone(), count.clone());
        let task = tokio::spawn(async move {
            token.cancelled().await;
            counter.fetch_add(1, Ordering::SeqCst);
        });
        (Reservation::task("box-01".into(), end, task, state), count, sender)
    }

    #[tokio::test]
    async fn it_is_given_back_once() {
        let (reservation, count, _sender) = counted();
        assert!(reservation.is_still_held());
        reservation.release().await;
        assert_eq!(count.load(Ordering::SeqCst), 1);
        let (mut reservation, count, _sender) = counted();
        let task = reservation.task.take().unwrap();
        drop(reservation);
        task.await.unwrap();
        assert_eq!(count.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn work_ends_with_the_lock() {
        let (reservation, _count, sender) = counted();
        assert_eq!(reservation.while_held(async { 7 }).await, Ok(7));
        let work = async {
            sender.send_replace(Some("the coordinator went away".into()));
            std::future::pending::<()>().await;
        };
        let lost = reservation.while_held(work).await.unwrap_err();
        assert_eq!(lost.to_string(), "box-01 was lost: the coordinator went away");
        assert!(!reservation.is_still_held());
        assert!(reservation.while_held(async { 7 }).await.is_err(), "nothing is done without it");
    }

    #[tokio::test]
    async fn what_was_done_while_the_lock_went_away_does_not_count() {
        let (reservation, _count, sender) = counted();
        let work = async { sender.send_replace(Some("gone".into())) };
        assert!(reservation.while_held(work).await.is_err());
    }
}
