//! The base that a series is put on, and why that one.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a base was chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BaseChoice {
    /// The series names it: `base-commit:`.
    BaseCommit,
    /// Guessed: its files are those that the patches were made from.
    Blobs,
    /// The user named it.
    Named,
    /// It is the base of the default tree.
    TreeList,
}

/// How many of the files that a series changes are, in a commit, what its patches expect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BlobMatch {
    /// Files with the content that the `index` line of a patch names.
    pub matched: usize,
    /// Files that the patches name with a content.
    pub asked: usize,
}

/// What became of something that a series builds on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum PrerequisiteState {
    /// The base has it.
    InBase {
        /// Commit with the same patch id; `None` when only applying it showed that nothing is left to do.
        commit: Option<String>,
    },
    /// It was applied below the series, as part of the base.
    Applied {
        /// Subjects of its patches, in order.
        patches: Vec<String>,
        /// Where it was found.
        from: String,
    },
    /// It is missing.
    Unmet {
        /// Why, one sentence.
        why: String,
    },
}

/// Something that a series says it builds on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Prerequisite {
    /// The trailer as the series has it: `prerequisite-change-id: hmm-flags-1234:v2`.
    pub name: String,
    /// What became of it.
    #[serde(flatten)]
    pub state: PrerequisiteState,
}

/// The base of a series on a tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TreeBase {
    /// Commit, 40 hex digits; prerequisites are applied on it.
    pub commit: String,
    /// How it was chosen.
    pub chosen: BaseChoice,
    /// Why, one sentence.
    pub why: String,
    /// How well it fits; `None` when the patches name no blobs.
    pub blobs: Option<BlobMatch>,
    /// What the series builds on, in the order in which it says so.
    #[serde(default)]
    pub prerequisites: Vec<Prerequisite>,
}

impl TreeBase {
    /// The prerequisites that are missing, each with the reason.
    pub fn unmet(&self) -> Vec<(&str, &str)> {
        let all = self.prerequisites.iter();
        let unmet = all.filter_map(|one| match &one.state {
            PrerequisiteState::Unmet { why } => Some((one.name.as_str(), why.as_str())),
            PrerequisiteState::InBase { .. } | PrerequisiteState::Applied { .. } => None,
        });
        unmet.collect()
    }
}
