//! What another version of the program left.

use super::known::{Known, line_with, row};

/// Runs, reports, indexes and results of other versions.
pub fn stores(known: &Known) {
    known.fresh_results();
    known.again();
    let run = known.latest();
    let text = std::fs::read_to_string(run.join("run.json")).unwrap();
    let mut saw = String::new();
    for format in ["0", "99"] {
        std::fs::write(run.join("run.json"), text.replacen("\"format\": 1", &format!("\"format\": {format}"), 1))
            .unwrap();
        let ended = known.resume();
        assert_eq!(ended.code, Some(64), "{}", ended.said);
        saw = line_with(&ended, "its format is");
        // The others of the folder can still be listed.
        let list = known.call(&["list"]);
        assert_eq!(list.code, Some(0), "{}", list.said);
    }
    std::fs::write(run.join("run.json"), &text).unwrap();
    row("run of another version", 2, &saw);
    let report = std::fs::read_to_string(run.join("report.json")).unwrap();
    std::fs::write(run.join("report.json"), report.replacen("orchestrator-report/1", "orchestrator-report/0", 1))
        .unwrap();
    let show = known.call(&["show", "latest"]);
    assert_eq!(show.code, Some(2), "{}", show.said);
    row("report of another version", 1, &line_with(&show, "orchestrator-report"));
    let index = rusqlite::Connection::open(known.results().join("index.sqlite")).unwrap();
    index.pragma_update(None, "user_version", 99).unwrap();
    index.execute_batch("DROP TABLE findings; ALTER TABLE runs RENAME TO other").unwrap();
    drop(index);
    let list = known.call(&["list"]);
    assert_eq!(list.code, Some(0), "{}", list.said);
    assert!(list.said.contains(run.file_name().unwrap().to_str().unwrap()), "{}", list.said);
    row("index of another version", 1, "nothing: it is made anew");
    // Events of a newer version between those that are known.
    let log = run.join("events.jsonl");
    let events = std::fs::read_to_string(&log).unwrap();
    std::fs::write(&log, format!("{{\"at\":1,\"event\":\"of-the-future\",\"x\":1}}\n{events}")).unwrap();
    let ended = known.resume();
    assert_eq!(ended.code, Some(1), "{}", ended.said);
    known.is_the_same();
    // Results whose records lack what this version wants, and those without hashes.
    let mut tries = 1;
    for kind in ["boots", "builds"] {
        let folder = known.results_of(kind)[0].clone();
        let record = folder.join("record.json");
        let text = std::fs::read_to_string(&record).unwrap();
        let first = text.lines().nth(1).unwrap().to_owned();
        for seal in ["record.json.b3", "sums.json"] {
            let _ = std::fs::remove_file(folder.join(seal));
        }
        known.fresh_results();
        let ended = known.again();
        assert_eq!(ended.code, Some(1), "{}", ended.said);
        known.is_the_same();
        assert_eq!(std::fs::read_to_string(&record).unwrap(), text, "an older result without hashes is used");
        std::fs::write(&record, text.replacen(&first, "", 1)).unwrap();
        known.fresh_results();
        let ended = known.again();
        assert_eq!(ended.code, Some(1), "{}", ended.said);
        known.is_the_same();
        tries += 2;
    }
    row("results and events of other versions", tries, "nothing: what cannot be read is made again");
}
