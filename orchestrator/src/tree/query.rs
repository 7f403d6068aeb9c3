//! Reading from a tree's repository.

use std::path::Path;

use git2::{Oid, Repository};

use super::error::TreeError;
use crate::words::Tree;

/// One commit, as the report shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// Commit id, 40 hex digits.
    pub commit: String,
    /// First line of its message.
    pub subject: String,
    /// Author's name.
    pub author: String,
    /// Commit date, seconds since the Unix epoch.
    pub seconds: i64,
}

/// The content of `path` in `commit`; `None` when there is no such file (or it is a folder).
///
/// # Errors
/// When the repository or the commit cannot be read.
pub fn read_file(tree: &Tree, commit: &str, path: &str) -> Result<Option<Vec<u8>>, TreeError> {
    read(tree, |repo| blob(repo, Oid::from_str(commit)?, path))
}

/// The last `limit` commits up to `commit` along first parents, newest first. A tree imported from a tarball has one.
///
/// # Errors
/// When the repository or the commit cannot be read.
pub fn log(tree: &Tree, commit: &str, limit: usize) -> Result<Vec<LogEntry>, TreeError> {
    read(tree, |repo| {
        let mut entries = Vec::new();
        let mut next = Some(repo.find_commit(Oid::from_str(commit)?)?);
        // Where history was left behind the parent is named but not there.
        while let Some(commit) = next.filter(|_| entries.len() < limit) {
            entries.push(LogEntry {
                commit: commit.id().to_string(),
                subject: String::from_utf8_lossy(commit.summary_bytes().unwrap_or_default()).into_owned(),
                author: String::from_utf8_lossy(commit.author().name_bytes()).into_owned(),
                seconds: commit.time().seconds(),
            });
            next = match commit.parent_id(0).and_then(|id| repo.find_commit(id)) {
                Ok(parent) => Some(parent),
                Err(error) if error.code() == git2::ErrorCode::NotFound => None,
                Err(error) => return Err(error),
            };
        }
        Ok(entries)
    })
}

fn read<T>(tree: &Tree, job: impl FnOnce(&Repository) -> Result<T, git2::Error>) -> Result<T, TreeError> {
    Repository::open_bare(&tree.repo).and_then(|repo| job(&repo)).map_err(|error| TreeError::Repository {
        tree: tree.name.clone(),
        repo: tree.repo.to_string(),
        reason: error.message().to_owned(),
    })
}

fn blob(repo: &Repository, commit: Oid, path: &str) -> Result<Option<Vec<u8>>, git2::Error> {
    let tree = repo.find_commit(commit)?.tree()?;
    match tree.get_path(Path::new(path)) {
        Ok(entry) if entry.kind() == Some(git2::ObjectType::Blob) => {
            Ok(Some(repo.find_blob(entry.id())?.content().to_vec()))
        }
        Ok(_) => Ok(None),
        Err(error) if error.code() == git2::ErrorCode::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The version of the kernel in `commit`, from its top Makefile; says what is missing when it is not a kernel.
pub(super) fn kernel_version(repo: &Repository, commit: Oid) -> Result<Result<String, String>, git2::Error> {
    let makefile = blob(repo, commit, "Makefile")?;
    Ok(match makefile {
        None => Err("it is not a kernel tree: it has no Makefile".to_owned()),
        Some(text) => version_of_makefile(&String::from_utf8_lossy(&text))
            .ok_or_else(|| "it is not a kernel tree: its Makefile names no VERSION and PATCHLEVEL".to_owned()),
    })
}

/// What `make kernelversion` would say.
fn version_of_makefile(text: &str) -> Option<String> {
    let value = |name: &str| {
        let line = text.lines().take(200).find_map(|line| line.strip_prefix(name)?.trim_start().strip_prefix('='))?;
        Some(line.trim().to_owned())
    };
    let number = |name: &str| value(name).filter(|v| !v.is_empty() && v.chars().all(|c| c.is_ascii_digit()));
    let mut version = format!("{}.{}", number("VERSION")?, number("PATCHLEVEL")?);
    if let Some(sublevel) = number("SUBLEVEL") {
        version.push('.');
        version.push_str(&sublevel);
    }
    version.push_str(&value("EXTRAVERSION").unwrap_or_default());
    Some(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_make_says_them() {
        let table = [
            ("# SPDX\nVERSION = 6\nPATCHLEVEL = 12\nSUBLEVEL = 117\nEXTRAVERSION =\nNAME = x\n", Some("6.12.117")),
            ("VERSION = 7\nPATCHLEVEL = 2\nSUBLEVEL = 0\nEXTRAVERSION = -rc3\n", Some("7.2.0-rc3")),
            ("VERSION=6\nPATCHLEVEL=1\n", Some("6.1")),
            ("VERSION = 6\n", None),
            ("all:\n\techo VERSION = 6\n", None),
            ("VERSION = six\nPATCHLEVEL = 1\n", None),
        ];
        for (text, version) in table {
            assert_eq!(version_of_makefile(text).as_deref(), version, "{text}");
        }
    }
}
