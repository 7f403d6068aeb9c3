//! What a report says, without what differs between two runs of the same thing.

use serde_json::Value;

/// Fields that tell of time, place or ids, or of which process did a thing.
const APART: [&str; 11] = [
    // Trouble of ours is tried again.
    "attempt",
    "wall_ms",
    "cpu_ms",
    "children_cpu_ms",
    "timing",
    "run",
    "replay",
    "commit",
    "reused",
    "metric_history",
    "reproduce",
];

/// The report with everything left out or made equal that may differ.
pub fn essence(report: &Value) -> Value {
    match report {
        Value::Object(fields) => {
            let kept = fields.iter().filter(|(name, _)| !APART.contains(&name.as_str()));
            Value::Object(kept.map(|(name, value)| (name.clone(), of_field(name, value))).collect())
        }
        Value::Array(values) => Value::Array(values.iter().map(essence).collect()),
        Value::String(text) => Value::String(plain(text)),
        other => other.clone(),
    }
}

/// What a guest's test says on two channels comes in any order: the lines of evidence are sorted.
fn of_field(name: &str, value: &Value) -> Value {
    match value {
        Value::String(text) if name == "text" => {
            let text = plain(text);
            let mut lines: Vec<&str> = text.lines().collect();
            lines.sort_unstable();
            Value::String(lines.join("\n"))
        }
        other => essence(other),
    }
}

/// A text with ids, marks and times of the kernel made equal: eight or more hexadecimal digits, and `[    1.234567]`.
fn plain(text: &str) -> String {
    let mut out = String::new();
    let mut word = String::new();
    let flush = |word: &mut String, out: &mut String| {
        let id = word.len() >= 8 && word.chars().all(|c| c.is_ascii_hexdigit());
        out.push_str(if id { "ID" } else { word });
        word.clear();
    };
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        if c.is_ascii_alphanumeric() {
            word.push(c);
            continue;
        }
        flush(&mut word, &mut out);
        if c == '['
            && let Some((stamp, after)) = rest.split_once(']')
            && stamp.trim().parse::<f64>().is_ok()
        {
            out.push_str("[TIME]");
            rest = after;
            continue;
        }
        out.push(c);
    }
    flush(&mut word, &mut out);
    out
}

/// Asserts that two reports say the same.
pub fn same(expected: &Value, found: &Value) {
    let (expected, found) = (essence(expected), essence(found));
    if expected != found {
        let differences = differences(&expected, &found, "report");
        panic!("the reports differ:\n{}", differences.join("\n"));
    }
}

fn differences(one: &Value, two: &Value, at: &str) -> Vec<String> {
    match (one, two) {
        (Value::Object(a), Value::Object(b)) => {
            let names: std::collections::BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            let of =
                |fields: &serde_json::Map<String, Value>, name: &str| fields.get(name).cloned().unwrap_or(Value::Null);
            names
                .into_iter()
                .flat_map(|name| differences(&of(a, name), &of(b, name), &format!("{at}.{name}")))
                .collect()
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            let pairs = a.iter().zip(b).enumerate();
            pairs.flat_map(|(index, (x, y))| differences(x, y, &format!("{at}[{index}]"))).collect()
        }
        (a, b) if a == b => Vec::new(),
        (a, b) => vec![format!("{at}: {a} became {b}")],
    }
}

#[test]
fn only_ids_and_times_are_made_equal() {
    assert_eq!(plain("[    1.234567] trial 00c0ffee ended at 12 in deadbeefcafe"), "[TIME] trial ID ended at 12 in ID");
    assert_eq!(plain("[PATCH 1/2] face"), "[PATCH 1/2] face");
    let one = serde_json::json!({"wall_ms": 1, "a": [{"b": "x"}]});
    let two = serde_json::json!({"wall_ms": 2, "a": [{"b": "y"}]});
    assert_eq!(differences(&essence(&one), &essence(&two), "r"), ["r.a[0].b: \"x\" became \"y\""]);
}
