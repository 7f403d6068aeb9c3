//! One request.

use serde_json::Value;

/// What is done to the address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Read.
    Get,
    /// Add.
    Post,
    /// Change.
    Patch,
}

impl Verb {
    /// The word of the protocol.
    pub fn word(self) -> &'static str {
        match self {
            Verb::Get => "GET",
            Verb::Post => "POST",
            Verb::Patch => "PATCH",
        }
    }
}

/// A request, as it is sent and as a dry run shows it. It never holds a secret.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// What is done.
    pub verb: Verb,
    /// Whole address. In a dry run, what only the server knows stands in braces: `{head of pull request 3}`.
    pub url: String,
    /// What is sent along, as JSON.
    pub body: Option<Value>,
}

impl Call {
    /// A request that reads.
    pub fn get(url: impl Into<String>) -> Call {
        Call { verb: Verb::Get, url: url.into(), body: None }
    }

    /// A request that adds.
    pub fn post(url: impl Into<String>, body: Value) -> Call {
        Call { verb: Verb::Post, url: url.into(), body: Some(body) }
    }

    /// A request that changes.
    pub fn patch(url: impl Into<String>, body: Value) -> Call {
        Call { verb: Verb::Patch, url: url.into(), body: Some(body) }
    }
}

impl std::fmt::Display for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.verb.word(), self.url)?;
        match &self.body {
            // JSON writes control characters as escapes: nothing of the body moves the cursor.
            Some(body) => write!(f, "\n{body:#}"),
            None => Ok(()),
        }
    }
}
