//! `debug.log` in the folder of a run: what the program did, for those who have to find out why.
//!
//! Spans are units; in them stand the processes that were started, with their replay line, how they ended and what
//! they cost, and the keys that were looked up. Nothing of it goes to the terminal, and nothing reads it.

use std::io::Write;
use std::sync::Mutex;

use camino::Utf8Path;
use tracing::Subscriber;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::FmtSpan;
use tracing_subscriber::layer::SubscriberExt;

/// Name of the file.
pub const FILE: &str = "debug.log";

/// The log ends at this size, in bytes. A full nightly run writes far less.
const LIMIT: u64 = 32 * 1024 * 1024;

const FULL: &[u8] = b"the log is full; what follows is not in it\n";

/// Writes the log of this process from now on to `folder`; `filter` says of what. A resumed run goes on in the same
/// file.
///
/// # Errors
/// When the file cannot be opened, or another log was begun in this process.
pub fn start(folder: &Utf8Path, filter: Targets) -> std::io::Result<()> {
    let subscriber = subscriber(Bounded::open(&folder.join(FILE), LIMIT)?, filter);
    tracing::subscriber::set_global_default(subscriber).map_err(std::io::Error::other)
}

fn subscriber(file: Bounded, filter: Targets) -> impl Subscriber + Send + Sync {
    let lines = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_span_events(FmtSpan::NEW | FmtSpan::CLOSE)
        .with_writer(Mutex::new(file));
    tracing_subscriber::registry().with(filter).with(lines)
}

/// A file that grows to a limit and no further.
struct Bounded {
    file: fs_err::File,
    left: u64,
}

impl Bounded {
    fn open(path: &Utf8Path, limit: u64) -> std::io::Result<Bounded> {
        let file = fs_err::OpenOptions::new().create(true).append(true).open(path)?;
        let left = limit.saturating_sub(file.metadata()?.len());
        Ok(Bounded { file, left })
    }
}

impl Write for Bounded {
    /// Takes every line; what is too much is dropped, so that a full log stops nobody.
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        let size = line.len() as u64;
        if size <= self.left {
            self.file.write_all(line)?;
            self.left -= size;
        } else if self.left > 0 {
            self.left = 0;
            self.file.write_all(FULL)?;
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use camino::Utf8PathBuf;
    use tracing::Instrument;

    use super::*;
    use crate::process::Command;

    fn folder() -> (tempfile::TempDir, Utf8PathBuf) {
        let guard = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::from_path_buf(guard.path().to_owned()).unwrap();
        (guard, path)
    }

    fn log(path: &Utf8Path, limit: u64, filter: &str) -> tracing::subscriber::DefaultGuard {
        let file = Bounded::open(&path.join(FILE), limit).unwrap();
        tracing::subscriber::set_default(subscriber(file, filter.parse().unwrap()))
    }

    #[tokio::test]
    async fn a_process_stands_in_the_unit_that_started_it() {
        let (_guard, path) = folder();
        let log = log(&path, LIMIT, "debug");
        let command = Command::new("sh", "/").args(["-c", "exit 3"]).env("u", "https://me:secret@host/");
        let never = tokio_util::sync::CancellationToken::new();
        let unit = tracing::debug_span!("unit", name = "build/t/base/hmm");
        command.run(&never, |_, _| ()).instrument(unit).await.unwrap();
        drop(log);
        let text = fs_err::read_to_string(path.join(FILE)).unwrap();
        let line = |word: &str| {
            let mut lines = text.lines().filter(|line| line.contains(word));
            lines.next().unwrap_or_else(|| panic!("no {word} in {text}")).to_owned()
        };
        assert!(line("process started").contains("build/t/base/hmm"), "{text}");
        assert!(line("process started").contains("sh -c 'exit 3'"), "{text}");
        assert!(line("process ended").contains("Code(3)") && line("process ended").contains("cpu_ms="), "{text}");
        assert!(line("close").contains("build/t/base/hmm"), "{text}");
        assert!(text.contains("https://***@host/") && !text.contains("secret"), "{text}");
        assert!(!text.contains('\u{1b}'), "no colours in a file");
    }

    #[test]
    fn a_full_log_says_so_once_and_stops_nobody() {
        let (_guard, path) = folder();
        for _ in 0..2 {
            let _log = log(&path, 2000, "debug");
            for count in 0..100 {
                tracing::debug!(count, "something happened");
            }
        }
        let text = fs_err::read_to_string(path.join(FILE)).unwrap();
        assert!(text.len() < 2000 + 2 * FULL.len() && text.contains("something happened"));
        assert_eq!(text.matches("the log is full").count(), 1, "{text}");
    }

    #[test]
    fn the_filter_says_what_is_written() {
        let (_guard, path) = folder();
        let log = log(&path, LIMIT, "warn,orchestrator::run=debug");
        tracing::debug!("of this room");
        tracing::debug!(target: "orchestrator::process", "of another");
        drop(log);
        let text = fs_err::read_to_string(path.join(FILE)).unwrap();
        assert!(text.contains("of this room") && !text.contains("of another"), "{text}");
    }
}
