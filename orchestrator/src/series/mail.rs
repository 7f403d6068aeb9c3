//! Decoding one mail.

use camino::Utf8Path;
use mail_parser::{
    Address, DateTime, Encoding, HeaderName, HeaderValue, Message, MessageParser, MessagePart, MimeHeaders, PartType,
};

use super::split::RawMail;
use super::subject::{self, Subject};
use crate::words::{Date, Envelope, Origin, Person};

/// Deepest mail within a mail that is opened.
const NESTING_LIMIT: usize = 3;

/// One line of the text of a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Line of the file.
    pub number: usize,
    /// The line without its end.
    pub text: String,
}

/// A mail: what `git am` looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// Where it begins.
    pub origin: Origin,
    /// Its subject.
    pub subject: Subject,
    /// Sender, where there is one.
    pub from: Option<Person>,
    /// Date, where there is one that can be read.
    pub date: Option<Date>,
    /// Message-ID.
    pub message_id: Option<String>,
    /// What a reply needs, when there is a Message-ID.
    pub envelope: Option<Envelope>,
    /// Sent as `format=flowed`.
    pub flowed: bool,
    /// Its text: all parts that are text, one after the other.
    pub lines: Vec<Line>,
}

impl Mail {
    /// True for a posted patch or cover letter: no reply, and numbered or with a diff under a prefix.
    pub fn is_posted(&self) -> bool {
        let numbered = self.subject.position.is_some() || self.subject.odd_position.is_some();
        !self.subject.reply && (numbered || (self.subject.prefixed && !super::body::parse(&self.lines).diff.is_empty()))
    }
}

/// Decodes a mail and the mails it holds. Nothing when it has neither sender nor subject: then it is no mail.
pub(super) fn read(file: &Utf8Path, raw: &RawMail) -> Vec<Mail> {
    read_nested(file, raw, NESTING_LIMIT)
}

fn read_nested(file: &Utf8Path, raw: &RawMail, depth: usize) -> Vec<Mail> {
    let Some(message) = MessageParser::default().parse(&raw.bytes) else { return Vec::new() };
    if message.header(HeaderName::From).is_none() && message.header(HeaderName::Subject).is_none() {
        return Vec::new();
    }
    let mut mail = Mail {
        origin: Origin { file: file.to_owned(), line: raw.line },
        subject: subject::parse(message.subject().unwrap_or_default()),
        from: author(&message),
        date: message.date().and_then(date),
        message_id: message.message_id().map(str::to_owned),
        envelope: envelope(&message),
        flowed: false,
        lines: Vec::new(),
    };
    let mut inner = Vec::new();
    for part in &message.parts {
        let is_patch_file = is_patch_file(part);
        match &part.body {
            PartType::Text(text) if is_plain(part) || is_patch_file => {
                let lines = text_lines(raw, part, text);
                add(&mut mail, &mut inner, file, part, lines, is_patch_file);
            }
            PartType::Binary(bytes) | PartType::InlineBinary(bytes) if is_patch_file => {
                let lines = text_lines(raw, part, &String::from_utf8_lossy(bytes));
                add(&mut mail, &mut inner, file, part, lines, is_patch_file);
            }
            PartType::Message(nested) if depth > 0 => {
                inner.extend(read_nested(file, &nested_mail(raw, part, nested), depth - 1));
            }
            PartType::Text(_)
            | PartType::Html(_)
            | PartType::Binary(_)
            | PartType::InlineBinary(_)
            | PartType::Message(_)
            | PartType::Multipart(_) => (),
        }
    }
    inner.insert(0, mail);
    inner
}

/// Adds a part's text to the mail; a patch file that is a mail of its own (as git format-patch writes it) becomes one.
fn add(
    mail: &mut Mail,
    inner: &mut Vec<Mail>,
    file: &Utf8Path,
    part: &MessagePart<'_>,
    lines: Vec<Line>,
    is_file: bool,
) {
    let headers = lines.iter().take_while(|line| !line.text.is_empty());
    let is_mail = is_file && headers.clone().any(|line| line.text.starts_with("From: "));
    if is_mail && headers.clone().any(|line| line.text.starts_with("Subject: ")) {
        let number = lines.first().map_or(mail.origin.line, |line| line.number);
        let skip = usize::from(lines[0].text.starts_with("From ") && !lines[0].text.starts_with("From:"));
        let text: String = lines[skip..].iter().map(|line| format!("{}\n", line.text)).collect();
        let raw = RawMail { line: number, header_line: number + skip, bytes: text.into_bytes() };
        inner.extend(read_nested(file, &raw, 0));
        return;
    }
    let flowed = part.content_type().and_then(|kind| kind.attribute("format"));
    mail.flowed |= flowed.is_some_and(|format| format.eq_ignore_ascii_case("flowed"));
    mail.lines.extend(lines);
}

fn is_plain(part: &MessagePart<'_>) -> bool {
    part.content_type().is_none_or(|kind| kind.ctype() == "text" && kind.subtype() == Some("plain"))
}

fn is_patch_file(part: &MessagePart<'_>) -> bool {
    let by_type = part
        .content_type()
        .and_then(|kind| kind.subtype())
        .is_some_and(|kind| matches!(kind, "x-patch" | "x-diff" | "patch" | "diff"));
    let by_name = part
        .attachment_name()
        .is_some_and(|name| [".patch", ".diff"].iter().any(|end| name.to_lowercase().ends_with(end)));
    by_type || by_name
}

/// The lines of a part with their numbers in the file. Where the body is encoded, a decoded line has the number of
/// the line it ends on (quoted-printable), or simply its own count (base64).
fn text_lines(raw: &RawMail, part: &MessagePart<'_>, decoded: &str) -> Vec<Line> {
    let begin = part.offset_body as usize;
    let source = raw.bytes.get(begin..part.offset_end as usize).unwrap_or_default();
    let before = raw.bytes.get(..begin).unwrap_or_default();
    let first = raw.header_line + before.iter().filter(|byte| **byte == b'\n').count();
    // Mails often say nothing of their character set, or say us-ascii, and are UTF-8.
    let charset =
        part.content_type().and_then(|kind| kind.attribute("charset")).unwrap_or("utf-8").to_ascii_lowercase();
    let plain = part.encoding == Encoding::None && matches!(charset.as_str(), "utf-8" | "utf8" | "us-ascii" | "ascii");
    let text = match std::str::from_utf8(source) {
        Ok(source) if plain => source,
        Ok(_) | Err(_) => decoded,
    };
    let mut ends: Box<dyn Iterator<Item = usize>> = match part.encoding {
        Encoding::None | Encoding::Base64 => Box::new(0..),
        Encoding::QuotedPrintable => {
            let hard = |line: &&[u8]| !line.trim_ascii_end().ends_with(b"=");
            let ends: Vec<usize> = source
                .split(|byte| *byte == b'\n')
                .enumerate()
                .filter(|(_, line)| hard(line))
                .map(|(at, _)| at)
                .collect();
            Box::new(ends.into_iter())
        }
    };
    let mut number = first;
    text.lines()
        .map(|text| {
            number = ends.next().map_or(number, |end| first + end);
            Line { number, text: text.to_owned() }
        })
        .collect()
}

fn nested_mail(raw: &RawMail, part: &MessagePart<'_>, nested: &Message<'_>) -> RawMail {
    let begin = part.offset_body as usize;
    let bytes = match part.encoding {
        Encoding::None => raw.bytes.get(begin..part.offset_end as usize).unwrap_or_default(),
        Encoding::QuotedPrintable | Encoding::Base64 => nested.raw_message(),
    };
    let before = raw.bytes.get(..begin).unwrap_or_default();
    let line = raw.header_line + before.iter().filter(|byte| **byte == b'\n').count();
    RawMail { line, header_line: line, bytes: bytes.to_vec() }
}

/// Sender, subject and date as they stand at the top of a mail's text; each overrides the mail's own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct InBody {
    pub(super) from: Option<Person>,
    pub(super) subject: Option<String>,
    pub(super) date: Option<Date>,
}

/// Reads a block of `From:`, `Subject:` and `Date:` lines.
pub(super) fn in_body(block: &str) -> InBody {
    let block = format!("{}\n\n", block.trim_end());
    let Some(message) = MessageParser::default().parse_headers(&block) else { return InBody::default() };
    InBody {
        from: author(&message),
        subject: message.subject().map(|text| subject::parse(text).title).filter(|title| !title.is_empty()),
        date: message.date().and_then(date).or_else(|| {
            let text = block
                .lines()
                .find_map(|line| line.get(..5).filter(|key| key.eq_ignore_ascii_case("date:")).map(|_| &line[5..]))?;
            iso_date(text.trim())
        }),
    }
}

/// The one person in `From:`. git writes names with commas unquoted into bodies; read by the book, they are a list.
fn author(message: &Message<'_>) -> Option<Person> {
    let mut addresses = message.from().into_iter().flat_map(Address::iter);
    let person = match (addresses.next(), addresses.next()) {
        (Some(only), None) => {
            let name = clean(only.name.as_deref().unwrap_or_default());
            Person { name, email: clean(only.address.as_deref()?) }
        }
        (None | Some(_), _) => {
            let (name, rest) = message.header_raw(HeaderName::From)?.rsplit_once('<')?;
            let name = format!("Subject: {}\n\n", clean(name).trim_matches('"'));
            let name = MessageParser::default().parse_headers(&name)?.subject().map(clean).unwrap_or_default();
            Person { name, email: clean(rest.split_once('>')?.0) }
        }
    };
    (!person.email.is_empty()).then_some(person)
}

/// The head of a mail that can be replied to.
fn envelope(message: &Message<'_>) -> Option<Envelope> {
    let people = |address: Option<&Address<'_>>| {
        let all = address.into_iter().flat_map(Address::iter);
        let person = |one: &mail_parser::Addr<'_>| {
            Some(Person { name: clean(one.name().unwrap_or_default()), email: clean(one.address()?) })
        };
        all.filter_map(person).filter(|person| !person.email.is_empty()).collect::<Vec<_>>()
    };
    let ids = |value: &HeaderValue<'_>| {
        let ids = value.as_text_list().unwrap_or_default().iter().map(|id| clean(id));
        ids.filter(|id| !id.is_empty()).collect::<Vec<_>>()
    };
    let mut references = ids(message.references());
    if let [parent] = ids(message.in_reply_to()).as_slice()
        && !references.contains(parent)
    {
        references.push(parent.clone());
    }
    Some(Envelope {
        message_id: clean(message.message_id()?),
        subject: clean(message.subject().unwrap_or_default()),
        from: author(message)?,
        to: people(message.to()),
        cc: people(message.cc()),
        references,
        date: message.date().and_then(date),
    })
}

/// A header's text on one line, with single spaces.
fn clean(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn date(date: &DateTime) -> Option<Date> {
    let offset = i32::from(date.tz_hour) * 60 + i32::from(date.tz_minute);
    let sane = date.year >= 1970 && (1..=12).contains(&date.month) && (1..=31).contains(&date.day) && date.hour < 24;
    (sane && offset < 24 * 60).then(|| Date {
        seconds: date.to_timestamp(),
        offset_minutes: if date.tz_before_gmt { -offset } else { offset },
    })
}

/// `2026-03-16 07:24:00 +0100`, as `git log --date=iso` prints it.
fn iso_date(text: &str) -> Option<Date> {
    let time = jiff::fmt::strtime::parse("%Y-%m-%d %H:%M:%S %z", text).ok()?;
    let stamp = time.to_timestamp().ok()?;
    Some(Date { seconds: stamp.as_second(), offset_minutes: time.offset()?.seconds() / 60 })
}

#[cfg(test)]
#[path = "mail_tests.rs"]
mod tests;
