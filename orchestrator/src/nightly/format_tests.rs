//! The format of the journal.

use camino::Utf8Path;
use jiff::Timestamp;
use serde_json::Value;

use super::health::{BaseRecord, BaseStanding, KconfigBase};
use super::journal::{FORMAT, Line, folder, read_journal};
use super::words::{NightEvent, RunOutcome, Target};
use crate::formats::{all, has_not_changed, of_the_future};
use crate::words::Profile;

fn events() -> Vec<NightEvent> {
    let text = |word: &str| word.to_owned();
    let night = || text("2026-01-31");
    let target = || Target {
        series: text("v6"),
        version: Some(6),
        content: text("c"),
        tree: text("linux-6.12"),
        commit: text("d"),
        profile: Profile::Quick,
    };
    let kconfigs = [
        KconfigBase::Good,
        KconfigBase::DoesNotBuild { reason: text("r") },
        KconfigBase::DoesNotBoot { reason: text("r") },
        KconfigBase::Unknown,
    ];
    let kconfigs = kconfigs.into_iter().enumerate().map(|(index, one)| (format!("k{index}"), one)).collect();
    let base = BaseRecord {
        commit: text("d"),
        kernel_version: text("6.12"),
        run: text("r"),
        standing: BaseStanding::Failing,
        kconfigs,
        failing: vec![text("hmm.a")],
    };
    vec![
        NightEvent::NightBegan { night: night(), pid: 1 },
        NightEvent::Wanted { night: night(), target: target(), why: text("w") },
        NightEvent::RunBegan { night: night(), target: target(), run: text("r"), known: text("k") },
        NightEvent::RunEnded {
            night: night(),
            target: target(),
            run: Some(text("r")),
            outcome: RunOutcome::Findings,
            headline: text("h"),
            problems: 1,
            known: text("k"),
        },
        NightEvent::RunCut { night: night(), target: target(), run: text("r"), why: text("w") },
        NightEvent::BaseJudged { night: night(), tree: text("linux-6.12"), base },
        NightEvent::Told {
            night: night(),
            subject: target().subject(),
            outcome: RunOutcome::Clean,
            run: text("r"),
            how: text("h"),
        },
        NightEvent::Trouble { night: night(), message: text("m") },
        NightEvent::NightEnded { night: night(), summary: text("s") },
    ]
}

#[test]
fn the_journal_keeps_its_format() {
    let at: Timestamp = "2026-01-31T02:00:00Z".parse().unwrap();
    let now: Vec<Value> = events().iter().map(|event| serde_json::to_value(Line::new(at, event)).unwrap()).collect();
    has_not_changed("night", FORMAT, &now);
    let guard = tempfile::tempdir().unwrap();
    let results = Utf8Path::from_path(guard.path()).unwrap();
    fs_err::create_dir_all(folder(results)).unwrap();
    let path = folder(results).join("events.jsonl");
    for (name, text) in all("night") {
        fs_err::write(&path, &text).unwrap();
        assert_eq!(read_journal(results).unwrap().len(), text.lines().count(), "{name}");
    }
    let newer = of_the_future("night", FORMAT, "format");
    fs_err::write(&path, &newer).unwrap();
    let error = read_journal(results).unwrap_err().to_string();
    assert!(error.contains("a newer orchestrator wrote it"), "{error}");
}
