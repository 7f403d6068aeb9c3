//! The head of the answer: safe whatever the answered mail holds.

use mail_builder::MessageBuilder;
use mail_builder::headers::address::Address;
use mail_builder::headers::content_type::ContentType;
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

/// Longest line of a body that is sent as it is (RFC 5322 allows 998 bytes).
const MAX_LINE: usize = 990;

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
    let mut builder = MessageBuilder::new().from(addresses(&[head.from])).to(addresses(&head.to));
    if !head.cc.is_empty() {
        builder = builder.cc(addresses(&head.cc));
    }
    let builder = builder
        .header("Subject", text(head.subject))
        .date(date::Date::new(head.date))
        .message_id(head.message_id.to_owned())
        .in_reply_to(head.parent.message_id.clone())
        .references(MessageId::new_list(references(head.parent).into_iter()))
        // Keeps holiday notices away (RFC 3834). `Precedence: bulk` would, too, but lists throw such mail away.
        .header("Auto-Submitted", Raw::new("auto-generated"))
        .header("X-Mailer", Raw::new(concat!("orchestrator ", env!("CARGO_PKG_VERSION"))))
        .header("X-Orchestrator-Run", text(visible(head.run)));
    let kind = ContentType::new("text/plain").attribute("charset", "utf-8");
    let part = if body.is_ascii() && body.lines().all(|line| line.len() <= MAX_LINE) {
        // As it is, for those who read mail raw.
        MimePart::new(kind, body.replace('\n', "\r\n")).transfer_encoding("7bit")
    } else {
        MimePart::new(kind, body.to_owned())
    };
    Ok(builder.body(part).write_to_string().expect("a string takes every write"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn envelope(subject: &str, references: Vec<String>) -> Envelope {
        Envelope {
            message_id: "parent@example.org".into(),
            subject: subject.into(),
            from: Person { name: String::new(), email: "a@example.org".into() },
            to: Vec::new(),
            cc: Vec::new(),
            references,
            date: None,
        }
    }

    fn mail(subject_of_parent: &str, name: &str, references: Vec<String>, body: &str) -> String {
        let parent = envelope(subject_of_parent, references);
        let person = Person { name: name.into(), email: "a@example.org".into() };
        let head = Head {
            message_id: "own@example.org",
            from: &person,
            to: vec![&person],
            cc: vec![&person],
            subject: subject(subject_of_parent),
            parent: &parent,
            date: 1_775_040_000,
            run: name,
        };
        write(head, body).unwrap()
    }

    #[test]
    fn one_re_is_enough() {
        for (parent, expected) in [
            ("[PATCH v6 0/3] mm: x", "Re: [PATCH v6 0/3] mm: x"),
            ("Re: RE:re: [PATCH] x", "Re: [PATCH] x"),
            ("Reword a comment", "Re: Reword a comment"),
            ("", "Re: "),
            ("x\r\nBcc: victim@example.org", "Re: x Bcc: victim@example.org"),
            ("=?utf-8?q?x?=", "Re: = ?utf-8?q?x?="),
            ("ré", "Re: ré"),
        ] {
            assert_eq!(subject(parent), expected);
        }
    }

    #[test]
    fn references_end_with_the_answered_mail_and_are_bounded() {
        let own = |n: usize| format!("{n}@example.org");
        assert_eq!(references(&envelope("", Vec::new())), ["parent@example.org"]);
        let long: Vec<String> = (0..100).map(own).chain(["bad id@x".to_owned(), "no-at".to_owned()]).collect();
        let all = references(&envelope("", long));
        assert_eq!(all.len(), MAX_REFERENCES);
        assert_eq!((all[0].as_str(), all[1].as_str()), ("0@example.org", "82@example.org"));
        assert_eq!(all.last().map(String::as_str), Some("parent@example.org"));
    }

    #[test]
    fn a_message_id_that_no_header_can_hold_is_refused() {
        for id in ["", "no-at", "a@b>\r\nBcc: x@y", "a b@c", "\u{fc}@example.org", &format!("{}@x", "a".repeat(300))] {
            assert!(!is_message_id(id), "{id}");
        }
        assert!(is_message_id("20260316062407.3354636-1-x/y+z=@example.org"));
    }

    proptest! {
        #[test]
        fn nothing_breaks_out_of_the_head(
            subject_of_parent in "(?s).{0,200}",
            name in "(?s).{0,80}",
            id in "(?s).{0,60}",
            body in "[ -~\n]{0,300}",
        ) {
            let text = mail(&subject_of_parent, &name, vec![id], &body);
            prop_assert!(text.is_ascii(), "{text}");
            prop_assert!(!text.replace("\r\n", "").contains(['\r', '\n', '\0']), "{text:?}");
            prop_assert!(text.split("\r\n").all(|line| line.len() <= 998));
            let (head, _) = text.split_once("\r\n\r\n").unwrap();
            let names: Vec<&str> = head
                .split("\r\n")
                .filter(|line| !line.starts_with([' ', '\t']))
                .map(|line| line.split_once(':').map_or(line, |(name, _)| name))
                .collect();
            let expected = [
                "From", "To", "Cc", "Subject", "Date", "Message-ID", "In-Reply-To", "References", "Auto-Submitted",
                "X-Mailer", "X-Orchestrator-Run", "MIME-Version", "Content-Type", "Content-Transfer-Encoding",
            ];
            prop_assert_eq!(names, expected);
            let parsed = mail_parser::MessageParser::default().parse(text.as_bytes()).unwrap();
            prop_assert_eq!(parsed.message_id(), Some("own@example.org"));
            let words = |text: &str| text.split_whitespace().collect::<String>();
            prop_assert_eq!(words(parsed.subject().unwrap()), words(&subject(&subject_of_parent)));
            let to = parsed.to().unwrap().first().unwrap();
            prop_assert_eq!(to.address(), Some("a@example.org"));
            prop_assert_eq!(parsed.body_text(0).unwrap().replace("\r\n", "\n"), body);
        }
    }
}
