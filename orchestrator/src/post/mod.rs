//! Posting: what a run says where the series is reviewed.
//!
//! Takes a [`Report`](crate::report::Report) and its [`Series`](crate::words::Series). What is said, to whom and
//! whether it is worth saying is decided by pure functions; the [`outbox`] keeps every message before it leaves and makes
//! it leave once. See `docs/posting.md`.

pub mod delivery;
pub mod dispatch;
pub mod failpoint;
pub mod lists;
pub mod mail;
pub mod outbox;
pub mod plan;
pub mod show;
#[cfg(test)]
mod testing;
