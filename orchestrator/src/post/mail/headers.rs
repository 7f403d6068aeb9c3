//! The head of the answer: safe whatever the answered mail holds.

use mail_builder::MessageBuilder;
use mail_builder::headers::address::Address;
use mail_builder::headers::message_id::MessageId;
use mail_builder::headers::raw::Raw;
use mail_builder::headers::text::Text;
use mail_builder::headers::{HeaderType, date};
use mail_builder::mime::MimePart;

use super::thread::MailError;
use crate::term::text::visible;
use crate::words::{Envelope, Person};

/// Longest subject, in characters.
const MAX_SUBJECT: usize = 400;

/// Message-IDs kept in `References`: the first, and the last of a long thread.
const MAX_REFERENCES: usize = 20;

/// Longest Message-ID, so that a header line stays within 998 bytes.
const MAX_ID: usize = 250;

/// What a header line is made from.
pub(super) struct Head<'a> {
    pub message_id: &'a str,
    pub from: &'a Person,
    pub to: Vec<&'a Person>,
    pub cc: Vec<&'a Person>,
    pub subject: String,
    pub parent: &'a Envelope,
    /// Seconds since the Unix epoch.
    pub date: i64,
    pub run: &'a str,
}

/// True for a Message-ID that can stand between angle brackets.
pub(super) fn is_message_id(id: &str) -> bool {
    let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '<' | '>');
    id.len() <= MAX_ID && id.contains('@') && id.chars().all(plain)
}

/// `Re: ` and the subject of the answered mail, with one `Re:` however many it had.
pub(super) fn subject(parent: &str) -> String {
    let mut rest = parent.trim();
    while rest.get(..3).is_some_and(|start| start.eq_ignore_ascii_case("re:")) {
        rest = rest[3..].trim_start();
    }
    let line: String = visible(rest).chars().take(MAX_SUBJECT).collect();
    // What looks like an encoded word would be shown as something else.
    format!("Re: {}", line.split_whitespace().collect::<Vec<_>>().join(" ").replace("=?", "= ?"))
}

/// `References`: those of the answered mail, and that mail.
pub(super) fn references(parent: &Envelope) -> Vec<String> {
    let mut all: Vec<String> = parent.references.iter().filter(|id| is_message_id(id)).cloned().collect();
    all.retain(|id| *id != parent.message_id);
    all.push(parent.message_id.clone());
    if all.len() > MAX_REFERENCES {
        all.drain(1..=all.len() - MAX_REFERENCES);
    }
    all
}

fn addresses(people: &[&Person]) -> Address<'static> {
    let one = |person: &&Person| {
        let name = visible(&person.name).replace("=?", "= ?");
        Address::new_address((!name.trim().is_empty()).then(|| name.trim().to_owned()), person.email.clone())
    };
    Address::new_list(people.iter().map(one).collect())
}

/// Folded where it is plain, encoded where it is not.
fn text(value: String) -> HeaderType<'static> {
    let folds = value.is_ascii() && value.split(' ').all(|word| word.len() < 60);
    if folds { Raw::new(value).into() } else { Text::new(value).into() }
}

/// The whole mail, head and body, with CRLF at the end of lines and nothing but ASCII.
///
/// # Errors
/// When a Message-ID cannot stand in a header.
pub(super) fn write(head: Head<'_>, body: &str) -> Result<String, MailError> {
    for id in [head.message_id, &head.parent.message_id] {
        if !is_message_id(id) {
            return Err(MailError::BadMessageId(visible(id)));
        }
    }
    let mut builder = MessageBuilder::new()
        .from(addresses(&[head.from]))
        .to(addresses(&head.to))
        .header("Subject", text(head.subject))
        .date(date::Date::new(head.date))
        .message_id(head.message_id.to_owned())
        .in_reply_to(head.parent.message_id.clone())
        .references(MessageId::new_list(references(head.parent).into_iter()))
        // Keeps holiday notices away (RFC 3834). `Precedence: bulk` would, too, but lists throw such mail away.
        .header("Auto-Submitted", Raw::new("auto-generated"))
        .header("X-Mailer", Raw::new(concat!("orchestrator ", env!("CARGO_PKG_VERSION"))))
        .header("X-Orchestrator-Run", text(visible(head.run)));
    if !head.cc.is_empty() {
        builder = builder.cc(addresses(&head.cc));
    }
    let part = MimePart::new(
        mail_builder::headers::content_type::ContentType::new("text/plain").attribute("charset", "utf-8"),
        body.to_owned(),
    );
    let mail = builder.body(part).write_to_string().expect("a string takes every write");
    Ok(mail)
}
