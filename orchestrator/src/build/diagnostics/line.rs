//! What a single line of a build tool is.

use std::sync::LazyLock;

use regex::Regex;

use crate::words::{Level, Tool};

/// A line that begins a diagnostic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head {
    pub level: Level,
    pub tool: Tool,
    /// As printed; empty when the tool named none.
    pub file: String,
    pub line: u32,
    pub message: String,
    pub option: Option<String>,
}

/// What one line is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Line {
    /// A diagnostic begins.
    Head(Head),
    /// `file: In function 'f':`; `None` is `At top level:`.
    Function(Option<String>),
    /// A line that introduces the diagnostic after it (`In file included from`, `inlined from`).
    Preface,
    /// Chatter that belongs to nothing (`cc1: some warnings being treated as errors`).
    Noise,
    /// Anything else: continues the diagnostic before it, if there is one.
    Other,
}

/// The tool's short name and the target of a kbuild step line such as `  CC [M]  lib/test_hmm.o`.
pub(crate) fn step(line: &str) -> Option<(&str, &str)> {
    static STEP: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"^  ([A-Z][A-Z0-9_+-]*)(?: \[[A-Z]+\])? +(\S+)$").expect("a valid expression"));
    let parts = STEP.captures(line)?;
    Some((parts.get(1)?.as_str(), parts.get(2)?.as_str()))
}

fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a valid expression")
}

struct Patterns {
    located: Regex,
    assembler: Regex,
    driver: Regex,
    function: Regex,
    inlined: Regex,
    undefined: Regex,
    multiple: Regex,
    linker_function: Regex,
    linker: Regex,
    modpost: Regex,
    objtool: Regex,
    kconfig_located: Regex,
    make_target: Regex,
    make_located: Regex,
    make_other: Regex,
    option: Regex,
}

static PATTERNS: LazyLock<Patterns> = LazyLock::new(|| Patterns {
    located: regex(r"^([^\s:][^:]*):(\d+)(?::(\d+))?: (warning|error|fatal error|sorry, unimplemented|note): (.*)$"),
    assembler: regex(r"^(\{standard input\}|[^\s:][^:]*):(\d+): (Warning|Error|Fatal error): (.*)$"),
    driver: regex(r"^((?:\S*/)?(?:\S+-)?(?:cc1|gcc|clang|as|collect2)(?:-\d+)?): (warning|error|fatal error): (.*)$"),
    function: regex(r"^(\S[^:]*): (?:In (?:function|member function) '([^']+)'[:,]?|At top level:)$"),
    inlined: regex(
        r"^(?:In file included from .*[:,]|\s+from .*[:,]|In function '[^']+',|\s+inlined from .*[:,]|\S+: Assembler messages:|\S+: note: in included file.*:)$",
    ),
    undefined: regex(
        r"^(?:(?:\S*-)?ld(?:\.\w+)?: )?(?:\S+: in function `[^']+': ?)?(\S+?):(?:\(([^)]*)\)|(\d+)): (undefined reference to `[^']+'.*)$",
    ),
    multiple: regex(r"^(?:\S*-)?ld(?:\.\w+)?: (\S+?):(?:\(([^)]*)\)|\S+:(\d+)): (multiple definition of `[^']+').*$"),
    linker_function: regex(r"^(?:(?:\S*-)?ld(?:\.\w+)?: )?(\S+): in function `([^']+)':$"),
    linker: regex(r"^(?:\S*-)?ld(?:\.\w+)?: (warning: |error: )?(.*)$"),
    modpost: regex(r"^(WARNING|ERROR|FATAL): modpost: (.*)$"),
    objtool: regex(r"^(\S+): (warning|error): objtool: (.*)$"),
    kconfig_located: regex(
        r"^(\S*(?:Kconfig\S*|\.config\S*|config\.\w+|\.resolved)):(\d+): ?(warning|error|syntax error)?:? ?(.*)$",
    ),
    make_target: regex(r"^make(?:\[\d+\])?: \*\*\* \[(?:[^\]]*: )?([^\]]+)\] (Error \d+|\w.*)$"),
    make_located: regex(r"^([^\s:]+):(\d+): (\*\*\* |warning: )(.*)$"),
    make_other: regex(r"^make(?:\[\d+\])?: \*\*\* (.*)$"),
    option: regex(r"^(.*) \[(-W[^\]]+)\]$"),
});

/// Splits `message [-Wfoo]`.
fn split_option(message: &str) -> (String, Option<String>) {
    match PATTERNS.option.captures(message) {
        Some(parts) => (parts[1].to_owned(), Some(parts[2].to_owned())),
        None => (message.to_owned(), None),
    }
}

fn number(text: Option<regex::Match<'_>>) -> u32 {
    text.and_then(|digits| digits.as_str().parse().ok()).unwrap_or(0)
}

fn head(level: Level, tool: Tool, file: &str, line: u32, message: &str) -> Line {
    let (message, option) = split_option(message.trim());
    Line::Head(Head { level, tool, file: file.to_owned(), line, message, option })
}

/// Whether `tool` in the last step line was sparse (`CHECK`).
fn compiler_or_sparse(step: Option<&str>) -> Tool {
    if step == Some("CHECK") { Tool::Sparse } else { Tool::Compiler }
}

/// What `line` is, given the short name of the step it was printed under.
pub(super) fn classify(line: &str, step: Option<&str>) -> Line {
    let p = &*PATTERNS;
    let level = |word: &str| if word.eq_ignore_ascii_case("warning") { Level::Warning } else { Level::Error };
    if let Some(parts) = p.objtool.captures(line) {
        return head(level(&parts[2]), Tool::Objtool, &parts[1], 0, &parts[3]);
    }
    if let Some(parts) = p.modpost.captures(line) {
        return head(level(&parts[1]), Tool::Modpost, "", 0, &parts[2]);
    }
    if let Some(parts) = p.kconfig_located.captures(line) {
        let said = parts.get(3).map_or("", |word| word.as_str());
        let level = if said == "warning" { Level::Warning } else { Level::Error };
        let message = if said == "syntax error" { format!("syntax error {}", &parts[4]) } else { parts[4].to_owned() };
        return head(level, Tool::Kconfig, &parts[1], number(parts.get(2)), &message);
    }
    if let Some(message) = line.strip_prefix("WARNING: unmet direct dependencies detected for ") {
        return head(
            Level::Warning,
            Tool::Kconfig,
            "",
            0,
            &format!("unmet direct dependencies detected for {message}"),
        );
    }
    if let Some(parts) = p.located.captures(line) {
        if &parts[4] == "note" {
            return Line::Other;
        }
        return head(level(&parts[4]), compiler_or_sparse(step), &parts[1], number(parts.get(2)), &parts[5]);
    }
    if let Some(parts) = p.assembler.captures(line) {
        return head(level(&parts[3]), Tool::Compiler, &parts[1], number(parts.get(2)), &parts[4]);
    }
    if let Some(parts) = p.function.captures(line) {
        return Line::Function(parts.get(2).map(|name| name.as_str().to_owned()));
    }
    if p.inlined.is_match(line) {
        return Line::Preface;
    }
    if line.contains(": some warnings being treated as errors")
        || line == "compilation terminated."
        || line.ends_with(" generated.")
    {
        return Line::Noise;
    }
    if let Some(parts) = p.driver.captures(line) {
        return head(level(&parts[2]), Tool::Compiler, "", 0, &parts[3]);
    }
    classify_linker(line).or_else(|| classify_make(line)).unwrap_or(Line::Other)
}

fn classify_linker(line: &str) -> Option<Line> {
    let p = &*PATTERNS;
    if let Some(parts) = p.undefined.captures(line) {
        return Some(head(Level::Error, Tool::Linker, &parts[1], number(parts.get(3)), &parts[4]));
    }
    if let Some(parts) = p.multiple.captures(line) {
        return Some(head(Level::Error, Tool::Linker, &parts[1], number(parts.get(3)), &parts[4]));
    }
    if let Some(parts) = p.linker_function.captures(line) {
        return Some(Line::Function(Some(parts[2].to_owned())));
    }
    let parts = p.linker.captures(line)?;
    let level =
        if parts.get(1).is_some_and(|word| word.as_str() == "warning: ") { Level::Warning } else { Level::Error };
    Some(head(level, Tool::Linker, "", 0, &parts[2]))
}

fn classify_make(line: &str) -> Option<Line> {
    let p = &*PATTERNS;
    if let Some(parts) = p.make_target.captures(line) {
        return Some(head(Level::Error, Tool::Make, "", 0, &format!("{}: {}", &parts[1], &parts[2])));
    }
    if let Some(parts) = p.make_other.captures(line) {
        return Some(head(Level::Error, Tool::Make, "", 0, &parts[1]));
    }
    if let Some(parts) = p.make_located.captures(line) {
        let level = if &parts[3] == "warning: " { Level::Warning } else { Level::Error };
        return Some(head(level, Tool::Make, &parts[1], number(parts.get(2)), &parts[4]));
    }
    // Scripts of the tree that give up: `ERROR: Kernel configuration is invalid.`, `error: ...`.
    let message = line.strip_prefix("ERROR: ").or_else(|| line.strip_prefix("error: "))?;
    Some(head(Level::Error, Tool::Make, "", 0, message))
}
