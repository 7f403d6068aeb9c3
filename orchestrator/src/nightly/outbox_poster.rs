//! Telling verdicts by mail, through the outbox.

use std::collections::BTreeMap;

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
use crate::post::github::Target;
use crate::post::lists;
use crate::post::message::{Message, Unsaid};
use crate::post::outbox::{By, Decision, Draft, ItemId, Kept, LockedOutbox, Outbox, State, system_clock};
use crate::post::place::Place;
use crate::post::places::{self, Places};
use crate::post::plan::{Plan, Request, plan};
use crate::post::said::Said;
use crate::report::model::Report;
use crate::run::RunFolder;
use crate::words::{Envelope, Series};

/// Replies in the threads of the series. The outbox is what makes a mail leave once, whatever is asked for how often.
pub struct OutboxPoster {
    /// Policy and places: `series/lists.yaml`, `series/places.yaml`.
    pub home: Home,
    /// A file that stands in for the user's own `lists.yaml`.
    pub lists: Option<Utf8PathBuf>,
    /// Runs and outbox.
    pub results: Utf8PathBuf,
    /// Threads that were fetched.
    pub cache: Utf8PathBuf,
}

impl Poster for OutboxPoster {
    fn post<'a>(&'a self, change: &'a VerdictChange, policy: PostPolicy) -> BoxFuture<'a, Result<String, String>> {
        Box::pin(async move {
            let lists = lists::load(&self.home, self.lists.as_deref()).map_err(|error| error.to_string())?;
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
            let places = places::load(&self.home).map_err(|error| error.to_string())?;
            let couriers = Couriers { lists: &lists, via: None, places: &places };
            let wait = match policy {
                PostPolicy::None => return Ok(policy.word().to_owned()),
                PostPolicy::DryRun => {
                    let outbox = Outbox::of(&self.results);
                    let planned = plan(&request, &outbox).map_err(|error| error.to_string())?;
                    let mut told = vec![would(&planned, &change.run)];
                    told.extend(elsewhere(&report, &series, &places).iter().map(|(place, messages)| match messages {
                        Ok(messages) => format!("{} would be said at {}", messages.len(), place.word()),
                        Err(why) => format!("nothing would be said at {}: {why}", place.word()),
                    }));
                    return Ok(told.join("; "));
                }
                PostPolicy::Queue => true,
                PostPolicy::Send => false,
            };
            // Trouble with one way is no reason to leave out the others; what the outbox has is not said twice.
            let mut told = vec![self.mail(&request, &change.run, &couriers, wait).await];
            for (place, messages) in elsewhere(&report, &series, &places) {
                told.push(match messages {
                    Ok(messages) => self.say(place, messages, &couriers, wait).await,
                    Err(why) => Ok(format!("nothing is said at {}: {why}", place.word())),
                });
            }
            let failed = told.iter().any(Result::is_err);
            let told: Vec<String> = told.into_iter().map(|told| told.unwrap_or_else(|why| why)).collect();
            if failed { Err(told.join("; ")) } else { Ok(told.join("; ")) }
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
    async fn mail(
        &self,
        request: &Request<'_>,
        run: &str,
        couriers: &Couriers<'_>,
        wait: bool,
    ) -> Result<String, String> {
        let locked = Outbox::of(&self.results).lock(system_clock()).map_err(|error| error.to_string())?;
        let planned = plan(request, &locked).map_err(|error| error.to_string())?;
        if planned.recipients.is_empty() {
            return Ok("nobody is to get it by series/lists.yaml".to_owned());
        }
        if !planned.has_sender {
            return Err("nobody is configured to send as; docs/posting.md says how".to_owned());
        }
        let (draft, state, why) = planned.draft(run);
        let (id, kept) = deliver(&locked, planned.decision, draft, (state, &why), couriers, wait).await?;
        Ok(match kept.state() {
            State::Sent => format!("mail {id} was sent"),
            State::PendingModeration => format!("mail {id} waits; `orchestrator outbox approve {id}` lets it go"),
            // The outbox has it and knows what is to be done; asking again would do nothing else.
            State::Ready | State::Sending | State::Dropped | State::Refused | State::Uncertain | State::Superseded => {
                format!("mail {id} is {}: {}; see `orchestrator outbox`", kept.state().word(), kept.last().why)
            }
        })
    }

    /// The same for what is said at a place beside mail.
    async fn say(
        &self,
        place: Place,
        messages: Vec<Message>,
        couriers: &Couriers<'_>,
        wait: bool,
    ) -> Result<String, String> {
        let locked = Outbox::of(&self.results).lock(system_clock()).map_err(|error| error.to_string())?;
        let mut states: BTreeMap<State, usize> = BTreeMap::new();
        for message in messages {
            let decision = locked.decide(&message.draft.subject).map_err(|error| error.to_string())?;
            let state = (State::Ready, "a place that series/places.yaml names");
            let (_, kept) = deliver(&locked, decision, message.draft, state, couriers, wait).await?;
            *states.entry(kept.state()).or_default() += 1;
        }
        let states: Vec<String> = states.iter().map(|(state, count)| format!("{count} {}", state.word())).collect();
        Ok(format!("{}: {}", place.word(), states.join(", ")))
    }
}

/// Puts a message into the outbox, if it says something new, and sends it as far as it may go.
async fn deliver(
    locked: &LockedOutbox,
    decision: Decision,
    draft: Draft,
    (state, why): (State, &str),
    couriers: &Couriers<'_>,
    wait: bool,
) -> Result<(ItemId, Kept), String> {
    let id = match decision {
        Decision::Say { id, .. } => {
            let (state, why) = match wait {
                true => {
                    (State::PendingModeration, "to be approved by a person, by `post: queue` of series/nightly.yaml")
                }
                false => (state, why),
            };
            locked.put(id.clone(), draft, state, By::Program, why).map_err(|error| error.to_string())?;
            id
        }
        Decision::Said { id, supersedes, .. } => {
            let why = format!("message {id} says what holds now");
            locked.supersede_all(&supersedes, &why).map_err(|error| error.to_string())?;
            id
        }
    };
    let kept = locked.find(id.as_str()).map_err(|error| error.to_string())?;
    let may_go = match kept.state() {
        State::Ready | State::Sending => !wait,
        State::PendingModeration
        | State::Sent
        | State::Dropped
        | State::Refused
        | State::Uncertain
        | State::Superseded => false,
    };
    let kept = match may_go {
        true => couriers.send(locked, &kept).await.map_err(|error| error.to_string())?,
        false => kept,
    };
    Ok((id, kept))
}

/// What is said of a night's run at every place that `series/places.yaml` names.
fn elsewhere(report: &Report, series: &Series, places: &Places) -> Vec<(Place, Result<Vec<Message>, Unsaid>)> {
    let said = Said { report, series };
    let target = Target { pull: None, commit: None, nightly: true };
    Place::ALL.into_iter().filter_map(|place| Some((place, place.messages(&said, &target, places)?))).collect()
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

#[cfg(test)]
#[path = "outbox_poster_tests.rs"]
mod tests;
