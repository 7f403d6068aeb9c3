//! Files that are damaged: cut off, with flipped bits, empty, gone.

use std::path::{Path, PathBuf};

use super::checks;
use super::known::{Known, line_with, row};

/// How a file is damaged.
#[derive(Debug, Clone, Copy)]
enum Harm {
    Cut,
    Empty,
    Flip,
    Gone,
}

fn harm(file: &Path, how: Harm) {
    let bytes = std::fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    // Logs are hard links in run folders: only this name is damaged.
    std::fs::remove_file(file).unwrap();
    let middle = bytes.len() / 2;
    match how {
        Harm::Cut => std::fs::write(file, &bytes[..middle]).unwrap(),
        Harm::Empty => std::fs::write(file, "").unwrap(),
        Harm::Flip => {
            let mut bytes = bytes;
            // Bits that keep a text a text, so that it may still be read.
            bytes[middle] ^= 1;
            std::fs::write(file, bytes).unwrap();
        }
        Harm::Gone => {}
    }
}

const ALL: [Harm; 4] = [Harm::Cut, Harm::Empty, Harm::Flip, Harm::Gone];

/// Runs until the result is there; every run but the last says that it has none, and why.
fn heals(known: &Known, what: &str) -> String {
    let mut saw = "nothing".to_owned();
    let mut ended = known.again();
    if ended.code == Some(2) {
        saw = line_with(&ended, "damaged");
        ended = known.resume();
    }
    assert_eq!(ended.code, Some(1), "{what}: {}", ended.said);
    known.is_the_same();
    saw
}

/// Records and files of boots.
pub fn boots(known: &Known) {
    let mut tries = 0;
    for how in ALL {
        known.fresh_results();
        known.again();
        harm(&known.results_of("boots")[0].join("record.json"), how);
        known.fresh_results();
        heals(known, &format!("record of a boot {how:?}"));
        tries += 1;
    }
    known.fresh_results();
    known.again();
    harm(&known.results_of("boots")[0].join("record.json.b3"), Harm::Flip);
    known.fresh_results();
    heals(known, "seal of a boot");
    row("record of a boot cut off, emptied, flipped, gone", tries + 1, "nothing: it is booted again");
}

/// The small files in which the cache remembers things.
pub fn notes_of_the_cache(known: &Known) {
    let mut tries = 0;
    // Each is asked for when something of this kind is made.
    for (file, kind) in [("host.json", "boots"), ("work/linux-6.12/src.state", "builds")] {
        for how in ALL {
            known.forget(kind);
            harm(&known.cache.join(file), how);
            heals(known, &format!("{file} {how:?}"));
            assert!(known.cache.join(file).metadata().is_ok_and(|data| data.len() > 0), "{file} was made anew");
            tries += 1;
        }
    }
    row("host.json and the worktree's state damaged", tries, "nothing: they are made anew");
}

/// Everything a boot takes from a build.
pub fn builds(known: &Known) {
    known.fresh_results();
    known.again();
    let build = last_build(known);
    let selftest = checks::names(&build.join("selftests"));
    let selftest = selftest.iter().find(|name| name.contains("hmm")).expect("there is a selftest");
    let files = ["vmlinux".to_owned(), "config".to_owned(), format!("selftests/{selftest}"), "sums.json".to_owned()];
    let mut tries = 0;
    let mut saw = String::new();
    for (file, how) in files.iter().zip([Harm::Flip, Harm::Gone, Harm::Cut, Harm::Empty]) {
        known.forget("boots");
        harm(&build.join(file), how);
        let said = heals(known, &format!("{file} {how:?}"));
        if said.contains("vmlinux") {
            saw = said;
        }
        tries += 1;
    }
    assert!(saw.contains("orchestrator resume"), "{saw}");
    for how in ALL {
        known.fresh_results();
        harm(&build.join("record.json"), how);
        heals(known, &format!("record of a build {how:?}"));
        tries += 1;
    }
    row("files of a build cut off, emptied, flipped, gone", tries, &saw);
}

/// The build of the tip.
fn last_build(known: &Known) -> PathBuf {
    let events = checks::events(&known.latest());
    let is_tip = |event: &&serde_json::Value| {
        event["event"] == "unit-ended" && event["unit"].as_str().unwrap_or_default() == super::kills::TIP
    };
    let key = events.iter().find(is_tip).expect("the tip was built")["key"].as_str().unwrap().to_owned();
    known.cache.join("builds").join(key)
}

/// The files of a run.
pub fn runs(known: &Known) {
    let mut tries = 0;
    known.fresh_results();
    known.again();
    let run = known.latest();
    for how in ALL {
        harm(&run.join("events.jsonl"), how);
        let ended = known.resume();
        assert_eq!(ended.code, Some(1), "{}", ended.said);
        known.is_the_same();
        harm(&run.join("report.json"), how);
        let show = known.call(&["show", "latest"]);
        assert_eq!(show.code, Some(2), "{}", show.said);
        line_with(&show, "report");
        let ended = known.resume();
        assert_eq!(ended.code, Some(1), "{}", ended.said);
        known.is_the_same();
        let index = known.results().join("index.sqlite");
        harm(&index, how);
        let list = known.call(&["list"]);
        assert_eq!(list.code, Some(0), "{}", list.said);
        assert!(list.said.contains(run.file_name().unwrap().to_str().unwrap()), "{}", list.said);
        tries += 3;
    }
    row("event log, report, index damaged", tries, "nothing, or the name of the report and `resume`");
    let text = std::fs::read(run.join("run.json")).unwrap();
    let mut saw = String::new();
    for how in [Harm::Cut, Harm::Empty, Harm::Gone] {
        harm(&run.join("run.json"), how);
        let ended = known.resume();
        assert_eq!(ended.code, Some(64), "{}", ended.said);
        saw = line_with(&ended, "run.json");
        std::fs::write(run.join("run.json"), &text).unwrap();
    }
    row("run.json damaged", 3, &saw);
    let ended = known.resume();
    assert_eq!(ended.code, Some(1), "{}", ended.said);
    known.is_the_same();
}
