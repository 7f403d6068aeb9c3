//! The folder of the outbox.

use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};
use serde::de::DeserializeOwned;

use super::decide::{Decision, decide, same_topic};
use super::disk;
use super::item::{Draft, FORMAT, Item, ItemId, Subject};
use super::state::{By, Record, State};
use crate::config::closest;
use crate::post::failpoint::{Step, reached};

/// Name of the folder in `results/`.
const FOLDER: &str = "outbox";

/// Beginning of names that are not in place yet. What is left of a crash is removed by the next process that has the lock.
const TEMPORARY: &str = ".new-";

/// Largest file read, in bytes.
const SIZE_LIMIT: u64 = 64 * 1024 * 1024;

/// Tells the time.
pub type Clock = Arc<dyn Fn() -> jiff::Timestamp + Send + Sync>;

/// The clock of the host.
pub fn system_clock() -> Clock {
    Arc::new(jiff::Timestamp::now)
}

/// Trouble with the outbox.
#[derive(Debug, thiserror::Error)]
pub enum OutboxError {
    /// No such message.
    #[error("there is no message `{id}` in {folder}{}; `orchestrator outbox` lists them", hint.as_deref().map(|h| format!(" (did you mean `{h}`?)")).unwrap_or_default())]
    Missing {
        /// What was asked for.
        id: String,
        /// The outbox.
        folder: Utf8PathBuf,
        /// The nearest id that exists.
        hint: Option<String>,
    },
    /// Several messages begin like that.
    #[error("`{id}` is the beginning of {count} messages; give more of the id")]
    Ambiguous {
        /// What was asked for.
        id: String,
        /// How many.
        count: usize,
    },
    /// Another process has the outbox.
    #[error("the outbox is in use by process {pid}; wait for it, then try again")]
    Busy {
        /// Its process id, as far as known.
        pid: String,
    },
    /// A file of it cannot be used.
    #[error("{file} cannot be used: {why}; nothing is sent until it is mended, or its folder is moved away")]
    Broken {
        /// The file.
        file: Utf8PathBuf,
        /// Why.
        why: String,
    },
    /// The message cannot go there from its state.
    #[error("message {id} is {}, which cannot become {}", from.word(), to.word())]
    Illegal {
        /// The message.
        id: ItemId,
        /// Its state.
        from: State,
        /// The state it was to have.
        to: State,
    },
    /// The file system said no.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// The outbox of a folder of runs, for looking at.
#[derive(Debug, Clone)]
pub struct Outbox {
    folder: Utf8PathBuf,
}

/// A message and what happened to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    /// The message.
    pub item: Item,
    /// What happened to it, oldest first, at least one.
    pub records: Vec<Record>,
}

impl Kept {
    /// What happened last.
    pub fn last(&self) -> &Record {
        self.records.last().expect("reading refuses a message without a record")
    }

    /// Its state.
    pub fn state(&self) -> State {
        self.last().state
    }

    /// True when somebody has it or may have it.
    pub fn may_have_left(&self) -> bool {
        self.state().may_have_left() || self.records.iter().any(|record| record.accepted().next().is_some())
    }
}

/// What `records.json` holds.
#[derive(serde::Serialize, serde::Deserialize)]
struct Records {
    format: u32,
    records: Vec<Record>,
}

impl Outbox {
    /// The outbox in the folder of all runs. It need not exist yet.
    pub fn of(results: &Utf8Path) -> Outbox {
        Outbox { folder: results.join(FOLDER) }
    }

    /// Where it is.
    pub fn folder(&self) -> &Utf8Path {
        &self.folder
    }

    /// All messages, oldest first.
    ///
    /// # Errors
    /// When one cannot be read: what is not known might have been sent.
    pub fn items(&self) -> Result<Vec<Kept>, OutboxError> {
        let entries = match self.folder.read_dir_utf8() {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error.into()),
        };
        let mut all = Vec::new();
        for entry in entries {
            let entry = entry?;
            if !entry.file_name().starts_with('.') && entry.file_type()?.is_dir() {
                all.push(self.read(entry.file_name())?);
            }
        }
        all.sort_by_key(|kept| kept.item.sequence);
        Ok(all)
    }

    /// The message with this id, or with an id that begins so.
    ///
    /// # Errors
    /// When there is none or more than one.
    pub fn find(&self, id: &str) -> Result<Kept, OutboxError> {
        let mut all = self.items()?;
        if let Some(at) = all.iter().position(|kept| kept.item.id.as_str() == id) {
            return Ok(all.swap_remove(at));
        }
        // The hash alone will do, too.
        let begins = |kept: &Kept| {
            let whole = kept.item.id.as_str();
            let hash = whole.rsplit('-').next().unwrap_or(whole);
            !id.is_empty() && (whole.starts_with(id) || hash.starts_with(id))
        };
        let names: Vec<String> = all.iter().map(|kept| kept.item.id.to_string()).collect();
        let mut found: Vec<Kept> = all.into_iter().filter(begins).collect();
        match (found.pop(), found.len()) {
            (Some(kept), 0) => Ok(kept),
            (Some(_), more) => Err(OutboxError::Ambiguous { id: id.to_owned(), count: more + 1 }),
            (None, _) => Err(OutboxError::Missing {
                id: id.to_owned(),
                folder: self.folder.clone(),
                hint: closest(id, names.iter().map(String::as_str)).map(str::to_owned),
            }),
        }
    }

    /// The last message on a topic that the receiving side has.
    ///
    /// # Errors
    /// As [`Outbox::items`].
    pub fn last_sent(&self, subject: &Subject) -> Result<Option<Kept>, OutboxError> {
        let mut all = self.items()?;
        all.retain(|kept| kept.state() == State::Sent && same_topic(&kept.item.subject, subject));
        Ok(all.pop())
    }

    /// What would become of a message on this subject now.
    ///
    /// # Errors
    /// As [`Outbox::items`].
    pub fn decide(&self, subject: &Subject) -> Result<Decision, OutboxError> {
        Ok(decide(&self.items()?, subject))
    }

    /// Takes the outbox for this process, to put and to send.
    ///
    /// # Errors
    /// When another process has it, or it cannot be made.
    pub fn lock(&self, clock: Clock) -> Result<LockedOutbox, OutboxError> {
        fs_err::create_dir_all(&self.folder)?;
        let path = self.folder.join("lock");
        let file = fs_err::OpenOptions::new().create(true).truncate(false).write(true).read(true).open(&path)?;
        match crate::process::try_lock(file.file()) {
            Ok(()) => std::fs::write(&path, std::process::id().to_string())?,
            Err(std::fs::TryLockError::WouldBlock) => {
                return Err(OutboxError::Busy { pid: std::fs::read_to_string(&path).unwrap_or_default() });
            }
            Err(std::fs::TryLockError::Error(error)) => return Err(error.into()),
        }
        let locked = LockedOutbox { outbox: self.clone(), clock, _file: file };
        locked.sweep()?;
        Ok(locked)
    }

    fn read(&self, name: &str) -> Result<Kept, OutboxError> {
        let folder = self.folder.join(name);
        let item: Item = read(&folder.join("item.json"))?;
        let records: Records = read(&folder.join("records.json"))?;
        let broken = |file: &str, why: String| OutboxError::Broken { file: folder.join(file), why };
        if item.format != FORMAT || records.format != FORMAT {
            return Err(broken("item.json", format!("it is of another format than {FORMAT}")));
        }
        if item.id.as_str() != name {
            return Err(broken("item.json", format!("it holds message {}", item.id)));
        }
        if records.records.is_empty() {
            return Err(broken("records.json", "it holds no record".to_owned()));
        }
        Ok(Kept { item, records: records.records })
    }
}

fn read<T: DeserializeOwned>(file: &Utf8Path) -> Result<T, OutboxError> {
    let broken = |why: String| OutboxError::Broken { file: file.to_owned(), why };
    let size = fs_err::metadata(file).map_err(|error| broken(error.to_string()))?.len();
    if size > SIZE_LIMIT {
        return Err(broken(format!("it is {size} bytes long")));
    }
    let bytes = fs_err::read(file).map_err(|error| broken(error.to_string()))?;
    serde_json::from_slice(&bytes).map_err(|error| broken(error.to_string()))
}

fn json(value: &impl serde::Serialize) -> std::io::Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec_pretty(value).map_err(std::io::Error::other)?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// The outbox in the hands of this process.
pub struct LockedOutbox {
    outbox: Outbox,
    clock: Clock,
    _file: fs_err::File,
}

impl std::ops::Deref for LockedOutbox {
    type Target = Outbox;

    fn deref(&self) -> &Outbox {
        &self.outbox
    }
}

impl LockedOutbox {
    /// Now, in milliseconds since the Unix epoch.
    pub fn now(&self) -> i64 {
        (self.clock)().as_millisecond()
    }

    /// Keeps a message under the id that [`Outbox::decide`] gave, in its first state: `PendingModeration` or
    /// `Ready`. Messages that it takes the place of are superseded.
    ///
    /// # Errors
    /// When it cannot be written, or the id is taken.
    pub fn put(&self, id: ItemId, draft: Draft, state: State, by: By, why: &str) -> Result<Kept, OutboxError> {
        let all = self.items()?;
        let Draft { subject, run, title, destination, payload } = draft;
        let sequence = all.last().map_or(0, |kept| kept.item.sequence) + 1;
        let created = self.now();
        let item = Item { format: FORMAT, id, sequence, created, subject, run, title, destination, payload };
        let records = vec![Record::new(created, state, by, why)];
        let place = self.outbox.folder.join(item.id.as_str());
        let temporary = self.outbox.folder.join(format!("{TEMPORARY}{}", item.id));
        fs_err::create_dir(&temporary)?;
        disk::write(&temporary.join("item.json"), &json(&item)?)?;
        let contents = Records { format: FORMAT, records: records.clone() };
        disk::write(&temporary.join("records.json"), &json(&contents)?)?;
        disk::sync_folder(&temporary)?;
        reached(Step::ItemWritten)?;
        disk::rename(&temporary, &place)?;
        reached(Step::ItemKept)?;
        let kept = Kept { item, records };
        self.supersede(&all, &kept)?;
        Ok(kept)
    }

    /// Adds a record to a message.
    ///
    /// # Errors
    /// When its state does not allow it, or it cannot be written.
    pub fn record(&self, id: &ItemId, record: Record) -> Result<Kept, OutboxError> {
        let mut kept = self.outbox.read(id.as_str())?;
        if !kept.state().allows(record.state) {
            return Err(OutboxError::Illegal { id: id.clone(), from: kept.state(), to: record.state });
        }
        kept.records.push(record);
        let folder = self.outbox.folder.join(id.as_str());
        let temporary = folder.join(format!("{TEMPORARY}records.json"));
        let contents = Records { format: FORMAT, records: kept.records.clone() };
        disk::write(&temporary, &json(&contents)?)?;
        reached(Step::RecordWritten)?;
        disk::rename(&temporary, &folder.join("records.json"))?;
        reached(Step::RecordKept)?;
        Ok(kept)
    }

    /// Marks messages as superseded that a decision named.
    ///
    /// # Errors
    /// As [`LockedOutbox::record`].
    pub fn supersede_all(&self, ids: &[ItemId], why: &str) -> Result<(), OutboxError> {
        for id in ids {
            self.record(id, Record::new(self.now(), State::Superseded, By::Program, why))?;
        }
        Ok(())
    }

    /// Supersedes what waits on the topic of `newer`.
    fn supersede(&self, all: &[Kept], newer: &Kept) -> Result<(), OutboxError> {
        let old = all.iter().filter(|kept| {
            kept.state().is_waiting()
                && kept.item.sequence < newer.item.sequence
                && same_topic(&kept.item.subject, &newer.item.subject)
        });
        let ids: Vec<ItemId> = old.map(|kept| kept.item.id.clone()).collect();
        self.supersede_all(&ids, &format!("message {} says what holds now", newer.item.id))
    }

    /// A newer message on the topic that is not dropped or superseded itself. A crash may have come between keeping
    /// the newer one and marking the older one.
    pub(super) fn newer(&self, than: &Kept) -> Result<Option<ItemId>, OutboxError> {
        let newer = self.items()?.into_iter().find(|kept| {
            kept.item.sequence > than.item.sequence
                && same_topic(&kept.item.subject, &than.item.subject)
                && !matches!(kept.state(), State::Dropped | State::Superseded)
        });
        Ok(newer.map(|kept| kept.item.id))
    }

    /// Removes what a crash left under temporary names.
    fn sweep(&self) -> std::io::Result<()> {
        for entry in self.outbox.folder.read_dir_utf8()? {
            let entry = entry?;
            if !entry.file_type()?.is_dir() {
                continue;
            }
            if entry.file_name().starts_with(TEMPORARY) {
                fs_err::remove_dir_all(entry.path())?;
            } else {
                match fs_err::remove_file(entry.path().join(format!("{TEMPORARY}records.json"))) {
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
                    Ok(()) | Err(_) => {}
                }
            }
        }
        Ok(())
    }
}
