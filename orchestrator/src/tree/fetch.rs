//! Getting a tree into the cache, once.

use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};
use git2::Repository;
use tokio_util::sync::CancellationToken;

use super::debian::{Apt, installed};
use super::error::{SourceError, TreeError};
use super::file::{CloneEntry, DebianEntry};
use super::git::PLAIN_BYTES;
use super::lock::Lock;
use super::marker::{Imported, stamp};
use super::spec::{GitRef, Source, TarballPlace, TreeSpec};
use super::{download, import, local, query, remote};
use crate::words::{Event, EventSink, SourceFailure, Tree};

/// Where a source puts its commit until it is known to be good.
const INCOMING: &str = "refs/incoming/base";

/// How to fetch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FetchOptions {
    /// Ask the sources for a newer state instead of taking what the cache has.
    pub refresh: bool,
}

/// Gives the tree `spec` from the cache (in milliseconds), or imports it from the first of its sources that serves.
///
/// Only the folder `trees/` of `cache` is written. Progress comes as [`Event::UnitProgress`] of `unit`; a source that
/// fails is an [`Event::Note`]. Another run that imports the same tree is waited for. When a refresh finds no source
/// in reach, the cached state serves, and `skipped_sources` of the result says so.
///
/// # Errors
/// When no source serves (all are listed with their reasons), the cache cannot be written, or `cancel` comes.
pub async fn fetch(
    spec: &TreeSpec,
    cache: &Utf8Path,
    unit: &str,
    options: FetchOptions,
    events: &EventSink,
    cancel: &CancellationToken,
) -> Result<Tree, TreeError> {
    let job = Job { spec, place: Place::new(cache, &spec.name), unit, events, cancel };
    if !options.refresh
        && let Some(tree) = job.recognised()
    {
        return Ok(tree);
    }
    let waiting = || job.note(format!("another run imports tree {}; waiting for it", spec.name));
    let lock = Lock::take(&job.place.lock, waiting, cancel).await;
    let Some(_lock) = lock.map_err(|source| job.cache_error(&job.place.lock, source))? else {
        return Err(TreeError::Cancelled { tree: spec.name.clone() });
    };
    if !options.refresh
        && let Some(tree) = job.recognised()
    {
        return Ok(tree);
    }
    job.import().await
}

/// Fetches one commit (40 hex digits) of the tree `spec` by its id, from the first of its git sources that gives it, and
/// gives the tree with that commit as its base. Only that one state is fetched, without its history. What the cache
/// has of the tree otherwise stays as it is.
///
/// # Errors
/// When no git source has the commit (all are listed with their reasons), the cache cannot be written, or `cancel`
/// comes.
pub async fn fetch_commit(
    spec: &TreeSpec,
    cache: &Utf8Path,
    unit: &str,
    commit: &str,
    events: &EventSink,
    cancel: &CancellationToken,
) -> Result<Tree, TreeError> {
    let job = Job { spec, place: Place::new(cache, &spec.name), unit, events, cancel };
    let waiting = || job.note(format!("another run imports tree {}; waiting for it", spec.name));
    let lock = Lock::take(&job.place.lock, waiting, cancel).await;
    let Some(_lock) = lock.map_err(|source| job.cache_error(&job.place.lock, source))? else {
        return Err(TreeError::Cancelled { tree: spec.name.clone() });
    };
    job.import_commit(commit).await
}

/// Where a tree lies in the cache.
struct Place {
    repo: Utf8PathBuf,
    lock: Utf8PathBuf,
    temporary: Utf8PathBuf,
}

impl Place {
    fn new(cache: &Utf8Path, tree: &str) -> Place {
        let trees = cache.join("trees");
        Place {
            repo: trees.join(format!("{tree}.git")),
            lock: lock_of(&trees.join(format!("{tree}.git"))),
            temporary: trees.join(format!("{tree}.tmp")),
        }
    }

    /// A bare repository, empty or with a finished import; whatever an interrupted import left is thrown away.
    fn prepare(&self) -> std::io::Result<Option<Imported>> {
        remove_folder(&self.temporary)?;
        let earlier = Imported::read(&self.repo);
        if earlier.is_none() {
            remove_folder(&self.repo)?;
            fs_err::create_dir_all(&self.repo)?;
            let repo = Repository::init_bare(&self.repo).map_err(std::io::Error::other)?;
            drop(repo);
            fs_err::create_dir_all(self.repo.join("info"))?;
            fs_err::write(self.repo.join("info/attributes"), PLAIN_BYTES)?;
        }
        fs_err::create_dir_all(&self.temporary)?;
        Ok(earlier)
    }
}

/// The lock on a tree's repository, beside it.
pub(super) fn lock_of(repo: &Utf8Path) -> Utf8PathBuf {
    repo.with_extension("lock")
}

fn remove_folder(folder: &Utf8Path) -> std::io::Result<()> {
    match fs_err::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// What a source gave.
struct Served {
    commit: String,
    served: String,
    version: String,
}

struct Job<'a> {
    spec: &'a TreeSpec,
    place: Place,
    unit: &'a str,
    events: &'a EventSink,
    cancel: &'a CancellationToken,
}

impl Job<'_> {
    /// The tree as the cache has it, when that is still what the tree's file asks for.
    fn recognised(&self) -> Option<Tree> {
        let marker = Imported::read(&self.place.repo)?;
        if !self.spec.sources.contains(&marker.source) {
            return None;
        }
        match &marker.source {
            Source::Debian(_) | Source::Git { .. } | Source::Tarball { place: TarballPlace::Url(_), .. } => {}
            Source::Tarball { place: TarballPlace::Path(path), .. } => {
                // A tarball that is gone is no reason to forget what was imported from it.
                if stamp(path).is_ok_and(|now| now != marker.version) {
                    return None;
                }
            }
            // Its branches move without our doing, and asking costs nothing.
            Source::Clone(_) => return None,
        }
        let repo = Repository::open_bare(&self.place.repo).ok()?;
        repo.find_commit(git2::Oid::from_str(&marker.commit).ok()?).ok()?.tree().ok()?;
        Some(self.tree(marker))
    }

    async fn import(&self) -> Result<Tree, TreeError> {
        let earlier = self.place.prepare().map_err(|source| self.cache_error(&self.place.repo, source))?;
        let mut failures: Vec<SourceFailure> = Vec::new();
        for source in &self.spec.sources {
            let served = self.serve(source, earlier.as_ref()).await;
            match served.and_then(|served| self.accept(source, served, &failures)) {
                Ok(marker) => {
                    marker.write(&self.place.repo).map_err(|source| self.cache_error(&self.place.repo, source))?;
                    remove_folder(&self.place.temporary)
                        .map_err(|source| self.cache_error(&self.place.temporary, source))?;
                    return Ok(self.tree(marker));
                }
                Err(SourceError::Cancelled) => return Err(TreeError::Cancelled { tree: self.spec.name.clone() }),
                Err(error) => {
                    let failure = SourceFailure { source: source.to_string(), reason: error.to_string() };
                    self.note(format!("tree {}: {failure}", self.spec.name));
                    failures.push(failure);
                }
            }
        }
        // Best effort: both are thrown away before the next import in any case.
        let _ = remove_folder(&self.place.temporary);
        if earlier.is_none() {
            let _ = remove_folder(&self.place.repo);
        }
        match earlier.filter(|earlier| self.spec.sources.contains(&earlier.source)) {
            Some(mut earlier) => {
                let message =
                    format!("no source of tree {} could be refreshed; the cached state serves", self.spec.name);
                self.note(message);
                earlier.skipped.extend(failures.iter().map(ToString::to_string));
                Ok(self.tree(earlier))
            }
            None => Err(TreeError::Unavailable { tree: self.spec.name.clone(), failures }),
        }
    }

    async fn import_commit(&self, commit: &str) -> Result<Tree, TreeError> {
        let earlier = self.place.prepare().map_err(|source| self.cache_error(&self.place.repo, source))?;
        let mut failures: Vec<SourceFailure> = Vec::new();
        for source in &self.spec.sources {
            let Source::Git { url, .. } = source else { continue };
            let pinned = Source::Git { url: url.clone(), at: GitRef::Commit(commit.to_owned()) };
            let served = self.serve(&pinned, None).await;
            match served.and_then(|served| self.accept(&pinned, served, &failures)) {
                Ok(marker) => {
                    // A tree that is imported already stays what it is.
                    if earlier.is_none() {
                        marker.write(&self.place.repo).map_err(|source| self.cache_error(&self.place.repo, source))?;
                    }
                    return Ok(self.tree(marker));
                }
                Err(SourceError::Cancelled) => return Err(TreeError::Cancelled { tree: self.spec.name.clone() }),
                Err(error) => {
                    failures.push(SourceFailure { source: pinned.to_string(), reason: error.to_string() });
                }
            }
        }
        // Best effort: both are thrown away before the next import in any case.
        let _ = remove_folder(&self.place.temporary);
        if earlier.is_none() {
            let _ = remove_folder(&self.place.repo);
        }
        Err(TreeError::Unavailable { tree: self.spec.name.clone(), failures })
    }

    async fn serve(&self, source: &Source, earlier: Option<&Imported>) -> Result<Served, SourceError> {
        let earlier = earlier.filter(|earlier| earlier.source == *source);
        match source {
            Source::Debian(entry) => self.debian(entry, earlier).await,
            Source::Git { url, at } => self.git(url, at, earlier).await,
            Source::Clone(entry) => self.clone(entry),
            Source::Tarball { place, sha256 } => self.tarball(place, sha256.as_deref()).await,
        }
    }

    async fn debian(&self, entry: &DebianEntry, earlier: Option<&Imported>) -> Result<Served, SourceError> {
        let unchanged = |served: &str| {
            let earlier = earlier.filter(|earlier| earlier.served == served)?;
            Some(Served { commit: earlier.commit.clone(), served: served.to_owned(), version: earlier.version.clone() })
        };
        if let Some((package, file)) = installed(entry, self.cancel).await? {
            let served = format!("Debian package {} {} (installed)", package.name, package.version);
            if let Some(unchanged) = unchanged(&served) {
                return Ok(unchanged);
            }
            let commit = self.tar(&file, &format!("{} {}", package.name, package.version)).await?;
            return Ok(Served { commit, served, version: package.version });
        }
        let apt = Apt::new(&self.place.temporary.join("apt"), entry.suite.as_deref())?;
        self.progress(0, 0, "reading package lists");
        apt.update(self.cancel).await?;
        let (package, size) = apt.resolve(entry, self.cancel).await?;
        let from = entry.suite.as_deref().map_or("this host's suite".to_owned(), |suite| format!("suite {suite}"));
        let served = format!("Debian package {} {} ({from})", package.name, package.version);
        if let Some(unchanged) = unchanged(&served) {
            return Ok(unchanged);
        }
        let message = format!("downloading {} {}", package.name, package.version);
        let file = apt.download(&package, size, |done| self.progress(done, size, &message), self.cancel).await?;
        let commit = self.tar(&file, &format!("{} {}", package.name, package.version)).await?;
        Ok(Served { commit, served, version: package.version })
    }

    async fn git(&self, url: &str, at: &GitRef, earlier: Option<&Imported>) -> Result<Served, SourceError> {
        self.progress(0, 0, &format!("asking {url}"));
        let repo = &self.place.repo;
        let version = remote::resolve(repo, url, at, self.cancel).await?;
        let commit = match earlier.filter(|earlier| earlier.version == version) {
            Some(earlier) => earlier.commit.clone(),
            None => {
                let report = |done, total, phase: &str| self.progress(done, total, phase);
                remote::fetch(repo, url, at, INCOMING, report, self.cancel).await?;
                let repo = Repository::open_bare(repo)?;
                repo.find_reference(INCOMING)?.peel_to_commit()?.id().to_string()
            }
        };
        Ok(Served { served: format!("git {url} {at} ({})", short(&commit)), commit, version })
    }

    fn clone(&self, entry: &CloneEntry) -> Result<Served, SourceError> {
        let commit = local::borrow_commit(&self.place.repo, entry)?;
        let at = match commit.starts_with(&entry.rev) {
            true => short(&commit).to_owned(),
            false => format!("{} ({})", entry.rev, short(&commit)),
        };
        let served = format!("clone {} at {at}", entry.path);
        Ok(Served { version: commit.clone(), commit, served })
    }

    async fn tarball(&self, place: &TarballPlace, sha256: Option<&str>) -> Result<Served, SourceError> {
        let (file, name, version) = match place {
            TarballPlace::Path(path) => {
                let version = stamp(path).map_err(|source| SourceError::io("not readable", source))?;
                (path.clone(), path.file_name().unwrap_or("tarball").to_owned(), version)
            }
            TarballPlace::Url(url) => {
                let file = self.place.temporary.join("download");
                let message = format!("downloading {url}");
                download::download(url, &file, |percent| self.progress(percent, 100, &message), self.cancel).await?;
                (file, url.rsplit('/').next().unwrap_or("tarball").to_owned(), url.clone())
            }
        };
        if let Some(wanted) = sha256 {
            let (file, wanted) = (file.clone(), wanted.to_owned());
            let check = tokio::task::spawn_blocking(move || download::check_sha256(&file, &wanted));
            check.await.map_err(|error| SourceError::Refused(error.to_string()))??;
        }
        let commit = self.tar(&file, &name).await?;
        let served = match place {
            TarballPlace::Path(path) => format!("tarball {path}"),
            TarballPlace::Url(url) => format!("tarball {url}"),
        };
        Ok(Served { commit, served, version })
    }

    /// Imports a tarball; `what` becomes the commit message.
    async fn tar(&self, file: &Utf8Path, what: &str) -> Result<String, SourceError> {
        let (events, unit) = (Arc::clone(self.events), self.unit.to_owned());
        let message = format!("importing {what}");
        let report = move |done, total| {
            events(Event::UnitProgress { unit: unit.clone(), done, total, message: message.clone() });
        };
        import::import(&self.place.repo, file, INCOMING, what, report, self.cancel).await
    }

    /// Checks that what was served is a kernel, and makes it permanent.
    fn accept(&self, source: &Source, served: Served, failures: &[SourceFailure]) -> Result<Imported, SourceError> {
        let repo = Repository::open_bare(&self.place.repo)?;
        let id = git2::Oid::from_str(&served.commit)?;
        let commit = repo.find_commit(id)?;
        let kernel_version = query::kernel_version(&repo, id)?.map_err(SourceError::Refused)?;
        repo.reference(&format!("refs/bases/{id}"), id, true, "orchestrator: base of the tree")?;
        if let Ok(mut incoming) = repo.find_reference(INCOMING) {
            incoming.delete()?;
        }
        Ok(Imported {
            format: Imported::current_format(),
            source: source.clone(),
            served: served.served,
            version: served.version,
            commit: served.commit,
            tree: commit.tree_id().to_string(),
            kernel_version,
            skipped: failures.iter().map(ToString::to_string).collect(),
        })
    }

    fn tree(&self, marker: Imported) -> Tree {
        Tree {
            name: self.spec.name.clone(),
            repo: self.place.repo.clone(),
            commit: marker.commit,
            kernel_version: marker.kernel_version,
            source: marker.served,
            skipped_sources: marker.skipped,
        }
    }

    fn note(&self, message: String) {
        (self.events)(Event::Note { message });
    }

    fn progress(&self, done: u64, total: u64, message: &str) {
        let message = message.to_owned();
        (self.events)(Event::UnitProgress { unit: self.unit.to_owned(), done, total, message });
    }

    fn cache_error(&self, path: &Utf8Path, source: std::io::Error) -> TreeError {
        TreeError::Cache { tree: self.spec.name.clone(), path: path.to_string(), source }
    }
}

fn short(commit: &str) -> &str {
    &commit[..commit.len().min(12)]
}

#[cfg(test)]
#[path = "fetch_tests.rs"]
mod tests;
