//! Messages and their state as text for a terminal.

use super::lists::{Choice, Recipients};
use super::mail::{Message, Parent};
use super::outbox::{Kept, Kind, Reception, Record, State};
use crate::term::text::{pad, visible, width};

/// A mail as its reader sees it: the head as it is sent, the body decoded.
pub fn mail(message: &Message) -> String {
    let (head, _) = message.text.split_once("\r\n\r\n").unwrap_or((&message.text, ""));
    let parsed = mail_parser::MessageParser::default().parse(message.text.as_bytes());
    let body = parsed.as_ref().and_then(|parsed| parsed.body_text(0)).unwrap_or_default();
    let shown = |text: &str| text.lines().map(|line| visible(line) + "\n").collect::<String>();
    // The mark of a signature ends with a space.
    format!("{}\n{}", shown(head), shown(&body))
}

/// Who gets a mail and who does not, with the reasons.
pub fn recipients(recipients: &Recipients, parent: &Parent) -> String {
    let mut rows: Vec<(&str, String, &str)> = Vec::new();
    let groups = [("to", &recipients.to), ("cc", &recipients.cc), ("not to", &recipients.left_out)];
    for (name, choices) in groups {
        rows.extend(choices.iter().map(|choice| (name, address(choice), choice.why.as_str())));
    }
    let widest = rows.iter().map(|(_, address, _)| width(address)).max().unwrap_or(0).min(60);
    let mut out = String::new();
    for (name, address, why) in rows {
        out.push_str(&format!("{}  {}  {why}\n", pad(name, 8), pad(&address, widest)));
    }
    out.push_str(&format!("{}  <{}>, {}\n", pad("answers", 8), visible(&parent.envelope.message_id), parent.why));
    out
}

fn address(choice: &Choice) -> String {
    let name = visible(&choice.person.name);
    if name.is_empty() { choice.person.email.clone() } else { format!("{name} <{}>", choice.person.email) }
}

/// What the outbox knows of a message, in one line.
pub fn line(kept: &Kept) -> String {
    format!(
        "{}  {}  {}  {}",
        pad(kept.item.id.as_str(), 26),
        pad(kept.state().word(), 18),
        time(kept.last().at),
        visible(&kept.item.title)
    )
}

/// All that the outbox knows of a message, and the message itself.
pub fn whole(kept: &Kept) -> String {
    let item = &kept.item;
    let mut out = String::new();
    for (name, value) in [
        ("id", item.id.to_string()),
        ("kind", item.subject.kind.word().to_owned()),
        ("topic", visible(&item.subject.topic)),
        ("run", visible(&item.run)),
        ("goes to", visible(&item.destination)),
    ] {
        out.push_str(&format!("{}  {value}\n", pad(name, 8)));
    }
    for record in &kept.records {
        out.push_str(&one_record(record));
    }
    out.push('\n');
    match (item.subject.kind, item.payload::<Message>()) {
        (Kind::Mail, Ok(message)) => out.push_str(&mail(&message)),
        (_, _) => {
            let text = serde_json::to_string_pretty(&item.payload).expect("JSON is plain data");
            out.extend(text.lines().map(|line| visible(line) + "\n"));
        }
    }
    out
}

fn one_record(record: &Record) -> String {
    let mut out = format!("{}  {}  {}\n", time(record.at), pad(record.state.word(), 18), visible(&record.why));
    if let Some(next) = record.next_try {
        out.push_str(&format!("{:22}not before {}\n", "", time(next)));
    }
    for receipt in &record.receipts {
        let word = match (record.state, receipt.reception) {
            (State::Sending | State::Uncertain, Reception::Accepted) => "for",
            (_, Reception::Accepted) => "accepted",
            (_, Reception::Deferred) => "not now",
            (_, Reception::Refused) => "refused",
        };
        out.push_str(&format!("{:22}{} {}: {}\n", "", pad(word, 8), receipt.to, visible(&receipt.reply)));
    }
    out
}

/// A time in UTC, to the second.
pub fn time(milliseconds: i64) -> String {
    match jiff::Timestamp::from_millisecond(milliseconds) {
        Ok(time) => time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        Err(_) => milliseconds.to_string(),
    }
}
