//! The real thing: series are taken from an archive that public-inbox serves.
//!
//! Needs the Debian packages of `scripts/deps --test`: `make test`, or `cargo test --test real_lists -- --ignored`.

mod public_inbox;

use std::process::Command;

use camino::{Utf8Path, Utf8PathBuf};
use jiff::Timestamp;
use orchestrator::intake::{Choice, Intake, IntakeError, Limits, Place, Source, Wanted};
use orchestrator::words::Series;
use public_inbox::{Letter, PublicInbox, posting};
use tokio_util::sync::CancellationToken;

const AUTHOR: &str = "A. Author <author@example.org>";
const OTHER: &str = "O. Ther <other@example.org>";
const TITLE: &str = "mm/hmm: migrate on fault";

/// v1 to v3 by the author, v3 2/3 sent again as v4 below v3, replies, and a series of the same title by somebody else.
fn letters() -> Vec<Letter> {
    let mut letters = posting("v1/x", AUTHOR, "PATCH", TITLE, 2, 1);
    letters.extend(posting("v2", AUTHOR, "PATCH v2", TITLE, 3, 5));
    let mut third = posting("v3", AUTHOR, "PATCH v3", TITLE, 3, 9);
    // The third version is a reply to the second, as some people do.
    for letter in &mut third {
        letter.parents.insert(0, "v2-0@example.org".to_owned());
    }
    letters.extend(third);
    letters.extend(posting("other", OTHER, "PATCH v9", TITLE, 3, 10));
    let reply = |id: &str, parents: &[&str], from: &str, body: &str| Letter {
        id: format!("{id}@example.org"),
        subject: "Re: [PATCH] mm: step".to_owned(),
        from: from.to_owned(),
        parents: parents.iter().map(|id| format!("{id}@example.org")).collect(),
        day: 11,
        body: body.to_owned(),
    };
    letters.push(reply("r1", &["v3-0", "v3-2"], OTHER, "> Do it.\n\nReviewed-by: O. Ther <other@example.org>\n"));
    letters.push(reply("r2", &["v3-0"], OTHER, "Thanks!\n\nAcked-by: O. Ther <other@example.org>\n"));
    letters.push(reply("r3", &["v3-0", "r2"], AUTHOR, "> Acked-by: Q. Uoted <q@example.org>\n\nThank you.\n"));
    letters.push(Letter {
        id: "again@example.org".to_owned(),
        subject: "[PATCH v4 2/3] mm: step 2".to_owned(),
        day: 12,
        ..reply("again", &["v2-0", "v3-0", "v3-2"], AUTHOR, &Letter::patch_body("again"))
    });
    letters
}

fn archive() -> PublicInbox {
    let inbox = PublicInbox::new();
    for letter in letters() {
        inbox.deliver(&letter.text());
    }
    inbox
}

/// Half an hour after the real time: what was kept is no longer fresh.
fn later() -> Timestamp {
    Timestamp::now() + jiff::SignedDuration::from_mins(30)
}

fn intake(url: &str, cache: &Utf8Path, clock: fn() -> Timestamp) -> Intake {
    let place = Place::PublicInbox(url.parse().unwrap());
    let sources = vec![Source { name: "inbox".to_owned(), place }];
    Intake::new(sources, cache, clock, Limits::default(), &CancellationToken::new()).unwrap()
}

fn message(id: &str) -> Wanted {
    Wanted::parse(&format!("{id}@example.org")).unwrap()
}

/// What each patch adds.
fn words(series: &Series) -> Vec<&str> {
    let added = |line: &'_ str| line.starts_with('+') && !line.starts_with("+++");
    series
        .patches
        .iter()
        .map(|patch| &patch.diff.lines().find(|line| added(line)).expect("a line is added")[1..])
        .collect()
}

fn cache(inbox: &PublicInbox, name: &str) -> Utf8PathBuf {
    Utf8PathBuf::try_from(inbox.folder().join(name)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs public-inbox"]
async fn the_right_patches_every_time() {
    let mut inbox = archive();
    let url = inbox.serve();
    let intake = intake(&url, &cache(&inbox, "cache"), Timestamp::now);
    for (id, choice, expected) in [
        ("v1/x-0", Choice::AsNamed, vec!["v1/x-1", "v1/x-2"]),
        ("v1/x-2", Choice::AsNamed, vec!["v1/x-1", "v1/x-2"]),
        ("v2-0", Choice::AsNamed, vec!["v2-1", "v2-2", "v2-3"]),
        ("v3-3", Choice::AsNamed, vec!["v3-1", "v3-2", "v3-3"]),
        ("r1", Choice::AsNamed, vec!["v3-1", "v3-2", "v3-3"]),
        ("again", Choice::AsNamed, vec!["v3-1", "again", "v3-3"]),
        ("v1/x-0", Choice::Latest, vec!["v3-1", "again", "v3-3"]),
        ("v3-0", Choice::Version(1), vec!["v1/x-1", "v1/x-2"]),
        ("other-1", Choice::Latest, vec!["other-1", "other-2", "other-3"]),
    ] {
        let series = intake.fetch(&message(id), choice).await.unwrap_or_else(|error| panic!("{id}: {error}"));
        assert_eq!(words(&series), expected, "{id} {choice:?}");
        assert_eq!(series.title, TITLE);
    }
    let series = intake.fetch(&message("v3-0"), Choice::AsNamed).await.unwrap();
    assert_eq!(series.notes, ["v4 is newer than v3: <again@example.org>"]);
    let posting = series.posting.unwrap();
    assert_eq!(posting.url, Some(format!("{url}/v3-0@example.org/")));
    assert_eq!(posting.versions.iter().map(|version| version.version).collect::<Vec<_>>(), [1, 2, 3, 4]);
    let trailers: Vec<(Option<usize>, &str)> =
        posting.trailers.iter().map(|trailer| (trailer.patch, trailer.trailer.as_str())).collect();
    let given = "O. Ther <other@example.org>";
    assert_eq!(
        trailers,
        [(None, format!("Acked-by: {given}").as_str()), (Some(2), format!("Reviewed-by: {given}").as_str())]
    );
    // Given to the patch that was replaced.
    let latest = intake.fetch(&message("v3-0"), Choice::Latest).await.unwrap().posting.unwrap();
    assert_eq!((latest.rerolled, latest.trailers.len()), (vec![2], 1));
    let error = intake.fetch(&message("nowhere"), Choice::AsNamed).await.unwrap_err().to_string();
    assert!(error.contains("it does not have <nowhere@example.org>"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs public-inbox"]
async fn a_change_id_is_searched_for() {
    let mut inbox = PublicInbox::new();
    let mut letters = posting("v1", AUTHOR, "PATCH", TITLE, 1, 1);
    letters.extend(posting("v2", AUTHOR, "PATCH v2", "mm/hmm: another title", 1, 2));
    letters.extend(posting("b", AUTHOR, "PATCH v3", TITLE, 1, 3));
    for (index, change) in [(0, "20260301-hmm-0123abc"), (2, "20260301-hmm-0123abc"), (4, "20260301-hmm-4567def")] {
        letters[index].body.push_str(&format!("\n---\nbase-commit: {:040x}\nchange-id: {change}\n", 7));
    }
    letters.iter().for_each(|letter| inbox.deliver(&letter.text()));
    let url = inbox.serve();
    let intake = intake(&url, &cache(&inbox, "cache"), Timestamp::now);
    let change = Wanted::parse("change-id:20260301-hmm-0123abc").unwrap();
    let series = intake.fetch(&change, Choice::AsNamed).await.unwrap();
    assert_eq!((words(&series), series.version), (vec!["v2-1"], Some(2)));
    let first = intake.fetch(&message("v1-1"), Choice::Latest).await.unwrap();
    assert_eq!(words(&first), ["v2-1"]);
    let unknown = Wanted::parse("change-id:20260301-none-0000").unwrap();
    assert!(matches!(intake.fetch(&unknown, Choice::AsNamed).await, Err(IntakeError::Unavailable { .. })));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs public-inbox"]
async fn a_stopped_server_leaves_the_copy_or_a_clear_error() {
    let mut inbox = archive();
    let url = inbox.serve();
    let (kept, empty) = (cache(&inbox, "kept"), cache(&inbox, "empty"));
    intake(&url, &kept, Timestamp::now).fetch(&message("v2-0"), Choice::AsNamed).await.unwrap();
    inbox.stop();
    // Fresh: nobody is asked.
    let fresh = intake(&url, &kept, Timestamp::now).fetch(&message("v2-0"), Choice::AsNamed).await.unwrap();
    assert_eq!((words(&fresh).len(), fresh.notes.len()), (3, 1));
    let old = intake(&url, &kept, later).fetch(&message("v2-0"), Choice::AsNamed).await.unwrap();
    assert_eq!(words(&old), ["v2-1", "v2-2", "v2-3"]);
    assert!(old.notes[0].contains("did not serve") && old.notes[0].contains("30 min ago is taken"), "{:?}", old.notes);
    let error = intake(&url, &empty, Timestamp::now).fetch(&message("v2-0"), Choice::AsNamed).await.unwrap_err();
    assert!(error.is_infrastructure() && error.to_string().contains("Connection refused"), "{error}");
}

#[test]
#[ignore = "needs public-inbox"]
fn the_program_lists_versions() {
    let mut inbox = archive();
    let url = inbox.serve();
    let home = inbox.folder().join("home");
    for folder in ["series", "kconfigs"] {
        std::fs::create_dir_all(home.join(folder)).unwrap();
    }
    let sources = format!("sources:\n  - name: inbox\n    public_inbox: {{ url: \"{url}\" }}\n");
    std::fs::write(home.join("series/sources.yaml"), sources).unwrap();
    let run = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_orchestrator"));
        command.arg("--home").arg(&home).arg("--cache").arg(inbox.folder().join("cache")).args(args);
        let output = command.output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let address = format!("{url}/v1%2Fx-1@example.org/T/#t");
    let (code, plain, _) = run(&["versions", &address]);
    assert_eq!(code, Some(0));
    let lines: Vec<&str> = plain.lines().filter(|line| line.starts_with('v')).collect();
    assert_eq!(lines.len(), 4, "{plain}");
    assert!(plain.contains("3 patches, sent again alone: 2") && !plain.contains("v9"), "{plain}");
    assert!(plain.contains("2/3  Reviewed-by: O. Ther <other@example.org>"), "{plain}");
    let (_, json, _) = run(&["versions", &address, "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["versions"].as_array().unwrap().len(), 4);
    inbox.stop();
    let (code, _, words) = {
        let mut command = Command::new(env!("CARGO_BIN_EXE_orchestrator"));
        command.arg("--home").arg(&home).arg("--cache").arg(inbox.folder().join("none")).args(["versions", &address]);
        let output = command.output().unwrap();
        (output.status.code(), output.stdout, String::from_utf8(output.stderr).unwrap())
    };
    assert_eq!(code, Some(2));
    assert!(words.starts_with("error: <v1/x-1@example.org> cannot be had"), "{words}");
}
