use proptest::prelude::*;

use super::super::file;
use super::super::testing::patches;
use super::super::words::NightEvent;
use super::*;
use crate::words::Profile;

struct Case {
    nightly: Nightly,
    versions: BTreeMap<String, Result<Newest, String>>,
    trees: BTreeMap<String, Result<TreeState, String>>,
    state: State,
    known: &'static str,
}

impl Case {
    fn new() -> Case {
        let text = "series: [{manifest: a, trees: [t]}, {manifest: b, trees: [t, u]}]\nprofile: quick\n";
        let nightly = file::parse(text, &["t", "u"], &["a", "b"]).unwrap();
        let newest = |name: &str, trees: &[&str]| {
            let patches = trees.iter().map(|tree| ((*tree).to_owned(), Ok(patches(name, "diff")))).collect();
            (name.to_owned(), Ok(Newest { version: Some(1), patches }))
        };
        let tree = |name: &str| {
            (name.to_owned(), Ok(TreeState { commit: format!("{name}-1"), kernel_version: String::new() }))
        };
        Case {
            nightly,
            versions: [newest("a", &["t"]), newest("b", &["t", "u"])].into(),
            trees: [tree("t"), tree("u")].into(),
            state: State::default(),
            known: "k",
        }
    }

    fn target(&self, series: &str, tree: &str) -> Target {
        Target {
            series: series.into(),
            version: Some(1),
            content: content(&patches(series, "diff")),
            tree: tree.into(),
            commit: format!("{tree}-1"),
            profile: Profile::Quick,
        }
    }

    fn happen(&mut self, event: NightEvent) {
        self.state.add("2026-01-31T02:00:00Z".parse().unwrap(), &event);
    }

    fn began(&mut self, night: &str) {
        self.happen(NightEvent::NightBegan { night: night.into(), pid: 1 });
    }

    fn ended(&mut self, night: &str, target: Target, outcome: RunOutcome) {
        self.happen(NightEvent::RunEnded {
            night: night.into(),
            target,
            run: Some("r".into()),
            outcome,
            headline: "h".into(),
            problems: 0,
            known: "k".into(),
        });
    }

    fn plan(&self) -> NightPlan {
        let Case { nightly, versions, trees, state, known } = self;
        super::plan(Sight { nightly, versions, trees, state, known })
    }

    /// `name: why` of every job, in order.
    fn jobs(&self) -> Vec<String> {
        let name = |job: &Job| format!("{} on {}: {}", job.target.series, job.target.tree, job.why.sentence());
        self.plan().jobs.iter().map(name).collect()
    }
}

#[test]
fn at_first_all_is_tested_in_the_order_of_the_file() {
    let never = "never tested before";
    assert_eq!(Case::new().jobs(), ["a on t", "b on t", "b on u"].map(|name| format!("{name}: {never}")));
}

#[test]
fn what_changed_is_the_reason() {
    let tested = |change: &dyn Fn(&mut Target)| {
        let mut case = Case::new();
        case.began("n1");
        let mut old = case.target("a", "t");
        change(&mut old);
        case.ended("n1", old, RunOutcome::Clean);
        case.jobs().into_iter().find(|job| job.starts_with("a on t"))
    };
    let why = |text: &str| Some(format!("a on t: {text}"));
    assert_eq!(tested(&|_| {}), None);
    assert_eq!(tested(&|old| old.version = Some(0)), why("new version; v0 was tested last"));
    assert_eq!(tested(&|old| old.content = "x".into()), why("the patches of this version are others"));
    assert_eq!(tested(&|old| old.commit = "0123456789abcdef".into()), why("the base moved from 0123456789ab"));
    assert_eq!(tested(&|old| old.profile = Profile::Full), why("tested with another profile before"));
    assert_eq!(tested(&|old| old.tree = "u".into()), why("never tested before"));
}

#[test]
fn the_last_outcome_decides_whether_it_is_tried_again() {
    use RunOutcome::{BaseBroken, Clean, Findings, Infra, Interrupted};
    for (outcome, again) in [(Clean, false), (Findings, false), (Infra, true), (BaseBroken, true), (Interrupted, true)]
    {
        let mut case = Case::new();
        case.began("n1");
        case.ended("n1", case.target("a", "t"), outcome);
        let planned = case.jobs().contains(&"a on t: the run of n1 gave no verdict".to_owned());
        assert_eq!(planned, again, "{outcome:?}");
    }
}

#[test]
fn other_known_issues_give_another_verdict() {
    let mut case = Case::new();
    case.began("n1");
    case.ended("n1", case.target("a", "t"), RunOutcome::Findings);
    case.known = "others";
    assert!(case.jobs().contains(&"a on t: the list of known issues is another".to_owned()));
}

#[test]
fn what_waits_longest_comes_first() {
    let mut case = Case::new();
    let want = |case: &mut Case, night: &str, series: &str, tree: &str| {
        let target = case.target(series, tree);
        case.happen(NightEvent::Wanted { night: night.into(), target, why: String::new() });
    };
    case.began("n1");
    want(&mut case, "n1", "b", "u");
    case.began("n2");
    want(&mut case, "n2", "b", "t");
    // Wanting it again does not make it younger.
    want(&mut case, "n2", "b", "u");
    assert_eq!(
        case.jobs(),
        [
            "b on u: left over since the night of n1",
            "b on t: left over since the night of n2",
            "a on t: never tested before"
        ]
    );
}

#[test]
fn what_was_tested_longest_ago_comes_first_among_the_new() {
    let mut case = Case::new();
    for (night, series, tree) in [("n1", "b", "u"), ("n2", "a", "t"), ("n3", "b", "t")] {
        case.began(night);
        let old = Target { commit: "old".into(), ..case.target(series, tree) };
        case.ended(night, old, RunOutcome::Clean);
    }
    let names: Vec<String> = case.jobs().iter().map(|job| job[..6].to_owned()).collect();
    assert_eq!(names, ["b on u", "a on t", "b on t"]);
}

#[test]
fn a_run_that_no_night_is_long_enough_for_comes_last() {
    let mut case = Case::new();
    let target = case.target("a", "t");
    let begun =
        NightEvent::RunBegan { night: "n0".into(), target: target.clone(), run: "r1".into(), known: "k".into() };
    case.happen(begun);
    let open = |case: &Case| open_jobs(&case.nightly, &case.versions, &case.state, |_| true).len();
    for cuts in 0..CUT_LIMIT {
        assert_eq!(open(&case), 1, "after {cuts}");
        assert_eq!(case.jobs()[0], "a on t: run r1 was cut off", "after {cuts}");
        let (night, target) = (format!("n{cuts}"), target.clone());
        case.happen(NightEvent::RunCut { night, target, run: "r1".into(), why: String::new() });
    }
    assert_eq!(open(&case), 0);
    assert_eq!(case.jobs()[2], "a on t: run r1 was cut off");
}

#[test]
fn a_run_of_an_older_version_is_not_gone_on_with() {
    let mut case = Case::new();
    let target = Target { content: "older".into(), ..case.target("a", "t") };
    case.happen(NightEvent::RunBegan { night: "n".into(), target, run: "r1".into(), known: "k".into() });
    assert!(open_jobs(&case.nightly, &case.versions, &case.state, |_| true).is_empty());
    let target = case.target("b", "t");
    case.happen(NightEvent::RunBegan { night: "n".into(), target, run: "r2".into(), known: "k".into() });
    assert_eq!(open_jobs(&case.nightly, &case.versions, &case.state, |_| true).len(), 1);
    assert!(open_jobs(&case.nightly, &case.versions, &case.state, |_| false).is_empty(), "its folder is gone");
}

#[test]
fn patches_are_told_apart_by_what_they_say() {
    let one = patches("a", "diff");
    let mut other = one.clone();
    other.patches[0].message = "Reviewed-by: A. Reviewer <r@example.org>\n".into();
    assert_ne!(content(&one), content(&other));
    other.patches[0].message.clear();
    other.patches[0].message_id = Some("resent@example.org".into());
    assert_eq!(content(&one), content(&other), "sent again as it was");
}

/// What became of a run, and whether the night went on.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fate {
    Ended(RunOutcome),
    Cut,
}

/// A night that has time for `time` runs: what it planned, and what it ran. A run that is cut off ends it.
fn night(case: &mut Case, number: usize, time: usize, fate: impl Fn(&Target) -> Fate) -> (Vec<Job>, Vec<Target>) {
    let name = format!("2026-01-{number:03}");
    case.began(&name);
    let jobs = case.plan().jobs;
    for job in &jobs {
        let (night, target, why) = (name.clone(), job.target.clone(), job.why.sentence());
        case.happen(NightEvent::Wanted { night, target, why });
    }
    let mut ran = Vec::new();
    for job in jobs.iter().take(time) {
        let (night, target, run) = (name.clone(), job.target.clone(), "r".to_owned());
        if !matches!(job.why, Why::GoOn { .. }) {
            let (night, target, run) = (night.clone(), target.clone(), run.clone());
            case.happen(NightEvent::RunBegan { night, target, run, known: "k".into() });
        }
        ran.push(target.clone());
        match fate(&job.target) {
            Fate::Ended(outcome) => case.ended(&name, target, outcome),
            Fate::Cut => {
                case.happen(NightEvent::RunCut { night, target, run, why: "late".into() });
                break;
            }
        }
    }
    (jobs, ran)
}

fn fates() -> impl Strategy<Value = Vec<Vec<Fate>>> {
    let one = prop::sample::select(vec![
        Fate::Ended(RunOutcome::Clean),
        Fate::Ended(RunOutcome::Findings),
        Fate::Ended(RunOutcome::Infra),
        Fate::Ended(RunOutcome::Interrupted),
        Fate::Cut,
    ]);
    // What each of the three targets does night by night; in the end all come to an answer.
    proptest::collection::vec(proptest::collection::vec(one, 0..8), 3)
}

proptest! {
    #[test]
    fn nothing_is_planned_twice_or_again_for_nothing_and_nobody_waits_for_ever(fates in fates(), time in 1_usize..4) {
        let mut case = Case::new();
        let all = [case.target("a", "t"), case.target("b", "t"), case.target("b", "u")];
        let mut runs = [0_usize; 3];
        let mut waits = [0_usize; 3];
        let mut nights = 0;
        loop {
            let fate = |target: &Target| {
                let at = all.iter().position(|one| one == target).unwrap();
                fates[at].get(runs[at]).copied().unwrap_or(Fate::Ended(RunOutcome::Clean))
            };
            let (jobs, ran) = night(&mut case, nights, time, fate);
            let planned: std::collections::BTreeSet<&Target> = jobs.iter().map(|job| &job.target).collect();
            prop_assert_eq!(planned.len(), jobs.len(), "a target twice in one night");
            for (at, target) in all.iter().enumerate() {
                let had = ran.contains(target);
                runs[at] += usize::from(had);
                waits[at] = if had || !planned.contains(target) { 0 } else { waits[at] + 1 };
                // Each of the two others may take a night, and be cut off by that many more, before it stands back.
                prop_assert!(waits[at] <= 2 * (1 + CUT_LIMIT as usize), "{target:?} has waited {} nights", waits[at]);
            }
            nights += 1;
            if jobs.is_empty() {
                break;
            }
            prop_assert!(nights < 100, "no night comes to an end of it");
        }
        // Every target has an answer, or was given up after as many runs without one as the limit allows.
        for target in &all {
            let record = &case.state.targets[target];
            let outcome = record.last.as_ref().unwrap().outcome;
            prop_assert!(outcome.is_verdict() || record.infra >= INFRA_LIMIT, "{outcome:?}");
        }
        prop_assert!(case.plan().jobs.is_empty(), "something is tested again although nothing changed");
    }
}
