//! How jobs and artefacts get to the nodes of a cluster, and results back.

use std::collections::BTreeSet;

use camino::{Utf8Path, Utf8PathBuf};
use futures::future::BoxFuture;

use super::Job;

/// A file that a job needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// SHA-256 of its content, in hex.
    pub hash: String,
    /// Where it is on this host.
    pub from: Utf8PathBuf,
    /// Where nodes look for it, below their cache.
    pub to: Utf8PathBuf,
    /// Where nodes may have it already, below their cache: what they built themselves.
    pub known: Option<Utf8PathBuf>,
}

/// A commit that a job needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Repository on this host that has it.
    pub repo: Utf8PathBuf,
    /// The commit.
    pub commit: String,
    /// Repository of the nodes, below their cache.
    pub to: Utf8PathBuf,
}

/// A job with all that has to travel with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parcel {
    /// The job as nodes are to read it.
    pub job: Job,
    /// Files it needs.
    pub items: Vec<Item>,
    /// The source it builds.
    pub source: Option<Source>,
    /// This program on the nodes.
    pub program: String,
}

/// Whoever carries jobs to the nodes and results back. Folders of jobs are named relative to the cache.
pub trait Carrier: Send + Sync {
    /// The cache as nodes see it.
    fn cache(&self) -> &Utf8Path;

    /// What has to travel so that nodes can do `job`.
    fn pack<'a>(&'a self, job: &'a Job) -> BoxFuture<'a, Result<Parcel, String>>;

    /// Brings a parcel to the nodes, its job into `folder`. What is there already does not travel again.
    fn send<'a>(&'a self, parcel: &'a Parcel, folder: &'a Utf8Path) -> BoxFuture<'a, Result<(), String>>;

    /// Names of those folders below `jobs` whose results wait to be fetched.
    fn arrived<'a>(&'a self, jobs: &'a Utf8Path) -> BoxFuture<'a, Result<BTreeSet<String>, String>>;

    /// Fetches the result in `folder` with its artefacts; the result itself comes last.
    fn fetch<'a>(&'a self, job: &'a Job, folder: &'a Utf8Path) -> BoxFuture<'a, Result<(), String>>;

    /// Makes the nodes forget the result in `folder`.
    fn forget<'a>(&'a self, folder: &'a Utf8Path) -> BoxFuture<'a, Result<(), String>>;

    /// The last line of the last log in `folder`; empty when there is none.
    fn last_words<'a>(&'a self, folder: &'a Utf8Path) -> BoxFuture<'a, String>;
}

/// Nodes that see the cache of this host: nothing travels.
#[derive(Debug, Clone)]
pub struct Shared {
    /// The cache.
    pub cache: Utf8PathBuf,
    /// This program on the nodes.
    pub program: String,
}

impl Carrier for Shared {
    fn cache(&self) -> &Utf8Path {
        &self.cache
    }

    fn pack<'a>(&'a self, job: &'a Job) -> BoxFuture<'a, Result<Parcel, String>> {
        let parcel = Parcel { job: job.clone(), items: Vec::new(), source: None, program: self.program.clone() };
        Box::pin(async { Ok(parcel) })
    }

    fn send<'a>(&'a self, _: &'a Parcel, _: &'a Utf8Path) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async { Ok(()) })
    }

    fn arrived<'a>(&'a self, _: &'a Utf8Path) -> BoxFuture<'a, Result<BTreeSet<String>, String>> {
        Box::pin(async { Ok(BTreeSet::new()) })
    }

    fn fetch<'a>(&'a self, _: &'a Job, _: &'a Utf8Path) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async { Ok(()) })
    }

    fn forget<'a>(&'a self, _: &'a Utf8Path) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async { Ok(()) })
    }

    fn last_words<'a>(&'a self, folder: &'a Utf8Path) -> BoxFuture<'a, String> {
        let folder = self.cache.join(folder);
        Box::pin(async move {
            let mut logs: Vec<Utf8PathBuf> = match folder.read_dir_utf8() {
                Ok(entries) => entries.flatten().map(|entry| entry.path().to_owned()).collect(),
                Err(_) => Vec::new(),
            };
            logs.retain(|path| path.extension() == Some("log"));
            logs.sort();
            let text = logs.last().and_then(|log| std::fs::read_to_string(log).ok()).unwrap_or_default();
            text.trim().lines().last().unwrap_or_default().to_owned()
        })
    }
}
