//! Makes every text of a report fit to be shown: patches, build tools and guests wrote much of it.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Report;
use crate::term::text::{truncate, visible, visible_lines};

/// Most lines shown of one piece of evidence.
pub const MAX_LINES: usize = 60;

/// Most columns shown of one of its lines.
pub const MAX_COLUMNS: usize = 240;

/// Most columns shown of a line of a range-diff.
const MAX_RANGE: usize = 300;

/// Most columns shown of any other text.
const MAX_TEXT: usize = 1000;

/// The report with control characters made visible in every string and every string bounded. Only `report.json`
/// holds what was really said.
///
/// It goes through JSON so that no field, of now or later, can be forgotten.
pub fn harmless(report: &Report) -> Report {
    harmless_text(report)
}

/// The same for a part of a report.
pub fn harmless_text<T: Serialize + DeserializeOwned>(part: &T) -> T {
    let value = serde_json::to_value(part).expect("a report is plain data");
    serde_json::from_value(walk("", value)).expect("only text was changed, and no word that types depend on")
}

fn walk(key: &str, value: Value) -> Value {
    match value {
        // `text` is the one key with many lines: evidence.
        Value::String(text) if key == "text" => Value::String(visible_lines(&text, MAX_LINES, MAX_COLUMNS).join("\n")),
        // Lines of a diff, one each: their indentation counts.
        Value::String(text) if key == "range_diff" => Value::String(visible_lines(&text, 1, MAX_RANGE).join("")),
        Value::String(text) => Value::String(truncate(&visible(&text), MAX_TEXT)),
        Value::Array(values) => Value::Array(values.into_iter().map(|value| walk(key, value)).collect()),
        Value::Object(map) => {
            let walked = map.into_iter().map(|(key, value)| {
                let value = walk(&key, value);
                (key, value)
            });
            Value::Object(walked.collect())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixtures;
    use crate::term::text::is_hostile;
    use crate::words::Evidence;

    #[test]
    fn harmless_text_is_left_alone() {
        let report = fixtures::clean();
        assert_eq!(harmless(&report), report);
    }

    #[test]
    fn nothing_hostile_or_endless_is_left() {
        let mut report = fixtures::findings();
        report.findings[0].summary = "\u{1b}]0;owned\u{7}".repeat(1000);
        report.findings[0].evidence = vec![Evidence {
            what: "console\r\n".into(),
            source: "a\u{202e}b".into(),
            text: format!("{}\n", "\u{1b}[2J".repeat(500)).repeat(500),
        }];
        let json = serde_json::to_string(&harmless(&report)).unwrap();
        let shown: Report = serde_json::from_str(&json).unwrap();
        assert!(!json.chars().any(is_hostile));
        assert!(shown.findings[0].summary.chars().count() <= MAX_TEXT);
        let evidence = &shown.findings[0].evidence[0];
        assert_eq!(evidence.text.lines().count(), MAX_LINES + 1);
        assert_eq!(evidence.text.lines().last(), Some("… 440 more lines"));
        assert_eq!((evidence.what.as_str(), evidence.source.as_str()), ("console", "a<U+202E>b"));
        for line in evidence.text.lines() {
            assert!(line.chars().count() <= MAX_COLUMNS);
        }
    }
}
