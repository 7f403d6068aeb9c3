//! Files of results that test programs write: JUnit XML and igt's `results.json`. Pure.
//!
//! They come from a machine that may be hostile: everything is bounded, and what is not as it should be is an error of
//! the whole file, never a pass.

mod igt;
mod junit;

pub use igt::igt;
pub use junit::junit;

use crate::words::Verdict;

/// Most tests taken of one file.
pub(crate) const TESTS: usize = 20_000;

/// Bytes kept of one reason.
const REASON: usize = 300;

/// Bytes kept of the output of one test.
const OUTPUT: usize = 16 * 1024;

/// One test of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reported {
    /// Its name below the suite: words that are separated by dots, without spaces.
    pub name: String,
    /// What it did.
    pub verdict: Verdict,
    /// What it printed.
    pub output: String,
}

/// A name without what separates names or hides in them.
fn plain_name(text: &str) -> String {
    let plain = |c: char| if c.is_whitespace() || c.is_control() { '_' } else { c };
    text.chars().take(200).map(plain).collect::<String>().trim_matches('.').to_owned()
}

/// At most `limit` bytes of a text.
fn bounded(text: &str, limit: usize) -> String {
    let end = (0..=limit.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
    text[..end].to_owned()
}

/// The first line that says something, bounded.
fn reason(text: &str, otherwise: &str) -> String {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or(otherwise);
    bounded(line, REASON)
}

/// A file in which no test comes twice and at least one is.
fn checked(tests: Vec<Reported>) -> Result<Vec<Reported>, String> {
    let mut seen = std::collections::BTreeSet::new();
    if let Some(twice) = tests.iter().find(|test| !seen.insert(test.name.as_str())) {
        return Err(format!("test {} is reported twice", bounded(&twice.name, REASON)));
    }
    if tests.is_empty() { Err("it holds no test".to_owned()) } else { Ok(tests) }
}
