//! Who may have code run on real machines: a patch of a stranger's waits for a person before it touches a box.
//!
//! A guest is thrown away after each boot. A box stays: its firmware, its disks and its network can be harmed for good
//! by code that runs as root. So a series that came in by itself runs on boxes only when all its authors are in
//! `series/authors.yaml`, or when a person approved exactly these patches.

mod approvals;
mod authors;
mod decide;

pub use approvals::{Approval, Approvals, fingerprint};
pub use authors::{Authors, AuthorsFile};
pub use decide::{Intake, may_use_box};
