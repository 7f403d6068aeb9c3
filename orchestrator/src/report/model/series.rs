//! The series and the trees it was put on.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::words::TreeBase;

/// The series that was tested.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SeriesInfo {
    /// What the user calls it: `v6`.
    pub name: String,
    /// Title of the cover letter, else of the first patch.
    pub title: String,
    /// Version from `[PATCH vN ...]`.
    pub version: Option<u32>,
    /// The patches, in order.
    pub patches: Vec<PatchInfo>,
    /// What was posted, when `patches` are a port of it.
    pub upstream: Option<UpstreamInfo>,
    /// True when the patches are a port and not the posted mails.
    pub port: bool,
    /// What the reader set aside or repaired, one sentence each.
    #[serde(default)]
    pub notes: Vec<String>,
    /// Where it was posted, when it was taken from there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub posting: Option<PostingInfo>,
}

/// Where a series was posted and what its thread says of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PostingInfo {
    /// Source of `series/sources.yaml` that served: `lore`.
    pub source: String,
    /// Address of the cover letter, else of the first patch.
    pub url: Option<String>,
    /// Versions that were found, oldest first.
    pub versions: Vec<VersionInfo>,
    /// What replies gave to this version; nothing of it is applied.
    pub trailers: Vec<TrailerInfo>,
    /// Numbers of the patches that alone were sent again in this version.
    #[serde(default)]
    pub rerolled: Vec<usize>,
}

/// A version of the series that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VersionInfo {
    /// The `6` of `[PATCH v6 0/3]`; 1 where the prefix has none.
    pub version: u32,
    /// Message-ID of its cover letter, else of its first patch, without angle brackets.
    pub message_id: String,
}

/// A trailer that a reply gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TrailerInfo {
    /// Number of the patch that it was given to; `None` for the cover letter.
    pub patch: Option<usize>,
    /// `Reviewed-by: Name <address>`.
    pub trailer: String,
}

impl PostingInfo {
    /// What there is beside the link, in one line; empty when there is nothing.
    pub fn summary(&self) -> String {
        let mut parts = Vec::new();
        if self.versions.len() > 1 {
            let versions: Vec<String> = self.versions.iter().map(|version| format!("v{}", version.version)).collect();
            parts.push(format!("versions {}", versions.join(", ")));
        }
        let mut kinds: std::collections::BTreeMap<&str, usize> = std::collections::BTreeMap::new();
        for trailer in &self.trailers {
            *kinds.entry(trailer.trailer.split(':').next().unwrap_or_default()).or_default() += 1;
        }
        if !kinds.is_empty() {
            let kinds: Vec<String> = kinds.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
            parts.push(format!("replies gave {} (not applied)", kinds.join(", ")));
        }
        parts.join("; ")
    }
}

/// One patch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PatchInfo {
    /// Position, from 1.
    pub number: usize,
    /// Subject without prefix.
    pub subject: String,
    /// `Name <address>`.
    pub author: String,
    /// Message-ID without angle brackets.
    pub message_id: Option<String>,
}

/// The posted series behind a port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UpstreamInfo {
    /// Title as posted.
    pub title: String,
    /// Version as posted.
    pub version: u32,
    /// Message-ID of its cover letter, without angle brackets.
    pub message_id: String,
}

/// A tree of the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TreeInfo {
    /// Name from `series/trees.yaml`.
    pub name: String,
    /// Kernel version from its Makefile; `None` when the tree could not be had.
    pub kernel_version: Option<String>,
    /// Which source served: `Debian package linux-source-6.12 6.12.117-1`.
    pub source: Option<String>,
    /// Commit of the revision `base`, 40 hex digits: that of `base`, or the last of its prerequisites.
    pub commit: Option<String>,
    /// Sources tried before it and why they failed.
    #[serde(default)]
    pub skipped_sources: Vec<String>,
    /// Why the tree could not be had.
    pub error: Option<String>,
    /// The patches as applied, in order; shorter than the series when one did not apply.
    #[serde(default)]
    pub applied: Vec<AppliedPatch>,
    /// What a reader should know (three-way merge used), one sentence each.
    #[serde(default)]
    pub notes: Vec<String>,
    /// The commit that was chosen as base, why, and what was applied below the series; `None` when it did not come to
    /// that.
    #[serde(default)]
    pub base: Option<TreeBase>,
}

/// A patch that is now a commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AppliedPatch {
    /// Position, from 1.
    pub number: usize,
    /// Subject without prefix.
    pub subject: String,
    /// Commit id, 40 hex digits.
    pub commit: String,
}
