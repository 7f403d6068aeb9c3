//! Checks against a server that answers as Patchwork does.

use serde_json::{Value, json};
use wiremock::matchers::{body_partial_json, header, method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;
use crate::post::courier_tests::Desk;
use crate::post::message::Message;
use crate::post::outbox::State;
use crate::post::places::{Patchwork, Places, Token};
use crate::post::said::testing::said_of;
use crate::report::{Report, fixtures};

fn place(url: &str) -> Patchwork {
    Patchwork {
        url: url.into(),
        project: "linux-mm".into(),
        context: "orchestrator".into(),
        user: Some("ci".into()),
        token_env: Some("T".into()),
        token_file: None,
    }
}

fn places() -> Places {
    Places { runs_url: Some("https://ci.example.org/".into()), ..Places::default() }
}

/// The report as it would be had the posted mails been tested.
fn posted(mut report: Report) -> Report {
    report.series.port = false;
    for patch in &mut report.series.patches {
        patch.message_id = Some(format!("{}/x+y@example.org", patch.number));
    }
    report
}

fn first_message(server: &MockServer, report: &Report) -> Message {
    messages(&said_of(report).said(report), &place(&server.uri()), &places()).unwrap().remove(0)
}

async fn with_patch(server: &MockServer) {
    let other = json!({"id": 3, "msgid": "<1/x+y@example.org>", "project": {"link_name": "other"}});
    let ours = json!({"id": 7, "msgid": "<1/x+y@example.org>", "project": {"link_name": "linux-mm"}});
    Mock::given(method("GET"))
        .and(path("/api/1.3/patches/"))
        .and(query_param("msgid", "1/x+y@example.org"))
        .and(header("authorization", "Token secret"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!([other, ours])))
        .mount(server)
        .await;
}

async fn with_checks(server: &MockServer, checks: Value) {
    Mock::given(method("GET"))
        .and(path("/api/1.3/patches/7/checks/"))
        .respond_with(ResponseTemplate::new(200).set_body_json(checks))
        .mount(server)
        .await;
}

fn courier(desk: &Desk) -> PatchworkCourier {
    PatchworkCourier::new(&Token::new("secret").unwrap(), desk.clock()).unwrap()
}

fn created(message: &Message) -> Value {
    let mut check = message.calls[0].body.clone().unwrap();
    check["id"] = json!(11);
    check["url"] = json!("https://p/checks/11/");
    check["user"] = json!({"username": "ci"});
    check
}

#[test]
fn checks_of_all_sorts_of_run() {
    let mut all = Vec::new();
    for (name, report) in fixtures::all() {
        let report = posted(report);
        let checks = checks(&said_of(&report).said(&report), &place("https://pw.example.org"), &places());
        all.push((name, checks.map_err(|why| why.to_string())));
    }
    for checks in all.iter().filter_map(|(_, checks)| checks.as_ref().ok()) {
        for PatchCheck { check, .. } in checks {
            assert!(check.context.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)));
            assert!(check.context.len() <= 255 && check.description.chars().count() <= 250);
            assert!(check.target_url.as_ref().is_none_or(|url| url.len() <= 200));
        }
    }
    let brief: Vec<_> = all
        .into_iter()
        .map(|(name, checks)| {
            let line = |c: PatchCheck| format!("{} {} {}", c.check.context, c.check.state.word(), c.check.description);
            (name, checks.map(|checks| checks.into_iter().map(line).collect::<Vec<_>>()))
        })
        .collect();
    insta::assert_json_snapshot!(brief);
}

#[test]
fn a_port_has_no_checks() {
    let report = fixtures::clean();
    let why = checks(&said_of(&report).said(&report), &place("https://h"), &places()).unwrap_err().to_string();
    assert!(why.contains("port"), "{why}");
}

#[tokio::test]
async fn a_check_is_sent_once() {
    let (server, desk, report) = (MockServer::start().await, Desk::new(), posted(fixtures::clean()));
    let message = first_message(&server, &report);
    with_patch(&server).await;
    with_checks(&server, json!([])).await;
    Mock::given(method("POST"))
        .and(path("/api/1.3/patches/7/checks/"))
        .and(body_partial_json(json!({"state": "success", "context": "orchestrator-linux-6_12"})))
        .respond_with(ResponseTemplate::new(201).set_body_json(created(&message)))
        .expect(1)
        .mount(&server)
        .await;
    let kept = desk.say(&message, &courier(&desk)).await;
    assert_eq!(kept.state(), State::Sent, "{:?}", kept.last());
    assert_eq!(kept.last().reference.as_deref(), Some("https://p/checks/11/"));
    let mut later = report.clone();
    later.run.id = "20260402-000000-v6".into();
    desk.say(&first_message(&server, &later), &courier(&desk)).await;
}

#[tokio::test]
async fn after_a_crash_what_is_there_already_is_not_sent_again() {
    let (server, desk, report) = (MockServer::start().await, Desk::new(), posted(fixtures::clean()));
    let message = first_message(&server, &report);
    with_patch(&server).await;
    // On the second page, behind a check of somebody else that is newer.
    let mut other = created(&message);
    other["user"] = json!({"username": "other"});
    other["state"] = json!("fail");
    other["id"] = json!(99);
    Mock::given(path("/api/1.3/patches/7/checks/"))
        .and(query_param("page", "2"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!([created(&message)])))
        .with_priority(1)
        .mount(&server)
        .await;
    let link = format!("<{}/api/1.3/patches/7/checks/?page=2>; rel=\"next\"", server.uri());
    Mock::given(method("GET"))
        .and(path("/api/1.3/patches/7/checks/"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!([other])).insert_header("link", link.as_str()))
        .mount(&server)
        .await;
    desk.crash(&message);
    let kept = desk.say(&message, &courier(&desk)).await;
    assert_eq!(kept.state(), State::Sent, "{:?}", kept.last());
    assert!(kept.last().why.contains("says it already"), "{}", kept.last().why);
}

#[tokio::test]
async fn limits_and_bad_moments_are_waited_out() {
    let (server, desk, report) = (MockServer::start().await, Desk::new(), posted(fixtures::clean()));
    let message = first_message(&server, &report);
    with_patch(&server).await;
    with_checks(&server, json!([])).await;
    let post = || Mock::given(method("POST")).and(path("/api/1.3/patches/7/checks/"));
    let slow = ResponseTemplate::new(429).insert_header("retry-after", "7200");
    post().respond_with(slow).up_to_n_times(1).with_priority(1).mount(&server).await;
    post().respond_with(ResponseTemplate::new(502)).up_to_n_times(1).with_priority(2).mount(&server).await;
    post()
        .respond_with(ResponseTemplate::new(201).set_body_json(created(&message)))
        .with_priority(3)
        .expect(1)
        .mount(&server)
        .await;
    let kept = desk.say(&message, &courier(&desk)).await;
    assert_eq!(kept.state(), State::Ready);
    assert!(kept.last().next_try.unwrap() >= (desk.now() + 7200) * 1000, "the server's word counts");
    assert_eq!(desk.say(&message, &courier(&desk)).await.records.len(), kept.records.len(), "not before its time");
    desk.wait(7201);
    assert_eq!(desk.say(&message, &courier(&desk)).await.state(), State::Ready);
    desk.wait(86_400);
    assert_eq!(desk.say(&message, &courier(&desk)).await.state(), State::Sent);
}

#[tokio::test]
async fn a_missing_permission_is_explained_and_a_missing_patch_waited_for() {
    let (server, desk, report) = (MockServer::start().await, Desk::new(), posted(fixtures::clean()));
    let message = first_message(&server, &report);
    with_patch(&server).await;
    with_checks(&server, json!([])).await;
    Mock::given(method("POST"))
        .respond_with(ResponseTemplate::new(403).set_body_json(json!({"detail": "no"})))
        .mount(&server)
        .await;
    let kept = desk.say(&message, &courier(&desk)).await;
    assert_eq!(kept.state(), State::Refused);
    assert!(kept.last().why.contains("add check"), "{}", kept.last().why);
    let empty = MockServer::start().await;
    // A server that does not know the filter lists other patches.
    let patches = json!([{"id": 1, "msgid": "<else@example.org>", "project": {"link_name": "linux-mm"}}]);
    Mock::given(method("GET")).respond_with(ResponseTemplate::new(200).set_body_json(patches)).mount(&empty).await;
    let kept = desk.say(&first_message(&empty, &report), &courier(&desk)).await;
    assert_eq!(kept.state(), State::Ready);
    assert!(kept.last().why.contains("has no patch with Message-ID"), "{}", kept.last().why);
}
