//! What the journal says, in a form that the planner can ask. Never kept: always derived.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Serialize;

use super::health::{BaseRecord, BaseStanding, KconfigBase};
use super::words::{NightEvent, RunOutcome, Subject, Target, VerdictChange};

/// How a run that came to its end ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LastRun {
    /// Night.
    pub night: String,
    /// Run id; `None` when not even its folder could be made.
    pub run: Option<String>,
    /// How it ended.
    pub outcome: RunOutcome,
    /// One sentence.
    pub headline: String,
    /// Findings of severity problem.
    pub problems: u32,
    /// Fingerprint of the known issues that were in force.
    pub known: String,
}

/// What is known of one target.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct TargetRecord {
    /// The night since which it is wanted and has no answer.
    pub wanted_since: Option<String>,
    /// The run that was begun and has no end.
    pub open_run: Option<String>,
    /// How often that run was stopped by the end of a night.
    pub cuts: u32,
    /// The last run with an end.
    pub last: Option<LastRun>,
    /// Runs in a row that ended without an answer through trouble of ours.
    pub infra: u32,
}

/// One night.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NightRecord {
    /// Its name.
    pub night: String,
    /// When it began.
    pub began: Timestamp,
    /// When it ended; `None` when its process died, or is still at work.
    pub ended: Option<Timestamp>,
    /// What was done, one sentence; empty without an end.
    pub summary: String,
    /// What came to its end in it.
    pub runs: Vec<(Target, LastRun)>,
    /// What a person should look at.
    pub troubles: Vec<String>,
    /// Trees whose base was judged.
    pub bases: BTreeMap<String, BaseRecord>,
}

/// What is known of a tree's base.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BaseHistory {
    /// The last judgement that knew something.
    pub now: BaseRecord,
    /// The night since which it stands so.
    pub since: String,
    /// Kconfigs with which a base of this tree was ever good.
    pub good: BTreeSet<String>,
}

/// Everything the journal says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct State {
    /// Nights, oldest first.
    pub nights: Vec<NightRecord>,
    /// Every target there ever was.
    #[serde(serialize_with = "pairs")]
    pub targets: BTreeMap<Target, TargetRecord>,
    /// The verdict told last, with its run.
    #[serde(serialize_with = "pairs")]
    pub told: BTreeMap<Subject, (RunOutcome, String)>,
    /// The last verdict, with its run.
    #[serde(serialize_with = "pairs")]
    pub verdicts: BTreeMap<Subject, (RunOutcome, String)>,
    /// Bases by tree.
    pub bases: BTreeMap<String, BaseHistory>,
}

/// JSON has no keys but strings.
fn pairs<S: serde::Serializer, K: Serialize, V: Serialize>(map: &BTreeMap<K, V>, to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(map)
}

impl State {
    /// Derives the state from a journal.
    pub fn from_events(events: &[(Timestamp, NightEvent)]) -> State {
        let mut state = State::default();
        for (at, event) in events {
            state.add(*at, event);
        }
        state
    }

    /// Takes in what happened next.
    pub fn add(&mut self, at: Timestamp, event: &NightEvent) {
        match event {
            NightEvent::NightBegan { night, pid: _ } => self.nights.push(NightRecord {
                night: night.clone(),
                began: at,
                ended: None,
                summary: String::new(),
                runs: Vec::new(),
                troubles: Vec::new(),
                bases: BTreeMap::new(),
            }),
            NightEvent::Wanted { night, target, why: _ } => {
                self.targets.entry(target.clone()).or_default().wanted_since.get_or_insert_with(|| night.clone());
            }
            NightEvent::RunBegan { target, run, .. } => {
                let record = self.targets.entry(target.clone()).or_default();
                record.open_run = Some(run.clone());
                record.cuts = 0;
            }
            NightEvent::RunCut { target, .. } => self.targets.entry(target.clone()).or_default().cuts += 1,
            NightEvent::RunEnded { night, target, run, outcome, headline, problems, known } => {
                let last = LastRun {
                    night: night.clone(),
                    run: run.clone(),
                    outcome: *outcome,
                    headline: headline.clone(),
                    problems: *problems,
                    known: known.clone(),
                };
                self.end(target, run.as_deref(), last);
            }
            NightEvent::BaseJudged { night, tree, base } => self.judge(night, tree, base),
            NightEvent::Told { subject, outcome, run, .. } => {
                self.told.insert(subject.clone(), (*outcome, run.clone()));
            }
            NightEvent::Trouble { night, message } => {
                if let Some(record) = self.night_mut(night) {
                    record.troubles.push(message.clone());
                }
            }
            NightEvent::NightEnded { night, summary } => {
                if let Some(record) = self.night_mut(night) {
                    record.ended = Some(at);
                    record.summary = summary.clone();
                }
            }
        }
    }

    fn end(&mut self, target: &Target, run: Option<&str>, last: LastRun) {
        // A run that was begun for one commit may have found the tree on another: it is done for both.
        if let Some(run) = run {
            for record in self.targets.values_mut().filter(|record| record.open_run.as_deref() == Some(run)) {
                record.open_run = None;
                record.wanted_since = None;
                record.cuts = 0;
            }
        }
        let record = self.targets.entry(target.clone()).or_default();
        record.open_run = None;
        record.wanted_since = None;
        record.infra = if last.outcome == RunOutcome::Infra { record.infra + 1 } else { 0 };
        record.last = Some(last.clone());
        if let (true, Some(run)) = (last.outcome.is_verdict(), run) {
            self.verdicts.insert(target.subject(), (last.outcome, run.to_owned()));
        }
        let night = last.night.clone();
        if let Some(record) = self.night_mut(&night) {
            record.runs.push((target.clone(), last));
        }
    }

    fn judge(&mut self, night: &str, tree: &str, base: &BaseRecord) {
        if let Some(record) = self.night_mut(night) {
            record.bases.insert(tree.to_owned(), base.clone());
        }
        if base.standing == BaseStanding::Unknown {
            return;
        }
        let good = base.kconfigs.iter().filter(|(_, state)| **state == KconfigBase::Good).map(|(name, _)| name.clone());
        match self.bases.get_mut(tree) {
            Some(history) => {
                if history.now.standing != base.standing {
                    night.clone_into(&mut history.since);
                }
                history.now = base.clone();
                history.good.extend(good);
            }
            None => {
                let history = BaseHistory { now: base.clone(), since: night.to_owned(), good: good.collect() };
                self.bases.insert(tree.to_owned(), history);
            }
        }
    }

    fn night_mut(&mut self, night: &str) -> Option<&mut NightRecord> {
        self.nights.iter_mut().rev().find(|record| record.night == night)
    }

    /// The name of a night that begins at `now`.
    pub fn next_night(&self, now: Timestamp) -> String {
        let day = now.strftime("%Y-%m-%d").to_string();
        let taken = |name: &str| self.nights.iter().any(|record| record.night == name);
        let names = std::iter::once(day.clone()).chain((2..).map(|count| format!("{day}.{count}")));
        names.into_iter().find(|name| !taken(name)).unwrap_or(day)
    }

    /// Verdicts that are not the ones told last: what is to be told now.
    pub fn untold(&self) -> Vec<VerdictChange> {
        let change = |(subject, (now, run)): (&Subject, &(RunOutcome, String))| {
            let before = self.told.get(subject).map(|(outcome, _)| *outcome);
            let change = VerdictChange { subject: subject.clone(), before, now: *now, run: run.clone() };
            (before != Some(*now)).then_some(change)
        };
        self.verdicts.iter().filter_map(change).collect()
    }

    /// Whether the base of `tree` at `commit` is known to be broken, and since which night.
    pub fn broken_since(&self, tree: &str, commit: &str) -> Option<&str> {
        let history = self.bases.get(tree)?;
        let broken = history.now.standing == BaseStanding::Broken && history.now.commit == commit;
        broken.then_some(history.since.as_str())
    }

    /// The last night that came to an end, and in which something was tested.
    pub fn last_tested(&self) -> Option<&NightRecord> {
        self.nights.iter().rev().find(|night| !night.runs.is_empty())
    }
}
