//! Tests that pass without having done anything, which a suite file tells by what they print.

use regex::Regex;

use crate::words::{TestRecord, Verdict};

/// Bytes of a line that are told as the reason.
const REASON: usize = 200;

/// What to look for in the output of which tests.
pub(super) struct Idle {
    wanted: Vec<(String, Vec<Regex>)>,
}

impl Idle {
    /// What suites look for, by their names. An expression that is none was refused when its file was read.
    pub(super) fn new(lines: &[(String, Vec<String>)]) -> Self {
        let compiled = |regexes: &[String]| regexes.iter().filter_map(|regex| Regex::new(regex).ok()).collect();
        Idle { wanted: lines.iter().map(|(suite, regexes)| (suite.clone(), compiled(regexes))).collect() }
    }

    /// Turns passes of tests that say that they did nothing into skips, for the line that says so. What failed stays so.
    pub(super) fn apply(&self, tests: &mut [TestRecord]) {
        for test in tests.iter_mut().filter(|test| test.verdict == Verdict::Pass) {
            let of = |suite: &str| {
                test.test.strip_prefix(suite).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            };
            let regexes = || self.wanted.iter().filter(|(suite, _)| of(suite)).flat_map(|(_, regexes)| regexes);
            let line = test.output.lines().find(|line| regexes().any(|regex| regex.is_match(line)));
            if let Some(line) = line {
                let plain = |c: char| if c.is_control() { ' ' } else { c };
                let reason: String = line.chars().map(plain).take(REASON).collect();
                test.verdict = Verdict::Skip { reason: reason.trim().to_owned() };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(test: &str, verdict: Verdict, output: &str) -> Verdict {
        let lines = [("mine".to_owned(), vec!["^Skipping test".to_owned(), "not (run|executed)".to_owned()])];
        let mut tests = [TestRecord { test: test.into(), verdict, output: output.into(), guest_ms: 1 }];
        Idle::new(&lines).apply(&mut tests);
        let [test] = tests;
        test.verdict
    }

    #[test]
    fn a_pass_that_did_nothing_is_a_skip() {
        let skip = |reason: &str| Verdict::Skip { reason: reason.into() };
        let says = "begins\nSkipping test: no VRAM\u{7}\nends\n";
        assert_eq!(judged("mine.a", Verdict::Pass, says), skip("Skipping test: no VRAM"));
        assert_eq!(judged("mine", Verdict::Pass, "test not executed.\n"), skip("test not executed."));
        assert_eq!(judged("mine.a", Verdict::Pass, "no Skipping test\n"), Verdict::Pass);
    }

    #[test]
    fn what_failed_and_what_is_of_another_suite_is_left_alone() {
        let fail = || Verdict::Fail { reason: "x".into() };
        assert_eq!(judged("mine.a", fail(), "Skipping test\n"), fail());
        assert_eq!(judged("mine2.a", Verdict::Pass, "Skipping test\n"), Verdict::Pass);
        assert_eq!(judged("other", Verdict::Pass, "Skipping test\n"), Verdict::Pass);
    }
}
