//! Tests of the debug log.

use camino::Utf8PathBuf;
use tracing::Instrument;

use super::super::debug_line::{DebugLine, read};
use super::*;
use crate::process::Command;

fn folder() -> (tempfile::TempDir, Utf8PathBuf) {
    let guard = tempfile::tempdir().unwrap();
    let path = Utf8PathBuf::from_path_buf(guard.path().to_owned()).unwrap();
    (guard, path)
}

fn log(path: &Utf8Path, limit: u64, filter: &str) -> tracing::subscriber::DefaultGuard {
    // Where there is only one subscriber, the library asks the one of the thread that comes to a place first whether
    // anybody cares for that place. Another test's thread has none, and would answer for this one.
    static SECOND: std::sync::OnceLock<tracing::Dispatch> = std::sync::OnceLock::new();
    SECOND.get_or_init(|| tracing::Dispatch::new(tracing_subscriber::registry()));
    let file = Bounded::open(path, limit).unwrap();
    tracing::subscriber::set_default(subscriber(file, filter.parse().unwrap()))
}

fn saying<'a>(lines: &'a [DebugLine], message: &str) -> &'a DebugLine {
    lines.iter().find(|line| line.message == message).unwrap_or_else(|| panic!("no {message} in {lines:?}"))
}

#[tokio::test]
async fn a_process_stands_in_the_unit_that_started_it() {
    let (_guard, path) = folder();
    let log = log(&path, LIMIT, "debug");
    let output = path.join("out.log");
    let command = Command::new("sh", "/").args(["-c", "exit 3"]).env("u", "https://me:secret@host/").log(&output);
    let command = command.deadline(std::time::Duration::from_secs(60));
    let never = tokio_util::sync::CancellationToken::new();
    let unit = tracing::debug_span!("unit", name = "build/t/base/hmm");
    command.run(&never, |_, _| ()).instrument(unit).await.unwrap();
    drop(log);
    let lines = read(&path).unwrap();
    let (started, ended) = (saying(&lines, "process started"), saying(&lines, "process ended"));
    for line in [started, ended, saying(&lines, "unit begins"), saying(&lines, "unit ends")] {
        assert_eq!(line.unit.as_deref(), Some("build/t/base/hmm"), "{line:?}");
        assert_eq!(line.process, std::process::id());
    }
    assert!(started.text("command").unwrap().contains("sh -c 'exit 3'"), "{started:?}");
    assert_eq!((started.number("deadline_ms"), started.text("log")), (Some(60_000), Some(output.as_str())));
    assert_eq!(started.number("pid"), ended.number("pid"));
    assert!(started.number("pid").is_some() && ended.number("cpu_ms").is_some());
    assert_eq!(ended.text("end"), Some("Code(3)"));
    assert_eq!((started.room.as_str(), started.level.as_str()), ("process::command", "debug"));
}

#[tokio::test]
async fn no_secret_is_written_wherever_it_stands() {
    let (_guard, path) = folder();
    let log = log(&path, LIMIT, "debug");
    let command = Command::new("true", "/").env("u", "https://me:hush1@host/").arg("--password=hush2");
    let unit = tracing::debug_span!("unit", name = "https://me:hush3@host/");
    command.run(&tokio_util::sync::CancellationToken::new(), |_, _| ()).instrument(unit).await.unwrap();
    tracing::info!(header = "Authorization: Bearer hush4", "asked with token=hush5");
    let error = std::io::Error::other("https://me:hush6@host/ refused");
    tracing::warn!(%error, ?error, "failed");
    drop(log);
    let text = fs_err::read_to_string(path.join(FILE)).unwrap();
    assert!(!text.contains("hush"), "{text}");
    assert_eq!(text.matches("***").count(), 9, "{text}");
}

#[test]
fn a_full_log_keeps_its_newest_lines_and_stops_nobody() {
    let (_guard, path) = folder();
    for _ in 0..2 {
        let _log = log(&path, 2000, "debug");
        for count in 0..100 {
            tracing::debug!(count, "something happened");
        }
    }
    let size = |name: &str| fs_err::metadata(path.join(name)).unwrap().len();
    assert!(size(FILE) <= 2000 && size(OLDER) <= 2000, "{} {}", size(FILE), size(OLDER));
    let counts: Vec<u64> = read(&path).unwrap().iter().filter_map(|line| line.number("count")).collect();
    assert_eq!(counts.last(), Some(&99));
    assert!(counts.len() > 10 && counts.windows(2).all(|pair| pair[1] == pair[0] + 1), "{counts:?}");
}

#[test]
fn a_long_text_is_cut() {
    let (_guard, path) = folder();
    let log = log(&path, LIMIT, "debug");
    tracing::debug!("{}", "ä".repeat(TEXT_LIMIT));
    drop(log);
    let message = &read(&path).unwrap()[0].message;
    assert!(message.len() < TEXT_LIMIT + 30 && message.ends_with(&format!("[{TEXT_LIMIT} more bytes]")));
}

#[test]
fn a_line_that_a_crash_cut_off_spoils_no_other() {
    let (_guard, path) = folder();
    fs_err::write(path.join(FILE), "{\"at\":1,").unwrap();
    let log = log(&path, LIMIT, "debug");
    tracing::debug!("goes on");
    drop(log);
    assert_eq!(read(&path).unwrap().len(), 1);
}

#[test]
fn the_filter_says_what_is_written() {
    let (_guard, path) = folder();
    let log = log(&path, LIMIT, "warn,orchestrator::run=debug");
    tracing::debug!("of this room");
    tracing::debug!(target: "orchestrator::process", "of another");
    drop(log);
    let lines = read(&path).unwrap();
    assert_eq!(lines.iter().map(|line| line.message.as_str()).collect::<Vec<_>>(), ["of this room"]);
}
