//! The tree that planted series go on, in the cache of the program under test: the user's, so that trees and builds are
//! shared between the tests.

use std::path::{Path, PathBuf};

use serde_json::Value;

/// That cache.
pub fn cache() -> PathBuf {
    let named = ["ORCHESTRATOR_CACHE", "XDG_CACHE_HOME"].map(|name| std::env::var(name).ok());
    match named {
        [Some(cache), _] => cache.into(),
        [None, Some(cache)] => Path::new(&cache).join("orchestrator"),
        [None, None] => Path::new(&std::env::var("HOME").unwrap()).join(".cache/orchestrator"),
    }
}

/// A file of the base of tree linux-6.12, which must have been imported.
pub fn source(path: &str) -> String {
    let trees = cache().join("trees");
    let imported = std::fs::read(trees.join("linux-6.12.git/imported.json")).expect("tree linux-6.12 was imported");
    let imported: Value = serde_json::from_slice(&imported).unwrap();
    let repository = git2::Repository::open_bare(trees.join("linux-6.12.git")).unwrap();
    let base = git2::Oid::from_str(imported["commit"].as_str().unwrap()).unwrap();
    let base = repository.find_commit(base).unwrap().tree().unwrap();
    let blob = base.get_path(Path::new(path)).unwrap().to_object(&repository).unwrap().peel_to_blob().unwrap();
    String::from_utf8(blob.content().to_vec()).unwrap()
}
