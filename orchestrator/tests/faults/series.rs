//! The series of a trial: real patches whose kernels nobody built before.
//!
//! Each mark gives another kernel of the same size and behaviour, so that every trial really compiles, links and boots,
//! and the reports of two trials differ in nothing but the mark.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::planted;

/// The mark of the run that fills the cache.
pub const WARM_UP: u32 = 0;

/// A test that the series breaks, and one that it does not.
pub const TESTS: [&str; 2] = ["hmm.hmm.hmm_device_private.anon_read", "hmm.hmm2.hmm2_device_private.snapshot"];

const TEST_HMM: &str = "lib/test_hmm.c";
const LOADED: &str = "This is only for testing HMM.\\n";
const WRITABLE: &str = "\tif (entry & HMM_PFN_WRITE)\n\t\t*perm |= HMM_DMIRROR_PROT_WRITE;";
const NEVER_WRITABLE: &str = "\tif (entry & HMM_PFN_ERROR)\n\t\t*perm |= HMM_DMIRROR_PROT_WRITE;";

/// Writes one patch: it bears the mark and breaks a test. That of the warm-up breaks nothing.
pub fn write(root: &Path, cache: &Path, mark: u32) -> PathBuf {
    let folder = root.join("trial");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    let base = source(cache, TEST_HMM);
    let mut patched = replaced(&base, LOADED, &format!("This is trial {mark:08x}.\\n"));
    if mark != WARM_UP {
        patched = replaced(&patched, WRITABLE, NEVER_WRITABLE);
    }
    let subject = "lib/test_hmm: say which trial this is";
    let mail = planted::mail(subject, 1, 1, &planted::unified(TEST_HMM, &base, &patched));
    std::fs::write(folder.join("0001.patch"), mail).unwrap();
    folder
}

fn replaced(text: &str, from: &str, to: &str) -> String {
    assert_eq!(text.matches(from).count(), 1, "`{from}` must stand there once");
    text.replacen(from, to, 1)
}

/// A file of the base in this cache; of a tree that is not there yet, the file of the installed kernel source.
fn source(cache: &Path, path: &str) -> String {
    let repo = cache.join("trees/linux-6.12.git");
    let Ok(imported) = std::fs::read(repo.join("imported.json")) else {
        return from_tarball(path);
    };
    let imported: Value = serde_json::from_slice(&imported).unwrap();
    let repo = git2::Repository::open_bare(repo).unwrap();
    let base = git2::Oid::from_str(imported["commit"].as_str().unwrap()).unwrap();
    let base = repo.find_commit(base).unwrap().tree().unwrap();
    let blob = base.get_path(Path::new(path)).unwrap().to_object(&repo).unwrap().peel_to_blob().unwrap();
    String::from_utf8(blob.content().to_vec()).unwrap()
}

fn from_tarball(path: &str) -> String {
    let name = "linux-source-6.12";
    let output = std::process::Command::new("tar")
        .args(["-xJOf", &format!("/usr/src/{name}.tar.xz"), &format!("{name}/{path}")])
        .output()
        .unwrap();
    assert!(output.status.success(), "{name} is not installed: `make deps`");
    String::from_utf8(output.stdout).unwrap()
}
