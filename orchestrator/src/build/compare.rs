//! Comparing diagnostics of two revisions as multisets.

use std::collections::HashMap;

use crate::words::{Diagnostic, Level, Tool};

/// What makes two diagnostics the same although lines moved: everything but line numbers, and the message with its
/// numbers blanked.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DiagnosticSignature {
    tool: Tool,
    level: Level,
    file: String,
    function: Option<String>,
    option: Option<String>,
    message: String,
}

/// The signature of one diagnostic.
pub fn signature(diagnostic: &Diagnostic) -> DiagnosticSignature {
    DiagnosticSignature {
        tool: diagnostic.tool,
        level: diagnostic.level,
        file: diagnostic.file.clone(),
        function: diagnostic.function.clone(),
        option: diagnostic.option.clone(),
        message: without_numbers(&diagnostic.message),
    }
}

/// Replaces each number that stands alone (`1056 bytes`, `+0x1c`, `:812`) by `#`. Digits inside a word stay: `ret1` and
/// `ret2` are different variables.
pub fn without_numbers(message: &str) -> String {
    let mut out = String::with_capacity(message.len());
    let mut word = String::new();
    for c in message.chars().chain(std::iter::once('\n')) {
        if c.is_alphanumeric() || c == '_' {
            word.push(c);
            continue;
        }
        if word.starts_with(|c: char| c.is_ascii_digit()) {
            out.push('#');
        } else {
            out.push_str(&word);
        }
        word.clear();
        out.push(c);
    }
    out.truncate(out.trim_end_matches('\n').len());
    out
}

/// The diagnostics of `patched` that `base` does not have, in the order of `patched`.
///
/// A signature that occurs twice in the base and three times with the series gives one new diagnostic: the one on a
/// line where the base has none of the same signature, else the last.
pub fn new_diagnostics(base: &[Diagnostic], patched: &[Diagnostic]) -> Vec<Diagnostic> {
    let mut old: HashMap<DiagnosticSignature, Vec<u32>> = HashMap::new();
    for diagnostic in base {
        old.entry(signature(diagnostic)).or_default().push(diagnostic.line);
    }
    let mut groups: HashMap<DiagnosticSignature, Vec<usize>> = HashMap::new();
    for (index, diagnostic) in patched.iter().enumerate() {
        groups.entry(signature(diagnostic)).or_default().push(index);
    }
    let mut new: Vec<usize> = Vec::new();
    for (signature, mut members) in groups {
        let mut lines = old.remove(&signature).unwrap_or_default();
        let surplus = members.len().saturating_sub(lines.len());
        // Those on a line that the base also names are surely old; take them out first.
        members.sort_by_key(|&index| match lines.iter().position(|&line| line == patched[index].line) {
            Some(position) => {
                lines.swap_remove(position);
                (false, index)
            }
            None => (true, index),
        });
        new.extend(members.iter().rev().take(surplus));
    }
    new.sort_unstable();
    new.into_iter().map(|index| patched[index].clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::testing::warning;

    #[test]
    fn shifted_lines_and_changed_numbers_are_not_new() {
        let base = [warning("lib/test_hmm.c", 800, "the frame size of 1056 bytes is larger than 1024 bytes", "-Wf=")];
        let patched =
            [warning("lib/test_hmm.c", 912, "the frame size of 1104 bytes is larger than 1024 bytes", "-Wf=")];
        assert_eq!(new_diagnostics(&base, &patched), []);
    }

    #[test]
    fn names_with_digits_are_different_things() {
        let base = [warning("mm/hmm.c", 8, "unused variable 'ret1'", "-Wunused-variable")];
        let patched = [warning("mm/hmm.c", 8, "unused variable 'ret2'", "-Wunused-variable")];
        assert_eq!(new_diagnostics(&base, &patched), patched);
    }

    #[test]
    fn the_surplus_of_equal_diagnostics_is_new_and_is_the_one_on_the_unknown_line() {
        let at = |line| warning("mm/hmm.c", line, "unused variable 'ret'", "-Wunused-variable");
        let base = [at(10), at(30)];
        let patched = [at(10), at(20), at(30)];
        assert_eq!(new_diagnostics(&base, &patched), [at(20)]);
        assert_eq!(new_diagnostics(&patched, &base), []);
        assert_eq!(new_diagnostics(&[], &patched), patched);
    }

    #[test]
    fn file_function_option_tool_and_level_count() {
        let one = warning("mm/hmm.c", 1, "m", "-Wa");
        let others = [
            Diagnostic { file: "mm/gup.c".into(), ..one.clone() },
            Diagnostic { function: Some("f".into()), ..one.clone() },
            Diagnostic { option: None, ..one.clone() },
            Diagnostic { tool: Tool::Sparse, ..one.clone() },
            Diagnostic { level: Level::Error, ..one.clone() },
        ];
        for other in others {
            assert_eq!(new_diagnostics(std::slice::from_ref(&one), std::slice::from_ref(&other)), [other]);
        }
    }

    #[test]
    fn numbers_are_blanked_only_where_they_stand_alone() {
        assert_eq!(
            without_numbers("x.o: warning: objtool: f+0x1c: 12 of u64 a_1"),
            "x.o: warning: objtool: f+#: # of u64 a_1"
        );
    }
}
