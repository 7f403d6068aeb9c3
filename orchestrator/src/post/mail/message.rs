//! From a report to a mail.

use serde::{Deserialize, Serialize};

use super::body::{self, Said};
use super::headers::{self, Head};
use super::standing::Standing;
use super::thread::{MailError, Parent};
use crate::post::lists::{Lists, Recipients, Sender, Verdict};
use crate::report::Report;
use crate::report::harmless::harmless;
use crate::words::Series;

/// An earlier mail about the same version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Previous {
    /// Its Message-ID.
    pub message_id: String,
    /// What it said.
    pub standing: Standing,
}

/// All that a mail is made from.
pub struct Mail<'a> {
    /// What the run found.
    pub report: &'a Report,
    /// What was tested.
    pub series: &'a Series,
    /// The policy.
    pub lists: &'a Lists,
    /// Who it comes from.
    pub sender: &'a Sender,
    /// The mail that is answered.
    pub parent: &'a Parent,
    /// Who gets it.
    pub recipients: &'a Recipients,
    /// What was said before about this version.
    pub previous: Option<&'a Previous>,
    /// What stands now.
    pub standing: &'a Standing,
    /// Its Message-ID, without angle brackets.
    pub message_id: &'a str,
    /// When it is written, in seconds since the Unix epoch.
    pub date: i64,
}

/// A mail ready to be sent: the payload of the outbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Its Message-ID, without angle brackets.
    pub message_id: String,
    /// Address that the mail server is told as the sender's.
    pub from: String,
    /// Name and address in `From:`.
    pub sender: String,
    /// Addresses in `To:`.
    pub to: Vec<String>,
    /// Addresses in `Cc:`.
    pub cc: Vec<String>,
    /// The mail, head and body, ASCII with CRLF at the end of lines.
    pub text: String,
    /// What it says, to compare later ones with.
    pub standing: Standing,
}

impl Standing {
    /// What the policies of lists make of it, given what was said before.
    pub fn verdict(&self, previous: Option<&Previous>) -> Verdict {
        match (self.findings.is_empty(), previous.is_some_and(|previous| !previous.standing.findings.is_empty())) {
            (false, _) => Verdict::Findings,
            (true, true) => Verdict::Retracted,
            (true, false) => Verdict::Clean,
        }
    }
}

/// Writes the mail.
///
/// # Errors
/// When the answered mail's Message-ID cannot stand in a header.
pub fn compose(mail: &Mail<'_>) -> Result<Message, MailError> {
    let report = harmless(mail.report);
    let said = Said {
        report: &report,
        series: mail.series,
        lists: mail.lists,
        sender: mail.sender,
        parent: mail.parent,
        previous: mail.previous,
        standing: mail.standing,
        message_id: mail.message_id,
    };
    let people = |choices: &'_ [crate::post::lists::Choice]| {
        choices.iter().map(|choice| choice.person.email.clone()).collect::<Vec<_>>()
    };
    let head = Head {
        message_id: mail.message_id,
        from: &mail.sender.person,
        to: mail.recipients.to.iter().map(|choice| &choice.person).collect(),
        cc: mail.recipients.cc.iter().map(|choice| &choice.person).collect(),
        subject: headers::subject(&mail.parent.envelope.subject),
        parent: &mail.parent.envelope,
        date: mail.date,
        run: &report.run.id,
    };
    let person = &mail.sender.person;
    Ok(Message {
        message_id: mail.message_id.to_owned(),
        from: person.email.clone(),
        sender: format!("{} <{}>", person.name, person.email),
        to: people(&mail.recipients.to),
        cc: people(&mail.recipients.cc),
        text: headers::write(head, &body::body(&said))?,
        standing: mail.standing.clone(),
    })
}
