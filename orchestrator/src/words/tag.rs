//! Tags: what a machine has, and what a suite or a kconfig needs.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

/// Keys and values: what a machine has, or what is needed of one.
pub type Tags = BTreeMap<String, String>;

/// A tag's value as a person writes it: `xe`, `16g`, `2`, `true`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum TagValue {
    /// One or several words, separated by spaces or commas.
    Text(String),
    /// A whole number.
    Number(u64),
    /// True or false, which are words like others.
    Flag(bool),
}

impl From<TagValue> for String {
    fn from(value: TagValue) -> String {
        match value {
            TagValue::Text(text) => text,
            TagValue::Number(number) => number.to_string(),
            TagValue::Flag(flag) => flag.to_string(),
        }
    }
}

/// Reads tags whose values may be words or numbers.
///
/// # Errors
/// Those of the deserializer.
pub fn tags<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Tags, D::Error> {
    let values = BTreeMap::<String, TagValue>::deserialize(deserializer)?;
    Ok(values.into_iter().map(|(key, value)| (key, value.into())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct File {
        #[serde(deserialize_with = "tags")]
        #[schemars(with = "BTreeMap<String, TagValue>")]
        needs: Tags,
    }

    fn read(text: &str) -> Result<Tags, String> {
        let read = crate::config::parse_document::<File>("f.yaml".into(), text);
        read.map(|(file, _)| file.needs).map_err(|error| error.to_string())
    }

    #[test]
    fn values_are_words_and_numbers() {
        let needs = read("needs: {hmm: svm, numa: 2, vram: 16g, kvm: true, gpu: 'xe, amd'}\n").unwrap();
        let values: Vec<&str> = needs.values().map(String::as_str).collect();
        assert_eq!(values, ["xe, amd", "svm", "true", "2", "16g"]);
    }

    #[test]
    fn lists_and_broken_numbers_are_refused_with_their_line() {
        for bad in ["[xe, amd]", "1.5", "-1", "{a: b}"] {
            let error = read(&format!("needs:\n  gpu: {bad}\n")).unwrap_err();
            assert!(error.contains("f.yaml:2:"), "{error}");
        }
    }
}
