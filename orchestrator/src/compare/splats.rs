//! Kernel reports: those of the patched kernel that the base does not make.

use std::collections::BTreeMap;

use super::boots::collect;
use crate::words::{BootEnd, BootRecord, Splat};

/// A report that the patched kernel makes and the base does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSplat {
    /// The first of its kind.
    pub splat: Splat,
    /// Index of the boot it is from, among the patched boots.
    pub boot: usize,
    /// How many patched boots have it.
    pub boots: usize,
    /// How many patched boots there are (without those that ended in trouble of ours).
    pub of: usize,
    /// Tests that ran when it came, each once, in order of appearance.
    pub tests: Vec<String>,
}

/// The reports whose signature no base boot has, in order of appearance, once each.
///
/// Presence counts, not number: `WARN_ON_ONCE`, rate limits and repeats make numbers meaningless. A report that came
/// in a test of the base which no base boot got to is left out, because nobody knows whether the base makes it, too.
/// Without a base boot whose log could be trusted there is nothing to compare with, and the answer is empty.
pub fn new_splats(base: &[BootRecord], patched: &[BootRecord]) -> Vec<NewSplat> {
    if !base.iter().any(speaks) {
        return Vec::new();
    }
    let base_tries = collect(base);
    let unknown_on_base =
        |test: &str| base_tries.get(test).is_some_and(|tries| tries.rate().tries == 0 && !has_skip(tries));
    let known: std::collections::BTreeSet<&str> =
        base.iter().flat_map(|boot| &boot.splats).map(|splat| splat.signature.as_str()).collect();
    let of = patched.iter().filter(|boot| !matches!(boot.end, BootEnd::Infra { .. })).count();
    let mut order: Vec<NewSplat> = Vec::new();
    let mut index: BTreeMap<&str, usize> = BTreeMap::new();
    for (boot_index, boot) in patched.iter().enumerate() {
        let mut counted = std::collections::BTreeSet::new();
        for splat in &boot.splats {
            if known.contains(splat.signature.as_str()) || splat.test.as_deref().is_some_and(unknown_on_base) {
                continue;
            }
            let at = *index.entry(&splat.signature).or_insert_with(|| {
                order.push(NewSplat { splat: splat.clone(), boot: boot_index, boots: 0, of, tests: Vec::new() });
                order.len() - 1
            });
            if counted.insert(at) {
                order[at].boots += 1;
            }
            if let Some(test) = &splat.test
                && !order[at].tests.contains(test)
            {
                order[at].tests.push(test.clone());
            }
        }
    }
    order
}

fn has_skip(tries: &super::Tries) -> bool {
    tries.standing() == super::Standing::Skipped
}

/// True when a boot came far enough that its log says something.
fn speaks(boot: &BootRecord) -> bool {
    boot.log_checked.is_ok() && !matches!(boot.end, BootEnd::Infra { .. })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::testing::{boot, splat};
    use crate::words::Verdict;

    #[test]
    fn only_signatures_the_base_never_shows_are_new() {
        let base = [boot(0).splat(splat("old", None)).test("hmm.a", Verdict::Pass).done()];
        let patched = [
            boot(2).splat(splat("old", None)).splat(splat("new", Some("hmm.a"))).test("hmm.a", Verdict::Pass).done(),
            boot(2).splat(splat("new", Some("hmm.a"))).splat(splat("new", Some("hmm.b"))).done(),
            boot(2).done(),
        ];
        let new = new_splats(&base, &patched);
        assert_eq!(new.len(), 1);
        assert_eq!((new[0].boot, new[0].boots, new[0].of), (0, 2, 3));
        assert_eq!(new[0].tests, ["hmm.a", "hmm.b"]);
    }

    #[test]
    fn nothing_is_new_against_a_base_that_says_nothing() {
        let patched = [boot(2).splat(splat("new", Some("hmm.a"))).done()];
        assert_eq!(new_splats(&[], &patched), []);
        let infra = [boot(0).infra("QEMU killed").done()];
        assert_eq!(new_splats(&infra, &patched), []);
        let deaf = [boot(0).unchecked("BUG is not set").done()];
        assert_eq!(new_splats(&deaf, &patched), []);
        let mut reached = boot(0).done();
        assert_eq!(new_splats(std::slice::from_ref(&reached), &patched).len(), 1);
        reached.remaining.push("hmm.a".into());
        assert_eq!(new_splats(&[reached], &patched), [], "the base never got to the test");
        let skipped = boot(0).test("hmm.a", Verdict::Skip { reason: "no device".into() }).done();
        assert_eq!(new_splats(&[skipped], &patched).len(), 1, "a test that the base skips made no report there");
    }
}
