//! Posting: what a run says where the series is reviewed.
//!
//! Takes a [`Report`](crate::report::Report) and its [`Series`](crate::words::Series). What is said, to whom and
//! whether it is worth saying is decided by pure functions; the [`outbox`] keeps every message before it leaves and makes
//! it leave once. See `docs/posting.md`.

pub(crate) mod courier;
pub mod failpoint;
pub mod http;
pub mod message;
pub mod outbox;
pub mod patchwork;
pub mod places;
pub mod said;
pub mod weigh;
