//! Writing a patch as a mail that `git am` and this module read back.

use std::fmt::Write;

use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};

use super::body::is_scissors;
use crate::words::{Patch, Person};

/// The patch as `git format-patch` would write it, without Message-ID.
///
/// The message is written so that no line of it can end it early or begin a diff: the text of a commit may hold
/// anything, and only [`Patch::diff`] was checked.
pub fn mail_text(patch: &Patch) -> String {
    let mut mail = String::from("From 0000000000000000000000000000000000000000 Mon Sep 17 00:00:00 2001\n");
    let Patch { number, total, .. } = patch;
    let mut header = |name: &str, value: &str| {
        writeln!(mail, "{name}: {value}").expect("a string takes every write");
    };
    header("From", &address(&patch.author));
    header("Date", &date(patch));
    header("Subject", &format!("[PATCH {number}/{total}] {}", unstructured(&patch.subject)));
    header("MIME-Version", "1.0");
    header("Content-Type", "text/plain; charset=UTF-8");
    header("Content-Transfer-Encoding", "8bit");
    mail.push('\n');
    let mut first = true;
    for line in patch.message.lines() {
        if must_be_indented(line, first) {
            mail.push(' ');
        }
        first &= line.trim().is_empty();
        if is_scissors(line) {
            mail.push_str(&blunt(line));
        } else {
            mail.push_str(line);
        }
        mail.push('\n');
    }
    mail.push_str("---\n\n");
    mail.push_str(&patch.diff);
    mail.push_str("-- \norchestrator\n");
    mail
}

/// Lines that `git am` takes for the end of the message or, at its top, for a header; and the mbox's own.
fn must_be_indented(line: &str, first: bool) -> bool {
    let lower = line.to_ascii_lowercase();
    let ends = line.starts_with("---") || line.starts_with("diff -") || line.starts_with("Index: ");
    let is_header = first && ["from:", "subject:", "date:", "[patch"].iter().any(|start| lower.starts_with(start));
    let is_mbox = line.trim_start_matches('>').starts_with("From ");
    ends || is_header || is_mbox
}

/// The line with its scissors opened, so that they cut nothing.
fn blunt(line: &str) -> String {
    [(">8", "> 8"), ("8<", "8 <"), (">%", "> %"), ("%<", "% <")]
        .iter()
        .fold(line.to_owned(), |line, (scissors, open)| line.replace(scissors, open))
}

fn date(patch: &Patch) -> String {
    let stamp = Timestamp::from_second(patch.date.seconds).unwrap_or(Timestamp::UNIX_EPOCH);
    let offset = Offset::from_seconds(patch.date.offset_minutes.saturating_mul(60)).unwrap_or(Offset::UTC);
    stamp.to_zoned(TimeZone::fixed(offset)).strftime("%a, %d %b %Y %H:%M:%S %z").to_string()
}

fn address(person: &Person) -> String {
    let email: String = person.email.chars().filter(|c| !c.is_control() && !matches!(c, '<' | '>' | ' ')).collect();
    if person.name.is_empty() {
        return format!("<{email}>");
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, ' ' | '-' | '_');
    let name = if person.name.chars().all(plain) { person.name.clone() } else { encoded_words(&person.name) };
    format!("{name} <{email}>")
}

fn unstructured(text: &str) -> String {
    let plain = text.chars().all(|c| c.is_ascii() && !c.is_ascii_control()) && !text.contains("=?");
    if plain { text.to_owned() } else { encoded_words(text) }
}

/// RFC 2047 words of at most 75 characters, folded.
fn encoded_words(text: &str) -> String {
    let mut words = vec![String::new()];
    for c in text.chars() {
        let mut buffer = [0; 4];
        let bytes = c.encode_utf8(&mut buffer).bytes();
        let encoded: String = bytes
            .map(|byte| match byte {
                b' ' => "_".to_owned(),
                byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
                byte => format!("={byte:02X}"),
            })
            .collect();
        if words.last().is_some_and(|word| word.len() + encoded.len() > 75 - "=?UTF-8?q??=".len()) {
            words.push(String::new());
        }
        words.last_mut().expect("never empty").push_str(&encoded);
    }
    let words: Vec<String> = words.iter().map(|word| format!("=?UTF-8?q?{word}?=")).collect();
    words.join("\n ")
}

#[cfg(test)]
#[path = "format_tests.rs"]
mod tests;
