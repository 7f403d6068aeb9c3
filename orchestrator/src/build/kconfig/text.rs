//! Reading one Kconfig file as far as it matters for one question: under which conditions a symbol can be set.

use std::sync::Arc;

/// One `config` or `menuconfig` block.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Block {
    /// Its symbol.
    pub symbol: String,
    /// All conditions: `depends on` of the block and of the menus, choices and `if`s around it.
    pub conditions: Vec<Arc<str>>,
    /// Whether a user can set it, and the conditions of the prompt.
    pub prompt: Option<Vec<String>>,
    /// `bool`, `tristate`, `int`, `hex`, `string`; empty when this block does not say.
    pub kind: String,
    /// Symbols it selects, each with its condition.
    pub selects: Vec<(String, Option<String>)>,
    /// Line of the block, from 1.
    pub line: usize,
    /// Whether it is one of a choice.
    pub in_choice: bool,
}

/// A `source` line with the conditions around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Source {
    pub path: String,
    pub conditions: Vec<Arc<str>>,
}

/// What one file holds.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct File {
    pub blocks: Vec<Block>,
    pub sources: Vec<Source>,
}

/// Conditions of enclosing `if`s and menus that a block keeps, the outermost first; the kernel's own have up to 6. Every block
/// repeats them, so that without a limit, and without sharing their text, a patch could have a small file take all memory.
const CONDITIONS: usize = 32;

/// What an open `if`, `menu` or `choice` adds to everything inside.
struct Frame {
    word: &'static str,
    conditions: Vec<Arc<str>>,
}

fn around(frames: &[Frame]) -> Vec<Arc<str>> {
    frames.iter().flat_map(|frame| &frame.conditions).take(CONDITIONS).cloned().collect()
}

/// Reads a Kconfig file.
pub(super) fn read(text: &str) -> File {
    let mut file = File::default();
    let mut frames: Vec<Frame> = Vec::new();
    // Attribute lines belong to the last block, or, before the first block in it, to the innermost menu or choice.
    let mut open: Option<Block> = None;
    for (number, line) in logical_lines(text) {
        let (word, rest) = line.split_once(char::is_whitespace).map_or((line.as_str(), ""), |(w, r)| (w, r.trim()));
        match word {
            "config" | "menuconfig" => {
                file.blocks.extend(open.take());
                open = Some(Block {
                    symbol: rest.to_owned(),
                    conditions: around(&frames),
                    line: number,
                    in_choice: frames.iter().any(|frame| frame.word == "choice"),
                    ..Block::default()
                });
            }
            "if" | "menu" | "choice" | "comment" => {
                file.blocks.extend(open.take());
                match word {
                    "if" => frames.push(Frame { word: "if", conditions: vec![rest.into()] }),
                    "menu" => frames.push(Frame { word: "menu", conditions: Vec::new() }),
                    "choice" => frames.push(Frame { word: "choice", conditions: Vec::new() }),
                    // A comment takes attributes too; they go to a frame that ends with the next entry.
                    _ => open = Some(Block::default()),
                }
            }
            "endif" | "endmenu" | "endchoice" => {
                file.blocks.extend(open.take());
                if frames.last().is_some_and(|frame| word.ends_with(frame.word)) {
                    frames.pop();
                }
            }
            "source" | "rsource" | "osource" | "orsource" => {
                file.blocks.extend(open.take());
                file.sources.push(Source { path: rest.trim_matches('"').to_owned(), conditions: around(&frames) });
            }
            "depends" => {
                let condition: Arc<str> = rest.strip_prefix("on").unwrap_or(rest).trim().into();
                match (&mut open, frames.last_mut()) {
                    (Some(block), _) => block.conditions.push(condition),
                    (None, Some(frame)) => frame.conditions.push(condition),
                    (None, None) => {}
                }
            }
            _ => {
                if let Some(block) = &mut open {
                    attribute(block, word, rest);
                }
            }
        }
    }
    file.blocks.extend(open);
    file.blocks.retain(|block| !block.symbol.is_empty());
    file
}

fn attribute(block: &mut Block, word: &str, rest: &str) {
    match word {
        "bool" | "tristate" | "int" | "hex" | "string" => {
            block.kind = word.to_owned();
            if rest.starts_with(['"', '\'']) {
                block.prompt = Some(condition(rest).into_iter().collect());
            }
        }
        "def_bool" | "def_tristate" => block.kind = word.trim_start_matches("def_").to_owned(),
        "prompt" => block.prompt = Some(condition(rest).into_iter().collect()),
        "select" => {
            let name = rest.split_whitespace().next().unwrap_or_default().to_owned();
            block.selects.push((name, condition(rest)));
        }
        _ => {}
    }
}

/// The expression after `if`, outside of quotes.
fn condition(rest: &str) -> Option<String> {
    let quoted = rest.chars().next().filter(|c| "\"'".contains(*c));
    let start = quoted.and_then(|quote| rest[1..].find(quote)).map_or(0, |end| end + 2);
    rest[start..].split_once("if ").map(|(_, condition)| condition.trim().to_owned())
}

/// Lines with continuations joined, comments and help texts removed, with their number.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    let mut help: Option<Option<usize>> = None;
    let mut continued = false;
    for (index, raw) in text.lines().enumerate() {
        let indent = raw.chars().take_while(|c| c.is_whitespace()).map(|c| if c == '\t' { 8 } else { 1 }).sum();
        let line = raw.trim();
        if let Some(depth) = help {
            match depth {
                _ if line.is_empty() => continue,
                None if indent > 0 => {
                    help = Some(Some(indent));
                    continue;
                }
                Some(depth) if indent >= depth => continue,
                None | Some(_) => help = None,
            }
        }
        if continued {
            if let Some((_, last)) = lines.last_mut() {
                last.push(' ');
                last.push_str(line.trim_end_matches('\\').trim_end());
            }
        } else if line == "help" || line == "---help---" {
            help = Some(None);
        } else if !line.is_empty() && !line.starts_with('#') {
            lines.push((index + 1, line.trim_end_matches('\\').trim_end().to_owned()));
        }
        continued = line.ends_with('\\');
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
menu "Memory"
depends on MMU

config ZONE_DEVICE
	bool "Device memory (pmem, HMM, etc...) hotplug support"
	depends on MEMORY_HOTPLUG
	depends on MEMORY_HOTREMOVE && \
		   SPARSEMEM_VMEMMAP
	select XARRAY_MULTI if BIG
	help
	  config NOT_A_BLOCK

	  depends on NOTHING

if RUNTIME_TESTING_MENU
config TEST_HMM
	tristate "Test HMM" if EXPERT
	# a comment
	depends on DEVICE_PRIVATE
config HIDDEN
	bool
source "lib/Kconfig.more"
endif

choice
	prompt "Default"
	depends on THP
config THP_ALWAYS
	bool "always"
endchoice
endmenu
config FREE
	def_bool y
"#;

    #[test]
    fn blocks_have_the_conditions_around_them() {
        let file = read(TEXT);
        let short: Vec<_> = file.blocks.iter().map(|b| (b.symbol.as_str(), b.conditions.join(" && "))).collect();
        let expected = [
            ("ZONE_DEVICE", "MMU && MEMORY_HOTPLUG && MEMORY_HOTREMOVE && SPARSEMEM_VMEMMAP"),
            ("TEST_HMM", "MMU && RUNTIME_TESTING_MENU && DEVICE_PRIVATE"),
            ("HIDDEN", "MMU && RUNTIME_TESTING_MENU"),
            ("THP_ALWAYS", "MMU && THP"),
            ("FREE", ""),
        ];
        assert_eq!(short, expected.map(|(symbol, conditions)| (symbol, conditions.to_owned())));
        assert_eq!(file.sources[0].conditions.join(" "), "MMU RUNTIME_TESTING_MENU");
    }

    #[test]
    fn prompts_types_and_selects() {
        let file = read(TEXT);
        assert_eq!(file.blocks[0].prompt, Some(vec![]));
        assert_eq!(file.blocks[0].selects, [("XARRAY_MULTI".to_owned(), Some("BIG".to_owned()))]);
        assert_eq!(file.blocks[1].prompt, Some(vec!["EXPERT".to_owned()]));
        assert_eq!(file.blocks[1].kind, "tristate");
        assert_eq!(file.blocks[2].prompt, None);
        assert!(file.blocks[3].in_choice);
        assert_eq!(file.blocks[4].kind, "bool");
    }
}
