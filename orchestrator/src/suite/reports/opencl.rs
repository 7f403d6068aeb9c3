//! The file of results that a program of the OpenCL conformance tests writes.

use serde::Deserialize;

use super::{Pairs, Reported, TESTS, bounded, checked, plain_name, reason};
use crate::words::Verdict;

#[derive(Deserialize)]
struct File {
    results: Pairs<String>,
}

/// Reads the tests of a file: `pass`, `fail` or `skip`. It tells neither reasons nor output; [`why`] finds the former in
/// what the program printed.
///
/// # Errors
/// One sentence: this is no such file, or not a whole one.
pub fn opencl(text: &str) -> Result<Vec<Reported>, String> {
    let file: File =
        serde_json::from_str(text).map_err(|error| format!("no results of OpenCL conformance tests: {error}"))?;
    let Pairs(results) = file.results;
    if results.len() > TESTS {
        return Err(format!("it has more than {TESTS} tests"));
    }
    let read = |(name, result): (String, String)| {
        let verdict = match result.as_str() {
            "pass" => Verdict::Pass,
            "skip" => Verdict::Skip { reason: "no reason given".to_owned() },
            "fail" => Verdict::Fail { reason: "no reason given".to_owned() },
            other => {
                let word = plain_name(&bounded(other, 40));
                Verdict::Infra { reason: format!("the file says `{word}`, which is no result") }
            }
        };
        Reported { name: plain_name(&name), verdict, output: String::new() }
    };
    let tests: Vec<Reported> = results.into_iter().map(read).collect();
    if tests.iter().any(|test| test.name.is_empty()) {
        return Err("a test has no name".to_owned());
    }
    checked(tests)
}

/// Takes reasons from what each test printed: the first line that says `ERROR` of one that failed, the first line of one
/// that was skipped.
pub fn why(tests: &mut [Reported]) {
    for test in tests {
        let error = test.output.lines().find(|line| line.contains("ERROR")).unwrap_or(&test.output);
        match &mut test.verdict {
            Verdict::Fail { reason: why } => *why = reason(error, "no reason given"),
            Verdict::Skip { reason: why } => *why = reason(&test.output, "no reason given"),
            Verdict::Pass | Verdict::Xfail | Verdict::Timeout | Verdict::Crashed { .. } | Verdict::Infra { .. } => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As the harness writes it.
    const FILE: &str = "{\n\t\"cmd\": \"./test_svm\",\n\t\"results\": {\n\t\t\"svm_byte_granularity\": \"pass\",\n\
                        \t\t\"svm_migrate\": \"fail\",\n\t\t\"svm_enqueue_api\": \"skip\"\n\t}\n}\n";

    #[test]
    fn tests_are_read_and_their_words_are_the_reasons() {
        let mut tests = opencl(FILE).unwrap();
        tests[1].output = "x\nERROR: migrated nothing\nsvm_migrate FAILED".into();
        tests[2].output = "svm_enqueue_api test not supported".into();
        why(&mut tests);
        let told: Vec<(&str, &Verdict)> = tests.iter().map(|test| (test.name.as_str(), &test.verdict)).collect();
        assert_eq!(
            told,
            [
                ("svm_byte_granularity", &Verdict::Pass),
                ("svm_migrate", &Verdict::Fail { reason: "ERROR: migrated nothing".into() }),
                ("svm_enqueue_api", &Verdict::Skip { reason: "svm_enqueue_api test not supported".into() }),
            ]
        );
    }

    #[test]
    fn what_is_not_whole_is_refused() {
        for (text, word) in [
            (&FILE[..FILE.len() - 4], "no results"),
            ("{}", "results"),
            (r#"{"results": {}}"#, "no test"),
            (r#"{"results": {"": "pass"}}"#, "no name"),
            (r#"{"results": {"a": "fail", "a": "pass"}}"#, "twice"),
            (r#"{"results": {"a": 0}}"#, "no results"),
        ] {
            let error = opencl(text).unwrap_err();
            assert!(error.contains(word), "{error} for {word}");
        }
        let odd = opencl(r#"{"results": {"a": "PASS"}}"#).unwrap();
        assert!(matches!(&odd[0].verdict, Verdict::Infra { .. }));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic_and_no_damage_makes_a_pass(text in "\\PC{0,200}", at in 0usize..80, byte in "[ -~]") {
            let _ = opencl(&text);
            let mut damaged = r#"{"results": {"svm_migrate": "fail", "svm_enqueue_api": "skip"}}"#.to_owned();
            let at = at.min(damaged.len() - 1);
            damaged.replace_range(at..=at, &byte);
            let passes = opencl(&damaged).is_ok_and(|tests| tests.iter().any(|test| test.verdict == Verdict::Pass));
            prop_assert!(!passes, "{damaged}");
        }
    }
}
