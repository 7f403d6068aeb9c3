//! LAVA's REST interface, version 0.2: the few calls that are needed.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::term::text::is_hostile;

/// Longest time for one request; a long log takes a while.
const DEADLINE: Duration = Duration::from_secs(120);

/// Most bytes of one answer.
const SIZE_LIMIT: usize = 256 * 1024 * 1024;

/// A call that gave nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trouble {
    /// It may go better later: the network, a server that is restarting.
    Later(String),
    /// It will not.
    Never(String),
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (Trouble::Later(why) | Trouble::Never(why)) = self;
        f.write_str(why)
    }
}

/// What LAVA says of a job.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct JobState {
    /// Its number.
    pub id: u64,
    /// `Submitted`, `Scheduling`, `Scheduled`, `Running`, `Canceling`, `Finished`.
    pub state: String,
    /// `Unknown`, `Complete`, `Incomplete`, `Canceled`.
    pub health: String,
    /// The device, once it has one.
    #[serde(default)]
    pub actual_device: Option<String>,
    /// What a person or the server noted.
    #[serde(default)]
    pub failure_comment: Option<String>,
}

/// Talks to one server for one user.
#[derive(Debug, Clone)]
pub(super) struct Client {
    inner: reqwest::Client,
    base: String,
}

impl Client {
    /// `url` is the server's; no redirects are followed, because whoever answers elsewhere must not get the token.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub(super) fn new(url: &str, token: &str) -> Result<Self, String> {
        // An error means that another part of the program was faster.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut value = reqwest::header::HeaderValue::from_str(&format!("Token {token}"))
            .map_err(|error| format!("the token cannot be sent: {error}"))?;
        value.set_sensitive(true);
        let inner = reqwest::Client::builder()
            .user_agent(concat!("orchestrator/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .timeout(DEADLINE)
            .default_headers([(reqwest::header::AUTHORIZATION, value)].into_iter().collect())
            .build()
            .map_err(|error| format!("the HTTP client cannot be set up: {error}"))?;
        Ok(Client { inner, base: format!("{}/api/v0.2", url.trim_end_matches('/')) })
    }

    /// Submits a job; its number.
    pub(super) async fn submit(&self, definition: &str) -> Result<u64, Trouble> {
        let body = json!({ "definition": definition });
        let text = self.send(Method::POST, "/jobs/", &[], Some(&body)).await?;
        let answer: Value = parse(&text)?;
        answer["job_ids"][0].as_u64().ok_or_else(|| Trouble::Never(format!("no number of a job in `{}`", short(&text))))
    }

    /// The newest job of that name, when there is one.
    pub(super) async fn find(&self, name: &str) -> Result<Option<JobState>, Trouble> {
        #[derive(Deserialize)]
        struct Page {
            results: Vec<JobState>,
        }
        let query = [("description", name), ("ordering", "-id"), ("limit", "1")];
        let page: Page = parse(&self.send(Method::GET, "/jobs/", &query, None).await?)?;
        Ok(page.results.into_iter().next())
    }

    /// How a job stands.
    pub(super) async fn job(&self, id: u64) -> Result<JobState, Trouble> {
        parse(&self.send(Method::GET, &format!("/jobs/{id}/"), &[], None).await?)
    }

    /// The log of a job from this line on, numbered from 0; nothing when there is no more of it.
    pub(super) async fn log(&self, id: u64, from: usize) -> Result<String, Trouble> {
        let from = from.to_string();
        match self.send(Method::GET, &format!("/jobs/{id}/logs/"), &[("start", from.as_str())], None).await {
            Err(Trouble::Never(why)) if is_not_found(&why) => Ok(String::new()),
            other => other,
        }
    }

    /// Ends a job.
    pub(super) async fn cancel(&self, id: u64) -> Result<(), Trouble> {
        self.send(Method::GET, &format!("/jobs/{id}/cancel/"), &[], None).await.map(|_| ())
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<String, Trouble> {
        let url = format!("{}{path}", self.base);
        let fail = |error: reqwest::Error| {
            let error = error.without_url();
            let mut why = format!("{url}: {error}");
            let mut cause = std::error::Error::source(&error);
            while let Some(error) = cause {
                why.push_str(&format!(": {error}"));
                cause = error.source();
            }
            Trouble::Later(why)
        };
        let mut request = self.inner.request(method, &url).query(query);
        if let Some(body) = body {
            request = request.json(body);
        }
        let mut response = request.send().await.map_err(fail)?;
        let status = response.status();
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(fail)? {
            if bytes.len() + chunk.len() > SIZE_LIMIT {
                return Err(Trouble::Never(format!("{url}: the answer has more than {SIZE_LIMIT} bytes")));
            }
            bytes.extend_from_slice(&chunk);
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        judge(status, &url, text)
    }
}

const NOT_FOUND: &str = "404 Not Found";

/// Whether the server says that there is no such thing.
pub(super) fn is_not_found(why: &str) -> bool {
    why.contains(NOT_FOUND)
}

/// What an answer means.
pub(super) fn judge(status: StatusCode, url: &str, text: String) -> Result<String, Trouble> {
    match status.as_u16() {
        200..300 => Ok(text),
        401 | 403 => Err(Trouble::Never(format!("{url}: {status}: the token is not taken; {}", short(&text)))),
        408 | 429 | 500..600 => Err(Trouble::Later(format!("{url}: {status}: {}", short(&text)))),
        _ => Err(Trouble::Never(format!("{url}: {status}: {}", short(&text)))),
    }
}

pub(super) fn parse<T: for<'de> Deserialize<'de>>(text: &str) -> Result<T, Trouble> {
    // A proxy that answers for a server which is down may do so with 200 and a page.
    serde_json::from_str(text).map_err(|error| {
        Trouble::Later(format!("no answer of LAVA's ({}): {}", short(&error.to_string()), short(text)))
    })
}

/// The beginning of an answer in one printable line.
fn short(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").chars().filter(|c| !is_hostile(*c)).take(300).collect()
}
