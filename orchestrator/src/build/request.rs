//! What a build is asked to do.

use camino::Utf8PathBuf;
use tokio_util::sync::CancellationToken;

use crate::words::{EventSink, Kconfig, RevisionCommit, Suite};

/// Options of a run that hold for all its builds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct BuildOptions {
    /// Extra compiler warnings (`W=1`).
    pub w1: bool,
    /// Run sparse over everything that is compiled (`C=1`).
    pub sparse: bool,
}

/// One build to make: a revision with a kconfig.
#[derive(Clone)]
pub struct BuildRequest {
    /// Worktree of the tree, already switched to the revision. Never written to.
    pub source: Utf8PathBuf,
    /// The revision and its git objects.
    pub revision: RevisionCommit,
    /// The kconfig.
    pub kconfig: Kconfig,
    /// Suites whose selftests are built with it; only kind boot looks at them.
    pub suites: Vec<Suite>,
    /// The kernel's `O=` folder, kept between revisions; used by one build at a time. Selftests are built in a
    /// folder beside it that all kconfigs of the same architecture share.
    pub out: Utf8PathBuf,
    /// Cache folder; the result goes to `builds/<key>/` in it.
    pub cache: Utf8PathBuf,
    /// Parallel jobs of make.
    pub jobs: usize,
    /// Options of the run.
    pub options: BuildOptions,
    /// Paths that the whole series touches; kind compile builds what they reach.
    pub touched: Vec<String>,
    /// Build although the cache holds the result; make still takes what its folder has.
    pub fresh: bool,
    /// Name for events, e.g. `build linux-6.12/p3/hmm`.
    pub unit: String,
    /// Where progress goes.
    pub events: EventSink,
    /// Ends the build early.
    pub cancel: CancellationToken,
}

impl BuildRequest {
    /// Make variables beyond those every build gets: the kconfig's own and those of the options, each once.
    pub(super) fn extra_make(&self) -> Vec<String> {
        let mut extra = self.kconfig.make.clone();
        let options = [(self.options.w1, "W=1"), (self.options.sparse, "C=1")];
        extra.extend(options.into_iter().filter(|(on, _)| *on).map(|(_, word)| word.to_owned()));
        let mut seen = std::collections::BTreeSet::new();
        extra.retain(|word| seen.insert(word.clone()));
        extra
    }

    /// Selftest programs to build, below `tools/testing/selftests`, sorted, each once.
    pub(super) fn selftests(&self) -> Vec<String> {
        match self.kconfig.kind {
            crate::words::Kind::Boot => {
                let programs: std::collections::BTreeSet<_> =
                    self.suites.iter().filter_map(|s| s.selftest.clone()).collect();
                programs.into_iter().collect()
            }
            crate::words::Kind::Compile | crate::words::Kind::Link => Vec::new(),
        }
    }
}
