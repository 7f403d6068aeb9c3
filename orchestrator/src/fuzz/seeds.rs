//! Inputs that are made of the program's own records, so that they stay of use when a format changes.

use super::driver::corpus_folder;
use super::tests::target;
use crate::report::fixtures;
use crate::words::testing::{boot_record, build_record, diagnostic, series, test_record};
use crate::words::{Level, Verdict};

/// Name and text of each, for the target `records`.
fn made() -> Vec<(String, String)> {
    let json = |value: serde_json::Value| value.to_string();
    let mut boot = boot_record(1, 2);
    boot.tests = vec![
        test_record("hmm.a", Verdict::Pass),
        test_record("hmm.b", Verdict::Fail { reason: "\u{1b}[31m<b>".into() }),
        test_record("hmm.c", Verdict::Infra { reason: "cut".into() }),
    ];
    let mut build = build_record(1, 2);
    build.diagnostics = vec![diagnostic(Level::Warning, "mm/hmm.c", 5, "unused `x`", Some("-Wunused-variable"))];
    let mut all = vec![
        ("boot".to_owned(), json(serde_json::json!(boot))),
        ("build".to_owned(), json(serde_json::json!(build))),
        ("series".to_owned(), json(serde_json::json!(series("v6", &["diff one", "diff two"])))),
        ("box".to_owned(), json(serde_json::json!(crate::lab::BoxState::default()))),
    ];
    for (name, report) in fixtures::all() {
        all.extend(
            report.findings.iter().take(1).map(|finding| (format!("finding-{name}"), json(serde_json::json!(finding)))),
        );
        let value: serde_json::Value = serde_json::from_str(&report.to_json()).expect("its own text");
        all.push((format!("report-{name}"), value.to_string()));
    }
    all
}

#[test]
fn inputs_made_of_records_are_current() {
    let folder = corpus_folder(&target("records"));
    let update = std::env::var_os("UPDATE_FUZZ").is_some();
    let mut stale = Vec::new();
    for (name, text) in made() {
        let path = folder.join(format!("made-{name}"));
        if update {
            std::fs::write(&path, &text).unwrap();
        } else if std::fs::read_to_string(&path).ok().as_deref() != Some(text.as_str()) {
            stale.push(path);
        }
    }
    assert!(
        stale.is_empty(),
        "not current: {stale:?}; make them again with: UPDATE_FUZZ=1 cargo test -p orchestrator --lib fuzz::seeds"
    );
}
