//! What a night tests, and why. Pure.

use std::collections::BTreeMap;

use super::file::Nightly;
use super::hands::{Newest, TreeState};
use super::state::{LastRun, State};
use super::words::{RunOutcome, Target};
use crate::words::Series;

/// After so many runs in a row that gave no answer, a target waits for a change.
const INFRA_LIMIT: u32 = 3;

/// After so many nights that were too short for it, a run no longer comes first.
const CUT_LIMIT: u32 = 3;

/// Everything a plan is made of.
#[derive(Clone, Copy)]
pub struct Sight<'a> {
    /// What is followed.
    pub nightly: &'a Nightly,
    /// Newest versions by name of the followed series.
    pub versions: &'a BTreeMap<String, Result<Newest, String>>,
    /// States of the trees.
    pub trees: &'a BTreeMap<String, Result<TreeState, String>>,
    /// What the journal says.
    pub state: &'a State,
    /// Fingerprint of the known issues in force.
    pub known: &'a str,
}

/// Why something is tested.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// Its run was cut off.
    GoOn {
        /// The run.
        run: String,
        /// How many nights it was stopped by.
        cuts: u32,
    },
    /// It was wanted before and not got to.
    LeftOver {
        /// Since this night.
        since: String,
    },
    /// The series was never tested on the tree.
    First,
    /// A version that was not tested on the tree.
    NewVersion {
        /// The version tested last.
        before: Option<u32>,
    },
    /// The same version with other patches: it was ported anew or sent again.
    NewPatches,
    /// The tree's base is another.
    MovedBase {
        /// The commit tested last.
        before: String,
    },
    /// It was tested with another profile.
    OtherProfile,
    /// The last run gave no verdict.
    NoVerdict {
        /// Night of that run.
        night: String,
    },
    /// The list of known issues is another.
    KnownIssues,
}

impl Why {
    /// One sentence.
    pub fn sentence(&self) -> String {
        match self {
            Why::GoOn { run, .. } => format!("run {run} was cut off"),
            Why::LeftOver { since } => format!("left over since the night of {since}"),
            Why::First => "never tested before".to_owned(),
            Why::NewVersion { before: Some(before) } => format!("new version; v{before} was tested last"),
            Why::NewVersion { before: None } => "new version".to_owned(),
            Why::NewPatches => "the patches of this version are others".to_owned(),
            Why::MovedBase { before } => format!("the base moved from {}", short(before)),
            Why::OtherProfile => "tested with another profile before".to_owned(),
            Why::NoVerdict { night } => format!("the run of {night} gave no verdict"),
            Why::KnownIssues => "the list of known issues is another".to_owned(),
        }
    }
}

/// One run of the night.
#[derive(Debug, Clone)]
pub struct Job {
    /// What it tests.
    pub target: Target,
    /// The patches.
    pub series: Series,
    /// Why.
    pub why: Why,
}

/// What a night does.
#[derive(Debug, Clone, Default)]
pub struct NightPlan {
    /// Runs, in order.
    pub jobs: Vec<Job>,
    /// What is not tested: which, and why.
    pub left: Vec<(String, String)>,
    /// What a person should look at.
    pub troubles: Vec<String>,
}

/// The runs that were cut off and are gone on with, before any tree is asked for a newer state: a run that is gone on
/// with stays on its base. A run whose version is no longer the newest is not gone on with.
pub fn open_jobs(
    nightly: &Nightly,
    versions: &BTreeMap<String, Result<Newest, String>>,
    state: &State,
    exists: impl Fn(&str) -> bool,
) -> Vec<Job> {
    let mut jobs = Vec::new();
    for (target, record) in &state.targets {
        let Some(run) = record.open_run.clone().filter(|run| record.cuts < CUT_LIMIT && exists(run)) else { continue };
        let followed =
            nightly.series.iter().any(|(name, _, trees)| *name == target.series && trees.contains(&target.tree));
        let newest = versions.get(&target.series).and_then(|newest| newest.as_ref().ok());
        let series = newest.and_then(|newest| newest.patches.get(&target.tree)?.as_ref().ok());
        if let Some(series) = series.filter(|series| followed && content(series) == target.content) {
            let since = record.wanted_since.clone();
            let job = Job { target: target.clone(), series: series.clone(), why: Why::GoOn { run, cuts: record.cuts } };
            jobs.push((since, job));
        }
    }
    jobs.sort_by(|(one, _), (other, _)| one.cmp(other));
    jobs.into_iter().map(|(_, job)| job).collect()
}

/// Plans a night.
pub fn plan(sight: Sight<'_>) -> NightPlan {
    let mut plan = NightPlan::default();
    for (tree, state) in sight.trees {
        if let Err(why) = state {
            plan.troubles.push(format!("tree {tree} could not be asked for its newest state: {why}"));
        }
    }
    let mut jobs = Vec::new();
    for (name, _, trees) in &sight.nightly.series {
        let newest = match sight.versions.get(name) {
            Some(Ok(newest)) => newest,
            Some(Err(why)) => {
                plan.troubles.push(format!("the newest version of {name} could not be found: {why}"));
                continue;
            }
            None => continue,
        };
        for tree in trees {
            let Some(Ok(state)) = sight.trees.get(tree) else { continue };
            let series = match newest.patches.get(tree) {
                Some(Ok(series)) => series,
                Some(Err(why)) => {
                    plan.troubles.push(format!("{name} has no patches for {tree}: {why}"));
                    continue;
                }
                None => continue,
            };
            let target = Target {
                series: name.clone(),
                version: newest.version,
                content: content(series),
                tree: tree.clone(),
                commit: state.commit.clone(),
                profile: sight.nightly.profile,
            };
            match decide(&target, &sight) {
                Ok(why) => jobs.push(Job { target, series: series.clone(), why }),
                Err(left) => plan.left.push((target.name(), left)),
            }
        }
    }
    // Stable: what is alike keeps the file's order.
    jobs.sort_by_cached_key(|job| rank(job, sight.state));
    plan.jobs = jobs;
    plan
}

/// Whether a target is tested: why, or why not.
fn decide(target: &Target, sight: &Sight<'_>) -> Result<Why, String> {
    let state = sight.state;
    if let Some(since) = state.broken_since(&target.tree, &target.commit) {
        return Err(format!("the base of {} is broken since the night of {since} and has not moved", target.tree));
    }
    let record = state.targets.get(target);
    if let Some((record, run)) = record.and_then(|record| Some((record, record.open_run.clone()?))) {
        return Ok(Why::GoOn { run, cuts: record.cuts });
    }
    if let Some(since) = record.and_then(|record| record.wanted_since.clone()) {
        return Ok(Why::LeftOver { since });
    }
    match record.and_then(|record| Some((record, record.last.as_ref()?))) {
        None => Ok(new(target, state)),
        Some((record, last)) => match last.outcome {
            RunOutcome::Clean | RunOutcome::Findings if last.known != sight.known => Ok(Why::KnownIssues),
            RunOutcome::Clean | RunOutcome::Findings => {
                Err(format!("nothing changed since the night of {}: {}", last.night, last.outcome.word()))
            }
            RunOutcome::Infra if record.infra >= INFRA_LIMIT => {
                Err(format!("{} runs gave no verdict ({}); it waits for a change", record.infra, last.headline))
            }
            RunOutcome::Infra | RunOutcome::Interrupted | RunOutcome::BaseBroken => {
                Ok(Why::NoVerdict { night: last.night.clone() })
            }
        },
    }
}

/// What is new about a target that was never tested.
fn new(target: &Target, state: &State) -> Why {
    let Some((other, _)) = latest(target, state) else { return Why::First };
    if other.version != target.version {
        Why::NewVersion { before: other.version }
    } else if other.content != target.content {
        Why::NewPatches
    } else if other.commit != target.commit {
        Why::MovedBase { before: other.commit.clone() }
    } else {
        Why::OtherProfile
    }
}

/// What was tested last of the same series on the same tree.
fn latest<'a>(target: &Target, state: &'a State) -> Option<(&'a Target, &'a LastRun)> {
    let same = |other: &Target| other.series == target.series && other.tree == target.tree;
    let runs = state.nights.iter().rev().flat_map(|night| night.runs.iter().rev());
    runs.map(|(other, last)| (other, last)).find(|(other, _)| same(other))
}

/// Smaller comes first: what was cut off, then what has waited longest, then what was tested longest ago. A run for
/// which no night is long enough comes last, so that others are not kept waiting by it.
fn rank(job: &Job, state: &State) -> (u8, String, String) {
    let class = match &job.why {
        Why::GoOn { cuts, .. } if *cuts >= CUT_LIMIT => 3,
        Why::GoOn { .. } => 0,
        Why::LeftOver { .. } => 1,
        Why::First
        | Why::NewVersion { .. }
        | Why::NewPatches
        | Why::MovedBase { .. }
        | Why::OtherProfile
        | Why::NoVerdict { .. }
        | Why::KnownIssues => 2,
    };
    let waiting = state.targets.get(&job.target).and_then(|record| record.wanted_since.clone());
    let tested = latest(&job.target, state).map(|(_, last)| last.night.clone());
    // What was never wanted sorts behind every night, what was never tested before.
    (class, waiting.unwrap_or_else(|| "~".to_owned()), tested.unwrap_or_default())
}

/// What makes two sets of patches the same.
pub fn content(series: &Series) -> String {
    let mut hash = blake3::Hasher::new();
    for patch in &series.patches {
        for part in [&patch.subject, &patch.author.name, &patch.author.email, &patch.message, &patch.diff] {
            hash.update(&(part.len() as u64).to_le_bytes());
            hash.update(part.as_bytes());
        }
    }
    hash.finalize().to_hex()[..16].to_owned()
}

fn short(commit: &str) -> &str {
    commit.get(..12).unwrap_or(commit)
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
