//! Two runs of one series: what became of its patches and of the findings. Pure.

mod findings;
mod identity;
mod patches;
mod range_diff;

pub use findings::compare_findings;
pub use patches::pair_patches;
pub use range_diff::read_range_diff;
