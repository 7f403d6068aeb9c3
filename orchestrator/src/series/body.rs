//! Taking the text of a mail apart, as `git am --scissors` does: headers in the body, message, diff, the rest.

use super::diff;
use super::mail::{self, InBody, Line};

/// The text of a mail in its parts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Body {
    /// Overrides at the top.
    pub(super) headers: InBody,
    /// Message, up to `---`; no blank lines at either end.
    pub(super) message: String,
    /// The diff; empty when there is none.
    pub(super) diff: Vec<Line>,
    /// Everything that belongs to neither, in order: what stands below `---` and behind the diff.
    pub(super) remarks: Vec<String>,
    /// Where the grammar of the diff is broken.
    pub(super) damages: Vec<Damage>,
}

/// A line that a diff may not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Damage {
    /// The line.
    pub(super) line: Line,
    /// What is wrong with it.
    pub(super) trouble: diff::Trouble,
}

/// Takes `lines` apart.
pub(super) fn parse(lines: &[Line]) -> Body {
    let mut body = Body::default();
    // Everything above a scissors line is chat; the headers may stand below it.
    let message_end = |from: usize| (from..lines.len()).find(|at| breaks_message(lines, *at)).unwrap_or(lines.len());
    let scissors = (0..message_end(0)).rev().find(|at| is_scissors(&lines[*at].text));
    let start = scissors.map_or(0, |at| at + 1);
    let (headers, start) = in_body_headers(lines, start);
    body.headers = headers;
    let end = message_end(start);
    let message: Vec<&str> = lines[start..end].iter().map(|line| line.text.trim_end()).collect();
    body.message = message.join("\n").trim_matches('\n').to_owned();
    let next = |at: usize| lines.get(at + 1).map(|line: &Line| line.text.as_str());
    let begin = (end..lines.len()).find(|at| diff::starts_diff(&lines[*at].text, next(*at)));
    let Some(begin) = begin else {
        body.remarks = lines[end..].iter().map(|line| line.text.clone()).collect();
        return body;
    };
    let texts: Vec<&str> = lines[begin..].iter().map(|line| line.text.as_str()).collect();
    let scan = diff::scan(&texts);
    let damage = |(at, trouble): &(usize, _)| Damage { line: lines[begin + at].clone(), trouble: *trouble };
    body.damages = scan.troubles.iter().map(damage).collect();
    // A line that breaks the diff stays in it, so that whoever reads the diff alone sees it too.
    let length = scan.troubles.iter().map(|(at, _)| at + 1).max().unwrap_or(0).max(scan.end);
    body.diff = lines[begin..begin + length].to_vec();
    body.remarks = lines[end..begin].iter().chain(&lines[begin + length..]).map(|line| line.text.clone()).collect();
    body
}

/// A line that ends the message for `git am`: `---`, or the beginning of a diff.
fn breaks_message(lines: &[Line], at: usize) -> bool {
    let text = lines[at].text.as_str();
    text.starts_with("diff -")
        || text.starts_with("Index: ")
        || text.strip_prefix("---").is_some_and(|rest| rest.trim().is_empty())
        || text.strip_prefix("--- ").is_some_and(|rest| rest.starts_with(|c: char| !c.is_whitespace()))
}

/// A line such as `-- >8 --`: by git's rule, mostly dashes and at least one pair of scissors.
pub(super) fn is_scissors(text: &str) -> bool {
    let bytes = text.trim().as_bytes();
    let (mut perforation, mut scissors, mut gap, mut inside, mut at) = (0, 0, 0, false, 0);
    while at < bytes.len() {
        match &bytes[at..] {
            [b'-', ..] => {
                inside = true;
                perforation += 1;
            }
            [b'>', b'8' | b'%', ..] | [b'8' | b'%', b'<', ..] => {
                inside = true;
                perforation += 2;
                scissors += 2;
                at += 1;
            }
            [byte, ..] if byte.is_ascii_whitespace() => {
                if inside {
                    perforation += 1;
                    gap += 1;
                }
            }
            _ => inside = false,
        }
        at += 1;
    }
    scissors > 0 && bytes.len() >= 8 && bytes.len() < perforation * 3 && gap * 2 < perforation
}

/// Reads `From:`, `Subject:` and `Date:` lines at `start`; gives them and the index of the first line behind them.
fn in_body_headers(lines: &[Line], start: usize) -> (InBody, usize) {
    let first = (start..lines.len()).find(|at| !lines[*at].text.trim().is_empty()).unwrap_or(lines.len());
    let mut block = String::new();
    let mut seen: Vec<String> = Vec::new();
    let mut at = first;
    while let Some(line) = lines.get(at) {
        let key = line.text.split_once(':').map(|(key, _)| key.to_ascii_lowercase());
        let is_header =
            key.as_ref().is_some_and(|key| ["from", "subject", "date"].contains(&key.as_str()) && !seen.contains(key));
        let is_folded = !seen.is_empty() && line.text.starts_with([' ', '\t']) && !line.text.trim().is_empty();
        // A patch pasted from a file brings the `From <commit>` line of that file along.
        let is_from_line =
            seen.is_empty() && line.text.starts_with("From ") && line.text.ends_with(" Mon Sep 17 00:00:00 2001");
        if !(is_header || is_folded || is_from_line) {
            break;
        }
        if !is_from_line {
            block.push_str(&line.text);
            block.push('\n');
            seen.extend(key.filter(|_| is_header));
        }
        at += 1;
    }
    if seen.is_empty() {
        return (InBody::default(), start);
    }
    (mail::in_body(&block), at)
}

#[cfg(test)]
#[path = "body_tests.rs"]
mod tests;
