//! The clock jumps, by days and years, forth and back.

use super::known::{Known, row};
use super::stage::{Stage, finish};

const LIBRARY: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";

/// Runs that are begun, and gone on with, under other clocks; and one in which the clock jumps.
pub fn jumps(known: &Known) {
    if !std::path::Path::new(LIBRARY).exists() {
        println!("left out: libfaketime is not installed (`make deps-test`)");
        return;
    }
    let file = known.folder().join("time");
    let call = |words: &[String], at: &str| {
        std::fs::write(&file, at).unwrap();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let mut command = known.command(&words);
        command
            .env("LD_PRELOAD", LIBRARY)
            .env("FAKETIME_TIMESTAMP_FILE", &file)
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        command
    };
    let begin = Stage::run_words(&known.series);
    let resume = ["resume", "latest"].map(str::to_owned).to_vec();
    let mut tries = 0;
    for (first, second) in [("+400d", "-400d"), ("-4000d", "+0d"), ("+0d", "-10y")] {
        known.forget("boots");
        for (words, at) in [(&begin, first), (&resume, second)] {
            let ended = finish(call(words, at));
            assert_eq!(ended.code, Some(1), "{at}: {}", ended.said);
            known.is_the_same();
            let wall = known.report()["timing"]["wall_ms"].as_u64().unwrap();
            assert!(wall < 3_600_000, "{wall} ms");
            tries += 1;
        }
    }
    // While it is at work.
    known.forget("boots");
    let mut command = call(&begin, "+0d");
    command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    let mut child = command.spawn().unwrap();
    let mut jumps = 0;
    while child.try_wait().unwrap().is_none() {
        std::fs::write(&file, ["+300d", "-300d", "+0d"][jumps % 3]).unwrap();
        jumps += 1;
        std::thread::sleep(std::time::Duration::from_millis(300));
    }
    assert_eq!(child.wait().unwrap().code(), Some(1));
    assert!(jumps > 3, "the clock jumped {jumps} times");
    known.is_the_same();
    row("clock set forth and back by years, between and while runs", tries + jumps, "nothing; times in the log jump");
}
