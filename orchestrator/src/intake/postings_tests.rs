//! Threads as people make them.

use super::super::testing::{TestMail, mails_of, mbox, posting};
use super::*;

/// The versions around a mail as text: `v2 3 patches`, `v3 of v2: 2`.
fn line(mails: &[TestMail], start: &str) -> Vec<String> {
    let start = format!("{start}@example.org");
    let survey = Survey::new(mails_of(&mbox(mails)), Start::Message(&start)).expect("the mail is there");
    let text = |at: &usize| {
        let posting = survey.posting(*at);
        let members: Vec<&str> = posting
            .members
            .iter()
            .map(|at| survey.mails[*at].message_id.as_deref().unwrap().split('@').next().unwrap())
            .collect();
        let mark = if *at == survey.start() { "*" } else { "" };
        let missing = if posting.missing.is_empty() || posting.replaces.is_some() {
            String::new()
        } else {
            format!(" without {:?}", posting.missing)
        };
        let below =
            posting.replaces.map(|base| format!(" below v{}", survey.posting(base).version)).unwrap_or_default();
        format!("{mark}v{} {}{below}{missing}", posting.version, members.join(" "))
    };
    survey.line().iter().map(text).collect()
}

fn with_change(mut mails: Vec<TestMail>, change: &str) -> Vec<TestMail> {
    mails[0].body.push_str(&format!("\n---\nchange-id: {change}\n"));
    mails
}

#[test]
fn versions_are_found_by_title_and_sender_and_others_left_out() {
    let mut mails = posting("a1", "PATCH", "mm: do it", 2, 1);
    mails.extend(posting("a2", "PATCH v2", "mm: Do  it", 2, 5));
    let mut other = posting("b3", "PATCH v3", "mm: do it", 2, 9);
    other.iter_mut().for_each(|mail| mail.from = "O. Ther <other@example.org>".to_owned());
    mails.extend(other);
    mails.extend(posting("c1", "PATCH", "mm: another thing", 2, 7));
    let expected = ["v1 a1-0 a1-1 a1-2", "*v2 a2-0 a2-1 a2-2"];
    assert_eq!(line(&mails, "a2-0"), expected);
    assert_eq!(line(&mails, "a2-1"), expected);
    assert_eq!(line(&mails, "a1-2"), ["*v1 a1-0 a1-1 a1-2", "v2 a2-0 a2-1 a2-2"]);
    assert_eq!(line(&mails, "b3-0"), ["*v3 b3-0 b3-1 b3-2"]);
}

#[test]
fn a_change_id_says_more_than_title_and_sender() {
    let mut mails = with_change(posting("a1", "PATCH", "mm: old title", 1, 1), "2026-x");
    let mut taken_over = with_change(posting("a2", "PATCH v2", "mm: new title", 1, 5), "2026-x");
    taken_over.iter_mut().for_each(|mail| mail.from = "O. Ther <other@example.org>".to_owned());
    mails.extend(taken_over);
    mails.extend(with_change(posting("b2", "PATCH v2", "mm: old title", 1, 6), "2026-y"));
    assert_eq!(line(&mails, "a1-0"), ["*v1 a1-0 a1-1", "v2 a2-0 a2-1"]);
    let survey = Survey::new(mails_of(&mbox(&mails)), Start::Change("2026-x")).unwrap();
    assert_eq!(survey.posting(survey.start()).version, 2);
    assert!(Survey::new(mails_of(&mbox(&mails)), Start::Change("2026-z")).is_none());
    // A quoted change-id is nobody's.
    let reply = TestMail::new("r", "Re: x").below(&["a1-0"]).saying("> change-id: 2026-z\n");
    assert!(Survey::new(mails_of(&mbox(&[reply])), Start::Change("2026-z")).is_none());
}

#[test]
fn newer_versions_in_the_thread_belong_to_it_and_side_series_do_not() {
    let mut mails = posting("a1", "PATCH v1", "mm: do it", 1, 1);
    let mut newer = posting("a2", "PATCH v2", "mm: do it better", 1, 2);
    newer[0] = newer[0].clone().below(&["a1-0"]);
    newer[1] = newer[1].clone().below(&["a1-0", "a2-0"]);
    mails.extend(newer);
    let mut side = posting("s1", "PATCH", "selftests: test it", 1, 3);
    side[0] = side[0].clone().below(&["a1-0"]);
    mails.extend(side);
    let mut counter = posting("o2", "PATCH v2", "mm: do it", 1, 3);
    counter.iter_mut().for_each(|mail| mail.from = "O. Ther <other@example.org>".to_owned());
    counter[0] = counter[0].clone().below(&["a1-0"]);
    mails.extend(counter);
    assert_eq!(line(&mails, "a1-0"), ["*v1 a1-0 a1-1", "v2 a2-0 a2-1"]);
    assert_eq!(line(&mails, "s1-1"), ["*v1 s1-0 s1-1"]);
    // A reply leads to what it answers.
    mails.push(TestMail::new("r", "Re: [PATCH v1 1/1] mm: step 1").below(&["a1-0", "a1-1"]));
    mails.push(TestMail::new("rr", "Re: [PATCH v1 1/1] mm: step 1").below(&["r"]));
    assert_eq!(line(&mails, "rr")[0], "*v1 a1-0 a1-1");
}

#[test]
fn lone_patches_below_an_older_version_are_a_version() {
    let mut mails = posting("a2", "PATCH v2", "mm: do it", 3, 1);
    let again = |stem: &str, version: u32, number: usize, parent: &str| {
        TestMail::new(stem, &format!("[PATCH v{version} {number}/3] mm: step {number}"))
            .below(&["a2-0", parent])
            .on(4)
            .adding(stem)
    };
    mails.push(again("n2", 3, 2, "a2-2"));
    mails.push(again("n3", 3, 3, "a2-3"));
    mails.push(again("m1", 4, 1, "a2-1"));
    let versions = ["*v2 a2-0 a2-1 a2-2 a2-3", "v3 n2 n3 below v2", "v4 m1 below v3"];
    assert_eq!(line(&mails, "a2-0"), versions);
    assert_eq!(line(&mails, "n3")[1], "*v3 n2 n3 below v2");
    let start = "m1@example.org";
    let survey = Survey::new(mails_of(&mbox(&mails)), Start::Message(start)).unwrap();
    let parts: Vec<&str> =
        survey.parts(survey.start()).values().map(|at| survey.mails[*at].message_id.as_deref().unwrap()).collect();
    assert_eq!(parts, ["a2-0@example.org", "m1@example.org", "n2@example.org", "n3@example.org"]);
    // From somebody else it is a proposal, and of another length it is something else.
    let theirs = again("t2", 3, 2, "a2-2").from("O. Ther <other@example.org>");
    let base = &mails[..4];
    assert_eq!(line(&[base, &[theirs]].concat(), "a2-0").len(), 1);
    let longer = TestMail::new("l2", "[PATCH v3 2/4] mm: step 2").below(&["a2-0", "a2-2"]).adding("l2");
    assert_eq!(line(&[base, &[longer]].concat(), "a2-0")[1], "v3 l2 without [1, 3, 4]");
    // The same version once more adds nothing.
    let resent = TestMail::new("x2", "[PATCH RESEND v2 2/3] mm: step 2").below(&["a2-0", "a2-2"]).on(6).adding("a2-2");
    assert_eq!(line(&[base, &[resent]].concat(), "a2-0").len(), 1);
}

#[test]
fn an_incomplete_version_is_seen() {
    let mut mails = posting("a1", "PATCH", "mm: do it", 2, 1);
    let newer = posting("a2", "PATCH v2", "mm: do it", 3, 5);
    mails.extend(newer.into_iter().filter(|mail| mail.id != "a2-2@example.org"));
    assert_eq!(line(&mails, "a1-0"), ["*v1 a1-0 a1-1 a1-2", "v2 a2-0 a2-1 a2-3 without [2]"]);
}

#[test]
fn series_without_cover_letter_hang_on_their_first_patch() {
    let first = TestMail::new("p1", "[PATCH 1/2] mm: one").adding("one");
    let second = TestMail::new("p2", "[PATCH 2/2] mm: two").below(&["p1"]).adding("two");
    let single = TestMail::new("s2", "[PATCH v2] mm: one").on(3).adding("three");
    assert_eq!(line(&[second.clone(), first.clone()], "p2"), ["*v1 p1 p2"]);
    assert_eq!(line(&[first, second, single], "s2"), ["v1 p1 p2", "*v2 s2"]);
}

#[test]
fn odd_threads_do_no_harm() {
    let circle = [
        TestMail::new("a", "Re: x").below(&["b"]),
        TestMail::new("b", "Re: x").below(&["a"]),
        TestMail::new("c", "[PATCH 1/2] x").below(&["c"]).adding("c"),
    ];
    let survey = |id: &str| Survey::new(mails_of(&mbox(&circle)), Start::Message(id)).is_some();
    assert_eq!((survey("a@example.org"), survey("c@example.org"), survey("z@example.org")), (false, true, false));
}
