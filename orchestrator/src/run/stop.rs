//! When a run stops before its end: the user's wish, or the end of its time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::term::text::duration;

/// What may stop a run.
#[derive(Debug, Clone)]
pub struct Stop {
    /// The user's wish.
    pub user: CancellationToken,
    /// The time that this process has for it.
    pub within: Option<Duration>,
}

impl From<CancellationToken> for Stop {
    fn from(user: CancellationToken) -> Stop {
        Stop { user, within: None }
    }
}

/// Why a run was stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The user wanted it.
    User,
    /// Its time was over.
    Time(
        /// The time that it had.
        Duration,
    ),
}

impl std::fmt::Display for Why {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Why::User => write!(f, "the run was interrupted"),
            Why::Time(within) => {
                let within = duration(u64::try_from(within.as_millis()).unwrap_or(u64::MAX));
                write!(f, "not done within the {within} that the run had")
            }
        }
    }
}

/// A [`Stop`] at work.
#[derive(Debug, Clone)]
pub struct Stopper {
    /// Cancelled when the run has to stop.
    pub cancel: CancellationToken,
    within: Option<Duration>,
    over: Arc<AtomicBool>,
    _timer: Option<Arc<AbortOnDropHandle<()>>>,
}

impl Stop {
    /// Begins to count the time.
    pub fn start(self) -> Stopper {
        let cancel = self.user.child_token();
        let over = Arc::new(AtomicBool::new(false));
        let timer = self.within.map(|within| {
            let (cancel, over, user) = (cancel.clone(), over.clone(), self.user);
            let timer = tokio::spawn(async move {
                tokio::time::sleep(within).await;
                if !user.is_cancelled() {
                    tracing::warn!(within_s = within.as_secs(), "the time of the run is over");
                    over.store(true, Ordering::Release);
                    cancel.cancel();
                }
            });
            Arc::new(AbortOnDropHandle::new(timer))
        });
        Stopper { cancel, within: self.within, over, _timer: timer }
    }
}

impl Stopper {
    /// Why the run stops, when it does.
    pub fn why(&self) -> Option<Why> {
        match self.within.filter(|_| self.over.load(Ordering::Acquire)) {
            Some(within) => Some(Why::Time(within)),
            None => self.cancel.is_cancelled().then_some(Why::User),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_run_without_a_limit_stops_only_when_the_user_wants_it() {
        let user = CancellationToken::new();
        let stopper = Stop::from(user.clone()).start();
        tokio::time::sleep(Duration::from_secs(1_000_000)).await;
        assert_eq!(stopper.why(), None);
        user.cancel();
        assert_eq!(stopper.why(), Some(Why::User));
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_of_its_time_is_told_from_the_wish_of_the_user() {
        let limit = Duration::from_secs(3600);
        let stop = |user: &CancellationToken| Stop { user: user.clone(), within: Some(limit) }.start();
        let user = CancellationToken::new();
        let stopper = stop(&user);
        assert_eq!(stopper.why(), None);
        stopper.cancel.cancelled().await;
        assert_eq!(stopper.why(), Some(Why::Time(limit)));
        assert_eq!(stopper.why().unwrap().to_string(), "not done within the 1 h 00 min that the run had");
        assert!(!user.is_cancelled(), "only this run stops");
        let stopper = stop(&user);
        user.cancel();
        tokio::time::sleep(limit * 2).await;
        assert_eq!(stopper.why(), Some(Why::User), "the user came first");
    }
}
