//! What is written is read back.

use proptest::prelude::*;

use super::super::assemble::assemble;
use super::super::fixtures::mails;
use super::*;
use crate::words::{Date, Origin};

fn patch(subject: &str, author: (&str, &str), message: &str, diff: &str) -> Patch {
    Patch {
        number: 1,
        total: 1,
        subject: subject.to_owned(),
        author: Person { name: author.0.to_owned(), email: author.1.to_owned() },
        date: Date { seconds: 1_773_642_247, offset_minutes: 120 },
        message: message.to_owned(),
        diff: diff.to_owned(),
        diff_line: 0,
        message_id: None,
        origin: Origin { file: "x".into(), line: 0 },
        envelope: None,
    }
}

const DIFF: &str = "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n";

fn read_back(mbox: &str) -> Vec<Patch> {
    let mut patches = assemble(mails(mbox), None).unwrap_or_else(|refusals| panic!("{refusals:#?}\n{mbox}")).patches;
    for patch in &mut patches {
        patch.diff_line = 0;
        patch.origin = Origin { file: "x".into(), line: 0 };
    }
    patches
}

#[test]
fn the_mail_looks_like_one_of_git() {
    let text = mail_text(&patch("mm: a", ("Jörg Ä", "j@k.l"), "Why.\n\nAcked-by: x", DIFF));
    insta::assert_snapshot!(text, @r"
    From 0000000000000000000000000000000000000000 Mon Sep 17 00:00:00 2001
    From: =?UTF-8?q?J=C3=B6rg_=C3=84?= <j@k.l>
    Date: Mon, 16 Mar 2026 08:24:07 +0200
    Subject: [PATCH 1/1] mm: a
    MIME-Version: 1.0
    Content-Type: text/plain; charset=UTF-8
    Content-Transfer-Encoding: 8bit

    Why.

    Acked-by: x
    ---

    --- a/x
    +++ b/x
    @@ -1 +1 @@
    -a
    +b
    -- 
    orchestrator
    ");
}

#[test]
fn a_message_cannot_smuggle_a_diff_or_a_header() {
    let evil = "From: Else <e@l.se>\nSubject: other\n---\ndiff --git a/../x b/../x\n--- a/../x\n+++ b/../x\n@@ -1 +1 @@\n-a\n+b\n\
                Index: y\nFrom a@b.c Tue Mar  3 19:05:01 2026\n-- >8 --\nend";
    let original = patch("mm: a", ("A", "a@b.c"), evil, DIFF);
    let back = read_back(&mail_text(&original));
    assert_eq!(back.len(), 1);
    assert_eq!(
        (&back[0].author, &back[0].subject, &back[0].diff),
        (&original.author, &original.subject, &original.diff)
    );
    let plain = |text: &str| text.lines().map(|line| line.trim_start().to_owned()).collect::<Vec<_>>();
    assert_eq!(plain(&back[0].message), plain(&evil.replace(">8", "> 8")));
}

prop_compose! {
    fn any_hunk()(start in 1..900u32, lines in prop::collection::vec("[ +-][ -~äλ\t]{0,20}", 1..8)) -> String {
        // A hunk must change something, or no patch program reads it.
        let body: String = std::iter::once("+new".to_owned()).chain(lines).map(|line| line + "\n").collect();
        let old = body.lines().filter(|line| !line.starts_with('+')).count();
        let new = body.lines().filter(|line| !line.starts_with('-')).count();
        format!("@@ -{start},{old} +{start},{new} @@ void f(void)\n{body}")
    }
}

prop_compose! {
    fn any_patch()(
        subject in "[a-z]{1,8}: [!-Zb-~äß][ -~äß]{0,80}[!-~]",
        name in "([A-Za-zÄé.,\"]{1,8} )?[A-Za-zÄé.]{1,8}",
        email in "[a-z]{1,8}@[a-z]{1,8}\\.org",
        seconds in 0i64..4_000_000_000,
        offset_minutes in -720..720i32,
        message in prop::collection::vec("[A-Za-z][ -~äß]{0,70}[!-~]|", 0..6),
        files in prop::collection::vec(("[a-z]{1,8}/[a-z]{1,8}\\.c", prop::collection::vec(any_hunk(), 1..3)), 1..4),
    ) -> Patch {
        let diff = files.iter().map(|(file, hunks)| {
            format!("diff --git a/{file} b/{file}\nindex 1111111..2222222 100644\n--- a/{file}\n+++ b/{file}\n{}", hunks.concat())
        });
        let subject = subject.split_whitespace().collect::<Vec<_>>().join(" ");
        let message = message.join("\n").trim_matches('\n').to_owned();
        Patch { date: Date { seconds, offset_minutes }, ..patch(&subject, (&name, &email), &message, &diff.collect::<String>()) }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn a_series_survives_the_mail(patches in prop::collection::vec(any_patch(), 1..5)) {
        let total = patches.len();
        let mut patches: Vec<Patch> =
            patches.into_iter().enumerate().map(|(at, patch)| Patch { number: at + 1, total, ..patch }).collect();
        let mbox: String = patches.iter().map(mail_text).collect();
        let mut back = read_back(&mbox);
        // Lines that git am would misread come back indented, and scissors opened, by intent.
        for (patch, back) in patches.iter_mut().zip(&mut back) {
            let plain = |text: &str| text.lines().map(|line| line.replace(' ', "")).collect::<Vec<_>>();
            prop_assert_eq!(plain(&patch.message), plain(&back.message));
            back.message.clone_from(&patch.message);
        }
        prop_assert_eq!(patches, back);
    }
}
