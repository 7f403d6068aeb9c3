//! From comparisons to findings: what a person should read, one finding per cause.
//!
//! What the base has, too, is no finding. The rules, in the order in which they are applied to the boots of a kconfig:
//!
//! 1. A kernel that never comes up is one finding (BootFailed), and nothing else is said of it.
//! 2. Tests that take the machine down are one finding per patch and cause (Panic by function, Hang, reset), with the
//!    kernel's report as proof.
//! 3. A death while no test ran is one finding (Panic or Hang).
//! 4. Failing tests are one finding per patch and test (TestRegressed, NewTestFailed); the variants of a test
//!    (`private`, `coherent`) are one test. A kernel report that came in a failing test is proof of that finding.
//! 5. Failures and crashes of the base's own selftests on the patched kernel, when its own selftests are good.
//! 6. A kernel report that is told by no finding yet is one finding per signature (NewSplat; Panic when it took the
//!    machine down), naming all tests it came in.
//! 7. Notices: tests that are gone or skipped, tests and boots that fail only sometimes.
//!
//! Metrics that changed are one finding per patch and direction, led by the largest change ([`metric_findings`]).
//!
//! The same finding under several kconfigs is one that names them all: [`merge`] for boots; builds are merged by
//! [`build_findings`] when they share a diagnostic.

mod boots;
mod builds;
mod causes;
mod frame;
mod merge;
mod metrics;
mod names;
mod notices;
mod proof;

pub use boots::{BlamedRevision, BootSides, Seen, boot_findings};
pub use builds::{BuildSeen, build_findings};
pub use frame::Frame;
pub use merge::merge;
pub use metrics::metric_findings;
pub(super) use names::is_fatal;

#[cfg(test)]
mod boot_tests;
#[cfg(test)]
mod build_tests;
