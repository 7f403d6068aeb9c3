//! LAVA's log: YAML, one line per message.

use serde::Deserialize;

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Entry {
    /// A line of the device's console.
    Console(String),
    /// LAVA's last word on the job.
    Verdict {
        /// `pass` or `fail`.
        result: String,
        /// `Infrastructure`, `Job`, `Test`, `Bug`, `Configuration`, `Canceled`; empty after a pass.
        kind: String,
        /// Its words.
        message: String,
    },
    /// An error that LAVA logs.
    Error(String),
    /// Anything else.
    Other,
}

#[derive(Deserialize)]
struct Line {
    lvl: String,
    msg: serde_yaml::Value,
}

/// Reads one line of the log.
///
/// # Errors
/// One sentence, when it is no line of LAVA's.
pub(super) fn entry(line: &str) -> Result<Entry, String> {
    let text = line.strip_prefix("- ").ok_or_else(|| format!("no message: {}", excerpt(line)))?;
    let Line { lvl, msg } = serde_yaml::from_str(text).map_err(|error| {
        // The error may repeat a text of any length.
        format!("{}: {}", error.to_string().chars().take(200).collect::<String>(), excerpt(line))
    })?;
    Ok(match (lvl.as_str(), msg) {
        ("target" | "feedback", serde_yaml::Value::String(text)) => Entry::Console(console(&text)),
        ("results", serde_yaml::Value::Mapping(map)) => {
            let word = |key: &str| map.get(key).and_then(serde_yaml::Value::as_str).unwrap_or_default().to_owned();
            match (word("definition").as_str(), word("case").as_str()) {
                ("lava", "job") => {
                    Entry::Verdict { result: word("result"), kind: word("error_type"), message: word("error_msg") }
                }
                _ => Entry::Other,
            }
        }
        ("error" | "exception", serde_yaml::Value::String(text)) => Entry::Error(text),
        (_, _) => Entry::Other,
    })
}

/// A line as the device printed it: LAVA puts a backslash before each quote.
fn console(text: &str) -> String {
    text.replace("\\\"", "\"").replace('\r', "")
}

fn excerpt(line: &str) -> String {
    format!("{:?}", line.chars().take(80).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_log_are_read() {
        let cases = [
            (
                r#"- {"dt": "2026-04-01T10:00:01.000001", "lvl": "target", "msg": "[    1.000000] say \\\"hi\\\" \x1b"}"#,
                Entry::Console("[    1.000000] say \"hi\" \u{1b}".into()),
            ),
            (r#"- {"dt": "x", "lvl": "target", "msg": ""}"#, Entry::Console(String::new())),
            (r#"- {"dt": "x", "lvl": "info", "msg": "start: 1 deployimages"}"#, Entry::Other),
            (
                r#"- {"dt": "x", "lvl": "results", "msg": {"case": "job", "definition": "lava", "error_msg": "no http", "error_type": "Infrastructure", "result": "fail"}}"#,
                Entry::Verdict { result: "fail".into(), kind: "Infrastructure".into(), message: "no http".into() },
            ),
            (
                r#"- {"dt": "x", "lvl": "results", "msg": {"case": "login-action", "definition": "lava", "result": "pass"}}"#,
                Entry::Other,
            ),
            (r#"- {"dt": "x", "lvl": "error", "msg": "bad"}"#, Entry::Error("bad".into())),
        ];
        for (line, expected) in cases {
            assert_eq!(entry(line).unwrap(), expected, "{line}");
        }
    }

    #[test]
    fn what_is_no_line_of_a_log_is_said() {
        for line in ["", "<html>", "- {\"dt\": \"x\", \"lvl\": \"tar", "- {}"] {
            assert!(entry(line).is_err(), "{line}");
        }
    }
}
