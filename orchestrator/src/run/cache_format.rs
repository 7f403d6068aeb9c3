//! The version of a cache: of the records of builds and boots, the imported trees and whatever else lies there.

use camino::Utf8Path;
use serde_json::{Value, json};

use super::write_atomically;
use crate::words::FormatTrouble;

/// Raised when a program of before can no longer read what is in a cache, or would take it for something else. Caches of
/// before there was a version are of the first.
pub const FORMAT: u32 = 1;

/// Name of the file that says it.
pub const FILE: &str = "format.json";

/// Makes sure that this program may use a cache; one without a version gets it.
///
/// # Errors
/// When another program wrote the cache, or the file that says so is damaged.
pub fn claim(cache: &Utf8Path) -> Result<(), CacheTrouble> {
    let path = cache.join(FILE);
    match fs_err::read_to_string(&path) {
        Ok(text) => {
            let value: Value = serde_json::from_str(&text).unwrap_or_default();
            Ok(FormatTrouble::check(path.as_str(), value["format"].as_u64(), FORMAT)?)
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            // A cache that can only be read may be read.
            let _ = write_atomically(&path, format!("{}\n", json!({ "format": FORMAT })).as_bytes());
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

/// A cache that this program may not use.
#[derive(Debug, thiserror::Error)]
pub enum CacheTrouble {
    /// It is of another version.
    #[error("{0} (another cache: --cache)")]
    Format(#[from] FormatTrouble),
    /// It cannot be read.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cache_of_a_newer_program_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Utf8Path::from_path(folder.path()).unwrap();
        claim(cache).unwrap();
        claim(cache).unwrap();
        let file = cache.join(FILE);
        assert_eq!(fs_err::read_to_string(&file).unwrap(), "{\"format\":1}\n");
        for (text, words) in [("{\"format\":2}", "a newer orchestrator"), ("{", "does not say its format")] {
            fs_err::write(&file, text).unwrap();
            let error = claim(cache).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
            assert_eq!(fs_err::read_to_string(&file).unwrap(), text, "nothing is overwritten");
        }
    }
}
