//! Two processes at once on one cache and one folder of results.

use std::process::{Child, Stdio};
use std::time::Duration;

use super::checks;
use super::essence;
use super::known::{Known, row};
use super::stage::{Stage, read_json, wait};

fn begin(known: &Known, words: &[&str]) -> (Child, std::path::PathBuf) {
    let said = known.folder().join(format!("said-{}", checks::names(known.folder()).len()));
    let file = std::fs::File::create(&said).unwrap();
    let mut command = known.command(words);
    command.stdout(file.try_clone().unwrap()).stderr(Stdio::from(file));
    (command.spawn().unwrap(), said)
}

/// Two runs of one series, begun together, with results of these kinds to be made.
pub fn two_runs(known: &Known, kinds: &[&str]) {
    known.forget_all(kinds);
    let words = Stage::run_words(&known.series);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let both = [begin(known, &words), begin(known, &words)];
    for (mut child, said) in both {
        let code = wait(&mut child, Duration::from_secs(3600)).expect("it ends").code();
        assert_eq!(code, Some(1), "{}", std::fs::read_to_string(said).unwrap());
    }
    let runs: Vec<_> = checks::names(&known.results())
        .into_iter()
        .filter(|name| known.results().join(name).join("run.json").is_file())
        .collect();
    let runs: Vec<_> = runs.iter().filter(|name| *name != "latest").map(|name| known.results().join(name)).collect();
    assert_eq!(runs.len(), 2);
    let mut made = Vec::new();
    for run in &runs {
        essence::same(&known.report, &read_json(&run.join("report.json")));
        for event in checks::events(run) {
            if event["event"] == "unit-ended" && event["reused"] == false && event["key"].is_string() {
                made.push(event["key"].to_string());
            }
        }
    }
    let count = made.len();
    made.sort();
    made.dedup();
    assert_eq!(made.len(), count, "something was made by both");
    known.is_the_same();
    let fault = format!("two runs at once on one cache and one folder of results, {} to be made", kinds.join(" and "));
    row(&fault, 1, "nothing: the second waits for what the first makes");
}

/// Two processes on one run.
pub fn one_run_twice(known: &Known) {
    known.forget("boots");
    let words = Stage::run_words(&known.series);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (mut first, _) = begin(known, &words);
    while !known.results().join("latest/events.jsonl").exists() {
        assert!(first.try_wait().unwrap().is_none(), "it ended");
        std::thread::sleep(Duration::from_millis(1));
    }
    let second = known.resume();
    assert_eq!(second.code, Some(2), "{}", second.said);
    let saw = second.said.lines().find(|line| line.contains("is being worked on")).expect("it says so").to_owned();
    assert_eq!(wait(&mut first, Duration::from_secs(3600)).expect("it ends").code(), Some(1));
    known.is_the_same();
    row("`resume` of a run that is at work", 1, &saw);
}
