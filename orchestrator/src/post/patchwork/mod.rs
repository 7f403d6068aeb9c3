//! Checks in a Patchwork project: one for each patch and tree.
//!
//! A check belongs to a patch. What is said of the whole series is said of each patch; a problem that names a patch is
//! that patch's alone. Patchwork keeps every check it is given, so the newest one is read before another is sent.

mod checks;
mod courier;
#[cfg(test)]
mod tests;

pub use checks::{Check, CheckState, PatchCheck, checks, messages};
pub use courier::PatchworkCourier;
