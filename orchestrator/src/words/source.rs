//! Sources that are tried in order, and why one did not serve.

use std::fmt;

/// One source that did not serve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFailure {
    /// Source, as shown to people.
    pub source: String,
    /// Why.
    pub reason: String,
}

impl fmt::Display for SourceFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.source, self.reason)
    }
}

/// All of them on one line: `(1) lore: it does not answer; (2) ...`.
pub struct ListedFailures<'a>(pub &'a [SourceFailure]);

impl fmt::Display for ListedFailures<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, failure) in self.0.iter().enumerate() {
            write!(f, "{}({}) {failure}", if index == 0 { "" } else { "; " }, index + 1)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_numbered() {
        let failure = |source: &str| SourceFailure { source: source.into(), reason: "gone".into() };
        assert_eq!(ListedFailures(&[failure("a"), failure("b")]).to_string(), "(1) a: gone; (2) b: gone");
    }
}
