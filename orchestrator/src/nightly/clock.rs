//! Time, as the night sees it. Tests bring their own.

use futures::future::BoxFuture;
use jiff::Timestamp;

/// Where a night gets the time from.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Timestamp;

    /// Waits until then; at once when it is past.
    fn until(&self, when: Timestamp) -> BoxFuture<'_, ()>;
}

/// The clock of the host.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn until(&self, when: Timestamp) -> BoxFuture<'_, ()> {
        // By steps, because the clock of a host that slept through the night jumps.
        Box::pin(async move {
            loop {
                let left = when.duration_since(Timestamp::now());
                if left.is_negative() || left.is_zero() {
                    return;
                }
                let step = std::time::Duration::from_secs(60);
                tokio::time::sleep(left.unsigned_abs().min(step)).await;
            }
        })
    }
}
