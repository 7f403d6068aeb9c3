//! Reserving a place of labgrid by its gRPC interface (labgrid 24 and later).

#[cfg(any(test, feature = "fuzz"))]
pub(in crate::lab) mod fuzz;
mod hold;
mod messages;
mod queue;
mod session;
mod standing;

pub(super) use hold::{Pace, acquire};
pub use standing::{Standing, standing};
