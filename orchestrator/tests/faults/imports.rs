//! Kills the program while it imports the source of a real kernel.

use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;

use super::checks;
use super::kills::Dice;
use super::known::row;
use super::series;
use super::stage::{Stage, read_json, wait};

/// Kills an import so often, then lets it end and compares the tree with that of the cache.
pub fn killed(count: usize, seed: u64) {
    let expected = Stage::warm();
    let expected: Value = read_json(&expected.cache.join("trees/linux-6.12.git/imported.json"));
    let guard = tempfile::Builder::new().prefix("import-").tempdir_in(super::stage::fault_cache()).unwrap();
    let stage = Stage::in_cache(guard.path());
    let series = stage.series(series::WARM_UP);
    let words = Stage::run_words(&series);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut dice = Dice::new(seed);
    let begin = || {
        let mut command = stage.command(&words);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().unwrap()
    };
    for _ in 0..count {
        let mut child = begin();
        let early = wait(&mut child, Duration::from_millis(200 + dice.below(20_000)));
        assert!(early.is_none(), "it ended");
        child.kill().unwrap();
        child.wait().unwrap();
        checks::nothing_is_left(&stage);
    }
    let imported = stage.cache.join("trees/linux-6.12.git/imported.json");
    let mut child = begin();
    while !imported.exists() {
        assert!(child.try_wait().unwrap().is_none(), "it ended before the tree was there");
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    checks::nothing_is_left(&stage);
    let found: Value = read_json(&imported);
    assert_eq!((&found["commit"], &found["tree"]), (&expected["commit"], &expected["tree"]));
    assert!(!stage.cache.join("trees/linux-6.12.tmp").join("download").exists());
    row("`kill -9` while the kernel's source is imported", count + 1, "nothing: the same commit");
}
