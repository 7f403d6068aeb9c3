//! Fuzz target of this room.

use std::time::Duration;

use jiff::Timestamp;

use super::answer::{Answer, Trouble, trouble};
use super::call::Call;
use crate::fuzz::assert_harmless;
use crate::term::text::width;

/// An answer of a server: `STATUS`, headers as `Name: value`, an empty line, the body. Whatever a server says is no longer
/// than a line, fit to be shown, and cannot make anybody wait for more than a day.
pub fn answers(data: &[u8]) {
    let (head, body) = match data.windows(2).position(|pair| pair == b"\n\n") {
        Some(at) => (&data[..at], &data[at + 2..]),
        None => (data, &[][..]),
    };
    let head = String::from_utf8_lossy(head);
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.trim().parse().ok()).unwrap_or(500);
    let header = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_lowercase(), value.to_owned()));
    let answer = Answer { status, headers: lines.filter_map(header).collect(), body: body.to_vec() };
    let words = answer.words();
    assert_harmless(&words);
    assert!(width(&words) <= 300 && words.chars().count() <= 4 * 300 + 1, "{words}");
    let _ = answer.next_page();
    let now = Timestamp::UNIX_EPOCH;
    let call = Call::get("https://x/y");
    match trouble(&call, &answer, now) {
        None => assert!((200..300).contains(&status)),
        Some(Trouble::Later { why, retry_after }) => {
            assert_harmless(&why);
            assert!(retry_after.is_none_or(|wait| wait <= Duration::from_secs(24 * 60 * 60)));
        }
        Some(Trouble::Never { why }) => assert_harmless(&why),
    }
    if let Err(Trouble::Never { why } | Trouble::Later { why, .. }) = answer.json::<Vec<u64>>(&call) {
        assert_harmless(&why);
    }
}
