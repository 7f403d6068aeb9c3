//! Why a symbol did not end up as a kconfig asks.

use std::collections::BTreeMap;
use std::sync::Arc;

use camino::Utf8Path;

use super::expression::Expression;
use super::fragment::{Mismatch, value_of, values};
use super::text::{Block, File, read};
use crate::build::reason::bounded;
use crate::words::DroppedSymbol;

/// How far `source` lines are followed upwards.
const NESTING_LIMIT: usize = 12;

/// Most bytes of a reason.
const WHY: usize = 4096;

/// All Kconfig files of a tree.
#[derive(Debug, Default)]
pub(in crate::build) struct Kconfigs {
    files: BTreeMap<String, File>,
}

impl Kconfigs {
    /// From texts by path relative to the tree.
    #[cfg(any(test, feature = "fuzz"))]
    pub fn new<'a>(texts: impl IntoIterator<Item = (String, &'a str)>) -> Self {
        Kconfigs { files: texts.into_iter().map(|(path, text)| (path, read(text))).collect() }
    }

    /// Reads those of the source folder that matter for `arch` (the folder name below `arch/`).
    ///
    /// # Errors
    /// When a folder or file cannot be read.
    pub fn load(source: &Utf8Path, arch: &str) -> std::io::Result<Self> {
        let mut files = BTreeMap::new();
        let mut folders = vec![source.to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in folder.read_dir_utf8()? {
                let entry = entry?;
                let path = entry.path();
                let name = entry.file_name();
                let relative = path.strip_prefix(source).unwrap_or(path);
                if entry.file_type()?.is_dir() {
                    let skipped = matches!(relative.as_str(), "Documentation" | "tools" | ".git");
                    let foreign = folder == source.join("arch") && name != arch;
                    if !skipped && !foreign {
                        folders.push(path.to_owned());
                    }
                } else if name.starts_with("Kconfig") && entry.file_type()?.is_file() {
                    let bytes = fs_err::read(path)?;
                    files.insert(relative.to_string(), read(&String::from_utf8_lossy(&bytes)));
                }
            }
        }
        Ok(Kconfigs { files })
    }

    /// All blocks of a symbol, with the conditions under which their file is read added.
    fn blocks(&self, symbol: &str) -> Vec<Block> {
        let mut found = Vec::new();
        for (path, file) in &self.files {
            for block in file.blocks.iter().filter(|block| block.symbol == symbol) {
                let mut block = block.clone();
                let mut around = self.conditions_of_file(path, NESTING_LIMIT);
                around.append(&mut block.conditions);
                block.conditions = around;
                found.push(block);
            }
        }
        found
    }

    fn conditions_of_file(&self, path: &str, depth: usize) -> Vec<Arc<str>> {
        if depth == 0 {
            return Vec::new();
        }
        let sourced = self.files.iter().find_map(|(other, file)| {
            let source = file.sources.iter().find(|source| source.path == path)?;
            Some((other, source))
        });
        let Some((parent, source)) = sourced else { return Vec::new() };
        let mut conditions = self.conditions_of_file(parent, depth - 1);
        conditions.extend(source.conditions.iter().cloned());
        conditions
    }

    /// Symbols that select `symbol` in this configuration.
    fn selectors(&self, symbol: &str) -> Vec<(&str, Option<&str>)> {
        let blocks = self.files.values().flat_map(|file| &file.blocks);
        let mut found: Vec<_> = blocks
            .flat_map(|block| block.selects.iter().map(move |(name, when)| (block, name, when)))
            .filter(|(_, name, _)| *name == symbol)
            .map(|(block, _, when)| (block.symbol.as_str(), when.as_deref()))
            .collect();
        found.sort_unstable();
        found.dedup();
        found
    }
}

/// Says for each mismatch why it came about in `config`.
pub(in crate::build) fn explain(kconfigs: &Kconfigs, config: &str, mismatches: Vec<Mismatch>) -> Vec<DroppedSymbol> {
    let values = values(config);
    let why = |mismatch: &Mismatch| bounded(&reason(kconfigs, &values, mismatch), WHY);
    mismatches
        .into_iter()
        .map(|mismatch| {
            let why = why(&mismatch);
            let Mismatch { symbol, wanted, got, asked_by } = mismatch;
            DroppedSymbol { symbol, wanted, got, asked_by, why }
        })
        .collect()
}

fn reason(kconfigs: &Kconfigs, values: &BTreeMap<String, String>, mismatch: &Mismatch) -> String {
    let symbol = mismatch.symbol.as_str();
    let blocks = kconfigs.blocks(symbol);
    if blocks.is_empty() {
        return "no Kconfig file of this tree defines it".to_owned();
    }
    if mismatch.wanted == "n" || mismatch.got == "y" {
        let active: Vec<String> = kconfigs
            .selectors(symbol)
            .into_iter()
            .filter(|(by, when)| {
                let holds = when.and_then(Expression::parse).is_none_or(|when| when.evaluate(values) > 0);
                holds && value_of(values, by) != "n"
            })
            .map(|(by, _)| format!("{by} (={})", value_of(values, by)))
            .collect();
        if !active.is_empty() {
            return format!("selected by {}", active.join(", "));
        }
    }
    let unmet: Vec<String> = blocks.iter().filter_map(|block| unmet(block, values)).collect();
    if unmet.len() == blocks.len() {
        return format!("depends on {}", unmet.join(", or in another place on "));
    }
    let kind = blocks.iter().map(|block| block.kind.as_str()).find(|kind| !kind.is_empty()).unwrap_or_default();
    if mismatch.wanted == "m" && kind == "bool" {
        return "it is a bool and cannot be a module".to_owned();
    }
    let prompts: Vec<&Vec<String>> = blocks.iter().filter_map(|block| block.prompt.as_ref()).collect();
    let visible = |conditions: &&Vec<String>| {
        conditions.iter().all(|text| Expression::parse(text).is_none_or(|condition| condition.evaluate(values) > 0))
    };
    if !prompts.iter().any(visible) {
        let by: Vec<_> = kconfigs.selectors(symbol).into_iter().map(|(by, _)| by).collect();
        let hidden = match prompts.first() {
            Some(conditions) => {
                let shown = conditions.iter().map(|text| shown(text, values)).collect::<Vec<_>>().join(" && ");
                format!("its prompt is shown only if {shown}")
            }
            None => "it has no prompt".to_owned(),
        };
        return if by.is_empty() {
            format!("{hidden}, and nothing selects it")
        } else {
            format!("{hidden}; it is set by selecting it, which these do: {}", list(&by))
        };
    }
    if blocks.iter().any(|block| block.in_choice) {
        return "another member of its choice is set".to_owned();
    }
    "its dependencies hold, but its default or range gave another value".to_owned()
}

/// The conditions of a block with values, when they do not all hold.
fn unmet(block: &Block, values: &BTreeMap<String, String>) -> Option<String> {
    let parsed: Vec<Result<Expression, &Arc<str>>> = block
        .conditions
        .iter()
        .flat_map(|text| match Expression::parse(text) {
            Some(expression) => expression.terms().into_iter().map(Ok).collect(),
            None => vec![Err(text)],
        })
        .collect();
    let fails = |term: &Result<Expression, &Arc<str>>| term.as_ref().is_ok_and(|term| term.evaluate(values) == 0);
    if !parsed.iter().any(fails) {
        return None;
    }
    let mut shown: Vec<String> = Vec::new();
    for term in &parsed {
        let text = match term {
            Ok(term @ Expression::Or(_)) if parsed.len() > 1 => format!("({})", term.show(values)),
            Ok(term) => term.show(values),
            Err(text) => text.to_string(),
        };
        if !shown.contains(&text) {
            shown.push(text);
        }
    }
    Some(shown.join(" && "))
}

fn shown(text: &str, values: &BTreeMap<String, String>) -> String {
    Expression::parse(text).map_or_else(|| text.to_owned(), |condition| condition.show(values))
}

/// The first few names.
fn list(names: &[&str]) -> String {
    let shown = names.iter().take(6).copied().collect::<Vec<_>>().join(", ");
    if names.len() > 6 { format!("{shown} and {} more", names.len() - 6) } else { shown }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> Kconfigs {
        Kconfigs::new([
            ("lib/Kconfig.debug".to_owned(), "if RUNTIME_TESTING_MENU\nsource \"lib/Kconfig.test\"\nendif\n"),
            (
                "lib/Kconfig.test".to_owned(),
                "config TEST_HMM\n\ttristate \"Test HMM\"\n\tdepends on TRANSPARENT_HUGEPAGE\n\tdepends on DEVICE_PRIVATE\n\tselect HMM_MIRROR\n",
            ),
            (
                "mm/Kconfig".to_owned(),
                "config HMM_MIRROR\n\tbool\n\tdepends on MMU\nconfig NR\n\tint \"n\"\n\trange 2 8\nchoice\n\tprompt \"c\"\nconfig ONE\n\tbool \"1\"\nconfig TWO\n\tbool \"2\"\nendchoice\nconfig SHY\n\tbool \"s\" if EXPERT\nconfig FIRM\n\tbool \"f\"\n",
            ),
        ])
    }

    fn why(config: &str, symbol: &str, wanted: &str, got: &str) -> String {
        let mismatch = Mismatch {
            symbol: symbol.into(),
            wanted: wanted.into(),
            got: got.into(),
            asked_by: "hmm.config:12".into(),
        };
        explain(&tree(), config, vec![mismatch]).remove(0).to_string()
    }

    #[test]
    fn every_reason_is_named() {
        let cases = [
            (
                why("CONFIG_RUNTIME_TESTING_MENU=y\nCONFIG_TRANSPARENT_HUGEPAGE=y\n", "TEST_HMM", "y", "n"),
                "CONFIG_TEST_HMM=y (hmm.config:12) was dropped: depends on RUNTIME_TESTING_MENU (=y) && \
                 TRANSPARENT_HUGEPAGE (=y) && DEVICE_PRIVATE (not set)",
            ),
            (
                why("", "GONE", "y", "n"),
                "CONFIG_GONE=y (hmm.config:12) was dropped: no Kconfig file of this tree defines it",
            ),
            (
                why("CONFIG_TEST_HMM=y\n", "HMM_MIRROR", "n", "y"),
                "CONFIG_HMM_MIRROR=n (hmm.config:12) ended up =y: selected by TEST_HMM (=y)",
            ),
            (
                why("CONFIG_MMU=y\n", "HMM_MIRROR", "y", "n"),
                "CONFIG_HMM_MIRROR=y (hmm.config:12) was dropped: it has no prompt; it is set by selecting it, which \
                 these do: TEST_HMM",
            ),
            (
                why("", "SHY", "y", "n"),
                "CONFIG_SHY=y (hmm.config:12) was dropped: its prompt is shown only if EXPERT (not set), and nothing \
                 selects it",
            ),
            (
                why("CONFIG_TWO=y\n", "ONE", "y", "n"),
                "CONFIG_ONE=y (hmm.config:12) was dropped: another member of its choice is set",
            ),
            (
                why("", "FIRM", "m", "y"),
                "CONFIG_FIRM=m (hmm.config:12) ended up =y: it is a bool and cannot be a module",
            ),
            (
                why("CONFIG_NR=8\n", "NR", "64", "8"),
                "CONFIG_NR=64 (hmm.config:12) ended up =8: its dependencies hold, but its default or range gave \
                 another value",
            ),
        ];
        for (found, expected) in cases {
            assert_eq!(found, expected);
        }
    }
}
