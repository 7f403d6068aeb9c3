//! The one line that says why a build failed.

use crate::words::{Diagnostic, Level, Tool};

/// Longest reason in bytes.
const LIMIT: usize = 300;

/// The first error as one line. Errors of make itself only repeat what others said, and serve when nobody else said
/// anything.
///
/// The order is that of `diagnostics`, by target: which of several parallel compilers spoke first is chance.
pub(super) fn first_error(diagnostics: &[Diagnostic]) -> Option<String> {
    let errors = || diagnostics.iter().filter(|d| d.level == Level::Error);
    // A failure in a folder makes all folders above it fail: the one of a file is meant.
    let first = errors()
        .find(|d| d.tool != Tool::Make)
        .or_else(|| errors().find(|d| !d.message.ends_with(": Error 2")).or_else(|| errors().next()))?;
    let place = match (first.file.as_str(), first.line) {
        ("", _) => String::new(),
        (file, 0) => format!("{file}: "),
        (file, line) => format!("{file}:{line}: "),
    };
    let text = format!("{place}{}", first.message);
    Some(bounded(&text, LIMIT))
}

/// Without the errors of make that only repeat what a tool said: all when a tool said an error; else those of folders,
/// which fail because of what is in them.
pub(super) fn without_echoes(diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let is_echo = |d: &Diagnostic| d.tool == Tool::Make && d.level == Level::Error;
    let explained = diagnostics.iter().any(|d| d.level == Level::Error && d.tool != Tool::Make);
    let specific = diagnostics.iter().any(|d| is_echo(d) && !d.message.ends_with(": Error 2"));
    let keep = |d: &Diagnostic| !is_echo(d) || !explained && (!specific || !d.message.ends_with(": Error 2"));
    diagnostics.into_iter().filter(keep).collect()
}

/// `text`, cut to `limit` bytes at a character boundary.
pub(super) fn bounded(text: &str, limit: usize) -> String {
    let end = (0..=limit.min(text.len())).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
    text[..end].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::testing::warning;

    #[test]
    fn the_first_error_of_a_real_tool_is_the_reason() {
        let make = |message: &str| Diagnostic { level: Level::Error, tool: Tool::Make, ..warning("", 0, message, "") };
        let error = Diagnostic { level: Level::Error, ..warning("mm/hmm.c", 5, "'x' undeclared", "") };
        let all = [warning("a.c", 1, "w", "-Wx"), make("mm: Error 2"), make("mm/hmm.o: Error 1"), error];
        assert_eq!(first_error(&all).unwrap(), "mm/hmm.c:5: 'x' undeclared");
        assert_eq!(first_error(&all[..3]).unwrap(), "mm/hmm.o: Error 1");
        assert_eq!(first_error(&all[..2]).unwrap(), "mm: Error 2");
        assert_eq!(first_error(&all[..1]), None);
        assert_eq!(without_echoes(all.to_vec()), [all[0].clone(), all[3].clone()]);
        assert_eq!(without_echoes(all[..3].to_vec()), [all[0].clone(), all[2].clone()]);
        assert_eq!(without_echoes(all[..2].to_vec()), all[..2]);
    }
}
