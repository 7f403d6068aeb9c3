//! GitHub's REST interface: budget, limits and permissions.

use std::sync::Mutex;
use std::time::Duration;

use octocrab::Octocrab;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::post::http::{Answer, Call, Trouble, Verb, trouble};
use crate::post::outbox::Clock;
use crate::post::places::Token;

/// Longest time for one request.
const DEADLINE: Duration = Duration::from_secs(60);

/// Largest answer, in bytes.
const SIZE_LIMIT: usize = 16 * 1024 * 1024;

/// Most pages read of a list, of 100 entries each.
const MOST_PAGES: usize = 30;

/// Wait after a secondary limit that does not say how long: GitHub asks for a minute at least.
const SECONDARY_WAIT: Duration = Duration::from_secs(60);

/// Talks to GitHub.
pub struct Api {
    octocrab: Octocrab,
    url: String,
    reserve: u32,
    clock: Clock,
    budget: Mutex<Option<Budget>>,
}

/// What is left of the token's hourly budget.
#[derive(Debug, Clone, Copy, Deserialize)]
struct Budget {
    remaining: u32,
    /// Seconds since the Unix epoch.
    reset: i64,
}

impl Api {
    /// A client with this token.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(token: &Token, url: &str, reserve: u32, clock: Clock) -> Result<Api, Trouble> {
        let fail = |error: octocrab::Error| Trouble::never(format!("the GitHub client cannot be set up: {error}"));
        // Its own retries are not compiled in: when to try again is the outbox's to decide.
        let octocrab = Octocrab::builder()
            .personal_token(token.reveal().to_owned())
            .set_connect_timeout(Some(DEADLINE))
            .set_read_timeout(Some(DEADLINE))
            .base_uri(url)
            .map_err(fail)?
            .build()
            .map_err(fail)?;
        let url = url.trim_end_matches('/').to_owned();
        Ok(Api { octocrab, url, reserve, clock, budget: Mutex::new(None) })
    }

    /// Asks for the budget once, which costs nothing of it, and refuses to begin when too little is left.
    ///
    /// # Errors
    /// When too little is left, with the time at which there is more.
    pub async fn begin(&self) -> Result<(), Trouble> {
        #[derive(Deserialize)]
        struct Limits {
            rate: Budget,
        }
        if self.budget().is_none() {
            let call = self.call(Verb::Get, "/rate_limit", None);
            let answer = self.raw(&call).await?;
            // A server of one's own may have no limits at all.
            if answer.status != 404 {
                self.understand(&call, &answer, "metadata: read")?;
                self.set_budget(Some(answer.json::<Limits>(&call)?.rate));
            }
        }
        match self.budget().filter(|budget| budget.remaining <= self.reserve) {
            Some(budget) => Err(self.exhausted(budget)),
            None => Ok(()),
        }
    }

    fn budget(&self) -> Option<Budget> {
        *self.budget.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn set_budget(&self, budget: Option<Budget>) {
        *self.budget.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = budget;
    }

    fn exhausted(&self, budget: Budget) -> Trouble {
        let wait = budget.reset.saturating_sub((self.clock)().as_second());
        let when = jiff::Timestamp::from_second(budget.reset).map(|t| t.to_string()).unwrap_or_default();
        let Budget { remaining, .. } = budget;
        let reserve = self.reserve;
        Trouble::Later {
            why: format!(
                "the token has {remaining} requests left, {reserve} are kept for others; it has more at {when}"
            ),
            retry_after: Some(Duration::from_secs(u64::try_from(wait).unwrap_or(0))),
        }
    }

    fn call(&self, verb: Verb, path: &str, body: Option<serde_json::Value>) -> Call {
        Call { verb, url: format!("{}{path}", self.url), body }
    }

    /// Sends a request; `permission` is what the token needs for it.
    ///
    /// # Errors
    /// When it is not answered with a success.
    pub async fn send<T: DeserializeOwned>(
        &self,
        verb: Verb,
        path: &str,
        body: Option<serde_json::Value>,
        permission: &str,
    ) -> Result<T, Trouble> {
        let call = self.call(verb, path, body);
        let answer = self.raw(&call).await?;
        self.understand(&call, &answer, permission)?;
        answer.json(&call)
    }

    /// Everything in a list; `path` has a query already.
    ///
    /// # Errors
    /// As [`Api::send`].
    pub async fn list<T: DeserializeOwned>(&self, path: &str, permission: &str) -> Result<Vec<T>, Trouble> {
        let mut all = Vec::new();
        for page in 1..=MOST_PAGES {
            let call = self.call(Verb::Get, &format!("{path}&per_page=100&page={page}"), None);
            let answer = self.raw(&call).await?;
            self.understand(&call, &answer, permission)?;
            all.extend(answer.json::<Vec<T>>(&call)?);
            if answer.next_page().is_none() {
                return Ok(all);
            }
        }
        Err(Trouble::never(format!("{path} has more than {MOST_PAGES} pages")))
    }

    async fn raw(&self, call: &Call) -> Result<Answer, Trouble> {
        let fail = |why: String| Trouble::later(format!("{} {}: {why}", call.verb.word(), call.url));
        let exchange = async {
            let url = call.url.as_str();
            let response = match call.verb {
                Verb::Get => self.octocrab._get(url).await,
                Verb::Post => self.octocrab._post(url, call.body.as_ref()).await,
                Verb::Patch => self.octocrab._patch(url, call.body.as_ref()).await,
            };
            let (parts, body) = response.map_err(|error| fail(reason(&error)))?.into_parts();
            let body = http_body_util::BodyExt::collect(http_body_util::Limited::new(body, SIZE_LIMIT)).await;
            let body = body.map_err(|error| fail(error.to_string()))?.to_bytes().to_vec();
            let headers = parts.headers.iter();
            let headers = headers
                .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
                .collect();
            Ok(Answer { status: parts.status.as_u16(), headers, body })
        };
        let answer = tokio::time::timeout(DEADLINE, exchange).await;
        let answer = answer.unwrap_or_else(|_| Err(fail(format!("no answer within {} s", DEADLINE.as_secs()))))?;
        let number = |name: &str| answer.header(name).and_then(|value| value.parse::<i64>().ok());
        if let (Some(remaining), Some(reset)) = (number("x-ratelimit-remaining"), number("x-ratelimit-reset")) {
            self.set_budget(Some(Budget { remaining: u32::try_from(remaining).unwrap_or(0), reset }));
        }
        Ok(answer)
    }

    /// Tells limits and missing permissions from other refusals.
    fn understand(&self, call: &Call, answer: &Answer, permission: &str) -> Result<(), Trouble> {
        let now = (self.clock)();
        let words = answer.words();
        let limited = matches!(answer.status, 403 | 429);
        if limited && answer.header("x-ratelimit-remaining") == Some("0") {
            let reset = self.budget().map_or(now.as_second() + 3600, |budget| budget.reset);
            return Err(self.exhausted(Budget { remaining: 0, reset }));
        }
        let secondary = words.to_lowercase().contains("secondary rate limit") || words.contains("abuse");
        if limited && (secondary || answer.header("retry-after").is_some()) {
            let wait = answer.retry_after(now).unwrap_or(SECONDARY_WAIT).max(SECONDARY_WAIT);
            let why = format!("GitHub asks to slow down (secondary rate limit): {words}");
            return Err(Trouble::Later { why, retry_after: Some(wait) });
        }
        match trouble(call, answer, now) {
            None => Ok(()),
            Some(Trouble::Never { why }) if matches!(answer.status, 403 | 404) => Err(Trouble::never(format!(
                "{why}; either it does not exist, or the token lacks the permission `{permission}`"
            ))),
            Some(trouble) => Err(trouble),
        }
    }
}

/// The causes of an error; octocrab's own text ends in a backtrace.
fn reason(error: &octocrab::Error) -> String {
    let mut text = error.to_string().lines().next().unwrap_or_default().to_owned();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}
