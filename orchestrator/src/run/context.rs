//! What every stage of a run works with.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use camino::Utf8PathBuf;
use tokio_util::sync::CancellationToken;

use super::{Options, RunFolder, Stopper, Why};
use crate::config::Home;
use crate::engine::{Engine, Surroundings};
use crate::process::WorkLock;
use crate::words::{Event, EventSink};

/// A run at work.
#[derive(Clone)]
pub struct Context {
    /// Manifests, kconfigs, machines.
    pub home: Home,
    /// Trees, build folders, results by key.
    pub cache: Utf8PathBuf,
    /// The run's folder with its options and series.
    pub folder: RunFolder,
    /// Where events go.
    pub events: EventSink,
    /// Cancelled when the run has to stop.
    pub cancel: CancellationToken,
    /// Why it has to.
    pub stopper: Stopper,
    /// Where units are done.
    pub engine: Arc<Engine>,
    /// What this run made itself, also before it was interrupted.
    pub own: Arc<Own>,
}

/// What a run made itself: its own results are not "reused", and a run that takes nothing from the cache takes these.
#[derive(Debug, Default)]
pub struct Own {
    /// Units that ended before the run was interrupted.
    units: BTreeSet<String>,
    keys: Mutex<BTreeSet<String>>,
}

impl Own {
    /// What an event log says that the run made.
    pub fn from_events(events: &[(i64, Event)]) -> Own {
        let mut own = Own::default();
        let mut keys = BTreeSet::new();
        for (_, event) in events {
            if let Event::UnitEnded { unit, key: Some(key), reused: false, .. } = event {
                own.units.insert(unit.clone());
                keys.insert(key.clone());
            }
        }
        own.keys = Mutex::new(keys);
        own
    }

    /// Whether this run ended the unit itself, before it was interrupted.
    pub fn ended(&self, unit: &str) -> bool {
        self.units.contains(unit)
    }

    /// Whether this run made the result with this key.
    pub fn made(&self, key: &str) -> bool {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner).contains(key)
    }

    /// Remembers that this run made the result with this key.
    pub fn make(&self, key: &str) {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner).insert(key.to_owned());
    }
}

impl Context {
    /// Whether the result with this key may be taken from the cache.
    pub fn may_take(&self, key: &str) -> bool {
        !self.options().fresh || self.own.made(key)
    }

    /// Why what is not done any more is not done.
    pub fn why_stopped(&self) -> String {
        self.stopper.why().unwrap_or(Why::User).to_string()
    }

    /// What the user asked.
    pub fn options(&self) -> &Options {
        &self.folder.options
    }

    /// What units are done with on this host.
    pub fn surroundings(&self) -> Surroundings {
        Surroundings { cache: self.cache.clone(), node: None, events: self.events.clone(), cancel: self.cancel.clone() }
    }

    /// Takes the right to make the result with this key: what another run makes at this moment is waited for. `None`
    /// when the run was interrupted meanwhile.
    ///
    /// # Errors
    /// One sentence: the cache cannot be written.
    pub async fn alone(&self, unit: &str, key: &str) -> Result<Option<WorkLock>, String> {
        let path = self.cache.join("locks").join(format!("{key}.lock"));
        let waiting = || self.note(format!("{unit}: the same is being made at this moment; waiting for it"));
        let lock = WorkLock::take(&path, waiting, &self.cancel).await;
        lock.map_err(|error| format!("{path}: {error}; check that the cache folder can be written"))
    }

    /// Says something that is no finding.
    pub fn note(&self, message: impl Into<String>) {
        (self.events)(Event::Note { message: message.into() });
    }

    /// Makes files of the cache visible in the run's folder under `units/<unit>/`. Hard links where possible: logs
    /// may be large, and gc of the cache must not take them from the run.
    pub fn keep_logs(&self, unit: &str, files: &[Utf8PathBuf]) {
        let kept = self.folder.unit_dir(unit).and_then(|dir| {
            for file in files.iter().filter(|file| file.is_file()) {
                let name = file.file_name().unwrap_or("log");
                let place = dir.join(name);
                let _ = fs_err::remove_file(&place);
                if std::fs::hard_link(file, &place).is_err() {
                    fs_err::copy(file, &place)?;
                }
            }
            Ok(())
        });
        if let Err(error) = kept {
            self.note(format!("the logs of {unit} could not be kept in the run's folder: {error}"));
        }
    }
}
