//! What results and cache hold. The files are ours, but a disk may say anything.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{assert_harmless, page};
use crate::engine::{Job, UnitResult};
use crate::lab::BoxState;
use crate::moderation::Approval;
use crate::nightly::NightEvent;
use crate::post;
use crate::post::outbox::{Item, Record};
use crate::report::{Report, html, junit, markdown, terminal};
use crate::run::fuzz_event_line;
use crate::term::Styles;
use crate::words::{BootRecord, BuildRecord, Finding, Series};

/// Reads an input as every kind of record. What reads at all is written and read back as itself; a report is shown by
/// every renderer without a control character.
pub(super) fn records(data: &[u8]) {
    kinds(&String::from_utf8_lossy(data));
}

/// The kinds of record that a text is.
pub(super) fn kinds(text: &str) -> Vec<&'static str> {
    text.lines().for_each(fuzz_event_line);
    let report = match Report::from_json(text) {
        Ok(report) => {
            assert_eq!(Report::from_json(&report.to_json()).expect("its own text"), report);
            shown(&report);
            true
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            false
        }
    };
    let all = [
        ("boot", same::<BootRecord>(text)),
        ("build", same::<BuildRecord>(text)),
        ("finding", same::<Finding>(text)),
        ("series", same::<Series>(text)),
        ("message", same::<Item>(text)),
        ("states of a message", same::<Vec<Record>>(text)),
        ("job", same::<Job>(text)),
        ("result of a job", same::<UnitResult>(text)),
        ("event of a night", same::<NightEvent>(text)),
        ("state of a box", same::<BoxState>(text)),
        ("approval", same::<Approval>(text)),
        ("report", report),
    ];
    all.into_iter().filter(|(_, is)| *is).map(|(kind, _)| kind).collect()
}

fn same<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(text: &str) -> bool {
    let Ok(value) = serde_json::from_str::<T>(text) else { return false };
    let text = serde_json::to_string(&value).expect("records are plain data");
    let back: T = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert_eq!(back, value);
    true
}

fn shown(report: &Report) {
    for text in [terminal(report, 80, &Styles::plain()), markdown(report), junit(report)] {
        assert_harmless(&text);
    }
    let shown = html(report);
    assert_harmless(&shown);
    page::assert_plain(&shown);
    xml(&junit(report));
    post::fuzz::told(report);
}

/// Panics when a text is no XML.
fn xml(text: &str) {
    let mut reader = quick_xml::Reader::from_str(text);
    loop {
        match reader.read_event() {
            Ok(quick_xml::events::Event::Eof) => break,
            Ok(_) => {}
            Err(error) => panic!("no XML: {error}: {text}"),
        }
    }
}
