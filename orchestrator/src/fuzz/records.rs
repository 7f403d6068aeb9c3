//! What results and cache hold. The files are ours, but a disk may say anything.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::assert_harmless;
use crate::post::outbox::{Item, Record};
use crate::report::{Report, html, junit, markdown, terminal};
use crate::run::fuzz_event_line;
use crate::term::Styles;
use crate::words::{BootRecord, BuildRecord, Finding, Series};

/// Reads an input as every kind of record. What reads at all is written and read back as itself; a report is shown by
/// every renderer without a control character.
pub(super) fn records(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    same::<BootRecord>(&text);
    same::<BuildRecord>(&text);
    same::<Finding>(&text);
    same::<Series>(&text);
    same::<Item>(&text);
    same::<Vec<Record>>(&text);
    text.lines().for_each(fuzz_event_line);
    match Report::from_json(&text) {
        Ok(report) => {
            assert_eq!(Report::from_json(&report.to_json()).expect("its own text"), report);
            shown(&report);
        }
        Err(error) => drop(error.to_string()),
    }
}

fn same<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(text: &str) {
    if let Ok(value) = serde_json::from_str::<T>(text) {
        let text = serde_json::to_string(&value).expect("records are plain data");
        let back: T = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        assert_eq!(back, value);
    }
}

fn shown(report: &Report) {
    for text in [terminal(report, 80, &Styles::plain()), markdown(report), junit(report)] {
        assert_harmless(&text);
    }
    let page = html(report);
    assert_harmless(&page);
    assert!(!page.contains("<script"), "a script in the page");
}
