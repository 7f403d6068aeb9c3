//! Mails for tests.

use camino::Utf8Path;

use super::mail::{self, Mail};
use super::split;

/// A diff of one file whose content tells patches apart.
pub(super) fn diff(file: &str, word: &str) -> String {
    format!(
        "diff --git a/{file} b/{file}\nindex 1111111..2222222 100644\n--- a/{file}\n+++ b/{file}\n@@ -1,2 +1,3 @@\n one\n+{word}\n two\n"
    )
}

/// A mail as git format-patch writes it, in an mbox.
pub(super) fn mail(subject: &str, body: &str) -> String {
    format!(
        "From 4edc0829a5a3d1a1a3c1de2f9bd0cb5a4c2d1d7e Mon Sep 17 00:00:00 2001\n\
         From: Some Author <author@example.org>\n\
         Date: Mon, 16 Mar 2026 08:24:07 +0200\n\
         Subject: {subject}\n\
         Message-ID: <{}@example.org>\n\
         \n{body}",
        subject.replace(|c: char| !c.is_ascii_alphanumeric(), "-")
    )
}

/// A mail with a patch.
pub(super) fn patch(subject: &str, diff: &str) -> String {
    let body = format!(
        "Do this.\n\nSigned-off-by: Some Author <author@example.org>\n---\n mm/hmm.c | 1 +\n\n{diff}-- \n2.43.0\n\n"
    );
    mail(subject, &body)
}

/// Reads the mails of an mbox called `x.mbox`.
pub(super) fn mails(mbox: &str) -> Vec<Mail> {
    mails_of(mbox.as_bytes())
}

/// As [`mails`], for bytes.
pub(super) fn mails_of(mbox: &[u8]) -> Vec<Mail> {
    split::split(mbox).iter().flat_map(|raw| mail::read(Utf8Path::new("x.mbox"), raw)).collect()
}
