//! Files that the series changes and that no build of the run was made of: what was built says nothing about them.

use std::collections::{BTreeMap, BTreeSet};

use super::engine::TreeResult;
use super::trees::Prepared;
use crate::report::model::NotCovered;
use crate::words::{BuildOutcome, BuildRecord, Kconfig, Kind, RevisionCommit, Suite};

/// Files named in one entry; more are only counted.
const NAMED: usize = 12;

/// Where selftests lie.
const SELFTESTS: &str = "tools/testing/selftests/";

/// What of a series was compiled on one tree.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reach {
    /// Files of code that the series changes and some build was made of.
    compiled: Vec<String>,
    /// The others, with the numbers of the patches that change them.
    missed: BTreeMap<String, Vec<usize>>,
}

/// What of the series was compiled; `None` when that cannot be told, because nothing was built or a build is of a
/// version of the program that did not note it.
pub fn reach(result: &TreeResult) -> Option<Reach> {
    let Prepared::Ready { revisions, .. } = &result.prepared else { return None };
    let built = result
        .builds
        .iter()
        .map(|made| &made.record)
        .filter(|record| matches!(record.outcome, BuildOutcome::Built | BuildOutcome::SelftestsFailed { .. }));
    let mut used = BTreeSet::new();
    let mut any = false;
    for record in built {
        used.extend(sources(record)?);
        any = true;
    }
    any.then(|| divide(revisions, &used, &selftest_folders(&result.kconfigs)))
}

/// The files that a build was made of; `None` when it did not note them.
fn sources(record: &BuildRecord) -> Option<Vec<String>> {
    let Some(file) = &record.artefacts.sources else {
        // Nothing was in reach of the series, so that nothing was made.
        let nothing = record.kind == Kind::Compile && record.compiled.is_empty();
        return nothing.then(Vec::new);
    };
    let text = fs_err::read_to_string(record.artefacts.dir.join(file)).ok()?;
    // Something was made, and it was not kbuild that wrote down of what.
    (!text.is_empty()).then(|| text.lines().map(str::to_owned).collect())
}

/// Folders whose selftests some kconfig builds.
fn selftest_folders(kconfigs: &[(Kconfig, Vec<Suite>)]) -> BTreeSet<String> {
    let boot = kconfigs.iter().filter(|(kconfig, _)| kconfig.kind == Kind::Boot);
    let selftests = boot.flat_map(|(_, suites)| suites).filter_map(|suite| suite.selftest.as_deref());
    selftests.filter_map(|path| path.rsplit_once('/')).map(|(folder, _)| format!("{SELFTESTS}{folder}/")).collect()
}

fn divide(revisions: &[RevisionCommit], used: &BTreeSet<String>, folders: &BTreeSet<String>) -> Reach {
    let mut reach = Reach::default();
    for (number, revision) in revisions.iter().enumerate() {
        for path in revision.touched.iter().filter(|path| is_code(path)) {
            let selftest = folders.iter().any(|folder| path.starts_with(folder.as_str()));
            if used.contains(path) || selftest {
                reach.compiled.push(path.clone());
            } else {
                reach.missed.entry(path.clone()).or_default().push(number);
            }
        }
    }
    reach
}

/// Whether a compiler would read the file, if a kconfig enabled it.
fn is_code(path: &str) -> bool {
    let code = [".c", ".h", ".S", ".rs"].iter().any(|end| path.ends_with(end));
    code && !path.starts_with("Documentation/")
}

impl Reach {
    /// The files that were missed, as a gap of the run's coverage.
    pub fn gap(&self, tree: &str) -> Option<NotCovered> {
        (!self.missed.is_empty()).then(|| NotCovered {
            what: self.names(),
            why: "no kconfig of this run compiles it; --profile full has more kconfigs, or add one that enables it to \
                  kconfigs/matrix.yaml"
                .to_owned(),
            tree: Some(tree.to_owned()),
            kconfig: None,
            tests: Vec::new(),
        })
    }

    /// Why the run says nothing about the series at all, when nothing that the series changes was compiled.
    pub fn nothing(&self, tree: &str) -> Option<String> {
        (self.compiled.is_empty() && !self.missed.is_empty()).then(|| {
            format!("no kconfig of this run compiles anything that the series changes on {tree}: {}", self.names())
        })
    }

    fn names(&self) -> String {
        let name = |(path, patches): (&String, &Vec<usize>)| {
            let numbers: Vec<String> = patches.iter().map(usize::to_string).collect();
            format!("{path} (patch {})", numbers.join(", "))
        };
        let names: Vec<String> = self.missed.iter().take(NAMED).map(name).collect();
        let more = self.missed.len().saturating_sub(NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("{}{more}", names.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::Revision;

    fn revisions(touched: &[&[&str]]) -> Vec<RevisionCommit> {
        let total = touched.len();
        let patch = |(index, paths): (usize, &&[&str])| RevisionCommit {
            revision: Revision::Patch { number: index + 1, total },
            commit: String::new(),
            tree: String::new(),
            touched: paths.iter().map(|path| (*path).to_owned()).collect(),
        };
        let base =
            RevisionCommit { revision: Revision::Base, commit: String::new(), tree: String::new(), touched: vec![] };
        std::iter::once(base).chain(touched.iter().enumerate().map(patch)).collect()
    }

    fn divided(touched: &[&[&str]]) -> Reach {
        let used = ["mm/hmm.c", "include/linux/hmm.h"].map(str::to_owned).into();
        let folders = ["tools/testing/selftests/mm/".to_owned()].into();
        divide(&revisions(touched), &used, &folders)
    }

    #[test]
    fn what_no_build_was_made_of_is_named_with_its_patches() {
        let reach = divided(&[&["mm/hmm.c", "drivers/gpu/a.c"], &["drivers/gpu/a.c", "Documentation/mm/hmm.rst"]]);
        assert_eq!(reach.gap("t").unwrap().what, "drivers/gpu/a.c (patch 1, 2)");
        assert_eq!(reach.nothing("t"), None);
    }

    #[test]
    fn a_series_of_which_nothing_was_compiled_got_no_answer() {
        let reach = divided(&[&["drivers/gpu/a.c", "drivers/gpu/Makefile"]]);
        let expected =
            "no kconfig of this run compiles anything that the series changes on t: drivers/gpu/a.c (patch 1)";
        assert_eq!(reach.nothing("t").as_deref(), Some(expected));
    }

    #[test]
    fn documentation_configuration_and_built_selftests_are_no_gap() {
        for path in ["Documentation/mm/x.h", "mm/Kconfig", "tools/testing/selftests/mm/hmm-tests.c"] {
            let reach = divided(&[&[path]]);
            assert_eq!((reach.gap("t"), reach.nothing("t")), (None, None), "{path}");
        }
        assert!(divided(&[&["tools/testing/selftests/net/a.c"]]).nothing("t").is_some());
    }

    #[test]
    fn many_files_are_counted() {
        let paths: Vec<String> = (0..14).map(|number| format!("drivers/{number:02}.c")).collect();
        let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
        assert!(divided(&[&paths]).gap("t").unwrap().what.ends_with("drivers/11.c (patch 1) and 2 more"));
    }
}
