//! Names, lists and rates for a sentence.

use std::collections::BTreeMap;

use crate::words::{Rate, SplatKind, TestComparison, Verdict};

/// Names in a list before the rest is only counted.
const NAMED: usize = 6;

/// `a`, `a and b`, `a, b and c`; long lists are cut and counted.
pub(super) fn list(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        names if names.len() > NAMED => format!("{} and {} more", names[..NAMED].join(", "), names.len() - NAMED),
        [head @ .., last] => format!("{} and {last}", head.join(", ")),
    }
}

/// A test's name without its variant: `hmm.hmm.hmm_device_private.anon_read` is a variant of `hmm.hmm.anon_read`.
/// Names of other shapes (`<suite>.<fixture>.<test>` and shorter, or longer) have no variant.
pub(super) fn stem(test: &str) -> String {
    match test.split('.').collect::<Vec<_>>().as_slice() {
        [suite, fixture, _variant, name] => format!("{suite}.{fixture}.{name}"),
        _no_variant => test.to_owned(),
    }
}

/// Names for a sentence, in order: variants of one test are named once, with their variants.
pub(super) fn short(tests: &[String]) -> Vec<String> {
    let mut order: Vec<String> = Vec::new();
    let mut variants: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for test in tests {
        let stem = stem(test);
        if !variants.contains_key(&stem) {
            order.push(stem.clone());
        }
        let variant = if stem == *test { None } else { test.split('.').nth(2) };
        variants.entry(stem).or_default().extend(variant);
    }
    let name = |stem: String| match variants.get(&stem).map(Vec::as_slice) {
        None | Some([]) => stem,
        Some(variants) => format!("{stem} ({})", variants.join(", ")),
    };
    order.into_iter().map(name).collect()
}

/// `list` of `short` names.
pub(super) fn tests(tests: &[String]) -> String {
    list(&short(tests))
}

/// `fails 3/3 with the series, 0/3 without`, and what is uncertain about it.
pub(super) fn rates(comparison: &TestComparison) -> String {
    let rate = |rate: Rate| format!("{}/{}", rate.bad, rate.tries);
    let patched = rate(comparison.patched);
    let rates = match (comparison.base.tries, &comparison.base_verdict) {
        (0, Some(Verdict::Skip { .. })) => format!("fails {patched} with the series, is skipped without"),
        (0, _) => format!("fails {patched} with the series, does not exist without"),
        (_, _) => format!("fails {patched} with the series, {} without", rate(comparison.base)),
    };
    match comparison.note.as_deref().filter(|note| note.starts_with("not confirmed") || note.contains("Fisher")) {
        Some(note) => format!("{rates}; {note}"),
        None => rates,
    }
}

/// A report, for people.
pub(super) fn splat_words(kind: SplatKind) -> &'static str {
    match kind {
        SplatKind::Warning => "a warning",
        SplatKind::Bug => "a BUG",
        SplatKind::Oops => "an oops",
        SplatKind::Panic => "a panic",
        SplatKind::Kasan => "a KASAN error",
        SplatKind::Sanitizer => "a sanitizer error",
        SplatKind::Lockdep => "a locking error (lockdep)",
        SplatKind::Atomic => "sleeping in atomic context",
        SplatKind::HungTask => "a hung task",
        SplatKind::Lockup => "a lockup",
        SplatKind::BadPage => "a bad page",
        SplatKind::Leak => "a leak",
    }
}

/// Reports that end a boot, or show where one that ended stood.
pub(in crate::compare) fn is_fatal(kind: SplatKind) -> bool {
    match kind {
        SplatKind::Bug | SplatKind::Oops | SplatKind::Panic | SplatKind::Lockup | SplatKind::HungTask => true,
        SplatKind::Warning
        | SplatKind::Kasan
        | SplatKind::Sanitizer
        | SplatKind::Lockdep
        | SplatKind::Atomic
        | SplatKind::BadPage
        | SplatKind::Leak => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn variants_of_a_test_are_named_once() {
        let names = owned(&[
            "hmm.hmm.hmm_device_private.anon_read",
            "hmm.hmm.hmm_device_coherent.anon_read",
            "hmm.hmm2.hmm2_device_private.anon_read",
            "hmm.unload-test_hmm",
        ]);
        assert_eq!(
            short(&names),
            [
                "hmm.hmm.anon_read (hmm_device_private, hmm_device_coherent)",
                "hmm.hmm2.anon_read (hmm2_device_private)",
                "hmm.unload-test_hmm"
            ]
        );
    }

    #[test]
    fn lists_are_cut() {
        assert_eq!(list(&[]), "");
        assert_eq!(list(&owned(&["a"])), "a");
        assert_eq!(list(&owned(&["a", "b", "c"])), "a, b and c");
        assert_eq!(list(&owned(&["a", "b", "c", "d", "e", "f"])), "a, b, c, d, e and f");
        assert_eq!(list(&owned(&["a", "b", "c", "d", "e", "f", "g", "h"])), "a, b, c, d, e, f and 2 more");
    }
}
