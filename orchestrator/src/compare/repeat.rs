//! How many repeats of a test are worth it.

use super::fisher::{SIGNIFICANT, fisher_greater};
use super::tries::{Standing, Tries};

/// Tries a side that confirm a result which is the same every time. Three bad of three against three good of three
/// have a probability of 1/20 under equal rates; a test that is bad every time need not be told from a rate.
pub const CONFIRM_TRIES: u32 = 3;

/// Most tries a side. They show a patched rate of 35 % and more, when the base never fails.
pub const MAX_TRIES: u32 = 20;

/// After so many tries that ended in trouble of ours, a test is not tried again.
pub const INFRA_LIMIT: u32 = 3;

/// Numbers of tries a side after which the rates are looked at again.
const LOOKS: [u32; 4] = [CONFIRM_TRIES, 6, 10, MAX_TRIES];

/// How many more tries each side should get.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NextTries {
    /// On the base.
    pub base: u32,
    /// With the series.
    pub patched: u32,
}

impl NextTries {
    /// True when what is known suffices, or more would not help.
    pub fn is_none(self) -> bool {
        self == NextTries::default()
    }
}

/// How many more tries of one test are worth it; `None` is a side that does not have the test. The caller runs them,
/// adds them and asks again, until the answer [is none](NextTries::is_none); that is bounded.
///
/// - A side without any answer gets one more try, until [`INFRA_LIMIT`] of them ended in trouble of ours.
/// - Good on the base and bad with the series: [`CONFIRM_TRIES`] on each side.
/// - Bad without a base to compare with (new, or skipped there): [`CONFIRM_TRIES`] on the patched side.
/// - Bad sometimes with the series, and more often than on the base: 3, 6, 10, then [`MAX_TRIES`] tries a side, until
///   the rates differ with a probability of at most [`SIGNIFICANT`].
/// - All else is no suspected regression and is not repeated.
pub fn next_tries(base: Option<&Tries>, patched: Option<&Tries>) -> NextTries {
    use Standing::{Bad, Good, Mixed, Skipped, Unknown};
    let exhausted = |side: Option<&Tries>| {
        side.is_some_and(|tries| {
            tries.infra() >= INFRA_LIMIT || tries.verdicts.len() >= (MAX_TRIES + INFRA_LIMIT) as usize
        })
    };
    if exhausted(base) || exhausted(patched) {
        return NextTries::default();
    }
    let one_if_unknown = |side: Option<&Tries>| u32::from(side.is_some_and(|tries| tries.standing() == Unknown));
    let unknown = NextTries { base: one_if_unknown(base), patched: one_if_unknown(patched) };
    if !unknown.is_none() {
        return unknown;
    }
    let tries = |side: Option<&Tries>| side.map(Tries::rate).unwrap_or_default();
    let (base_rate, patched_rate) = (tries(base), tries(patched));
    let up_to = |wanted: u32, base_tries: u32, patched_tries: u32| NextTries {
        base: wanted.saturating_sub(base_tries),
        patched: wanted.saturating_sub(patched_tries),
    };
    match (base.map(Tries::standing), patched.map(Tries::standing)) {
        (None | Some(Skipped), Some(Bad | Mixed)) => {
            NextTries { base: 0, patched: CONFIRM_TRIES.saturating_sub(patched_rate.tries) }
        }
        (Some(Good), Some(Bad)) => up_to(CONFIRM_TRIES, base_rate.tries, patched_rate.tries),
        (Some(Good), Some(Mixed)) | (Some(Mixed), Some(Bad | Mixed)) => {
            let more_often = u64::from(patched_rate.bad) * u64::from(base_rate.tries)
                > u64::from(base_rate.bad) * u64::from(patched_rate.tries);
            if !more_often || fisher_greater(base_rate, patched_rate) <= SIGNIFICANT {
                return NextTries::default();
            }
            let fewest = base_rate.tries.min(patched_rate.tries);
            match LOOKS.iter().find(|&&look| look > fewest) {
                Some(&look) => up_to(look, base_rate.tries, patched_rate.tries),
                None => NextTries::default(),
            }
        }
        (None, None | Some(Good | Skipped | Unknown))
        | (Some(_), None | Some(Unknown))
        | (Some(Unknown), Some(_))
        | (Some(_), Some(Good | Skipped))
        | (Some(Bad), Some(Bad | Mixed)) => NextTries::default(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::words::Verdict;

    fn side(good: usize, bad: usize, infra: usize) -> Tries {
        let mut verdicts = vec![Verdict::Pass; good];
        verdicts.extend(vec![Verdict::Timeout; bad]);
        verdicts.extend(vec![Verdict::Infra { reason: "cut".into() }; infra]);
        Tries { verdicts }
    }

    fn skipped() -> Tries {
        Tries { verdicts: vec![Verdict::Skip { reason: "no device".into() }] }
    }

    #[test]
    fn table() {
        let next = |base: Option<&Tries>, patched: Option<&Tries>| {
            let next = next_tries(base, patched);
            (next.base, next.patched)
        };
        // Nothing to suspect.
        assert_eq!(next(Some(&side(1, 0, 0)), Some(&side(1, 0, 0))), (0, 0));
        assert_eq!(next(Some(&side(0, 1, 0)), Some(&side(0, 1, 0))), (0, 0));
        assert_eq!(next(Some(&side(0, 1, 0)), Some(&side(1, 0, 0))), (0, 0));
        assert_eq!(next(Some(&side(1, 0, 0)), None), (0, 0));
        assert_eq!(next(None, Some(&side(1, 0, 0))), (0, 0));
        assert_eq!(next(Some(&side(1, 0, 0)), Some(&skipped())), (0, 0));
        assert_eq!(next(Some(&side(1, 1, 0)), Some(&side(1, 0, 0))), (0, 0));
        // A suspected regression.
        assert_eq!(next(Some(&side(1, 0, 0)), Some(&side(0, 1, 0))), (2, 2));
        assert_eq!(next(Some(&side(3, 0, 0)), Some(&side(0, 3, 0))), (0, 0));
        // It turns out to be a matter of rates.
        assert_eq!(next(Some(&side(3, 0, 0)), Some(&side(1, 2, 0))), (3, 3));
        assert_eq!(next(Some(&side(3, 0, 0)), Some(&side(2, 1, 0))), (3, 3));
        assert_eq!(next(Some(&side(6, 0, 0)), Some(&side(3, 3, 0))), (4, 4));
        assert_eq!(next(Some(&side(10, 0, 0)), Some(&side(6, 4, 0))), (10, 10));
        assert_eq!(next(Some(&side(10, 0, 0)), Some(&side(4, 6, 0))), (0, 0), "6 of 10 is decided");
        assert_eq!(next(Some(&side(20, 0, 0)), Some(&side(17, 3, 0))), (0, 0), "enough is enough");
        assert_eq!(next(Some(&side(2, 1, 0)), Some(&side(2, 1, 0))), (0, 0), "not more often than on the base");
        assert_eq!(next(Some(&side(2, 1, 0)), Some(&side(0, 3, 0))), (3, 3));
        // New, or skipped on the base.
        assert_eq!(next(None, Some(&side(0, 1, 0))), (0, 2));
        assert_eq!(next(Some(&skipped()), Some(&side(0, 1, 0))), (0, 2));
        assert_eq!(next(None, Some(&side(1, 2, 0))), (0, 0));
        // Trouble of ours.
        assert_eq!(next(Some(&side(1, 0, 0)), Some(&side(0, 0, 1))), (0, 1));
        assert_eq!(next(Some(&side(0, 0, 0)), Some(&side(0, 0, 0))), (1, 1));
        assert_eq!(next(Some(&side(1, 0, 0)), Some(&side(0, 0, 3))), (0, 0));
        // Tries that are skipped are tries, too.
        let mostly_skipped =
            |times| Tries { verdicts: [side(0, 1, 0).verdicts, vec![skipped().verdicts.remove(0); times]].concat() };
        assert_eq!(next(Some(&side(3, 0, 0)), Some(&mostly_skipped(21))), (0, 2));
        assert_eq!(next(Some(&side(3, 0, 0)), Some(&mostly_skipped(22))), (0, 0));
    }

    proptest! {
        /// Whatever the machine answers, asking and trying comes to an end soon.
        #[test]
        fn the_loop_ends(
            answers in proptest::collection::vec((0u8..4, 0u8..4), 64),
            has_base in any::<bool>(),
        ) {
            let verdict = |answer: u8| match answer {
                0 => Verdict::Pass,
                1 => Verdict::Timeout,
                2 => Verdict::Skip { reason: "no device".into() },
                _ => Verdict::Infra { reason: "cut".into() },
            };
            let mut base = has_base.then(Tries::default);
            let mut patched = Tries::default();
            let mut answers = answers.into_iter().cycle();
            let mut rounds = 0;
            loop {
                let next = next_tries(base.as_ref(), Some(&patched));
                if next.is_none() {
                    break;
                }
                rounds += 1;
                prop_assert!(rounds <= 60, "still going: {base:?} {patched:?}");
                for _ in 0..next.base {
                    base.as_mut().expect("a missing side is never repeated").verdicts.push(verdict(answers.next().unwrap().0));
                }
                for _ in 0..next.patched {
                    patched.verdicts.push(verdict(answers.next().unwrap().1));
                }
            }
            let most = (MAX_TRIES + INFRA_LIMIT) as usize + MAX_TRIES as usize;
            prop_assert!(patched.verdicts.len() <= most);
        }
    }
}
