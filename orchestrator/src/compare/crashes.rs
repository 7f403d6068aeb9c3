//! Many tests that take the machine down: a few of them are looked at for all.
//!
//! Such a test costs a boot for every try, and one cause often has many of them.

use std::collections::BTreeMap;

use super::findings::is_fatal;
use crate::words::{BootRecord, Crash, Verdict};

/// Tests that are repeated, and asked about which patch brought it, for each way to take the machine down.
const LEADERS: usize = 3;

/// What tells causes apart: how the machine went down, and where it panicked. Where one that hangs is found is chance.
type Cause = (Crash, Option<String>);

/// Tests that took the patched machine down like others did before them, each with those others: what is found out about
/// the leaders holds for the follower, when they agree. A test that takes the base down, too, says nothing about the
/// series and neither leads nor follows.
pub fn followers(base: &[BootRecord], patched: &[BootRecord]) -> BTreeMap<String, Vec<String>> {
    let mut leaders: BTreeMap<Cause, Vec<String>> = BTreeMap::new();
    let of_base = base.iter().flat_map(|boot| &boot.tests);
    let known = of_base.filter(|record| matches!(record.verdict, Verdict::Crashed { .. }));
    let mut seen: Vec<String> = known.map(|record| record.test.clone()).collect();
    let mut followers = BTreeMap::new();
    for boot in patched {
        for record in &boot.tests {
            let Verdict::Crashed { crash } = record.verdict else { continue };
            // The first time counts, so that the answer stays the same as boots are added.
            if seen.contains(&record.test) {
                continue;
            }
            seen.push(record.test.clone());
            let of_cause = leaders.entry(cause(boot, &record.test, crash)).or_default();
            if of_cause.len() < LEADERS {
                of_cause.push(record.test.clone());
            } else {
                followers.insert(record.test.clone(), of_cause.clone());
            }
        }
    }
    followers
}

fn cause(boot: &BootRecord, test: &str, crash: Crash) -> Cause {
    let function = match crash {
        Crash::Panic => {
            let mut splats = boot.splats.iter().filter(|splat| splat.test.as_deref() == Some(test));
            splats.rfind(|splat| is_fatal(splat.kind)).and_then(|splat| splat.function.clone())
        }
        Crash::Hang | Crash::Reset => None,
    };
    (crash, function)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::testing::{boot, splat_of};
    use crate::words::SplatKind;

    fn crashed(test: &str, crash: Crash) -> BootRecord {
        boot(6).test(test, Verdict::Crashed { crash }).done()
    }

    #[test]
    fn the_first_three_of_a_cause_lead_the_others() {
        let boots: Vec<BootRecord> = ["a", "b", "c", "d", "a", "e"].map(|test| crashed(test, Crash::Hang)).into();
        let followers = followers(&[], &boots);
        assert_eq!(followers.keys().collect::<Vec<_>>(), ["d", "e"]);
        assert_eq!(followers["e"], ["a", "b", "c"]);
    }

    #[test]
    fn what_takes_the_base_down_too_leads_nobody() {
        let base: Vec<BootRecord> = ["a", "b", "c"].map(|test| crashed(test, Crash::Hang)).into();
        let boots: Vec<BootRecord> = ["a", "b", "c", "new"].map(|test| crashed(test, Crash::Hang)).into();
        assert_eq!(followers(&base, &boots), BTreeMap::new());
    }

    #[test]
    fn other_causes_have_leaders_of_their_own() {
        let panics = |test: &str, function: &str| {
            let record = splat_of(SplatKind::Panic, function, Some(test));
            boot(6).test(test, Verdict::Crashed { crash: Crash::Panic }).splat(record).done()
        };
        let boots = [
            crashed("a", Crash::Hang),
            panics("b", "f"),
            panics("c", "f"),
            panics("d", "f"),
            panics("e", "g"),
            panics("h", "f"),
        ];
        assert_eq!(followers(&[], &boots).into_keys().collect::<Vec<_>>(), ["h"]);
    }
}
