//! Series: where they come from and how they are read.
//!
//! A series is given as the name of a manifest (`series/<name>.yaml`), an mbox, a folder of patches or a range of
//! commits. All give the same thing: a complete, ordered [`Series`](crate::words::Series), or every reason why it is
//! none.

mod manifest;

pub use manifest::Manifest;
