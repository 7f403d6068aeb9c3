//! The files that a user writes.

use std::fmt::Display;

use camino::{Utf8Path, Utf8PathBuf};

use super::assert_harmless;
use crate::config::{ConfigError, Home, schemas};
use crate::lab::LabError;
use crate::{build, engine, intake, known, lab, moderation, nightly, post, series, tree};

thread_local! {
    /// A project folder of this thread.
    static FOLDER: tempfile::TempDir = {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for name in ["series/v6/linux-6.12", "kconfigs", "lab/suites", "results"] {
            std::fs::create_dir_all(folder.path().join(name)).expect("a folder in it");
        }
        folder
    };
}

/// Reads a file as the kind whose number its first byte is, through the loader that a run uses.
pub(super) fn config(data: &[u8]) {
    good(data);
}

/// The kind, when the file is a good one.
pub(super) fn good(data: &[u8]) -> Option<&'static str> {
    let kinds = schemas();
    let (kind, text) = data.split_first().unwrap_or((&b'0', &[]));
    let kind = &kinds[usize::from(kind.wrapping_sub(b'0')) % kinds.len()];
    FOLDER.with(|folder| {
        let root = Utf8Path::from_path(folder.path()).expect("temporary folders are UTF-8");
        let home = Home::find(Some(root), root, root).expect("it holds what a project folder needs");
        // Some files speak of trees and series; they have these.
        let write = |file: &Utf8PathBuf, text: &[u8]| std::fs::write(file, text).expect("a file in it");
        write(&home.series_dir().join("trees.yaml"), b"trees: {linux-6.12: {sources: [{git: {path: /x, ref: main}}]}}");
        let name = name_in(text);
        let file = root.join(kind.files.replace("<name>", name));
        write(&file, text);
        let good = match kind.name {
            "series" => said(series::Manifest::load(&home, name)),
            "trees" => said(tree::catalogue(&home)),
            "sources" => said(intake::sources(&home)),
            "nightly" => said(nightly::read_file(&home)),
            "known-issues" => said(known::KnownIssues::read(&root.join("results"))),
            "lists" => said(post::lists::load(&home, Some(&file))),
            "places" => said(post::places::load(&home)),
            "matrix" => said(build::matrix(&home)),
            "machine" => machine(lab::machine(root, name)),
            "authors" => said(moderation::Authors::load(&home)),
            "engines" => said(engine::engines(&home)),
            "suite" => machine(lab::suite(root, name)),
            other => panic!("no loader is known for the files of kind {other}"),
        };
        std::fs::remove_file(&file).expect("it was written");
        // Text that is not UTF-8 is no file of any kind.
        assert!(!good || std::str::from_utf8(text).is_ok());
        good.then_some(kind.name)
    })
}

/// The file's own name for what it describes, where it has to be that of the file; `x` when it has none, or none of a file.
fn name_in(text: &[u8]) -> &str {
    fn name(line: &[u8]) -> Option<&str> {
        std::str::from_utf8(line.strip_prefix(b"name: ")?).ok()
    }
    let plain = |name: &&str| {
        let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        (1..=40).contains(&name.len()) && name.chars().all(word)
    };
    text.split(|byte| *byte == b'\n').find_map(name).filter(plain).unwrap_or("x")
}

/// True when a file was good.
fn said<T>(result: Result<T, ConfigError>) -> bool {
    if let Err(error) = &result {
        assert!(!error.problems.is_empty(), "a file was refused without a reason");
        text(error);
    }
    result.is_ok()
}

fn machine<T>(result: Result<T, LabError>) -> bool {
    match result {
        Ok(_) => true,
        Err(LabError::File(error)) => said::<T>(Err(error)),
        Err(other) => {
            text(&other);
            false
        }
    }
}

fn text(error: &impl Display) {
    assert_harmless(&error.to_string());
}
