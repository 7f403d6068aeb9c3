//! Asking a server, with bounds on everything: bytes, time, redirects, repeats.

use std::sync::Once;
use std::time::Duration;

use reqwest::{RequestBuilder, StatusCode, header};
use tokio_util::sync::CancellationToken;

use super::error::SourceTrouble;
use super::fetch::Limits;
use super::page;

/// What servers are told of us: the truth.
const USER_AGENT: &str = concat!("orchestrator/", env!("CARGO_PKG_VERSION"), " (tests patch series for Linux)");
/// Most redirects that are followed.
const REDIRECTS: usize = 5;
/// How often an overloaded server is asked again.
const REPEATS: usize = 2;
/// Most bytes read of an answer that is an error.
const ERROR_LIMIT: u64 = 64 * 1024;

/// A whole answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) bytes: Vec<u8>,
}

/// Sends requests.
#[derive(Debug, Clone)]
pub(super) struct Http {
    client: reqwest::Client,
    limits: Limits,
}

/// Chooses the cryptography of TLS, once for the process.
fn choose_crypto() {
    static ONCE: Once = Once::new();
    // Fails only when another part of the program chose already, which serves as well.
    ONCE.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
}

impl Http {
    pub(super) fn new(limits: Limits) -> Result<Http, String> {
        choose_crypto();
        let client = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .redirect(reqwest::redirect::Policy::limited(REDIRECTS))
            .build()
            .map_err(|error| words(&error))?;
        Ok(Http { client, limits })
    }

    /// A request for [`Http::send`].
    pub(super) fn get(&self, address: &str) -> RequestBuilder {
        self.client.get(address)
    }

    /// As [`Http::get`], with POST and no body.
    pub(super) fn post(&self, address: &str) -> RequestBuilder {
        self.client.post(address).header(header::CONTENT_LENGTH, "0")
    }

    /// Sends a request and reads the whole answer. Overload (429, 502, 503, 504) is waited for where the server asks
    /// for no more than [`Limits::patience`]. An answer that is an error is given back with 404 only; every other one
    /// is trouble.
    pub(super) async fn send(
        &self,
        request: RequestBuilder,
        address: &str,
        cancel: &CancellationToken,
    ) -> Result<Answer, SourceTrouble> {
        let mut repeats = 0;
        loop {
            let again = request.try_clone().ok_or_else(|| SourceTrouble::Refused("the request has a stream".into()))?;
            let limit = self.limits.deadline;
            let outcome = tokio::select! {
                () = cancel.cancelled() => return Err(SourceTrouble::Cancelled),
                outcome = tokio::time::timeout(limit, self.once(again, address)) => outcome,
            };
            let slow = |_| SourceTrouble::Slow { address: address.to_owned(), limit };
            let (answer, retry_after) = outcome.map_err(slow)??;
            if answer.status.is_success() || answer.status == StatusCode::NOT_FOUND {
                return Ok(answer);
            }
            let wait = match &retry_after {
                Some(text) => text.parse().ok().map(Duration::from_secs),
                None => Some(self.limits.pause),
            };
            let overloaded = matches!(answer.status.as_u16(), 429 | 502 | 503 | 504);
            match wait.filter(|wait| overloaded && repeats < REPEATS && *wait <= self.limits.patience) {
                Some(wait) => {
                    repeats += 1;
                    tokio::select! {
                        () = cancel.cancelled() => return Err(SourceTrouble::Cancelled),
                        () = tokio::time::sleep(wait) => (),
                    }
                }
                None => return Err(refused(&answer, retry_after.as_deref(), address)),
            }
        }
    }

    async fn once(&self, request: RequestBuilder, address: &str) -> Result<(Answer, Option<String>), SourceTrouble> {
        let unreachable = |error: reqwest::Error| {
            let what = if error.is_redirect() {
                format!("it redirects more than {REDIRECTS} times, or in a circle")
            } else {
                words(&error.without_url())
            };
            SourceTrouble::Unreachable { address: address.to_owned(), what }
        };
        let mut response = request.send().await.map_err(unreachable)?;
        let status = response.status();
        let retry_after = response.headers().get(header::RETRY_AFTER);
        let retry_after = retry_after.and_then(|value| value.to_str().ok()).map(page::excerpt);
        let limit = if status.is_success() { self.limits.packed } else { ERROR_LIMIT };
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            bytes.extend_from_slice(&chunk);
            if bytes.len() as u64 > limit {
                if !status.is_success() {
                    break;
                }
                return Err(SourceTrouble::TooLarge { address: address.to_owned(), limit });
            }
        }
        Ok((Answer { status, bytes }, retry_after))
    }
}

fn refused(answer: &Answer, retry_after: Option<&str>, address: &str) -> SourceTrouble {
    let is_text = !answer.bytes.trim_ascii().is_empty();
    let what = match retry_after {
        Some(seconds) if seconds.bytes().all(|byte| byte.is_ascii_digit()) => {
            Some(format!("it asks to come back in {seconds} s"))
        }
        Some(date) => Some(format!("it asks to come back at {date}")),
        None => is_text.then(|| page::explain(&answer.bytes, address)),
    };
    SourceTrouble::Status { address: address.to_owned(), status: answer.status.to_string(), what }
}

/// An error with its causes: the first one alone says nothing.
fn words(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}
