//! The event log of a run: append-only JSON lines, the truth about what happened.

use std::io::Write;

use camino::{Utf8Path, Utf8PathBuf};

use crate::words::{Event, FormatTrouble};

/// Version of the log's format.
pub const FORMAT: u32 = 1;

/// An open event log.
#[derive(Debug)]
pub struct EventLog {
    path: Utf8PathBuf,
    file: fs_err::File,
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Line {
    /// When, in milliseconds since the Unix epoch.
    at: i64,
    #[serde(flatten)]
    event: Event,
}

/// As much of the first line of a process as every version has.
#[derive(Default, serde::Deserialize)]
struct Begin {
    event: String,
    format: Option<u64>,
}

impl EventLog {
    /// Opens the log for appending. A last line that a crash cut off is ended, so that it spoils no other.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn open(path: &Utf8Path) -> std::io::Result<EventLog> {
        let cut = match fs_err::read(path) {
            Ok(bytes) => bytes.last().is_some_and(|last| *last != b'\n'),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => false,
            Err(error) => return Err(error),
        };
        let mut file = fs_err::OpenOptions::new().create(true).append(true).open(path)?;
        if cut {
            file.write_all(b"\n")?;
        }
        Ok(EventLog { path: path.to_owned(), file })
    }

    /// Appends an event, in one write. Progress is only shown, never kept.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn append(&mut self, event: &Event) -> std::io::Result<()> {
        if matches!(event, Event::UnitProgress { .. }) {
            return Ok(());
        }
        let line = Line { at: jiff::Timestamp::now().as_millisecond(), event: event.clone() };
        let mut text = serde_json::to_string(&line).map_err(std::io::Error::other)?;
        text.push('\n');
        self.file.write_all(text.as_bytes())
    }

    /// Where it is.
    pub fn path(&self) -> &Utf8Path {
        &self.path
    }
}

/// Reads the events of a log with their times (milliseconds since the Unix epoch). Lines that a crash cut off are
/// passed over: what they would have said was not finished.
///
/// # Errors
/// When the file cannot be read, or a newer program wrote to it: what it said would be passed over.
pub fn read_events(path: &Utf8Path) -> std::io::Result<Vec<(i64, Event)>> {
    let text = String::from_utf8_lossy(&fs_err::read(path)?).into_owned();
    for line in text.lines().filter(|line| line.contains("run-started")) {
        let begin: Begin = serde_json::from_str(line).unwrap_or_default();
        if begin.event == "run-started" {
            FormatTrouble::check(path.as_str(), begin.format, FORMAT).map_err(std::io::Error::other)?;
        }
    }
    let lines = text.lines().filter_map(|line| serde_json::from_str::<Line>(line).ok());
    Ok(lines.map(|line| (line.at, line.event)).collect())
}

/// A line of a log reads back as itself, for fuzzing.
#[cfg(any(test, feature = "fuzz"))]
pub(crate) fn fuzz_event_line(text: &str) {
    if let Ok(line) = serde_json::from_str::<Line>(text) {
        let text = serde_json::to_string(&line).expect("an event is plain data");
        let back: Line = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        assert_eq!((back.at, back.event), (line.at, line.event));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(message: &str) -> Event {
        Event::Note { message: message.to_owned() }
    }

    #[test]
    fn a_cut_off_line_spoils_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::from_path_buf(folder.path().join("events.jsonl")).unwrap();
        EventLog::open(&path).unwrap().append(&note("one")).unwrap();
        let mut bytes = std::fs::read(&path).unwrap();
        bytes.extend(b"{\"at\":1,\"event\":\"no");
        std::fs::write(&path, bytes).unwrap();
        EventLog::open(&path).unwrap().append(&note("two")).unwrap();
        let events: Vec<Event> = read_events(&path).unwrap().into_iter().map(|(_, event)| event).collect();
        assert_eq!(events, [note("one"), note("two")]);
    }
}
