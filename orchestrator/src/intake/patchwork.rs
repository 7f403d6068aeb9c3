//! Series of a patchwork server, over its REST API.
//!
//! Its mboxes are not used: patchwork adds the trailers of replies to the messages in them. The mails are put together
//! again from the headers, the text and the diff that it keeps.

use std::collections::BTreeMap;

use camino::Utf8Path;
use serde::Deserialize;
use url::Url;

use super::archive::{Haul, quote};
use super::error::SourceTrouble;
use super::fetch::Intake;
use super::page;
use super::wanted::PatchworkItem;
use crate::series;

/// Most patches of a series that are fetched.
const PATCH_LIMIT: usize = 500;
/// Headers that are put into a mail, in this order.
const HEADERS: [&str; 9] =
    ["From", "To", "Cc", "Date", "Subject", "Message-ID", "In-Reply-To", "References", "Reply-To"];

/// A header may stand several times.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

/// What a list or a series names.
#[derive(Debug, Deserialize)]
struct Entry {
    id: u64,
    #[serde(default)]
    series: Vec<Numbered>,
}

#[derive(Debug, Deserialize)]
struct Numbered {
    id: u64,
}

#[derive(Debug, Deserialize)]
struct SeriesEntry {
    cover_letter: Option<Entry>,
    patches: Vec<Entry>,
}

/// A patch or a cover letter.
#[derive(Debug, Deserialize)]
struct Letter {
    headers: BTreeMap<String, OneOrMore>,
    content: Option<String>,
    diff: Option<String>,
    #[serde(default)]
    series: Vec<Numbered>,
}

impl Letter {
    /// The mail as it was posted, as far as patchwork keeps it.
    fn mail(&self) -> String {
        let mut text = String::from("From patchwork Mon Sep 17 00:00:00 2001\n");
        for name in HEADERS {
            let found = self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
            let values: Vec<&String> = match found.map(|(_, value)| value) {
                None => Vec::new(),
                Some(OneOrMore::One(value)) => vec![value],
                Some(OneOrMore::More(values)) => values.iter().take(1).collect(),
            };
            for value in values {
                // On one line: whatever stands in it cannot begin another header.
                let value = value.split_whitespace().collect::<Vec<_>>().join(" ");
                text.push_str(&format!("{name}: {value}\n"));
            }
        }
        text.push_str("Content-Type: text/plain; charset=utf-8\n\n");
        for part in [&self.content, &self.diff].into_iter().flatten() {
            for line in part.lines() {
                // As mboxrd quotes them.
                if line.trim_start_matches('>').starts_with("From ") {
                    text.push('>');
                }
                text.push_str(line);
                text.push('\n');
            }
        }
        text.push('\n');
        text
    }
}

async fn json<T: serde::de::DeserializeOwned>(intake: &Intake, address: &str) -> Result<T, SourceTrouble> {
    let answer = intake.http.send(intake.http.get(address), address, &intake.cancel).await?;
    if !answer.status.is_success() {
        return Err(SourceTrouble::NotFound(address.to_owned()));
    }
    serde_json::from_slice(&answer.bytes).map_err(|error| SourceTrouble::NoMails {
        address: address.to_owned(),
        what: match answer.bytes.trim_ascii_start().first() {
            Some(b'{' | b'[') => format!("it answered with JSON of another kind: {error}"),
            Some(_) | None => page::explain(&answer.bytes, address),
        },
    })
}

fn api(server: &Url, path: &str) -> String {
    format!("{}/api/1.2/{path}", server.as_str().trim_end_matches('/'))
}

/// The series in which a mail is.
pub(super) async fn by_message(intake: &Intake, server: &Url, project: &str, id: &str) -> Result<Haul, SourceTrouble> {
    for kind in ["patches", "covers"] {
        let found: Vec<Entry> =
            json(intake, &api(server, &format!("{kind}/?project={}&msgid={}", quote(project), quote(id)))).await?;
        if let Some(series) = found.first().and_then(|entry| entry.series.last()) {
            return by_series(intake, server, series.id).await;
        }
    }
    Err(SourceTrouble::NotFound(format!("<{id}> in project {project}")))
}

/// A series, or that of a patch.
pub(super) async fn by_item(intake: &Intake, server: &Url, item: PatchworkItem) -> Result<Haul, SourceTrouble> {
    match item {
        PatchworkItem::Series(number) => by_series(intake, server, number).await,
        PatchworkItem::Patch(number) => {
            let patch: Letter = json(intake, &api(server, &format!("patches/{number}/"))).await?;
            let none = || SourceTrouble::NotFound(format!("a series of patch {number}"));
            by_series(intake, server, patch.series.last().ok_or_else(none)?.id).await
        }
    }
}

async fn by_series(intake: &Intake, server: &Url, number: u64) -> Result<Haul, SourceTrouble> {
    let address = api(server, &format!("series/{number}/"));
    let entry: SeriesEntry = json(intake, &address).await?;
    if entry.patches.len() > PATCH_LIMIT {
        let what = format!("it lists {} patches, more than {PATCH_LIMIT}", entry.patches.len());
        return Err(SourceTrouble::NoMails { address, what });
    }
    let cover = entry.cover_letter.iter().map(|cover| ("covers", cover.id));
    let patches = entry.patches.iter().map(|patch| ("patches", patch.id));
    let mut mbox = String::new();
    for (kind, id) in cover.chain(patches) {
        let letter: Letter = json(intake, &api(server, &format!("{kind}/{id}/"))).await?;
        mbox.push_str(&letter.mail());
        if mbox.len() as u64 > intake.limits.plain {
            return Err(SourceTrouble::TooLarge { address, limit: intake.limits.plain });
        }
    }
    let mails = series::mails(Utf8Path::new(&address), mbox.as_bytes())
        .map_err(|error| SourceTrouble::NoMails { address: address.clone(), what: error.to_string() })?;
    Ok(Haul { mails, notes: Vec::new() })
}

/// The mail that an answer makes, for fuzzing.
#[cfg(any(test, feature = "fuzz"))]
pub(super) fn fuzz_letter(answer: &[u8]) -> Option<String> {
    serde_json::from_slice::<Letter>(answer).ok().map(|letter| letter.mail())
}
