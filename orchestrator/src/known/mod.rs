//! Known issues: findings that a person has looked at and explained, in `results/known-issues.yaml`.
//!
//! [`KnownIssues::read`] takes the file, [`KnownIssues::apply`] turns what matches into notices that say so, in every
//! run. An entry has an end: after its day it no longer applies, and one that matches nothing any more is no use;
//! [`age`] finds both, so that the list stays true. All but the reading is pure.

mod age;
mod file;
mod matching;

pub use age::{Age, Aged, Past, age};
pub use file::{KnownFile, KnownIssue, KnownIssues, NAME};
pub use matching::EVIDENCE;
