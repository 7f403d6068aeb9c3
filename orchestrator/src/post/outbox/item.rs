//! What is to be sent.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Version of `item.json` and `records.json`.
pub const FORMAT: u32 = 1;

/// Kinds of delivery. The list is closed; each has its [`Courier`](super::Courier) and its type of payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A mail.
    Mail,
    /// A check of one patch in a patchwork project.
    PatchworkCheck,
    /// A status of a commit on GitHub.
    GithubStatus,
    /// A check run of a commit on GitHub.
    GithubCheckRun,
    /// The one comment on a pull request on GitHub.
    GithubComment,
    /// An issue on GitHub.
    GithubIssue,
    /// Results for KCIDB.
    Kcidb,
}

impl Kind {
    /// The word as it stands in files and ids.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Mail => "mail",
            Kind::PatchworkCheck => "patchwork-check",
            Kind::GithubStatus => "github-status",
            Kind::GithubCheckRun => "github-check-run",
            Kind::GithubComment => "github-comment",
            Kind::GithubIssue => "github-issue",
            Kind::Kcidb => "kcidb",
        }
    }
}

/// What a message speaks about and what it says of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// Kind of delivery.
    pub kind: Kind,
    /// What it speaks about, and where: `<series identity>/v6`, `<server>/<patch id>/<context>`. A newer message on a
    /// topic takes the place of older ones that have not left.
    pub topic: String,
    /// What it says, as a hash or a word: the same fingerprint as the last message on the topic is not said again.
    pub fingerprint: String,
}

/// Id of a message: `<kind>-<20 hex digits>`, the name of its folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ItemId(String);

impl ItemId {
    /// The id of a message on a subject that follows `previous`, the last one on its topic that has left (a verdict
    /// that comes back after another one is a new message). The same input gives the same id on every host.
    pub fn of(subject: &Subject, previous: Option<&ItemId>) -> ItemId {
        let mut hasher = blake3::Hasher::new();
        let previous = previous.map_or("", ItemId::as_str);
        for part in [subject.kind.word(), &subject.topic, &subject.fingerprint, previous] {
            hasher.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes());
        }
        let hash = hasher.finalize().to_hex();
        ItemId(format!("{}-{}", subject.kind.word(), &hash.as_str()[..20]))
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for ItemId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// A message that is not in the outbox yet.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    /// What it speaks about and says.
    pub subject: Subject,
    /// Run it comes from.
    pub run: String,
    /// One line for people: the subject of a mail, the name and state of a check.
    pub title: String,
    /// Where it goes, one line for people.
    pub destination: String,
    /// All that is sent, of the kind's own type.
    pub payload: serde_json::Value,
}

/// A message in the outbox, `item.json`. It never changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Item {
    /// Always [`FORMAT`].
    pub format: u32,
    /// Its id.
    pub id: ItemId,
    /// Place in the order in which messages came into the outbox, from 1.
    pub sequence: u64,
    /// When it came, in milliseconds since the Unix epoch.
    pub created: i64,
    /// What it speaks about and says.
    #[serde(flatten)]
    pub subject: Subject,
    /// Run it comes from.
    pub run: String,
    /// One line for people.
    pub title: String,
    /// Where it goes, one line for people.
    pub destination: String,
    /// All that is sent, of the kind's own type.
    pub payload: serde_json::Value,
}

impl Item {
    /// The payload as the kind's own type.
    ///
    /// # Errors
    /// When it is not of that type: another version of the program wrote it.
    pub fn payload<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        T::deserialize(&self.payload)
    }
}
