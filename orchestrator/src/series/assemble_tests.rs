//! Mails that are, and are not, one series.

use super::super::fixtures::{diff, mail, mails, patch};
use super::*;

fn assembled(mbox: &str) -> Assembled {
    assemble(mails(mbox), None).unwrap_or_else(|refusals| panic!("{refusals:#?}"))
}

fn refusals(mbox: &str) -> String {
    let refusals = assemble(mails(mbox), None).expect_err("it was taken");
    refusals.iter().map(Refusal::to_string).collect::<Vec<_>>().join("\n")
}

/// A good patch `number/total` of version `version`; the word goes into its diff.
fn numbered(version: u32, number: usize, total: usize) -> String {
    patch(
        &format!("[PATCH v{version} {number}/{total}] mm: step {number}"),
        &diff("mm/hmm.c", &format!("{version}-{number}")),
    )
}

fn cover(version: u32, total: usize) -> String {
    mail(&format!("[PATCH v{version} 0/{total}] The whole"), "What it is for.\n\n mm/hmm.c | 1 +\n\n-- \n2.43.0\n\n")
}

fn order(assembled: &Assembled) -> Vec<(usize, usize, &str)> {
    assembled.patches.iter().map(|patch| (patch.number, patch.total, patch.subject.as_str())).collect()
}

#[test]
fn a_good_series_is_taken_whole() {
    let series = assembled(&[cover(6, 2), numbered(6, 1, 2), numbered(6, 2, 2)].concat());
    assert_eq!(order(&series), [(1, 2, "mm: step 1"), (2, 2, "mm: step 2")]);
    assert_eq!(series.version, Some(6));
    assert_eq!(series.notes, [] as [&str; 0]);
    let letter = series.cover.unwrap();
    assert_eq!(letter.subject, "The whole");
    assert!(letter.body.starts_with("What it is for."));
    let patch = &series.patches[0];
    assert_eq!(patch.message, "Do this.\n\nSigned-off-by: Some Author <author@example.org>");
    assert_eq!(patch.diff, diff("mm/hmm.c", "6-1"));
    assert_eq!(patch.message_id.as_deref(), Some("-PATCH-v6-1-2--mm--step-1@example.org"));
    // The cover letter has 13 lines; the diff is on the line its number says.
    assert_eq!(patch.origin.line, 14);
    let text = [cover(6, 2), numbered(6, 1, 2)].concat();
    assert_eq!(text.lines().nth(patch.diff_line - 1), Some("diff --git a/mm/hmm.c b/mm/hmm.c"));
}

#[test]
fn the_order_of_arrival_does_not_matter() {
    let series = assembled(&[numbered(1, 3, 3), cover(1, 3), numbered(1, 1, 3), numbered(1, 2, 3)].concat());
    assert_eq!(order(&series).iter().map(|patch| patch.0).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(series.notes, ["the patches came in the order 3, 1, 2; sorted by number"]);
}

#[test]
fn missing_patches_are_named() {
    let series = [numbered(1, 1, 5), numbered(1, 2, 5), numbered(1, 4, 5), numbered(1, 5, 5)].concat();
    insta::assert_snapshot!(refusals(&series), @"x.mbox: the series is incomplete: 3/5 is missing (add the missing mails)");
    let series = [cover(1, 999_999), numbered(1, 3, 999_999)].concat();
    insta::assert_snapshot!(refusals(&series), @"x.mbox: the series is incomplete: 1/999999 to 2/999999, 4/999999 to 999999/999999 is missing (add the missing mails)");
}

#[test]
fn copies_are_set_aside_and_contradictions_refused() {
    let copy = numbered(1, 1, 2).replace("[PATCH v1 1/2]", "[PATCH RESEND v1 1/2]");
    let series = assembled(&[numbered(1, 1, 2), copy, numbered(1, 2, 2)].concat());
    assert_eq!(order(&series).len(), 2);
    assert_eq!(series.notes, ["x.mbox:24 \"mm: step 1\" is a copy of patch 1/2; set aside"]);
    let other = numbered(1, 1, 2).replace("1-1", "changed");
    insta::assert_snapshot!(refusals(&[numbered(1, 1, 2), numbered(1, 2, 2), other].concat()), @r#"x.mbox:47: patch 1 "mm: step 1": there is another 1/2 with a different diff: x.mbox:1 "mm: step 1" (remove the one that is not meant)"#);
}

#[test]
fn replies_and_chatter_are_set_aside_by_name() {
    let quoted: String = diff("mm/hmm.c", "x").lines().map(|line| format!("> {line}\n")).collect();
    let reply = mail("Re: [PATCH v1 1/2] mm: step 1", &quoted);
    let fixup = mail("Re: [PATCH v1 1/2] mm: step 1", &format!("Fold this in:\n---\n{}", diff("mm/hmm.c", "y")));
    let chatter = mail("[syzbot] something", "hello\n");
    let series = assembled(&[cover(1, 2), numbered(1, 1, 2), reply, fixup, chatter, numbered(1, 2, 2)].concat());
    assert_eq!(order(&series).len(), 2);
    insta::assert_snapshot!(series.notes.join("\n"), @r#"
    x.mbox:37 "mm: step 1" is a reply; set aside
    x.mbox:51 "mm: step 1" is a reply; set aside
    x.mbox:67 "[syzbot] something" is no patch; set aside
    "#);
}

#[test]
fn of_several_versions_the_newest_is_taken_or_refused() {
    let old = [cover(5, 2), numbered(5, 1, 2), numbered(5, 2, 2)].concat();
    let new = [cover(6, 2), numbered(6, 1, 2), numbered(6, 2, 2)].concat();
    let series = assembled(&[old.as_str(), &new].concat());
    assert_eq!((series.version, series.patches.len()), (Some(6), 2));
    assert_eq!(series.notes, ["v6 is taken; set aside: v5: 2 patch(es), a cover letter"]);
    let broken = numbered(6, 2, 2);
    let both = [old.as_str(), &broken].concat();
    insta::assert_snapshot!(refusals(&both), @r"x.mbox: the newest version is incomplete: v5: 2 patch(es), a cover letter; v6: 2 patch(es) without 1/2 (add the missing mails, or take the older version with --version 5)");
    let series = assemble(mails(&both), Some(5)).unwrap();
    assert_eq!(series.version, Some(5));
    assert_eq!(series.notes, ["v5 is taken; set aside: v6: 2 patch(es) without 1/2"]);
    let refused = assemble(mails(&both), Some(4)).unwrap_err()[0].to_string();
    insta::assert_snapshot!(refused, @r"x.mbox: there is no v4; there is v5: 2 patch(es), a cover letter; v6: 2 patch(es) without 1/2 (give the number of one of these with --version)");
    insta::assert_snapshot!(refusals(&[numbered(5, 1, 2), numbered(6, 2, 2)].concat()), @r"x.mbox: several versions are mixed and none is complete: v5: 2 patch(es) without 2/2; v6: 2 patch(es) without 1/2 (pass the patches too, as an mbox of the whole thread or a folder written by git format-patch)");
    // A cover letter alone says that there is a newer version.
    insta::assert_snapshot!(refusals(&[cover(7, 3), new].concat()), @r"x.mbox: the newest version is incomplete: v6: 2 patch(es), a cover letter; v7: a cover letter (add the missing mails, or take the older version with --version 6)");
}

#[test]
fn two_series_in_one_mbox_are_refused() {
    insta::assert_snapshot!(refusals(&[numbered(1, 1, 2), numbered(1, 2, 2), numbered(1, 1, 3)].concat()), @r#"x.mbox:1: several series are mixed: one of 2 patch(es), x.mbox:1 "mm: step 1"; one of 3 patch(es), x.mbox:47 "mm: step 1" (pass an mbox that holds one series)"#);
    insta::assert_snapshot!(refusals(&[cover(1, 4), numbered(1, 1, 2), numbered(1, 2, 2)].concat()), @r#"x.mbox:14: several series are mixed: one of 2 patch(es), x.mbox:14 "mm: step 1"; one of 4 patch(es), x.mbox:1 "The whole" (pass an mbox that holds one series)"#);
    insta::assert_snapshot!(refusals(&[numbered(1, 1, 1), numbered(1, 2, 1)].concat()), @r#"x.mbox:24: patch 2 "mm: step 2": it is numbered 2/1 (correct the subject)"#);
}

#[test]
fn patches_without_numbers_keep_their_order() {
    let one = |word: &str| patch(&format!("[PATCH] mm: {word}"), &diff("mm/hmm.c", word));
    let series = assembled(&[one("b"), one("a"), one("b")].concat());
    assert_eq!(order(&series), [(1, 2, "mm: b"), (2, 2, "mm: a")]);
    assert_eq!(series.notes, ["x.mbox:47 \"mm: b\" is a copy of line 1; set aside"]);
    let plain = patch("mm: no prefix", &diff("mm/hmm.c", "x"));
    assert_eq!(order(&assembled(&plain)), [(1, 1, "mm: no prefix")]);
    let series = assembled(&[numbered(1, 1, 1), one("fix")].concat());
    assert_eq!(order(&series), [(1, 1, "mm: step 1")]);
    assert_eq!(series.notes, ["x.mbox:24 \"mm: fix\" has no number although the series is numbered; set aside"]);
}

#[test]
fn mails_without_a_patch_are_refused() {
    insta::assert_snapshot!(refusals(&cover(1, 2)), @r#"x.mbox: only a cover letter is there: x.mbox:1 "The whole" (pass the patches too, as an mbox of the whole thread or a folder written by git format-patch)"#);
    insta::assert_snapshot!(refusals(&mail("hello", "world\n")), @r": no patch is there; 1 mail(s) are something else (pass the patches too, as an mbox of the whole thread or a folder written by git format-patch)");
    insta::assert_snapshot!(refusals(&[numbered(1, 1, 2), mail("[PATCH v1 2/2] mm: step 2", "lost\n")].concat()), @r#"x.mbox:24: patch 2 "mm: step 2": the mail has no diff although it is 2/2 (have it sent again with git send-email, or take the raw mail from the archive)"#);
    assert_eq!(assemble(Vec::new(), None).unwrap_err().len(), 1);
}

#[test]
fn what_a_mailer_broke_is_refused_with_its_line() {
    let wrapped = patch("[PATCH 1/3] mm: a", &diff("mm/hmm.c", "a line that was\nwrapped"));
    let stripped = patch("[PATCH 2/3] mm: b", &diff("mm/hmm.c", "x").replace("\n two", "\n\ttwo"));
    let flowed = patch("[PATCH 3/3] mm: c", &diff("mm/hmm.c", "x")).replacen(
        "Message-ID",
        "Content-Type: text/plain; format=flowed\nMessage-ID",
        1,
    );
    insta::assert_snapshot!(refusals(&[wrapped, stripped, flowed].concat()), @r#"
    x.mbox:20: patch 1 "mm: a": the mail is line-wrapped here: `wrapped` (have it sent again with git send-email, or take the raw mail from the archive)
    x.mbox:44: patch 2 "mm: b": the mail is whitespace-damaged here: `\ttwo` (have it sent again with git send-email, or take the raw mail from the archive)
    x.mbox:61: patch 3 "mm: c": the mail was sent as format=flowed, which rewraps lines (have it sent again with git send-email, or take the raw mail from the archive)
    "#);
    let odd = patch("[PATCH] mm: a", &diff("mm/hmm.c", "J\u{fffd}rg"));
    insta::assert_snapshot!(refusals(&odd), @r#"x.mbox:19: patch 1 "mm: a": the diff holds bytes that are no text in the mail's character set (send it as UTF-8, base64-encoded if need be)"#);
    let anonymous = numbered(1, 1, 1).replace("From: Some Author <author@example.org>\n", "");
    insta::assert_snapshot!(refusals(&anonymous), @r#"x.mbox:1: patch 1 "mm: step 1": the mail has no From: address (export it with git format-patch)"#);
}

#[test]
fn a_missing_date_is_noted() {
    let undated = numbered(1, 1, 1).replace("Date: Mon, 16 Mar 2026 08:24:07 +0200\n", "");
    let series = assembled(&undated);
    assert_eq!(series.patches[0].date.seconds, 0);
    assert_eq!(series.notes, ["x.mbox:1 \"mm: step 1\" has no readable Date: header; 1970-01-01 is taken"]);
}

#[test]
fn headers_in_the_body_win() {
    let body = format!(
        "From: Real Author <real@example.org>\nDate: Mon, 17 Sep 2001 00:00:00 +0000\n\nDo it.\n---\n{}",
        diff("x", "y")
    );
    let series = assembled(&mail("[PATCH] mm: a", &body));
    let patch = &series.patches[0];
    assert_eq!((patch.author.email.as_str(), patch.date.seconds), ("real@example.org", 1_000_684_800));
    assert_eq!(patch.message, "Do it.");
}

#[test]
fn trailers_are_found_in_the_cover_or_the_first_patch() {
    let hash = "4EDC0829a5a3d1a1a3c1de2f9bd0cb5a4c2d1d7e";
    let trailers = format!(
        "base-commit: {hash}\nchange-id: 20260316-hmm-abc\nprerequisite-patch-id: {hash}\nprerequisite-patch-id: {hash}\nbase-tree: {hash}\n"
    );
    let lower = Some(hash.to_lowercase());
    let in_cover = mail("[PATCH v1 0/1] a", &format!("text\n\n---\n{trailers}\n-- \n2.43.0\n"));
    let in_patch = numbered(1, 1, 1).replace("-- \n2.43.0", &format!("\n{trailers}-- \n2.43.0"));
    for mbox in [[in_cover, numbered(1, 1, 1)].concat(), in_patch] {
        let series = assembled(&mbox);
        assert_eq!((&series.base_commit, series.prerequisites.len()), (&lower, 2));
        assert_eq!(series.change_id.as_deref(), Some("20260316-hmm-abc"));
        assert_eq!(series.notes, [] as [&str; 0]);
        assert_eq!(series.patches[0].diff, diff("mm/hmm.c", "1-1"));
    }
    let odd = numbered(1, 1, 1).replace("-- \n2.43.0", "\nbase-commit: v6.12\n-- \n2.43.0");
    assert_eq!(assembled(&odd).notes, ["`base-commit: v6.12` is no commit; ignored"]);
}

#[test]
fn gaps_are_ranges() {
    for (present, total, expected) in [
        (&[][..], 0, &[][..]),
        (&[], 1, &["1/1"]),
        (&[1, 2, 3], 3, &[]),
        (&[2], 3, &["1/3", "3/3"]),
        (&[4], 9, &["1/9 to 3/9", "5/9 to 9/9"]),
        (&[1, 12], 2, &["2/2"]),
    ] {
        assert_eq!(gaps(present, total), expected, "{present:?} of {total}");
    }
}

#[test]
fn a_mail_that_may_have_been_cut_off_is_told() {
    let whole = numbered(1, 1, 1);
    assert_eq!(assembled(&whole).notes, [""; 0]);
    let stat = " mm/hmm.c | 1 +\n mm/gup.c | 1 +\n 2 files changed, 2 insertions(+)\n";
    let cut = whole.replace(" mm/hmm.c | 1 +\n", stat);
    assert_ne!(cut, whole);
    let notes = assembled(&cut).notes;
    assert_eq!(notes.len(), 1, "{notes:?}");
    assert!(
        notes[0].ends_with("may have been cut off: its diffstat says 2 files +2 -0, its diff has 1 file +1 -0"),
        "{}",
        notes[0]
    );
}

#[test]
fn what_a_reply_needs_is_kept() {
    let head = "To: Linux MM <linux-mm@kvack.org>\nCc: \"Maintainer, The\" <m@example.org>, <b@example.org>\n\
                References: <one@example.org> <two@example.org>\nIn-Reply-To: <two@example.org>\nMessage-ID:";
    let mbox = numbered(2, 1, 1).replace("Message-ID:", head);
    let patch = assembled(&mbox).patches.remove(0);
    let envelope = patch.envelope.unwrap();
    assert_eq!(Some(&envelope.message_id), patch.message_id.as_ref());
    assert_eq!(envelope.subject, "[PATCH v2 1/1] mm: step 1");
    assert_eq!(envelope.from.email, "author@example.org");
    let emails = |people: &[Person]| people.iter().map(|person| person.email.clone()).collect::<Vec<_>>();
    assert_eq!(emails(&envelope.to), ["linux-mm@kvack.org"]);
    assert_eq!(emails(&envelope.cc), ["m@example.org", "b@example.org"]);
    assert_eq!(envelope.cc[0].name, "Maintainer, The");
    assert_eq!(envelope.references, ["one@example.org", "two@example.org"]);
}

#[test]
fn a_patch_sent_again_below_the_old_version_replaces_its_number() {
    let below = |version: u32, number: usize, parent: &str| {
        numbered(version, number, 3).replacen("Message-ID", &format!("In-Reply-To: <{parent}>\nMessage-ID"), 1)
    };
    let id = |version: u32, number: usize| format!("-PATCH-v{version}-{number}-3--mm--step-{number}@example.org");
    let v2 = [cover(2, 3), numbered(2, 1, 3), numbered(2, 2, 3), numbered(2, 3, 3)].concat();
    let words = |series: &Assembled| -> Vec<bool> {
        ["2-1", "3-2", "4-3"].iter().zip(&series.patches).map(|(word, patch)| patch.diff.contains(word)).collect()
    };
    let mbox = [v2.as_str(), &below(3, 2, &id(2, 2)), &below(4, 3, &id(2, 3))].concat();
    let series = assembled(&mbox);
    assert_eq!((series.version, &series.rerolled, words(&series)), (Some(4), &vec![2, 3], vec![true, true, true]));
    assert_eq!(series.cover.as_ref().unwrap().subject, "The whole");
    insta::assert_snapshot!(series.notes.join("\n"), @r"
    of v3 only 2/3 was sent, below v2; the other patches are those of v2
    of v4 only 3/3 was sent, below v3; the other patches are those of v3
    ");
    let series = assemble(mails(&mbox), Some(3)).unwrap();
    assert_eq!((series.version, &series.rerolled, words(&series)), (Some(3), &vec![2], vec![true, true, false]));
    let series = assemble(mails(&mbox), Some(2)).unwrap();
    assert_eq!((series.version, series.rerolled.len(), words(&series)), (Some(2), 0, vec![true, false, false]));
    // Elsewhere, or of another number of patches, it is an incomplete version.
    for stray in [numbered(3, 2, 3), below(3, 2, "other@example.org"), below(3, 2, &id(2, 2)).replacen("2/3", "2/4", 1)]
    {
        let text = refusals(&[v2.as_str(), &stray].concat());
        assert!(text.contains("the newest version is incomplete"), "{text}");
    }
}

#[test]
fn numbers_beyond_reason_are_refused_by_name() {
    let odd = numbered(1, 1, 1).replacen("1/1", "1/4294967297", 1);
    insta::assert_snapshot!(refusals(&odd), @r#"x.mbox:1: "mm: step 1" is numbered 1/4294967297, and no series has so many patches (correct the subject)"#);
}
