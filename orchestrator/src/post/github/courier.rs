//! Delivering to GitHub: reads what is there, sends what differs.

use serde::Deserialize;
use serde_json::{Value, json};

use super::api::Api;
use super::payload::{At, Payload};
use crate::post::http::{Trouble, Verb};
use crate::post::outbox::{Arrival, Clock, Courier, Gate, Item, OutboxError, Outcome, Passed, Record};
use crate::post::places::Token;

/// Permissions by name, as the settings of a token call them.
const READ_PULLS: &str = "Pull requests: read";
const WRITE_PULLS: &str = "Pull requests: write";
const WRITE_STATUSES: &str = "Commit statuses: write";
const WRITE_CHECKS: &str = "Checks: write (GitHub App)";
const WRITE_ISSUES: &str = "Issues: write";

/// Delivers to GitHub.
pub struct GithubCourier {
    api: Api,
}

#[derive(Debug, Deserialize)]
struct Pull {
    head: Head,
}

#[derive(Debug, Deserialize)]
struct Head {
    sha: String,
}

#[derive(Debug, Deserialize)]
struct PullCommit {
    commit: Commit,
}

#[derive(Debug, Deserialize)]
struct Commit {
    message: String,
}

#[derive(Debug, Deserialize)]
struct Status {
    state: String,
    context: String,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    target_url: Option<String>,
}

#[derive(Debug, Deserialize)]
struct CheckRuns {
    check_runs: Vec<CheckRun>,
}

#[derive(Debug, Deserialize)]
struct CheckRun {
    id: u64,
    #[serde(default)]
    external_id: Option<String>,
    #[serde(default)]
    conclusion: Option<String>,
}

/// A comment or an issue.
#[derive(Debug, Deserialize)]
struct Post {
    #[serde(default)]
    id: u64,
    #[serde(default)]
    number: u64,
    #[serde(default)]
    html_url: Option<String>,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    state: Option<String>,
    #[serde(default)]
    user: Option<User>,
}

#[derive(Debug, Clone, Deserialize)]
struct User {
    login: String,
    #[serde(default, rename = "type")]
    kind: String,
}

/// What is to be sent, after reading: nothing, or requests in order. The address of what comes of it is the last answer's.
struct Plan {
    why: String,
    sends: Vec<(Verb, String, Value, &'static str)>,
    /// Sent in place of the rest when the first is refused with 403 or 404.
    instead: Option<(Verb, String, Value, &'static str)>,
    reference: Option<String>,
}

impl Plan {
    fn nothing(why: impl Into<String>, reference: Option<String>) -> Plan {
        Plan { why: why.into(), sends: Vec::new(), instead: None, reference }
    }

    fn sends(why: impl Into<String>, sends: Vec<(Verb, String, Value, &'static str)>) -> Plan {
        Plan { why: why.into(), sends, instead: None, reference: None }
    }
}

impl GithubCourier {
    /// A courier with this token.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(token: &Token, api_url: &str, reserve: u32, clock: Clock) -> Result<GithubCourier, Trouble> {
        Ok(GithubCourier { api: Api::new(token, api_url, reserve, clock)? })
    }

    async fn read(&self, payload: &Payload) -> Result<Plan, Trouble> {
        self.api.begin().await?;
        match payload {
            Payload::Status { repo, at, status } => {
                let sha = self.commit(repo, at).await?;
                self.plan_status(repo, &sha, status).await
            }
            Payload::CheckRun { repo, at, run, status } => {
                let sha = self.commit(repo, at).await?;
                self.plan_check(repo, &sha, run, status).await
            }
            Payload::Comment { repo, pull, marker, body } => self.plan_comment(repo, *pull, marker, body).await,
            Payload::Issue { .. } => self.plan_issue(payload).await,
        }
    }

    /// The commit, and proof that a pull request still holds what was tested.
    async fn commit(&self, repo: &str, at: &At) -> Result<String, Trouble> {
        let (number, subjects) = match at {
            At::Commit(commit) => return Ok(commit.clone()),
            At::Pull { number, subjects } => (number, subjects),
        };
        let pull: Pull = self.api.send(Verb::Get, &format!("/repos/{repo}/pulls/{number}"), None, READ_PULLS).await?;
        let path = format!("/repos/{repo}/pulls/{number}/commits?x=");
        let commits: Vec<PullCommit> = self.api.list(&path, READ_PULLS).await?;
        let now: Vec<&str> =
            commits.iter().map(|commit| commit.commit.message.lines().next().unwrap_or_default().trim()).collect();
        let tested: Vec<&str> = subjects.iter().map(|subject| subject.trim()).collect();
        let hex = pull.head.sha.len() == 40 && pull.head.sha.bytes().all(|b| b.is_ascii_hexdigit());
        match now == tested && hex {
            true => Ok(pull.head.sha),
            false => Err(Trouble::never(format!(
                "pull request {number} of {repo} holds other commits than the {} that were tested; test it again",
                tested.len()
            ))),
        }
    }

    async fn plan_status(&self, repo: &str, sha: &str, status: &Value) -> Result<Plan, Trouble> {
        // GitHub lists the newest first.
        let path = format!("/repos/{repo}/commits/{sha}/statuses?x=");
        let statuses: Vec<Status> = self.api.list(&path, WRITE_STATUSES).await?;
        let field = |name: &str| status.get(name).and_then(Value::as_str).unwrap_or_default();
        let newest = statuses.iter().find(|known| known.context == field("context"));
        let same = newest.is_some_and(|known| {
            known.state == field("state")
                && known.description.as_deref().unwrap_or_default() == field("description")
                && known.target_url.as_deref().unwrap_or_default() == field("target_url")
        });
        if same {
            return Ok(Plan::nothing(format!("commit {sha} has that status already"), None));
        }
        let path = format!("/repos/{repo}/statuses/{sha}");
        Ok(Plan::sends(format!("status of {sha}"), vec![(Verb::Post, path, status.clone(), WRITE_STATUSES)]))
    }

    async fn plan_check(&self, repo: &str, sha: &str, run: &Value, status: &Value) -> Result<Plan, Trouble> {
        let field = |name: &str| run.get(name).and_then(Value::as_str).unwrap_or_default();
        let name = percent_encoding::utf8_percent_encode(field("name"), percent_encoding::NON_ALPHANUMERIC);
        let path = format!("/repos/{repo}/commits/{sha}/check-runs?check_name={name}&per_page=100");
        let known: CheckRuns = self.api.send(Verb::Get, &path, None, "Checks: read").await?;
        let newest = known.check_runs.iter().max_by_key(|known| known.id);
        let instead = (Verb::Post, format!("/repos/{repo}/statuses/{sha}"), status.clone(), WRITE_STATUSES);
        let plan = match newest {
            Some(known)
                if known.external_id.as_deref() == Some(field("external_id"))
                    && known.conclusion.as_deref() == Some(field("conclusion")) =>
            {
                return Ok(Plan::nothing(format!("check run {} says it already", known.id), None));
            }
            Some(known) => {
                let path = format!("/repos/{repo}/check-runs/{}", known.id);
                Plan::sends(format!("check run of {sha}"), vec![(Verb::Patch, path, run.clone(), WRITE_CHECKS)])
            }
            None => {
                let mut run = run.clone();
                run["head_sha"] = json!(sha);
                let path = format!("/repos/{repo}/check-runs");
                Plan::sends(format!("check run of {sha}"), vec![(Verb::Post, path, run, WRITE_CHECKS)])
            }
        };
        Ok(Plan { instead: Some(instead), ..plan })
    }

    /// Who we are; `None` for the token of an app, which may not ask.
    async fn login(&self) -> Result<Option<String>, Trouble> {
        match self.api.send::<User>(Verb::Get, "/user", None, "profile: read").await {
            Ok(user) => Ok(Some(user.login)),
            Err(Trouble::Never { .. }) => Ok(None),
            Err(later @ Trouble::Later { .. }) => Err(later),
        }
    }

    async fn plan_comment(&self, repo: &str, pull: u64, marker: &str, body: &str) -> Result<Plan, Trouble> {
        let login = self.login().await?;
        let path = format!("/repos/{repo}/issues/{pull}/comments?x=");
        let comments: Vec<Post> = self.api.list(&path, READ_PULLS).await?;
        Ok(match comments.into_iter().find(|post| is_ours(post, marker, login.as_deref())) {
            Some(known) if same_text(known.body.as_deref(), body) => {
                Plan::nothing("the comment says it already", known.html_url)
            }
            Some(known) => {
                let path = format!("/repos/{repo}/issues/comments/{}", known.id);
                Plan::sends(
                    "the comment is brought up to date",
                    vec![(Verb::Patch, path, json!({"body": body}), WRITE_PULLS)],
                )
            }
            None => {
                let path = format!("/repos/{repo}/issues/{pull}/comments");
                Plan::sends("a comment is written", vec![(Verb::Post, path, json!({"body": body}), WRITE_PULLS)])
            }
        })
    }

    async fn plan_issue(&self, payload: &Payload) -> Result<Plan, Trouble> {
        let Payload::Issue { repo, marker, label, title, body, open } = payload else {
            return Err(Trouble::never("this message is no issue"));
        };
        let login = self.login().await?;
        let encode =
            |text: &str| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string();
        // A label needs a right that the token may lack, so it is not what an issue is found by where the author is known.
        let filter = match &login {
            Some(login) => format!("creator={}", encode(login)),
            None => format!("labels={}", encode(label)),
        };
        let issues: Vec<Post> =
            self.api.list(&format!("/repos/{repo}/issues?state=all&{filter}"), WRITE_ISSUES).await?;
        let known = issues.into_iter().find(|post| is_ours(post, marker, login.as_deref()));
        let Some(known) = known else {
            if !open {
                return Ok(Plan::nothing("there is no issue to close", None));
            }
            let issue = json!({"title": title, "body": body, "labels": [label]});
            return Ok(Plan::sends(
                "an issue is opened",
                vec![(Verb::Post, format!("/repos/{repo}/issues"), issue, WRITE_ISSUES)],
            ));
        };
        let path = format!("/repos/{repo}/issues/{}", known.number);
        let is_open = known.state.as_deref() == Some("open");
        let same = same_text(known.body.as_deref(), body);
        Ok(match (open, is_open) {
            (true, true) if same => Plan::nothing("the issue says it already", known.html_url),
            (true, _) => {
                let change = json!({"state": "open", "body": body});
                Plan::sends("the issue is brought up to date", vec![(Verb::Patch, path, change, WRITE_ISSUES)])
            }
            // One request: nothing is left half done. The text says what holds now.
            (false, true) => {
                let change = json!({"state": "closed", "state_reason": "completed", "body": body});
                Plan::sends("the issue is closed: it is fixed", vec![(Verb::Patch, path, change, WRITE_ISSUES)])
            }
            (false, false) => Plan::nothing("the issue is closed already", known.html_url),
        })
    }

    async fn carry_out(&self, plan: Plan, passed: Passed) -> Result<Outcome, Trouble> {
        let Plan { mut why, sends, instead, mut reference } = plan;
        for (verb, path, body, permission) in sends {
            let sent = self.api.send::<Value>(verb, &path, Some(body), permission).await;
            let answer = match (sent, &instead) {
                (Err(Trouble::Never { why: refused }), Some((verb, path, status, permission))) => {
                    why = format!("a commit status took the place of the check run ({refused})");
                    self.api.send::<Value>(*verb, path, Some(status.clone()), permission).await?
                }
                (sent, _) => sent?,
            };
            reference = answer.get("html_url").or_else(|| answer.get("url")).and_then(Value::as_str).map(str::to_owned);
        }
        Ok(Outcome::Delivered { passed, why, receipts: Vec::new(), reference })
    }
}

/// A text of ours: anybody can write a marker into a comment of their own.
fn is_ours(post: &Post, marker: &str, login: Option<&str>) -> bool {
    let author = match (&post.user, login) {
        (Some(user), Some(login)) => user.login == login,
        (Some(user), None) => user.kind == "Bot",
        (None, _) => false,
    };
    author && post.body.as_deref().is_some_and(|body| body.lines().next().is_some_and(|first| first.trim() == marker))
}

/// GitHub gives line ends back as `\r\n` where an editor of its own wrote them.
fn same_text(known: Option<&str>, body: &str) -> bool {
    known.is_some_and(|known| known.replace("\r\n", "\n").trim_end() == body.trim_end())
}

impl Courier for GithubCourier {
    async fn deliver(&self, item: &Item, _past: &[Record], gate: Gate<'_>) -> Result<Outcome, OutboxError> {
        let payload: Payload = match item.payload() {
            Ok(payload) => payload,
            Err(error) => return Ok(crate::post::courier::unreadable(&error)),
        };
        let plan = match self.read(&payload).await {
            Ok(plan) => plan,
            Err(trouble) => return Ok(crate::post::courier::outcome(trouble)),
        };
        let passed = gate.pass(&plan.why, Vec::new())?;
        Ok(self.carry_out(plan, passed).await.unwrap_or_else(crate::post::courier::outcome))
    }

    async fn arrived(&self, _item: &Item) -> Arrival {
        crate::post::courier::reads_first("what is there is")
    }
}
