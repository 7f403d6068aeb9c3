//! Boots against recorded answers of a server.

use std::sync::Arc;
use std::time::Duration;

use camino::Utf8Path;
use orchestrator_protocol::console::pieces;
use orchestrator_protocol::{Message, Status};
use serde_json::json;
use wiremock::matchers::{header, method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::boot::boot_with;
use super::job::Pace;
use super::remember::{Memory, Open};
use crate::lab::testing::{frames, hello, request};
use crate::lab::{BootRequest, RawBoot};
use crate::words::{BootEnd, Hardware, Lava, SecretPlace};

const PACE: Pace = Pace {
    poll: Duration::from_millis(5),
    patience: Duration::from_millis(200),
    lag: Duration::from_secs(60),
    finish: Duration::from_secs(60),
};

struct Lab {
    _folder: tempfile::TempDir,
    server: MockServer,
    request: BootRequest,
}

impl Lab {
    async fn new() -> Lab {
        let folder = tempfile::tempdir().unwrap();
        let dir = Utf8Path::from_path(folder.path()).unwrap();
        let server = MockServer::start().await;
        let token = dir.join("token");
        std::fs::write(&token, "secret\n").unwrap();
        let mut request = request(dir);
        request.machine.hardware = Hardware::Lava(Lava {
            url: server.uri(),
            device_type: "qemu".into(),
            token: SecretPlace { env: None, file: Some(token.to_string()) },
            publish_dir: dir.join("www").to_string(),
            publish_url: "http://here".into(),
            template: None,
        });
        Lab { _folder: folder, server, request }
    }

    async fn boot(&self) -> RawBoot {
        let Hardware::Lava(lava) = &self.request.machine.hardware else { panic!("no device of LAVA's") };
        boot_with(&self.request, lava, &PACE).await
    }

    async fn reason(&self) -> String {
        match self.boot().await.end {
            BootEnd::Infra { reason } => reason,
            other => panic!("{other:?}"),
        }
    }

    /// The next `times` answers to a call.
    async fn answers(&self, verb: &str, at: &str, times: u64, answer: ResponseTemplate) {
        let token = header("authorization", "Token secret");
        let mock = Mock::given(method(verb)).and(path(format!("/api/v0.2{at}"))).and(token).respond_with(answer);
        mock.up_to_n_times(times).mount(&self.server).await;
    }

    async fn submitted(&self) -> usize {
        let requests = self.server.received_requests().await.unwrap();
        requests.iter().filter(|request| request.method.as_str() == "POST").count()
    }

    /// A job that is accepted, and its whole log.
    async fn job(&self, health: &str, log: &str) {
        self.answers("POST", "/jobs/", 1, accepted()).await;
        self.finished(health, log).await;
    }

    async fn finished(&self, health: &str, log: &str) {
        self.answers("GET", "/jobs/7/", u64::MAX, state("Finished", health)).await;
        let all = ResponseTemplate::new(200).set_body_string(log);
        let mock = Mock::given(method("GET")).and(path("/api/v0.2/jobs/7/logs/")).and(query_param("start", "0"));
        mock.respond_with(all).mount(&self.server).await;
        let none = ResponseTemplate::new(404).set_body_json(json!({"detail": "Not found."}));
        self.answers("GET", "/jobs/7/logs/", u64::MAX, none).await;
    }
}

fn accepted() -> ResponseTemplate {
    ResponseTemplate::new(201).set_body_json(json!({"message": "job(s) successfully submitted", "job_ids": [7]}))
}

fn state(state: &str, health: &str) -> ResponseTemplate {
    let job = json!({
        "id": 7, "submitter": "lab", "description": "x", "health_check": false, "requested_device_type": "qemu",
        "tags": [], "actual_device": null, "state": state, "health": health, "priority": 50, "failure_comment": null,
    });
    ResponseTemplate::new(200).set_body_json(job)
}

fn entry(level: &str, message: &serde_json::Value) -> String {
    format!("- {}\n", json!({"dt": "2026-04-01T10:00:01.000001", "lvl": level, "msg": message}))
}

fn target(line: &str) -> String {
    entry("target", &json!(line.replace('"', "\\\"")))
}

/// A log in which these messages stand among lines of the kernel.
fn log(messages: &[Message]) -> String {
    let mut log = entry("info", &json!("start: 1 deployimages (timeout 00:15:00) [common]"));
    log.push_str(&target("[    0.000000] Linux version 6.12.0"));
    for (number, frame) in frames(messages).lines().enumerate() {
        for piece in pieces(number as u64, frame.as_bytes()) {
            log.push_str(&target(&format!("[    1.500000][   T71] {piece}")));
        }
        log.push_str(&target("[    1.600000] hmm: a line of the kernel"));
    }
    log
}

fn verdict(kind: &str, message: &str) -> String {
    entry(
        "results",
        &json!({"case": "job", "definition": "lava", "result": "fail", "error_type": kind, "error_msg": message}),
    )
}

fn conversation() -> Vec<Message> {
    let end = Message::End {
        suite: "hmm".into(),
        test: "a".into(),
        round: 1,
        status: Status::Code(0),
        dropped: 0,
        tainted: 0,
    };
    vec![hello(), Message::Begin { suite: "hmm".into(), test: "a".into(), round: 1 }, end, Message::Done]
}

#[tokio::test]
async fn a_log_gives_frames_and_console_apart() {
    let lab = Lab::new().await;
    // A queue first, and a server that is restarting.
    lab.answers("POST", "/jobs/", 1, accepted()).await;
    lab.answers("GET", "/jobs/7/", 3, state("Submitted", "Unknown")).await;
    lab.answers("GET", "/jobs/7/", 2, ResponseTemplate::new(502).set_body_string("<html>Bad Gateway</html>")).await;
    lab.finished("Complete", &log(&conversation())).await;
    let boot = lab.boot().await;
    assert_eq!((boot.end, boot.frames.len(), boot.problems.len()), (BootEnd::Completed, 4, 0));
    let console = std::fs::read_to_string(boot.console).unwrap();
    assert!(
        console.starts_with("[    0.000000] Linux version") && !console.contains("@orchestrator-frame"),
        "{console}"
    );
    assert_eq!(console.matches("hmm: a line of the kernel").count(), 4);
    assert!(std::fs::read_to_string(boot.dir.join("results.jsonl")).unwrap().contains("\"say\":\"done\""));
    assert!(boot.dir.join("boot.json").exists() && boot.replay.contains("/scheduler/job/7"));
    assert_eq!(std::fs::read_dir(boot.dir.parent().unwrap().join("www")).unwrap().count(), 0);
}

#[tokio::test]
async fn trouble_of_the_lab_is_infra_and_says_what_to_do() {
    let refused = Lab::new().await;
    refused
        .answers("POST", "/jobs/", 9, ResponseTemplate::new(401).set_body_json(json!({"detail": "Invalid token."})))
        .await;
    let reason = refused.reason().await;
    assert!(reason.contains("401 Unauthorized: the token is not taken") && !reason.contains("secret"), "{reason}");
    assert_eq!(refused.submitted().await, 1);

    let no_lava = Lab::new().await;
    assert!(no_lava.reason().await.contains("404 Not Found"));

    let bad = Lab::new().await;
    let answer = json!({"message": "Problem with submitted job data: expected str for dictionary value"});
    bad.answers("POST", "/jobs/", 9, ResponseTemplate::new(400).set_body_json(answer)).await;
    assert!(bad.reason().await.contains("Problem with submitted job data"));

    let down = Lab::new().await;
    down.answers("POST", "/jobs/", u64::MAX, ResponseTemplate::new(503)).await;
    assert!(down.reason().await.contains("LAVA does not answer"));

    let failed = Lab::new().await;
    failed
        .job("Incomplete", &format!("{}{}", log(&[]), verdict("Infrastructure", "Unable to get 'http://here'")))
        .await;
    assert!(failed.reason().await.contains("Infrastructure): Unable to get"));

    let canceled = Lab::new().await;
    canceled.job("Canceled", &format!("{}{}", log(&[hello()]), verdict("Canceled", "by bob"))).await;
    assert_eq!(canceled.reason().await, "LAVA job 7 was canceled: by bob");
}

#[tokio::test]
async fn a_log_that_lacks_frames_is_never_a_result() {
    let whole = log(&conversation());
    let lines: Vec<&str> = whole.split_inclusive('\n').collect();
    // Cut off in mid-line; a frame lost in the middle; a frame damaged.
    let cut = whole[..whole.len() - 200].to_owned();
    let lost: String = lines.iter().enumerate().filter(|(at, _)| *at != 4).map(|(_, line)| *line).collect();
    let damaged: String = lines
        .iter()
        .enumerate()
        .map(|(at, line)| if at == 4 { line.replace("1/1", "1/2") } else { (*line).to_owned() })
        .collect();
    for (log, word) in [(cut, "LAVA job 7"), (lost, "frame 1 is missing"), (damaged, "1 pieces of frames came damaged")]
    {
        let lab = Lab::new().await;
        lab.job("Complete", &log).await;
        let reason = lab.reason().await;
        assert!(reason.contains(word), "{word}: {reason}");
    }
}

#[tokio::test]
async fn what_the_kernel_did_is_told_from_the_log() {
    let panic = target("[    2.000000] Kernel panic - not syncing: sysrq triggered crash");
    let cases = [
        (panic, BootEnd::Panicked),
        (target("[    0.000000] Linux version 6.12.0"), BootEnd::Reset),
        (String::new(), BootEnd::Hung { deadline: "suite".into() }),
    ];
    for (line, end) in cases {
        let lab = Lab::new().await;
        let log = format!("{}{line}{}", log(&[hello()]), verdict("Job", "login-action timed out after 60 seconds"));
        lab.job("Incomplete", &log).await;
        assert_eq!(lab.boot().await.end, end);
    }
}

#[tokio::test]
async fn an_interrupted_boot_cancels_its_job() {
    let mut lab = Lab::new().await;
    lab.answers("POST", "/jobs/", 1, accepted()).await;
    lab.answers("GET", "/jobs/7/", u64::MAX, state("Submitted", "Unknown")).await;
    let cancelled = ResponseTemplate::new(200).set_body_json(json!({"message": "Job cancel signal sent."}));
    lab.answers("GET", "/jobs/7/cancel/", 1, cancelled).await;
    let cancel = lab.request.cancel.clone();
    // The first word about the job comes when it was submitted.
    lab.request.events = Arc::new(move |_| cancel.cancel());
    assert_eq!(lab.reason().await, "interrupted");
    let requests = lab.server.received_requests().await.unwrap();
    assert!(requests.iter().any(|request| request.url.path().ends_with("/jobs/7/cancel/")));
}

#[tokio::test]
async fn a_run_that_was_killed_finds_its_job_and_submits_no_other() {
    let lab = Lab::new().await;
    // Known is that it may have been submitted; the number was not written any more.
    let Hardware::Lava(lava) = &lab.request.machine.hardware else { panic!("no device of LAVA's") };
    let name = super::boot::job_name(&lab.request, lava).unwrap();
    Memory::of(&lab.request.cache, &name).write(&Open { url: lava.url.clone(), id: None }).unwrap();
    let found = json!({"count": 1, "results": [{"id": 7, "state": "Running", "health": "Unknown"}]});
    Mock::given(method("GET"))
        .and(path("/api/v0.2/jobs/"))
        .and(query_param("description", format!("{name} boot t")))
        .respond_with(ResponseTemplate::new(200).set_body_json(found))
        .mount(&lab.server)
        .await;
    lab.finished("Complete", &log(&conversation())).await;
    assert_eq!(lab.boot().await.end, BootEnd::Completed);
    assert_eq!(lab.submitted().await, 0);
    assert_eq!(Memory::of(&lab.request.cache, &name).read(&lava.url), None, "it is done");
    // Of an earlier one that was canceled nothing is left to wait for: another is submitted.
    let other = Lab::new().await;
    let Hardware::Lava(lava) = &other.request.machine.hardware else { panic!("no device of LAVA's") };
    let name = super::boot::job_name(&other.request, lava).unwrap();
    Memory::of(&other.request.cache, &name).write(&Open { url: lava.url.clone(), id: None }).unwrap();
    let canceled = json!({"count": 1, "results": [{"id": 6, "state": "Finished", "health": "Canceled"}]});
    other.answers("GET", "/jobs/", 1, ResponseTemplate::new(200).set_body_json(canceled)).await;
    other.job("Complete", &log(&conversation())).await;
    assert_eq!((other.boot().await.end, other.submitted().await), (BootEnd::Completed, 1));
}
