//! Posting: what a run says where the series is reviewed.
//!
//! Takes a [`Report`](crate::report::Report) and its [`Series`](crate::words::Series). What is said, to whom and
//! whether it is worth saying is decided by pure functions; the [`outbox`] keeps every message before it leaves and makes
//! it leave once. See `docs/posting.md`.

pub mod b4;
pub(crate) mod courier;
#[cfg(test)]
mod courier_tests;
pub mod delivery;
pub mod dispatch;
pub mod failpoint;
#[cfg(any(test, feature = "fuzz"))]
pub(crate) mod fuzz;
pub mod github;
pub mod http;
pub mod kcidb;
pub mod lists;
pub mod mail;
pub mod message;
pub mod outbox;
pub mod patchwork;
pub mod place;
pub mod places;
pub mod plan;
pub mod said;
pub mod show;
#[cfg(any(test, feature = "fuzz"))]
#[cfg_attr(not(test), expect(dead_code, reason = "most of it is for tests"))]
pub(crate) mod testing;
pub mod weigh;
