use std::collections::BTreeMap;

use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;
use crate::nightly::words::{RunOutcome, Subject};
use crate::post::testing::{posted, series};
use crate::report::fixtures;
use crate::run::testing::{options, plans};

/// A house that posts to the KCIDB server at `url` and sends no mail, with a run that tested a posted series.
fn house(url: &str) -> (tempfile::TempDir, OutboxPoster, VerdictChange) {
    let guard = tempfile::tempdir().unwrap();
    let root = Utf8PathBuf::from_path_buf(guard.path().to_owned()).unwrap();
    let files = BTreeMap::from([
        ("series/lists.yaml", "default: {when: never, audience: author, moderation: false}\n".to_owned()),
        ("series/places.yaml", format!("places:\n  kcidb: {{url: {url}, origin: lab, token_file: {root}/token}}\n")),
        ("own.yaml", "sender: {name: Robot, email: robot@example.org}\n".to_owned()),
        ("token", "secret\n".to_owned()),
        ("kconfigs/none", String::new()),
    ]);
    for (file, text) in files {
        fs_err::create_dir_all(root.join(file).parent().unwrap()).unwrap();
        fs_err::write(root.join(file), text).unwrap();
    }
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    fs_err::set_permissions(root.join("token"), mode).unwrap();
    let results = root.join("results");
    let mut plans = plans("thread.mbox");
    plans[0].series = Ok(series());
    let run = RunFolder::create(&results, "c", options(), plans).unwrap();
    run.write("report.json", posted(fixtures::clean()).to_json().as_bytes()).unwrap();
    let home = Home::find(Some(&root), &root, &root).unwrap();
    let poster = OutboxPoster { home, lists: Some(root.join("own.yaml")), results, cache: root.join("cache") };
    let subject = Subject { series: "v6".into(), version: Some(6), tree: "mm-unstable".into() };
    (guard, poster, VerdictChange { subject, before: None, now: RunOutcome::Clean, run: run.run })
}

async fn server(submissions: u64) -> MockServer {
    let server = MockServer::start().await;
    let said = |status: &str| serde_json::json!({"id": "abc", "status": status, "message": "m"});
    let submit = Mock::given(method("POST")).and(path("/submit"));
    submit.respond_with(ResponseTemplate::new(200).set_body_json(said("ok"))).expect(submissions).mount(&server).await;
    let asked = Mock::given(path("/status"));
    asked.respond_with(ResponseTemplate::new(200).set_body_json(said("ready"))).mount(&server).await;
    server
}

#[tokio::test]
async fn a_verdict_goes_to_the_places_too_and_once() {
    let server = server(1).await;
    let (_guard, poster, change) = house(&server.uri());
    let dry = poster.post(&change, PostPolicy::DryRun).await.unwrap();
    assert!(dry.ends_with("1 would be said at kcidb"), "{dry}");
    for _ in 0..2 {
        let told = poster.post(&change, PostPolicy::Send).await.unwrap();
        assert_eq!(told, "nobody is to get it by series/lists.yaml; kcidb: 1 sent");
    }
}

#[tokio::test]
async fn what_waits_for_a_person_does_not_leave() {
    let server = server(0).await;
    let (_guard, poster, change) = house(&server.uri());
    let told = poster.post(&change, PostPolicy::Queue).await.unwrap();
    assert!(told.ends_with("kcidb: 1 pending-moderation"), "{told}");
}
