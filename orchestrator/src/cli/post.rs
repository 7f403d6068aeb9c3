//! `orchestrator post`: the mail about a run; shown, and sent when asked to.

use camino::{Utf8Path, Utf8PathBuf};
use clap::Args;

use super::args::{Failure, Global};
use super::{ExitCode, outbox, post_place, start};
use crate::intake;
use crate::post::dispatch::Couriers;
use crate::post::github::Target;
use crate::post::lists::{self, Lists, Transport};
use crate::post::outbox::{By, Decision, ItemId, Outbox, State, system_clock};
use crate::post::place::Place;
use crate::post::plan::{Plan, PlanError, Request, plan};
use crate::post::said::Said;
use crate::post::show;
use crate::report::model::Report;
use crate::run::RunFolder;
use crate::series::SeriesSource;
use crate::words::{Envelope, Series, Upstream};

/// Arguments of `post`.
#[derive(Debug, Args)]
pub struct PostArgs {
    /// Run id, an unambiguous beginning of one, or `latest`
    #[arg(default_value = "latest")]
    run: String,
    /// Send it, or put it up for approval where a list's policy says so
    #[arg(long)]
    send: bool,
    /// To this address and those of --cc alone, whatever the policy says; may be given several times. Or to a place of
    /// series/places.yaml: patchwork, github, kcidb (mail is the default)
    #[arg(long, value_name = "ADDRESS", value_parser = place_or_address)]
    to: Vec<String>,
    /// GitHub: the pull request that was tested
    #[arg(long, value_name = "NUMBER", conflicts_with = "commit")]
    pull: Option<u64>,
    /// GitHub: the commit that was tested, 40 hex digits
    #[arg(long, value_name = "COMMIT", value_parser = commit)]
    commit: Option<String>,
    /// GitHub: it is a nightly run, whose problems may have an issue
    #[arg(long)]
    nightly: bool,
    /// A copy to this address; may be given several times
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    cc: Vec<String>,
    /// The thread of the posted series as an mbox: where the run tested a port, whose patches are not the posted mails
    #[arg(long, value_name = "MBOX")]
    thread: Option<Utf8PathBuf>,
    #[command(flatten)]
    sending: Sending,
}

/// How mail is sent.
#[derive(Debug, Args)]
pub struct Sending {
    /// Your own lists.yaml [default: ~/.config/orchestrator/lists.yaml]
    #[arg(long, value_name = "FILE")]
    pub lists: Option<Utf8PathBuf>,
    /// How mail leaves [default: smtp where it is configured, else git-send-email where that is]
    #[arg(long, value_name = "WAY")]
    pub via: Option<Transport>,
}

fn place_or_address(text: &str) -> Result<String, String> {
    if Place::named(text).is_some() { Ok(text.to_owned()) } else { address(text) }
}

fn commit(text: &str) -> Result<String, String> {
    let hex = text.len() == 40 && text.bytes().all(|b| b.is_ascii_hexdigit());
    if hex { Ok(text.to_ascii_lowercase()) } else { Err("write all 40 hex digits".to_owned()) }
}

fn address(text: &str) -> Result<String, String> {
    if lists::is_address(text) { Ok(text.to_owned()) } else { Err("this is no mail address".to_owned()) }
}

/// Shows the mail about a run, who gets it and why, and what the outbox knows; sends it with `--send`.
pub async fn post(global: &Global, args: &PostArgs) -> Result<ExitCode, Failure> {
    let places = start::Places::find(global)?;
    let lists = lists::load(&places.home, args.sending.lists.as_deref()).map_err(Failure::usage)?;
    let folder = RunFolder::open(&places.results, &args.run).map_err(Failure::usage)?;
    let report = start::report_of(&folder)?;
    let series = folder.series().ok_or_else(|| Failure::usage(format!("run {} has no series", folder.run)))?;
    let outbox = Outbox::of(&places.results);
    let posted_to = crate::post::places::load(&places.home).map_err(Failure::usage)?;
    if let Some(place) = args.to.iter().find_map(|to| Place::named(to)) {
        if args.to.len() + args.cc.len() > 1 {
            return Err(Failure::usage("one place at a time: give --to once, and no --cc, with a place"));
        }
        let said = Said { report: &report, series };
        let couriers = Couriers { lists: &lists, via: args.sending.via, places: &posted_to };
        let target = Target { pull: args.pull, commit: args.commit.clone(), nightly: args.nightly };
        return post_place::post(place, &said, &target, args.send, &outbox, &couriers).await;
    }
    let posted = match (&args.thread, &series.upstream) {
        (Some(mbox), _) => Some(posted_cover(&places, mbox, series)?),
        (None, Some(upstream)) => fetched_cover(&places, upstream).await?,
        (None, None) => None,
    };
    let request = request(args, &report, series, posted.as_ref(), &lists);
    let planned = plan(&request, &outbox).map_err(refused)?;
    show_plan(&planned, &outbox)?;
    if !args.send {
        say!("{}", next_step(&planned));
        return Ok(ExitCode::Clean);
    }
    if planned.recipients.is_empty() {
        say!("nobody is to get it; nothing was sent");
        return Ok(ExitCode::Clean);
    }
    if !planned.has_sender {
        return Err(Failure::usage(crate::post::delivery::DeliveryError::NoSender));
    }
    send(&outbox, &request, &folder.run, &Couriers { lists: &lists, via: args.sending.via, places: &posted_to }).await
}

fn request<'a>(
    args: &'a PostArgs,
    report: &'a Report,
    series: &'a Series,
    posted: Option<&'a Envelope>,
    lists: &'a Lists,
) -> Request<'a> {
    let now = jiff::Timestamp::now().as_second();
    Request { report, series, lists, posted, to: &args.to, cc: &args.cc, now }
}

/// Head of the posted cover letter behind a port, from the sources of `series/sources.yaml`. Where none has it the mail
/// is shown without it, and why is said.
async fn fetched_cover(places: &start::Places, upstream: &Upstream) -> Result<Option<Envelope>, Failure> {
    let cancel = start::cancel_on_signals()?;
    let fetched = intake::posted_head(&places.home, &places.cache, &upstream.message_id, &cancel).await;
    if let Err(error) = &fetched {
        start::write_note(&format!(
            "the posted cover letter was not found ({error}); --thread MBOX reads it from a file"
        ));
    }
    Ok(fetched.ok())
}

/// Head of the posted cover letter behind a port, from an mbox of its thread.
fn posted_cover(places: &start::Places, mbox: &Utf8Path, series: &Series) -> Result<Envelope, Failure> {
    let Some(upstream) = &series.upstream else {
        return Err(Failure::usage("--thread is for a port; this run tested the posted mails themselves"));
    };
    let source = SeriesSource::guess(places.cwd.join(mbox).as_str(), &places.home).map_err(Failure::usage)?;
    let posted = crate::series::load(&places.home, &source, None).map_err(Failure::usage)?;
    let cover = posted.cover.and_then(|cover| cover.envelope);
    cover.filter(|cover| cover.message_id == upstream.message_id).ok_or_else(|| {
        Failure::usage(format!("{mbox}: the cover letter in it is not <{}>, which was ported", upstream.message_id))
    })
}

fn refused(error: PlanError) -> Failure {
    match error {
        PlanError::Mail(crate::post::mail::MailError::NoVerdict { .. }) | PlanError::Outbox(_) => Failure::infra(error),
        PlanError::Mail(_) => Failure::usage(error),
    }
}

fn show_plan(planned: &Plan, outbox: &Outbox) -> Result<(), Failure> {
    start::write_out(&show::recipients(&planned.recipients, &planned.parent));
    match &planned.decision {
        Decision::Say { id, .. } => say!("outbox    new: {id}\n"),
        Decision::Said { id, state, .. } => {
            let kept = outbox.find(id.as_str()).map_err(Failure::infra)?;
            let when = show::time(kept.last().at);
            say!("outbox    nothing changed: {id} says the same, {} since {when}\n", state.word());
        }
    }
    start::write_out(&show::mail(&planned.message));
    say!("");
    Ok(())
}

fn next_step(planned: &Plan) -> String {
    let moderation = &planned.recipients.moderation;
    match &planned.decision {
        Decision::Said { .. } => "nothing changed, so --send sends nothing".to_owned(),
        Decision::Say { .. } if planned.recipients.is_empty() => {
            "nobody is to get it by the policy, so --send sends nothing".to_owned()
        }
        Decision::Say { .. } if !planned.has_sender => {
            "nothing was sent; --send needs a sender in your lists.yaml (docs/posting.md)".to_owned()
        }
        Decision::Say { .. } if moderation.is_empty() => "nothing was sent; --send sends it".to_owned(),
        Decision::Say { .. } => {
            format!("nothing was sent; --send puts it up for approval, by the policy of {}", moderation.join(", "))
        }
    }
}

/// Keeps the mail in the outbox and sends it as far as it may go.
async fn send(outbox: &Outbox, request: &Request<'_>, run: &str, couriers: &Couriers<'_>) -> Result<ExitCode, Failure> {
    let locked = outbox.lock(system_clock()).map_err(Failure::infra)?;
    // Planned again under the lock: another process may have said it in between.
    let planned = plan(request, &locked).map_err(refused)?;
    let id: ItemId = match &planned.decision {
        Decision::Say { id, .. } => {
            let (draft, state, why) = planned.draft(run);
            locked.put(id.clone(), draft, state, By::Program, &why).map_err(Failure::infra)?;
            id.clone()
        }
        Decision::Said { id, supersedes, .. } => {
            let why = format!("message {id} says what holds now");
            locked.supersede_all(supersedes, &why).map_err(Failure::infra)?;
            id.clone()
        }
    };
    let kept = locked.find(id.as_str()).map_err(Failure::infra)?;
    match kept.state() {
        State::Ready | State::Sending => outbox::send_one(&locked, &kept, couriers).await,
        State::PendingModeration => {
            say!("{id} waits: {}", kept.last().why);
            say!("approve it with: orchestrator outbox approve {id}");
            Ok(ExitCode::Clean)
        }
        State::Sent => {
            say!("nothing changed since {id} was sent ({}); nothing was sent", show::time(kept.last().at));
            Ok(ExitCode::Clean)
        }
        State::Dropped => {
            say!("{id} says the same and was dropped; `orchestrator outbox retry {id}` sends it after all");
            Ok(ExitCode::Clean)
        }
        State::Refused | State::Uncertain | State::Superseded => {
            say!("{id} says the same and is {}: {}", kept.state().word(), kept.last().why);
            say!("decide with: orchestrator outbox retry|sent|drop {id}");
            Ok(ExitCode::Infra)
        }
    }
}
