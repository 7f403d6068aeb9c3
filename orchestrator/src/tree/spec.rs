//! A tree that can be fetched and the sources it comes from, checked.

use std::fmt;

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

use super::file::{CloneEntry, DebianEntry};

/// Which state of a git repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GitRef {
    /// The head of a branch.
    Branch(String),
    /// A tag.
    Tag(String),
    /// A commit, 40 hex digits.
    Commit(String),
}

/// Where a tarball lies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TarballPlace {
    /// A file on this host.
    Path(Utf8PathBuf),
    /// An address.
    Url(String),
}

/// One checked source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// A Debian package.
    Debian(DebianEntry),
    /// A git repository.
    Git {
        /// Address.
        url: String,
        /// Which state.
        at: GitRef,
    },
    /// A local clone.
    Clone(CloneEntry),
    /// A tar archive.
    Tarball {
        /// Where it lies.
        place: TarballPlace,
        /// SHA-256 it must have.
        sha256: Option<String>,
    },
}

/// A tree that can be fetched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TreeSpec {
    /// Name.
    pub name: String,
    /// One line for people.
    pub about: String,
    /// Sources, tried in order.
    pub sources: Vec<Source>,
}

impl TreeSpec {
    /// A tree that is a state of the user's own clone. Its name is `local-` and a short hash of the clone's path, so
    /// that two clones never share a cache.
    pub fn local(clone: &Utf8Path, rev: &str) -> TreeSpec {
        let hash = blake3::hash(clone.as_str().as_bytes()).to_hex();
        TreeSpec {
            name: format!("local-{}", &hash[..8]),
            about: format!("{rev} of {clone}"),
            sources: vec![Source::Clone(CloneEntry { path: clone.to_owned(), rev: rev.to_owned() })],
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Debian(DebianEntry { package, suite: None, .. }) => write!(f, "Debian package {package}"),
            Source::Debian(DebianEntry { package, suite: Some(suite), .. }) => {
                write!(f, "Debian package {package} of {suite}")
            }
            Source::Git { url, at } => write!(f, "git {url} {at}"),
            Source::Clone(CloneEntry { path, rev }) => write!(f, "clone {path} at {rev}"),
            Source::Tarball { place: TarballPlace::Path(path), .. } => write!(f, "tarball {path}"),
            Source::Tarball { place: TarballPlace::Url(url), .. } => write!(f, "tarball {url}"),
        }
    }
}

impl fmt::Display for GitRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GitRef::Branch(name) => write!(f, "branch {name}"),
            GitRef::Tag(name) => write!(f, "tag {name}"),
            GitRef::Commit(id) => write!(f, "commit {id}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_clones_never_share_a_name() {
        let a = TreeSpec::local(Utf8Path::new("/a"), "main");
        let b = TreeSpec::local(Utf8Path::new("/b"), "main");
        assert_ne!(a.name, b.name);
        assert_eq!(a.sources[0].to_string(), "clone /a at main");
    }
}
