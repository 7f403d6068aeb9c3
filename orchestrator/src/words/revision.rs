//! Revisions: the states of a tree that a run looks at.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One state of a tree: `base`, `patch 3/6`; the tip is the last patch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Revision {
    /// The tree without the series.
    Base,
    /// The tree with the first `number` patches applied.
    Patch {
        /// How many patches are applied, from 1.
        number: usize,
        /// How many the series has.
        total: usize,
    },
}

impl Revision {
    /// Index: 0 for the base, n for patch n.
    pub fn index(self) -> usize {
        match self {
            Revision::Base => 0,
            Revision::Patch { number, .. } => number,
        }
    }

    /// True for the base and for the last patch.
    pub fn is_end(self) -> bool {
        match self {
            Revision::Base => true,
            Revision::Patch { number, total } => number == total,
        }
    }

    /// Short form for file names: `base`, `p3`.
    pub fn slug(self) -> String {
        match self {
            Revision::Base => "base".to_owned(),
            Revision::Patch { number, .. } => format!("p{number}"),
        }
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Revision::Base => f.write_str("base"),
            Revision::Patch { number, total } => write!(f, "patch {number}/{total}"),
        }
    }
}

/// A revision bound to git objects of a tree's repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevisionCommit {
    /// Which revision.
    pub revision: Revision,
    /// Commit id, 40 hex digits.
    pub commit: String,
    /// Tree id of that commit, 40 hex digits: the part of a unit's key that stands for the source.
    pub tree: String,
    /// Paths this revision changes against the one before it (empty for the base).
    pub touched: Vec<String>,
}
