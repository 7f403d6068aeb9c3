//! `orchestrator outbox`: what is to leave, what has left, and what a person decides about it.

use clap::{Args, Subcommand};

use super::args::{Failure, Global};
use super::post::Sending;
use super::{ExitCode, start};
use crate::post::dispatch::{Couriers, SendError};
use crate::post::lists;
use crate::post::outbox::{By, Kept, LockedOutbox, Outbox, OutboxError, Record, State, system_clock};
use crate::post::show;

/// Arguments of `outbox`.
#[derive(Debug, Args)]
pub struct OutboxArgs {
    #[command(subcommand)]
    command: Option<OutboxCommand>,
}

#[derive(Debug, Subcommand)]
enum OutboxCommand {
    /// List the messages, oldest first (also without a subcommand)
    List {
        /// Only messages that wait for something
        #[arg(long)]
        open: bool,
    },
    /// Show a message, and what happened to it
    Show {
        /// Id of the message, or the beginning of it
        id: String,
    },
    /// Let a message go that waits for approval; `send` sends it
    Approve {
        /// Id of the message, or the beginning of it
        id: String,
    },
    /// Do not send a message
    Drop {
        /// Id of the message, or the beginning of it
        id: String,
    },
    /// Send a message, or all that are ready and due
    Send {
        /// Id of the message, or the beginning of it
        id: Option<String>,
        #[command(flatten)]
        sending: Sending,
    },
    /// Let the same message go again, byte for byte, when it was refused, dropped or is uncertain; `send` sends it
    Retry {
        /// Id of the message, or the beginning of it
        id: String,
    },
    /// Say that an uncertain message did arrive
    Sent {
        /// Id of the message, or the beginning of it
        id: String,
    },
}

/// Lists, shows, decides, sends.
pub async fn outbox(global: &Global, args: &OutboxArgs) -> Result<ExitCode, Failure> {
    let places = start::Places::find(global)?;
    let outbox = Outbox::of(&places.results);
    match args.command.as_ref().unwrap_or(&OutboxCommand::List { open: false }) {
        OutboxCommand::List { open } => list(&outbox, *open),
        OutboxCommand::Show { id } => {
            start::write_out(&show::whole(&outbox.find(id).map_err(usage)?));
            Ok(ExitCode::Clean)
        }
        OutboxCommand::Approve { id } => decide(&outbox, id, &[State::PendingModeration], State::Ready, "approved"),
        OutboxCommand::Drop { id } => decide(&outbox, id, &State::ALL, State::Dropped, "dropped"),
        OutboxCommand::Retry { id } => {
            let from = [State::Ready, State::Refused, State::Uncertain, State::Dropped];
            decide(&outbox, id, &from, State::Ready, "to be sent again, the same bytes")
        }
        OutboxCommand::Sent { id } => decide(&outbox, id, &[State::Uncertain], State::Sent, "it did arrive"),
        OutboxCommand::Send { id, sending } => {
            let lists = lists::load(&places.home, sending.lists.as_deref()).map_err(Failure::usage)?;
            let posted_to = crate::post::places::load(&places.home).map_err(Failure::usage)?;
            let couriers = Couriers { lists: &lists, via: sending.via, places: &posted_to };
            let locked = outbox.lock(system_clock()).map_err(usage)?;
            match id {
                Some(id) => send_one(&locked, &locked.find(id).map_err(usage)?, &couriers).await,
                None => send_all(&locked, &couriers).await,
            }
        }
    }
}

fn usage(error: OutboxError) -> Failure {
    match error {
        OutboxError::Missing { .. } | OutboxError::Ambiguous { .. } | OutboxError::Illegal { .. } => {
            Failure::usage(error)
        }
        OutboxError::Busy { .. } | OutboxError::Broken { .. } | OutboxError::Io(_) => Failure::infra(error),
    }
}

fn list(outbox: &Outbox, open: bool) -> Result<ExitCode, Failure> {
    let mut all = outbox.items().map_err(usage)?;
    if open {
        all.retain(|kept| match kept.state() {
            State::PendingModeration | State::Ready | State::Sending | State::Uncertain | State::Refused => true,
            State::Sent | State::Dropped | State::Superseded => false,
        });
    }
    for kept in &all {
        say!("{}", show::line(kept));
    }
    if all.is_empty() {
        say!("nothing in {}", outbox.folder());
    }
    Ok(ExitCode::Clean)
}

/// Writes down what a person decided.
fn decide(outbox: &Outbox, id: &str, from: &[State], to: State, why: &str) -> Result<ExitCode, Failure> {
    let locked = outbox.lock(system_clock()).map_err(usage)?;
    let kept = locked.find(id).map_err(usage)?;
    if !from.contains(&kept.state()) {
        let error = OutboxError::Illegal { id: kept.item.id.clone(), from: kept.state(), to };
        return Err(usage(error));
    }
    let record = Record::new(locked.now(), to, By::Person, why);
    let kept = locked.record(&kept.item.id, record).map_err(usage)?;
    say!("{}", show::line(&kept));
    Ok(ExitCode::Clean)
}

/// Sends one message as far as it goes and says how far that was.
pub(super) async fn send_one(locked: &LockedOutbox, kept: &Kept, couriers: &Couriers<'_>) -> Result<ExitCode, Failure> {
    let kept = couriers.send(locked, kept).await.map_err(send_failure)?;
    say!("{}", show::line(&kept));
    say!("  {}", kept.last().why);
    let id = &kept.item.id;
    match kept.state() {
        State::Sent | State::Superseded => Ok(ExitCode::Clean),
        State::PendingModeration => {
            say!("  approve it with: orchestrator outbox approve {id}");
            Ok(ExitCode::Clean)
        }
        State::Ready => {
            if let Some(next) = kept.last().next_try {
                say!("  `orchestrator outbox send` tries again from {} on", show::time(next));
            }
            Ok(ExitCode::Infra)
        }
        State::Dropped | State::Refused | State::Uncertain => {
            say!("  decide with: orchestrator outbox retry|sent|drop {id}");
            Ok(ExitCode::Infra)
        }
        State::Sending => Ok(ExitCode::Infra),
    }
}

fn send_failure(error: SendError) -> Failure {
    match error {
        SendError::Outbox(error) => usage(error),
        SendError::Delivery(_) | SendError::Token(_) | SendError::Place { .. } => Failure::usage(error),
    }
}

/// Sends all messages that are ready, and finds out about those that were interrupted. One that cannot be sent does not
/// keep the others.
async fn send_all(locked: &LockedOutbox, couriers: &Couriers<'_>) -> Result<ExitCode, Failure> {
    let mut worst = ExitCode::Clean;
    let mut count = 0;
    for kept in locked.items().map_err(usage)? {
        if !matches!(kept.state(), State::Ready | State::Sending) {
            continue;
        }
        count += 1;
        match send_one(locked, &kept, couriers).await {
            Ok(ExitCode::Clean) => {}
            Ok(code) => worst = code,
            Err(failure) => {
                start::write_error(&failure.message);
                worst = failure.code;
            }
        }
    }
    if count == 0 {
        say!("nothing is ready to be sent");
    }
    Ok(worst)
}
