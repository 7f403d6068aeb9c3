//! Output of real selftests and of KUnit, as it came.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

use super::{Directive, Ktap, TestResult, parse};

/// What one output holds, by `expected.yaml`: its innermost results, and what does not fit together.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Expected {
    pass: usize,
    fail: usize,
    skip: usize,
    problems: Vec<String>,
}

fn count(doc: &Ktap, found: &mut Expected) {
    for result in &doc.results {
        let nested = result.nested.as_ref().filter(|nested| !nested.results.is_empty());
        if let Some(nested) = nested {
            count(nested, found);
            // A parent that fails by itself counts, too.
            if !result.fails() || nested.results.iter().any(TestResult::fails) {
                continue;
            }
        }
        match result.directive {
            _ if result.fails() => found.fail += 1,
            Some(Directive::Skip) => found.skip += 1,
            _ => found.pass += 1,
        }
    }
}

#[test]
fn real_output_is_read_as_it_is() {
    // The orchestrator's folder, or that of the rooms by themselves below it.
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let folder = [here.join("tests/ktap"), here.join("../tests/ktap")].into_iter().find(|path| path.is_dir()).unwrap();
    let text = std::fs::read_to_string(folder.join("expected.yaml")).unwrap();
    let expected: BTreeMap<String, Expected> = serde_yaml::from_str(&text).unwrap();
    let files = folder.read_dir().unwrap().filter(|entry| entry.as_ref().unwrap().path().extension().unwrap() == "txt");
    assert_eq!(files.count(), expected.len());
    let mut wrong = Vec::new();
    for (name, expected) in &expected {
        let output = std::fs::read(folder.join(name)).unwrap();
        let doc = parse(String::from_utf8_lossy(&output).lines());
        let mut found = Expected::default();
        count(&doc, &mut found);
        found.problems = doc.problems.iter().map(ToString::to_string).collect();
        if found != *expected {
            wrong.push(format!("{name}: found {found:?}, expected {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
