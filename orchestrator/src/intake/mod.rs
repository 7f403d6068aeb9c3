//! Intake: series that were posted, taken from where they were posted.
//!
//! An argument that names a posted series ([`Wanted`]: a Message-ID, an address, a change-id, a pull request) is looked
//! up in the sources of `series/sources.yaml` ([`Source`]), in their order. What an archive holds of it is raw mails;
//! `postings` tells which of them were sent together, which postings are versions of one series, and which patches were
//! sent again alone. The mails of one version then go to the series room, which makes a [`Series`](crate::words::Series)
//! of them as of any other mails. `trailers` reads what the replies give.
//!
//! [`Intake`] is the edge: `http` asks, `gzip` and `page` judge what came, `cache` keeps it.

mod archive;
mod cache;
mod error;
mod fetch;
#[cfg(any(test, feature = "fuzz"))]
pub(crate) mod fuzz;
mod github;
mod gzip;
mod http;
mod local;
mod page;
mod patchwork;
mod postings;
mod sources;
#[cfg(test)]
mod testing;
mod trailers;
mod versions;
mod wanted;

pub use error::IntakeError;
pub use fetch::{Choice, Intake, Limits, posted_head};
pub use sources::{Place, Source, SourcesFile, sources};
pub use versions::{VersionList, VersionRow};
pub use wanted::{Asked, Wanted, ask};
