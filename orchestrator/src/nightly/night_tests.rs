//! Whole nights against a simulated world.

use tokio_util::sync::CancellationToken;

use super::file::{self, Nightly};
use super::hands::Hands;
use super::night::{NightError, Setting, night};
use super::state::State;
use super::summary::{Summary, Weight};
use super::testing::{MemoryJournal, ReportMaker, World, patches};
use super::words::{NightEvent, Target};
use crate::report::model::{Report, RunVerdict};
use crate::words::BootEnd;

const ONE: &str = "series: [{manifest: v6, trees: [linux-6.12]}]\nhours: 8\npost: send\n";
const TWO: &str = "series: [{manifest: v6, trees: [linux-6.12, mainline]}]\nhours: 8\npost: send\n";

fn nightly(text: &str) -> Nightly {
    file::parse(text, &["linux-6.12", "mainline"], &["v6"]).unwrap()
}

fn world() -> World {
    let mut world = World::new();
    world.versions.insert("v6".into(), (6, patches("v6", "diff 6")));
    for tree in ["linux-6.12", "mainline"] {
        world.trees.insert(tree.into(), format!("{tree}-a"));
        world.reports.insert(("v6".into(), tree.into()), clean(tree));
    }
    world
}

fn clean(tree: &str) -> Report {
    ReportMaker::new(tree).row("hmm.read", (0, 1), (0, 1)).report()
}

fn try_tonight(world: &World, nightly: &Nightly, journal: &mut MemoryJournal) -> Result<Summary, NightError> {
    let setting = Setting {
        nightly,
        hands: Hands { versions: world, trees: world, runner: world, poster: world, disk: world },
        clock: &world.clock,
        known: "none",
        pid: 1,
        cancel: CancellationToken::new(),
    };
    let state = State::from_events(&journal.events);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (summary, after) = runtime.block_on(night(setting, state, journal))?;
    assert_eq!(after, State::from_events(&journal.events), "the journal tells the same");
    Ok(summary)
}

/// One night, and the day after it.
fn tonight(world: &World, nightly: &Nightly, journal: &mut MemoryJournal) -> Summary {
    let summary = try_tonight(world, nightly, journal).unwrap();
    next_day(world);
    summary
}

fn next_day(world: &World) {
    use super::clock::Clock;
    let day = world.clock.now().strftime("%d").to_string();
    while world.clock.now().strftime("%d").to_string() == day {
        world.clock.add(1);
    }
}

fn end_of(journal: &MemoryJournal) -> &str {
    match &journal.events.last().unwrap().1 {
        NightEvent::NightEnded { summary, .. } => summary,
        other => panic!("{other:?}"),
    }
}

#[test]
fn five_nights() {
    let nightly = nightly(ONE);
    let mut world = world();
    let mut journal = MemoryJournal::default();
    let key = ("v6".to_owned(), "linux-6.12".to_owned());

    // A new version: it is run, and the answer is sent.
    let summary = tonight(&world, &nightly, &mut journal);
    assert_eq!(world.ended(), ["v6 on linux-6.12 at linux-6.12-a"]);
    assert_eq!(world.posted(), ["v6 v6 on linux-6.12: clean (before: nothing)"]);
    assert_eq!(summary.text(true), "", "cron has nothing to mail");

    // The base moved: it is run again, and as the verdict is the same nobody is told.
    world.trees.insert("linux-6.12".into(), "linux-6.12-b".into());
    tonight(&world, &nightly, &mut journal);
    assert_eq!(world.ended()[1..], ["v6 on linux-6.12 at linux-6.12-b"]);
    assert_eq!(world.posted().len(), 1);

    // The base moved again, and a test fails sometimes on both sides.
    world.trees.insert("linux-6.12".into(), "linux-6.12-c".into());
    let flaky = ReportMaker::new("linux-6.12").row("hmm.read", (1, 3), (2, 3)).report();
    world.reports.insert(key.clone(), flaky);
    let summary = tonight(&world, &nightly, &mut journal);
    assert_eq!(world.ended().len(), 3);
    assert_eq!(world.posted().len(), 1);
    assert_eq!(summary.weight(), Weight::Note);

    // The base no longer comes up. The run cannot say anything of the series, whatever it says; it is told once, here.
    world.trees.insert("linux-6.12".into(), "linux-6.12-d".into());
    let broken = ReportMaker::new("linux-6.12").base_boot("hmm", BootEnd::Panicked).verdict(RunVerdict::Findings);
    world.reports.insert(key.clone(), broken.report());
    let summary = tonight(&world, &nightly, &mut journal);
    assert_eq!(world.ended().len(), 4);
    assert_eq!(world.posted().len(), 1, "nobody is blamed");
    assert!(summary.text(true).contains("the base of linux-6.12 is broken"), "{}", summary.text(true));

    // Nothing new: nothing is run, nothing said.
    let summary = tonight(&world, &nightly, &mut journal);
    assert_eq!(world.ended().len(), 4);
    assert_eq!(world.posted().len(), 1);
    assert_eq!(summary.text(true), "");
    assert_eq!(end_of(&journal), "nothing changed since the night of 2026-02-03");

    // It is mended: the series is run, and its verdict is what it was.
    world.trees.insert("linux-6.12".into(), "linux-6.12-e".into());
    world.reports.insert(key.clone(), clean("linux-6.12"));
    let summary = tonight(&world, &nightly, &mut journal);
    assert!(summary.text(false).contains("is no longer broken"), "{}", summary.text(false));
    assert_eq!((world.ended().len(), world.posted().len()), (5, 1));

    // A new version with problems: that is another verdict of another version.
    world.versions.insert("v6".into(), (7, patches("v6", "diff 7")));
    world.reports.insert(key, ReportMaker::new("linux-6.12").verdict(RunVerdict::Findings).report());
    let summary = tonight(&world, &nightly, &mut journal);
    assert_eq!(world.posted()[1..], ["v6 v7 on linux-6.12: findings (before: nothing)"]);
    assert_eq!(summary.weight(), Weight::Findings);
}

#[test]
fn a_base_that_stays_broken_is_said_once_and_keeps_other_series_from_it() {
    let nightly = file::parse(
        "series: [{manifest: a, trees: [linux-6.12]}, {manifest: b, trees: [linux-6.12]}]\npost: send\n",
        &["linux-6.12"],
        &["a", "b"],
    )
    .unwrap();
    let mut world = world();
    let broken = ReportMaker::new("linux-6.12").base_boot("hmm", BootEnd::Panicked).report();
    for name in ["a", "b"] {
        world.versions.insert(name.into(), (1, patches(name, name)));
        world.reports.insert((name.into(), "linux-6.12".into()), broken.clone());
    }
    let mut journal = MemoryJournal::default();
    let summary = tonight(&world, &nightly, &mut journal);
    assert_eq!(world.ended(), ["a v1 on linux-6.12 at linux-6.12-a"], "b would say nothing new");
    assert_eq!(summary.text(true).matches("is broken, which blames no series").count(), 1);
    world.trees.insert("linux-6.12".into(), "linux-6.12-b".into());
    let summary = tonight(&world, &nightly, &mut journal);
    assert_eq!(world.ended().len(), 2, "the next commit is looked at");
    assert_eq!(summary.text(true), "", "that is known");
    assert_eq!(world.posted(), [""; 0]);
}

#[test]
fn killed_between_any_two_steps_nothing_is_lost_and_nothing_done_twice() {
    let nightly = nightly(TWO);
    let expected = ["v6 v6 on linux-6.12: clean (before: nothing)", "v6 v6 on mainline: clean (before: nothing)"];
    let whole = {
        let mut journal = MemoryJournal::default();
        tonight(&world(), &nightly, &mut journal);
        journal.events.len()
    };
    assert!(whole > 8, "{whole}");
    for left in 0..whole {
        let world = world();
        let mut journal = MemoryJournal { left: Some(left), ..MemoryJournal::default() };
        let error = try_tonight(&world, &nightly, &mut journal).unwrap_err();
        assert!(error.to_string().contains("killed"), "{error}");
        journal.left = None;
        next_day(&world);
        tonight(&world, &nightly, &mut journal);
        assert_eq!(world.posted(), expected, "killed after {left} events");
        for run in world.done.lock().unwrap().begun.keys() {
            // A run folder whose making was not written down is the only thing that may be left.
            let noted = |event: &NightEvent| matches!(event, NightEvent::RunBegan { run: other, .. } if other == run);
            let ended =
                |event: &NightEvent| matches!(event, NightEvent::RunEnded { run: Some(other), .. } if other == run);
            let count = |what: &dyn Fn(&NightEvent) -> bool| journal.events.iter().filter(|(_, e)| what(e)).count();
            assert_eq!(count(&noted), count(&ended), "killed after {left} events: {run}");
            assert!(count(&ended) <= 1);
        }
        let before = world.ended().len();
        tonight(&world, &nightly, &mut journal);
        assert_eq!((world.ended().len(), world.posted().len()), (before, 2), "then all is done");
    }
}

#[test]
fn a_run_that_was_cut_off_comes_first_and_stays_on_its_base() {
    let nightly = nightly(TWO);
    let mut world = world();
    world.hours = 10;
    let mut journal = MemoryJournal::default();
    tonight(&world, &nightly, &mut journal);
    assert_eq!(world.ended(), [""; 0], "eight hours are not enough");
    assert!(end_of(&journal).starts_with("stopped: 0 of 2 runs done"), "{}", end_of(&journal));
    // Until it is gone on with, the trees are not asked.
    world.trees.insert("linux-6.12".into(), "linux-6.12-b".into());
    world.hours = 5;
    tonight(&world, &nightly, &mut journal);
    assert_eq!(world.ended(), ["v6 on linux-6.12 at linux-6.12-a"]);
    assert_eq!(world.done.lock().unwrap().begun.len(), 2, "one run gone on with, one cut off");
    world.hours = 2;
    tonight(&world, &nightly, &mut journal);
    let ended = world.ended();
    assert_eq!(ended[1..], ["v6 on mainline at mainline-a", "v6 on linux-6.12 at linux-6.12-b"]);
}

#[test]
fn what_a_night_had_no_time_for_comes_first_in_the_next() {
    let nightly = nightly(TWO);
    let mut world = world();
    world.hours = 8;
    let mut journal = MemoryJournal::default();
    // The clock reaches the end of the night together with the first run's end.
    tonight(&world, &nightly, &mut journal);
    world.hours = 3;
    world.trees.insert("linux-6.12".into(), "linux-6.12-b".into());
    tonight(&world, &nightly, &mut journal);
    tonight(&world, &nightly, &mut journal);
    let ended = world.ended();
    let place = |what: &str| ended.iter().position(|run| run == what);
    assert!(place("v6 on mainline at mainline-a") < place("v6 on linux-6.12 at linux-6.12-b"), "{ended:?}");
    assert!(place("v6 on mainline at mainline-a").is_some(), "{ended:?}");
}

#[test]
fn trouble_is_told_and_does_not_keep_others_waiting() {
    let nightly = nightly(TWO);
    let mut world = world();
    world.trees.remove("mainline");
    let mut journal = MemoryJournal::default();
    let summary = tonight(&world, &nightly, &mut journal);
    assert_eq!(world.ended(), ["v6 on linux-6.12 at linux-6.12-a"]);
    let told = "! tree mainline could not be asked for its newest state: no source serves";
    assert!(summary.text(true).contains(told), "{}", summary.text(true));
    world.versions.clear();
    let summary = tonight(&world, &nightly, &mut journal);
    assert!(summary.text(true).contains("the newest version of v6 could not be found"), "{}", summary.text(true));
}

#[test]
fn a_run_without_an_answer_is_tried_three_times() {
    let nightly = nightly(ONE);
    let mut world = world();
    world.reports.clear();
    let mut journal = MemoryJournal::default();
    for count in 1..=3 {
        let summary = tonight(&world, &nightly, &mut journal);
        assert_eq!(world.done.lock().unwrap().begun.len(), count);
        assert!(summary.text(true).contains("infra: the guest could not be started"), "{}", summary.text(true));
    }
    let summary = tonight(&world, &nightly, &mut journal);
    assert_eq!(world.done.lock().unwrap().begun.len(), 3);
    assert!(summary.text(false).contains("3 runs gave no verdict"), "{}", summary.text(false));
    world.trees.insert("linux-6.12".into(), "linux-6.12-b".into());
    tonight(&world, &nightly, &mut journal);
    assert_eq!(world.done.lock().unwrap().begun.len(), 4);
    assert_eq!(world.posted(), [""; 0]);
}

#[test]
fn a_verdict_that_could_not_be_told_is_told_later() {
    let nightly = nightly(ONE);
    let mut world = world();
    world.posting = false;
    let mut journal = MemoryJournal::default();
    let summary = tonight(&world, &nightly, &mut journal);
    let told = summary.text(true).matches("could not be told: the mail server does not answer").count();
    assert_eq!(told, 1, "{}", summary.text(true));
    world.posting = true;
    tonight(&world, &nightly, &mut journal);
    assert_eq!((world.ended().len(), world.posted().len()), (1, 1));
    tonight(&world, &nightly, &mut journal);
    assert_eq!(world.posted().len(), 1);
}

#[test]
fn without_posting_a_verdict_counts_as_told() {
    let mut nightly = nightly(&ONE.replace("send", "none"));
    let world = world();
    let mut journal = MemoryJournal::default();
    tonight(&world, &nightly, &mut journal);
    nightly.post = file::PostPolicy::Send;
    tonight(&world, &nightly, &mut journal);
    assert_eq!(world.posted(), [""; 0], "what is old is not sent when posting is switched on");
}

#[test]
fn too_little_space_is_told_with_the_amount() {
    let nightly = nightly(ONE);
    let mut world = world();
    world.free = 5 << 30;
    let mut journal = MemoryJournal::default();
    let summary = tonight(&world, &nightly, &mut journal);
    let told = "nothing was tested: 5.0 GiB are free and the night needs 12; free 7.0 GiB";
    assert!(summary.text(true).contains(told), "{}", summary.text(true));
    assert_eq!(world.done.lock().unwrap().collected, 2, "old results went first");
    assert!(world.done.lock().unwrap().begun.is_empty());
}

#[test]
fn two_nights_of_a_day_have_two_names() {
    let nightly = nightly(ONE);
    let world = world();
    let mut journal = MemoryJournal::default();
    let names = [(); 3].map(|()| try_tonight(&world, &nightly, &mut journal).unwrap().night);
    assert_eq!(names, ["2026-01-31", "2026-01-31.2", "2026-01-31.3"]);
}

#[test]
fn the_journal_knows_targets_by_all_that_makes_them() {
    let mut journal = MemoryJournal::default();
    tonight(&world(), &nightly(ONE), &mut journal);
    let targets: Vec<&Target> = journal
        .events
        .iter()
        .filter_map(|(_, event)| match event {
            NightEvent::RunEnded { target, .. } => Some(target),
            _ => None,
        })
        .collect();
    assert_eq!((targets[0].version, targets[0].commit.as_str()), (Some(6), "linux-6.12-a"));
}
