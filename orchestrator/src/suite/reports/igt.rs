//! `results.json` of `igt_runner` (and of piglit, whose form it has).

use serde::Deserialize;

use super::{OUTPUT, Pairs, Reported, TESTS, bounded, checked, plain_name, reason};
use crate::words::Verdict;

#[derive(Deserialize)]
struct File {
    tests: Pairs<Subtest>,
}

#[derive(Deserialize)]
struct Subtest {
    result: String,
    #[serde(default)]
    out: String,
    #[serde(default)]
    err: String,
    #[serde(default, rename = "dmesg-warnings")]
    dmesg_warnings: String,
}

/// Reads the subtests of a file.
///
/// | result | verdict |
/// |---|---|
/// | `pass` | Pass |
/// | `skip`, `notrun` | Skip, with what it required |
/// | `fail`, `crash`, `warn`, `dmesg-warn`, `dmesg-fail`, `abort` | Fail |
/// | `timeout` | Timeout |
/// | `incomplete`, and words that are not known | Infra: it has no result |
///
/// # Errors
/// One sentence: this is no such file, or not a whole one.
pub fn igt(text: &str) -> Result<Vec<Reported>, String> {
    let file: File = serde_json::from_str(text).map_err(|error| {
        // It may repeat a text of any length.
        reason(&format!("no results.json of igt_runner: {error}"), "it cannot be read")
    })?;
    let Pairs(tests) = file.tests;
    if tests.len() > TESTS {
        return Err(format!("it has more than {TESTS} tests"));
    }
    let read = |(name, test): (String, Subtest)| {
        let name = plain_name(&name.strip_prefix("igt@").unwrap_or(&name).replace('@', "."));
        let fail = |reason: String| Verdict::Fail { reason };
        let verdict = match test.result.as_str() {
            "pass" => Verdict::Pass,
            "skip" => Verdict::Skip { reason: requirement(&test) },
            "notrun" => Verdict::Skip { reason: "igt_runner did not run it".to_owned() },
            "fail" => fail(reason(&test.err, "no reason given")),
            "crash" => fail(format!("it crashed: {}", reason(&test.err, "no reason given"))),
            "warn" => fail(format!("it warned: {}", reason(&test.err, "no reason given"))),
            "dmesg-warn" => fail(format!("the kernel warned: {}", reason(&test.dmesg_warnings, "see its log"))),
            "dmesg-fail" => fail(format!("it failed and the kernel warned: {}", reason(&test.err, "see its output"))),
            "abort" => fail("igt_runner gave the machine up in it".to_owned()),
            "timeout" => Verdict::Timeout,
            "incomplete" => Verdict::Infra { reason: "igt_runner has no end of it (incomplete)".to_owned() },
            other => {
                let word = plain_name(&bounded(other, 40));
                Verdict::Infra { reason: format!("igt_runner says `{word}`, which is no result") }
            }
        };
        let output = [test.out, test.err, test.dmesg_warnings].map(|part| bounded(part.trim(), OUTPUT / 4)).join("\n");
        Reported { name, verdict, output: output.trim().to_owned() }
    };
    let tests: Vec<Reported> = tests.into_iter().map(read).collect();
    if tests.iter().any(|test| test.name.is_empty()) {
        return Err("a test has no name".to_owned());
    }
    checked(tests)
}

/// Why a subtest was skipped: the requirement that it names.
fn requirement(test: &Subtest) -> String {
    let lines = || test.out.lines().chain(test.err.lines()).map(str::trim);
    // Where it is not met stands in a line before the one that says what.
    let named = lines().find(|line| line.starts_with("Test requirement: "));
    let said = named.or_else(|| lines().find(|line| line.contains("SKIP")));
    reason(said.unwrap_or_default(), "no reason given")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn file(tests: &[(&str, &str)]) -> String {
        let one = |(name, result): &(&str, &str)| {
            format!(
                r#""{name}": {{"__type__": "TestResult", "result": "{result}", "time": {{"start": 0.0, "end": 1.0}},
                "out": "IGT-Version: 2.1\nTest requirement not met in function f, file ../lib/f.c:1:\nTest requirement: !(fd < 0)\nSubtest a: SKIP (0.000s)\n",
                "err": "Assertion failed\n", "dmesg": "", "dmesg-warnings": "<4> WARNING: CPU: 0\n"}}"#
            )
        };
        let tests: Vec<String> = tests.iter().map(one).collect();
        format!(r#"{{"__type__": "TestrunResult", "results_version": 10, "tests": {{{}}}}}"#, tests.join(","))
    }

    #[test]
    fn every_result_has_a_verdict() {
        let fail = |reason: &str| Verdict::Fail { reason: reason.into() };
        let cases = [
            ("pass", Verdict::Pass),
            ("fail", fail("Assertion failed")),
            ("skip", Verdict::Skip { reason: "Test requirement: !(fd < 0)".into() }),
            ("dmesg-warn", fail("the kernel warned: <4> WARNING: CPU: 0")),
            ("dmesg-fail", fail("it failed and the kernel warned: Assertion failed")),
            ("crash", fail("it crashed: Assertion failed")),
            ("warn", fail("it warned: Assertion failed")),
            ("timeout", Verdict::Timeout),
            ("abort", fail("igt_runner gave the machine up in it")),
            ("notrun", Verdict::Skip { reason: "igt_runner did not run it".into() }),
            ("incomplete", Verdict::Infra { reason: "igt_runner has no end of it (incomplete)".into() }),
            ("PASS", Verdict::Infra { reason: "igt_runner says `PASS`, which is no result".into() }),
        ];
        for (result, verdict) in cases {
            let read = igt(&file(&[("igt@xe_exec_system_allocator@once-malloc", result)])).unwrap();
            assert_eq!((read[0].name.as_str(), &read[0].verdict), ("xe_exec_system_allocator.once-malloc", &verdict));
        }
    }

    #[test]
    fn what_is_not_whole_is_refused() {
        let whole = file(&[("igt@a@b", "pass")]);
        for (text, word) in [
            (whole[..whole.len() - 2].to_owned(), "no results.json"),
            ("{}".to_owned(), "tests"),
            (file(&[]), "no test"),
            (file(&[("igt@", "pass")]), "no name"),
            (file(&[("igt@a@b", "pass"), ("a.b", "fail")]), "twice"),
            (file(&[("igt@a@b", "fail"), ("igt@a@b", "pass")]), "twice"),
            (format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000)), "no results.json"),
        ] {
            let error = igt(&text).unwrap_err();
            assert!(error.contains(word), "{error} for {word}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic_and_no_damage_makes_a_pass(text in "\\PC{0,200}", at in 0usize..400, byte in "[ -~]") {
            let _ = igt(&text);
            let mut damaged = file(&[("igt@a@b", "fail")]);
            let at = at.min(damaged.len() - 1);
            damaged.replace_range(at..=at, &byte);
            let passes = igt(&damaged).is_ok_and(|tests| tests.iter().any(|test| test.verdict == Verdict::Pass));
            prop_assert!(!passes, "{damaged}");
        }
    }
}
