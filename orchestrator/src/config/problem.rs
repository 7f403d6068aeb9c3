//! What is wrong with a file, and how it is said.

use std::fmt;

use camino::{Utf8Path, Utf8PathBuf};

use crate::term::text::visible;

/// One thing wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file.
    pub file: Utf8PathBuf,
    /// Line, from 1; 0 when the file as a whole is meant.
    pub line: usize,
    /// Column in characters, from 1; 0 when the file as a whole is meant.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What to do about it, e.g. ``did you mean `kind`?``.
    pub hint: Option<String>,
}

impl Problem {
    /// A problem of a file as a whole.
    pub fn of_file(file: &Utf8Path, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Problem { file: file.to_owned(), line: 0, column: 0, message: message.into(), hint: Some(hint.into()) }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file)?;
        if self.line > 0 {
            write!(f, "{}:{}:", self.line, self.column)?;
        }
        write!(f, " {}", shown(&self.message))?;
        match &self.hint {
            Some(hint) => write!(f, " ({})", shown(hint)),
            None => Ok(()),
        }
    }
}

/// A file may come from anybody, and messages repeat words of it.
fn shown(text: &str) -> String {
    text.split('\n').map(visible).collect::<Vec<_>>().join("\n")
}

/// All that is wrong with one file, or with several that belong together. Displayed one per line.
#[derive(Debug, Clone, Default, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError {
    /// The problems, by file and line.
    pub problems: Vec<Problem>,
}

impl ConfigError {
    /// `Ok` when there is no problem, else all of them sorted by file, line and column.
    ///
    /// # Errors
    /// When `problems` is not empty.
    pub fn unless_empty(mut problems: Vec<Problem>) -> Result<(), ConfigError> {
        if problems.is_empty() {
            return Ok(());
        }
        problems.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
        Err(ConfigError { problems })
    }
}

impl From<Problem> for ConfigError {
    fn from(problem: Problem) -> Self {
        ConfigError { problems: vec![problem] }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

/// The known word that `word` most likely stands for, when one is near enough.
pub fn closest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase().replace('_', "-");
    known
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&lower, &name.to_lowercase().replace('_', "-")), name))
        .filter(|(distance, name)| *distance <= 1.max(name.chars().count().min(word.chars().count()) / 3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_word_is_found_and_a_far_one_is_not() {
        let known = ["kind", "profile", "default_tree", "base"];
        for (word, expected) in [
            ("knid", Some("kind")),
            ("Kind", Some("kind")),
            ("profiel", Some("profile")),
            ("default-tree", Some("default_tree")),
            ("defualt_tree", Some("default_tree")),
            ("bas", Some("base")),
            ("colour", None),
            ("x", None),
        ] {
            assert_eq!(closest(word, known), expected, "{word}");
        }
    }

    #[test]
    fn problems_are_sorted_and_shown_one_per_line() {
        let at = |line, message: &str, hint: Option<&str>| Problem {
            file: "a.yaml".into(),
            line,
            column: 3,
            message: message.into(),
            hint: hint.map(str::to_owned),
        };
        let error =
            ConfigError::unless_empty(vec![at(9, "second", None), at(2, "first", Some("do this"))]).unwrap_err();
        assert_eq!(error.to_string(), "a.yaml:2:3: first (do this)\na.yaml:9:3: second");
        let whole = Problem::of_file("b.yaml".into(), "the file is empty", "write it");
        assert_eq!(whole.to_string(), "b.yaml: the file is empty (write it)");
        assert_eq!(ConfigError::unless_empty(Vec::new()), Ok(()));
    }
}
