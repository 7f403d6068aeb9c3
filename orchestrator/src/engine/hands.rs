//! Who does units in this process.

use camino::Utf8Path;
use futures::future::BoxFuture;

use super::{BootJob, BuildJob, Slot, Surroundings};
use crate::words::{BootRecord, BuildRecord};

/// The hands of the local engine. Tests of what is done when give it others, which only take their time.
pub trait Hands: Send + Sync {
    /// Builds that may be under way at once.
    fn builds_at_once(&self) -> usize;

    /// As [`super::build()`].
    fn build<'a>(
        &'a self,
        job: &'a BuildJob,
        unit: &'a str,
        at: &'a Surroundings,
        slot: &'a mut Option<Slot>,
    ) -> BoxFuture<'a, BuildRecord>;

    /// As [`super::boot()`].
    fn boot<'a>(
        &'a self,
        job: &'a BootJob,
        unit: &'a str,
        attempt: u32,
        dir: &'a Utf8Path,
        at: &'a Surroundings,
    ) -> BoxFuture<'a, BootRecord>;
}

/// This host's make and machines.
pub(super) struct OwnHands;

impl Hands for OwnHands {
    /// One make has work for all CPUs.
    fn builds_at_once(&self) -> usize {
        1
    }

    fn build<'a>(
        &'a self,
        job: &'a BuildJob,
        unit: &'a str,
        at: &'a Surroundings,
        slot: &'a mut Option<Slot>,
    ) -> BoxFuture<'a, BuildRecord> {
        Box::pin(super::build(job, unit, at, slot))
    }

    fn boot<'a>(
        &'a self,
        job: &'a BootJob,
        unit: &'a str,
        attempt: u32,
        dir: &'a Utf8Path,
        at: &'a Surroundings,
    ) -> BoxFuture<'a, BootRecord> {
        Box::pin(super::boot(job, unit, attempt, dir, at))
    }
}
