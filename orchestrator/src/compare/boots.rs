//! All tests of two lists of boots.

use std::collections::{BTreeMap, BTreeSet};

use super::crashes::followers;
use super::fisher::{detectable, fisher_greater};
use super::repeat::{CONFIRM_TRIES, NextTries, next_tries};
use super::splats::new_splats;
use super::tries::{Tries, compare};
use crate::words::{BootEnd, BootRecord, Change, TestComparison, Verdict};

/// The verdicts of all boots of one side, by test. A test that was asked for and never got to has empty tries.
pub fn collect(boots: &[BootRecord]) -> BTreeMap<String, Tries> {
    let mut tries: BTreeMap<String, Tries> = BTreeMap::new();
    for boot in boots {
        for record in &boot.tests {
            tries.entry(record.test.clone()).or_default().verdicts.push(record.verdict.clone());
        }
        for test in &boot.remaining {
            tries.entry(test.clone()).or_default();
        }
    }
    tries
}

/// The tests of all boots of one side, each once, in the order in which the suites give them.
pub fn listed(boots: &[BootRecord]) -> Vec<String> {
    let mut seen = BTreeSet::new();
    boots
        .iter()
        .flat_map(|boot| boot.tests.iter().map(|record| &record.test).chain(&boot.remaining))
        .filter(|test| seen.insert(test.as_str()))
        .cloned()
        .collect()
}

/// Compares every test of two sides: all boots of one kconfig on one machine, with the base kernel and with the
/// patched one. Tests come in the base's order, the new ones after them.
///
/// A test is absent from a side only when that side's program has listed its tests: a side that never came so far
/// says nothing about what it has.
pub fn compare_boots(base: &[BootRecord], patched: &[BootRecord]) -> Vec<TestComparison> {
    let (base_tries, patched_tries) = (collect(base), collect(patched));
    all_tests(base, patched)
        .into_iter()
        .map(|test| {
            let base = side(&base_tries, &test);
            let patched = side(&patched_tries, &test);
            let change = compare(base.as_ref(), patched.as_ref());
            TestComparison {
                change,
                base: base.as_ref().map(Tries::rate).unwrap_or_default(),
                patched: patched.as_ref().map(Tries::rate).unwrap_or_default(),
                base_verdict: base.as_ref().and_then(Tries::representative).cloned(),
                patched_verdict: patched.as_ref().and_then(Tries::representative).cloned(),
                note: note(change, base.as_ref(), patched.as_ref()),
                test,
            }
        })
        .collect()
}

/// Marks tests that the series brings but that pass without it: `base_kernel` are boots of the base kernel with the
/// patched selftests.
pub fn note_needless(comparisons: &mut [TestComparison], base_kernel: &[BootRecord]) {
    let tries = collect(base_kernel);
    for comparison in comparisons.iter_mut().filter(|comparison| comparison.change == Change::NewPass) {
        let passes = tries.get(&comparison.test).is_some_and(|tries| tries.rate().tries > 0 && tries.rate().bad == 0);
        if passes {
            comparison.note = Some("does not need the series: it passes on the base kernel, too".to_owned());
        }
    }
}

/// The repeats that are worth it, by test: those of [`next_tries`], and of tests in which the patched kernel reported
/// trouble that the base does not. Empty when all is decided. The caller runs them, adds the boots and asks again.
///
/// A test without an answer from [`CONFIRM_TRIES`] boots of a side, because the kernel does not come up or the program
/// cannot list its tests, gets none from further ones; of many tests that take the machine down, a few are repeated.
pub fn repeats(base: &[BootRecord], patched: &[BootRecord]) -> BTreeMap<String, NextTries> {
    let (base_tries, patched_tries) = (collect(base), collect(patched));
    let mute = |boots: &[BootRecord], tries: Option<&Tries>| {
        let answers = boots.iter().filter(|boot| !matches!(boot.end, BootEnd::Infra { .. })).count();
        answers >= CONFIRM_TRIES as usize && tries.is_some_and(|tries| tries.verdicts.is_empty())
    };
    let mut repeats: BTreeMap<String, NextTries> = all_tests(base, patched)
        .into_iter()
        .map(|test| {
            let (old, new) = (side(&base_tries, &test), side(&patched_tries, &test));
            let (old, new) = (old.as_ref(), new.as_ref());
            let next = match mute(base, old) || mute(patched, new) {
                true => NextTries::default(),
                false => next_tries(old, new),
            };
            (test, next)
        })
        .filter(|(_, next)| !next.is_none())
        .collect();
    // Those they follow are repeated for them.
    let followers = followers(base, patched);
    repeats.retain(|test, _| !followers.contains_key(test));
    for test in new_splats(base, patched).into_iter().flat_map(|new| new.tests) {
        if followers.contains_key(&test) {
            continue;
        }
        let missing = |tries: &BTreeMap<String, Tries>| {
            // Every verdict counts here, so that a skip or trouble of ours cannot keep the loop going.
            tries.get(&test).map_or(0, |tries| {
                CONFIRM_TRIES.saturating_sub(u32::try_from(tries.verdicts.len()).unwrap_or(u32::MAX))
            })
        };
        let wanted = NextTries { base: missing(&base_tries), patched: missing(&patched_tries) };
        if !wanted.is_none() {
            let entry = repeats.entry(test).or_default();
            entry.base = entry.base.max(wanted.base);
            entry.patched = entry.patched.max(wanted.patched);
        }
    }
    repeats
}

/// The tests to repeat on both sides, in the suite's order: good or absent on the base and bad with the series, without
/// an answer on a side, or with trouble in the kernel log that the base does not have. [`repeats`] says how often.
pub fn suspects(base: &[BootRecord], patched: &[BootRecord]) -> Vec<String> {
    let repeats = repeats(base, patched);
    all_tests(base, patched).into_iter().filter(|test| repeats.contains_key(test)).collect()
}

fn all_tests(base: &[BootRecord], patched: &[BootRecord]) -> Vec<String> {
    let mut tests = listed(base);
    let known: BTreeSet<String> = tests.iter().cloned().collect();
    tests.extend(listed(patched).into_iter().filter(|test| !known.contains(test)));
    tests
}

/// The suite of a test: all before the first dot. A record without a dot stands for the suite's program as a whole.
fn suite_of(test: &str) -> &str {
    test.split_once('.').map_or(test, |(suite, _)| suite)
}

/// The tries of a test on a side: `None` only when the side is known not to have it.
fn side(tries: &BTreeMap<String, Tries>, test: &str) -> Option<Tries> {
    if let Some(tries) = tries.get(test) {
        return Some(tries.clone());
    }
    let suite = suite_of(test);
    // The program's own record is there only when something went wrong with the program: its list is not whole.
    let broken = tries.contains_key(suite);
    let prefix = format!("{suite}.");
    let unload = format!("{suite}.unload-");
    let has_list = tries
        .range(prefix.clone()..)
        .take_while(|(name, _)| name.starts_with(&prefix))
        .any(|(name, _)| !name.starts_with(&unload));
    (broken || !has_list).then(Tries::default).filter(|_| test != suite)
}

fn skip_reason(tries: Option<&Tries>) -> Option<&str> {
    tries?.verdicts.iter().find_map(|verdict| match verdict {
        Verdict::Skip { reason } => Some(reason.as_str()),
        Verdict::Pass
        | Verdict::Fail { .. }
        | Verdict::Timeout
        | Verdict::Xfail
        | Verdict::Crashed { .. }
        | Verdict::Infra { .. } => None,
    })
}

fn infra_reason(tries: Option<&Tries>) -> Option<&str> {
    tries?.verdicts.iter().find_map(|verdict| match verdict {
        Verdict::Infra { reason } => Some(reason.as_str()),
        Verdict::Pass
        | Verdict::Fail { .. }
        | Verdict::Timeout
        | Verdict::Xfail
        | Verdict::Crashed { .. }
        | Verdict::Skip { .. } => None,
    })
}

fn note(change: Change, base: Option<&Tries>, patched: Option<&Tries>) -> Option<String> {
    let rate = |side: Option<&Tries>| side.map(Tries::rate).unwrap_or_default();
    let (base_rate, patched_rate) = (rate(base), rate(patched));
    match change {
        Change::Unknown => {
            let (name, side) = match base {
                Some(tries) if tries.rate().tries == 0 && skip_reason(base).is_none() => ("on the base", base),
                Some(_) | None => ("with the series", patched),
            };
            Some(match infra_reason(side) {
                Some(reason) => format!("no answer {name}: {reason}"),
                None => format!("no answer {name}: it was never reached"),
            })
        }
        Change::NotCovered => match (skip_reason(base), skip_reason(patched)) {
            (None, Some(reason)) if base_rate.tries > 0 => {
                Some(format!("runs on the base, skipped with the series: {reason}"))
            }
            (_, Some(reason)) => Some(format!("skipped: {reason}")),
            (Some(reason), None) => Some(format!("skipped on the base: {reason}")),
            (None, None) => None,
        },
        Change::NewFail => skip_reason(base).map(|reason| format!("skipped on the base: {reason}")),
        Change::Regressed => {
            let tries = base_rate.tries.min(patched_rate.tries);
            if tries < CONFIRM_TRIES {
                return Some(format!("not confirmed: {} a side only", count(tries, "try", "tries")));
            }
            let mixed = base_rate.bad > 0 || patched_rate.bad < patched_rate.tries;
            mixed.then(|| format!("one-sided Fisher p = {:.4}", fisher_greater(base_rate, patched_rate)))
        }
        Change::Flaky if base.is_none() || base_rate.tries == 0 => Some("new, and fails only sometimes".to_owned()),
        Change::Flaky => {
            let tries = base_rate.tries.min(patched_rate.tries);
            let seen = match detectable(tries) {
                Some(rate) => format!("a regression to {:.0} % would have been seen", rate * 100.0),
                None => "too few tries to tell rates apart".to_owned(),
            };
            Some(format!("{seen} with {} a side", count(tries, "try", "tries")))
        }
        Change::Vanished | Change::StillFailing | Change::Fixed | Change::NewPass | Change::StillPassing => None,
    }
}

fn count(n: u32, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

#[cfg(test)]
#[path = "boots_tests.rs"]
mod tests;
