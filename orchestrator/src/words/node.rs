//! Where an engine did a unit.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A node of an engine. Units that the process of the run does itself have none.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Node {
    /// The engine, as in `lab/engines.yaml`.
    pub engine: String,
    /// The node, as the engine calls it.
    pub name: String,
}

impl std::fmt::Display for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of {}", self.name, self.engine)
    }
}
