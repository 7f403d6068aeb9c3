//! Why a series is refused.

use std::fmt;

use camino::Utf8PathBuf;

use crate::config::ConfigError;
use crate::term::text::visible;

/// One reason to refuse a patch or a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Number of the patch, from 1; 0 when no single patch is meant.
    pub patch: usize,
    /// Its subject; empty when no single patch is meant.
    pub subject: String,
    /// File (or repository) it was read from.
    pub file: Utf8PathBuf,
    /// Line of that file, from 1; 0 when the whole is meant. In a mail whose body is quoted-printable or base64, lines
    /// of the decoded text are counted from the line on which the text begins.
    pub line: usize,
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub remedy: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file)?;
        if self.line > 0 {
            write!(f, "{}:", self.line)?;
        }
        if self.patch > 0 {
            write!(f, " patch {} \"{}\":", self.patch, visible(&self.subject))?;
        }
        write!(f, " {} ({})", visible(&self.what), visible(&self.remedy))
    }
}

/// A series that could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SeriesError {
    /// No manifest, file or folder has this name.
    #[error("there is no series `{name}`{}; known: {} (or name an mbox, a folder of patches, or a range base..tip)",
        .hint.as_ref().map(|hint| format!(", did you mean `{hint}`?")).unwrap_or_default(), list(.known))]
    UnknownName {
        /// What was asked for.
        name: String,
        /// Manifests there are.
        known: Vec<String>,
        /// The nearest of them.
        hint: Option<String>,
    },
    /// A path that does not exist.
    #[error("{path} does not exist (name an mbox, a patch or a folder of patches)")]
    NoSuchPath {
        /// The path.
        path: Utf8PathBuf,
    },
    /// The manifest is wrong.
    #[error(transparent)]
    Manifest(#[from] ConfigError),
    /// The series has no patches for this tree.
    #[error("series {name} has no port to {tree}; ports: {}. {advice}", list(.ports))]
    NoPort {
        /// Series.
        name: String,
        /// Tree asked for.
        tree: String,
        /// Trees to which there are ports.
        ports: Vec<String>,
        /// What to do.
        advice: String,
    },
    /// The file system refused.
    #[error("cannot read {path}: {source}")]
    Io {
        /// File or folder.
        path: Utf8PathBuf,
        /// The operating system's word.
        source: std::io::Error,
    },
    /// A file that cannot hold a series as it is.
    #[error("{path} {} ({remedy})", visible(.what))]
    BadFile {
        /// File or folder.
        path: Utf8PathBuf,
        /// What is wrong with it.
        what: String,
        /// What to do.
        remedy: String,
    },
    /// Mails or commits that do not make a series; all reasons, one per line.
    #[error("{}", .0.iter().map(Refusal::to_string).collect::<Vec<_>>().join("\n"))]
    Refused(Vec<Refusal>),
    /// Git could not give the range.
    #[error("cannot read {range} from {repo}: {what}")]
    Range {
        /// Repository.
        repo: Utf8PathBuf,
        /// Range as given.
        range: String,
        /// What git said, with a remedy where there is one.
        what: String,
    },
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
