//! Requests to the places: how they are shown in a dry run, sent, and how their answers are understood.

mod answer;
mod call;
mod client;
#[cfg(any(test, feature = "fuzz"))]
pub(crate) mod fuzz;

pub use answer::{Answer, Trouble, trouble};
pub use call::{Call, Verb};
pub use client::Client;
