//! Reading a file into a type, with every problem named.

use camino::Utf8Path;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use super::check::check;
use super::document::Document;
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
    // What a schema cannot say (a `TryFrom`, a custom deserialiser) still speaks here.
    match serde_path_to_error::deserialize(document.root.to_json()) {
        Ok(value) => Ok((value, document)),
        Err(error) => {
            let steps: Vec<String> = error.path().iter().map(step).collect();
            let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
            Err(document.problem(&steps, error.inner().to_string(), None).into())
        }
    }
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
