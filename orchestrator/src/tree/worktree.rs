//! One revision of a tree on disk, ready to be built.
//!
//! The files lie in a folder of their own; the git index, the lock and the state lie beside it (`src.index`,
//! `src.lock`, `src.state`), so that the folder holds the revision and nothing else. Switching rewrites only files
//! that differ: the others keep their times, and make rebuilds only what it must.
//!
//! The state file names the commit that the folder was proven to equal; it is taken away before anything is touched.
//! Where it is missing (first use, a killed switch) every file is compared by content. Where it is there, size, inode
//! and both times of every file decide, which a build cannot forge.

use camino::{Utf8Path, Utf8PathBuf};
use tokio_util::sync::CancellationToken;

use super::git::{git, meter};
use super::lock::Lock;
use super::sweep::remove_git_folders;
use crate::process::{Command, End, ProcessError, Stream};
use crate::words::{Event, EventSink, RevisionCommit, Tree};

/// A worktree that could not be brought to a revision.
#[derive(Debug, thiserror::Error)]
pub enum WorktreeError {
    /// The run was interrupted.
    #[error("switching the worktree {dir} was interrupted")]
    Cancelled {
        /// Its folder.
        dir: Utf8PathBuf,
    },
    /// The folder holds files that nobody here made.
    #[error("{dir} holds files that are not a worktree of the orchestrator; move them away")]
    Foreign {
        /// The folder.
        dir: Utf8PathBuf,
    },
    /// The folder or a file beside it cannot be used.
    #[error("{path}: {source}; check that the cache folder can be written and the disk is not full")]
    Cache {
        /// File or folder.
        path: Utf8PathBuf,
        /// The operating system's word.
        source: std::io::Error,
    },
    /// git refused.
    #[error("worktree {dir}: git {step}: {reason}; remove that folder to have it made anew")]
    Git {
        /// The folder.
        dir: Utf8PathBuf,
        /// Which command of git.
        step: String,
        /// Its words.
        reason: String,
    },
    /// Even after a repair the folder does not equal the commit.
    #[error("worktree {dir} does not equal commit {commit}: {difference}; remove that folder to have it made anew")]
    Different {
        /// The folder.
        dir: Utf8PathBuf,
        /// The commit.
        commit: String,
        /// What differs, bounded.
        difference: String,
    },
    /// git could not be run.
    #[error(transparent)]
    Process(#[from] ProcessError),
}

/// What a switch did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Switched {
    /// True when every file was compared by content (first use, or an interrupted switch before).
    pub compared: bool,
}

/// A folder that shows one revision at a time. It is locked for as long as the value lives.
pub struct Worktree {
    tree: Tree,
    dir: Utf8PathBuf,
    unit: String,
    events: EventSink,
    _lock: Lock,
}

impl std::fmt::Debug for Worktree {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Worktree").field("tree", &self.tree.name).field("dir", &self.dir).finish_non_exhaustive()
    }
}

impl Worktree {
    /// Takes the folder `dir` (made when missing) for revisions of `tree`; nothing is checked out yet. Another run
    /// that holds it is waited for, and a note says so. Progress of checkouts comes as [`Event::UnitProgress`] of
    /// `unit`.
    ///
    /// # Errors
    /// When the folder cannot be used or holds foreign files, or `cancel` comes.
    pub async fn open(
        tree: &Tree,
        dir: &Utf8Path,
        unit: &str,
        events: &EventSink,
        cancel: &CancellationToken,
    ) -> Result<Worktree, WorktreeError> {
        let path = beside(dir, "lock");
        refuse_foreign(dir, &path)?;
        let waiting = || {
            let message = format!("another run uses the worktree {dir}; waiting for it");
            events(Event::Note { message });
        };
        let lock = Lock::take(&path, waiting, cancel).await.map_err(cache(&path))?;
        let lock = lock.ok_or_else(|| WorktreeError::Cancelled { dir: dir.to_owned() })?;
        Worktree::with(lock, tree, dir, unit, events)
    }

    /// As [`open`](Worktree::open), but gives `None` at once when another run holds the folder.
    ///
    /// # Errors
    /// When the folder cannot be used or holds foreign files.
    pub fn try_open(
        tree: &Tree,
        dir: &Utf8Path,
        unit: &str,
        events: &EventSink,
    ) -> Result<Option<Worktree>, WorktreeError> {
        let path = beside(dir, "lock");
        refuse_foreign(dir, &path)?;
        let lock = Lock::try_take(&path).map_err(cache(&path))?;
        lock.map(|lock| Worktree::with(lock, tree, dir, unit, events)).transpose()
    }

    fn with(lock: Lock, tree: &Tree, dir: &Utf8Path, unit: &str, events: &EventSink) -> Result<Self, WorktreeError> {
        fs_err::create_dir_all(dir).map_err(cache(dir))?;
        Ok(Worktree {
            tree: tree.clone(),
            dir: dir.to_owned(),
            unit: unit.to_owned(),
            events: events.clone(),
            _lock: lock,
        })
    }

    /// The folder with the files.
    pub fn dir(&self) -> &Utf8Path {
        &self.dir
    }

    /// The commit that the folder was last proven to equal; `None` before the first switch and after a failed one.
    pub fn commit(&self) -> Option<String> {
        fs_err::read_to_string(self.beside("state")).ok().map(|text| text.trim().to_owned())
    }

    /// Makes the folder equal `revision` exactly: differing files are rewritten, all others keep their times, and
    /// files that are not in the revision (ignored ones too) are removed. Half a second when little differs, half a
    /// minute the first time.
    ///
    /// # Errors
    /// When git or the disk fails, or `cancel` comes; the next switch then repairs the folder.
    pub async fn switch(
        &mut self,
        revision: &RevisionCommit,
        cancel: &CancellationToken,
    ) -> Result<Switched, WorktreeError> {
        let commit = revision.commit.as_str();
        // The lock is ours: whoever made this file is dead.
        remove(&self.beside("index.lock"))?;
        let trusted = self.commit().is_some() && self.beside("index").is_file();
        remove(&self.beside("state"))?;
        let mut compared = !trusted;
        if trusted {
            // A broken index is no reason to fail: the files themselves are compared then.
            compared = match self.settle(commit, cancel).await {
                Ok(difference) => difference.is_some(),
                Err(WorktreeError::Git { .. }) => true,
                Err(error) => return Err(error),
            };
        }
        if compared {
            self.compare(commit, cancel).await?;
            if let Some(difference) = self.settle(commit, cancel).await? {
                let (dir, commit) = (self.dir.clone(), commit.to_owned());
                return Err(WorktreeError::Different { dir, commit, difference });
            }
        }
        let state = self.beside("state");
        let new = self.beside("state.new");
        fs_err::write(&new, format!("{commit}\n"))
            .and_then(|()| fs_err::rename(&new, &state))
            .map_err(cache(&state))?;
        Ok(Switched { compared })
    }

    /// A new index, with the times of those files that have the right content.
    async fn compare(&self, commit: &str, cancel: &CancellationToken) -> Result<(), WorktreeError> {
        remove(&self.beside("index"))?;
        self.run("read-tree", &[commit], cancel).await?;
        // Exits with 1 where files differ, which is what it is asked to find out.
        self.output("update-index", &["-q", "--refresh"], cancel).await.map(drop)
    }

    /// Writes what differs by the index, removes what does not belong, and gives what differs still.
    async fn settle(&self, commit: &str, cancel: &CancellationToken) -> Result<Option<String>, WorktreeError> {
        let dir = self.dir.clone();
        let swept = tokio::task::spawn_blocking(move || remove_git_folders(&dir)).await;
        swept.map_err(std::io::Error::other).flatten().map_err(cache(&self.dir))?;
        self.run("read-tree", &["--reset", "-u", "-v", commit], cancel).await?;
        let (changed, mut others) = tokio::try_join!(self.changed(commit, cancel), self.others(cancel))?;
        if !others.is_empty() {
            self.run("clean", &["-ffdxq"], cancel).await?;
            others = self.others(cancel).await?;
        }
        let lines: Vec<&str> = changed.lines().chain(others.lines()).take(10).collect();
        Ok((!lines.is_empty()).then(|| lines.join(", ").replace('\t', " ")))
    }

    /// Files of `commit` that differ.
    async fn changed(&self, commit: &str, cancel: &CancellationToken) -> Result<String, WorktreeError> {
        self.run("diff-index", &["--name-status", "--no-renames", commit], cancel).await
    }

    /// Files and folders, empty ones too, that are in no revision.
    async fn others(&self, cancel: &CancellationToken) -> Result<String, WorktreeError> {
        self.run("ls-files", &["--others", "--directory"], cancel).await
    }

    fn command(&self, name: &str, args: &[&str]) -> Command {
        git(&self.tree.repo, &self.dir)
            .args(["-c", "core.bare=false", "-c", "core.ignoreStat=false", "-c", "core.trustctime=true"])
            .args([
                "-c",
                "core.checkStat=default",
                "-c",
                "core.untrackedCache=false",
                "-c",
                "core.sparseCheckout=false",
            ])
            .env("GIT_WORK_TREE", self.dir.as_str())
            .env("GIT_INDEX_FILE", self.beside("index").as_str())
            .arg(name)
            .args(args.iter().copied())
            .returns_end_lines()
    }

    async fn run(&self, name: &str, args: &[&str], cancel: &CancellationToken) -> Result<String, WorktreeError> {
        match self.output(name, args, cancel).await? {
            (told, true) => Ok(told),
            (reason, false) => Err(WorktreeError::Git { dir: self.dir.clone(), step: name.to_owned(), reason }),
        }
    }

    /// Runs git; gives what it said (its output, or its complaints where it failed) and whether it was content.
    async fn output(
        &self,
        name: &str,
        args: &[&str],
        cancel: &CancellationToken,
    ) -> Result<(String, bool), WorktreeError> {
        let (mut out, mut err) = (String::new(), String::new());
        let command = self.command(name, args);
        let exit = command.run(cancel, |stream, line| match (stream, meter(line)) {
            (Stream::Err, Some((_, done, total))) => {
                let message = format!("writing files of {}", self.tree.name);
                (self.events)(Event::UnitProgress { unit: self.unit.clone(), done, total, message });
            }
            (Stream::Out, _) => keep(&mut out, line),
            (Stream::Err, None) => keep(&mut err, line),
        });
        match exit.await?.end {
            End::Code(0) => Ok((out, true)),
            End::Cancelled => Err(WorktreeError::Cancelled { dir: self.dir.clone() }),
            End::Code(_) | End::Deadline => Ok((err.trim().to_owned(), false)),
            End::Signal(signal) => Ok((format!("ended by signal {signal}"), false)),
        }
    }

    fn beside(&self, what: &str) -> Utf8PathBuf {
        beside(&self.dir, what)
    }
}

/// Most bytes of output kept.
const OUTPUT_LIMIT: usize = 4096;

fn keep(text: &mut String, line: &str) {
    if text.len() < OUTPUT_LIMIT && !line.is_empty() {
        text.push_str(line);
        text.push('\n');
    }
}

/// `work/linux-6.12/src` and `index` give `work/linux-6.12/src.index`.
/// A file of the worktree that does not lie in it.
pub(super) fn beside(dir: &Utf8Path, what: &str) -> Utf8PathBuf {
    Utf8PathBuf::from(format!("{dir}.{what}"))
}

fn cache(path: &Utf8Path) -> impl FnOnce(std::io::Error) -> WorktreeError + use<> {
    let path = path.to_owned();
    move |source| WorktreeError::Cache { path, source }
}

fn remove(file: &Utf8Path) -> Result<(), WorktreeError> {
    match fs_err::remove_file(file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(cache(file)(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Everything in the folder that is not in a revision will be removed: it must be a folder of ours.
fn refuse_foreign(dir: &Utf8Path, lock: &Utf8Path) -> Result<(), WorktreeError> {
    let empty = match fs_err::read_dir(dir) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => true,
        Err(error) => return Err(cache(dir)(error)),
    };
    if empty || lock.exists() { Ok(()) } else { Err(WorktreeError::Foreign { dir: dir.to_owned() }) }
}

#[cfg(test)]
#[path = "worktree_tests.rs"]
mod tests;
