//! Small kernel-like trees for the tests of this room.

use std::process::Command;
use std::sync::{Arc, Mutex};

use camino::{Utf8Path, Utf8PathBuf};

use crate::words::{Event, EventSink};

/// A Makefile that makes a folder a kernel.
pub(super) const MAKEFILE: &str =
    "# SPDX-License-Identifier: GPL-2.0\nVERSION = 6\nPATCHLEVEL = 12\nSUBLEVEL = 7\nEXTRAVERSION =\nNAME = Test\n";

/// A folder that goes with the test.
pub(super) struct Scratch {
    _keep: tempfile::TempDir,
    pub(super) path: Utf8PathBuf,
}

impl Scratch {
    pub(super) fn new() -> Scratch {
        let keep = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::try_from(keep.path().canonicalize().unwrap()).unwrap();
        Scratch { _keep: keep, path }
    }
}

/// Runs git for a test, with nothing of the user's configuration.
pub(super) fn sh_git(folder: &Utf8Path, args: &[&str]) -> String {
    let output = Command::new("git")
        .current_dir(folder)
        .args(["-c", "user.name=Tester", "-c", "user.email=t@example.org", "-c", "init.defaultBranch=main"])
        .args(args)
        .env_remove("GIT_DIR")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_AUTHOR_DATE", "2026-01-02T03:04:05+0000")
        .env("GIT_COMMITTER_DATE", "2026-01-02T03:04:05+0000")
        .output()
        .unwrap();
    assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A repository `folder` with one commit that holds `files`; gives the commit.
pub(super) fn repository(folder: &Utf8Path, files: &[(&str, &str)]) -> String {
    fs_err::create_dir_all(folder).unwrap();
    sh_git(folder, &["init", "-q"]);
    commit(folder, files, "base")
}

/// Writes `files` and commits everything; gives the commit.
pub(super) fn commit(folder: &Utf8Path, files: &[(&str, &str)], message: &str) -> String {
    for (path, text) in files {
        let path = folder.join(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
    }
    sh_git(folder, &["add", "-A", "-f"]);
    sh_git(folder, &["commit", "-q", "--allow-empty", "-m", message]);
    sh_git(folder, &["rev-parse", "HEAD"])
}

/// A sink that remembers.
pub(super) fn recorder() -> (EventSink, Arc<Mutex<Vec<Event>>>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&seen);
    (Arc::new(move |event| sink.lock().unwrap().push(event)), seen)
}

/// Notes among the events.
pub(super) fn notes(events: &Mutex<Vec<Event>>) -> Vec<String> {
    let events = events.lock().unwrap();
    let note = |event: &Event| if let Event::Note { message } = event { Some(message.clone()) } else { None };
    events.iter().filter_map(note).collect()
}

/// One member of a test archive.
pub(super) enum Entry<'a> {
    File(&'a str, u32, &'a str),
    Link(&'a str, &'a str),
    Hard(&'a str, &'a str),
}

/// A tar archive, packed with xz when its name says so.
pub(super) fn archive(file: &Utf8Path, entries: &[Entry<'_>]) {
    let mut builder = tar::Builder::new(Vec::new());
    for entry in entries {
        let mut header = tar::Header::new_gnu();
        header.set_mtime(0);
        let (path, mode, kind, link, text) = match entry {
            Entry::File(path, mode, text) => (path, *mode, tar::EntryType::Regular, None, *text),
            Entry::Link(path, target) => (path, 0o777, tar::EntryType::Symlink, Some(target), ""),
            Entry::Hard(path, target) => (path, 0o644, tar::EntryType::Link, Some(target), ""),
        };
        header.set_mode(mode);
        header.set_entry_type(kind);
        header.set_size(text.len() as u64);
        // Written by hand: the builder's own methods refuse the paths that a hostile archive would hold.
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
        if let Some(link) = link {
            header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
        }
        header.set_cksum();
        builder.append(&header, text.as_bytes()).unwrap();
    }
    let plain = builder.into_inner().unwrap();
    let bytes = match file.extension() {
        Some("xz") => {
            let mut packer = liblzma::read::XzEncoder::new(plain.as_slice(), 1);
            let mut packed = Vec::new();
            std::io::Read::read_to_end(&mut packer, &mut packed).unwrap();
            packed
        }
        Some("gz") => {
            let mut packer = flate2::read::GzEncoder::new(plain.as_slice(), flate2::Compression::fast());
            let mut packed = Vec::new();
            std::io::Read::read_to_end(&mut packer, &mut packed).unwrap();
            packed
        }
        Some(_) | None => plain,
    };
    fs_err::write(file, bytes).unwrap();
}

/// A small kernel as a tarball, with a `.gitignore` that ignores everything.
pub(super) fn kernel_archive(file: &Utf8Path) {
    archive(
        file,
        &[
            Entry::File("linux/.gitignore", 0o644, "/*\n"),
            Entry::File("linux/Makefile", 0o664, MAKEFILE),
            Entry::File("linux/scripts/run.sh", 0o775, "#!/bin/sh\n"),
            Entry::File("linux/mm/hmm.c", 0o644, "int hmm;\n"),
            Entry::Link("linux/scripts/dts", "../mm"),
            Entry::Hard("linux/mm/copy.c", "linux/mm/hmm.c"),
        ],
    );
}
