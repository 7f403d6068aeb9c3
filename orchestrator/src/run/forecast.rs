//! Which boots a kconfig will need, once both ends of the series are built.

use super::board::{bootable, same_artefacts};
use super::booter::{Booter, Want};
use super::measure::{WANTED, wall_boot};
use super::plan::Expected;
use crate::lab::Selection;
use crate::stats;
use crate::words::{BuildRecord, Clock, Kconfig, UnitKind};

/// The pairs of kernel and selftests that are booted in any case; repeats come on top when something is suspect.
pub fn pairs<'a>(base: &'a BuildRecord, patched: &'a BuildRecord) -> Vec<(&'a BuildRecord, &'a BuildRecord)> {
    if !bootable(base) || !bootable(patched) || same_artefacts(base, patched) {
        return Vec::new();
    }
    let mut pairs = vec![(base, base), (patched, patched)];
    let (one, other) = (&base.artefacts, &patched.artefacts);
    if one.image != other.image && one.selftests != other.selftests {
        pairs.extend([(patched, base), (base, patched)]);
    }
    pairs
}

/// The boots of these pairs as units, with what is known of them.
pub async fn plain_boots(
    booter: &Booter,
    kconfig: &Kconfig,
    base: &BuildRecord,
    patched: &BuildRecord,
    tests: &[String],
) -> Vec<Expected> {
    let selection = Selection { only: tests.to_vec(), ..Selection::default() };
    let mut boots = Vec::new();
    for (kernel, selftests) in pairs(base, patched) {
        let want = Want { kconfig, kernel, selftests, selection: &selection, clock: None, repetition: 0, purpose: "" };
        boots.push(Expected { unit: booter.unit(want), kind: UnitKind::Boot, known: booter.knows(want).await });
    }
    boots
}

/// The boots that measure both kernels, as units, with what is known of them. On the wall clock those up to the first
/// look at the numbers; more come on top when these do not decide.
pub async fn measured_boots(
    booter: &Booter,
    kconfig: &Kconfig,
    base: &BuildRecord,
    patched: &BuildRecord,
    clock: Clock,
    metrics: Vec<String>,
) -> Vec<Expected> {
    if !bootable(base) || !bootable(patched) || base.artefacts.image == patched.artefacts.image {
        return Vec::new();
    }
    let selection = Selection { only: metrics, ..Selection::default() };
    let mut boots = Vec::new();
    for (repetition, purpose) in repetitions(clock) {
        for build in [base, patched] {
            let (kernel, selftests, purpose) = (build, build, purpose.as_str());
            let clock = Some(clock);
            let want = Want { kconfig, kernel, selftests, selection: &selection, clock, repetition, purpose };
            boots.push(Expected { unit: booter.unit(want), kind: UnitKind::Boot, known: booter.knows(want).await });
        }
    }
    boots
}

/// The boots of one side, told apart by number and purpose.
fn repetitions(clock: Clock) -> Vec<(u32, String)> {
    match clock {
        Clock::Instructions => vec![(0, String::new())],
        Clock::Wall => {
            let boots = stats::next_boots(0, &[], WANTED).unwrap_or_default();
            (0..boots as u32).map(|repetition| (repetition, wall_boot(repetition))).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::testing::build;
    use crate::words::BuildOutcome;

    #[test]
    fn the_wall_clock_needs_several_boots_of_a_side() {
        assert_eq!(repetitions(Clock::Instructions), [(0, String::new())]);
        let wall = repetitions(Clock::Wall);
        assert_eq!((wall.len(), &wall[7]), (8, &(7, "boot-8".to_owned())));
    }

    #[test]
    fn only_what_differs_is_booted() {
        let revisions = |pairs: Vec<(&BuildRecord, &BuildRecord)>| -> Vec<String> {
            pairs
                .iter()
                .map(|(kernel, tests)| format!("{}+{}", kernel.revision.slug(), tests.revision.slug()))
                .collect()
        };
        let base = build(0, 1, "one");
        assert!(pairs(&base, &build(1, 1, "one")).is_empty(), "identical");
        let mut patched = build(1, 1, "other");
        assert_eq!(revisions(pairs(&base, &patched)), ["base+base", "p1+p1"], "the same selftests");
        patched.artefacts.selftests = Some("new tests".into());
        assert_eq!(revisions(pairs(&base, &patched)), ["base+base", "p1+p1", "p1+base", "base+p1"]);
        patched.outcome = BuildOutcome::Failed { reason: "error".into() };
        assert!(pairs(&base, &patched).is_empty());
    }
}
