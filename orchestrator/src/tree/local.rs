//! A state of the user's own clone. The clone is only read: what is made for a series goes into a repository of the
//! cache that borrows the clone's objects.

use std::collections::BTreeSet;

use camino::{Utf8Path, Utf8PathBuf};
use git2::Repository;

use super::error::SourceError;
use super::file::CloneEntry;

/// Lets the bare repository `repo` borrow the objects of the clone and gives the commit that the entry names.
pub(super) fn borrow_commit(repo: &Utf8Path, entry: &CloneEntry) -> Result<String, SourceError> {
    let refused = |what: String| SourceError::Refused(what);
    let clone = Repository::open(&entry.path)
        .map_err(|error| refused(format!("{} is not a usable git clone: {}", entry.path, error.message())))?;
    let config = clone.config()?.snapshot()?;
    if config.get_str("extensions.partialclone").is_ok() {
        let path = &entry.path;
        return Err(refused(format!(
            "{path} is a partial clone, objects may be missing; complete it with `git -C {path} fetch --refetch --no-filter`"
        )));
    }
    let commit = clone
        .revparse_single(&entry.rev)
        .and_then(|object| object.peel_to_commit())
        .map_err(|error| refused(format!("{} has no commit `{}`: {}", entry.path, entry.rev, error.message())))?
        .id()
        .to_string();
    let common = Utf8Path::from_path(clone.commondir())
        .ok_or_else(|| refused(format!("{} is not UTF-8", clone.commondir().display())))?;
    let common = common.canonicalize_utf8().map_err(|source| SourceError::io(common, source))?;
    lend(repo, &common).map_err(|source| SourceError::io(repo, source))?;
    Ok(commit)
}

/// Writes `repo`'s list of lenders (dropping those that are gone) and takes over where the clone's history is cut off.
fn lend(repo: &Utf8Path, common: &Utf8Path) -> std::io::Result<()> {
    let objects = common.join("objects");
    let list = repo.join("objects/info/alternates");
    let mut lenders: Vec<Utf8PathBuf> = lines(&list)?.into_iter().map(Utf8PathBuf::from).collect();
    lenders.retain(|lender| lender.is_dir() && *lender != objects);
    lenders.push(objects);
    write(&list, lenders.iter().map(|lender| lender.as_str()))?;
    let cut: BTreeSet<String> =
        lines(&repo.join("shallow"))?.into_iter().chain(lines(&common.join("shallow"))?).collect();
    if cut.is_empty() { Ok(()) } else { write(&repo.join("shallow"), cut.iter().map(String::as_str)) }
}

fn lines(file: &Utf8Path) -> std::io::Result<Vec<String>> {
    match fs_err::read_to_string(file) {
        Ok(text) => Ok(text.lines().map(str::to_owned).collect()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Replaces `file` whole, so that another process reads the old list or the new one.
fn write<'a>(file: &Utf8Path, lines: impl Iterator<Item = &'a str>) -> std::io::Result<()> {
    let folder = file.parent().unwrap_or(Utf8Path::new("/"));
    fs_err::create_dir_all(folder)?;
    let new = tempfile::NamedTempFile::new_in(folder)?;
    let text: String = lines.flat_map(|line| [line, "\n"]).collect();
    fs_err::write(new.path(), text)?;
    new.persist(file)?;
    Ok(())
}
