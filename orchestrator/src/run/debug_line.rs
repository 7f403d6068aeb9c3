//! One line of the debug log, read and shown.

use std::fmt::Write;

use camino::Utf8Path;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::debug_log::{FILE, OLDER};
use crate::words::FormatTrouble;

/// Version of the lines. The first line of every process carries it as the field `format`.
pub const FORMAT: u32 = 1;

/// The message of the first line of every process.
pub const BEGINS: &str = "log begins";

/// The levels, gravest first.
pub const LEVELS: [&str; 5] = ["error", "warn", "info", "debug", "trace"];

/// A line of `debug.jsonl`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DebugLine {
    /// When, in milliseconds since the Unix epoch.
    pub at: i64,
    /// One of [`LEVELS`].
    pub level: String,
    /// Process id of the orchestrator that wrote it.
    pub process: u32,
    /// The unit in which it happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// The module that says it: `process::command`.
    pub room: String,
    /// What happened.
    pub message: String,
    /// What belongs to it.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub fields: Map<String, Value>,
}

impl DebugLine {
    /// A field that is text.
    pub fn text(&self, field: &str) -> Option<&str> {
        self.fields.get(field)?.as_str()
    }

    /// A field that is a whole number.
    pub fn number(&self, field: &str) -> Option<u64> {
        self.fields.get(field)?.as_u64()
    }

    /// As people read it, on one line, without control characters.
    pub fn show(&self) -> String {
        let time = jiff::Timestamp::from_millisecond(self.at).unwrap_or_default();
        let unit = self.unit.as_deref().unwrap_or("-");
        let mut text = format!("{} {:<5} {unit} {}", time.strftime("%Y-%m-%d %H:%M:%S%.3f"), self.level, self.message);
        for (name, value) in &self.fields {
            match value.as_str() {
                Some(words) => _ = write!(text, " {name}={words:?}"),
                None => _ = write!(text, " {name}={value}"),
            }
        }
        text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
    }
}

/// Which lines are wanted.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// A part of the unit's name.
    pub unit: Option<String>,
    /// This level and graver ones.
    pub level: Option<String>,
}

impl Filter {
    /// Whether a line is wanted.
    pub fn takes(&self, line: &DebugLine) -> bool {
        let rank = |level: &str| LEVELS.iter().position(|known| *known == level).unwrap_or(LEVELS.len());
        let unit = self.unit.as_deref().is_none_or(|unit| line.unit.as_deref().is_some_and(|own| own.contains(unit)));
        unit && self.level.as_deref().is_none_or(|level| rank(&line.level) <= rank(level))
    }
}

/// The lines of a run, oldest first; empty when there is no log. Lines that a crash cut off are passed over.
///
/// # Errors
/// When a file cannot be read, or a newer program wrote it.
pub fn read(folder: &Utf8Path) -> std::io::Result<Vec<DebugLine>> {
    let mut lines = Vec::new();
    for name in [OLDER, FILE] {
        let path = folder.join(name);
        match fs_err::read(&path) {
            Ok(bytes) => lines.extend(parse(&path, &String::from_utf8_lossy(&bytes)).map_err(std::io::Error::other)?),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(lines)
}

fn parse(path: &Utf8Path, text: &str) -> Result<Vec<DebugLine>, FormatTrouble> {
    let lines: Vec<DebugLine> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    for line in lines.iter().filter(|line| line.message == BEGINS) {
        FormatTrouble::check(path.as_str(), line.number("format"), FORMAT)?;
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(level: &str, unit: Option<&str>, message: &str) -> DebugLine {
        DebugLine {
            at: 1_767_323_045_006,
            level: level.into(),
            process: 7,
            unit: unit.map(str::to_owned),
            room: "run".into(),
            message: message.into(),
            fields: Map::new(),
        }
    }

    #[test]
    fn lines_are_chosen_by_unit_and_level() {
        let lines = [
            line("error", None, "a"),
            line("info", Some("build/t/base/hmm"), "b"),
            line("debug", Some("boot/t/base/hmm"), "c"),
            line("odd", Some("boot/t/p1/hmm"), "d"),
        ];
        let chosen = |unit: Option<&str>, level: Option<&str>| {
            let filter = Filter { unit: unit.map(str::to_owned), level: level.map(str::to_owned) };
            lines.iter().filter(|line| filter.takes(line)).map(|line| line.message.as_str()).collect::<String>()
        };
        assert_eq!(chosen(None, None), "abcd");
        assert_eq!(chosen(Some("boot/"), None), "cd");
        assert_eq!(chosen(None, Some("info")), "ab");
        assert_eq!(chosen(Some("boot/"), Some("debug")), "c");
        assert_eq!(chosen(Some("fetch"), None), "");
    }

    #[test]
    fn a_line_is_shown_without_escape_sequences() {
        let mut one = line("info", Some("build/t/base/hmm"), "said \u{1b}[2J");
        one.fields.insert("end".into(), "Code(3)\n".into());
        one.fields.insert("pid".into(), 12.into());
        let expected = r#"2026-01-02 03:04:05.006 info  build/t/base/hmm said ?[2J end="Code(3)\n" pid=12"#;
        assert_eq!(one.show(), expected);
    }

    #[test]
    fn a_cut_off_line_is_passed_over_and_a_newer_format_is_refused() {
        let mut first = line("info", None, BEGINS);
        first.fields.insert("format".into(), FORMAT.into());
        let text = format!("{}\n{{\"at\":1,\"lev", serde_json::to_string(&first).unwrap());
        assert_eq!(parse(Utf8Path::new("f"), &text).unwrap(), [first.clone()]);
        first.fields.insert("format".into(), (FORMAT + 1).into());
        let error = parse(Utf8Path::new("f"), &serde_json::to_string(&first).unwrap()).unwrap_err();
        assert!(matches!(error, FormatTrouble::Newer { .. }), "{error}");
    }
}
