//! The file as written.

use std::collections::BTreeMap;

use camino::Utf8PathBuf;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The file `series/lists.yaml`, or the user's own `lists.yaml`, which says what it wants otherwise.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListsFile {
    /// Who the mails come from. Nothing is sent without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sender: Option<SenderEntry>,
    /// Right side of the Message-IDs of our mails, a domain of yours [default: that of the sender's address].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id_domain: Option<String>,
    /// Address of a public-inbox with the mails, such as `https://lore.kernel.org/all/`: links lead there, and an
    /// interrupted delivery is looked up there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archive: Option<String>,
    /// Mail server that takes our mails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub smtp: Option<SmtpEntry>,
    /// Hand mails to `git send-email`, which knows its mail server from git's configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git_send_email: Option<GitSendEmailEntry>,
    /// What holds for a mail that went to none of the lists below.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<PolicyEntry>,
    /// What holds for a mail that went to a list, by the list's address.
    #[serde(default)]
    pub lists: BTreeMap<String, PolicyEntry>,
}

/// The sender of our mails.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SenderEntry {
    /// Name, such as `Example test robot`.
    pub name: String,
    /// Address. Somebody should read what is written to it.
    pub email: String,
}

/// What a list wants to hear.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyEntry {
    /// When to write.
    pub when: When,
    /// Whom to write to.
    pub audience: Audience,
    /// True when a person has to approve each mail (`orchestrator outbox approve`).
    pub moderation: bool,
}

/// When to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum When {
    /// Never.
    Never,
    /// When there are findings, and when earlier ones are gone.
    Findings,
    /// Also when nothing speaks against the series.
    Always,
}

/// Whom to write to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Audience {
    /// The author of the mail that is answered, alone.
    Author,
    /// The author, and the list.
    List,
    /// Everyone whom that mail went to.
    Everyone,
}

/// A mail server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SmtpEntry {
    /// Host name, also in its certificate.
    pub host: String,
    /// Port [default: 587 for starttls, 465 for tls, 25 for none].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// How the connection is kept secret.
    pub security: Security,
    /// Name to greet with [default: the domain of the sender's address].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hello: Option<String>,
    /// Name to log in with. Needs `password_env` or `password_file`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Environment variable that holds the password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_env: Option<String>,
    /// Absolute path of a file that holds the password, readable by you alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub password_file: Option<Utf8PathBuf>,
    /// Absolute path of a PEM file with the certificate of a house's own authority; the host's own are trusted anyway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub ca_file: Option<Utf8PathBuf>,
}

/// How a connection to a mail server is kept secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Security {
    /// Encrypted after the greeting; never goes on without.
    Starttls,
    /// Encrypted from the start.
    Tls,
    /// Not at all: only for a server on this host (`localhost`, `127.0.0.1`, `::1`).
    None,
}

/// How `git send-email` is called.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GitSendEmailEntry {
    /// The section `sendemail.<identity>` of git's configuration to use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
}
