//! The words of the nightly run: what is tested, how it ended, what happened.

use serde::{Deserialize, Serialize};

use super::health::BaseRecord;
use crate::report::model::RunVerdict;
use crate::words::Profile;

/// One version of a series on one commit of a tree: what one run tests.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Target {
    /// Name of the followed series in `series/nightly.yaml`.
    pub series: String,
    /// Version, where the series has one.
    pub version: Option<u32>,
    /// BLAKE3 hash of its patches for this tree: the same version may be ported anew.
    pub content: String,
    /// Tree.
    pub tree: String,
    /// Commit of the tree's base, 40 hex digits.
    pub commit: String,
    /// Profile.
    pub profile: Profile,
}

impl Target {
    /// `v6 on linux-6.12`, `hmm-migrate v3 on mm-unstable`.
    pub fn name(&self) -> String {
        format!("{} on {}", self.series_name(), self.tree)
    }

    /// `hmm-migrate v3`; the version is left out where the name has it already.
    pub fn series_name(&self) -> String {
        match self.version {
            Some(version) if self.series != format!("v{version}") => format!("{} v{version}", self.series),
            Some(_) | None => self.series.clone(),
        }
    }

    /// What a verdict belongs to: a version on a tree, whatever the commit.
    pub fn subject(&self) -> Subject {
        Subject { series: self.series.clone(), version: self.version, tree: self.tree.clone() }
    }
}

/// A version of a series on a tree: a verdict of it is told once, and again when it changes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Subject {
    /// Name of the followed series.
    pub series: String,
    /// Version.
    pub version: Option<u32>,
    /// Tree.
    pub tree: String,
}

/// How a run of the night ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunOutcome {
    /// Nothing speaks against the series.
    Clean,
    /// At least one problem.
    Findings,
    /// No answer, through trouble of ours.
    Infra,
    /// The base is broken by itself: says nothing about the series.
    BaseBroken,
    /// Stopped; the next night goes on.
    Interrupted,
}

impl RunOutcome {
    /// What a run's verdict says when the base is good or not known to be broken.
    pub fn of(verdict: RunVerdict) -> RunOutcome {
        match verdict {
            RunVerdict::Clean => RunOutcome::Clean,
            RunVerdict::Findings => RunOutcome::Findings,
            RunVerdict::Infra => RunOutcome::Infra,
            RunVerdict::Interrupted => RunOutcome::Interrupted,
        }
    }

    /// Whether it is a verdict about the series, which may be told.
    pub fn is_verdict(self) -> bool {
        match self {
            RunOutcome::Clean | RunOutcome::Findings => true,
            RunOutcome::Infra | RunOutcome::BaseBroken | RunOutcome::Interrupted => false,
        }
    }

    /// The word as it stands in files and on pages.
    pub fn word(self) -> &'static str {
        match self {
            RunOutcome::Clean => "clean",
            RunOutcome::Findings => "findings",
            RunOutcome::Infra => "infra",
            RunOutcome::BaseBroken => "base broken",
            RunOutcome::Interrupted => "interrupted",
        }
    }
}

/// A verdict that is to be told, because it is the first of its version on its tree or differs from the one told last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerdictChange {
    /// Of what.
    pub subject: Subject,
    /// What was told last; `None` for a first verdict.
    pub before: Option<RunOutcome>,
    /// The verdict now.
    pub now: RunOutcome,
    /// The run that gave it.
    pub run: String,
}

/// Something that happened in a night. One per line in `results/nightly/events.jsonl`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "event")]
pub enum NightEvent {
    /// A night began.
    NightBegan {
        /// Its name: `2026-01-31`, a second one on the same day `2026-01-31.2`.
        night: String,
        /// The process.
        pid: u32,
    },
    /// This is to be tested this night; what is not done by its end is tried first in the next one.
    Wanted {
        /// Night.
        night: String,
        /// What.
        target: Target,
        /// Why, one sentence.
        why: String,
    },
    /// A run was begun: its folder is there.
    RunBegan {
        /// Night.
        night: String,
        /// What it tests.
        target: Target,
        /// Run id.
        run: String,
        /// Fingerprint of the known issues in force.
        known: String,
    },
    /// A run came to its end.
    RunEnded {
        /// Night.
        night: String,
        /// What it tested.
        target: Target,
        /// Run id; `None` when not even its folder could be made.
        run: Option<String>,
        /// How it ended.
        outcome: RunOutcome,
        /// One sentence.
        headline: String,
        /// Findings of severity problem.
        problems: u32,
        /// Fingerprint of the known issues that were in force.
        known: String,
    },
    /// A run was stopped before its end; a later night goes on with it.
    RunCut {
        /// Night.
        night: String,
        /// What it tests.
        target: Target,
        /// Run id.
        run: String,
        /// Why, one sentence.
        why: String,
    },
    /// What a run saw of a tree's base by itself.
    BaseJudged {
        /// Night.
        night: String,
        /// Tree.
        tree: String,
        /// The judgement.
        base: BaseRecord,
    },
    /// A verdict was told, or the policy says that it is not.
    Told {
        /// Night.
        night: String,
        /// Of what.
        subject: Subject,
        /// The verdict.
        outcome: RunOutcome,
        /// The run that gave it.
        run: String,
        /// How: `none`, or what the poster answered.
        how: String,
    },
    /// Something that a person should look at and that is no verdict: a tree that cannot be had, an archive that does
    /// not answer.
    Trouble {
        /// Night.
        night: String,
        /// One sentence.
        message: String,
    },
    /// A night came to its end.
    NightEnded {
        /// Night.
        night: String,
        /// One sentence: what was done, or why nothing was.
        summary: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(series: &str, version: Option<u32>) -> Target {
        let [content, tree, commit] = ["c", "linux-6.12", "d"].map(str::to_owned);
        Target { series: series.into(), version, content, tree, commit, profile: Profile::Quick }
    }

    #[test]
    fn a_version_is_named_once() {
        assert_eq!(target("v6", Some(6)).name(), "v6 on linux-6.12");
        assert_eq!(target("hmm", Some(6)).name(), "hmm v6 on linux-6.12");
        assert_eq!(target("hmm", None).name(), "hmm on linux-6.12");
    }

    #[test]
    fn only_what_was_answered_is_a_verdict() {
        let verdicts = [RunVerdict::Clean, RunVerdict::Findings, RunVerdict::Infra, RunVerdict::Interrupted];
        assert_eq!(verdicts.map(|verdict| RunOutcome::of(verdict).is_verdict()), [true, true, false, false]);
        assert!(!RunOutcome::BaseBroken.is_verdict());
    }
}
