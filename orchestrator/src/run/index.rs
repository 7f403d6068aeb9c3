//! `results/index.sqlite`: runs and findings in a form that is quick to ask.
//!
//! The run folders are the truth. The index is brought up to date whenever it is asked, from what changed in them, and
//! is made anew when it is missing, damaged or of another version. Transactions are short and wait for each other, so
//! that several processes may use it at once.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use rusqlite::{Connection, ErrorCode, Transaction, TransactionBehavior, params};

use super::{FolderError, RunFolder, folder};
use crate::report::model::Report;

/// Version of the tables; kept in SQLite's `user_version`.
const FORMAT: i32 = 1;

/// Name of the file in the folder of all runs.
pub const FILE: &str = "index.sqlite";

/// How long a process waits for the transaction of another.
const BUSY: Duration = Duration::from_secs(10);

const TABLES: &str = "
    CREATE TABLE runs (
        id TEXT PRIMARY KEY,
        argument TEXT NOT NULL,   -- the series as it was asked for
        series TEXT NOT NULL,     -- its name
        title TEXT NOT NULL,
        started TEXT NOT NULL,    -- RFC 3339, UTC
        trees TEXT NOT NULL,      -- separated by spaces
        verdict TEXT,             -- NULL until there is a report; 'unreadable' when it is damaged
        findings INTEGER NOT NULL,
        wall_ms INTEGER NOT NULL,
        stamp TEXT NOT NULL       -- of the files that this row was read from
    ) STRICT;
    CREATE TABLE findings (
        run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
        number INTEGER NOT NULL,  -- as `reproduce` takes it
        kind TEXT NOT NULL,
        severity TEXT NOT NULL,
        tree TEXT NOT NULL,
        revision TEXT NOT NULL,
        patch INTEGER,
        kconfig TEXT,
        test TEXT,
        summary TEXT NOT NULL,
        PRIMARY KEY (run, number)
    ) STRICT;
    CREATE INDEX findings_by_kind ON findings (kind);
";

/// Trouble with the index. It never stops a run.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// SQLite said no.
    #[error("{file}: {source}")]
    Database {
        /// The index.
        file: Utf8PathBuf,
        /// Its word.
        source: rusqlite::Error,
    },
    /// A damaged index could not be removed.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// The run folders cannot be read.
    #[error(transparent)]
    Folder(#[from] FolderError),
}

/// One run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunRow {
    /// Run id.
    pub id: String,
    /// The series as it was asked for.
    pub argument: String,
    /// Title of the series; empty when there is none.
    pub title: String,
    /// When it began, RFC 3339.
    pub started: String,
    /// Its trees.
    pub trees: Vec<String>,
    /// `None` until there is a report; `unreadable` when that is damaged.
    pub verdict: Option<String>,
    /// How many findings it has.
    pub findings: u64,
    /// How long it took, in milliseconds.
    pub wall_ms: u64,
}

/// Which runs are asked for.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Name of the series, or the series as it was asked for.
    pub series: Option<String>,
    /// Not before this day (`2026-01-31`).
    pub since: Option<String>,
}

/// Brings the index of `results` up to date and gives the runs that `filter` asks for, oldest first.
///
/// Where the index cannot be written (results of somebody else), the same is done in memory.
///
/// # Errors
/// When the run folders cannot be read.
pub fn runs(results: &Utf8Path, filter: &Filter) -> Result<Vec<RunRow>, IndexError> {
    let mut connection = current(results)?;
    select(&mut connection, filter).map_err(|source| database(results, source))
}

/// Brings the index of `results` up to date.
///
/// # Errors
/// As [`runs`].
pub fn refresh(results: &Utf8Path) -> Result<(), IndexError> {
    current(results).map(drop)
}

fn database(results: &Utf8Path, source: rusqlite::Error) -> IndexError {
    IndexError::Database { file: results.join(FILE), source }
}

/// An index that says what the folders say.
fn current(results: &Utf8Path) -> Result<Connection, IndexError> {
    let stamps = stamps(results)?;
    let on_disk = || {
        let mut connection = open(&results.join(FILE))?;
        update(&mut connection, results, &stamps)?;
        Ok(connection)
    };
    let again = match on_disk() {
        Ok(connection) => return Ok(connection),
        Err(error) => remedy(&error).ok_or_else(|| database(results, error))?,
    };
    let retried = match again {
        Remedy::Rebuild => {
            remove(results)?;
            on_disk()
        }
        Remedy::InMemory => Connection::open_in_memory().and_then(|mut connection| {
            prepare(&mut connection)?;
            update(&mut connection, results, &stamps)?;
            Ok(connection)
        }),
    };
    retried.map_err(|error| database(results, error))
}

/// What helps against trouble with the file.
enum Remedy {
    /// It is damaged.
    Rebuild,
    /// It cannot be written.
    InMemory,
}

fn remedy(error: &rusqlite::Error) -> Option<Remedy> {
    // Tables that are not as they should be count as damage: somebody else wrote them.
    if matches!(error, rusqlite::Error::InvalidColumnType(..) | rusqlite::Error::FromSqlConversionFailure(..)) {
        return Some(Remedy::Rebuild);
    }
    match error.sqlite_error_code()? {
        ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt | ErrorCode::Unknown => Some(Remedy::Rebuild),
        ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied => Some(Remedy::InMemory),
        _ => None,
    }
}

fn remove(results: &Utf8Path) -> std::io::Result<()> {
    for name in [FILE.to_owned(), format!("{FILE}-journal")] {
        match fs_err::remove_file(results.join(name)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

fn open(file: &Utf8Path) -> rusqlite::Result<Connection> {
    let mut connection = Connection::open(file)?;
    connection.busy_timeout(BUSY)?;
    prepare(&mut connection)?;
    Ok(connection)
}

/// Makes the tables, in place of those of another version.
fn prepare(connection: &mut Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "foreign_keys", true)?;
    // Losing the last transaction with the power costs a rebuild at most.
    connection.pragma_update(None, "synchronous", "OFF")?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let version: i32 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if version != FORMAT {
        let mut names = transaction.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'")?;
        let names: Vec<String> = names.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
        transaction.pragma_update(None, "defer_foreign_keys", true)?;
        for name in names.iter().filter(|name| !name.starts_with("sqlite_")) {
            transaction.execute_batch(&format!("DROP TABLE \"{}\"", name.replace('"', "\"\"")))?;
        }
        transaction.execute_batch(TABLES)?;
        transaction.pragma_update(None, "user_version", FORMAT)?;
    }
    transaction.commit()
}

/// For each run: what tells that its files are those that were read.
fn stamps(results: &Utf8Path) -> Result<BTreeMap<String, String>, IndexError> {
    let mut stamps = BTreeMap::new();
    for id in folder::names(results).map_err(FolderError::Io)? {
        let of = |name: &str| match fs_err::metadata(results.join(&id).join(name)) {
            Ok(data) => format!("{}:{}:{}.{}", data.ino(), data.len(), data.mtime(), data.mtime_nsec()),
            Err(_) => "none".to_owned(),
        };
        let stamp = format!("{} {}", of("run.json"), of("report.json"));
        stamps.insert(id, stamp);
    }
    Ok(stamps)
}

/// Reads what changed since the index was last brought up to date.
fn update(connection: &mut Connection, results: &Utf8Path, stamps: &BTreeMap<String, String>) -> rusqlite::Result<()> {
    let known: BTreeMap<String, String> = {
        let mut rows = connection.prepare("SELECT id, stamp FROM runs")?;
        rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<rusqlite::Result<_>>()?
    };
    if known == *stamps {
        return Ok(());
    }
    // Folders are read before the transaction, so that nobody waits for this.
    let changed = stamps.iter().filter(|(id, stamp)| known.get(*id) != Some(*stamp));
    let changed: Vec<_> = changed.map(|(id, stamp)| (id, stamp, RunFolder::open(results, id).ok())).collect();
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for id in known.keys().filter(|id| !stamps.contains_key(*id)) {
        transaction.execute("DELETE FROM runs WHERE id = ?1", [id])?;
    }
    for (id, stamp, run) in changed {
        transaction.execute("DELETE FROM runs WHERE id = ?1", [id])?;
        match run {
            Some(run) => insert(&transaction, &run, stamp)?,
            None => insert_unreadable(&transaction, id, stamp)?,
        }
    }
    transaction.commit()
}

fn insert(transaction: &Transaction<'_>, run: &RunFolder, stamp: &str) -> rusqlite::Result<()> {
    let text = fs_err::read_to_string(run.path().join("report.json")).ok();
    let report = text.map(|text| Report::from_json(&text));
    let verdict = report.as_ref().map(|report| report.as_ref().map_or("unreadable", |report| report.verdict.word()));
    let report = report.and_then(Result::ok);
    let findings = report.as_ref().map(|report| report.findings.as_slice()).unwrap_or_default();
    let trees: Vec<String> = run.trees.iter().map(|plan| plan.tree.name()).collect();
    let wall = report.as_ref().map_or(0, |report| report.timing.wall_ms);
    transaction.execute(
        "INSERT INTO runs VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        params![
            run.run,
            run.options.series,
            run.series().map(|series| series.name.as_str()).unwrap_or_default(),
            run.series().map(|series| series.title.as_str()).unwrap_or_default(),
            run.started,
            trees.join(" "),
            verdict,
            number(findings.len()),
            i64::try_from(wall).unwrap_or(i64::MAX),
            stamp,
        ],
    )?;
    for (index, finding) in findings.iter().enumerate() {
        transaction.execute(
            "INSERT INTO findings VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            params![
                run.run,
                number(index + 1),
                word(&finding.kind),
                word(&finding.severity),
                finding.tree,
                finding.revision,
                finding.patch.as_ref().map(|patch| number(patch.number)),
                finding.kconfig,
                finding.test,
                finding.summary,
            ],
        )?;
    }
    Ok(())
}

/// A run whose `run.json` is damaged or of another version: it is there, and nobody should have to guess that.
fn insert_unreadable(transaction: &Transaction<'_>, id: &str, stamp: &str) -> rusqlite::Result<()> {
    let row = "INSERT INTO runs VALUES (?1, '', '', '', '', '', 'unreadable', 0, 0, ?2)";
    transaction.execute(row, params![id, stamp]).map(drop)
}

/// A word as it stands in `report.json`.
fn word(value: &impl serde::Serialize) -> String {
    let value = serde_json::to_value(value).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn select(connection: &mut Connection, filter: &Filter) -> rusqlite::Result<Vec<RunRow>> {
    let mut rows = connection.prepare(
        "SELECT id, argument, title, started, trees, verdict, findings, wall_ms FROM runs
         WHERE (?1 IS NULL OR series = ?1 OR argument = ?1) AND (?2 IS NULL OR started >= ?2)
         ORDER BY id",
    )?;
    let row = |row: &rusqlite::Row<'_>| {
        Ok(RunRow {
            id: row.get(0)?,
            argument: row.get(1)?,
            title: row.get(2)?,
            started: row.get(3)?,
            trees: row.get::<_, String>(4)?.split(' ').filter(|tree| !tree.is_empty()).map(str::to_owned).collect(),
            verdict: row.get(5)?,
            findings: row.get::<_, i64>(6)?.unsigned_abs(),
            wall_ms: row.get::<_, i64>(7)?.unsigned_abs(),
        })
    };
    rows.query_map(params![filter.series, filter.since], row)?.collect()
}

#[cfg(test)]
#[path = "index_tests.rs"]
mod tests;
