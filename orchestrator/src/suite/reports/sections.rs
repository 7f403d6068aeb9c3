//! What each test printed, where the file of results does not say it: programs of gtest and of the OpenCL conformance
//! tests announce each test on their output.

use std::collections::{BTreeMap, BTreeSet};

use super::{OUTPUT, Reported, bounded};

/// What gtest says before a test.
const RUN: &str = "[ RUN      ] ";

/// What gtest says after a test, before its name.
const ENDS: [&str; 3] = ["[       OK ] ", "[  FAILED  ] ", "[  SKIPPED ] "];

/// What the OpenCL conformance tests say after the name of a test that begins.
const BEGINS: &str = "...";

/// Gives tests whose file tells no output what the program printed while they ran.
pub fn fill(tests: &mut [Reported], lines: &[(bool, String)]) {
    let names: BTreeSet<&str> = tests.iter().map(|test| test.name.as_str()).collect();
    let mut sections = sections(&names, lines);
    for test in tests.iter_mut().filter(|test| test.output.is_empty()) {
        if let Some(section) = sections.remove(test.name.as_str()) {
            test.output = section;
        }
    }
}

/// What was printed between the line that announces a test and its end, by name. A test that is announced several
/// times (its child processes print, too) gets all of it.
fn sections(names: &BTreeSet<&str>, lines: &[(bool, String)]) -> BTreeMap<String, String> {
    let mut sections: BTreeMap<String, String> = BTreeMap::new();
    let mut open: Option<&str> = None;
    for (_, line) in lines {
        let line = line.trim_end();
        let begins = line.strip_prefix(RUN).or_else(|| line.strip_suffix(BEGINS));
        if let Some(name) = begins.filter(|name| names.contains(name)) {
            open = Some(name);
            continue;
        }
        let Some(name) = open else { continue };
        let section = sections.entry(name.to_owned()).or_default();
        let room = OUTPUT.saturating_sub(section.len() + 1);
        section.push_str(&bounded(line, room));
        section.push('\n');
        if ENDS.iter().any(|end| line.strip_prefix(end).is_some_and(|rest| rest.split([' ', ',']).next() == Some(name)))
        {
            open = None;
        }
    }
    sections.values_mut().for_each(|section| *section = section.trim().to_owned());
    sections
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::Verdict;

    fn filled(names: &[&str], text: &str) -> Vec<String> {
        let test = |name: &&str| Reported { name: (*name).into(), verdict: Verdict::Pass, output: String::new() };
        let mut tests: Vec<Reported> = names.iter().map(test).collect();
        let lines: Vec<(bool, String)> = text.lines().map(|line| (line.contains("stderr"), line.to_owned())).collect();
        fill(&mut tests, &lines);
        tests.into_iter().map(|test| test.output).collect()
    }

    #[test]
    fn each_test_of_gtest_gets_its_own_words() {
        let text = "[==========] Running 2 tests from 1 test case.\n[----------] 2 tests from T\n[ RUN      ] T.a/0\n\
                    [          ] Skipping test: No VRAM found.\nstderr\n[       OK ] T.a/0 (3 ms)\nbetween\n[ RUN      ] T.b\n\
                    t.cpp:7: Failure\n[  FAILED  ] T.b, where GetParam() = 1 (2 ms)\n[  FAILED  ] T.b\n";
        assert_eq!(
            filled(&["T.a/0", "T.b", "T.c"], text),
            [
                "[          ] Skipping test: No VRAM found.\nstderr\n[       OK ] T.a/0 (3 ms)",
                "t.cpp:7: Failure\n[  FAILED  ] T.b, where GetParam() = 1 (2 ms)",
                ""
            ]
        );
    }

    #[test]
    fn each_conformance_test_gets_its_own_words() {
        let text = "Initializing random seed to 0.\nsvm_a...\nRequested SVM level not supported, test not executed.\n\
                    svm_a passed\nsvm_b...\nother...\nsvm_b FAILED\n";
        assert_eq!(
            filled(&["svm_a", "svm_b"], text),
            ["Requested SVM level not supported, test not executed.\nsvm_a passed", "other...\nsvm_b FAILED"]
        );
    }

    #[test]
    fn a_flood_is_bounded_and_a_file_that_tells_the_output_wins() {
        let text = format!("[ RUN      ] T.a\n{}", "é x\n".repeat(100_000));
        assert!(filled(&["T.a"], &text)[0].len() <= OUTPUT);
        let mut tests = [Reported { name: "T.a".into(), verdict: Verdict::Pass, output: "own".into() }];
        fill(&mut tests, &[(false, "[ RUN      ] T.a".into()), (false, "x".into())]);
        assert_eq!(tests[0].output, "own");
    }
}
