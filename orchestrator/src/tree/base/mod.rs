//! The base of a series: which commit of which tree, and what goes below the series.
//!
//! - [`trees_at_hand`], [`has_commit`], [`resolve`], [`at_commit`] and [`candidates`] look into repositories.
//! - [`by_blobs`] decides, without I/O, which commit fits best.
//! - [`Stock`] is where patches that a series builds on may be found; [`LocalStock`] reads files.
//! - [`plan_prerequisites`] decides, without I/O, which prerequisites are met and what is applied; [`put_below`] applies it.

mod at_hand;
mod below;
mod blobs;
mod choose;
mod patch_ids;
mod prerequisites;
mod stock;

pub use at_hand::{at_commit, has_commit, held, resolve, trees_at_hand};
pub use below::{BelowOutcome, put_below};
pub use blobs::candidates;
pub use choose::{Candidate, by_blobs, match_of};
pub use patch_ids::{history_patch_ids, patch_id};
pub use prerequisites::{Below, Found, PrerequisitePlan, plan_prerequisites};
pub use stock::{LocalStock, Needed, Stock};
