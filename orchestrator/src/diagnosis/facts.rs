//! What was seen of a run at one moment.

use camino::Utf8PathBuf;
use serde::Serialize;

/// Everything that a diagnosis rests on. Times are milliseconds, moments such since the Unix epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Facts {
    /// Run id.
    pub run: String,
    /// Its folder.
    pub path: Utf8PathBuf,
    /// When this was seen.
    pub now_ms: i64,
    /// The engine that does its units; why `run.json` cannot be used, when it cannot.
    pub engine: Result<String, String>,
    /// What its event log and report say.
    pub standing: Standing,
    /// The process that works on it.
    pub worker: Option<Worker>,
    /// Process id of the last one that worked on it, from the log.
    pub last_worker: Option<u32>,
    /// When the run last left a word in its logs.
    pub last_sign_ms: Option<i64>,
    /// Last words of the last process.
    pub last_words: LastWords,
    /// Units known so far, and ended ones.
    pub planned: usize,
    /// Units that ended.
    pub ended: usize,
    /// Units that began and did not end.
    pub at_work: Vec<UnitAtWork>,
    /// Locks that something waits for that is no unit (the import of a tree).
    pub waits: Vec<LockWait>,
    /// Units that ended in trouble of ours, with the reason; only the last attempt of each.
    pub infra: Vec<(String, String)>,
    /// Disks that the run writes to.
    pub disks: Vec<Disk>,
    /// Memory that is free for new processes, in MiB, where the system says.
    pub memory_mib: Option<u64>,
}

/// What is written about the end of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// No event: it never began.
    Unbegun,
    /// It began and has no end.
    Open,
    /// It ended.
    Ended {
        /// `clean`, `findings`, `infra`, `interrupted`.
        verdict: String,
        /// When.
        at_ms: i64,
        /// The sentence of its report.
        headline: Option<String>,
    },
    /// Its log or report cannot be read.
    Unreadable(
        /// Why.
        String,
    ),
}

/// What the last process said of its own end.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct LastWords {
    /// The run could not be carried out.
    pub failed: Option<String>,
    /// A bug.
    pub panicked: Option<String>,
    /// The signal that asked it to stop.
    pub signal: Option<String>,
}

/// A process that works on the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Worker {
    /// Process id; `None` when the lock is held and nobody says by whom.
    pub pid: Option<u32>,
    /// Its state, as in `ps`; `None` when it cannot be seen from here.
    pub state: Option<char>,
    /// The command it runs.
    pub command: String,
    /// CPU time that it used itself while it was looked at, in milliseconds.
    pub cpu_ms: u64,
}

/// A unit that began and did not end.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct UnitAtWork {
    /// Its name.
    pub unit: String,
    /// Attempt, from 1.
    pub attempt: u32,
    /// When it began.
    pub since_ms: i64,
    /// Locks that it waits for.
    pub waits: Vec<LockWait>,
    /// Programs that were started for it and run.
    pub programs: Vec<Program>,
    /// The last line that it printed.
    pub said: Option<Said>,
    /// The deadline of the guest that comes next, and when.
    pub guest_deadline: Option<(String, i64)>,
}

/// A lock that is waited for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LockWait {
    /// The file.
    pub path: Utf8PathBuf,
    /// Since when.
    pub since_ms: i64,
    /// Who has it.
    pub holders: Vec<Holder>,
}

/// Who has a lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Holder {
    /// Process id.
    pub pid: u32,
    /// Its state, as in `ps`.
    pub state: Option<char>,
    /// Its command line.
    pub command: String,
    /// The run that it works on, in the same results.
    pub run: Option<String>,
}

/// A program that was started and has not ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Program {
    /// Its name.
    pub name: String,
    /// Process id of the first one of its processes.
    pub pid: u32,
    /// When the orchestrator stops it.
    pub deadline_ms: Option<i64>,
    /// All its processes.
    pub processes: Vec<Process>,
}

/// One process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Process {
    /// Its id.
    pub pid: u32,
    /// Its name.
    pub name: String,
    /// Its state, as in `ps`.
    pub state: char,
    /// CPU time that it used while it was looked at, in milliseconds.
    pub cpu_ms: u64,
    /// True when it has no child.
    pub is_leaf: bool,
}

/// The last line of a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Said {
    /// The file.
    pub file: Utf8PathBuf,
    /// The line; empty when nothing was printed yet.
    pub line: String,
    /// When the file was last written.
    pub at_ms: i64,
}

/// A disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Disk {
    /// What is on it: `cache`, `results`.
    pub what: String,
    /// The folder.
    pub path: Utf8PathBuf,
    /// Bytes free to this user.
    pub free: u64,
    /// Files that can still be made; `None` when the file system has no such limit.
    pub files: Option<u64>,
    /// True when it cannot be written to.
    pub read_only: bool,
}
