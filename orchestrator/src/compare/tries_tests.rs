use proptest::prelude::*;

use super::*;
use crate::words::Crash;

fn pass() -> Verdict {
    Verdict::Pass
}
fn fail() -> Verdict {
    Verdict::Fail { reason: "Expected 0 == 1".into() }
}
fn skip() -> Verdict {
    Verdict::Skip { reason: "no device".into() }
}
fn infra() -> Verdict {
    Verdict::Infra { reason: "channel cut".into() }
}
fn crashed(crash: Crash) -> Verdict {
    Verdict::Crashed { crash }
}

fn one(verdict: Verdict) -> Option<Tries> {
    Some(Tries { verdicts: vec![verdict] })
}

/// Every kind of side, by name: absent, never got to, each verdict alone, and mixed.
fn sides() -> Vec<(&'static str, Option<Tries>)> {
    vec![
        ("absent", None),
        ("untried", Some(Tries::default())),
        ("pass", one(pass())),
        ("fail", one(fail())),
        ("timeout", one(Verdict::Timeout)),
        ("skip", one(skip())),
        ("xfail", one(Verdict::Xfail)),
        ("panic", one(crashed(Crash::Panic))),
        ("hang", one(crashed(Crash::Hang))),
        ("reset", one(crashed(Crash::Reset))),
        ("infra", one(infra())),
        ("mixed", Some(Tries { verdicts: vec![pass(), fail()] })),
    ]
}

/// The class a side's name belongs to; the expectation below is written per pair of classes.
fn class(name: &str) -> &'static str {
    match name {
        "absent" => "absent",
        "untried" | "infra" => "unknown",
        "pass" | "xfail" => "good",
        "fail" | "timeout" | "panic" | "hang" | "reset" => "bad",
        "skip" => "skip",
        "mixed" => "mixed",
        other => panic!("no class for {other}"),
    }
}

#[test]
fn every_pair() {
    use Change::*;
    let expected = |base: &str, patched: &str| match (base, patched) {
        ("absent", "absent") => Unknown,
        ("absent", "unknown") => Unknown,
        ("absent", "good") => NewPass,
        ("absent", "bad") => NewFail,
        ("absent", "skip") => NotCovered,
        ("absent", "mixed") => Flaky,
        ("unknown", "absent") => Unknown,
        ("unknown", "unknown") => Unknown,
        ("unknown", "good") => Unknown,
        ("unknown", "bad") => Unknown,
        ("unknown", "skip") => Unknown,
        ("unknown", "mixed") => Unknown,
        ("good", "absent") => Vanished,
        ("good", "unknown") => Unknown,
        ("good", "good") => StillPassing,
        ("good", "bad") => Regressed,
        ("good", "skip") => NotCovered,
        ("good", "mixed") => Flaky,
        ("bad", "absent") => Vanished,
        ("bad", "unknown") => Unknown,
        ("bad", "good") => Fixed,
        ("bad", "bad") => StillFailing,
        ("bad", "skip") => NotCovered,
        ("bad", "mixed") => Flaky,
        ("skip", "absent") => Vanished,
        ("skip", "unknown") => Unknown,
        ("skip", "good") => NotCovered,
        ("skip", "bad") => NewFail,
        ("skip", "skip") => NotCovered,
        ("skip", "mixed") => Flaky,
        ("mixed", "absent") => Vanished,
        ("mixed", "unknown") => Unknown,
        ("mixed", "good") => Flaky,
        ("mixed", "bad") => Flaky,
        ("mixed", "skip") => NotCovered,
        ("mixed", "mixed") => Flaky,
        (base, patched) => panic!("{base} x {patched} is not in the table"),
    };
    for (base_name, base) in sides() {
        for (patched_name, patched) in sides() {
            assert_eq!(
                compare(base.as_ref(), patched.as_ref()),
                expected(class(base_name), class(patched_name)),
                "{base_name} x {patched_name}"
            );
        }
    }
}

fn rate(bad: usize, tries: usize) -> Option<Tries> {
    let mut verdicts = vec![fail(); bad];
    verdicts.extend(vec![pass(); tries - bad]);
    Some(Tries { verdicts })
}

#[test]
fn rates_decide_where_a_side_is_mixed() {
    let table = [
        ((0, 20), (7, 20), Change::Regressed),
        ((0, 20), (6, 20), Change::Flaky),
        ((0, 10), (6, 10), Change::Regressed),
        ((0, 10), (1, 10), Change::Flaky),
        ((1, 20), (20, 20), Change::Regressed),
        ((10, 20), (10, 20), Change::Flaky),
        ((7, 20), (0, 20), Change::Fixed),
        ((20, 20), (10, 20), Change::Fixed),
        ((3, 3), (2, 3), Change::Flaky),
    ];
    for ((base_bad, base_tries), (patched_bad, patched_tries), expected) in table {
        let (base, patched) = (rate(base_bad, base_tries), rate(patched_bad, patched_tries));
        assert_eq!(
            compare(base.as_ref(), patched.as_ref()),
            expected,
            "{base_bad}/{base_tries} x {patched_bad}/{patched_tries}"
        );
    }
}

#[test]
fn a_skip_beside_a_pass_is_a_pass_and_the_representative_is_the_worst() {
    let tries = Tries { verdicts: vec![infra(), skip(), pass(), fail()] };
    assert_eq!(tries.representative(), Some(&fail()));
    assert_eq!(Tries { verdicts: vec![skip(), pass()] }.standing(), Standing::Good);
    assert_eq!(Tries { verdicts: vec![infra(), skip()] }.representative(), Some(&skip()));
    assert_eq!(Tries::default().representative(), None);
    assert_eq!(tries.infra(), 1);
}

fn any_verdict() -> impl Strategy<Value = Verdict> {
    prop_oneof![
        Just(pass()),
        Just(fail()),
        Just(Verdict::Timeout),
        Just(skip()),
        Just(Verdict::Xfail),
        Just(crashed(Crash::Panic)),
        Just(infra()),
    ]
}

fn any_side() -> impl Strategy<Value = Option<Tries>> {
    proptest::option::weighted(
        0.85,
        proptest::collection::vec(any_verdict(), 0..25).prop_map(|verdicts| Tries { verdicts }),
    )
}

/// The change seen from the other end of time.
fn mirrored(change: Change) -> Option<Change> {
    match change {
        Change::Regressed => Some(Change::Fixed),
        Change::Fixed => Some(Change::Regressed),
        Change::StillFailing | Change::StillPassing | Change::Flaky | Change::Unknown => Some(change),
        // These look at the patched side first, on purpose.
        Change::NewFail | Change::NewPass | Change::Vanished | Change::NotCovered => None,
    }
}

proptest! {
    #[test]
    fn infra_alone_gives_neither_pass_nor_regression(other in any_side(), tries in 0usize..5, left in any::<bool>()) {
        let only_infra = Some(Tries { verdicts: vec![infra(); tries] });
        let change = if left {
            compare(only_infra.as_ref(), other.as_ref())
        } else {
            compare(other.as_ref(), only_infra.as_ref())
        };
        prop_assert_eq!(change, Change::Unknown);
    }

    #[test]
    fn an_infra_try_changes_nothing(base in any_side(), patched in any_side(), at in 0usize..25, left in any::<bool>()) {
        let before = compare(base.as_ref(), patched.as_ref());
        let (mut base, mut patched) = (base, patched);
        if let Some(side) = if left { base.as_mut() } else { patched.as_mut() } {
            let at = at.min(side.verdicts.len());
            side.verdicts.insert(at, infra());
        }
        prop_assert_eq!(compare(base.as_ref(), patched.as_ref()), before);
    }

    #[test]
    fn swapping_the_sides_mirrors_the_change(base in any_side(), patched in any_side()) {
        if let (Some(base), Some(patched)) = (&base, &patched) {
            let skipped = [base, patched].iter().any(|side| side.standing() == Standing::Skipped);
            if let (Some(expected), false) = (mirrored(compare(Some(base), Some(patched))), skipped) {
                prop_assert_eq!(compare(Some(patched), Some(base)), expected);
            }
        }
    }

    #[test]
    fn a_side_against_itself_never_changed(side in any_side()) {
        let change = compare(side.as_ref(), side.as_ref());
        prop_assert!(!matches!(
            change,
            Change::Regressed | Change::Fixed | Change::NewFail | Change::NewPass | Change::Vanished
        ));
    }

    #[test]
    fn the_order_of_tries_does_not_matter(base in any_side(), patched in any_side()) {
        let reverse = |side: &Option<Tries>| {
            side.clone().map(|mut tries| { tries.verdicts.reverse(); tries })
        };
        prop_assert_eq!(
            compare(base.as_ref(), patched.as_ref()),
            compare(reverse(&base).as_ref(), reverse(&patched).as_ref())
        );
    }

    #[test]
    fn a_pass_needs_a_patched_side_that_ran_and_was_never_bad(base in any_side(), patched in any_side()) {
        let change = compare(base.as_ref(), patched.as_ref());
        if matches!(change, Change::StillPassing | Change::NewPass) {
            let rate = patched.unwrap().rate();
            prop_assert!(rate.tries > 0 && rate.bad == 0);
        }
    }
}
