//! Series: where they come from and how they are read.
//!
//! A series is given as the name of a manifest (`series/<name>.yaml`), an mbox, a folder of patches or a range of
//! commits ([`SeriesSource`]). [`load`] makes the same thing of all of them: a complete, ordered
//! [`Series`](crate::words::Series), or every reason why it is none. [`vet`] then refuses patches that must not be
//! applied to any tree.
//!
//! The way of a mail: `split` cuts an mbox into mails, `mail` decodes one, `body` takes its text apart as `git am`
//! does, `assemble` puts the patches of one series together. `diff` knows the grammar of diffs and nothing else.

mod assemble;
mod body;
mod build_code;
mod diff;
mod diffstat;
mod error;
#[cfg(test)]
mod fixtures;
mod format;
#[cfg(any(test, feature = "fuzz"))]
pub(crate) mod fuzz;
#[cfg(test)]
mod git_tests;
mod mail;
mod manifest;
mod name;
mod preimages;
mod range;
mod read;
mod source;
mod split;
mod subject;
mod vet;
mod vet_path;

pub use build_code::build_code;
pub use error::{Refusal, SeriesError};
pub use format::mail_text;
pub use mail::{Line, Mail};
pub use manifest::{Manifest, ManifestUpstream};
pub use preimages::{Preimage, preimages};
pub use read::{from_mails, load, load_version, mails};
pub use source::SeriesSource;
pub use subject::Subject;
pub use vet::vet;
pub use vet_path::check_target;
