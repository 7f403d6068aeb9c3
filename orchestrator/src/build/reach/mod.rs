//! What a series can reach: the files that include what it touches, as far as a kconfig enables them.

mod closure;
mod enabled;
mod index;

pub(super) use closure::reached;
pub(super) use enabled::{Enabled, arch_folders, listing_makefile, parse_listing};
pub(super) use index::load;
