//! The policy in force: the shipped file with the user's own laid over it.

use std::collections::BTreeMap;

use super::file::{Audience, GitSendEmailEntry, ListsFile, PolicyEntry, SmtpEntry, When};
use crate::words::Person;

/// Who mails come from, and the domain of their Message-IDs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender {
    /// Name and address.
    pub person: Person,
    /// Right side of Message-IDs.
    pub domain: String,
}

/// The policy in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lists {
    /// Who mails come from; without it mails are shown and never sent.
    pub sender: Option<Sender>,
    /// Address of a public-inbox with the mails, ending in `/`.
    pub archive: Option<String>,
    /// Mail server.
    pub smtp: Option<SmtpEntry>,
    /// `git send-email`.
    pub git_send_email: Option<GitSendEmailEntry>,
    /// For mails that went to no list that is known.
    pub default: PolicyEntry,
    /// By the list's address in lower case.
    pub lists: BTreeMap<String, PolicyEntry>,
}

impl Lists {
    /// Lays `own` over `shipped`: what it names counts, list by list.
    pub(super) fn merge(shipped: ListsFile, own: ListsFile) -> Lists {
        let cautious = PolicyEntry { when: When::Findings, audience: Audience::Author, moderation: true };
        let domain = own.message_id_domain.or(shipped.message_id_domain);
        let sender = own.sender.or(shipped.sender).map(|sender| Sender {
            domain: domain.unwrap_or_else(|| sender.email.rsplit('@').next().unwrap_or_default().to_owned()),
            person: Person { name: sender.name, email: sender.email },
        });
        let lists = shipped.lists.into_iter().chain(own.lists);
        Lists {
            sender,
            archive: own.archive.or(shipped.archive).map(|archive| format!("{}/", archive.trim_end_matches('/'))),
            smtp: own.smtp.or(shipped.smtp),
            git_send_email: own.git_send_email.or(shipped.git_send_email),
            default: own.default.or(shipped.default).unwrap_or(cautious),
            lists: lists.map(|(address, policy)| (address.to_lowercase(), policy)).collect(),
        }
    }

    /// Address of a mail in the archive, for people.
    pub fn link(&self, message_id: &str) -> Option<String> {
        let archive = self.archive.as_ref()?;
        Some(format!("{archive}{}/", quote(message_id)))
    }
}

/// A Message-ID as part of an address: all but unreserved characters and `@` percent-quoted, as archives write it.
pub fn quote(message_id: &str) -> String {
    const KEPT: percent_encoding::AsciiSet = percent_encoding::NON_ALPHANUMERIC
        .remove(b'-')
        .remove(b'.')
        .remove(b'_')
        .remove(b'~')
        .remove(b'@')
        .remove(b'+')
        .remove(b'=');
    percent_encoding::utf8_percent_encode(message_id, &KEPT).to_string()
}
