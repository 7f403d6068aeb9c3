//! Bodies as `git am` sees them.

use super::super::fixtures::diff;
use super::*;

fn lines(text: &str) -> Vec<Line> {
    text.lines().enumerate().map(|(at, text)| Line { number: 100 + at, text: text.to_owned() }).collect()
}

fn parsed(text: &str) -> Body {
    parse(&lines(text))
}

fn diff_text(body: &Body) -> String {
    body.diff.iter().map(|line| format!("{}\n", line.text)).collect()
}

#[test]
fn message_diffstat_diff_and_signature_are_parted() {
    let diff = diff("mm/hmm.c", "x");
    let body = parsed(&format!(
        "First  \n\nSecond.\n\nAcked-by: A <a@b.c>\n---\nv2: changed\n mm/hmm.c | 1 +\n\n{diff}-- \n2.43.0\n"
    ));
    assert_eq!(body.message, "First\n\nSecond.\n\nAcked-by: A <a@b.c>");
    assert_eq!(diff_text(&body), diff);
    assert_eq!(body.diff[0].number, 109);
    assert_eq!(body.remarks, ["---", "v2: changed", " mm/hmm.c | 1 +", "", "-- ", "2.43.0"]);
    assert_eq!(body.damages, []);
}

#[test]
fn a_message_ends_where_git_says() {
    let diff = diff("x", "y");
    for (text, message) in [
        (format!("a\n---\n{diff}"), "a"),
        (format!("a\n---  \n{diff}"), "a"),
        (format!("a\n{diff}"), "a"),
        (format!("a\nIndex: x\n====\n{diff}"), "a"),
        (format!("a\n----\nb\n---\n{diff}"), "a\n----\nb"),
        (format!("a\n--- \nb\n---\n{diff}"), "a"),
        (format!("a\n-- \nb\n---\n{diff}"), "a\n--\nb"),
        ("a\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n".to_owned(), "a"),
        (format!("\n\n{diff}"), ""),
    ] {
        let body = parsed(&text);
        assert_eq!(body.message, message, "{text}");
        assert!(!body.diff.is_empty(), "{text}");
    }
}

#[test]
fn headers_at_the_top_override_the_mail() {
    let rest = format!("\nmessage\n---\n{}", diff("x", "y"));
    let body = parsed(&format!("\nFrom: A B <a@b.c>\nSubject: mm: a\n folded one\n{rest}"));
    assert_eq!(body.headers.from.as_ref().unwrap().email, "a@b.c");
    assert_eq!(body.headers.subject.as_deref(), Some("mm: a folded one"));
    assert_eq!(body.message, "message");
    let body = parsed(&format!(
        "From 4edc0829a5a3d1a1a3c1de2f9bd0cb5a4c2d1d7e Mon Sep 17 00:00:00 2001\nFrom: A B <a@b.c>\n{rest}"
    ));
    assert_eq!(body.headers.from.as_ref().unwrap().email, "a@b.c");
    assert_eq!(body.message, "message");
    // Only at the very top, and each only once.
    let body = parsed(&format!("Text first.\nFrom: A B <a@b.c>\n{rest}"));
    assert_eq!(body.headers, InBody::default());
    assert_eq!(body.message, "Text first.\nFrom: A B <a@b.c>\n\nmessage");
    let body = parsed(&format!("From: A B <a@b.c>\nFrom: C D <c@d.e>\n{rest}"));
    assert_eq!(body.headers.from.as_ref().unwrap().email, "a@b.c");
    assert!(body.message.starts_with("From: C D <c@d.e>"));
}

#[test]
fn chat_above_scissors_is_dropped() {
    let rest = format!("From: A B <a@b.c>\n\nmessage\n---\n{}", diff("x", "y"));
    let body = parsed(&format!("Hi,\n\nhere it is:\n\n-- >8 --\n{rest}"));
    assert_eq!(body.headers.from.as_ref().unwrap().email, "a@b.c");
    assert_eq!(body.message, "message");
    assert_eq!(body.diff[0].number, 109);
}

#[test]
fn scissors_are_told_from_prose() {
    for (text, expected) in [
        ("-- >8 --", true),
        ("-- 8< --", true),
        ("------------>8------------", true),
        ("--8<----- cut here -----8<--", true),
        ("- - >8 - -", true),
        ("8<", false),
        ("- >8 -", false),
        ("--------", false),
        ("if (a >8) b--; the rest of a long line of text", false),
        ("cut here: this is a very long explanation -- >8 --", false),
        ("", false),
    ] {
        assert_eq!(is_scissors(text), expected, "{text}");
    }
}

#[test]
fn quoted_diffs_are_not_diffs() {
    let quoted: String = diff("x", "y").lines().map(|line| format!("> {line}\n")).collect();
    let body = parsed(&format!("On Monday A wrote:\n{quoted}\nLooks good.\n"));
    assert!(body.diff.is_empty());
}

#[test]
fn damage_has_its_line() {
    let broken = diff(
        "x",
        "a line that a mailer
wrapped",
    );
    let body = parsed(&format!(
        "m
---

{broken}"
    ));
    let line = Line { number: 110, text: "wrapped".to_owned() };
    assert_eq!(body.damages, [Damage { line, trouble: diff::Trouble::Wrapped }]);
}

#[test]
fn a_line_too_many_is_not_cut_off() {
    let body = parsed(&format!(
        "m
---
{}+smuggled
-- 
2.43.0
",
        diff("x", "y")
    ));
    assert_eq!(body.diff.last().unwrap().text, "+smuggled");
    assert_eq!(body.damages[0].trouble, diff::Trouble::LongHunk);
}

#[test]
fn trailers_below_the_diff_are_remarks() {
    let body = parsed(&format!("m\n---\n{}\nbase-commit: 1234\n-- \n2.43.0\n", diff("x", "y")));
    assert_eq!(body.remarks, ["---", "", "base-commit: 1234", "-- ", "2.43.0"]);
}

proptest::proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "(From: |Subject: |Date: |---|--- |\\+\\+\\+ |diff --git |@@ -1 \\+1 @@|-- >8 --| |\n|[ -~ä]{0,8}){0,40}") {
        let body = parsed(&text);
        proptest::prop_assert!(body.diff.len() <= text.lines().count());
    }
}
