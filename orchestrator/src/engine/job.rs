//! Units of work as data, complete: another host needs nothing else but the cache.

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::build::BuildOptions;
use crate::lab::{Counting, Selection};
use crate::words::{
    Accel, BootEnd, BootRecord, BootSpec, BuildOutcome, BuildRecord, EventSink, Kconfig, Machine, Revision,
    RevisionCommit, Suite, Tree,
};

/// Raised whenever jobs or results change their meaning; a program of another format refuses them.
pub(super) const FORMAT: u32 = 1;

/// A unit of work in the file `job.json`. Paths in it are relative to the cache where they lie below it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Format of this file.
    pub format: u32,
    /// Version of the program that wrote it; another one refuses it.
    pub program: String,
    /// The unit, `build/linux-6.12/p3/hmm`.
    pub unit: String,
    /// Attempt of the run at it, from 1.
    pub attempt: u32,
    /// What is to be done.
    pub work: Work,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Work {
    /// A revision is built with a kconfig.
    Build(Box<BuildJob>),
    /// A build is booted and suites run in it.
    Boot(Box<BootJob>),
}

/// A build to make.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildJob {
    /// Key of the result: a node whose tools are others finds another one and refuses.
    pub key: String,
    /// The tree.
    pub tree: Tree,
    /// The revision.
    pub revision: RevisionCommit,
    /// The kconfig.
    pub kconfig: Kconfig,
    /// Suites whose selftests belong to it.
    pub suites: Vec<Suite>,
    /// Parallel jobs of make.
    pub jobs: usize,
    /// Options of the run.
    pub options: BuildOptions,
    /// Paths that the whole series touches.
    pub touched: Vec<String>,
    /// Build although the cache holds the result.
    pub fresh: bool,
}

/// A boot to be had, with what it takes to judge it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BootJob {
    /// Key of the result.
    pub key: String,
    /// Kernel image.
    pub image: Utf8PathBuf,
    /// Its GNU build id in hex, where the build tells one: the proof that a box runs it.
    #[serde(default)]
    pub build_id: Option<String>,
    /// Module files in load order.
    pub modules: Vec<Utf8PathBuf>,
    /// Configuration of the kernel.
    pub config: Utf8PathBuf,
    /// Selftest program of each suite.
    pub programs: Vec<(String, Utf8PathBuf)>,
    /// Further files for the machine: where each is, and its path there.
    pub files: Vec<(Utf8PathBuf, String)>,
    /// Counts instructions by function.
    pub counting: Option<Counting>,
    /// Suites to run, in order.
    pub suites: Vec<Suite>,
    /// What the kconfig asks of the machine.
    pub spec: BootSpec,
    /// The machine.
    pub machine: Machine,
    /// Which tests, how often.
    pub selection: Selection,
    /// How to execute instructions.
    pub accel: Accel,
    /// True when it measures: numbers of another clock are dropped.
    pub measures: bool,
    /// True when it measures on the wall clock, which needs the node for itself.
    pub exclusive: bool,
    /// Revision of the kernel.
    pub kernel: Revision,
    /// Revision of the selftests.
    pub selftests: Revision,
    /// Name of the kconfig.
    pub kconfig: String,
}

/// What a unit gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Done {
    /// A build.
    Build(Box<BuildRecord>),
    /// A boot.
    Boot(Box<BootRecord>),
}

/// The file `result.json` of a unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitResult {
    /// Format of this file.
    pub format: u32,
    /// Digest of the job it answers.
    pub digest: String,
    /// Which attempt of the engine made it: `<job>.<restart>`.
    pub id: String,
    /// Where.
    pub node: String,
    /// What a person should know.
    pub notes: Vec<String>,
    /// The record; paths below the cache are relative to it.
    pub done: Done,
}

/// What units are done with.
#[derive(Clone)]
pub struct Surroundings {
    /// The cache.
    pub cache: Utf8PathBuf,
    /// The node, when this is not the host of the run: its work folders are apart.
    pub node: Option<String>,
    /// Where progress goes.
    pub events: EventSink,
    /// Ends the unit early.
    pub cancel: CancellationToken,
}

impl Job {
    /// A job of this program for `cache`.
    pub fn new(unit: &str, attempt: u32, mut work: Work, cache: &Utf8Path) -> Job {
        each_path(&mut work, |path| relative(cache, path));
        Job { format: FORMAT, program: env!("CARGO_PKG_VERSION").to_owned(), unit: unit.to_owned(), attempt, work }
    }

    /// The work with paths as they are where the cache is `cache`.
    pub fn work_in(&self, cache: &Utf8Path) -> Work {
        let mut work = self.work.clone();
        each_path(&mut work, |path| *path = cache.join(&*path));
        work
    }

    /// What tells it from every other job.
    pub fn digest(&self) -> String {
        let text = serde_json::to_vec(self).expect("plain data always serialises");
        blake3::hash(&text).to_hex().to_string()
    }
}

impl Done {
    /// Whether it is trouble of ours, which says nothing about the next try.
    pub(super) fn is_trouble(&self) -> bool {
        match self {
            Done::Build(record) => match record.outcome {
                BuildOutcome::Infra { .. } | BuildOutcome::NotRun { .. } => true,
                BuildOutcome::Built | BuildOutcome::Failed { .. } | BuildOutcome::SelftestsFailed { .. } => false,
            },
            Done::Boot(record) => match record.end {
                BootEnd::Infra { .. } => true,
                BootEnd::Completed | BootEnd::Panicked | BootEnd::Hung { .. } | BootEnd::Reset => false,
            },
        }
    }

    /// As it goes into a file.
    pub(super) fn without_cache(mut self, cache: &Utf8Path) -> Done {
        relative(cache, self.dir());
        self
    }

    /// As it is where the cache is `cache`.
    pub(super) fn with_cache(mut self, cache: &Utf8Path) -> Done {
        let dir = self.dir();
        if !dir.as_str().is_empty() {
            *dir = cache.join(&*dir);
        }
        self
    }

    fn dir(&mut self) -> &mut Utf8PathBuf {
        match self {
            Done::Build(record) => &mut record.artefacts.dir,
            Done::Boot(record) => &mut record.dir,
        }
    }
}

fn each_path(work: &mut Work, mut change: impl FnMut(&mut Utf8PathBuf)) {
    match work {
        Work::Build(job) => change(&mut job.tree.repo),
        Work::Boot(job) => {
            change(&mut job.image);
            change(&mut job.config);
            job.modules.iter_mut().for_each(&mut change);
            job.programs.iter_mut().for_each(|(_, path)| change(path));
            job.files.iter_mut().for_each(|(path, _)| change(path));
            if let Some(counting) = &mut job.counting {
                change(&mut counting.plugin);
                change(&mut counting.symbols);
            }
        }
    }
}

/// Makes a path below the cache relative to it; others (a user's clone) are the same on every host.
fn relative(cache: &Utf8Path, path: &mut Utf8PathBuf) {
    if let Ok(inside) = path.strip_prefix(cache) {
        *path = inside.to_owned();
    }
}
