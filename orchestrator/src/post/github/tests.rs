//! Messages against a server that answers as GitHub does.

use pulldown_cmark::{Event, Parser, Tag};
use serde_json::{Value, json};
use wiremock::matchers::{body_partial_json, method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::text::{body, line, marker};
use super::*;
use crate::post::courier_tests::Desk;
use crate::post::message::Message;
use crate::post::outbox::{Kind, State};
use crate::post::places::{Github, Places, Token};
use crate::post::said::testing::said_of;
use crate::report::{Report, fixtures};

const SHA: &str = "0123456789abcdef0123456789abcdef01234567";

fn place(url: &str) -> Github {
    Github {
        repo: "o/r".into(),
        api_url: url.into(),
        context: "orchestrator".into(),
        status: true,
        check: true,
        comment: true,
        issue: true,
        issue_label: "orchestrator".into(),
        reserve: 10,
        token_env: Some("T".into()),
        token_file: None,
    }
}

fn target() -> Target {
    Target { pull: Some(5), commit: None, nightly: true }
}

fn message(url: &str, report: &Report, target: &Target, kind: Kind) -> Message {
    let said = said_of(report);
    let all = messages(&said.said(report), target, &place(url), &Places::default()).unwrap();
    all.into_iter().find(|message| message.draft.subject.kind == kind).unwrap()
}

fn at_commit() -> Target {
    Target { pull: None, commit: Some(SHA.into()), nightly: false }
}

async fn with_budget(server: &MockServer, remaining: u32, reset: i64) {
    let rate = json!({"rate": {"remaining": remaining, "reset": reset}});
    Mock::given(path("/rate_limit")).respond_with(ResponseTemplate::new(200).set_body_json(rate)).mount(server).await;
    let user = json!({"login": "ci", "type": "User"});
    Mock::given(path("/user")).respond_with(ResponseTemplate::new(200).set_body_json(user)).mount(server).await;
}

async fn answer(server: &MockServer, verb: &str, at: &str, status: u16, body: Value) {
    let answer = ResponseTemplate::new(status).set_body_json(body);
    Mock::given(method(verb)).and(path(at)).respond_with(answer).mount(server).await;
}

fn courier(server: &MockServer, desk: &Desk) -> GithubCourier {
    GithubCourier::new(&Token::new("secret").unwrap(), &server.uri(), 10, desk.clock()).unwrap()
}

#[test]
fn what_is_said_of_a_bad_series() {
    let report = fixtures::findings();
    let said = said_of(&report);
    let calls: Vec<String> =
        messages(&said.said(&report), &target(), &place("https://api.example.org"), &Places::default())
            .unwrap()
            .iter()
            .flat_map(|message| message.calls.iter().map(ToString::to_string))
            .collect();
    insta::assert_snapshot!(calls.join("\n\n"));
}

#[test]
fn a_hostile_series_calls_nobody_and_makes_no_markup() {
    let evil =
        "@torvalds #1 <img src=x> [l](http://e) ![i](http://e) ``` ` \u{1b}[31m\n<!-- x -->\n# h https://evil.example";
    let mut report = fixtures::findings();
    report.headline = evil.into();
    for finding in &mut report.findings {
        (finding.summary, finding.reproduce) = (evil.into(), evil.into());
        finding.evidence.iter_mut().for_each(|evidence| evidence.text = evil.into());
    }
    let text = body(&said_of(&report).said(&report), None);
    assert!(!text.contains('\u{1b}'));
    let mut in_block = false;
    for event in Parser::new(&text) {
        match event {
            Event::Start(Tag::CodeBlock(_)) => in_block = true,
            Event::End(pulldown_cmark::TagEnd::CodeBlock) => in_block = false,
            Event::Text(text) if !in_block => {
                assert!(!text.contains(['@', '#']) && !text.contains("http"), "{text}");
            }
            Event::Html(_) | Event::InlineHtml(_) | Event::Start(Tag::Link { .. } | Tag::Image { .. }) => {
                panic!("{event:?}")
            }
            _ => {}
        }
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(24))]
    #[test]
    fn texts_fit(count in 0usize..400, unit in "[a`@é\u{1f600}]{1,40}") {
        let mut report = fixtures::measured();
        let finding = report.findings[0].clone();
        report.findings = vec![finding; count];
        for finding in &mut report.findings {
            finding.summary = unit.repeat(60);
        }
        let whole = body(&said_of(&report).said(&report), None);
        proptest::prop_assert!(whole.len() + marker("comment", "0123456789abcdef").len() < 65_536);
        proptest::prop_assert!(whole.contains("Run `"));
        proptest::prop_assert!(line(&unit.repeat(60), 140).chars().count() <= 140);
    }
}

#[tokio::test]
async fn a_status_goes_to_the_head_that_was_tested_and_to_no_other() {
    let (server, desk, report) = (MockServer::start().await, Desk::new(), fixtures::clean());
    with_budget(&server, 5000, 0).await;
    answer(&server, "GET", "/repos/o/r/pulls/5", 200, json!({"head": {"sha": SHA}})).await;
    let commits: Vec<Value> = report
        .series
        .patches
        .iter()
        .map(|patch| json!({"commit": {"message": format!("{}\n\nbody", patch.subject)}}))
        .collect();
    answer(&server, "GET", "/repos/o/r/pulls/5/commits", 200, json!(commits)).await;
    answer(&server, "GET", &format!("/repos/o/r/commits/{SHA}/statuses"), 200, json!([])).await;
    Mock::given(method("POST"))
        .and(path(format!("/repos/o/r/statuses/{SHA}")))
        .and(body_partial_json(json!({"state": "success", "context": "orchestrator"})))
        .respond_with(ResponseTemplate::new(201).set_body_json(json!({"url": "https://s/1"})))
        .expect(1)
        .mount(&server)
        .await;
    let first = message(&server.uri(), &report, &target(), Kind::GithubStatus);
    assert_eq!(desk.say(&first, &courier(&server, &desk)).await.state(), State::Sent);
    let mut other = report.clone();
    other.series.patches[2].subject = "something else".into();
    other.trees[0].commit = Some("f".repeat(40));
    let kept = desk.say(&message(&server.uri(), &other, &target(), Kind::GithubStatus), &courier(&server, &desk)).await;
    assert_eq!(kept.state(), State::Refused);
    assert!(kept.last().why.contains("test it again"), "{}", kept.last().why);
}

#[tokio::test]
async fn a_token_without_budget_begins_nothing_and_says_when() {
    let (server, desk, report) = (MockServer::start().await, Desk::new(), fixtures::clean());
    with_budget(&server, 3, desk.now() + 1800).await;
    let status = message(&server.uri(), &report, &at_commit(), Kind::GithubStatus);
    let kept = desk.say(&status, &courier(&server, &desk)).await;
    assert_eq!(kept.state(), State::Ready);
    assert!(kept.last().why.contains("3 requests left"), "{}", kept.last().why);
    assert!(kept.last().next_try.unwrap() >= (desk.now() + 1800) * 1000);
    let asked = server.received_requests().await.unwrap();
    assert!(asked.iter().all(|request| request.url.path() == "/rate_limit"));
}

#[tokio::test]
async fn limits_in_the_middle_are_waited_out_and_permissions_explained() {
    let limit = |remaining: &str, retry: Option<&str>, words: &str| {
        let answer = ResponseTemplate::new(403)
            .insert_header("x-ratelimit-remaining", remaining)
            .insert_header("x-ratelimit-reset", "1775034000")
            .set_body_json(json!({ "message": words }));
        match retry {
            Some(retry) => answer.insert_header("retry-after", retry),
            None => answer,
        }
    };
    let cases = [
        (limit("0", None, "API rate limit exceeded"), State::Ready, "0 requests left", 3600),
        (limit("40", None, "You have exceeded a secondary rate limit"), State::Ready, "slow down", 60),
        (limit("40", Some("900"), "wait"), State::Ready, "slow down", 900),
        (ResponseTemplate::new(503), State::Ready, "503", 0),
        (limit("40", None, "Resource not accessible"), State::Refused, "Commit statuses: write", 0),
        (ResponseTemplate::new(404), State::Refused, "Commit statuses: write", 0),
    ];
    for (refusal, state, words, wait) in cases {
        let (server, desk, report) = (MockServer::start().await, Desk::new(), fixtures::clean());
        with_budget(&server, 5000, 0).await;
        answer(&server, "GET", &format!("/repos/o/r/commits/{SHA}/statuses"), 200, json!([])).await;
        Mock::given(method("POST")).respond_with(refusal).mount(&server).await;
        let status = message(&server.uri(), &report, &at_commit(), Kind::GithubStatus);
        let kept = desk.say(&status, &courier(&server, &desk)).await;
        assert_eq!(kept.state(), state, "{words}: {:?}", kept.last());
        assert!(kept.last().why.contains(words), "{}", kept.last().why);
        if state == State::Ready {
            assert!(kept.last().next_try.unwrap() >= (desk.now() + wait) * 1000, "{words}");
        }
    }
}

#[tokio::test]
async fn without_an_app_a_status_takes_the_place_of_a_check_run() {
    let (server, desk, report) = (MockServer::start().await, Desk::new(), fixtures::infra());
    with_budget(&server, 5000, 0).await;
    answer(&server, "GET", &format!("/repos/o/r/commits/{SHA}/check-runs"), 200, json!({"check_runs": []})).await;
    answer(&server, "POST", "/repos/o/r/check-runs", 403, json!({"message": "not accessible by this token"})).await;
    Mock::given(method("POST"))
        .and(path(format!("/repos/o/r/statuses/{SHA}")))
        .and(body_partial_json(json!({"state": "error"})))
        .respond_with(ResponseTemplate::new(201).set_body_json(json!({"url": "https://s/1"})))
        .expect(1)
        .mount(&server)
        .await;
    let check = message(&server.uri(), &report, &at_commit(), Kind::GithubCheckRun);
    let kept = desk.say(&check, &courier(&server, &desk)).await;
    assert_eq!(kept.state(), State::Sent, "{:?}", kept.last());
    assert!(kept.last().why.contains("took the place"), "{}", kept.last().why);
}

#[tokio::test]
async fn the_comment_is_found_on_page_two_and_updated_and_a_forged_one_is_not() {
    let (server, desk, report) = (MockServer::start().await, Desk::new(), fixtures::findings());
    with_budget(&server, 5000, 0).await;
    let said = said_of(&report);
    let mark = marker("comment", &said.said(&report).identity());
    let comment =
        |id: u64, login: &str, body: &str| json!({"id": id, "body": body, "user": {"login": login, "type": "User"}});
    let old = format!("{mark}\nold");
    let comments = "/repos/o/r/issues/5/comments";
    let link = format!("<{}{comments}?page=2>; rel=\"next\"", server.uri());
    let first = ResponseTemplate::new(200)
        .set_body_json(json!([comment(1, "mallory", &old), comment(2, "ci", "no marker")]))
        .insert_header("link", link.as_str());
    Mock::given(path(comments)).and(query_param("page", "1")).respond_with(first).mount(&server).await;
    let second = ResponseTemplate::new(200).set_body_json(json!([comment(3, "ci", &old)]));
    Mock::given(path(comments)).and(query_param("page", "2")).respond_with(second).mount(&server).await;
    Mock::given(method("PATCH"))
        .and(path("/repos/o/r/issues/comments/3"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({"html_url": "https://c/3"})))
        .expect(1)
        .mount(&server)
        .await;
    let note = message(&server.uri(), &report, &target(), Kind::GithubComment);
    desk.crash(&note);
    let kept = desk.say(&note, &courier(&server, &desk)).await;
    assert_eq!(kept.state(), State::Sent, "{:?}", kept.last());
    assert_eq!(kept.last().reference.as_deref(), Some("https://c/3"));
}

#[tokio::test]
async fn an_issue_is_opened_once_and_closed_when_it_is_fixed() {
    let (server, desk) = (MockServer::start().await, Desk::new());
    with_budget(&server, 5000, 0).await;
    let (bad, good) = (fixtures::findings(), fixtures::clean());
    let opened = message(&server.uri(), &bad, &target(), Kind::GithubIssue);
    let text = opened.calls[0].body.as_ref().unwrap()["body"].clone();
    let list = "/repos/o/r/issues";
    let issue = |state: &str| json!([{"number": 9, "state": state, "body": text, "user": {"login": "ci"}}]);
    let of = |list_of: Value| {
        Mock::given(method("GET")).and(path(list)).respond_with(ResponseTemplate::new(200).set_body_json(list_of))
    };
    of(json!([])).up_to_n_times(1).with_priority(1).mount(&server).await;
    of(issue("open")).up_to_n_times(1).with_priority(2).mount(&server).await;
    Mock::given(method("POST"))
        .and(path(list))
        .respond_with(ResponseTemplate::new(201).set_body_json(json!({"html_url": "https://i/9"})))
        .expect(1)
        .mount(&server)
        .await;
    Mock::given(method("PATCH"))
        .and(path("/repos/o/r/issues/9"))
        .and(body_partial_json(json!({"state": "closed"})))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({"html_url": "https://i/9"})))
        .expect(1)
        .mount(&server)
        .await;
    assert_eq!(desk.say(&opened, &courier(&server, &desk)).await.state(), State::Sent);
    assert_eq!(desk.say(&opened, &courier(&server, &desk)).await.state(), State::Sent);
    let closed = message(&server.uri(), &good, &target(), Kind::GithubIssue);
    assert_eq!(desk.say(&closed, &courier(&server, &desk)).await.state(), State::Sent);
    let unknown = fixtures::infra();
    let infra =
        messages(&said_of(&unknown).said(&unknown), &target(), &place("https://h"), &Places::default()).unwrap();
    assert!(infra.iter().all(|message| message.draft.subject.kind != Kind::GithubIssue));
}
