//! What tests did on bases of earlier runs, from their reports.

use std::collections::BTreeMap;

use camino::Utf8Path;
use serde::Deserialize;

use super::folder;
use crate::compare::{self, BaseTries, FlakeRate};
use crate::report::model::{BootRow, RunVerdict, TestTable, TreeInfo};
use crate::words::TestComparison;

/// So many of the newest runs are looked at.
const RUNS: usize = 40;

/// The part of a report that says what tests did.
#[derive(Debug, Clone, Deserialize)]
pub struct TestsOfRun {
    verdict: RunVerdict,
    trees: Vec<TreeInfo>,
    tests: Vec<TestTable>,
    boots: Vec<BootRow>,
}

/// Tree, kconfig, machine, test.
type Place = [String; 4];

/// What every test did on bases of earlier runs.
#[derive(Debug, Clone, Default)]
pub struct FlakePast {
    tests: BTreeMap<Place, Vec<BaseTries>>,
}

impl FlakePast {
    /// Reads the newest runs below `results` that are older than `run`. A report that cannot be read says nothing:
    /// without history every run speaks for itself.
    pub fn read(results: &Utf8Path, run: &str) -> FlakePast {
        let names = folder::names(results).unwrap_or_default();
        let older = names.iter().rev().filter(|name| name.as_str() < run);
        let reports = older.filter_map(|name| {
            let text = fs_err::read(results.join(name).join("report.json")).ok()?;
            serde_json::from_slice::<TestsOfRun>(&text).ok()
        });
        let mut past = FlakePast::default();
        for report in reports.take(RUNS) {
            past.add(&report);
        }
        past
    }

    /// Takes in a run. Boots that it took from an earlier run were counted there.
    pub fn add(&mut self, report: &TestsOfRun) {
        match report.verdict {
            RunVerdict::Clean | RunVerdict::Findings | RunVerdict::Infra => {}
            RunVerdict::Interrupted => return,
        }
        for table in &report.tests {
            let tree = report.trees.iter().find(|tree| tree.name == table.tree);
            let Some(commit) = tree.and_then(|tree| tree.commit.clone()) else { continue };
            let own = |row: &&BootRow| {
                row.tree == table.tree
                    && row.kconfig == table.kconfig
                    && row.machine == table.machine
                    && row.kernel.index() == 0
                    && !row.reused
            };
            if !report.boots.iter().any(|row| own(&row)) {
                continue;
            }
            for row in table.rows.iter().filter(|row| row.base.tries > 0) {
                let place = [&table.tree, &table.kconfig, &table.machine, &row.test].map(String::clone);
                let tries = BaseTries { commit: commit.clone(), rate: row.base };
                self.tests.entry(place).or_default().push(tries);
            }
        }
    }

    /// The rate of a test on bases of the tree with the kconfig on the machine.
    pub fn rate(&self, [tree, kconfig, machine]: [&str; 3], test: &str) -> Option<FlakeRate> {
        let place = [tree, kconfig, machine, test].map(str::to_owned);
        compare::flake_rate(self.tests.get(&place)?)
    }

    /// Looks at the comparisons of a tree, kconfig and machine in the light of earlier runs.
    pub fn look_at(&self, place: [&str; 3], comparisons: &mut [TestComparison]) {
        for comparison in comparisons {
            if let Some(past) = self.rate(place, &comparison.test) {
                compare::with_history(comparison, &past);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixtures;
    use crate::report::model::Report;
    use crate::words::Rate;

    /// A run on commit `commit` whose base fails `bad` of three tries of its first test.
    fn run(commit: &str, bad: u32) -> Report {
        let mut report = fixtures::clean();
        report.trees[0].commit = Some(commit.into());
        report.tests[0].rows[0].base = Rate { bad, tries: 3 };
        report
    }

    fn tests_of(report: &Report) -> TestsOfRun {
        serde_json::from_str(&report.to_json()).unwrap()
    }

    #[test]
    fn every_boot_counts_once() {
        let mut past = FlakePast::default();
        past.add(&tests_of(&run("a", 1)));
        let mut again = run("a", 1);
        for row in &mut again.boots {
            row.reused = true;
        }
        past.add(&tests_of(&again));
        let mut stopped = run("a", 3);
        stopped.verdict = RunVerdict::Interrupted;
        past.add(&tests_of(&stopped));
        past.add(&tests_of(&run("b", 0)));
        let report = run("a", 1);
        let table = &report.tests[0];
        let rate = past.rate([&table.tree, &table.kconfig, &table.machine], &table.rows[0].test).unwrap();
        assert_eq!((rate.rate, rate.is_flaky), (Rate { bad: 1, tries: 6 }, true));
        assert_eq!(past.rate(["other", &table.kconfig, &table.machine], &table.rows[0].test), None);
        assert_eq!(past.rate([&table.tree, &table.kconfig, "other"], &table.rows[0].test), None);
    }

    #[test]
    fn runs_are_read_from_their_folders() {
        let folder = tempfile::tempdir().unwrap();
        let results = Utf8Path::from_path(folder.path()).unwrap();
        for (name, bad) in [("20260101-000000-v6", 3), ("20260102-000000-v6", 0), ("20260103-000000-v6", 3)] {
            fs_err::create_dir(results.join(name)).unwrap();
            fs_err::write(results.join(name).join("run.json"), "{}").unwrap();
            fs_err::write(results.join(name).join("report.json"), run("a", bad).to_json()).unwrap();
        }
        let report = run("a", 0);
        let table = &report.tests[0];
        let past = FlakePast::read(results, "20260103-000000-v6");
        let rate = past.rate([&table.tree, &table.kconfig, &table.machine], &table.rows[0].test).unwrap();
        assert_eq!(rate.rate, Rate { bad: 3, tries: 6 }, "the run itself and later ones are not its past");
    }
}
