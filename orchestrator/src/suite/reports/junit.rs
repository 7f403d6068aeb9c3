//! JUnit XML, as CTest, pytest, gtest and others write it.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::{OUTPUT, Reported, TESTS, bounded, checked, plain_name, reason};
use crate::words::Verdict;

/// Deepest nesting of elements.
const DEPTH: usize = 64;

/// A test case that is not closed yet.
struct Open {
    name: String,
    verdict: Verdict,
    output: String,
}

/// Reads the test cases of a file. A case without `failure`, `error` or `skipped` has passed, unless it says by `status` or
/// `result` that it was not run.
///
/// # Errors
/// One sentence: this is no such file, or not a whole one.
pub fn junit(text: &str) -> Result<Vec<Reported>, String> {
    // An error may repeat a name of any length.
    read(text).map_err(|error| reason(&error, "it cannot be read"))
}

fn read(text: &str) -> Result<Vec<Reported>, String> {
    let mut reader = Reader::from_str(text);
    let mut tests = Vec::new();
    let mut open: Option<Open> = None;
    let mut path: Vec<Vec<u8>> = Vec::new();
    let mut root = false;
    loop {
        let event = reader.read_event().map_err(|error| format!("no valid XML: {error}"))?;
        match event {
            Event::Start(element) => {
                if path.len() >= DEPTH {
                    return Err(format!("its elements are nested deeper than {DEPTH}"));
                }
                root |= is_root(&path, &element)?;
                begin(&element, &mut open)?;
                path.push(element.name().as_ref().to_vec());
            }
            Event::Empty(element) => {
                root |= is_root(&path, &element)?;
                begin(&element, &mut open)?;
                if element.name().as_ref() == b"testcase" {
                    end(&mut open, &mut tests)?;
                }
            }
            Event::End(element) => {
                // The reader has checked that it closes what was opened last.
                path.pop();
                if element.name().as_ref() == b"testcase" {
                    end(&mut open, &mut tests)?;
                }
            }
            Event::Text(text) => said(&mut open, &String::from_utf8_lossy(&text)),
            Event::CData(text) => said(&mut open, &String::from_utf8_lossy(&text)),
            Event::GeneralRef(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
            Event::DocType(_) => return Err("it has a document type, which results need not".to_owned()),
            Event::Eof => break,
        }
    }
    if !path.is_empty() {
        return Err("it is cut off".to_owned());
    }
    if !root {
        return Err("it is no JUnit XML: it has no `testsuites` or `testsuite`".to_owned());
    }
    checked(tests)
}

fn is_root(path: &[Vec<u8>], element: &BytesStart<'_>) -> Result<bool, String> {
    match (path.is_empty(), element.name().as_ref()) {
        (false, _) => Ok(false),
        (true, b"testsuites" | b"testsuite") => Ok(true),
        (true, other) => {
            Err(format!("it is no JUnit XML: it begins with `{}`", plain_name(&String::from_utf8_lossy(other))))
        }
    }
}

fn attribute(element: &BytesStart<'_>, name: &str) -> Result<Option<String>, String> {
    let found = element.try_get_attribute(name).map_err(|error| format!("no valid XML: {error}"))?;
    let text = |raw: &[u8]| {
        let raw = String::from_utf8_lossy(raw).into_owned();
        quick_xml::escape::unescape(&raw).map(|text| text.into_owned()).unwrap_or(raw)
    };
    Ok(found.map(|attribute| text(&attribute.value)))
}

fn begin(element: &BytesStart<'_>, open: &mut Option<Open>) -> Result<(), String> {
    match (element.name().as_ref(), open.as_mut()) {
        (b"testcase", Some(_)) => return Err("a test case begins within another one".to_owned()),
        (b"testcase", None) => {
            let name = attribute(element, "name")?.ok_or("a test case has no name")?;
            let class = attribute(element, "classname")?.filter(|class| !class.is_empty());
            let name = plain_name(&class.map_or_else(|| name.clone(), |class| format!("{class}.{name}")));
            let status = [attribute(element, "status")?, attribute(element, "result")?];
            let not_run = status.into_iter().flatten().find(|word| {
                ["notrun", "skipped", "suppressed", "disabled"].contains(&word.to_ascii_lowercase().as_str())
            });
            let verdict = not_run.map_or(Verdict::Pass, |word| Verdict::Skip { reason: word });
            *open = Some(Open { name, verdict, output: String::new() });
        }
        (b"failure" | b"error", Some(open)) => {
            let message = attribute(element, "message")?.unwrap_or_default();
            // Of several failures the first is told.
            if !matches!(open.verdict, Verdict::Fail { .. }) {
                open.verdict = Verdict::Fail { reason: reason(&message, "no reason given") };
            }
        }
        (b"skipped", Some(open)) => {
            let message = attribute(element, "message")?.unwrap_or_default();
            if !matches!(open.verdict, Verdict::Fail { .. }) {
                open.verdict = Verdict::Skip { reason: reason(&message, "no reason given") };
            }
        }
        (_, _) => {}
    }
    Ok(())
}

fn said(open: &mut Option<Open>, text: &str) {
    if let Some(open) = open {
        open.output.push_str(&bounded(text, OUTPUT.saturating_sub(open.output.len())));
    }
}

fn end(open: &mut Option<Open>, tests: &mut Vec<Reported>) -> Result<(), String> {
    let Some(Open { name, verdict, output }) = open.take() else { return Ok(()) };
    if tests.len() == TESTS {
        return Err(format!("it has more than {TESTS} tests"));
    }
    if name.is_empty() {
        return Err("a test case has no name".to_owned());
    }
    tests.push(Reported { name, verdict, output: output.trim().to_owned() });
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As gtest writes it.
    const GTEST: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<testsuites tests="3" failures="1" disabled="1" errors="0" time="1.5" timestamp="2026-01-01T00:00:00.000" name="AllTests">
  <testsuite name="KFDSVMRangeTest" tests="3" failures="1" disabled="1" skipped="0" errors="0" time="1.5">
    <testcase name="BasicSystemMemTest" status="run" result="completed" time="0.1" classname="KFDSVMRangeTest" />
    <testcase name="Migrate Test" status="run" result="completed" time="1.4" classname="KFDSVMRangeTest">
      <failure message="KFDSVMRangeTest.cpp:77&#x0A;Expected equality" type=""><![CDATA[KFDSVMRangeTest.cpp:77
Expected equality of these values: <1>]]></failure>
    </testcase>
    <testcase name="DISABLED_x" status="notrun" result="suppressed" time="0" classname="KFDSVMRangeTest" />
    <testcase name="needs_device" classname="KFDSVMRangeTest"><skipped message="no device"/></testcase>
  </testsuite>
</testsuites>
"#;

    #[test]
    fn cases_of_all_sorts_are_read() {
        let tests = junit(GTEST).unwrap();
        let told: Vec<(&str, Verdict)> = tests.iter().map(|test| (test.name.as_str(), test.verdict.clone())).collect();
        assert_eq!(
            told,
            [
                ("KFDSVMRangeTest.BasicSystemMemTest", Verdict::Pass),
                ("KFDSVMRangeTest.Migrate_Test", Verdict::Fail { reason: "KFDSVMRangeTest.cpp:77".into() }),
                ("KFDSVMRangeTest.DISABLED_x", Verdict::Skip { reason: "notrun".into() }),
                ("KFDSVMRangeTest.needs_device", Verdict::Skip { reason: "no device".into() }),
            ]
        );
        assert!(tests[1].output.ends_with("values: <1>"), "{}", tests[1].output);
    }

    #[test]
    fn what_is_not_whole_or_no_junit_is_refused() {
        let deep = "<testsuite>".repeat(1000);
        let cases = [
            ("", "no `testsuites`"),
            ("<html></html>", "begins with `html`"),
            (&GTEST[..GTEST.len() / 2], ""),
            ("<testsuite><testcase name='a'>", "cut off"),
            ("<testsuite><testcase name='a'/></testsuites>", "no valid XML"),
            ("<testsuite><testcase/></testsuite>", "no name"),
            ("<testsuite></testsuite>", "no test"),
            ("<testsuite><testcase name='a'/><testcase name='a'/></testsuite>", "twice"),
            ("<testsuite><testcase name='a'><testcase name='b'/></testcase></testsuite>", "within another"),
            ("<!DOCTYPE x [<!ENTITY a 'aaaa'>]><testsuite/>", "document type"),
            (&deep, "deeper"),
        ];
        for (text, word) in cases {
            let error = junit(text).unwrap_err();
            assert!(error.contains(word), "{error} for {word}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,300}") {
            let _ = junit(&text);
        }

        #[test]
        fn no_damage_makes_it_panic_or_lets_more_pass(at in 0..GTEST.len(), byte in "[ -~]", cut in any::<bool>()) {
            let mut text = GTEST[..at].to_owned();
            text.push_str(&byte);
            if !cut {
                text.push_str(&GTEST[at + 1..]);
            }
            if let Ok(tests) = junit(&text) {
                prop_assert!(tests.len() <= 4);
                prop_assert!(tests.iter().all(|test| test.output.len() <= OUTPUT && test.name.len() <= 1000));
            }
        }
    }
}
