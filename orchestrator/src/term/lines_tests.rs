use super::*;
use crate::words::{BlamedPatch, FindingKind, PendingUnit, UnitKind};

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn started(unit: &str, kind: UnitKind, attempt: u32) -> Event {
    Event::UnitStarted { unit: unit.into(), kind, attempt }
}

fn step(unit: &str, done: u64, total: u64, message: &str) -> Event {
    Event::UnitProgress { unit: unit.into(), done, total, message: message.into() }
}

fn ended(unit: &str, outcome: UnitOutcome, reused: bool) -> Event {
    Event::UnitEnded {
        unit: unit.into(),
        kind: UnitKind::Build,
        attempt: 1,
        outcome,
        key: None,
        reused,
        wall_ms: 83_000,
    }
}

fn finding() -> Event {
    Event::Found {
        finding: Box::new(Finding {
            kind: FindingKind::NewWarning,
            severity: Severity::Problem,
            tree: "linux-6.12".into(),
            revision: "patch 3/6".into(),
            patch: Some(BlamedPatch { number: 3, total: 6, subject: "mm/hmm: walk once".into() }),
            kconfig: Some("no-hmm-mirror".into()),
            machine: None,
            test: None,
            metric: None,
            function: None,
            summary: "mm/migrate_device.c:512: unused variable 'cpages' \u{1b}]0;title\u{7} [-Wunused-variable]".into(),
            evidence: Vec::new(),
            reproduce: String::new(),
        }),
    }
}

fn usual(ms: u64) -> PendingUnit {
    PendingUnit { unit: "u".into(), kind: UnitKind::Build, usual_ms: Some(ms) }
}

fn all_events() -> Vec<Event> {
    let reason = |text: &str| text.to_owned();
    vec![
        Event::RunStarted {
            run: "20260401-101500-v6".into(),
            format: 1,
            command: "orchestrator run series v6".into(),
            resumed: false,
        },
        Event::RunStarted { run: "r".into(), format: 1, command: "orchestrator resume r".into(), resumed: true },
        Event::Planned { units: 42, reused: 0, pending: Vec::new() },
        Event::Planned { units: 42, reused: 3, pending: Vec::new() },
        Event::Planned { units: 5, reused: 3, pending: vec![usual(60_000), usual(90_000)] },
        started("build/linux-6.12/p3/hmm", UnitKind::Build, 1),
        started("boot/linux-6.12/p6/hmm", UnitKind::Boot, 2),
        step("build/linux-6.12/p3/hmm", 412, 2310, "mm/\u{1b}[2Jhmm.o"),
        step("build/linux-6.12/p3/hmm", 412, 0, "mm/hmm.o"),
        ended("build/linux-6.12/p3/hmm", UnitOutcome::Done, false),
        ended("build/linux-6.12/p3/hmm", UnitOutcome::Done, true),
        ended("a", UnitOutcome::Failed { reason: reason("mm/hmm.c:12:5: error: expected ';'\n\r\u{9b}31m") }, false),
        ended("b", UnitOutcome::Failed { reason: reason("as before") }, true),
        ended("c", UnitOutcome::Infra { reason: reason("no space left on device: /var/cache/orchestrator") }, false),
        ended("d", UnitOutcome::NotRun { reason: reason("cross compiler missing") }, false),
        finding(),
        Event::Note { message: "tree mainline: git fetch failed, tarball used".into() },
        Event::RunEnded { verdict: "findings".into(), wall_ms: 754_000 },
    ]
}

#[test]
fn lines_that_stay_on_a_terminal() {
    let lines: Vec<String> = all_events().iter().flat_map(|e| event(e, 72, &Styles::plain())).collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn lines_that_stay_have_colour_only_in_their_first_word() {
    let lines: Vec<String> = all_events().iter().flat_map(|e| event(e, 72, &Styles::colored())).collect();
    insta::assert_snapshot!(lines.join("\n").replace('\u{1b}', "␛"));
}

#[test]
fn lines_of_a_log() {
    let lines: Vec<String> = all_events().iter().flat_map(|e| plain(e, at(754))).collect();
    insta::assert_snapshot!(lines.join("\n"));
}

/// Three units running of forty-two, some done.
fn busy() -> Progress {
    let mut progress = Progress::default();
    progress.apply(&Event::Planned { units: 42, reused: 3, pending: Vec::new() }, at(0));
    for unit in ["x", "y", "z"] {
        progress.apply(&ended(unit, UnitOutcome::Done, true), at(0));
    }
    progress.apply(&started("build/linux-6.12/base/hmm", UnitKind::Build, 1), at(1));
    progress.apply(&ended("build/linux-6.12/base/hmm", UnitOutcome::Done, false), at(84));
    progress.apply(&finding(), at(85));
    progress.apply(&started("build/linux-6.12/p3/no-hmm-mirror", UnitKind::Build, 1), at(85));
    progress.apply(&step("build/linux-6.12/p3/no-hmm-mirror", 412, 2310, "mm/migrate_device.o"), at(90));
    progress.apply(&started("boot/linux-6.12/base/hmm", UnitKind::Boot, 2), at(86));
    progress.apply(&step("boot/linux-6.12/base/hmm", 17, 0, "hmm_device_private.漢字\u{1b}[31m"), at(90));
    progress.apply(&started("fetch/mainline", UnitKind::Fetch, 1), at(90));
    progress
}

#[test]
fn moving_part_of_any_width() {
    let mut shown = String::new();
    for columns in [120, 80, 40, 20] {
        shown.push_str(&format!("{columns} columns:\n"));
        for line in status(&busy(), at(95), columns, &Styles::plain()) {
            assert!(width(&line) <= columns, "{columns}: {line}");
            shown.push_str(&line);
            shown.push('\n');
        }
    }
    insta::assert_snapshot!(shown);
}

#[test]
fn at_most_eight_lines_move() {
    let mut progress = Progress::default();
    for unit in 0..7 {
        progress.apply(&started(&format!("build/{unit}"), UnitKind::Build, 1), at(0));
    }
    let seven = status(&progress, at(1), 80, &Styles::plain());
    assert_eq!(seven.len(), MAX_LINES);
    assert!(!seven.join("\n").contains("more"));
    for unit in 7..20 {
        progress.apply(&started(&format!("build/{unit}"), UnitKind::Build, 1), at(0));
    }
    let many = status(&progress, at(1), 80, &Styles::plain());
    assert_eq!(many.len(), MAX_LINES);
    assert_eq!(many[6], "         and 14 more");
}

#[test]
fn bar_is_full_only_at_the_end() {
    let table = [
        (0, 0, "          "),
        (0, 3, "          "),
        (1, 100, "          "),
        (1, 3, "==>       "),
        (99, 100, "========> "),
        (3, 3, "=========="),
    ];
    for (done, total, expected) in table {
        assert_eq!(bar(done, total, 10), expected, "{done}/{total}");
    }
}

#[test]
fn time_left_in_words() {
    let table = [
        (0, "about 1 min left"),
        (61_000, "about 2 min left"),
        (3_540_000, "about 59 min left"),
        (4_000_000, "about 1 h 07 min left"),
    ];
    for (ms, expected) in table {
        assert_eq!(time_left(ms), expected);
    }
}
