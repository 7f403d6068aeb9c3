//! Cutting an mbox into mails.

use std::sync::LazyLock;

use regex::bytes::Regex;

/// One mail of a file, line ends made plain newlines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RawMail {
    /// Line of the file, from 1, on which the mail begins: its `From ` line where it has one.
    pub(super) line: usize,
    /// Line on which its headers begin.
    pub(super) header_line: usize,
    /// Headers and body.
    pub(super) bytes: Vec<u8>,
}

/// `From ` lines end in a time and a year. Without that rule "From here on ..." in a message would cut a mail in two:
/// git writes its mboxes without quoting such lines.
static SEPARATOR: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^From \S.* [0-9 ]?\d:\d\d(?::\d\d)?(?: [A-Z]{3,5}| [-+]\d{4})? (?:19|2\d)\d\d(?: [-+]\d{4})?\s*$")
        .expect("constant")
});
/// How mboxrd quotes lines that begin with `From `.
static QUOTED: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^>+From ").expect("constant"));

/// Cuts a file into its mails. A file without a `From ` line is one mail.
pub(super) fn split(bytes: &[u8]) -> Vec<RawMail> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut mails: Vec<RawMail> = Vec::new();
    let mut is_mbox = false;
    for (index, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let number = index + 1;
        let (text, end) = match line {
            [text @ .., b'\r', b'\n'] => (text, &b"\n"[..]),
            [text @ .., b'\n'] => (text, &b"\n"[..]),
            text => (text, &b""[..]),
        };
        if SEPARATOR.is_match(text) {
            is_mbox = true;
            mails.push(RawMail { line: number, header_line: number + 1, bytes: Vec::new() });
            continue;
        }
        let mail = match mails.last_mut() {
            Some(mail) => mail,
            // Blank lines before the first mail are nothing.
            None if text.is_empty() => continue,
            None => {
                mails.push(RawMail { line: number, header_line: number, bytes: Vec::new() });
                mails.last_mut().expect("just pushed")
            }
        };
        let text = if is_mbox && QUOTED.is_match(text) { &text[1..] } else { text };
        mail.bytes.extend_from_slice(text);
        mail.bytes.extend_from_slice(end);
    }
    mails.retain(|mail| !mail.bytes.iter().all(u8::is_ascii_whitespace));
    mails
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<(usize, String)> {
        split(text.as_bytes()).into_iter().map(|mail| (mail.line, String::from_utf8(mail.bytes).unwrap())).collect()
    }

    #[test]
    fn separators_of_all_common_writers_are_known() {
        for line in [
            "From 4edc0829a5a3d1a1a3c1de2f9bd0cb5a4c2d1d7e Mon Sep 17 00:00:00 2001",
            "From mboxrd@z Thu Jan  1 00:00:00 1970",
            "From a@b.c Tue Mar  3 9:05:01 2026",
            "From a@b.c  Tue Mar  3 19:05:01 2026 +0100",
            "From a@b.c Tue Mar  3 19:05 CET 2026",
            "From - Tue Mar 03 19:05:01 2026",
            "From git@z Thu Jan  1 00:00:00 1970\r",
        ] {
            assert!(SEPARATOR.is_match(line.as_bytes()), "{line}");
        }
    }

    #[test]
    fn prose_is_no_separator() {
        for line in [
            "From here on the page is locked.",
            "From: A B <a@b.c>",
            "From 12:00 until 2026 it works",
            "From v5 to v6 at 12:30:00 in 2026:",
            ">From a@b.c Tue Mar  3 19:05:01 2026",
        ] {
            assert!(!SEPARATOR.is_match(line.as_bytes()), "{line}");
        }
    }

    #[test]
    fn an_mbox_is_cut_and_unquoted() {
        let text = "\nFrom a Mon Sep 17 00:00:00 2001\nSubject: 1\n\n>From the start\n>>From b\n> From c\n\
                    From a Mon Sep 17 00:00:00 2001\r\nSubject: 2\r\n\r\nx\r\n";
        let expected =
            [(2, "Subject: 1\n\nFrom the start\n>From b\n> From c\n".to_owned()), (8, "Subject: 2\n\nx\n".to_owned())];
        assert_eq!(lines(text), expected);
    }

    #[test]
    fn a_file_without_separator_is_one_mail_and_keeps_its_quotes() {
        assert_eq!(lines("\n\nSubject: 1\n\n>From x"), [(3, "Subject: 1\n\n>From x".to_owned())]);
        assert_eq!(lines("\n \n"), [] as [(usize, String); 0]);
        assert_eq!(lines(""), [] as [(usize, String); 0]);
    }
}
