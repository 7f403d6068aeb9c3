//! The JSON schemas of all files a user writes.

use schemars::{JsonSchema, Schema};

use crate::build::MatrixFile;
use crate::engine::EnginesFile;
use crate::intake::SourcesFile;
use crate::known::KnownFile;
use crate::moderation::AuthorsFile;
use crate::nightly::NightlyFile;
use crate::post::lists::ListsFile;
use crate::post::places::PlacesFile;
use crate::series::Manifest;
use crate::tree::TreesFile;
use crate::words::{MachineFile, Suite};

/// A kind of file a user writes.
#[derive(Debug, Clone)]
pub struct UserFile {
    /// Name of the kind; its schema is `docs/schemas/<name>.json`.
    pub name: &'static str,
    /// Which files are of this kind.
    pub files: &'static str,
    /// Its schema.
    pub schema: Schema,
}

fn user_file<T: JsonSchema>(name: &'static str, files: &'static str) -> UserFile {
    UserFile { name, files, schema: schemars::schema_for!(T) }
}

/// Every kind of file a user writes. A room with a file of its own adds a line.
pub fn schemas() -> Vec<UserFile> {
    vec![
        user_file::<Manifest>("series", "series/<name>.yaml"),
        user_file::<TreesFile>("trees", "series/trees.yaml"),
        user_file::<SourcesFile>("sources", "series/sources.yaml"),
        user_file::<AuthorsFile>("authors", "series/authors.yaml"),
        user_file::<NightlyFile>("nightly", "series/nightly.yaml"),
        user_file::<KnownFile>("known-issues", "results/known-issues.yaml"),
        user_file::<ListsFile>("lists", "series/lists.yaml"),
        user_file::<PlacesFile>("places", "series/places.yaml"),
        user_file::<MatrixFile>("matrix", "kconfigs/matrix.yaml"),
        user_file::<EnginesFile>("engines", "lab/engines.yaml"),
        user_file::<MachineFile>("machine", "lab/<name>.yaml"),
        user_file::<Suite>("suite", "lab/suites/<name>.yaml"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Folder of the checked-in schemas.
    fn folder() -> camino::Utf8PathBuf {
        camino::Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/schemas")
    }

    #[test]
    fn the_checked_in_schemas_are_current() {
        let update = std::env::var_os("UPDATE_SCHEMAS").is_some();
        let mut stale = Vec::new();
        for file in schemas() {
            let path = folder().join(format!("{}.json", file.name));
            let text = serde_json::to_string_pretty(&file.schema).unwrap() + "\n";
            if update {
                std::fs::create_dir_all(folder()).unwrap();
                std::fs::write(&path, &text).unwrap();
            } else if std::fs::read_to_string(&path).ok().as_deref() != Some(text.as_str()) {
                stale.push(path);
            }
        }
        assert!(
            stale.is_empty(),
            "not current: {stale:?}; regenerate with: UPDATE_SCHEMAS=1 cargo test -p orchestrator --lib config::schemas"
        );
    }
}
