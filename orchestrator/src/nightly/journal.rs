//! `results/nightly/events.jsonl`: what happened in every night, append-only. All else is derived from it.

use std::io::Write;

use camino::{Utf8Path, Utf8PathBuf};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::words::NightEvent;
use crate::words::FormatTrouble;

/// Name of the file in [`folder`].
const NAME: &str = "events.jsonl";

/// The largest journal that is read, in bytes: some ten thousand nights.
const LIMIT: u64 = 256 * 1024 * 1024;

/// Where the nightly run keeps its own files: `results/nightly`.
pub fn folder(results: &Utf8Path) -> Utf8PathBuf {
    results.join("nightly")
}

/// Where what one night left lies: `results/nightly/2026-01-31`.
pub fn night_folder(results: &Utf8Path, night: &str) -> Utf8PathBuf {
    folder(results).join(night)
}

/// Where events of a night go.
pub trait Journal: Send {
    /// Keeps an event. When this returns, it survives the end of the process.
    ///
    /// # Errors
    /// When it could not be kept: the night ends.
    fn append(&mut self, at: Timestamp, event: &NightEvent) -> std::io::Result<()>;
}

/// Version of the lines. The first lines ever written do not say it.
pub(super) const FORMAT: u32 = 1;

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Line {
    /// Version of this line.
    #[serde(default = "first")]
    format: u32,
    /// When, RFC 3339.
    at: Timestamp,
    #[serde(flatten)]
    event: NightEvent,
}

fn first() -> u32 {
    1
}

impl Line {
    pub(super) fn new(at: Timestamp, event: &NightEvent) -> Line {
        Line { format: FORMAT, at, event: event.clone() }
    }
}

/// As much of a line as every version has.
#[derive(Deserialize)]
struct Version {
    format: Option<u64>,
}

/// The journal on disk.
#[derive(Debug)]
pub struct FileJournal {
    file: fs_err::File,
}

impl FileJournal {
    /// Opens the journal below `results` for appending. A last line that a crash cut off is ended, so that it spoils
    /// no other.
    ///
    /// # Errors
    /// When it cannot be read or written.
    pub fn open(results: &Utf8Path) -> std::io::Result<FileJournal> {
        let folder = folder(results);
        fs_err::create_dir_all(&folder)?;
        let path = folder.join(NAME);
        let cut = match fs_err::read(&path) {
            Ok(bytes) => bytes.last().is_some_and(|last| *last != b'\n'),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => false,
            Err(error) => return Err(error),
        };
        let mut file = fs_err::OpenOptions::new().create(true).append(true).open(&path)?;
        if cut {
            file.write_all(b"\n")?;
        }
        Ok(FileJournal { file })
    }
}

impl Journal for FileJournal {
    fn append(&mut self, at: Timestamp, event: &NightEvent) -> std::io::Result<()> {
        let line = Line::new(at, event);
        let mut text = serde_json::to_string(&line).map_err(std::io::Error::other)?;
        text.push('\n');
        self.file.write_all(text.as_bytes())?;
        // A host that loses power must not post twice.
        self.file.sync_data()
    }
}

/// Reads the journal below `results`; empty where there is none. Lines that cannot be read are passed over: a crash
/// cut them off, and what they would have said was not finished.
///
/// # Errors
/// When the file cannot be read, is larger than any journal, or a newer program wrote to it.
pub fn read_journal(results: &Utf8Path) -> std::io::Result<Vec<(Timestamp, NightEvent)>> {
    let path = folder(results).join(NAME);
    let size = match fs_err::metadata(&path) {
        Ok(data) => data.len(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    if size > LIMIT {
        let message = format!("{path}: {size} bytes are more than a journal can have; move the file away");
        return Err(std::io::Error::other(message));
    }
    let text = String::from_utf8_lossy(&fs_err::read(&path)?).into_owned();
    for line in text.lines().filter_map(|line| serde_json::from_str::<Version>(line).ok()) {
        let format = line.format.or(Some(1));
        FormatTrouble::check(path.as_str(), format, FORMAT).map_err(std::io::Error::other)?;
    }
    let lines = text.lines().filter_map(|line| serde_json::from_str::<Line>(line).ok());
    Ok(lines.map(|line| (line.at, line.event)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_off_line_spoils_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let results = Utf8Path::from_path(folder.path()).unwrap();
        assert_eq!(read_journal(results).unwrap(), []);
        let at: Timestamp = "2026-01-31T02:00:00Z".parse().unwrap();
        let event = |night: &str| NightEvent::NightBegan { night: night.into(), pid: 1 };
        FileJournal::open(results).unwrap().append(at, &event("one")).unwrap();
        let path = super::folder(results).join(NAME);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes.extend(b"{\"at\":\"2026-01-31T02:00:00Z\",\"event\":\"night-beg");
        std::fs::write(&path, bytes).unwrap();
        FileJournal::open(results).unwrap().append(at, &event("two")).unwrap();
        assert_eq!(read_journal(results).unwrap(), [(at, event("one")), (at, event("two"))]);
    }
}
