//! What is said on GitHub.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::text::{body, line, marker};
use crate::post::http::Call;
use crate::post::message::{Message, Unsaid};
use crate::post::outbox::{Draft, Kind, Subject};
use crate::post::places::{Github, Places};
use crate::post::said::Said;
use crate::post::weigh::fingerprint;
use crate::report::model::RunVerdict;

/// Longest description of a commit status.
const DESCRIPTION_LIMIT: usize = 140;

/// What was tested, as GitHub knows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Target {
    /// A pull request.
    pub pull: Option<u64>,
    /// A commit, 40 hex digits.
    pub commit: Option<String>,
    /// It is a nightly run, whose problems may have an issue.
    pub nightly: bool,
}

/// The commit that a status belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum At {
    /// This one.
    Commit(String),
    /// The head of a pull request, as long as its commits are the patches that were tested.
    Pull {
        /// Its number.
        number: u64,
        /// Subjects of the patches, in order.
        subjects: Vec<String>,
    },
}

impl At {
    fn name(&self) -> String {
        match self {
            At::Commit(commit) => commit.clone(),
            At::Pull { number, .. } => format!("{{head of pull request {number}}}"),
        }
    }
}

/// What the outbox keeps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Payload {
    /// A commit status.
    Status {
        /// `owner/name`.
        repo: String,
        /// Which commit.
        at: At,
        /// What is sent.
        status: Value,
    },
    /// A check run.
    CheckRun {
        /// `owner/name`.
        repo: String,
        /// Which commit.
        at: At,
        /// What is sent, but for the commit.
        run: Value,
        /// The commit status in its place where the token may not make check runs.
        status: Value,
    },
    /// The comment on a pull request.
    Comment {
        /// `owner/name`.
        repo: String,
        /// The pull request.
        pull: u64,
        /// First line.
        marker: String,
        /// Whole text, the marker included.
        body: String,
    },
    /// The issue of a nightly regression.
    Issue {
        /// `owner/name`.
        repo: String,
        /// First line.
        marker: String,
        /// Label.
        label: String,
        /// Title.
        title: String,
        /// Whole text, the marker included.
        body: String,
        /// True when there is something wrong.
        open: bool,
    },
}

impl Payload {
    /// What a delivery sends, as far as that is known before the place was read.
    pub fn calls(&self, api: &str) -> Vec<Call> {
        let api = api.trim_end_matches('/');
        match self {
            Payload::Status { repo, at, status } => {
                vec![Call::post(format!("{api}/repos/{repo}/statuses/{}", at.name()), status.clone())]
            }
            Payload::CheckRun { repo, at, run, .. } => {
                let mut run = run.clone();
                run["head_sha"] = json!(at.name());
                vec![Call::post(format!("{api}/repos/{repo}/check-runs"), run)]
            }
            Payload::Comment { repo, pull, body, .. } => {
                vec![Call::post(format!("{api}/repos/{repo}/issues/{pull}/comments"), json!({ "body": body }))]
            }
            Payload::Issue { repo, label, title, body, open: true, .. } => {
                let issue = json!({"title": title, "body": body, "labels": [label]});
                vec![Call::post(format!("{api}/repos/{repo}/issues"), issue)]
            }
            Payload::Issue { repo, open: false, .. } => {
                let url = format!("{api}/repos/{repo}/issues/{{its issue, where one is open}}");
                vec![Call::patch(url, json!({"state": "closed"}))]
            }
        }
    }
}

/// Everything that GitHub is told of a run.
///
/// # Errors
/// When there is nothing to say, with the reason.
pub fn messages(said: &Said<'_>, target: &Target, place: &Github, places: &Places) -> Result<Vec<Message>, Unsaid> {
    let report = said.report;
    if report.verdict == RunVerdict::Interrupted {
        let id = &report.run.id;
        return Err(Unsaid(format!("the run was stopped before its end; `orchestrator resume {id}` goes on with it")));
    }
    let url = places.run_url(&report.run.id, "report.html");
    let at = match (&target.commit, target.pull) {
        (Some(commit), _) => Some(At::Commit(commit.clone())),
        (None, Some(number)) => {
            let subjects = report.series.patches.iter().map(|patch| patch.subject.clone()).collect();
            Some(At::Pull { number, subjects })
        }
        (None, None) => None,
    };
    let repo = place.repo.clone();
    let print = fingerprint(said);
    let mut payloads = Vec::new();
    if let Some(at) = at {
        let bases: Vec<&str> = report.trees.iter().filter_map(|tree| tree.commit.as_deref()).collect();
        let print = format!("{print}-{}", &blake3::hash(bases.join(" ").as_bytes()).to_hex()[..16]);
        let topic = |what: &str| match &at {
            At::Commit(commit) => format!("{repo}/{commit}/{what}/{}", place.context),
            At::Pull { number, .. } => format!("{repo}/pull/{number}/{what}/{}", place.context),
        };
        let (state, conclusion) = match report.verdict {
            RunVerdict::Clean => ("success", "success"),
            RunVerdict::Findings => ("failure", "failure"),
            // Not neutral: GitHub takes that for good where a check is required.
            RunVerdict::Infra | RunVerdict::Interrupted => ("error", "action_required"),
        };
        let mut status = json!({
            "state": state, "context": place.context, "description": line(&report.headline, DESCRIPTION_LIMIT),
        });
        let mut run = json!({
            "name": place.context, "status": "completed", "conclusion": conclusion, "external_id": report.run.id,
            "output": {"title": line(&report.headline, DESCRIPTION_LIMIT), "summary": body(said, url.as_deref())},
        });
        if let Some(url) = &url {
            status["target_url"] = json!(url);
            run["details_url"] = json!(url);
        }
        if place.status {
            let payload = Payload::Status { repo: repo.clone(), at: at.clone(), status: status.clone() };
            payloads.push((Kind::GithubStatus, topic("status"), print.clone(), state.to_owned(), payload));
        }
        if place.check {
            let payload = Payload::CheckRun { repo: repo.clone(), at: at.clone(), run, status };
            payloads.push((Kind::GithubCheckRun, topic("check"), print, conclusion.to_owned(), payload));
        }
    }
    if let (true, Some(pull)) = (place.comment, target.pull) {
        let marker = marker("comment", &said.identity());
        let body = format!("{marker}\n{}", body(said, url.as_deref()));
        let payload = Payload::Comment { repo: repo.clone(), pull, marker, body };
        let topic = format!("{repo}/pull/{pull}/comment/{}", said.identity());
        payloads.push((Kind::GithubComment, topic, print.clone(), "comment".to_owned(), payload));
    }
    let decided = match report.verdict {
        RunVerdict::Findings => Some(true),
        RunVerdict::Clean => Some(false),
        // Says nothing about the series: an issue stays as it is.
        RunVerdict::Infra | RunVerdict::Interrupted => None,
    };
    if let (true, true, Some(open)) = (place.issue, target.nightly, decided) {
        let marker = marker("nightly", &said.identity());
        let payload = Payload::Issue {
            repo: repo.clone(),
            label: place.issue_label.clone(),
            title: line(&format!("nightly: {} has findings", report.series.title), 200),
            body: format!("{marker}\n{}", body(said, url.as_deref())),
            marker,
            open,
        };
        let topic = format!("{repo}/nightly/{}", said.identity());
        let word = if open { "open" } else { "closed" };
        payloads.push((Kind::GithubIssue, topic, print, format!("issue {word}"), payload));
    }
    if payloads.is_empty() {
        return Err(Unsaid(
            "nothing was asked for: name what was tested with --pull or --commit, or --nightly, and see which of \
             status, check, comment, issue are true in series/places.yaml"
                .to_owned(),
        ));
    }
    let message = |(kind, topic, fingerprint, what, payload): (Kind, String, String, String, Payload)| Message {
        calls: payload.calls(&place.api_url),
        draft: Draft {
            subject: Subject { kind, topic: topic.clone(), fingerprint },
            run: report.run.id.clone(),
            title: format!("{what}: {}", line(&report.headline, DESCRIPTION_LIMIT)),
            destination: format!("{topic} on {}", place.api_url),
            payload: json!(payload),
        },
    };
    Ok(payloads.into_iter().map(message).collect())
}
