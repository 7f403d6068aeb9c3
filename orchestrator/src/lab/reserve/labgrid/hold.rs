//! Waiting for a place, holding it, giving it back.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};

use super::messages::{FromCoordinator, Place, TurnState};
use super::queue::{Next, next};
use super::session::{self, Calls, LEASE, News};
use crate::config::closest;
use crate::lab::reserve::acquire::ReserveError;
use crate::lab::reserve::holder::Holder;
use crate::lab::reserve::reservation::Reservation;
use crate::words::{Event, EventSink};

/// How fast things go.
#[derive(Debug, Clone, Copy)]
pub(in crate::lab::reserve) struct Pace {
    /// Between two looks at the queue.
    pub look: Duration,
    /// Between two signs of life; labgrid forgets a turn 60 s after the last one.
    pub beat: Duration,
    /// How long a sign of life may fail before the lock counts as lost; less than labgrid waits.
    pub silence: Duration,
    /// How long a coordinator may be unreachable while its place is waited for.
    pub patience: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Pace { look: seconds(1), beat: seconds(10), silence: seconds(40), patience: seconds(300) }
    }
}

/// A place that was taken, and all that must be given back.
struct Taken {
    calls: Calls,
    news: News,
    place: String,
    holder: String,
    turn: String,
    lease: String,
}

/// Waits for the place and takes it.
///
/// # Errors
/// When there is nothing to wait for, or the wait was interrupted.
pub(in crate::lab::reserve) async fn acquire(
    coordinator: &str,
    place: &str,
    holder: &Holder,
    pace: &Pace,
    events: &EventSink,
    cancel: &CancellationToken,
) -> Result<Reservation, ReserveError> {
    let mut wait = Wait { place, holder, pace, events, told: String::new() };
    let mut since: Option<Instant> = None;
    loop {
        // A wait that is dropped leaves a turn, which nobody polls any more; it is given up where possible.
        let trouble = match session::open(coordinator, &holder.name).await {
            Ok((calls, news)) => {
                since = None;
                match wait.take(&calls, news, cancel).await {
                    Ok(taken) => return Ok(keep(taken, *pace)),
                    Err(End::Cancelled) => return Err(ReserveError::Cancelled),
                    Err(End::NoPlace(places)) => return Err(no_place(coordinator, place, &places)),
                    Err(End::Refused(why)) => {
                        let (coordinator, place) = (coordinator.to_owned(), place.to_owned());
                        return Err(ReserveError::Refused { coordinator, place, why });
                    }
                    Err(End::Session(status)) => status,
                }
            }
            Err(status) => status,
        };
        let why = words(&trouble);
        let first = *since.get_or_insert_with(Instant::now);
        if trouble.code() == Code::InvalidArgument || first.elapsed() >= pace.patience {
            return Err(ReserveError::Unreachable { coordinator: coordinator.to_owned(), why });
        }
        wait.tell(&format!("labgrid at {coordinator} does not answer ({why})"));
        tokio::select! {
            () = cancel.cancelled() => return Err(ReserveError::Cancelled),
            () = tokio::time::sleep(pace.look) => {}
        }
    }
}

fn no_place(coordinator: &str, place: &str, places: &[Place]) -> ReserveError {
    let names: Vec<&str> = places.iter().map(|place| place.name.as_str()).collect();
    let hint = match closest(place, names.iter().copied()) {
        Some(name) => format!("; did you mean {name}?"),
        None if names.is_empty() => "; it has none at all".to_owned(),
        None => format!("; it has {}", names.join(", ")),
    };
    ReserveError::NoPlace { coordinator: coordinator.to_owned(), place: place.to_owned(), hint }
}

/// The coordinator's words, without what a terminal would take for commands.
fn words(status: &Status) -> String {
    let text = if status.message().is_empty() { status.code().description() } else { status.message() };
    text.chars().filter(|c| !c.is_control()).take(300).collect()
}

/// Why a wait ended without the place.
enum End {
    Cancelled,
    NoPlace(Vec<Place>),
    Refused(String),
    Session(Status),
}

impl From<Status> for End {
    fn from(status: Status) -> Self {
        match status.code() {
            Code::Unimplemented | Code::Unauthenticated => End::Refused(words(&status)),
            _ => End::Session(status),
        }
    }
}

struct Wait<'a> {
    place: &'a str,
    holder: &'a Holder,
    pace: &'a Pace,
    events: &'a EventSink,
    told: String,
}

impl Wait<'_> {
    /// Says what is waited for, each reason once.
    fn tell(&mut self, why: &str) {
        if self.told != why {
            why.clone_into(&mut self.told);
            let message = format!("{}: waiting for {}: {why}", self.holder.purpose, self.place);
            (self.events)(Event::Note { message });
        }
    }

    /// Queues up and takes the place when it is our turn.
    async fn take(&mut self, calls: &Calls, news: News, cancel: &CancellationToken) -> Result<Taken, End> {
        let mut turn = calls.create("name", self.place).await?.token;
        let result = self.queue(calls, &mut turn, cancel).await;
        match result {
            Ok(lease) => Ok(Taken {
                calls: calls.clone(),
                news,
                place: self.place.to_owned(),
                holder: self.holder.name.clone(),
                turn,
                lease,
            }),
            Err(end) => {
                // Where it cannot be given up it expires by itself.
                let _ = calls.cancel(&turn).await;
                Err(end)
            }
        }
    }

    /// The token of the lease of the place that was taken.
    async fn queue(&mut self, calls: &Calls, turn: &mut String, cancel: &CancellationToken) -> Result<String, End> {
        loop {
            // In this order: see `next`.
            let places = calls.places().await?;
            let turns = calls.turns().await?;
            match next(self.place, turn, &places, &turns) {
                Next::NoPlace => return Err(End::NoPlace(places)),
                Next::AgainTurn => {
                    *turn = calls.create("name", self.place).await?.token;
                    continue;
                }
                Next::Free { holder, turns } => {
                    let message = format!(
                        "{}: {} is held by {holder}, which gave no sign of life for a minute: it is taken over",
                        self.holder.purpose, self.place
                    );
                    (self.events)(Event::Note { message });
                    calls.release(self.place, &holder).await?;
                    for token in turns {
                        // Another one may have been faster.
                        let _ = calls.cancel(&token).await;
                    }
                    continue;
                }
                Next::Take => {
                    let lease = calls.create(LEASE, self.place).await?.token;
                    match calls.acquire(self.place).await {
                        Ok(()) => return Ok(lease),
                        Err(status) => {
                            let _ = calls.cancel(&lease).await;
                            match status.code() {
                                // Somebody was faster, or a resource of the place is not free yet.
                                Code::FailedPrecondition | Code::PermissionDenied => self.tell(&words(&status)),
                                _ => return Err(status.into()),
                            }
                        }
                    }
                }
                Next::Wait(why) => self.tell(&why),
            }
            tokio::select! {
                () = cancel.cancelled() => return Err(End::Cancelled),
                () = tokio::time::sleep(self.pace.look) => {}
            }
            match calls.poll(turn).await {
                Ok(_) => {}
                // It is gone; the next look says so, too.
                Err(status) if status.code() == Code::FailedPrecondition => {}
                Err(status) => return Err(status.into()),
            }
        }
    }
}

/// Looks after a place until it is given back or lost.
fn keep(taken: Taken, pace: Pace) -> Reservation {
    let (say, state) = watch::channel(None);
    let end = CancellationToken::new();
    let what = format!("place {}", taken.place);
    let task = tokio::spawn({
        let end = end.clone();
        async move {
            let Taken { calls, news, place, holder, turn, lease } = taken;
            let hold = Hold { calls: &calls, place: &place, holder: &holder, lease: &lease, pace };
            tokio::select! {
                biased;
                () = end.cancelled() => {}
                why = hold.watch(news) => {
                    say.send_replace(Some(why));
                    // Whoever works with the place has to be told, and to stop, before it is given back.
                    end.cancelled().await;
                }
            }
            // The news are over now, but calls still work where the coordinator does. A place that is not ours any
            // more is left alone by the coordinator; turns expire by themselves.
            let _ = calls.release(&place, &holder).await;
            for token in [&turn, &lease] {
                let _ = calls.cancel(token).await;
            }
        }
    });
    Reservation::task(what, end, task, state)
}

struct Hold<'a> {
    calls: &'a Calls,
    place: &'a str,
    holder: &'a str,
    lease: &'a str,
    pace: Pace,
}

impl Hold<'_> {
    /// Completes with the reason when the place is lost.
    async fn watch(&self, mut news: News) -> String {
        tokio::select! {
            why = async {
                // What was said before we had it still lies in the stream.
                let mut ours = false;
                loop {
                    match news.next().await {
                        Ok(said) => if let Some(why) = self.taken_away(&said, &mut ours) { return why },
                        Err(status) => return format!("the connection to the coordinator ended ({})", words(&status)),
                    }
                }
            } => why,
            why = self.beat() => why,
        }
    }

    /// Why the news say that it is not ours any more, after they said that it is.
    fn taken_away(&self, said: &FromCoordinator, ours: &mut bool) -> Option<String> {
        said.updates.iter().find_map(|update| match (&update.place, &update.deleted_place) {
            (Some(place), _) if place.name == self.place => match place.acquired.as_deref() {
                Some(holder) if holder == self.holder => {
                    *ours = true;
                    None
                }
                _ if !*ours => None,
                Some(holder) if !holder.is_empty() => Some(format!("{holder} holds it now")),
                Some(_) | None => Some("somebody released it".to_owned()),
            },
            (_, Some(name)) if name == self.place => Some("the place was deleted".to_owned()),
            (_, _) => None,
        })
    }

    /// Gives signs of life.
    async fn beat(&self) -> String {
        let mut last = Instant::now();
        loop {
            tokio::time::sleep(self.pace.beat).await;
            // A program that was asleep for longer than labgrid waits may find its lease again by luck only.
            match self.calls.poll(self.lease).await {
                Ok(turn) if turn.state() == TurnState::Waiting => last = Instant::now(),
                Ok(_) => return "its lease expired: this program did not run for a minute".to_owned(),
                Err(status) if status.code() == Code::FailedPrecondition => {
                    return "the coordinator has forgotten its lease".to_owned();
                }
                Err(status) if last.elapsed() >= self.pace.silence => {
                    return format!("the coordinator does not answer ({})", words(&status));
                }
                Err(_) => {}
            }
        }
    }
}
