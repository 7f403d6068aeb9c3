//! Reports and hands for the tests of this room.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::clock::Clock;
use super::file::{Followed, Keep, PostPolicy};
use super::hands::{Disk, Newest, Poster, Runner, TreeState, Trees, Versions};
use super::journal::Journal;
use super::words::{NightEvent, Target, VerdictChange};
use crate::report::fixtures;
use crate::report::model::{Report, RunVerdict, TestRow, TestTable};
use crate::words::{BootEnd, BuildOutcome, Change, Rate, Series, Verdict};

/// A base that does not build.
pub fn broken_build() -> BuildOutcome {
    BuildOutcome::Failed { reason: "mm/a.c:1: error".into() }
}

/// Makes reports from the fixture of a clean run: one kconfig `hmm`, base and tip built and booted.
#[derive(Debug, Clone)]
pub struct ReportMaker {
    report: Report,
}

impl ReportMaker {
    /// A clean run on `tree`.
    pub fn new(tree: &str) -> ReportMaker {
        let mut report = fixtures::clean();
        tree.clone_into(&mut report.trees[0].name);
        report.builds.retain(|cell| cell.kconfig == "hmm");
        report.boots.retain(|row| row.kconfig == "hmm");
        for cell in &mut report.builds {
            tree.clone_into(&mut cell.tree);
        }
        for row in &mut report.boots {
            tree.clone_into(&mut row.tree);
        }
        report.tests = vec![TestTable {
            tree: tree.into(),
            kconfig: "hmm".into(),
            machine: "qemu-x86_64".into(),
            note: None,
            rows: Vec::new(),
        }];
        assert!(report.builds.iter().any(|cell| cell.revision.index() == 0), "the fixture has a base");
        assert!(report.boots.iter().any(|row| row.kernel.index() == 0 && row.end == Some(BootEnd::Completed)));
        ReportMaker { report }
    }

    /// The base's build with a kconfig.
    pub fn base_build(mut self, kconfig: &str, outcome: BuildOutcome) -> ReportMaker {
        let mut cell = self.report.builds.iter().find(|cell| cell.revision.index() == 0).unwrap().clone();
        kconfig.clone_into(&mut cell.kconfig);
        cell.outcome = outcome;
        self.report.builds.retain(|cell| cell.kconfig != kconfig || cell.revision.index() != 0);
        self.report.builds.push(cell);
        self
    }

    /// How every boot of the base with a kconfig ended.
    pub fn base_boot(mut self, kconfig: &str, end: BootEnd) -> ReportMaker {
        for row in self.report.boots.iter_mut().filter(|row| row.kconfig == kconfig && row.kernel.index() == 0) {
            row.end = Some(end.clone());
        }
        self
    }

    /// A test of kconfig `hmm` with its rates (bad, tries) on both sides.
    pub fn row(mut self, test: &str, base: (u32, u32), patched: (u32, u32)) -> ReportMaker {
        let rate = |(bad, tries)| Rate { bad, tries };
        let verdict = |(bad, _): (u32, u32)| match bad {
            0 => Some(Verdict::Pass),
            _ => Some(Verdict::Fail { reason: "no".into() }),
        };
        self.report.tests[0].rows.push(TestRow {
            test: test.into(),
            change: Change::StillPassing,
            base: rate(base),
            patched: rate(patched),
            base_verdict: verdict(base),
            patched_verdict: verdict(patched),
            note: None,
            cross: Vec::new(),
        });
        self
    }

    /// The run's verdict.
    pub fn verdict(mut self, verdict: RunVerdict) -> ReportMaker {
        self.report.verdict = verdict;
        self.report.headline = verdict.word().to_owned();
        self
    }

    /// The report.
    pub fn report(self) -> Report {
        self.report
    }
}

/// Patches of a version.
pub fn patches(name: &str, text: &str) -> Series {
    crate::words::testing::series(name, &[text])
}

/// A clock that only moves when it is told to.
pub struct FakeClock {
    now: watch::Sender<Timestamp>,
}

impl FakeClock {
    pub fn new(now: &str) -> FakeClock {
        FakeClock { now: watch::Sender::new(now.parse().unwrap()) }
    }

    pub fn add(&self, hours: i64) {
        self.now.send_modify(|now| *now = now.checked_add(SignedDuration::from_hours(hours)).unwrap());
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Timestamp {
        *self.now.borrow()
    }

    fn until(&self, when: Timestamp) -> BoxFuture<'_, ()> {
        let mut receiver = self.now.subscribe();
        Box::pin(async move {
            // The clock outlives the night.
            let _ = receiver.wait_for(|now| *now >= when).await;
        })
    }
}

/// The world of a simulated night: what archives and trees have, what a run finds, and what was done with it.
pub struct World {
    /// Newest version and patches of each series.
    pub versions: BTreeMap<String, (u32, Series)>,
    /// Commits of the trees.
    pub trees: BTreeMap<String, String>,
    /// What a run of (series, tree) finds.
    pub reports: BTreeMap<(String, String), Report>,
    /// Hours a run takes.
    pub hours: i64,
    /// Free bytes.
    pub free: u64,
    /// Whether posting works.
    pub posting: bool,
    /// What was done.
    pub done: Mutex<Done>,
    /// The clock.
    pub clock: FakeClock,
}

/// What was done with a world.
#[derive(Debug, Default)]
pub struct Done {
    /// Runs begun, by id.
    pub begun: BTreeMap<String, Target>,
    /// Runs that came to their end, in order.
    pub ended: Vec<String>,
    /// Verdicts posted, each once, as an outbox keeps them.
    pub posted: Vec<String>,
    keys: BTreeSet<String>,
    /// How often the disk was cleaned.
    pub collected: usize,
}

impl World {
    pub fn new() -> World {
        World {
            versions: BTreeMap::new(),
            trees: BTreeMap::new(),
            reports: BTreeMap::new(),
            hours: 1,
            free: 100 << 30,
            posting: true,
            done: Mutex::default(),
            clock: FakeClock::new("2026-01-31T02:00:00Z"),
        }
    }

    pub fn ended(&self) -> Vec<String> {
        self.done.lock().unwrap().ended.clone()
    }

    pub fn posted(&self) -> Vec<String> {
        self.done.lock().unwrap().posted.clone()
    }
}

impl Versions for World {
    fn newest<'a>(
        &'a self,
        name: &'a str,
        _followed: &'a Followed,
        trees: &'a [String],
    ) -> BoxFuture<'a, Result<Newest, String>> {
        Box::pin(async move {
            let (version, series) = self.versions.get(name).ok_or("the archive does not answer")?;
            let patches = trees.iter().map(|tree| (tree.clone(), Ok(series.clone()))).collect();
            Ok(Newest { version: Some(*version), patches })
        })
    }
}

impl Trees for World {
    fn refresh<'a>(
        &'a self,
        tree: &'a str,
        _cancel: &'a CancellationToken,
    ) -> BoxFuture<'a, Result<TreeState, String>> {
        Box::pin(async move {
            let commit = self.trees.get(tree).ok_or("no source serves")?.clone();
            Ok(TreeState { commit, kernel_version: "6.12.1".into() })
        })
    }
}

impl Runner for World {
    fn begin(&self, target: &Target, _series: &Series) -> Result<String, String> {
        let mut done = self.done.lock().unwrap();
        let run = format!("run-{}", done.begun.len() + 1);
        done.begun.insert(run.clone(), target.clone());
        Ok(run)
    }

    fn carry_out<'a>(&'a self, run: &'a str, cancel: CancellationToken) -> BoxFuture<'a, Result<Report, String>> {
        Box::pin(async move {
            let target = self.done.lock().unwrap().begun.get(run).cloned().ok_or("no such run")?;
            let report = self.reports.get(&(target.series.clone(), target.tree.clone()));
            let mut report = report.ok_or("the guest could not be started")?.clone();
            for _ in 0..self.hours {
                self.clock.add(1);
                tokio::task::yield_now().await;
                if cancel.is_cancelled() {
                    report.verdict = RunVerdict::Interrupted;
                    return Ok(report);
                }
            }
            run.clone_into(&mut report.run.id);
            report.trees[0].commit = Some(target.commit.clone());
            self.done.lock().unwrap().ended.push(format!("{} at {}", target.name(), target.commit));
            Ok(report)
        })
    }

    fn exists(&self, run: &str) -> bool {
        self.done.lock().unwrap().begun.contains_key(run)
    }
}

impl Poster for World {
    fn post<'a>(&'a self, change: &'a VerdictChange, policy: PostPolicy) -> BoxFuture<'a, Result<String, String>> {
        Box::pin(async move {
            if !self.posting {
                return Err("the mail server does not answer".to_owned());
            }
            let mut done = self.done.lock().unwrap();
            if done.keys.insert(format!("{change:?}")) {
                let before = change.before.map_or("nothing", |before| before.word());
                let version = change.subject.version.unwrap_or_default();
                let text = format!(
                    "{} v{version} on {}: {} (before: {before})",
                    change.subject.series,
                    change.subject.tree,
                    change.now.word()
                );
                done.posted.push(text);
            }
            Ok(policy.word().to_owned())
        })
    }
}

impl Disk for World {
    fn free(&self) -> Result<u64, String> {
        Ok(self.free)
    }

    fn collect<'a>(&'a self, _keep: &'a Keep, _cancel: &'a CancellationToken) -> BoxFuture<'a, Result<u64, String>> {
        Box::pin(async move {
            self.done.lock().unwrap().collected += 1;
            Ok(0)
        })
    }
}

/// A journal in memory that fails, as if the process had died, after some events.
#[derive(Debug, Default)]
pub struct MemoryJournal {
    pub events: Vec<(Timestamp, NightEvent)>,
    /// So many more events are kept.
    pub left: Option<usize>,
}

impl Journal for MemoryJournal {
    fn append(&mut self, at: Timestamp, event: &NightEvent) -> std::io::Result<()> {
        if let Some(left) = &mut self.left {
            *left = left.checked_sub(1).ok_or_else(|| std::io::Error::other("killed"))?;
        }
        // Through text, as on disk.
        let text = serde_json::to_string(event).map_err(std::io::Error::other)?;
        self.events.push((at, serde_json::from_str(&text).map_err(std::io::Error::other)?));
        Ok(())
    }
}
