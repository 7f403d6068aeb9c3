//! Reading a file into a type, with every problem named.

use camino::Utf8Path;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use super::check::check;
use super::document::{Document, Entry, Node, Position, Value};
use super::parse::parse;
use super::problem::{ConfigError, Problem};

/// Largest file read, in bytes.
const SIZE_LIMIT: u64 = 1024 * 1024;

/// Reads a YAML file.
///
/// # Errors
/// Every problem of the file: it cannot be read, is not YAML, has unknown, missing or duplicate keys or wrong types.
pub fn load<T: DeserializeOwned + JsonSchema>(file: &Utf8Path) -> Result<T, ConfigError> {
    load_document(file).map(|(value, _)| value)
}

/// Reads a YAML file and keeps its positions for further checks.
///
/// # Errors
/// As [`load`].
pub fn load_document<T: DeserializeOwned + JsonSchema>(file: &Utf8Path) -> Result<(T, Document), ConfigError> {
    parse_document(file, &read(file)?)
}

/// As [`load_document`] for text that was read already; `file` is for messages.
///
/// # Errors
/// As [`load`].
pub fn parse_document<T: DeserializeOwned + JsonSchema>(
    file: &Utf8Path,
    text: &str,
) -> Result<(T, Document), ConfigError> {
    let document = parse(file, text)?;
    let schema = schemars::schema_for!(T);
    ConfigError::unless_empty(check(&document, schema.as_value()))?;
    let values = values(&document, text)?;
    // What a schema cannot say (a `TryFrom`, a custom deserialiser) still speaks here.
    let mut track = serde_path_to_error::Track::new();
    let tracked = serde_path_to_error::Deserializer::new(values, &mut track);
    match serde_yaml::with::singleton_map_recursive::deserialize(tracked) {
        Ok(value) => Ok((value, document)),
        Err(error) => {
            let path = track.path();
            let steps: Vec<String> = path.iter().map(step).collect();
            let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
            Err(document.problem(&steps, error.to_string(), None).into())
        }
    }
}

/// The values of a document as `serde_yaml` reads them. The document knows their places and was checked, so that both
/// must mean the same: a value that YAML 1.1 and 1.2 read in two ways is refused.
fn values(document: &Document, text: &str) -> Result<serde_yaml::Value, ConfigError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let values = serde_yaml::from_str(text).map_err(|error| {
        let place = error.location().map_or((0, 0), |place| (place.line(), place.column()));
        let message = format!("not valid YAML: {error}");
        Problem { file: document.file.clone(), line: place.0, column: place.1, message, hint: None }
    })?;
    ConfigError::unless_empty(disagreements(document, &document.root, document.root.position, &values))?;
    Ok(values)
}

/// Every place at which the two readings differ.
fn disagreements(document: &Document, node: &Node, at: Position, value: &serde_yaml::Value) -> Vec<Problem> {
    use serde_yaml::Value as Yaml;
    let unclear = |at: Position| {
        let message = "YAML can read this as text or as something else";
        vec![document.problem_at(at, message, Some("put it in quotes".to_owned()))]
    };
    match (&node.value, value) {
        (Value::Null, Yaml::Null) => Vec::new(),
        (Value::Bool(one), Yaml::Bool(other)) if one == other => Vec::new(),
        (Value::String(one), Yaml::String(other)) if one == other => Vec::new(),
        (Value::Number(one), Yaml::Number(other)) if same_number(one, other) => Vec::new(),
        (Value::Sequence(items), Yaml::Sequence(others)) if items.len() == others.len() => items
            .iter()
            .zip(others)
            .flat_map(|(item, other)| disagreements(document, item, item.position, other))
            .collect(),
        (Value::Mapping(entries), Yaml::Mapping(others)) if entries.len() == others.len() => {
            let pair = |(entry, (key, other)): (&Entry, (&Yaml, &Yaml))| match key {
                Yaml::String(key) if *key == entry.key => disagreements(document, &entry.node, entry.position, other),
                _ => unclear(entry.position),
            };
            entries.iter().zip(others).flat_map(pair).collect()
        }
        (
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Sequence(_) | Value::Mapping(_),
            _,
        ) => unclear(at),
    }
}

fn same_number(one: &serde_json::Number, other: &serde_yaml::Number) -> bool {
    (one.as_u64(), one.as_i64()) == (other.as_u64(), other.as_i64()) && one.as_f64() == other.as_f64()
}

fn step(segment: &serde_path_to_error::Segment) -> String {
    match segment {
        serde_path_to_error::Segment::Seq { index } => index.to_string(),
        serde_path_to_error::Segment::Map { key } => key.clone(),
        serde_path_to_error::Segment::Enum { variant } => variant.clone(),
        serde_path_to_error::Segment::Unknown => String::new(),
    }
}

fn read(file: &Utf8Path) -> Result<String, ConfigError> {
    let fail = |message: String, hint: &str| ConfigError::from(Problem::of_file(file, message, hint));
    let size = match std::fs::metadata(file) {
        Ok(data) if data.is_dir() => return Err(fail("is a folder, not a file".to_owned(), "name a file inside it")),
        Ok(data) => data.len(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(fail("the file does not exist".to_owned(), "check the name, or write the file"));
        }
        Err(error) => return Err(fail(format!("cannot be read: {error}"), "check its permissions")),
    };
    if size > SIZE_LIMIT {
        return Err(fail(format!("is {size} bytes long"), "a file of this kind may have 1 MiB at most"));
    }
    let bytes =
        std::fs::read(file).map_err(|error| fail(format!("cannot be read: {error}"), "check its permissions"))?;
    String::from_utf8(bytes).map_err(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        Problem {
            file: file.to_owned(),
            line,
            column: 1 + String::from_utf8_lossy(&before[start..]).chars().count(),
            message: "the file is not UTF-8 text".to_owned(),
            hint: Some("save it as UTF-8".to_owned()),
        }
        .into()
    })
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
