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
    use proptest::prelude::*;

    use super::*;
    use crate::words::{BlamedPatch, Evidence, Finding, FindingKind, PendingUnit, Severity, UnitKind, UnitOutcome};

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

    fn kind() -> impl Strategy<Value = UnitKind> {
        prop::sample::select(vec![UnitKind::Fetch, UnitKind::Apply, UnitKind::Build, UnitKind::Boot])
    }

    /// Any text: quotes, line ends and escape sequences, too, and what looks like a line of the log.
    fn text() -> impl Strategy<Value = String> {
        prop_oneof![any::<String>(), Just("{\"at\":1,\"event\":\"run-started\",\"format\":9}\n".to_owned())]
    }

    fn outcome() -> impl Strategy<Value = UnitOutcome> {
        prop_oneof![
            Just(UnitOutcome::Done),
            text().prop_map(|reason| UnitOutcome::Failed { reason }),
            text().prop_map(|reason| UnitOutcome::Infra { reason }),
            text().prop_map(|reason| UnitOutcome::NotRun { reason }),
        ]
    }

    fn finding() -> impl Strategy<Value = Finding> {
        let patch = prop::option::of((any::<usize>(), any::<usize>(), text()));
        let kind =
            prop::sample::select(vec![FindingKind::PatchRefused, FindingKind::Hang, FindingKind::MetricImproved]);
        let evidence = prop::collection::vec((text(), text(), text()), 0..3);
        (kind, any::<bool>(), text(), patch, prop::option::of(text()), evidence).prop_map(
            |(kind, problem, summary, patch, some, evidence)| Finding {
                kind,
                severity: if problem { Severity::Problem } else { Severity::Notice },
                tree: "t".into(),
                revision: "patch 1/2".into(),
                patch: patch.map(|(number, total, subject)| BlamedPatch { number, total, subject }),
                kconfig: some.clone(),
                machine: some.clone(),
                test: some.clone(),
                metric: some.clone(),
                function: some,
                summary,
                evidence: evidence.into_iter().map(|(what, source, text)| Evidence { what, source, text }).collect(),
                reproduce: "orchestrator run series x".into(),
            },
        )
    }

    /// An event of any kind that is kept.
    fn event() -> impl Strategy<Value = Event> {
        let pending = (text(), kind(), any::<Option<u64>>()).prop_map(|(unit, kind, usual_ms)| PendingUnit {
            unit,
            kind,
            usual_ms,
        });
        prop_oneof![
            (text(), text(), any::<bool>()).prop_map(|(run, command, resumed)| Event::RunStarted {
                run,
                format: FORMAT,
                command,
                resumed
            }),
            (any::<usize>(), any::<usize>(), prop::collection::vec(pending, 0..3))
                .prop_map(|(units, reused, pending)| Event::Planned { units, reused, pending }),
            (text(), kind(), any::<u32>()).prop_map(|(unit, kind, attempt)| Event::UnitStarted { unit, kind, attempt }),
            (text(), kind(), any::<u32>(), outcome(), prop::option::of(text()), any::<bool>(), any::<u64>()).prop_map(
                |(unit, kind, attempt, outcome, key, reused, wall_ms)| Event::UnitEnded {
                    unit,
                    kind,
                    attempt,
                    outcome,
                    key,
                    reused,
                    wall_ms
                }
            ),
            finding().prop_map(|finding| Event::Found { finding: Box::new(finding) }),
            text().prop_map(|message| Event::Note { message }),
            (text(), any::<u64>()).prop_map(|(verdict, wall_ms)| Event::RunEnded { verdict, wall_ms }),
        ]
    }

    fn read(path: &Utf8Path) -> Vec<Event> {
        read_events(path).unwrap().into_iter().map(|(_, event)| event).collect()
    }

    proptest! {
        #[test]
        fn a_log_reads_back_as_it_was_written_however_it_was_cut_off(
            events in prop::collection::vec(event(), 1..6),
            more in prop::collection::vec(event(), 1..3),
            cut in any::<prop::sample::Index>(),
        ) {
            let folder = tempfile::tempdir().unwrap();
            let path = Utf8PathBuf::from_path_buf(folder.path().join("events.jsonl")).unwrap();
            let mut log = EventLog::open(&path).unwrap();
            let mut ends = Vec::new();
            for event in &events {
                log.append(event).unwrap();
                log.append(&Event::UnitProgress { unit: "u".into(), done: 1, total: 2, message: "m".into() }).unwrap();
                ends.push(std::fs::metadata(&path).unwrap().len() as usize);
            }
            prop_assert_eq!(read(&path), events.clone());
            let bytes = std::fs::read(&path).unwrap();
            let cut = cut.index(bytes.len() + 1);
            std::fs::write(&path, &bytes[..cut]).unwrap();
            // A line is whole when all but its line end is there.
            let whole = ends.iter().filter(|end| **end - 1 <= cut).count();
            prop_assert_eq!(read(&path), events[..whole].to_vec());
            // The next process goes on behind it.
            let mut log = EventLog::open(&path).unwrap();
            more.iter().for_each(|event| log.append(event).unwrap());
            prop_assert_eq!(read(&path), [&events[..whole], &more].concat());
        }
    }
}
