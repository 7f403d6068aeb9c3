//! `debug.jsonl` in the folder of a run: what the program did, for those who have to find out why.
//!
//! One JSON object per line ([`DebugLine`]). Spans are units; in them stand the processes that were started, with their
//! replay line, how they ended and what they cost, the keys that were looked up and the locks that were waited for.
//! Nothing of it goes to the terminal. Secrets are taken out before a line is written.

use std::io::Write;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use camino::{Utf8Path, Utf8PathBuf};
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Level, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::{LookupSpan, SpanRef};

use super::debug_line::{BEGINS, DebugLine, FORMAT};
use crate::process::without_secrets;

/// Name of the file.
pub const FILE: &str = "debug.jsonl";

/// Name of the part before it, once the file was full.
pub const OLDER: &str = "debug.older.jsonl";

/// Size at which a new file is begun, in bytes; the full one becomes [`OLDER`], and what that was before goes. A full
/// nightly run writes far less.
const LIMIT: u64 = 16 * 1024 * 1024;

/// Longest text of one field, in bytes.
const TEXT_LIMIT: usize = 8 * 1024;

/// Writes the log of this process from now on to `folder`; `filter` says of what. A resumed run goes on in the same
/// file.
///
/// # Errors
/// When the file cannot be opened, or another log was begun in this process.
pub fn start(folder: &Utf8Path, filter: Targets) -> std::io::Result<()> {
    let subscriber = subscriber(Bounded::open(folder, LIMIT)?, filter);
    tracing::subscriber::set_global_default(subscriber).map_err(std::io::Error::other)?;
    tracing::info!(format = FORMAT, version = env!("CARGO_PKG_VERSION"), "{BEGINS}");
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        tracing::error!(panic = %panic, "{PANICKED}");
        usual(panic);
    }));
    Ok(())
}

/// The message of the line that a bug of the program leaves.
pub const PANICKED: &str = "the program panicked";

fn subscriber(file: Bounded, filter: Targets) -> impl Subscriber + Send + Sync {
    tracing_subscriber::registry().with(filter).with(Lines { file: Mutex::new(file) })
}

/// Makes lines of what is traced.
struct Lines {
    file: Mutex<Bounded>,
}

/// A span that is a unit.
struct Unit {
    name: String,
    began: Instant,
}

impl Lines {
    fn write(&self, level: Level, room: &str, unit: Option<String>, fields: Fields) {
        let line = DebugLine {
            at: jiff::Timestamp::now().as_millisecond(),
            level: level.as_str().to_ascii_lowercase(),
            process: std::process::id(),
            unit,
            room: room.strip_prefix("orchestrator::").unwrap_or(room).to_owned(),
            message: fields.message,
            fields: fields.others,
        };
        if let Ok(mut text) = serde_json::to_string(&line) {
            text.push('\n');
            self.file.lock().unwrap_or_else(PoisonError::into_inner).write(text.as_bytes());
        }
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Lines {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        let first = fields.others.values().find_map(Value::as_str).unwrap_or_default();
        let name = match span.name() {
            "unit" => first.to_owned(),
            other => format!("{other}/{first}"),
        };
        let metadata = span.metadata();
        self.write(*metadata.level(), metadata.target(), Some(name.clone()), Fields::saying("unit begins"));
        span.extensions_mut().insert(Unit { name, began: Instant::now() });
    }

    fn on_event(&self, event: &tracing::Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let mut scope = context.event_scope(event).into_iter().flatten();
        let unit = scope.find_map(|span| unit_of(&span));
        self.write(*event.metadata().level(), event.metadata().target(), unit, fields);
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(span) = context.span(&id) else { return };
        let mut fields = Fields::saying("unit ends");
        if let Some(unit) = span.extensions().get::<Unit>() {
            fields.others.insert("wall_ms".to_owned(), (unit.began.elapsed().as_millis() as u64).into());
        }
        let metadata = span.metadata();
        self.write(*metadata.level(), metadata.target(), unit_of(&span), fields);
    }
}

fn unit_of<'a, S: LookupSpan<'a>>(span: &SpanRef<'a, S>) -> Option<String> {
    span.extensions().get::<Unit>().map(|unit| unit.name.clone())
}

/// The fields of one line.
#[derive(Default)]
struct Fields {
    message: String,
    others: Map<String, Value>,
}

impl Fields {
    fn saying(message: &str) -> Fields {
        Fields { message: message.to_owned(), others: Map::new() }
    }

    fn take(&mut self, field: &Field, value: Value) {
        self.others.insert(field.name().to_owned(), value);
    }
}

impl Visit for Fields {
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.take(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.take(field, value.into());
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        self.take(field, u64::try_from(value).unwrap_or(u64::MAX).into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.take(field, value.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        let text = bounded(value);
        if field.name() == "message" { self.message = text } else { self.take(field, text.into()) }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}

/// Text of a field: without secrets, no longer than a line may bear.
fn bounded(text: &str) -> String {
    let text = without_secrets(text);
    match text.len() <= TEXT_LIMIT {
        true => text.into_owned(),
        false => {
            let end = (0..=TEXT_LIMIT).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
            format!("{} [{} more bytes]", &text[..end], text.len() - end)
        }
    }
}

/// A file that grows to a limit; then it becomes the older part and a new one is begun, so that the newest lines are
/// always there.
struct Bounded {
    folder: Utf8PathBuf,
    file: fs_err::File,
    limit: u64,
    left: u64,
}

impl Bounded {
    fn open(folder: &Utf8Path, limit: u64) -> std::io::Result<Bounded> {
        let path = folder.join(FILE);
        // A last line that a crash cut off must not spoil the next one.
        let cut = match fs_err::read(&path) {
            Ok(bytes) => bytes.last().is_some_and(|last| *last != b'\n'),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => false,
            Err(error) => return Err(error),
        };
        let mut file = fs_err::OpenOptions::new().create(true).append(true).open(&path)?;
        if cut {
            file.write_all(b"\n")?;
        }
        let left = limit.saturating_sub(file.metadata()?.len());
        Ok(Bounded { folder: folder.to_owned(), file, limit, left })
    }

    /// Takes every line. One that the disk refuses is lost: the log stops nobody.
    fn write(&mut self, line: &[u8]) {
        let size = line.len() as u64;
        if size > self.left && self.turn().is_err() {
            return;
        }
        if self.file.write_all(line).is_ok() {
            self.left = self.left.saturating_sub(size);
        }
    }

    fn turn(&mut self) -> std::io::Result<()> {
        let path = self.folder.join(FILE);
        fs_err::rename(&path, self.folder.join(OLDER))?;
        self.file = fs_err::OpenOptions::new().create(true).append(true).open(&path)?;
        self.left = self.limit;
        Ok(())
    }
}

#[cfg(test)]
#[path = "debug_log_tests.rs"]
mod tests;
