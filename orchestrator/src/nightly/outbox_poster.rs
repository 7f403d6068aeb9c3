//! Telling verdicts by mail, through the outbox.

use camino::Utf8PathBuf;
use futures::future::BoxFuture;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::file::PostPolicy;
use super::hands::Poster;
use super::words::VerdictChange;
use crate::config::Home;
use crate::intake;
use crate::post::dispatch::Couriers;
use crate::post::lists::{self, Lists};
use crate::post::outbox::{By, Decision, Outbox, State, system_clock};
use crate::post::places;
use crate::post::plan::{Plan, Request, plan};
use crate::report::model::Report;
use crate::run::RunFolder;
use crate::words::{Envelope, Series};

/// Replies in the threads of the series. The outbox is what makes a mail leave once, whatever is asked for how often.
pub struct OutboxPoster {
    /// The policy, `series/lists.yaml` and the user's own.
    pub home: Home,
    /// Runs and outbox.
    pub results: Utf8PathBuf,
    /// Threads that were fetched.
    pub cache: Utf8PathBuf,
}

impl Poster for OutboxPoster {
    fn post<'a>(&'a self, change: &'a VerdictChange, policy: PostPolicy) -> BoxFuture<'a, Result<String, String>> {
        Box::pin(async move {
            let lists = lists::load(&self.home, None).map_err(|error| error.to_string())?;
            let (report, series) = self.run(&change.run)?;
            let posted = self.posted(&series).await;
            let now = Timestamp::now().as_second();
            let request = Request {
                report: &report,
                series: &series,
                lists: &lists,
                posted: posted.as_ref(),
                to: &[],
                cc: &[],
                now,
            };
            match policy {
                PostPolicy::None => Ok(policy.word().to_owned()),
                PostPolicy::DryRun => {
                    let planned = plan(&request, &Outbox::of(&self.results)).map_err(|error| error.to_string())?;
                    Ok(would(&planned, &change.run))
                }
                PostPolicy::Queue => self.keep(&request, &change.run, &lists, true).await,
                PostPolicy::Send => self.keep(&request, &change.run, &lists, false).await,
            }
        })
    }
}

impl OutboxPoster {
    /// Head of the posted cover letter behind a port, where a source has it; without it nobody but the lists' own
    /// policy says who is to get the mail.
    async fn posted(&self, series: &Series) -> Option<Envelope> {
        let upstream = series.upstream.as_ref()?;
        let cancel = CancellationToken::new();
        let fetched = intake::posted_head(&self.home, &self.cache, &upstream.message_id, &cancel).await;
        if let Err(error) = &fetched {
            tracing::warn!("the posted cover letter was not found: {error}");
        }
        fetched.ok()
    }

    fn run(&self, run: &str) -> Result<(Report, Series), String> {
        let folder = RunFolder::open(&self.results, run).map_err(|error| error.to_string())?;
        let file = folder.path().join("report.json");
        let text = fs_err::read_to_string(&file).map_err(|error| error.to_string())?;
        let report = Report::from_json(&text).map_err(|error| format!("{file}: {error}"))?;
        let series = folder.series().ok_or_else(|| format!("run {run} has no series"))?;
        Ok((report, series.clone()))
    }

    /// Keeps the mail in the outbox and, unless it is to wait for a person, sends it as far as it may go.
    async fn keep(&self, request: &Request<'_>, run: &str, lists: &Lists, wait: bool) -> Result<String, String> {
        let outbox = Outbox::of(&self.results);
        let locked = outbox.lock(system_clock()).map_err(|error| error.to_string())?;
        let planned = plan(request, &locked).map_err(|error| error.to_string())?;
        if planned.recipients.is_empty() {
            return Ok("nobody is to get it by series/lists.yaml".to_owned());
        }
        if !planned.has_sender {
            return Err("nobody is configured to send as; docs/posting.md says how".to_owned());
        }
        let id = match &planned.decision {
            Decision::Say { id, .. } => {
                let (draft, mut state, mut why) = planned.draft(run);
                if wait {
                    state = State::PendingModeration;
                    why = "to be approved by a person, by `post: queue` of series/nightly.yaml".to_owned();
                }
                locked.put(id.clone(), draft, state, By::Program, &why).map_err(|error| error.to_string())?;
                id.clone()
            }
            Decision::Said { id, supersedes, .. } => {
                let why = format!("message {id} says what holds now");
                locked.supersede_all(supersedes, &why).map_err(|error| error.to_string())?;
                id.clone()
            }
        };
        let mut kept = locked.find(id.as_str()).map_err(|error| error.to_string())?;
        let may_go = match kept.state() {
            State::Ready | State::Sending => !wait,
            State::PendingModeration
            | State::Sent
            | State::Dropped
            | State::Refused
            | State::Uncertain
            | State::Superseded => false,
        };
        if may_go {
            let places = places::load(&self.home).map_err(|error| error.to_string())?;
            let couriers = Couriers { lists, via: None, places: &places };
            kept = couriers.send(&locked, &kept).await.map_err(|error| error.to_string())?;
        }
        match kept.state() {
            State::Sent => Ok(format!("mail {id} was sent")),
            State::PendingModeration => Ok(format!("mail {id} waits; `orchestrator outbox approve {id}` lets it go")),
            // The outbox has it and knows what is to be done; asking again would do nothing else.
            State::Ready | State::Sending | State::Dropped | State::Refused | State::Uncertain | State::Superseded => {
                Ok(format!("mail {id} is {}: {}; see `orchestrator outbox`", kept.state().word(), kept.last().why))
            }
        }
    }
}

fn would(planned: &Plan, run: &str) -> String {
    match &planned.decision {
        Decision::Said { id, .. } => format!("nothing changed since mail {id}"),
        Decision::Say { .. } if planned.recipients.is_empty() => {
            "nobody would get a mail by series/lists.yaml".to_owned()
        }
        Decision::Say { .. } => format!(
            "a mail would go to {}; `orchestrator post {run}` shows it",
            planned.recipients.addresses().join(", ")
        ),
    }
}
