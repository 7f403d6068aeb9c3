//! `orchestrator post --to PLACE`: what would be sent to a place beside mail; sent when asked to.

use super::args::Failure;
use super::{ExitCode, outbox};
use crate::post::dispatch::Couriers;
use crate::post::github::Target;
use crate::post::message::Message;
use crate::post::outbox::{By, Decision, Outbox, State, system_clock};
use crate::post::place::Place;
use crate::post::said::Said;
use crate::term::text::visible;

/// Shows every request, and what the outbox knows of each message; sends what is new with `send`.
pub async fn post(
    place: Place,
    said: &Said<'_>,
    target: &Target,
    send: bool,
    outbox: &Outbox,
    couriers: &Couriers<'_>,
) -> Result<ExitCode, Failure> {
    let messages = messages(place, said, target, couriers)?;
    let mut new = 0;
    for message in &messages {
        let decision = outbox.decide(&message.draft.subject).map_err(Failure::infra)?;
        say!("{}", visible(&message.draft.title));
        say!("to        {}", visible(&message.draft.destination));
        match decision {
            Decision::Say { id, .. } => {
                new += 1;
                say!("outbox    new: {id}");
            }
            Decision::Said { id, state, .. } => {
                say!("outbox    nothing changed: {id} says the same and is {}", state.word());
            }
        }
        for call in &message.calls {
            say!("{call}");
        }
        say!("");
    }
    if !send {
        say!("nothing was sent; --send sends what is new: {new} of {}", messages.len());
        return Ok(ExitCode::Clean);
    }
    let locked = outbox.lock(system_clock()).map_err(Failure::infra)?;
    let mut code = ExitCode::Clean;
    for message in messages {
        // Decided again under the lock: another process may have said it in between.
        let id = match locked.decide(&message.draft.subject).map_err(Failure::infra)? {
            Decision::Say { id, .. } => {
                let why = "posted to a place that series/places.yaml names";
                locked.put(id.clone(), message.draft, State::Ready, By::Person, why).map_err(Failure::infra)?;
                id
            }
            Decision::Said { id, supersedes, .. } => {
                let why = format!("message {id} says what holds now");
                locked.supersede_all(&supersedes, &why).map_err(Failure::infra)?;
                id
            }
        };
        let kept = locked.find(id.as_str()).map_err(Failure::infra)?;
        match kept.state() {
            State::Ready | State::Sending => {
                let sent = outbox::send_one(&locked, &kept, couriers).await?;
                if sent != ExitCode::Clean {
                    code = sent;
                }
            }
            State::Sent => {}
            State::PendingModeration | State::Refused | State::Uncertain | State::Dropped | State::Superseded => {
                say!("{id} is {}: {}", kept.state().word(), visible(&kept.last().why));
                code = ExitCode::Infra;
            }
        }
    }
    Ok(code)
}

fn messages(place: Place, said: &Said<'_>, target: &Target, couriers: &Couriers<'_>) -> Result<Vec<Message>, Failure> {
    let missing = || Failure::usage(format!("series/places.yaml names no {}; see docs/places.md", place.word()));
    place.messages(said, target, couriers.places).ok_or_else(missing)?.map_err(Failure::usage)
}
