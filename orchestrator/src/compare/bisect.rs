//! Which patch is to blame: a binary search over the revisions of a series, as a pure function.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::boots::collect;
use super::tries::Standing;
use crate::words::{BootEnd, BootRecord};

/// What one revision says about a symptom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// It does not show it.
    Good,
    /// It shows it.
    Bad,
    /// It cannot be asked: it does not build, or gave no result for reasons of ours.
    Untestable,
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Build, boot and ask this revision (0 is the base).
    Measure(usize),
    /// The search is over.
    Found {
        /// First revision known to be bad.
        first_bad: usize,
        /// First revision that may be the one to blame: equal to `first_bad` unless untestable revisions lie before
        /// it.
        earliest: usize,
        /// False when untestable revisions lie before `first_bad`, or when a later revision is good again, so that
        /// the answers do not tell one culprit.
        confident: bool,
    },
    /// The tip does not show it, or the base does, or one of them cannot be asked: no patch is to blame.
    NotInSeries,
}

/// The next step of the search for the first bad of the revisions `0..=n` (0 is the base, `n` the tip).
///
/// `known` holds all answers so far, in whatever order they came: those of builds and boots made for other reasons
/// are used, too. The base and the tip are asked first. Untestable revisions are passed over.
pub fn next_revision(known: &BTreeMap<usize, Answer>, n: usize) -> Step {
    for end in [0, n] {
        if !known.contains_key(&end) {
            return Step::Measure(end);
        }
    }
    if n == 0 || known[&0] != Answer::Good || known[&n] != Answer::Bad {
        return Step::NotInSeries;
    }
    // Two invariants make the first bad one found: `bad` is the smallest index known to be bad, `good` the greatest
    // below it known to be good.
    let bad = (1..=n).find(|i| known.get(i) == Some(&Answer::Bad)).unwrap_or(n);
    let good = (0..bad).rev().find(|i| known.get(i) == Some(&Answer::Good)).unwrap_or(0);
    // The middle one of those that can still be asked, so that untestable revisions do not skew the halves.
    let open: Vec<usize> = (good + 1..bad).filter(|i| !known.contains_key(i)).collect();
    match open.get(open.len() / 2) {
        Some(&index) => Step::Measure(index),
        None => Step::Found {
            first_bad: bad,
            earliest: good + 1,
            confident: good + 1 == bad && !(bad..=n).any(|i| known.get(&i) == Some(&Answer::Good)),
        },
    }
}

/// Something seen at the tip and not on the base, for which a patch is sought.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "symptom")]
pub enum Symptom {
    /// A test is bad.
    Test {
        /// Full name.
        test: String,
    },
    /// A test is gone, or skipped.
    Missing {
        /// Full name.
        test: String,
    },
    /// A report in the kernel log.
    Splat {
        /// Its signature.
        signature: String,
    },
    /// The kernel does not come up: the agent never spoke.
    Boot,
    /// The kernel came up and died or stopped while no test ran.
    Death,
}

/// What the boots of one revision (kernel and selftests of that revision) say about a symptom. Without any boot, or
/// with none that ran into its kernel, the revision is untestable.
pub fn answer(symptom: &Symptom, boots: &[BootRecord]) -> Answer {
    let real: Vec<&BootRecord> = boots.iter().filter(|boot| !matches!(boot.end, BootEnd::Infra { .. })).collect();
    if real.is_empty() {
        return Answer::Untestable;
    }
    let good_if = |good: bool| if good { Answer::Good } else { Answer::Untestable };
    match symptom {
        Symptom::Boot => {
            if real.iter().all(|boot| boot.uname.is_empty()) {
                Answer::Bad
            } else {
                Answer::Good
            }
        }
        Symptom::Death => {
            if real.iter().any(|boot| died_outside_tests(boot)) {
                Answer::Bad
            } else {
                good_if(real.iter().any(|boot| boot.end == BootEnd::Completed))
            }
        }
        Symptom::Splat { signature } => {
            if real.iter().any(|boot| boot.splats.iter().any(|splat| splat.signature == *signature)) {
                Answer::Bad
            } else {
                good_if(real.iter().any(|boot| boot.log_checked.is_ok() && boot.end == BootEnd::Completed))
            }
        }
        Symptom::Test { test } => match collect(boots).get(test) {
            Some(tries) => match tries.standing() {
                Standing::Bad | Standing::Mixed => Answer::Bad,
                Standing::Good | Standing::Skipped => Answer::Good,
                Standing::Unknown => Answer::Untestable,
            },
            // A revision before the one that brings the test.
            None => good_if(real.iter().any(|boot| boot.end == BootEnd::Completed)),
        },
        Symptom::Missing { test } => match collect(boots).get(test) {
            Some(tries) => match tries.standing() {
                Standing::Skipped => Answer::Bad,
                Standing::Good | Standing::Bad | Standing::Mixed => Answer::Good,
                Standing::Unknown => Answer::Untestable,
            },
            None => {
                if real.iter().any(|boot| boot.end == BootEnd::Completed) {
                    Answer::Bad
                } else {
                    Answer::Untestable
                }
            }
        },
    }
}

/// True when the kernel died or stopped after the agent spoke, and no test can be held for it.
pub(super) fn died_outside_tests(boot: &BootRecord) -> bool {
    let died = match boot.end {
        BootEnd::Panicked | BootEnd::Hung { .. } | BootEnd::Reset => true,
        BootEnd::Completed | BootEnd::Infra { .. } => false,
    };
    died && !boot.uname.is_empty()
        && !boot.tests.last().is_some_and(|record| matches!(record.verdict, crate::words::Verdict::Crashed { .. }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::compare::testing::{boot, fail, splat};
    use crate::words::{Crash, Verdict};

    fn run(truth: &[Answer], mut known: BTreeMap<usize, Answer>) -> (Step, usize) {
        let n = truth.len() - 1;
        let mut measured = 0;
        loop {
            match next_revision(&known, n) {
                Step::Measure(index) => {
                    assert!(known.insert(index, truth[index]).is_none(), "{index} is measured twice");
                    measured += 1;
                }
                step => return (step, measured),
            }
        }
    }

    fn parse(truth: &str) -> Vec<Answer> {
        truth
            .chars()
            .map(|c| match c {
                'g' => Answer::Good,
                'b' => Answer::Bad,
                'u' => Answer::Untestable,
                other => panic!("{other}"),
            })
            .collect()
    }

    #[test]
    fn table() {
        let found = |first_bad, earliest, confident| Step::Found { first_bad, earliest, confident };
        let table = [
            ("gb", found(1, 1, true)),
            ("ggggggb", found(6, 6, true)),
            ("gbbbbbb", found(1, 1, true)),
            ("gggbbbb", found(3, 3, true)),
            ("gguubbb", found(4, 2, false)),
            ("guuuuub", found(6, 1, false)),
            ("gugbbub", found(3, 3, true)),
            ("bbb", Step::NotInSeries),
            ("ggg", Step::NotInSeries),
            ("ugb", Step::NotInSeries),
            ("ggu", Step::NotInSeries),
            ("g", Step::NotInSeries),
        ];
        for (truth, expected) in table {
            assert_eq!(run(&parse(truth), BTreeMap::new()).0, expected, "{truth}");
        }
    }

    #[test]
    fn good_again_after_bad_is_not_a_confident_answer() {
        let known = BTreeMap::from([
            (0, Answer::Good),
            (1, Answer::Good),
            (2, Answer::Bad),
            (3, Answer::Good),
            (4, Answer::Bad),
        ]);
        assert_eq!(next_revision(&known, 4), Step::Found { first_bad: 2, earliest: 2, confident: false });
    }

    proptest! {
        #[test]
        fn finds_what_brute_force_finds(
            n in 1usize..40,
            at in 1usize..40,
            holes in proptest::collection::btree_set(1usize..40, 0..12),
            before in proptest::collection::btree_set(0usize..40, 0..6),
        ) {
            let first = at.min(n);
            let truth: Vec<Answer> = (0..=n)
                .map(|i| match i {
                    i if i != n && holes.contains(&i) => Answer::Untestable,
                    i if i < first => Answer::Good,
                    _ => Answer::Bad,
                })
                .collect();
            let known = before.into_iter().filter(|&i| i <= n).map(|i| (i, truth[i])).collect();
            let (step, measured) = run(&truth, known);
            let first_bad = truth.iter().position(|&a| a == Answer::Bad).unwrap();
            let earliest = truth[..first_bad].iter().rposition(|&a| a == Answer::Good).unwrap() + 1;
            prop_assert_eq!(step, Step::Found { first_bad, earliest, confident: earliest == first_bad });
            prop_assert!(earliest <= first && first <= first_bad);
            let untestable = truth.iter().filter(|&&a| a == Answer::Untestable).count();
            let bound = 2 + (usize::BITS - n.leading_zeros()) as usize + untestable;
            prop_assert!(measured <= bound, "{measured} measurements for {n} revisions");
        }
    }

    #[test]
    fn answers_of_boots() {
        let test = |name: &str| Symptom::Test { test: name.into() };
        let missing = |name: &str| Symptom::Missing { test: name.into() };
        let good = [boot(3).test("hmm.a", Verdict::Pass).done()];
        let bad = [boot(3).test("hmm.a", fail()).splat(splat("w", None)).done()];
        let lost = [boot(3).remaining("hmm.a").end(BootEnd::Panicked).done()];
        let skipped = [boot(3).test("hmm.a", Verdict::Skip { reason: "x".into() }).done()];
        let infra = [boot(3).infra("QEMU killed").done()];
        let silent = [boot(3).silent().end(BootEnd::Panicked).done()];
        let crashed = [boot(3).test("hmm.a", Verdict::Crashed { crash: Crash::Panic }).end(BootEnd::Panicked).done()];
        let warned = Symptom::Splat { signature: splat("w", None).signature };
        let table: [(&Symptom, &[BootRecord], Answer); 21] = [
            (&test("hmm.a"), &good, Answer::Good),
            (&test("hmm.a"), &bad, Answer::Bad),
            (&test("hmm.a"), &crashed, Answer::Bad),
            (&test("hmm.a"), &lost, Answer::Untestable),
            (&test("hmm.a"), &skipped, Answer::Good),
            (&test("hmm.a"), &infra, Answer::Untestable),
            (&test("hmm.a"), &[], Answer::Untestable),
            (&test("hmm.new"), &good, Answer::Good),
            (&test("hmm.new"), &silent, Answer::Untestable),
            (&missing("hmm.a"), &good, Answer::Good),
            (&missing("hmm.a"), &skipped, Answer::Bad),
            (&missing("hmm.b"), &good, Answer::Bad),
            (&missing("hmm.b"), &silent, Answer::Untestable),
            (&warned, &good, Answer::Good),
            (&warned, &bad, Answer::Bad),
            (&warned, &lost, Answer::Untestable),
            (&Symptom::Boot, &silent, Answer::Bad),
            (&Symptom::Boot, &good, Answer::Good),
            (&Symptom::Death, &lost, Answer::Bad),
            (&Symptom::Death, &crashed, Answer::Untestable),
            (&Symptom::Death, &good, Answer::Good),
        ];
        for (symptom, boots, expected) in table {
            assert_eq!(answer(symptom, boots), expected, "{symptom:?} {boots:?}");
        }
    }
}
