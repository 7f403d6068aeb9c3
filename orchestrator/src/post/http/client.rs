//! Sending a request, bounded in time and size.

use std::time::Duration;

use super::{Answer, Call, Trouble, Verb};

/// Most bytes of an answer.
const SIZE_LIMIT: usize = 16 * 1024 * 1024;

/// Longest time for one request.
const DEADLINE: Duration = Duration::from_secs(60);

/// How the program names itself.
pub(in crate::post) const USER_AGENT: &str = concat!("orchestrator/", env!("CARGO_PKG_VERSION"));

/// Talks to one server.
#[derive(Debug, Clone)]
pub struct Client {
    inner: reqwest::Client,
}

impl Client {
    /// A client whose requests carry an `Authorization` header. It follows no redirects: whoever answers at another
    /// address must not get the token.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(authorization: &str) -> Result<Client, Trouble> {
        // An error means that another part of the program was faster.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let fail = |error: &dyn std::fmt::Display| Trouble::never(format!("the HTTP client cannot be set up: {error}"));
        let mut value = reqwest::header::HeaderValue::from_str(authorization).map_err(|error| fail(&error))?;
        value.set_sensitive(true);
        let inner = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .redirect(reqwest::redirect::Policy::none())
            .timeout(DEADLINE)
            .default_headers([(reqwest::header::AUTHORIZATION, value)].into_iter().collect())
            .build()
            .map_err(|error| fail(&error))?;
        Ok(Client { inner })
    }

    /// Sends a request and reads its answer, whatever it is.
    ///
    /// # Errors
    /// When no whole answer came.
    pub async fn send(&self, call: &Call) -> Result<Answer, Trouble> {
        let fail = |error: reqwest::Error| {
            let error = error.without_url();
            // "error sending request" alone helps nobody: the causes behind it do.
            let mut why = format!("{} {}: {error}", call.verb.word(), call.url);
            let mut cause = std::error::Error::source(&error);
            while let Some(error) = cause {
                why.push_str(&format!(": {error}"));
                cause = error.source();
            }
            Trouble::later(why)
        };
        let request = match call.verb {
            Verb::Get => self.inner.get(&call.url),
            Verb::Post => self.inner.post(&call.url),
            Verb::Patch => self.inner.patch(&call.url),
        };
        let request = request.header(reqwest::header::ACCEPT, "application/json");
        let request = match &call.body {
            Some(body) => request.json(body),
            None => request,
        };
        let mut response = request.send().await.map_err(fail)?;
        let status = response.status().as_u16();
        let headers = response.headers().iter();
        let headers = headers
            .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(fail)? {
            if body.len() + chunk.len() > SIZE_LIMIT {
                return Err(Trouble::never(format!("the answer of {} has more than {SIZE_LIMIT} bytes", call.url)));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status, headers, body })
    }
}
