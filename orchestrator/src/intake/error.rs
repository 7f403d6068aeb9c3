//! What goes wrong when a posted series is looked for.

use std::time::Duration;

use super::gzip::GzipTrouble;
use crate::config::ConfigError;
use crate::series::SeriesError;
use crate::words::{ListedFailures, SourceFailure};

/// A posted series that could not be had.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// No source served.
    #[error(
        "{wanted} cannot be had: {}; mend one of these, add a source to series/sources.yaml, or save the thread \
             and pass the mbox",
        ListedFailures(failures)
    )]
    Unavailable {
        /// What was asked for.
        wanted: String,
        /// Every source that was asked and why it did not serve.
        failures: Vec<SourceFailure>,
    },
    /// There is no source of the kind that is needed.
    #[error("{wanted} cannot be looked for: series/sources.yaml names no source that could have it")]
    NoSource {
        /// What was asked for.
        wanted: String,
    },
    /// The archive does not have the version asked for, or has it only in part.
    #[error("{wanted}: {what} ({remedy})")]
    Version {
        /// What was asked for.
        wanted: String,
        /// What there is.
        what: String,
        /// What to do.
        remedy: String,
    },
    /// The mails do not make a series.
    #[error(transparent)]
    Series(#[from] SeriesError),
    /// `series/sources.yaml` is wrong.
    #[error(transparent)]
    Sources(#[from] ConfigError),
    /// The program cannot speak HTTP.
    #[error("no HTTP client can be made: {0}")]
    Client(String),
    /// The user stopped it.
    #[error("looking for {wanted} was interrupted")]
    Cancelled {
        /// What was asked for.
        wanted: String,
    },
}

impl IntakeError {
    /// True when the user's input is right and the world was not.
    pub fn is_infrastructure(&self) -> bool {
        match self {
            IntakeError::Unavailable { .. } | IntakeError::Client(_) | IntakeError::Cancelled { .. } => true,
            IntakeError::NoSource { .. }
            | IntakeError::Version { .. }
            | IntakeError::Series(_)
            | IntakeError::Sources(_) => false,
        }
    }
}

/// Why one source did not serve.
#[derive(Debug, thiserror::Error)]
pub(super) enum SourceTrouble {
    /// The user stopped it.
    #[error("interrupted")]
    Cancelled,
    /// It does not have the mail or series.
    #[error("it does not have {0}")]
    NotFound(String),
    /// No connection, or it broke.
    #[error("{address}: {what}")]
    Unreachable {
        /// What was asked for.
        address: String,
        /// The library's word.
        what: String,
    },
    /// No whole answer in time.
    #[error("{address}: no whole answer within {} s", .limit.as_secs())]
    Slow {
        /// What was asked for.
        address: String,
        /// How long was waited.
        limit: Duration,
    },
    /// An answer that is an error.
    #[error("{address}: it answered {status}{}", .what.as_ref().map(|what| format!(": {what}")).unwrap_or_default())]
    Status {
        /// What was asked for.
        address: String,
        /// `503 Service Unavailable`.
        status: String,
        /// What to do, or what stood in it.
        what: Option<String>,
    },
    /// An answer that is no mails.
    #[error("{address}: {what}")]
    NoMails {
        /// What was asked for.
        address: String,
        /// What it is instead.
        what: String,
    },
    /// Packed mails that cannot be unpacked.
    #[error("{address}: {trouble}")]
    Gzip {
        /// What was asked for.
        address: String,
        /// What is wrong.
        trouble: GzipTrouble,
    },
    /// More bytes than any thread has.
    #[error("{address}: it sends more than {limit} bytes, which no thread of patches has")]
    TooLarge {
        /// What was asked for.
        address: String,
        /// How many were read.
        limit: u64,
    },
    /// The answer is not about what was asked for.
    #[error("{address}: it answered with mails of which none is <{id}>")]
    OtherThread {
        /// What was asked for.
        address: String,
        /// The mail.
        id: String,
    },
    /// The file system said no.
    #[error("cannot read {path}: {source}")]
    Io {
        /// File or folder.
        path: String,
        /// The operating system's word.
        source: std::io::Error,
    },
    /// Something else, said by the source itself.
    #[error("{0}")]
    Refused(String),
}
