//! Archives on this host: an mbox or a maildir.

use std::collections::BTreeSet;
use std::io::Read;

use camino::{Utf8Path, Utf8PathBuf};

use super::archive::Query;
use super::error::SourceTrouble;
use super::postings;
use crate::series::{self, Mail};

/// Most bytes of an archive that are read.
const LIMIT: u64 = 512 * 1024 * 1024;

/// All mails of an mbox.
pub(super) fn read_mbox(file: &Utf8Path) -> Result<Vec<Mail>, SourceTrouble> {
    read_file(file, &mut 0)
}

/// All mails of a maildir.
pub(super) fn read_maildir(folder: &Utf8Path) -> Result<Vec<Mail>, SourceTrouble> {
    let mut files: Vec<Utf8PathBuf> = Vec::new();
    for part in ["cur", "new"] {
        let part = folder.join(part);
        let fail = |source| SourceTrouble::Io { path: part.to_string(), source };
        for entry in part.read_dir_utf8().map_err(fail)? {
            let entry = entry.map_err(fail)?;
            if !entry.file_name().starts_with('.') && entry.path().is_file() {
                files.push(entry.into_path());
            }
        }
    }
    files.sort();
    let mut total = 0;
    let mut mails = Vec::new();
    for file in &files {
        mails.extend(read_file(file, &mut total)?);
    }
    Ok(mails)
}

fn read_file(file: &Utf8Path, total: &mut u64) -> Result<Vec<Mail>, SourceTrouble> {
    let fail = |source| SourceTrouble::Io { path: file.to_string(), source };
    let mut bytes = Vec::new();
    let room = LIMIT.saturating_sub(*total) + 1;
    std::fs::File::open(file).and_then(|open| open.take(room).read_to_end(&mut bytes)).map_err(fail)?;
    *total += bytes.len() as u64;
    if *total > LIMIT {
        return Err(SourceTrouble::TooLarge { address: file.to_string(), limit: LIMIT });
    }
    if bytes.trim_ascii().is_empty() {
        return Ok(Vec::new());
    }
    series::mails(file, &bytes).map_err(|error| SourceTrouble::Refused(error.to_string()))
}

/// The mails of the thread in which `id` is; none when it is not there.
pub(super) fn thread(mails: Vec<Mail>, id: &str) -> Vec<Mail> {
    if !mails.iter().any(|mail| mail.message_id.as_deref() == Some(id)) {
        return Vec::new();
    }
    let mut ids: BTreeSet<String> = BTreeSet::from([id.to_owned()]);
    let names = |mail: &Mail| -> Vec<String> {
        let references = mail.envelope.iter().flat_map(|envelope| envelope.references.iter());
        mail.message_id.iter().chain(references).cloned().collect()
    };
    loop {
        let before = ids.len();
        for mail in &mails {
            let names = names(mail);
            if names.iter().any(|name| ids.contains(name)) {
                ids.extend(names);
            }
        }
        if ids.len() == before {
            break;
        }
    }
    mails.into_iter().filter(|mail| names(mail).iter().any(|name| ids.contains(name))).collect()
}

/// The mails of all threads with a posting that `query` means.
pub(super) fn search(mails: &[Mail], query: &Query) -> Vec<Mail> {
    let is_meant = |mail: &&Mail| match query {
        Query::Change(change) => postings::change_id(mail).as_deref() == Some(change),
        Query::Title { title, address } => {
            let from = mail.from.as_ref().map(|person| person.email.as_str()).unwrap_or_default();
            postings::plain_title(&mail.subject.title) == postings::plain_title(title)
                && from.eq_ignore_ascii_case(address)
        }
    };
    let found: Vec<&str> = mails.iter().filter(is_meant).filter_map(|mail| mail.message_id.as_deref()).collect();
    found.into_iter().flat_map(|id| thread(mails.to_vec(), id)).collect()
}
