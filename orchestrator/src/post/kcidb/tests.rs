//! Submissions: their structure, statuses and delivery.

use std::collections::BTreeSet;

use serde_json::Value;
use wiremock::matchers::{header, method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;
use crate::post::outbox::{By, Decision, Outbox, State, send, system_clock};
use crate::post::places::{Kcidb, Places, Token};
use crate::post::said::testing::said_of;
use crate::report::fixtures;

fn place(url: &str) -> Kcidb {
    let token_env = Some("T".to_owned());
    Kcidb { url: url.into(), origin: "example_lab".into(), token_env, token_file: None }
}

fn places() -> Places {
    Places { runs_url: Some("https://ci.example.org/results/".into()), ..Places::default() }
}

#[test]
fn every_report_keeps_the_rules_of_the_format() {
    for (name, report) in fixtures::all() {
        let said = said_of(&report);
        let Ok(submission) = convert(&said.said(&report), &place("https://h"), &places()) else {
            assert_eq!(name, "interrupted");
            continue;
        };
        let value = serde_json::to_value(&submission).unwrap();
        assert!(!has_null(&value), "{name}");
        let ids = |list: &str| -> BTreeSet<String> {
            let list = value[list].as_array().unwrap();
            let ids: BTreeSet<String> = list.iter().map(|o| o["id"].as_str().unwrap().to_owned()).collect();
            assert_eq!(ids.len(), list.len(), "{name}: an id twice");
            assert!(ids.iter().all(|id| id.starts_with("example_lab:")), "{name}");
            ids
        };
        let (checkouts, builds, tests, issues) = (ids("checkouts"), ids("builds"), ids("tests"), ids("issues"));
        ids("incidents");
        assert!(submission.builds.iter().all(|build| checkouts.contains(&build.checkout_id)), "{name}");
        for test in &submission.tests {
            assert!(builds.contains(&test.build_id), "{name}");
            let plain = |b: u8| b.is_ascii_alphanumeric() || b"_-.".contains(&b);
            assert!(test.path.bytes().all(plain) && !test.path.contains(".."), "{name} {}", test.path);
        }
        for incident in &submission.incidents {
            assert!(issues.contains(&incident.issue_id));
            let shown = [(&incident.build_id, &builds), (&incident.test_id, &tests)];
            let shown = shown.iter().filter(|(id, known)| id.as_ref().is_some_and(|id| known.contains(id)));
            assert_eq!(shown.count(), 1, "{name}");
        }
        let again = convert(&said.said(&report), &place("https://h"), &places()).unwrap();
        assert_eq!(submission, again, "the same run gives the same ids");
    }
}

fn has_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(values) => values.iter().any(has_null),
        Value::Object(map) => map.values().any(has_null),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

#[test]
fn trouble_of_ours_is_never_a_pass() {
    let report = fixtures::infra();
    let submission = convert(&said_of(&report).said(&report), &place("https://h"), &places()).unwrap();
    let missed = submission.builds.iter().filter(|build| build.status == Status::Miss).count();
    assert_eq!(missed, 11);
    let report = fixtures::findings();
    let submission = convert(&said_of(&report).said(&report), &place("https://h"), &places()).unwrap();
    let of =
        |what: &str| submission.tests.iter().filter(|t| t.path.ends_with(what)).map(|t| t.status).collect::<Vec<_>>();
    assert!(of("private.migrate_multiple").contains(&Status::Miss));
    assert!(of("private.compound").contains(&Status::Fail));
    assert!(of("coherent.anon_read").contains(&Status::Skip));
}

#[test]
fn numbers_carry_their_unit() {
    let report = fixtures::measured();
    let submission = convert(&said_of(&report).said(&report), &place("https://h"), &places()).unwrap();
    let numbers: Vec<&Test> = submission.tests.iter().filter(|test| test.number.is_some()).collect();
    assert!(numbers.len() > 100 && numbers.iter().all(|test| test.status == Status::Done));
    let wall = numbers.iter().find(|test| test.number.as_ref().is_some_and(|n| n.unit == "s/page")).unwrap();
    assert!(wall.number.as_ref().unwrap().value < 1e-6);
}

#[test]
fn a_submission_as_it_is_sent() {
    let mut report = fixtures::findings();
    report.builds.retain(|cell| cell.kconfig == "no-hmm-mirror" || cell.kconfig == "hmm");
    report.tests.truncate(1);
    report.tests[0].rows.retain(|row| row.change != crate::words::Change::StillPassing);
    report.boots.truncate(4);
    report.trees[0].source = Some("git https://git.kernel.org/stable/linux.git branch linux-6.12.y".into());
    insta::assert_json_snapshot!(convert(&said_of(&report).said(&report), &place("https://h"), &places()).unwrap());
}

/// Puts the message into an outbox and sends it once; the outbox and the state it is in then.
async fn deliver(server: &MockServer, outbox: &Outbox) -> (State, String) {
    let report = fixtures::clean();
    let message = messages(&said_of(&report).said(&report), &place(&server.uri()), &places()).unwrap().remove(0);
    let locked = outbox.lock(system_clock()).unwrap();
    let id = match locked.decide(&message.draft.subject).unwrap() {
        Decision::Say { id, .. } => {
            locked.put(id.clone(), message.draft, State::Ready, By::Person, "test").unwrap();
            id
        }
        Decision::Said { id, .. } => id,
    };
    let courier = KcidbCourier::new(&Token::new("secret").unwrap(), system_clock()).unwrap();
    let kept = send(&locked, &id, &courier).await.unwrap();
    (kept.state(), kept.last().why.clone())
}

#[tokio::test]
async fn it_is_submitted_once_and_its_state_is_asked_for() {
    let server = MockServer::start().await;
    let said = |status: &str| serde_json::json!({"id": "abc", "status": status, "message": "m"});
    Mock::given(method("POST"))
        .and(path("/submit"))
        .and(header("authorization", "Bearer secret"))
        .respond_with(ResponseTemplate::new(200).set_body_json(said("ok")))
        .expect(1)
        .mount(&server)
        .await;
    Mock::given(path("/status"))
        .and(query_param("id", "abc"))
        .respond_with(ResponseTemplate::new(200).set_body_json(said("ready")))
        .mount(&server)
        .await;
    let folder = tempfile::tempdir().unwrap();
    let outbox = Outbox::of(camino::Utf8Path::from_path(folder.path()).unwrap());
    let (state, why) = deliver(&server, &outbox).await;
    assert_eq!(state, State::Sent);
    assert!(why.contains("abc") && why.contains("ready"), "{why}");
    assert_eq!(deliver(&server, &outbox).await.0, State::Sent);
}

#[tokio::test]
async fn a_refusal_is_explained_and_a_bad_moment_is_not_one() {
    for (status, expected, words) in
        [(401, State::Refused, "token"), (403, State::Refused, "may not submit"), (503, State::Ready, "503")]
    {
        let server = MockServer::start().await;
        Mock::given(path("/submit")).respond_with(ResponseTemplate::new(status)).mount(&server).await;
        let folder = tempfile::tempdir().unwrap();
        let outbox = Outbox::of(camino::Utf8Path::from_path(folder.path()).unwrap());
        let (state, why) = deliver(&server, &outbox).await;
        assert_eq!(state, expected, "{why}");
        assert!(why.contains(words), "{why}");
    }
}
