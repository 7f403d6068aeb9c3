//! What goes wrong when a series is applied.

use std::fmt;

use crate::process::ProcessError;
use crate::words::RevisionCommit;

/// A series that did not become revisions.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The run was interrupted.
    #[error("applying the series was interrupted")]
    Cancelled,
    /// A patch does not apply.
    #[error("{0}")]
    Conflict(Box<Conflict>),
    /// A patch applies and changes nothing.
    #[error("patch {number}/{total} \"{subject}\" changes nothing; remove it from the series")]
    NoChange {
        /// Position, from 1.
        number: usize,
        /// How many patches the series has.
        total: usize,
        /// Its subject.
        subject: String,
        /// Revisions before it, base first.
        applied: Vec<RevisionCommit>,
    },
    /// A patch leaves a symlink that leads out of the tree; it need not have made the link, only moved it.
    #[error("patch {number}/{total} \"{subject}\": the target `{target}` of the symlink {path} {why}")]
    LeavingLink {
        /// Position, from 1.
        number: usize,
        /// How many patches the series has.
        total: usize,
        /// Its subject.
        subject: String,
        /// The symlink.
        path: String,
        /// Where it leads, without control characters.
        target: String,
        /// What is wrong with that.
        why: &'static str,
    },
    /// The tree's repository is not usable.
    #[error("repository {repo}: {reason}; remove that folder to import the tree again")]
    Repository {
        /// Repository.
        repo: String,
        /// libgit2's word.
        reason: String,
    },
    /// A file of the cache cannot be written.
    #[error("{path}: {source}; check that the cache folder can be written and the disk is not full")]
    Cache {
        /// File or folder.
        path: String,
        /// The operating system's word.
        source: std::io::Error,
    },
    /// git could not be run.
    #[error(transparent)]
    Process(#[from] ProcessError),
}

/// Why and where a patch does not apply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// Position, from 1.
    pub number: usize,
    /// How many patches the series has.
    pub total: usize,
    /// Its subject.
    pub subject: String,
    /// File; empty when the patch as a whole is the trouble.
    pub file: String,
    /// Header of the hunk, `@@ -10,6 +10,8 @@ ...`; `None` when the file as a whole is the trouble.
    pub hunk: Option<String>,
    /// What is wrong, in words.
    pub reason: String,
    /// Lines that the hunk expects, from just before the first that differs; bounded.
    pub expected: Vec<String>,
    /// Lines of the file at the place that resembles them most; bounded.
    pub found: Vec<String>,
    /// Number of the first line of `found`, from 1.
    pub found_line: usize,
    /// Everything the patch does is done in the tree already.
    pub already_applied: bool,
    /// What `git am -3` said, one line.
    pub git: String,
    /// Revisions before it, base first.
    pub applied: Vec<RevisionCommit>,
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Conflict { number, total, subject, .. } = self;
        write!(f, "patch {number}/{total} \"{subject}\" does not apply")?;
        if self.already_applied {
            return write!(f, ": all it does is in the tree already");
        }
        if !self.file.is_empty() {
            write!(f, ": {}", self.file)?;
        }
        if let Some(hunk) = &self.hunk {
            write!(f, ", hunk {hunk}")?;
        }
        write!(f, ": {}", self.reason)
    }
}

impl Conflict {
    /// The lines that prove it: what was expected and what is there.
    pub fn evidence(&self) -> String {
        let mut text = format!("{self}\n");
        let indented = |lines: &[String]| lines.iter().map(|line| format!("    {line}\n")).collect::<String>();
        if let Some(hunk) = &self.hunk {
            text.push_str(&format!("{hunk}\nexpected:\n{}", indented(&self.expected)));
            text.push_str(&format!("found at {}:{}:\n{}", self.file, self.found_line, indented(&self.found)));
        }
        if !self.git.is_empty() {
            text.push_str(&format!("git am -3: {}\n", self.git));
        }
        text
    }
}
