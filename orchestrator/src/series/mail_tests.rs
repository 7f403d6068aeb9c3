//! Mails as mailers write them.

use super::super::fixtures::mails_of;
use super::*;

fn one(text: &str) -> Mail {
    let mut mails = mails_of(text.as_bytes());
    assert_eq!(mails.len(), 1, "{text}");
    mails.remove(0)
}

fn texts(mail: &Mail) -> Vec<&str> {
    mail.lines.iter().map(|line| line.text.as_str()).collect()
}

fn numbers(mail: &Mail) -> Vec<usize> {
    mail.lines.iter().map(|line| line.number).collect()
}

fn person(name: &str, email: &str) -> Option<Person> {
    Some(Person { name: name.to_owned(), email: email.to_owned() })
}

#[test]
fn headers_are_unfolded_and_decoded() {
    let mail = one("From: =?UTF-8?q?Mika_Penttil=C3=A4?= <mpenttil@example.org>\n\
        Date: Mon, 16 Mar 2026 08:24:07 +0200\n\
        Subject: [PATCH v6 1/3] mm:\n unify hmm fault and\n\t=?utf-8?b?bWlncmF0ZQ==?= paths\n\
        Message-ID: <20260316062407.3354636-2-mpenttil@example.org>\n\n body\n");
    assert_eq!(mail.from, person("Mika Penttilä", "mpenttil@example.org"));
    assert_eq!(mail.date, Some(Date { seconds: 1_773_642_247, offset_minutes: 120 }));
    assert_eq!(mail.subject.title, "mm: unify hmm fault and migrate paths");
    assert_eq!(mail.subject.position, Some((1, 3)));
    assert_eq!(mail.message_id.as_deref(), Some("20260316062407.3354636-2-mpenttil@example.org"));
    assert_eq!(texts(&mail), [" body"]);
    assert_eq!(numbers(&mail), [8]);
}

#[test]
fn senders_are_read_as_people_write_them() {
    for (header, expected) in [
        ("A B <a@b.c>", person("A B", "a@b.c")),
        ("\"B, A\" <a@b.c>", person("B, A", "a@b.c")),
        ("a@b.c", person("", "a@b.c")),
        ("Jörg B, Jr. <a@b.c>", person("Jörg B, Jr.", "a@b.c")),
        ("=?utf-8?q?J=C3=B6rg?= B,\n Jr. <a@b.c>", person("Jörg B, Jr.", "a@b.c")),
        ("undisclosed", None),
        ("<a@b.c>", person("", "a@b.c")),
        ("Ä Ö <a@b.c>", person("Ä Ö", "a@b.c")),
        ("A B (work) <a@b.c>", person("A B", "a@b.c")),
        ("=?iso-8859-1?Q?J=F6rg?= <a@b.c>", person("Jörg", "a@b.c")),
    ] {
        let mail = one(&format!("From: {header}\nSubject: x\n\nbody\n"));
        let found = mail.from.map(|from| Person { name: from.name.replace(" (work)", ""), ..from });
        assert_eq!(found, expected, "{header}");
    }
    assert_eq!(one("Subject: x\n\nbody\n").from, None);
}

#[test]
fn dates_are_read_or_left_out() {
    for (header, expected) in [
        ("Mon, 17 Sep 2001 00:00:00 +0000", Some((1_000_684_800, 0))),
        ("17 Sep 2001 00:00 -0330", Some((1_000_697_400, -210))),
        ("Fri, 1 Jan 2027 00:00:00 GMT", Some((1_798_761_600, 0))),
        ("yesterday", None),
        ("Mon, 99 Foo 2001 99:99:99 +9999", None),
    ] {
        let mail = one(&format!("From: a@b.c\nDate: {header}\nSubject: x\n\nbody\n"));
        let expected = expected.map(|(seconds, offset_minutes)| Date { seconds, offset_minutes });
        assert_eq!(mail.date, expected, "{header}");
    }
}

#[test]
fn encoded_bodies_are_decoded_and_lines_counted() {
    let head = "From: a@b.c\nSubject: x\nContent-Type: text/plain; charset=UTF-8\n";
    // Quoted-printable: the second line is broken in two by the mailer.
    let mail = one(&format!(
        "{head}Content-Transfer-Encoding: quoted-printable\n\nfirst =C3=A4\nsecond =\nline=3D1\n+\tx=20\nlast\n"
    ));
    assert_eq!(texts(&mail), ["first ä", "second line=1", "+\tx ", "last"]);
    assert_eq!(numbers(&mail), [6, 8, 9, 10]);
    let mail = one(&format!("{head}Content-Transfer-Encoding: base64\n\nZmlyc3Qgw6QNCnNl\nY29uZA0KCnRoaXJkCg==\n"));
    assert_eq!(texts(&mail), ["first ä", "second", "", "third"]);
    assert_eq!(numbers(&mail)[0], 6);
    let mail = one(&format!("{head}Content-Transfer-Encoding: 8bit\n\nfirst ä\n\n second\n"));
    assert_eq!(texts(&mail), ["first ä", "", " second"]);
    assert_eq!(numbers(&mail), [6, 7, 8]);
}

#[test]
fn character_sets_are_honoured_and_missing_ones_guessed() {
    let latin = b"From: a@b.c\nSubject: x\nContent-Type: text/plain; charset=iso-8859-1\n\nJ\xf6rg\n";
    assert_eq!(texts(&mails_of(latin)[0]), ["Jörg"]);
    for charset in ["", "Content-Type: text/plain\n", "Content-Type: text/plain; charset=us-ascii\n"] {
        let mail = one(&format!("From: a@b.c\nSubject: x\n{charset}\nJörg\n"));
        assert_eq!(texts(&mail), ["Jörg"], "{charset}");
    }
    // Bytes of an unnamed character set cannot be known; they must be seen, not swallowed.
    assert_eq!(texts(&mails_of(b"From: a@b.c\nSubject: x\n\nJ\xf6rg\n")[0]), ["J\u{fffd}rg"]);
}

#[test]
fn line_ends_of_other_systems_make_no_difference() {
    let text = "From: a@b.c\nSubject: x\n\none\n\n two\n";
    assert_eq!(one(&text.replace('\n', "\r\n")), one(text));
}

#[test]
fn format_flowed_is_seen() {
    let mail = one("From: a@b.c\nSubject: x\nContent-Type: text/plain; charset=utf-8; format=flowed\n\nx\n");
    assert!(mail.flowed);
    assert!(!one("From: a@b.c\nSubject: x\nContent-Type: text/plain; format=fixed\n\nx\n").flowed);
}

const MULTIPART: &str = "From: a@b.c\nSubject: [PATCH] x\nMIME-Version: 1.0\n\
    Content-Type: multipart/mixed; boundary=\"xx\"\n\npreamble\n";

#[test]
fn an_attached_diff_follows_the_text() {
    let mail = one(&format!(
        "{MULTIPART}--xx\nContent-Type: text/plain\n\nthe message\n--xx\n\
         Content-Type: text/x-patch; name=\"a.patch\"\nContent-Disposition: attachment; filename=\"a.patch\"\n\n\
         --- a/x\n+++ b/x\n--xx\nContent-Type: text/html\n\n<p>no</p>\n--xx\n\
         Content-Type: application/pgp-signature; name=\"signature.asc\"\n\nabc\n--xx--\n"
    ));
    assert_eq!(texts(&mail), ["the message", "--- a/x", "+++ b/x"]);
    assert_eq!(numbers(&mail), [10, 15, 16]);
}

#[test]
fn a_base64_attachment_is_decoded() {
    let mail = one(&format!(
        "{MULTIPART}--xx\nContent-Type: text/plain\n\nthe message\n--xx\n\
         Content-Type: application/octet-stream; name=\"a.diff\"\nContent-Transfer-Encoding: base64\n\
         Content-Disposition: attachment; filename=\"a.diff\"\n\nLS0tIGEveAorKysgYi94Cg==\n--xx--\n"
    ));
    assert_eq!(texts(&mail), ["the message", "--- a/x", "+++ b/x"]);
}

#[test]
fn attached_mails_become_mails_of_their_own() {
    let attached = "From 4edc0829a5a3d1a1a3c1de2f9bd0cb5a4c2d1d7f Mon Sep 17 00:00:00 2001";
    let inner = "From: C D <c@d.e>\nSubject: [PATCH 2/2] inner\n\n--- a/x\n";
    let text = format!(
        "From: a@b.c\nSubject: two patches\nContent-Type: multipart/mixed; boundary=xx\n\n\
         --xx\n\nsee below\n--xx\nContent-Type: text/x-patch; name=a.patch\n\n{inner}\n\
         --xx\nContent-Type: message/rfc822\n\n{inner}\n--xx--\n"
    );
    let mails = mails_of(text.as_bytes());
    let subjects: Vec<&str> = mails.iter().map(|mail| mail.subject.title.as_str()).collect();
    assert_eq!(subjects, ["two patches", "inner", "inner"]);
    assert_eq!(mails[1].from, person("C D", "c@d.e"));
    assert_eq!(texts(&mails[1])[0], "--- a/x");
    assert_eq!(numbers(&mails[1])[0], 14);
    assert_eq!(texts(&mails[2])[0], "--- a/x");
    assert_eq!(numbers(&mails[2])[0], 22);
    // The file's own `From ` line, as git format-patch leaves it.
    let raw = RawMail {
        line: 1,
        header_line: 1,
        bytes: text.replacen(inner, &format!("{attached}\n{inner}"), 1).into_bytes(),
    };
    assert_eq!(read("x".into(), &raw)[1].from, person("C D", "c@d.e"));
}

#[test]
fn what_is_no_mail_gives_none() {
    for bytes in [&b"\x7fELF\x02\x01\x01\0\0\0\0"[..], b"just words\n", b"diff --git a/x b/x\n", b"{\"a\": 1}\n"] {
        assert_eq!(mails_of(bytes), [], "{bytes:?}");
    }
}

#[test]
fn headers_in_the_body_are_read() {
    let body = in_body(
        "From: =?utf-8?q?J=C3=B6rg?= <j@k.l>\nSubject: [PATCH v2 1/2] mm: a\n  long one\nDate: Mon, 17 Sep 2001 00:00:00 +0000\n",
    );
    assert_eq!(body.from, person("Jörg", "j@k.l"));
    assert_eq!(body.subject.as_deref(), Some("mm: a long one"));
    assert_eq!(body.date, Some(Date { seconds: 1_000_684_800, offset_minutes: 0 }));
    let iso = in_body("Date: 2026-03-16 08:24:07 +0200\n");
    assert_eq!(iso.date, Some(Date { seconds: 1_773_642_247, offset_minutes: 120 }));
    assert_eq!(in_body("Date: soon\nFrom: nobody\n"), InBody::default());
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..400)) {
        mails_of(&bytes);
    }

    #[test]
    fn no_broken_mime_makes_it_panic(
        text in "(From: |Subject: |Date: |Content-Type: (multipart/mixed; boundary=x|text/plain; charset=(utf-8|x|)|message/rfc822|text/x-patch)|Content-Transfer-Encoding: (base64|quoted-printable)|--x|--x--|=\\?utf-8\\?q\\?|\n|\n\n| |\t|[ -~äß=]{0,6}){0,40}"
    ) {
        mails_of(format!("From: a@b.c\n{text}").as_bytes());
    }
}
