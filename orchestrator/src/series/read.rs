//! Loading a series from wherever it is.

use camino::{Utf8Path, Utf8PathBuf};

use super::assemble::{self, Assembled};
use super::error::{Refusal, SeriesError};
use super::mail::{self, Mail};
use super::manifest::Manifest;
use super::source::SeriesSource;
use super::{range, split};
use crate::config::Home;
use crate::words::Series;

/// Most bytes read for one series.
const SIZE_LIMIT: u64 = 64 * 1024 * 1024;
/// Most files read of one folder.
const FILE_LIMIT: usize = 2000;
/// Most mails read for one series.
const MAIL_LIMIT: usize = 20_000;
/// What patch files are called.
const EXTENSIONS: [&str; 6] = ["patch", "diff", "eml", "mbox", "mbx", "txt"];

/// Loads a series. `tree` picks the port of a series given by name; without it the series' default tree does.
///
/// # Errors
/// When there is no such series or port, or what is there is not one complete series: then with every reason.
pub fn load(home: &Home, source: &SeriesSource, tree: Option<&str>) -> Result<Series, SeriesError> {
    load_version(home, source, tree, None)
}

/// As [`load`]; of mails that hold several versions, `version` is taken, else the newest.
///
/// # Errors
/// As [`load`], and when there is no such version.
pub fn load_version(
    home: &Home,
    source: &SeriesSource,
    tree: Option<&str>,
    version: Option<u32>,
) -> Result<Series, SeriesError> {
    match source {
        SeriesSource::Name(name) => load_port(home, name, tree),
        SeriesSource::Mbox(file) => {
            let name = file.file_stem().unwrap_or(file.as_str());
            Ok(from_mails(name, read_mails(file, file, &mut 0)?, file, version)?.0)
        }
        SeriesSource::Folder(folder) => {
            let absolute = folder.canonicalize_utf8().unwrap_or_else(|_| folder.clone());
            load_folder(folder, absolute.file_name().unwrap_or(folder.as_str()), version)
        }
        SeriesSource::Range { repo, range } => range::load(repo, range),
    }
}

fn load_port(home: &Home, name: &str, tree: Option<&str>) -> Result<Series, SeriesError> {
    let names = Manifest::names(home).map_err(|source| SeriesError::Io { path: home.series_dir(), source })?;
    if !names.iter().any(|known| known == name) {
        let hint = crate::config::closest(name, names.iter().map(String::as_str)).map(str::to_owned);
        return Err(SeriesError::UnknownName { name: name.to_owned(), known: names, hint });
    }
    let manifest = Manifest::load(home, name)?;
    let tree = tree.unwrap_or(&manifest.default_tree);
    let Some(folder) = manifest.port_dir(home, tree) else {
        let upstream = &manifest.upstream;
        let advice = format!(
            "Write a port, or, if the posted mails apply there, pass the Message-ID {} in place of `{name}`",
            upstream.message_id
        );
        let ports = manifest.ports.keys().cloned().collect();
        return Err(SeriesError::NoPort { name: name.to_owned(), tree: tree.to_owned(), ports, advice });
    };
    let series = load_folder(&folder, name, None)?;
    Ok(Series {
        title: manifest.title,
        default_tree: Some(manifest.default_tree),
        upstream: Some(manifest.upstream.into()),
        ..series
    })
}

/// Reads a folder of patches, or a maildir, in the order of file names.
fn load_folder(folder: &Utf8Path, name: &str, version: Option<u32>) -> Result<Series, SeriesError> {
    let maildir = ["cur", "new"].map(|part| folder.join(part));
    let is_maildir = maildir.iter().all(|part| part.is_dir());
    let mut files = Vec::new();
    let mut others = Vec::new();
    if is_maildir {
        for part in &maildir {
            files.extend(list(part)?);
        }
    } else {
        let is_patch = |file: &Utf8PathBuf| file.extension().is_some_and(|extension| EXTENSIONS.contains(&extension));
        (files, others) = list(folder)?.into_iter().partition(is_patch);
    }
    if files.is_empty() {
        return Err(SeriesError::BadFile {
            path: folder.to_owned(),
            what: "holds no patches".to_owned(),
            remedy: format!("write them with git format-patch -o {folder}; files end in .{}", EXTENSIONS.join(", .")),
        });
    }
    if files.len() > FILE_LIMIT {
        return Err(SeriesError::BadFile {
            path: folder.to_owned(),
            what: format!("holds {} files, more than {FILE_LIMIT}", files.len()),
            remedy: "pass a folder with the patches alone".to_owned(),
        });
    }
    let mut total = 0;
    let mut mails = Vec::new();
    for file in &files {
        mails.extend(read_mails(file, folder, &mut total)?);
    }
    let (mut series, _) = from_mails(name, mails, folder, version)?;
    let others = others.iter().filter_map(|file| file.file_name());
    series.notes.extend(others.map(|file| format!("{folder}/{file} is no patch file; set aside")));
    Ok(series)
}

/// The files of a folder, sorted by name; hidden ones and folders left out.
fn list(folder: &Utf8Path) -> Result<Vec<Utf8PathBuf>, SeriesError> {
    let fail = |source| SeriesError::Io { path: folder.to_owned(), source };
    let mut files = Vec::new();
    for entry in folder.read_dir_utf8().map_err(fail)? {
        let entry = entry.map_err(fail)?;
        if !entry.file_name().starts_with('.') && entry.path().is_file() {
            files.push(entry.path().to_owned());
        }
    }
    files.sort();
    Ok(files)
}

/// Reads the mails of one file. `total` counts the bytes read for the series named `whole`.
fn read_mails(file: &Utf8Path, whole: &Utf8Path, total: &mut u64) -> Result<Vec<Mail>, SeriesError> {
    let fail = |source| SeriesError::Io { path: file.to_owned(), source };
    // Not by its size: a pipe or a device has none.
    let mut bytes = Vec::new();
    let room = SIZE_LIMIT.saturating_sub(*total) + 1;
    std::io::Read::read_to_end(&mut std::io::Read::take(std::fs::File::open(file).map_err(fail)?, room), &mut bytes)
        .map_err(fail)?;
    *total += bytes.len() as u64;
    if *total > SIZE_LIMIT {
        let (what, remedy) = ("is larger than 64 MiB".to_owned(), "pass the mails of one series alone".to_owned());
        return Err(SeriesError::BadFile { path: whole.to_owned(), what, remedy });
    }
    mails(file, &bytes)
}

/// Reads the mails of an mbox (or the one mail) in `bytes`; `file` is its name for messages.
///
/// # Errors
/// When there is no mail in it, or too many.
pub fn mails(file: &Utf8Path, bytes: &[u8]) -> Result<Vec<Mail>, SeriesError> {
    let bad = |what: &str, remedy: &str| {
        Err(SeriesError::BadFile { path: file.to_owned(), what: what.to_owned(), remedy: remedy.to_owned() })
    };
    if bytes.starts_with(b"\x1f\x8b") {
        return bad("is compressed", "unpack it with gunzip first");
    }
    let raws = split::split(bytes);
    if raws.is_empty() {
        return bad("is empty", "save the mails again");
    }
    if raws.len() > MAIL_LIMIT {
        return bad("holds too many mails", "pass the mails of one series alone");
    }
    let mails: Vec<Mail> = raws.iter().flat_map(|raw| mail::read(file, raw)).collect();
    if mails.is_empty() {
        return bad("holds no mail: there is neither From: nor Subject:", "export patches with git format-patch");
    }
    Ok(mails)
}

/// Puts the mails of one series together; `place` names what they were read from. Gives also the numbers of the patches
/// that were sent again by themselves.
///
/// # Errors
/// Every reason why they are not one complete series.
pub fn from_mails(
    name: &str,
    mails: Vec<Mail>,
    place: &Utf8Path,
    version: Option<u32>,
) -> Result<(Series, Vec<usize>), SeriesError> {
    let in_place = |refusal: Refusal| {
        let file = if refusal.file.as_str().is_empty() { place.to_owned() } else { refusal.file };
        Refusal { file, ..refusal }
    };
    let assembled = assemble::assemble(mails, version)
        .map_err(|refusals| SeriesError::Refused(refusals.into_iter().map(in_place).collect()))?;
    let Assembled {
        version,
        cover,
        change_id,
        base_commit,
        prerequisites,
        prerequisite_changes,
        prerequisite_messages,
        patches,
        rerolled,
        notes,
    } = assembled;
    let title = cover.as_ref().map(|cover| &cover.subject).or(patches.first().map(|patch| &patch.subject));
    let series = Series {
        name: name.to_owned(),
        title: title.cloned().unwrap_or_default(),
        version,
        default_tree: None,
        upstream: None,
        cover,
        change_id,
        base_commit,
        prerequisites,
        prerequisite_changes,
        prerequisite_messages,
        patches,
        posting: None,
        notes,
    };
    Ok((series, rerolled))
}

#[cfg(test)]
#[path = "read_tests.rs"]
mod tests;
