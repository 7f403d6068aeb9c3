//! The table that a `kselftest_harness.h` program prints for `-l`.
//!
//! ```text
//! # FIXTURE            VARIANT                   TEST
//! hmm                  hmm_device_private        open_close
//!                      hmm_device_coherent       anon_read
//!                                                anon_read_prot
//! --------------------------------------------------------------------------------
//! ```
//!
//! Variants and tests of a fixture stand side by side and are independent: every test runs with every variant.

/// Width of the first and of the second column.
const WIDTHS: [usize; 2] = [20, 25];

/// Names of all tests in the order in which the program runs them; `None` when this is no such table.
pub fn parse(lines: &[String]) -> Option<Vec<String>> {
    let header = lines.iter().position(|line| line.starts_with("# FIXTURE"))?;
    let mut tests = Vec::new();
    for block in lines[header + 1..].split(|line| line.starts_with("-----")) {
        let mut fixture = "";
        let (mut variants, mut names) = (Vec::new(), Vec::new());
        for line in block {
            let (first, rest) = field(line, WIDTHS[0]);
            let (variant, rest) = field(rest, WIDTHS[1]);
            if !first.is_empty() {
                fixture = first;
            }
            if !variant.is_empty() {
                variants.push(variant);
            }
            if !rest.trim().is_empty() {
                names.push(rest.trim());
            }
        }
        if variants.is_empty() {
            tests.extend(names.iter().map(|name| format!("{fixture}.{name}")));
        }
        for variant in variants {
            tests.extend(names.iter().map(|name| format!("{fixture}.{variant}.{name}")));
        }
    }
    Some(tests)
}

/// Splits a left-aligned column off. A name longer than its column pushes the others to the right.
fn field(line: &str, width: usize) -> (&str, &str) {
    let name = if line.starts_with(' ') { "" } else { line.split(' ').next().unwrap_or("") };
    (name, line.get(name.len().max(width) + 1..).unwrap_or(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(fixture: &str, variant: &str, test: &str) -> String {
        format!("{fixture:<20} {variant:<25} {test}")
    }

    #[test]
    fn every_test_runs_with_every_variant() {
        let lines = [
            "[INFO] something before".to_owned(),
            row("# FIXTURE", "VARIANT", "TEST"),
            row("hmm", "hmm_device_private", "open_close"),
            row("", "hmm_device_coherent", "anon_read"),
            row("", "", "anon_read_prot"),
            "-".repeat(80),
            row("a_fixture_longer_than_its_column", "v1", "one"),
            row("", "v2_which_is_longer_than_25_letters", ""),
            "-".repeat(80),
            row("global", "", "plain"),
        ];
        let expected = [
            "hmm.hmm_device_private.open_close",
            "hmm.hmm_device_private.anon_read",
            "hmm.hmm_device_private.anon_read_prot",
            "hmm.hmm_device_coherent.open_close",
            "hmm.hmm_device_coherent.anon_read",
            "hmm.hmm_device_coherent.anon_read_prot",
            "a_fixture_longer_than_its_column.v1.one",
            "a_fixture_longer_than_its_column.v2_which_is_longer_than_25_letters.one",
            "global.plain",
        ];
        assert_eq!(parse(&lines).unwrap(), expected);
    }

    #[test]
    fn other_output_is_no_list() {
        assert_eq!(parse(&["TAP version 13".to_owned(), "1..0".to_owned()]), None);
        assert_eq!(parse(&[]), None);
    }

    #[test]
    fn a_fixture_without_tests_lists_nothing() {
        let lines = [row("# FIXTURE", "VARIANT", "TEST"), row("global", "", "")];
        assert_eq!(parse(&lines), Some(vec![]));
    }
}
