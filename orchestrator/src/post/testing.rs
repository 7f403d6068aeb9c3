//! A posted series and a policy for the tests of this room.

use crate::post::lists::{Audience, Lists, PolicyEntry, Sender, When};
use crate::report::{Report, fixtures};
use crate::words::{Cover, Date, Envelope, Origin, Patch, Person, Series, Upstream};

pub const COVER: &str = "20260401080000.1-1-author@example.org";

pub fn person(name: &str, email: &str) -> Person {
    Person { name: name.into(), email: email.into() }
}

pub fn envelope(number: usize, subject: &str) -> Envelope {
    Envelope {
        message_id: format!("20260401080000.1-{}-author@example.org", number + 1),
        subject: format!("[PATCH v6 {number}/6] {subject}"),
        from: person("A. Author", "author@example.org"),
        to: vec![person("", "linux-mm@kvack.org")],
        cc: vec![
            person("", "linux-kernel@vger.kernel.org"),
            person("R. Reviewer", "reviewer@example.org"),
            person("", "dri-devel@lists.freedesktop.org"),
        ],
        references: if number == 0 { Vec::new() } else { vec![COVER.into()] },
        date: Some(Date { seconds: 1_775_030_400, offset_minutes: 0 }),
    }
}

/// The report as it would be had the posted mails been tested.
pub fn posted(mut report: Report) -> Report {
    report.series.port = false;
    report.series.upstream = None;
    report.trees[0].name = "mm-unstable".into();
    report
}

/// The series of the report fixtures, read from mails.
pub fn series() -> Series {
    let report = fixtures::clean();
    let patches = report.series.patches.iter().map(|patch| {
        let envelope = envelope(patch.number, &patch.subject);
        Patch {
            number: patch.number,
            total: report.series.patches.len(),
            subject: patch.subject.clone(),
            author: envelope.from.clone(),
            date: Date { seconds: 1_775_030_400, offset_minutes: 0 },
            message: String::new(),
            diff: String::new(),
            diff_line: 1,
            message_id: Some(envelope.message_id.clone()),
            origin: Origin { file: "t.mbox".into(), line: 1 },
            envelope: Some(envelope),
        }
    });
    let cover = envelope(0, &report.series.title);
    Series {
        name: "v6".into(),
        title: report.series.title.clone(),
        version: Some(6),
        default_tree: None,
        upstream: None,
        cover: Some(Cover {
            subject: report.series.title.clone(),
            author: cover.from.clone(),
            body: String::new(),
            message_id: Some(cover.message_id.clone()),
            envelope: Some(cover),
        }),
        change_id: Some("20260301-migrate-on-fault-0123456789ab".into()),
        base_commit: None,
        prerequisites: Vec::new(),
        prerequisite_changes: Vec::new(),
        prerequisite_messages: Vec::new(),
        patches: patches.collect(),
        posting: None,
        notes: Vec::new(),
    }
}

/// A port of it: patches without mails, and the Message-ID of what was posted.
pub fn port() -> Series {
    let mut series = series();
    series.upstream = Some(Upstream {
        title: series.title.clone(),
        version: 6,
        message_id: COVER.into(),
        trees: vec!["mm-unstable".into()],
    });
    (series.cover, series.change_id) = (None, None);
    for patch in &mut series.patches {
        (patch.message_id, patch.envelope) = (None, None);
    }
    series
}

pub fn policy(when: When, audience: Audience, moderation: bool) -> PolicyEntry {
    PolicyEntry { when, audience, moderation }
}

pub fn lists() -> Lists {
    let lists = [
        ("linux-mm@kvack.org", policy(When::Always, Audience::List, false)),
        ("linux-kernel@vger.kernel.org", policy(When::Findings, Audience::Author, false)),
    ];
    Lists {
        sender: Some(Sender {
            person: person("Example test robot", "robot@example.org"),
            domain: "example.org".into(),
        }),
        archive: Some("https://lore.example.org/all/".into()),
        smtp: None,
        git_send_email: None,
        default: policy(When::Findings, Audience::Author, true),
        lists: lists.into_iter().map(|(address, policy)| (address.to_owned(), policy)).collect(),
    }
}
