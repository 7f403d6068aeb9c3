//! One night, from its first event to its last.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use super::clock::Clock;
use super::file::{Keep, Nightly, PostPolicy};
use super::hands::{Hands, Newest, TreeState};
use super::health::{self, BaseNews, BaseStanding};
use super::journal::Journal;
use super::plan::{self, Job, Sight, Why};
use super::state::State;
use super::summary::{Summary, Weight};
use super::words::{NightEvent, RunOutcome, Target};
use crate::report::model::{Report, RunVerdict};
use crate::words::Severity;

const GIB: u64 = 1 << 30;

/// A night that could not go on.
#[derive(Debug, thiserror::Error)]
pub enum NightError {
    /// What happened could not be written down: going on would do things twice.
    #[error("the journal of the nightly runs cannot be written: {0}; free some space and check its permissions")]
    Journal(#[from] std::io::Error),
}

/// What a night works with.
pub struct Setting<'a> {
    /// `series/nightly.yaml`.
    pub nightly: &'a Nightly,
    /// The other rooms.
    pub hands: Hands<'a>,
    /// The time.
    pub clock: &'a dyn Clock,
    /// Fingerprint of the known issues in force.
    pub known: &'a str,
    /// This process.
    pub pid: u32,
    /// Cancelled when the night is to stop.
    pub cancel: CancellationToken,
}

/// Whether the night goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Going {
    On,
    Stop,
}

/// Carries out one night. `state` is what the journal says so far.
///
/// # Errors
/// When the journal cannot be written.
pub async fn night(
    setting: Setting<'_>,
    state: State,
    journal: &mut dyn Journal,
) -> Result<(Summary, State), NightError> {
    let began = setting.clock.now();
    let hours = SignedDuration::from_hours(i64::from(setting.nightly.hours));
    let name = state.next_night(began);
    let mut night = Night {
        deadline: began.checked_add(hours).unwrap_or(Timestamp::MAX),
        summary: Summary { night: name.clone(), lines: Vec::new() },
        setting,
        state,
        journal,
        name,
        tested: 0,
        wanted: 0,
    };
    let ended = night.whole().await?;
    let event = NightEvent::NightEnded { night: night.name.clone(), summary: ended };
    night.keep(&event)?;
    Ok((night.summary, night.state))
}

struct Night<'a> {
    setting: Setting<'a>,
    state: State,
    journal: &'a mut dyn Journal,
    name: String,
    deadline: Timestamp,
    summary: Summary,
    /// Runs that came to their end.
    tested: usize,
    /// Runs that were wanted.
    wanted: usize,
}

impl Night<'_> {
    /// Everything between the first event and the last, which it gives the text of.
    async fn whole(&mut self) -> Result<String, NightError> {
        let cut_off = self.state.nights.last().filter(|last| last.ended.is_none()).map(|last| last.night.clone());
        self.keep(&NightEvent::NightBegan { night: self.name.clone(), pid: self.setting.pid })?;
        if let Some(last) = cut_off {
            self.summary.say(Weight::Note, format!("the night of {last} was cut off; what it left is done first"));
        }
        // What was found out and not told before the host went down.
        self.tell().await?;
        if let Some(refused) = self.make_room().await? {
            return Ok(refused);
        }
        let versions = self.versions().await;
        let going = self.finish_open(&versions).await?;
        let ended = match going {
            Going::Stop => self.stopped(),
            Going::On => self.test_what_changed(&versions).await?,
        };
        if self.setting.cancel.is_cancelled() {
            return Ok(ended);
        }
        if let Err(why) = self.setting.hands.disk.collect(&self.setting.nightly.keep, &self.setting.cancel).await {
            self.trouble(format!("what earlier runs left could not be removed: {why}"))?;
        }
        Ok(ended)
    }

    /// Makes room on the disk; what the night says when there is too little.
    async fn make_room(&mut self) -> Result<Option<String>, NightError> {
        let needed = u64::from(self.setting.nightly.free_gib) * GIB;
        let disk = self.setting.hands.disk;
        let keep = self.setting.nightly.keep.clone();
        // What may stay goes, too, before a night is refused: results can be made again.
        for keep in [keep.clone(), Keep { days: 0, ..keep }] {
            if let Err(why) = disk.collect(&keep, &self.setting.cancel).await {
                self.trouble(format!("what earlier runs left could not be removed: {why}"))?;
            }
            match disk.free() {
                Ok(free) if free >= needed => return Ok(None),
                Ok(_) => {}
                Err(why) => {
                    let refused = format!("nothing was tested: how much space is free cannot be told: {why}");
                    self.trouble(refused.clone())?;
                    return Ok(Some(refused));
                }
            }
        }
        let free = disk.free().unwrap_or(0);
        let refused = format!(
            "nothing was tested: {:.1} GiB are free and the night needs {}; free {:.1} GiB, or lower `free_gib` in \
             series/nightly.yaml",
            gib(free),
            self.setting.nightly.free_gib,
            gib(needed - free.min(needed)),
        );
        self.trouble(refused.clone())?;
        Ok(Some(refused))
    }

    async fn versions(&self) -> BTreeMap<String, Result<Newest, String>> {
        let mut versions = BTreeMap::new();
        for (name, followed, trees) in &self.setting.nightly.series {
            versions.insert(name.clone(), self.setting.hands.versions.newest(name, followed, trees).await);
        }
        versions
    }

    async fn trees(&self) -> BTreeMap<String, Result<TreeState, String>> {
        let mut states = BTreeMap::new();
        for tree in self.setting.nightly.trees() {
            states.insert(tree.to_owned(), self.setting.hands.trees.refresh(tree, &self.setting.cancel).await);
        }
        states
    }

    /// Goes on with runs that were cut off.
    async fn finish_open(&mut self, versions: &BTreeMap<String, Result<Newest, String>>) -> Result<Going, NightError> {
        let runner = self.setting.hands.runner;
        let jobs = plan::open_jobs(self.setting.nightly, versions, &self.state, |run| runner.exists(run));
        self.want(&jobs)?;
        self.carry_out_all(jobs).await
    }

    async fn test_what_changed(
        &mut self,
        versions: &BTreeMap<String, Result<Newest, String>>,
    ) -> Result<String, NightError> {
        let trees = self.trees().await;
        let sight = Sight {
            nightly: self.setting.nightly,
            versions,
            trees: &trees,
            state: &self.state,
            known: self.setting.known,
        };
        let plan = plan::plan(sight);
        for message in plan.troubles {
            self.trouble(message)?;
        }
        for (target, why) in plan.left {
            self.summary.say(Weight::Note, format!("{target} was not tested: {why}"));
        }
        if plan.jobs.is_empty() && self.tested == 0 {
            let since = self.state.last_tested().map(|night| format!(" since the night of {}", night.night));
            return Ok(format!("nothing changed{}", since.unwrap_or_default()));
        }
        self.want(&plan.jobs)?;
        Ok(match self.carry_out_all(plan.jobs).await? {
            Going::On => format!("{} of {} runs done", self.tested, self.wanted),
            Going::Stop => self.stopped(),
        })
    }

    fn stopped(&self) -> String {
        format!("stopped: {} of {} runs done, the rest comes first in the next night", self.tested, self.wanted)
    }

    /// Writes down what is to be tested, so that what is not got to is known to wait.
    fn want(&mut self, jobs: &[Job]) -> Result<(), NightError> {
        self.wanted += jobs.len();
        for job in jobs {
            let (target, why) = (job.target.clone(), job.why.sentence());
            self.keep(&NightEvent::Wanted { night: self.name.clone(), target, why })?;
        }
        Ok(())
    }

    async fn carry_out_all(&mut self, jobs: Vec<Job>) -> Result<Going, NightError> {
        for job in jobs {
            let target = &job.target;
            // Another run of this night may have shown that the base is broken.
            if let Some(since) = self.state.broken_since(&target.tree, &target.commit) {
                let text = format!("{} was not tested: the base is broken since the night of {since}", target.name());
                self.summary.say(Weight::Note, text);
                continue;
            }
            if self.is_over() {
                let text = format!("{} was not got to; it comes first in the next night", target.name());
                self.summary.say(Weight::Note, text);
                return Ok(Going::Stop);
            }
            if self.carry_out(&job).await? == Going::Stop {
                return Ok(Going::Stop);
            }
        }
        Ok(Going::On)
    }

    fn is_over(&self) -> bool {
        self.setting.cancel.is_cancelled() || self.setting.clock.now() >= self.deadline
    }

    async fn carry_out(&mut self, job: &Job) -> Result<Going, NightError> {
        let runner = self.setting.hands.runner;
        let open = match &job.why {
            Why::GoOn { run, .. } if runner.exists(run) => Some(run.clone()),
            _ => None,
        };
        let run = match open {
            Some(run) => run,
            None => match runner.begin(&job.target, &job.series) {
                Ok(run) => {
                    let (night, target, known) = (self.name.clone(), job.target.clone(), self.setting.known.to_owned());
                    self.keep(&NightEvent::RunBegan { night, target, run: run.clone(), known })?;
                    run
                }
                Err(why) => {
                    let headline = format!("the run could not be begun: {why}");
                    self.end(&job.target, None, RunOutcome::Infra, headline, 0)?;
                    return Ok(Going::On);
                }
            },
        };
        let stop = self.setting.cancel.child_token();
        let id = run.clone();
        let mut work = runner.carry_out(&id, stop.clone());
        let report = tokio::select! {
            report = &mut work => report,
            () = self.setting.clock.until(self.deadline) => {
                stop.cancel();
                work.await
            }
        };
        match report {
            Ok(report) if report.verdict == RunVerdict::Interrupted => {
                let why = match self.setting.cancel.is_cancelled() {
                    true => "the nightly run was stopped",
                    false => "the time of the night was up",
                };
                let (night, target) = (self.name.clone(), job.target.clone());
                self.keep(&NightEvent::RunCut { night, target, run: run.clone(), why: why.to_owned() })?;
                let text = format!("{} was cut off: {why}; the next night goes on with run {run}", job.target.name());
                self.summary.say(Weight::Note, text);
                Ok(Going::Stop)
            }
            Ok(report) => {
                self.take_in(&job.target, &run, &report)?;
                self.tell().await?;
                Ok(Going::On)
            }
            Err(why) => {
                self.end(&job.target, Some(run), RunOutcome::Infra, why, 0)?;
                Ok(Going::On)
            }
        }
    }

    /// Takes in what a run found out.
    fn take_in(&mut self, asked: &Target, run: &str, report: &Report) -> Result<(), NightError> {
        let info = report.trees.iter().find(|info| info.name == asked.tree);
        // The tree may have moved since the plan was made, by somebody else's hand.
        let commit = info.and_then(|info| info.commit.clone()).unwrap_or_else(|| asked.commit.clone());
        let target = Target { commit, ..asked.clone() };
        let broken = self.judge_base(&target.tree, report)?;
        let outcome = if broken { RunOutcome::BaseBroken } else { RunOutcome::of(report.verdict) };
        let problems = report.findings.iter().filter(|finding| finding.severity == Severity::Problem).count();
        let headline = match outcome {
            RunOutcome::BaseBroken => format!("the base of {} is broken; nothing is said of the series", target.tree),
            RunOutcome::Clean | RunOutcome::Findings | RunOutcome::Infra | RunOutcome::Interrupted => {
                report.headline.clone()
            }
        };
        self.end(&target, Some(run.to_owned()), outcome, headline, u32::try_from(problems).unwrap_or(u32::MAX))
    }

    /// Judges the base and tells news of it. True when it is broken.
    fn judge_base(&mut self, tree: &str, report: &Report) -> Result<bool, NightError> {
        let history = self.state.bases.get(tree);
        let good: BTreeSet<&str> = history.iter().flat_map(|history| &history.good).map(String::as_str).collect();
        let Some(base) = health::judge_base(report, tree, &good) else { return Ok(false) };
        let news = health::news(history.map(|history| &history.now), &base);
        let broken = base.standing == BaseStanding::Broken;
        self.keep(&NightEvent::BaseJudged { night: self.name.clone(), tree: tree.to_owned(), base })?;
        if let Some(news) = news {
            let weight = match news {
                BaseNews::Broke { .. } => Weight::Trouble,
                BaseNews::Recovered | BaseNews::Worse { .. } | BaseNews::Better { .. } => Weight::Note,
            };
            self.summary.say(weight, news.sentence(tree));
        }
        Ok(broken)
    }

    fn end(
        &mut self,
        target: &Target,
        run: Option<String>,
        outcome: RunOutcome,
        headline: String,
        problems: u32,
    ) -> Result<(), NightError> {
        self.tested += 1;
        let weight = match outcome {
            RunOutcome::Clean | RunOutcome::BaseBroken | RunOutcome::Interrupted => Weight::Note,
            RunOutcome::Findings => Weight::Findings,
            RunOutcome::Infra => Weight::Trouble,
        };
        let name = run.as_deref().map(|run| format!(" (run {run})")).unwrap_or_default();
        self.summary.say(weight, format!("{}: {}: {headline}{name}", target.name(), outcome.word()));
        let (night, target, known) = (self.name.clone(), target.clone(), self.setting.known.to_owned());
        self.keep(&NightEvent::RunEnded { night, target, run, outcome, headline, problems, known })
    }

    /// Tells every verdict that is not the one told last. What cannot be told now is tried again.
    async fn tell(&mut self) -> Result<(), NightError> {
        for change in self.state.untold() {
            let how = match self.setting.nightly.post {
                PostPolicy::None => Ok(PostPolicy::None.word().to_owned()),
                policy @ (PostPolicy::DryRun | PostPolicy::Queue | PostPolicy::Send) => {
                    self.setting.hands.poster.post(&change, policy).await
                }
            };
            let subject = change.subject.clone();
            match how {
                Ok(how) => {
                    if self.setting.nightly.post != PostPolicy::None {
                        let text = format!("{} on {}: the verdict was told: {how}", subject.series, subject.tree);
                        self.summary.say(Weight::Note, text);
                    }
                    let (night, outcome, run) = (self.name.clone(), change.now, change.run);
                    self.keep(&NightEvent::Told { night, subject, outcome, run, how })?;
                }
                Err(why) => {
                    let message = format!("the verdict of run {} could not be told: {why}", change.run);
                    self.trouble(message)?;
                }
            }
        }
        Ok(())
    }

    /// Says what a person should look at, each thing once a night.
    fn trouble(&mut self, message: String) -> Result<(), NightError> {
        if self.summary.lines.iter().any(|line| line.weight == Weight::Trouble && line.text == message) {
            return Ok(());
        }
        self.summary.say(Weight::Trouble, message.clone());
        self.keep(&NightEvent::Trouble { night: self.name.clone(), message })
    }

    /// Writes an event down and takes it in.
    fn keep(&mut self, event: &NightEvent) -> Result<(), NightError> {
        let now = self.setting.clock.now();
        self.journal.append(now, event)?;
        self.state.add(now, event);
        Ok(())
    }
}

#[allow(clippy::cast_precision_loss)]
fn gib(bytes: u64) -> f64 {
    bytes as f64 / GIB as f64
}
