//! Fuzz targets of this room.

use std::collections::BTreeSet;

use camino::Utf8Path;

use super::diff;
use super::error::SeriesError;
use super::{from_mails, mail_text, mails, vet};
use crate::fuzz::assert_harmless;
use crate::words::{Date, Origin, Patch, Person, Series};

/// Mails to a series, and back to mails.
///
/// Patches are numbered without a gap; what was vetted is what goes to `git am`; refusals are fit to be shown.
pub fn mail(data: &[u8]) -> Option<Series> {
    let place = Utf8Path::new("x.mbox");
    let read = match mails(place, data) {
        Ok(read) => read,
        Err(error) => {
            assert_harmless(&error.to_string());
            return None;
        }
    };
    assert!(read.iter().flat_map(|mail| &mail.lines).all(|line| !line.text.contains('\n')));
    let series = match from_mails("x", read, place, None) {
        Ok((series, _)) => series,
        Err(error) => {
            refused(&error);
            return None;
        }
    };
    let numbers: Vec<usize> = series.patches.iter().map(|patch| patch.number).collect();
    assert!(!numbers.is_empty() && numbers.iter().copied().eq(1..=numbers.len()), "{numbers:?}");
    if let Err(refusals) = vet(&series) {
        assert!(!refusals.is_empty());
        refusals.iter().for_each(|refusal| assert_harmless(&refusal.to_string()));
        return Some(series);
    }
    let mbox: String = series.patches.iter().map(mail_text).collect();
    let back = mails(place, mbox.as_bytes()).and_then(|mails| from_mails("x", mails, place, None));
    let (back, _) = back.unwrap_or_else(|error| panic!("a vetted series does not read back: {error}\n{mbox}"));
    let diffs = |series: &Series| series.patches.iter().map(|patch| patch.diff.clone()).collect::<Vec<_>>();
    assert_eq!(diffs(&back), diffs(&series), "another diff goes to git than was vetted");
    Some(series)
}

fn refused(error: &SeriesError) {
    if let SeriesError::Refused(refusals) = error {
        assert!(!refusals.is_empty());
    }
    assert_harmless(&error.to_string());
}

/// Vets a diff as the only patch of a series. Every range of hunks lies inside of the diff, in order, and refusals are
/// fit to be shown. True when it was not refused.
pub fn vetted(text: &str) -> bool {
    let lines: Vec<&str> = text.split('\n').collect();
    let scan = diff::scan(&lines);
    assert!(scan.end <= lines.len());
    let mut last = 0;
    for hunk in scan.files.iter().flat_map(|file| &file.hunks) {
        assert!(last <= hunk.line && hunk.line < hunk.end && hunk.end <= lines.len(), "{hunk:?}");
        last = hunk.end;
    }
    let series = one_patch(text);
    match vet(&series) {
        Ok(()) => {
            let paths: BTreeSet<String> = super::preimages(&series).into_iter().map(|image| image.path).collect();
            assert!(paths.iter().all(|path| super::vet_path::check(path.as_bytes()).is_ok()), "{paths:?}");
            true
        }
        Err(refusals) => {
            assert!(!refusals.is_empty());
            refusals.iter().for_each(|refusal| assert_harmless(&refusal.to_string()));
            false
        }
    }
}

/// Panics for a path that may not be in a vetted patch.
pub fn assert_vetted_path(path: &[u8]) {
    assert!(super::vet_path::check(path).is_ok(), "a vetted patch changes {:?}", String::from_utf8_lossy(path));
}

fn one_patch(diff: &str) -> Series {
    let origin = Origin { file: "x.patch".into(), line: 1 };
    let patch = Patch {
        number: 1,
        total: 1,
        subject: "mm: change".into(),
        author: Person { name: "A".into(), email: "a@example.org".into() },
        date: Date { seconds: 0, offset_minutes: 0 },
        message: String::new(),
        diff: diff.to_owned(),
        diff_line: 1,
        message_id: None,
        origin,
        envelope: None,
    };
    Series {
        name: "x".into(),
        title: String::new(),
        version: None,
        default_tree: None,
        upstream: None,
        cover: None,
        change_id: None,
        base_commit: None,
        prerequisites: Vec::new(),
        prerequisite_changes: Vec::new(),
        prerequisite_messages: Vec::new(),
        patches: vec![patch],
        posting: None,
        notes: Vec::new(),
    }
}
