//! What the user asked of a run. Kept in the run folder, so that `resume` and `reproduce` need nothing else.

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

use crate::tree::TreeSpec;
use crate::words::{Clock, Profile, Tags};

/// A tree named on the command line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TreeArgument {
    /// A name from `series/trees.yaml`.
    Name(String),
    /// A local clone and the revision in it that is the base.
    Clone {
        /// Folder of the clone, absolute.
        path: Utf8PathBuf,
        /// Anything `git rev-parse` takes.
        rev: String,
    },
}

impl TreeArgument {
    /// The tree's name in units, logs and reports; that of a clone is made from its path.
    pub fn name(&self) -> String {
        match self {
            TreeArgument::Name(name) => name.clone(),
            TreeArgument::Clone { path, rev } => TreeSpec::local(path, rev).name,
        }
    }

    /// Reads `NAME`, `PATH` or `PATH@REV`. A path is what contains a slash or names an existing folder below `cwd`.
    pub fn parse(text: &str, cwd: &Utf8Path) -> TreeArgument {
        let (path, rev) = match text.rsplit_once('@') {
            Some((path, rev)) if !rev.is_empty() && !rev.contains('/') => (path, rev),
            _ => (text, "HEAD"),
        };
        let absolute = cwd.join(path);
        if path.contains('/') || path == "." || path == ".." || absolute.join(".git").exists() {
            let path = absolute.canonicalize_utf8().unwrap_or(absolute);
            TreeArgument::Clone { path, rev: rev.to_owned() }
        } else {
            TreeArgument::Name(text.to_owned())
        }
    }
}

fn local() -> String {
    crate::engine::LOCAL.to_owned()
}

/// The options of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Options {
    /// The series argument as the user gave it, for titles and messages.
    pub series: String,
    /// Trees to test on.
    pub trees: Vec<TreeArgument>,
    /// Which kconfigs of the matrix.
    pub profile: Profile,
    /// Only these kconfigs, whatever their profile; empty means by profile.
    pub kconfigs: Vec<String>,
    /// Boot on these machines instead of those of the kconfigs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub machines: Vec<String>,
    /// Boot on every machine that has all of these tags.
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub machines_with: Tags,
    /// Only these tests (full names, `hmm.hmm.hmm_device_private.anon_read`); empty means all.
    pub tests: Vec<String>,
    /// Build with `W=1`.
    pub w1: bool,
    /// Build with sparse (`C=1`).
    pub sparse: bool,
    /// Build only, boot nothing.
    pub no_boot: bool,
    /// Clocks on which benchmarks run; none when empty.
    #[serde(default)]
    pub clocks: Vec<Clock>,
    /// Take no result from the cache.
    pub fresh: bool,
    /// Ask the trees' sources for a newer state first.
    #[serde(default)]
    pub refresh: bool,
    /// Files and folders with patches that the series builds on.
    #[serde(default)]
    pub prerequisites: Vec<Utf8PathBuf>,
    /// True when it does only what one finding of another run needs.
    #[serde(default)]
    pub reproduces: bool,
    /// The engine; `local` in runs of before there were others.
    #[serde(default = "local")]
    pub engine: String,
    /// True when nobody named the series: a night follows it.
    #[serde(default)]
    pub by_itself: bool,
    /// Parallel jobs of make.
    pub jobs: usize,
    /// Guests at the same time.
    pub guests: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_argument_is_a_name_or_a_clone() {
        let cwd = Utf8Path::new("/nowhere");
        assert_eq!(TreeArgument::parse("linux-6.12", cwd), TreeArgument::Name("linux-6.12".into()));
        let clone = |path: &str, rev: &str| TreeArgument::Clone { path: path.into(), rev: rev.into() };
        assert_eq!(TreeArgument::parse("/src/linux", cwd), clone("/src/linux", "HEAD"));
        assert_eq!(TreeArgument::parse("./linux@v6.12", cwd), clone("/nowhere/./linux", "v6.12"));
        assert_eq!(TreeArgument::parse("/home/a@b/linux", cwd), clone("/home/a@b/linux", "HEAD"));
    }
}
