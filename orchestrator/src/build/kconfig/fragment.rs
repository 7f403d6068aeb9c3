//! Fragments and `.config` files: reading, merging, checking.

use std::collections::BTreeMap;

use crate::words::{Fragment, Kconfig};

/// One assignment of a fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::build) struct Assignment {
    /// Name without `CONFIG_`.
    pub symbol: String,
    /// `y`, `m`, `n` (also for `is not set`) or a literal as written.
    pub value: String,
    /// Line, from 1.
    pub line: usize,
}

/// A symbol that did not end up as asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::build) struct Mismatch {
    /// Name without `CONFIG_`.
    pub symbol: String,
    /// Value asked for.
    pub wanted: String,
    /// Value it has.
    pub got: String,
    /// `hmm.config:12` or `require`.
    pub asked_by: String,
}

/// Reads a fragment (or `.config`). The second list holds lines that are neither empty, comment nor assignment, with
/// their number.
pub(in crate::build) fn parse(text: &str) -> (Vec<Assignment>, Vec<(usize, String)>) {
    let mut assignments = Vec::new();
    let mut strange = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        match assignment(line) {
            Some((symbol, value)) => {
                assignments.push(Assignment { symbol: symbol.to_owned(), value: value.to_owned(), line: index + 1 });
            }
            None if line.is_empty() || line.starts_with('#') => {}
            None => strange.push((index + 1, line.to_owned())),
        }
    }
    (assignments, strange)
}

fn assignment(line: &str) -> Option<(&str, &str)> {
    let is_name = |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if let Some(rest) = line.strip_prefix("# CONFIG_") {
        let name = rest.strip_suffix(" is not set")?;
        return is_name(name).then_some((name, "n"));
    }
    let (name, value) = line.strip_prefix("CONFIG_")?.split_once('=')?;
    (is_name(name) && !value.is_empty()).then_some((name, value))
}

/// All that the fragments ask for: the last assignment of each symbol, with who made it.
fn wanted<'a>(fragments: impl IntoIterator<Item = &'a Fragment>) -> BTreeMap<String, (String, String)> {
    let mut all = BTreeMap::new();
    for fragment in fragments {
        for Assignment { symbol, value, line } in parse(&fragment.text).0 {
            all.insert(symbol, (value, format!("{}:{line}", fragment.name)));
        }
    }
    all
}

/// The text of `base` (a `.config`) with the assignments of `fragments` in place of its own; the last one wins.
pub(in crate::build) fn merge<'a>(base: &str, fragments: impl IntoIterator<Item = &'a Fragment>) -> String {
    let wanted = wanted(fragments);
    let mut merged = String::with_capacity(base.len());
    for line in base.lines() {
        let overridden = assignment(line.trim()).is_some_and(|(symbol, _)| wanted.contains_key(symbol));
        if !overridden {
            merged.push_str(line);
            merged.push('\n');
        }
    }
    for (symbol, (value, _)) in &wanted {
        if value == "n" {
            merged.push_str(&format!("# CONFIG_{symbol} is not set\n"));
        } else {
            merged.push_str(&format!("CONFIG_{symbol}={value}\n"));
        }
    }
    merged
}

/// Values of a `.config` by symbol; symbols that are not set are left out.
pub(in crate::build) fn values(config: &str) -> BTreeMap<String, String> {
    let assignments = parse(config).0.into_iter();
    assignments.filter(|a| a.value != "n").map(|a| (a.symbol, a.value)).collect()
}

/// Value of one symbol; `n` when it is not set.
pub(in crate::build) fn value_of<'a>(values: &'a BTreeMap<String, String>, symbol: &str) -> &'a str {
    values.get(symbol).map_or("n", String::as_str)
}

/// Symbols of the fragments and of `require` that `config` does not have as asked. Optional ones do not count, unless
/// `require` names them.
pub(in crate::build) fn check(kconfig: &Kconfig, config: &str) -> Vec<Mismatch> {
    let values = values(config);
    let asked = wanted(&kconfig.fragments)
        .into_iter()
        .filter(|(symbol, _)| !kconfig.optional.contains(symbol) && !kconfig.require.contains_key(symbol))
        .map(|(symbol, (value, asked_by))| (symbol, value, asked_by));
    let required = kconfig.require.iter().map(|(symbol, value)| (symbol.clone(), value.clone(), "require".to_owned()));
    asked
        .chain(required)
        .filter_map(|(symbol, wanted, asked_by)| {
            let got = value_of(&values, &symbol).to_owned();
            (got != wanted).then_some(Mismatch { symbol, wanted, got, asked_by })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::testing::request;

    fn fragment(name: &str, text: &str) -> Fragment {
        Fragment { name: name.into(), text: text.into() }
    }

    #[test]
    fn fragments_are_read_with_lines_and_strange_ones_named() {
        let (found, strange) =
            parse("# about\nCONFIG_A=y\n\n# CONFIG_B is not set\nCONFIG_C=\"x y\"\nCONFG_D=y\nCONFIG_E\n");
        let short: Vec<_> = found.iter().map(|a| (a.symbol.as_str(), a.value.as_str(), a.line)).collect();
        assert_eq!(short, [("A", "y", 2), ("B", "n", 4), ("C", "\"x y\"", 5)]);
        assert_eq!(strange, [(6, "CONFG_D=y".to_owned()), (7, "CONFIG_E".to_owned())]);
    }

    #[test]
    fn later_fragments_win_over_earlier_and_over_the_base() {
        let fragments =
            [fragment("a", "CONFIG_A=y\nCONFIG_B=y\n"), fragment("b", "# CONFIG_B is not set\nCONFIG_C=3\n")];
        let merged = merge("# head\nCONFIG_A=m\nCONFIG_Z=y\n# CONFIG_C is not set\n", &fragments);
        assert_eq!(merged, "# head\nCONFIG_Z=y\nCONFIG_A=y\n# CONFIG_B is not set\nCONFIG_C=3\n");
    }

    #[test]
    fn checking_looks_at_the_last_word_of_each_symbol() {
        let mut kconfig = request().kconfig;
        kconfig.fragments = vec![
            fragment("a.config", "CONFIG_A=y\nCONFIG_B=y\nCONFIG_OPT=y\n"),
            fragment("b.config", "\n# CONFIG_B is not set\nCONFIG_N=16\n# CONFIG_GONE is not set\n"),
        ];
        kconfig.optional = vec!["OPT".into()];
        kconfig.require = BTreeMap::from([("R".to_owned(), "y".to_owned()), ("S".to_owned(), "n".to_owned())]);
        assert_eq!(check(&kconfig, "CONFIG_A=y\nCONFIG_N=16\nCONFIG_R=y\n"), []);
        let found = check(&kconfig, "CONFIG_B=y\nCONFIG_N=64\nCONFIG_S=m\n");
        let short: Vec<_> =
            found.iter().map(|m| format!("{} {} {} {}", m.symbol, m.wanted, m.got, m.asked_by)).collect();
        assert_eq!(
            short,
            ["A y n a.config:1", "B n y b.config:2", "N 16 64 b.config:3", "R y n require", "S n m require"]
        );
    }
}
