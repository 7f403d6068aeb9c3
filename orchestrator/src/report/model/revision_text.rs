//! Revisions as the one word scripts see everywhere in the report: `base`, `patch 3/6`.

use serde::{Deserialize, Deserializer, Serializer, de::Error};

use crate::words::Revision;

/// Write.
pub fn serialize<S: Serializer>(revision: &Revision, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(revision)
}

/// Read.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Revision, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse(&text).ok_or_else(|| D::Error::custom(format!("`{text}` is not a revision (`base`, `patch 3/6`)")))
}

/// The revision a text names, when it names one.
fn parse(text: &str) -> Option<Revision> {
    if text == "base" {
        return Some(Revision::Base);
    }
    let (number, total) = text.strip_prefix("patch ")?.split_once('/')?;
    let (number, total) = (number.parse().ok()?, total.parse().ok()?);
    (1 <= number && number <= total).then_some(Revision::Patch { number, total })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        for revision in [Revision::Base, Revision::Patch { number: 3, total: 6 }] {
            assert_eq!(parse(&revision.to_string()), Some(revision));
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "Base", "patch", "patch 3", "patch 0/6", "patch 7/6", "patch x/6", "patch 1/6 "] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }
}
