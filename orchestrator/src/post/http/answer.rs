//! What a server said.

use std::time::Duration;

use jiff::Timestamp;
use serde::de::DeserializeOwned;

use super::Call;
use crate::term::text::{truncate, visible};

/// Longest time that a server may ask to wait.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// Columns of a server's own words that are kept.
const WORDS: usize = 300;

/// An answer, whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// Headers by lower-case name.
    pub headers: Vec<(String, String)>,
    /// Body, bounded by the client.
    pub body: Vec<u8>,
}

/// Why a request did not come to what it should.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// It may work later.
    Later {
        /// One sentence.
        why: String,
        /// How long the server asks to wait.
        retry_after: Option<Duration>,
    },
    /// It will not work like this.
    Never {
        /// One sentence, with what to do.
        why: String,
    },
}

impl Trouble {
    /// Trouble that goes by, without a word of the server how long that takes.
    pub fn later(why: impl Into<String>) -> Trouble {
        Trouble::Later { why: why.into(), retry_after: None }
    }

    /// Trouble that stays.
    pub fn never(why: impl Into<String>) -> Trouble {
        Trouble::Never { why: why.into() }
    }
}

impl Answer {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The body as a type.
    ///
    /// # Errors
    /// When it is none: then the server is not the one it was taken for.
    pub fn json<T: DeserializeOwned>(&self, call: &Call) -> Result<T, Trouble> {
        serde_json::from_slice(&self.body).map_err(|error| {
            let error = truncate(&visible(&error.to_string()), WORDS);
            let why =
                format!("{} {} was not answered as expected ({error}); check its address", call.verb.word(), call.url);
            Trouble::never(why)
        })
    }

    /// The address that `Link: <...>; rel="next"` names.
    pub fn next_page(&self) -> Option<&str> {
        let links = self.header("link")?.split(',');
        links.filter_map(|link| link.split_once(';')).find_map(|(url, parameters)| {
            let next = parameters.split(';').any(|parameter| matches!(parameter.trim(), "rel=\"next\"" | "rel=next"));
            next.then(|| url.trim().trim_start_matches('<').trim_end_matches('>'))
        })
    }

    /// How long the server asks to wait: `Retry-After` in seconds or as a date.
    pub fn retry_after(&self, now: Timestamp) -> Option<Duration> {
        let text = self.header("retry-after")?.trim();
        let seconds = match text.parse::<u64>() {
            Ok(seconds) => seconds,
            Err(_) => {
                let date = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
                u64::try_from(date.as_second().saturating_sub(now.as_second())).unwrap_or(0)
            }
        };
        Some(Duration::from_secs(seconds).min(LONGEST_WAIT))
    }

    /// The server's own words, for a person: of a JSON answer the usual fields, else the beginning of the body.
    pub fn words(&self) -> String {
        let body = String::from_utf8_lossy(&self.body);
        let value: Option<serde_json::Value> = serde_json::from_slice(&self.body).ok();
        let field = |name: &str| value.as_ref()?.get(name)?.as_str().map(str::to_owned);
        let said = field("message").or_else(|| field("detail")).unwrap_or_else(|| body.trim().to_owned());
        truncate(&visible(&said), WORDS)
    }
}

/// What an answer that is no success means, as far as all servers agree; `None` for a success.
pub fn trouble(call: &Call, answer: &Answer, now: Timestamp) -> Option<Trouble> {
    let said = || {
        let words = answer.words();
        let words = if words.is_empty() { String::new() } else { format!(": {words}") };
        format!("{} {} was answered with {}{words}", call.verb.word(), call.url, answer.status)
    };
    match answer.status {
        200..=299 => None,
        300..=399 => {
            let to = truncate(&visible(answer.header("location").unwrap_or("an address it does not name")), WORDS);
            Some(Trouble::never(format!("{}; it moved to {to}: put that into series/places.yaml", said())))
        }
        408 | 425 | 429 | 500..=599 => Some(Trouble::Later { why: said(), retry_after: answer.retry_after(now) }),
        401 => Some(Trouble::never(format!("{}; the token is not valid, or has expired", said()))),
        _ => Some(Trouble::never(said())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Answer {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Answer { status, headers, body: body.as_bytes().to_vec() }
    }

    #[test]
    fn the_next_page_is_found_among_others() {
        let link = "<https://h/?page=1>; rel=\"prev\", <https://h/?page=3>; rel=\"next\"";
        assert_eq!(answer(200, &[("link", link)], "").next_page(), Some("https://h/?page=3"));
        assert_eq!(answer(200, &[("link", "<https://h/>; rel=\"last\"")], "").next_page(), None);
        assert_eq!(answer(200, &[], "").next_page(), None);
    }

    #[test]
    fn waits_are_seconds_or_dates_and_bounded() {
        let now: Timestamp = "2026-04-01T00:00:00Z".parse().unwrap();
        let wait = |value: &str| answer(429, &[("retry-after", value)], "").retry_after(now).map(|d| d.as_secs());
        assert_eq!(wait("120"), Some(120));
        assert_eq!(wait("Wed, 01 Apr 2026 00:01:30 GMT"), Some(90));
        assert_eq!(wait("Wed, 01 Apr 2020 00:01:30 GMT"), Some(0));
        assert_eq!(wait("99999999999"), Some(86_400));
        assert_eq!(wait("soon"), None);
    }

    #[test]
    fn answers_are_told_apart() {
        let call = Call::get("https://h/x");
        let now = Timestamp::UNIX_EPOCH;
        let of =
            |status| trouble(&call, &answer(status, &[("retry-after", "7")], "{\"detail\": \"no\u{1b}[31m\"}"), now);
        assert_eq!(of(201), None);
        for status in [429, 500, 502, 503] {
            let Some(Trouble::Later { why, retry_after }) = of(status) else { panic!("{status}") };
            assert_eq!(retry_after, Some(Duration::from_secs(7)));
            assert!(why.contains(&status.to_string()) && !why.contains('\u{1b}'), "{why}");
        }
        for status in [301, 400, 401, 403, 404, 422] {
            assert!(matches!(of(status), Some(Trouble::Never { .. })), "{status}");
        }
        let html = answer(200, &[], "<html>");
        let error = html.json::<Vec<u32>>(&call).unwrap_err();
        assert!(matches!(&error, Trouble::Never { why } if why.contains("check its address")), "{error:?}");
    }
}
