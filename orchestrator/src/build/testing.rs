//! Requests and diagnostics for the tests of this room.

use camino::Utf8Path;

use super::{BuildOptions, BuildRequest, store};
use crate::words::testing::kconfig;
use crate::words::{BuildRecord, Kind, Revision, RevisionCommit, Suite, SuiteStyle};

/// A request of kind boot with one fragment and one suite.
pub(super) fn request() -> BuildRequest {
    BuildRequest {
        source: "/src".into(),
        revision: RevisionCommit {
            revision: Revision::Base,
            commit: "a".repeat(40),
            tree: "b".repeat(40),
            touched: Vec::new(),
        },
        kconfig: kconfig("hmm", Kind::Boot),
        suites: vec![Suite {
            name: "hmm".into(),
            about: "about".into(),
            selftest: Some("mm/hmm-tests".into()),
            builtin: None,
            tests: Vec::new(),
            quick: Vec::new(),
            skip: Vec::new(),
            repeat: 1,
            needs: Default::default(),
            command: Vec::new(),
            files: Vec::new(),
            style: Some(SuiteStyle::KselftestHarness),
            parser: None,
            metrics: Vec::new(),
            skipped_when: Vec::new(),
            append: Vec::new(),
            modules: Vec::new(),
            nodes: Vec::new(),
            settings: Vec::new(),
            test_deadline: 30,
            output_limit: 1024,
        }],
        out: "/out/hmm".into(),
        cache: "/cache".into(),
        jobs: 2,
        options: BuildOptions::default(),
        touched: Vec::new(),
        fresh: false,
        unit: "build t/base/hmm".into(),
        node: None,
        events: std::sync::Arc::new(|_| {}),
        cancel: Default::default(),
    }
}

/// An empty folder that vanishes with the guard.
pub(super) fn folder() -> (tempfile::TempDir, camino::Utf8PathBuf) {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = camino::Utf8PathBuf::from_path_buf(dir.path().to_owned()).expect("a UTF-8 path");
    (dir, path)
}

/// Leaves a result in a cache as a build does, with these files.
pub(crate) fn keep(cache: &Utf8Path, record: &BuildRecord, files: &[&str]) {
    let staging = cache.join("builds").join(format!(".making-{}", record.key));
    for file in files {
        let path = staging.join(file);
        fs_err::create_dir_all(path.parent().expect("it is below the folder")).expect("the cache can be written");
        fs_err::write(path, file).expect("the cache can be written");
    }
    store::publish(cache, &staging, record, false).expect("the cache can be written");
}
