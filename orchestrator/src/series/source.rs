//! What a user may call a series.

use std::fmt;

use camino::{Utf8Path, Utf8PathBuf};

use super::error::SeriesError;
use super::manifest::Manifest;
use crate::config::{Home, closest};

/// Where a series comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SeriesSource {
    /// A manifest, `series/<name>.yaml`.
    Name(String),
    /// A file of mails: an mbox, or one patch as git format-patch writes it.
    Mbox(Utf8PathBuf),
    /// A folder of patches, or a maildir.
    Folder(Utf8PathBuf),
    /// Commits of a local clone.
    Range {
        /// The clone.
        repo: Utf8PathBuf,
        /// `base..tip`.
        range: String,
    },
}

impl fmt::Display for SeriesSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SeriesSource::Name(name) => f.write_str(name),
            SeriesSource::Mbox(path) | SeriesSource::Folder(path) => f.write_str(path.as_str()),
            SeriesSource::Range { repo, range } => write!(f, "{range} of {repo}"),
        }
    }
}

impl SeriesSource {
    /// Tells what an argument means: the name of a manifest; else an existing file or folder; else a range
    /// `base..tip`, in the current folder until the caller says otherwise. Write `./v6` for a folder that is called
    /// like a manifest.
    ///
    /// # Errors
    /// When it is nothing of that, with the names there are.
    pub fn guess(argument: &str, home: &Home) -> Result<SeriesSource, SeriesError> {
        let names = Manifest::names(home).map_err(|source| SeriesError::Io { path: home.series_dir(), source })?;
        if names.iter().any(|name| name == argument) {
            return Ok(SeriesSource::Name(argument.to_owned()));
        }
        let path = Utf8Path::new(argument);
        if path.is_dir() {
            return Ok(SeriesSource::Folder(path.to_owned()));
        }
        if path.exists() {
            // `series/v6.yaml`, as a shell completes it.
            let stem = path.file_stem().unwrap_or_default();
            let is_manifest = path.extension() == Some("yaml") && names.iter().any(|name| name == stem);
            return Ok(if is_manifest {
                SeriesSource::Name(stem.to_owned())
            } else {
                SeriesSource::Mbox(path.to_owned())
            });
        }
        if is_range(argument) {
            return Ok(SeriesSource::Range { repo: Utf8PathBuf::from("."), range: argument.to_owned() });
        }
        let file_like = [".mbox", ".mbx", ".patch", ".diff", ".eml", ".gz"].iter().any(|end| argument.ends_with(end));
        if argument.contains('/') || file_like {
            return Err(SeriesError::NoSuchPath { path: path.to_owned() });
        }
        let hint = closest(argument, names.iter().map(String::as_str)).map(str::to_owned);
        Err(SeriesError::UnknownName { name: argument.to_owned(), known: names, hint })
    }
}

/// `a..b`, `a..` and `..b`, but not `../x` or `x/..`.
fn is_range(argument: &str) -> bool {
    match argument.split_once("..") {
        Some((base, tip)) => {
            let is_path = base.ends_with('/') || tip.starts_with('/') || tip.contains("../");
            let is_dots = base.is_empty() && tip.is_empty();
            !is_path && !is_dots
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let root = Utf8PathBuf::try_from(folder.path().to_owned()).unwrap();
        for name in ["series", "kconfigs", "patches", "v9"] {
            std::fs::create_dir(root.join(name)).unwrap();
        }
        for name in ["series/v9.yaml", "series/trees.yaml", "thread.mbox", "a..b"] {
            std::fs::write(root.join(name), "").unwrap();
        }
        let home = Home::find(Some(&root), &root, &root).unwrap();
        let at = |name: &str| root.join(name).to_string();
        let range = |range: &str| SeriesSource::Range { repo: ".".into(), range: range.to_owned() };
        for (argument, expected) in [
            ("v9".to_owned(), SeriesSource::Name("v9".to_owned())),
            (at("series/v9.yaml"), SeriesSource::Name("v9".to_owned())),
            (at("v9"), SeriesSource::Folder(root.join("v9"))),
            (at("patches"), SeriesSource::Folder(root.join("patches"))),
            (at("thread.mbox"), SeriesSource::Mbox(root.join("thread.mbox"))),
            (at("a..b"), SeriesSource::Mbox(root.join("a..b"))),
            ("v6.12..topic/hmm".to_owned(), range("v6.12..topic/hmm")),
            ("v6.12..".to_owned(), range("v6.12..")),
            ("..HEAD".to_owned(), range("..HEAD")),
        ] {
            assert_eq!(SeriesSource::guess(&argument, &home).unwrap(), expected, "{argument}");
        }
        let error = |argument: &str| SeriesSource::guess(argument, &home).unwrap_err().to_string();
        assert_eq!(
            error("v8"),
            "there is no series `v8`, did you mean `v9`?; known: v9 (or name an mbox, a folder of patches, or a range base..tip)"
        );
        assert_eq!(
            error("something"),
            "there is no series `something`; known: v9 (or name an mbox, a folder of patches, or a range base..tip)"
        );
        for path in ["../x.mbox", "none.mbox", "a/../b", "trees.patch"] {
            let expected = format!("{path} does not exist (name an mbox, a patch or a folder of patches)");
            assert_eq!(error(path), expected);
        }
    }
}
