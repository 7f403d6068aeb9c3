//! Kconfig files and fragments, for fuzzing.

use std::collections::BTreeMap;

use super::explain::{Kconfigs, explain};
use super::fragment::{Mismatch, merge, parse};
use crate::words::Fragment;

/// A merged configuration holds each symbol as asked, merging it again changes nothing, and each symbol that is not as
/// asked has a reason of bounded length.
pub(in crate::build) fn kconfig(file: &str, fragment: &str) {
    let (asked, strange) = parse(fragment);
    assert!(asked.len() + strange.len() <= fragment.lines().count());
    let fragments = [Fragment { name: "x.config".into(), text: fragment.into() }];
    let merged = merge("CONFIG_MMU=y\n# a comment\nCONFIG_HMM=n\n", &fragments);
    assert_eq!(merge(&merged, &fragments), merged);
    let last: BTreeMap<String, String> = asked.into_iter().map(|a| (a.symbol, a.value)).collect();
    let has: BTreeMap<String, String> = parse(&merged).0.into_iter().map(|a| (a.symbol, a.value)).collect();
    for (symbol, value) in &last {
        assert_eq!(has.get(symbol), Some(value), "{symbol} in {merged}");
    }
    let kconfigs = Kconfigs::new([("mm/Kconfig".to_owned(), file)]);
    let wrong = last.keys().take(8).map(|symbol| Mismatch {
        symbol: symbol.clone(),
        wanted: "y".to_owned(),
        got: "n".to_owned(),
        asked_by: "x.config:1".to_owned(),
    });
    for dropped in explain(&kconfigs, &merged, wrong.collect()) {
        assert!(!dropped.why.is_empty() && dropped.why.len() <= 4096, "{} bytes", dropped.why.len());
    }
}
