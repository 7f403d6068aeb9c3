//! Reserving a box: nobody else works on it until the [`Reservation`] is released or lost.
//!
//! No engine's locks survive every crash, so a lock alone proves nothing about the box: each use of it begins with a
//! power cycle, and a reservation that was lost ends the work at once ([`Reservation::while_held`]).

mod acquire;
mod holder;
mod labgrid;
mod reservation;

pub use acquire::{ReserveError, acquire};
pub use holder::Holder;
#[cfg(any(test, feature = "fuzz"))]
pub(super) use labgrid::fuzz;
pub use labgrid::{Standing, standing};
pub use reservation::{Lost, Reservation};
