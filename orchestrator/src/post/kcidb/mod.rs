//! Results for KernelCI's common database, in its format 5.3.
//!
//! One submission tells one run: every revision that was built is a checkout, every build and test a build and test
//! there, every problem an issue with the incidents that show it. The same run gives the same ids, so that a submission
//! that is sent twice is one.

mod convert;
mod courier;
mod model;
#[cfg(test)]
mod tests;

pub use convert::{convert, messages};
pub use courier::KcidbCourier;
pub use model::*;
