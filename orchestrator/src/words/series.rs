//! A series: a named, versioned set of patches with its cover letter.

use camino::Utf8PathBuf;
use serde::{Deserialize, Serialize};

/// Somebody named in a mail header or a commit.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Person {
    /// Display name; may be empty when only an address was given.
    pub name: String,
    /// Address without angle brackets.
    pub email: String,
}

/// Author date of a patch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Date {
    /// Seconds since the Unix epoch.
    pub seconds: i64,
    /// Offset east of UTC in minutes.
    pub offset_minutes: i32,
}

/// Where a patch was read from, for messages: a file and the line its mail starts on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// File (mbox, patch file) or `<repository>` for a range of commits.
    pub file: Utf8PathBuf,
    /// First line of the mail in that file, counted from 1; 0 when it has no line (a commit).
    pub line: usize,
}

/// The head of a posted mail: what a reply to it needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// Message-ID without angle brackets.
    pub message_id: String,
    /// The whole subject as posted, prefix included: `[PATCH v6 2/6] mm: unify ...`.
    pub subject: String,
    /// Sender.
    pub from: Person,
    /// Recipients.
    pub to: Vec<Person>,
    /// Recipients of copies.
    pub cc: Vec<Person>,
    /// Message-IDs of the mails above it, the nearest last: `References:`, and `In-Reply-To:` where that lacks it.
    pub references: Vec<String>,
    /// When it was sent.
    pub date: Option<Date>,
}

/// One patch, as the mail (or commit) gave it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Patch {
    /// Position in the series, counted from 1.
    pub number: usize,
    /// How many patches the series has.
    pub total: usize,
    /// Subject without the `[PATCH ...]` prefix.
    pub subject: String,
    /// Author: the in-body `From:` when present, else the sender.
    pub author: Person,
    /// Author date.
    pub date: Date,
    /// Commit message below the subject: body and trailers, without the `---` part.
    pub message: String,
    /// The diff, exactly as sent, from the first `diff --git` (or `---`) line on.
    pub diff: String,
    /// Line of the first line of `diff` inside [`Origin::file`], counted from 1.
    pub diff_line: usize,
    /// Message-ID without angle brackets.
    pub message_id: Option<String>,
    /// Where it was read.
    pub origin: Origin,
    /// The head of its mail, when it was a mail with a Message-ID.
    #[serde(default)]
    pub envelope: Option<Envelope>,
}

/// The cover letter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cover {
    /// Subject without prefix.
    pub subject: String,
    /// Sender.
    pub author: Person,
    /// Whole body.
    pub body: String,
    /// Message-ID without angle brackets.
    pub message_id: Option<String>,
    /// The head of its mail, when it was a mail with a Message-ID.
    #[serde(default)]
    pub envelope: Option<Envelope>,
}

/// A version of a series that was found in an archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PostedVersion {
    /// The `6` of `[PATCH v6 0/3]`; 1 where the prefix has none.
    pub version: u32,
    /// Message-ID of its cover letter, else of its first patch, without angle brackets.
    pub message_id: String,
    /// Subject of that mail without its prefix.
    pub subject: String,
    /// When that mail was sent.
    pub date: Option<Date>,
}

/// A trailer that somebody gave in a reply. It is reported and never applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceivedTrailer {
    /// Number of the patch that it was given to; `None` when it was given to the cover letter, that is to all.
    pub patch: Option<usize>,
    /// `Reviewed-by: Name <address>`.
    pub trailer: String,
    /// Sender of the reply.
    pub from: Person,
    /// Message-ID of the reply, without angle brackets.
    pub message_id: String,
}

/// Where a series was posted and what its thread and archive say of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Posting {
    /// Name of the source in `series/sources.yaml`: `lore`.
    pub source: String,
    /// Address of the cover letter (else of the first patch) for people: `https://lore.kernel.org/r/<message-id>`.
    pub url: Option<String>,
    /// All versions found, this one included, oldest first.
    pub versions: Vec<PostedVersion>,
    /// Trailers given in replies to this version.
    pub trailers: Vec<ReceivedTrailer>,
    /// Numbers of the patches that were sent again by themselves (`[PATCH v3 2/6]` under v2) and taken in place of
    /// the first ones.
    pub rerolled: Vec<usize>,
}

/// What a series was ported from, when its patches are not the posted mails.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upstream {
    /// Title of the posted series.
    pub title: String,
    /// Version of the posted series, e.g. 6.
    pub version: u32,
    /// Message-ID of the posted cover letter, without angle brackets.
    pub message_id: String,
    /// Names of the trees to which the posted mails apply.
    pub trees: Vec<String>,
}

/// A complete, ordered, vetted-for-shape series.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Series {
    /// What the user calls it: `v6`, a file stem, a range.
    pub name: String,
    /// Title: the cover's subject, else the first patch's.
    pub title: String,
    /// Version from the `[PATCH vN ...]` prefix, where it has one.
    pub version: Option<u32>,
    /// Tree to use when the user names none.
    pub default_tree: Option<String>,
    /// Present when `patches` are a port: what was posted.
    pub upstream: Option<Upstream>,
    /// The cover letter, when there is one.
    pub cover: Option<Cover>,
    /// `change-id:` trailer.
    pub change_id: Option<String>,
    /// `base-commit:` trailer (40 hex digits).
    pub base_commit: Option<String>,
    /// `prerequisite-patch-id:` trailers in order.
    pub prerequisites: Vec<String>,
    /// `prerequisite-change-id:` trailers in order, each `<change-id>:v<version>` as b4 writes them.
    #[serde(default)]
    pub prerequisite_changes: Vec<String>,
    /// `prerequisite-message-id:` trailers in order, without angle brackets.
    #[serde(default)]
    pub prerequisite_messages: Vec<String>,
    /// The patches in order 1..=n, none missing.
    pub patches: Vec<Patch>,
    /// Where it was posted, when it was taken from an archive.
    #[serde(default)]
    pub posting: Option<Posting>,
    /// What the reader set aside or repaired, one sentence each (replies, duplicates, wrong order).
    pub notes: Vec<String>,
}
