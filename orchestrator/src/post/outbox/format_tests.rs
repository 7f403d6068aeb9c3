//! The formats of the outbox.

use camino::Utf8Path;
use serde_json::{Value, json};

use super::Outbox;
use super::item::{FORMAT, Item, ItemId, Kind, Subject};
use super::state::{By, Receipt, Reception, Record, State};
use crate::formats::{all, has_not_changed, of_the_future};

fn item(kind: Kind) -> Item {
    let subject = Subject { kind, topic: "c/v6".into(), fingerprint: "clean".into() };
    let id = ItemId::of(&subject, None);
    let [run, title, destination] = ["r", "t", "d"].map(str::to_owned);
    Item { format: FORMAT, id, sequence: 1, created: 2, subject, run, title, destination, payload: json!({"a": 1}) }
}

fn records() -> Value {
    let receipt = |reception| Receipt { to: "a@example.org".into(), reception, reply: "ok".into() };
    let full = |state| Record {
        at: 3,
        state,
        by: By::Person,
        why: "w".into(),
        next_try: Some(4),
        receipts: [Reception::Accepted, Reception::Deferred, Reception::Refused].map(receipt).to_vec(),
        reference: Some("m@x".into()),
    };
    let mut all: Vec<Record> = vec![Record::new(1, State::PendingModeration, By::Program, "w")];
    all.extend(State::ALL.map(full));
    json!({ "format": FORMAT, "records": all })
}

/// An outbox with one message of these texts.
fn outbox(results: &Utf8Path, item: &str, records: &str) -> Outbox {
    let id = serde_json::from_str::<Value>(item).unwrap()["id"].as_str().unwrap().to_owned();
    let folder = results.join("outbox").join(id);
    fs_err::create_dir_all(&folder).unwrap();
    fs_err::write(folder.join("item.json"), item).unwrap();
    fs_err::write(folder.join("records.json"), records).unwrap();
    Outbox::of(results)
}

#[test]
fn messages_keep_their_format() {
    let kinds = [
        Kind::Mail,
        Kind::PatchworkCheck,
        Kind::GithubStatus,
        Kind::GithubCheckRun,
        Kind::GithubComment,
        Kind::GithubIssue,
        Kind::Kcidb,
    ];
    let items = kinds.map(|kind| serde_json::to_value(item(kind)).unwrap());
    has_not_changed("outbox-item", FORMAT, &items);
    has_not_changed("outbox-records", FORMAT, &[records()]);
    for ((name, items), (_, records)) in all("outbox-item").into_iter().zip(all("outbox-records")) {
        for item in items.lines() {
            let guard = tempfile::tempdir().unwrap();
            let read = outbox(Utf8Path::from_path(guard.path()).unwrap(), item, &records).items().unwrap();
            assert_eq!((read.len(), read[0].records.len()), (1, 9), "{name}");
        }
    }
}

#[test]
fn messages_of_a_newer_program_are_left_alone() {
    let guard = tempfile::tempdir().unwrap();
    let results = Utf8Path::from_path(guard.path()).unwrap();
    let newer = of_the_future("outbox-item", FORMAT, "format");
    let error = outbox(results, newer.lines().next().unwrap(), &records().to_string()).items().unwrap_err().to_string();
    assert!(error.contains("a newer orchestrator wrote it"), "{error}");
}
