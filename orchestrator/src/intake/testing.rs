//! Mails and archives for tests.

use std::io::Write;

use camino::Utf8Path;

use crate::series::{self, Mail};

/// A mail as git format-patch and git send-email make it.
#[derive(Debug, Clone)]
pub(super) struct TestMail {
    pub(super) id: String,
    pub(super) subject: String,
    pub(super) from: String,
    pub(super) parents: Vec<String>,
    pub(super) day: u32,
    pub(super) body: String,
}

/// Sender of the mails unless another is given.
pub(super) const AUTHOR: &str = "A. Author <author@example.org>";

impl TestMail {
    pub(super) fn new(id: &str, subject: &str) -> TestMail {
        TestMail {
            id: format!("{id}@example.org"),
            subject: subject.to_owned(),
            from: AUTHOR.to_owned(),
            parents: Vec::new(),
            day: 1,
            body: "Words.\n".to_owned(),
        }
    }

    pub(super) fn below(mut self, parents: &[&str]) -> TestMail {
        self.parents = parents.iter().map(|id| format!("{id}@example.org")).collect();
        self
    }

    pub(super) fn from(mut self, from: &str) -> TestMail {
        self.from = from.to_owned();
        self
    }

    pub(super) fn on(mut self, day: u32) -> TestMail {
        self.day = day;
        self
    }

    pub(super) fn saying(mut self, body: &str) -> TestMail {
        self.body = body.to_owned();
        self
    }

    /// With a diff that holds this word.
    pub(super) fn adding(self, word: &str) -> TestMail {
        let body = format!(
            "Do {word}.\n\nSigned-off-by: {AUTHOR}\n---\n mm/hmm.c | 1 +\n\ndiff --git a/mm/hmm.c b/mm/hmm.c\n\
             index 1111111..2222222 100644\n--- a/mm/hmm.c\n+++ b/mm/hmm.c\n@@ -1,2 +1,3 @@\n one\n+{word}\n two\n-- \n2.43.0\n"
        );
        self.saying(&body)
    }

    pub(super) fn text(&self) -> String {
        let references: String = match self.parents.last() {
            None => String::new(),
            Some(parent) => {
                let all: Vec<String> = self.parents.iter().map(|id| format!("<{id}>")).collect();
                format!("In-Reply-To: <{parent}>\nReferences: {}\n", all.join(" "))
            }
        };
        format!(
            "From mboxrd@z Thu Jan  1 00:00:00 1970\nFrom: {}\nTo: list@example.org\nDate: {:02} Mar 2026 08:24:07 +0000\n\
             Subject: {}\nMessage-ID: <{}>\n{references}\n{}\n",
            self.from, self.day, self.subject, self.id, self.body
        )
    }
}

/// A whole posting of `total` patches: cover letter `<stem>-0`, patches `<stem>-1` and so on below it.
pub(super) fn posting(stem: &str, prefix: &str, title: &str, total: usize, day: u32) -> Vec<TestMail> {
    let top = format!("{stem}-0");
    let cover = TestMail::new(&top, &format!("[{prefix} 0/{total}] {title}")).on(day);
    let patch = |number: usize| {
        TestMail::new(&format!("{stem}-{number}"), &format!("[{prefix} {number}/{total}] mm: step {number}"))
            .below(&[&top])
            .on(day)
            .adding(&format!("{stem}-{number}"))
    };
    std::iter::once(cover).chain((1..=total).map(patch)).collect()
}

/// The mails as an mbox.
pub(super) fn mbox(mails: &[TestMail]) -> String {
    mails.iter().map(TestMail::text).collect()
}

pub(super) fn mails_of(text: &str) -> Vec<Mail> {
    series::mails(Utf8Path::new("x.mbox"), text.as_bytes()).unwrap()
}

pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap()
}
