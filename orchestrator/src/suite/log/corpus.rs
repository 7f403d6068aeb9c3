//! Consoles of real kernels: every report that they hold, and no other, is found.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

use super::read;
use crate::words::SplatKind;

/// What one console holds, by `expected.yaml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    kind: SplatKind,
    /// The function that is at fault, as whoever planted it knows.
    function: Option<String>,
}

fn folder() -> PathBuf {
    // The orchestrator's folder, or that of the rooms by themselves below it.
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let folder = here.join("tests/logs");
    if folder.is_dir() { folder } else { here.join("../tests/logs") }
}

fn consoles() -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for kernel in
        folder().read_dir().expect("tests/logs").map(|entry| entry.unwrap().path()).filter(|path| path.is_dir())
    {
        for log in kernel.read_dir().unwrap().map(|entry| entry.unwrap().path()) {
            let name = log.strip_prefix(folder()).unwrap().to_str().unwrap().to_owned();
            // A panic can cut a line, and a serial port is not clean: as where the program reads it.
            found.insert(name, String::from_utf8_lossy(&std::fs::read(&log).unwrap()).into_owned());
        }
    }
    found
}

#[test]
fn every_report_of_a_real_console_is_found_and_nothing_else() {
    let expected: BTreeMap<String, Vec<Expected>> =
        serde_yaml::from_str(&std::fs::read_to_string(folder().join("expected.yaml")).unwrap()).unwrap();
    let consoles = consoles();
    assert!(consoles.len() > 100, "the corpus is here: {}", consoles.len());
    let mut wrong = Vec::new();
    for (name, console) in &consoles {
        let found: Vec<_> = read(console).splats.into_iter().map(|splat| (splat.kind, splat.function)).collect();
        let wanted: Option<Vec<_>> =
            expected.get(name).map(|all| all.iter().map(|one| (one.kind, one.function.clone())).collect());
        if wanted.as_ref() != Some(&found) {
            wrong.push(format!("{name}: found {found:?}, expected {wanted:?}"));
        }
    }
    wrong.extend(
        expected.keys().filter(|name| !consoles.contains_key(*name)).map(|name| format!("{name}: no such file")),
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
