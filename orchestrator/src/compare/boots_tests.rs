use proptest::prelude::*;

use super::*;
use crate::compare::testing::{boot, fail, splat};
use crate::words::Rate;

fn skip(reason: &str) -> Verdict {
    Verdict::Skip { reason: reason.into() }
}
fn infra(reason: &str) -> Verdict {
    Verdict::Infra { reason: reason.into() }
}

fn changes(comparisons: &[TestComparison]) -> Vec<(&str, Change)> {
    comparisons.iter().map(|c| (c.test.as_str(), c.change)).collect()
}

#[test]
fn tests_come_in_the_suites_order_and_tries_add_up_over_boots() {
    let base =
        [boot(0).test("hmm.z", Verdict::Pass).test("hmm.a", fail()).done(), boot(0).test("hmm.z", fail()).done()];
    let patched = [boot(6).test("hmm.new", Verdict::Pass).test("hmm.z", Verdict::Pass).test("hmm.a", fail()).done()];
    let comparisons = compare_boots(&base, &patched);
    assert_eq!(
        changes(&comparisons),
        [("hmm.z", Change::Flaky), ("hmm.a", Change::StillFailing), ("hmm.new", Change::NewPass)]
    );
    assert_eq!(comparisons[0].base, Rate { bad: 1, tries: 2 });
    assert_eq!(comparisons[0].base_verdict, Some(fail()));
    assert_eq!(comparisons[2].base_verdict, None);
}

#[test]
fn a_test_is_absent_only_from_a_side_that_listed_its_tests() {
    let base = [boot(0).test("hmm.a", Verdict::Pass).test("hmm.b", Verdict::Pass).done()];
    let gone = [boot(6).test("hmm.a", Verdict::Pass).done()];
    assert_eq!(changes(&compare_boots(&base, &gone))[1], ("hmm.b", Change::Vanished));

    let never_up = [boot(6).silent().end(crate::words::BootEnd::Panicked).done()];
    assert!(compare_boots(&base, &never_up).iter().all(|c| c.change == Change::Unknown));
    assert_eq!(
        compare_boots(&base, &never_up)[0].note.as_deref(),
        Some("no answer with the series: it was never reached")
    );

    let died = [boot(6).test("hmm.a", Verdict::Pass).remaining("hmm.b").done()];
    assert_eq!(changes(&compare_boots(&base, &died))[1], ("hmm.b", Change::Unknown));

    let broken = [boot(6).test("hmm", infra("module test_hmm did not load")).done()];
    assert_eq!(
        changes(&compare_boots(&base, &broken)),
        [("hmm.a", Change::Unknown), ("hmm.b", Change::Unknown), ("hmm", Change::Unknown)]
    );

    let only_unload = [boot(6).test("hmm.unload-test_hmm", Verdict::Pass).done()];
    assert_eq!(changes(&compare_boots(&base, &only_unload))[0], ("hmm.a", Change::Unknown));
}

#[test]
fn notes_say_why() {
    let note = |base: Verdict, patched: Verdict| {
        let base = [boot(0).test("hmm.a", base).done()];
        let patched = [boot(6).test("hmm.a", patched).done()];
        compare_boots(&base, &patched).remove(0).note
    };
    assert_eq!(note(Verdict::Pass, Verdict::Pass), None);
    assert_eq!(note(skip("no device"), skip("no device")).unwrap(), "skipped: no device");
    assert_eq!(note(Verdict::Pass, skip("no device")).unwrap(), "runs on the base, skipped with the series: no device");
    assert_eq!(note(skip("no device"), Verdict::Pass).unwrap(), "skipped on the base: no device");
    assert_eq!(note(skip("no device"), fail()).unwrap(), "skipped on the base: no device");
    assert_eq!(note(Verdict::Pass, infra("cut off")).unwrap(), "no answer with the series: cut off");
    assert_eq!(note(infra("cut off"), fail()).unwrap(), "no answer on the base: cut off");
    assert_eq!(note(Verdict::Pass, fail()).unwrap(), "not confirmed: 1 try a side only");
    // Skipped on a base that never ran it says nothing about what the series took away.
    assert_eq!(
        changes_and_note(&[infra("cut off")], &[skip("no device")]),
        (Change::Unknown, Some("no answer on the base: cut off".to_owned()))
    );
}

/// The change and the note of one test that had these verdicts on the base and with the series.
fn changes_and_note(base: &[Verdict], patched: &[Verdict]) -> (Change, Option<String>) {
    let boots = |number: usize, verdicts: &[Verdict]| -> Vec<BootRecord> {
        let boot_of = |verdict: &Verdict| boot(number).test("hmm.a", verdict.clone()).done();
        verdicts.iter().map(boot_of).collect()
    };
    let row = compare_boots(&boots(0, base), &boots(6, patched)).remove(0);
    (row.change, row.note)
}

#[test]
fn notes_say_how_sure_a_regression_is() {
    let passes = |count| vec![Verdict::Pass; count];
    let fails = |count| vec![fail(); count];
    let mixed = |good, bad| [passes(good), fails(bad)].concat();
    let note = |base: &[Verdict], patched: &[Verdict]| changes_and_note(base, patched).1;
    assert_eq!(changes_and_note(&passes(3), &fails(3)), (Change::Regressed, None));
    for (base, patched) in [(mixed(19, 1), fails(20)), (passes(20), mixed(1, 19)), (mixed(19, 1), mixed(1, 19))] {
        let (change, note) = changes_and_note(&base, &patched);
        assert_eq!(change, Change::Regressed);
        assert_eq!(note.as_deref(), Some("one-sided Fisher p = 0.0000"));
    }
    assert_eq!(note(&mixed(1, 1), &passes(2)).unwrap(), "too few tries to tell rates apart with 2 tries a side");
    assert_eq!(
        note(&mixed(9, 1), &mixed(9, 1)).unwrap(),
        "a regression to 60 % would have been seen with 10 tries a side"
    );
}

#[test]
fn a_new_test_that_is_flaky_is_called_new_whether_or_not_the_base_lists_it() {
    let flaky = [Verdict::Pass, fail(), Verdict::Pass];
    let new = Some("new, and fails only sometimes".to_owned());
    assert_eq!(changes_and_note(&[skip("no device")], &flaky), (Change::Flaky, new.clone()));
    let patched: Vec<_> = flaky.iter().map(|verdict| boot(6).test("hmm.a", verdict.clone()).done()).collect();
    let row = compare_boots(&[boot(0).test("hmm.b", Verdict::Pass).done()], &patched).remove(1);
    assert_eq!((row.change, row.note), (Change::Flaky, new));
}

#[test]
fn a_new_test_that_passes_without_the_series_is_marked() {
    let base = [boot(0).test("hmm.a", Verdict::Pass).done()];
    let patched =
        [boot(6).test("hmm.a", Verdict::Pass).test("hmm.n1", Verdict::Pass).test("hmm.n2", Verdict::Pass).done()];
    let cross = [boot(0).test("hmm.a", Verdict::Pass).test("hmm.n1", Verdict::Pass).test("hmm.n2", fail()).done()];
    let mut comparisons = compare_boots(&base, &patched);
    note_needless(&mut comparisons, &cross);
    assert_eq!(comparisons[0].note, None);
    assert!(comparisons[1].note.as_deref().unwrap().starts_with("does not need the series"));
    assert_eq!(comparisons[2].note, None);

    // A base kernel on which it was skipped shows nothing.
    let mut comparisons = compare_boots(&base, &patched);
    note_needless(&mut comparisons, &[boot(0).test("hmm.n1", skip("no device")).done()]);
    assert_eq!(comparisons[1].note, None);
}

#[test]
fn suspects_are_bad_tests_unanswered_tests_and_tests_with_new_splats() {
    let all = |b: crate::compare::testing::Boot| {
        b.test("hmm.good", Verdict::Pass).test("hmm.warns", Verdict::Pass).test("hmm.base_bad", fail())
    };
    let base = [all(boot(0)).test("hmm.bad", Verdict::Pass).test("hmm.lost", Verdict::Pass).done()];
    let patched = [all(boot(6))
        .test("hmm.bad", fail())
        .test("hmm.new_bad", fail())
        .splat(splat("fresh", Some("hmm.warns")))
        .remaining("hmm.lost")
        .done()];
    assert_eq!(suspects(&base, &patched), ["hmm.warns", "hmm.bad", "hmm.lost", "hmm.new_bad"]);
    let repeats = repeats(&base, &patched);
    assert_eq!(repeats["hmm.bad"], NextTries { base: 2, patched: 2 });
    assert_eq!(repeats["hmm.lost"], NextTries { base: 0, patched: 1 });
    assert_eq!(repeats["hmm.new_bad"], NextTries { base: 0, patched: 2 });
    assert_eq!(repeats["hmm.warns"], NextTries { base: 2, patched: 2 });
}

#[test]
fn a_side_that_never_answers_is_not_asked_for_ever() {
    let base = [boot(0).test("hmm.a", Verdict::Pass).test("hmm.b", Verdict::Pass).done()];
    let dead = || boot(6).end(BootEnd::Panicked).silent().done();
    let unlisted = || boot(6).test("hmm", Verdict::Fail { reason: "cannot list".into() }).done();
    let unreached = || boot(6).remaining("hmm.a").remaining("hmm.b").end(BootEnd::Reset).done();
    for mute in [&dead as &dyn Fn() -> BootRecord, &unlisted, &unreached] {
        let boots: Vec<BootRecord> = std::iter::repeat_with(mute).take(3).collect();
        let asked: Vec<_> = (1..=3).map(|count| repeats(&base, &boots[..count]).contains_key("hmm.a")).collect();
        assert_eq!(asked, [true, true, false], "{:?}", boots[0]);
    }
}

#[test]
fn nothing_is_suspect_when_both_sides_agree() {
    let side = |n| [boot(n).test("hmm.a", Verdict::Pass).test("hmm.b", fail()).test("hmm.c", skip("x")).done()];
    assert_eq!(suspects(&side(0), &side(6)), Vec::<String>::new());
}

/// Boots of a side: for each test what it did in each boot, or that it was not got to.
fn boots_of(sides: &[Vec<u8>], number: usize) -> Vec<BootRecord> {
    let boots = sides.iter().map(Vec::len).max().unwrap_or(0);
    let verdict = |word: u8| match word {
        0 | 1 => Verdict::Pass,
        2 => Verdict::Fail { reason: "x".into() },
        3 => skip("no device"),
        4 => infra("cut"),
        5 => Verdict::Timeout,
        _ => Verdict::Xfail,
    };
    let boot_of = |at: usize| {
        sides.iter().enumerate().fold(boot(number), |boot, (test, words)| match words.get(at) {
            Some(7) => boot.remaining(&format!("s.t{test}")),
            Some(word) => boot.test(&format!("s.t{test}"), verdict(*word)),
            None => boot,
        })
    };
    (0..boots).map(|at| boot_of(at).done()).collect()
}

fn words() -> impl Strategy<Value = Vec<Vec<u8>>> {
    proptest::collection::vec(proptest::collection::vec(0_u8..8, 0..6), 1..6)
}

proptest! {
    #[test]
    fn a_test_that_is_the_same_on_both_sides_changes_no_other(
        base in words(),
        patched in words(),
        good: bool,
        first: bool,
    ) {
        let (base, patched) = (boots_of(&base, 0), boots_of(&patched, 6));
        let with = |boots: &[BootRecord]| -> Vec<BootRecord> {
            let mut boots = boots.to_vec();
            let verdict = if good { Verdict::Pass } else { Verdict::Fail { reason: "always".into() } };
            for boot in &mut boots {
                let at = if first { 0 } else { boot.tests.len() };
                boot.tests.insert(at, crate::words::testing::test_record("s.equal", verdict.clone()));
            }
            boots
        };
        let before = compare_boots(&base, &patched);
        let (mut after, mut equal) = (Vec::new(), Vec::new());
        for row in compare_boots(&with(&base), &with(&patched)) {
            if row.test == "s.equal" { equal.push(row.change) } else { after.push(row) }
        }
        // A side without boots has no tests at all.
        let expected = match (base.is_empty(), patched.is_empty(), good) {
            (true, true, _) => None,
            (false, false, true) => Some(Change::StillPassing),
            (false, false, false) => Some(Change::StillFailing),
            (_, _, _) => Some(Change::Unknown),
        };
        prop_assert_eq!(equal, Vec::from_iter(expected));
        prop_assert_eq!(after, before);
        let mut again = repeats(&with(&base), &with(&patched));
        again.remove("s.equal");
        prop_assert_eq!(again, repeats(&base, &patched));
    }

    #[test]
    fn every_test_of_a_side_has_one_comparison_and_trouble_of_ours_none_that_says_anything(
        base in words(),
        patched in words(),
    ) {
        let (base, patched) = (boots_of(&base, 0), boots_of(&patched, 6));
        let rows = compare_boots(&base, &patched);
        let tests: std::collections::BTreeSet<&str> = rows.iter().map(|row| row.test.as_str()).collect();
        let all: std::collections::BTreeSet<String> = listed(&base).into_iter().chain(listed(&patched)).collect();
        prop_assert!(tests.len() == rows.len() && tests.into_iter().eq(all.iter().map(String::as_str)));
        let mut trouble = patched.clone();
        for test in trouble.iter_mut().flat_map(|boot| &mut boot.tests) {
            test.verdict = infra("cut");
        }
        // What is absent from a side that knows its tests is absent, whatever became of the others.
        let both = |test: &String| listed(&base).contains(test) && listed(&trouble).contains(test);
        for row in compare_boots(&base, &trouble).iter().chain(&compare_boots(&trouble, &base)) {
            prop_assert!(row.change == Change::Unknown || !both(&row.test), "{}: {:?}", row.test, row.change);
            prop_assert!(!matches!(row.change, Change::StillPassing | Change::Regressed | Change::Fixed), "{row:?}");
        }
    }
}
