//! What the pages are made of.

use std::collections::{BTreeMap, BTreeSet};

use camino::Utf8Path;
use jiff::civil::Date;

use crate::known::KnownIssues;
use crate::nightly::{self, RunOutcome, State};
use crate::report::harmless::harmless;
use crate::report::model::{Report, RunVerdict};
use crate::run::{FlakePast, FolderError, RunFolder, TestsOfRun};

/// So many of the newest runs are shown.
const RUNS: usize = 150;

/// Everything there is to show.
#[derive(Debug, Clone, Default)]
pub struct Gathered {
    /// Reports of finished runs, oldest first, with texts fit to be shown.
    pub reports: Vec<Report>,
    /// What the journal of the nights says.
    pub state: State,
    /// Failure rates of tests on bases.
    pub flakes: FlakePast,
    /// Known issues.
    pub known: KnownIssues,
    /// Nights after which an issue that matches nothing is reported.
    pub stale_nights: usize,
    /// What could not be read, one sentence each.
    pub notes: Vec<String>,
    /// The day on which the pages are made.
    pub today: Date,
}

/// Reads everything below `results`. What cannot be read is named on the pages.
///
/// # Errors
/// When the folder of the runs cannot be listed, or the journal not be read.
pub fn gather(results: &Utf8Path, today: Date, stale_nights: usize) -> Result<Gathered, FolderError> {
    let mut gathered = Gathered { today, stale_nights, ..Gathered::default() };
    let runs = RunFolder::all(results)?;
    for run in &runs[runs.len().saturating_sub(RUNS)..] {
        let Ok(text) = fs_err::read_to_string(run.path().join("report.json")) else { continue };
        match Report::from_json(&text) {
            Ok(report) => {
                if let Ok(tests) = serde_json::from_str::<TestsOfRun>(&text) {
                    gathered.flakes.add(&tests);
                }
                gathered.reports.push(harmless(&report));
            }
            Err(error) => gathered.notes.push(format!("{}: {error}", run.run)),
        }
    }
    gathered.state = State::from_events(&nightly::read_journal(results)?);
    match KnownIssues::read(results) {
        Ok(known) => gathered.known = known,
        Err(error) => gathered.notes.push(error.to_string()),
    }
    Ok(gathered)
}

/// One run on one tree.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// The run.
    pub report: &'a Report,
    /// Name of the tree.
    pub tree: &'a str,
    /// Base commit; empty when the tree could not be had.
    pub commit: &'a str,
    /// How it ended: as the night says, else as the run says.
    pub outcome: RunOutcome,
}

impl Seen<'_> {
    /// The day on which it began.
    pub fn day(&self) -> &str {
        self.report.run.started.get(..10).unwrap_or_default()
    }

    /// `v6`; empty when the series has no version.
    pub fn version(&self) -> String {
        let posted = self.report.series.upstream.as_ref().map(|upstream| upstream.version);
        posted.or(self.report.series.version).map(|version| format!("v{version}")).unwrap_or_default()
    }
}

impl Gathered {
    /// Every run on every tree, oldest first.
    pub fn seen(&self) -> impl DoubleEndedIterator<Item = Seen<'_>> {
        let nights = self.state.nights.iter().flat_map(|night| &night.runs);
        let outcomes: BTreeMap<&str, RunOutcome> =
            nights.filter_map(|(_, last)| Some((last.run.as_deref()?, last.outcome))).collect();
        let seen = self.reports.iter().flat_map(move |report| {
            let outcome = outcomes.get(report.run.id.as_str()).copied();
            let outcome = outcome.unwrap_or(RunOutcome::of(report.verdict));
            report.trees.iter().map(move |tree| Seen {
                report,
                tree: &tree.name,
                commit: tree.commit.as_deref().unwrap_or_default(),
                outcome,
            })
        });
        seen.collect::<Vec<_>>().into_iter()
    }

    /// Names of all series, sorted.
    pub fn series(&self) -> BTreeSet<String> {
        self.reports.iter().map(|report| report.series.name.clone()).filter(|name| !name.is_empty()).collect()
    }

    /// Names of all trees, sorted.
    pub fn trees(&self) -> BTreeSet<String> {
        let reported = self.reports.iter().flat_map(|report| report.trees.iter().map(|tree| tree.name.clone()));
        reported.chain(self.state.bases.keys().cloned()).collect()
    }

    /// Whether a run's folder is still there.
    pub fn has_run(&self, run: &str) -> bool {
        self.reports.iter().any(|report| report.run.id == run)
    }
}

/// Whether a run says something about its tests.
pub fn is_answered(report: &Report) -> bool {
    match report.verdict {
        RunVerdict::Clean | RunVerdict::Findings | RunVerdict::Infra => true,
        RunVerdict::Interrupted => false,
    }
}
