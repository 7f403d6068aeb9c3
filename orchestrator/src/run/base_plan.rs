//! How the base of a tree is chosen: asked for when a run begins, settled once, kept in `run.json`.

use serde::{Deserialize, Serialize};

use crate::words::{Patch, TreeBase};

/// Which commit of a tree the series goes on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BasePlan {
    /// The tree is the default one; what the series says of its base counts within it.
    #[default]
    TreeList,
    /// The user named the tree; what the series says of its base counts within it.
    Named,
    /// Whichever tree and commit fit best. The plan's tree is the one that serves when nothing speaks for another.
    Best,
    /// This commit of the tree, in git's notation.
    Commit(String),
    /// Tree and commit are chosen; prerequisites are not looked for yet.
    Picked(TreeBase),
    /// Everything is chosen.
    Settled(Box<SettledBase>),
}

/// A base that was chosen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettledBase {
    /// What was chosen and why.
    pub base: TreeBase,
    /// Patches that belong to the base, in order: the prerequisites that were found.
    pub below: Vec<Patch>,
}
