//! Configurations: fragments, merging, checking, and why a symbol did not end up as asked.

mod explain;
mod expression;
mod fragment;
#[cfg(any(test, feature = "fuzz"))]
pub(super) mod fuzz;
mod text;

pub(super) use explain::{Kconfigs, explain};
pub(super) use fragment::{check, merge, parse};
