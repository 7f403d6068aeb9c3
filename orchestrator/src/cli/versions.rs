//! `orchestrator versions`: the versions of a posted series.

use std::fmt::Write;

use clap::Args;

use super::args::{Failure, Global};
use super::{ExitCode, run, start};
use crate::config::Home;
use crate::intake::{self, Asked, Intake, VersionList, VersionRow, Wanted};
use crate::series::{Manifest, SeriesSource};
use crate::term::text;
use crate::words::Date;

/// Arguments of `versions`.
#[derive(Debug, Args)]
pub struct VersionsArgs {
    /// A Message-ID, the address of a mail, change-id:ID, a patchwork address, or a name from series/
    series: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Lists the versions that the sources of series/sources.yaml know.
pub async fn versions(global: &Global, args: &VersionsArgs) -> Result<ExitCode, Failure> {
    let places = start::Places::find(global)?;
    let wanted = wanted(&args.series, &places.home)?;
    let cancel = start::cancel_on_signals()?;
    let intake = Intake::open(&places.home, &places.cache, &cancel).map_err(run::failure)?;
    let list = intake.versions(&wanted).await.map_err(run::failure)?;
    if args.json {
        say!("{}", serde_json::to_string_pretty(&list).map_err(Failure::infra)?);
    } else {
        start::write_out(&plain(&list));
    }
    Ok(ExitCode::Clean)
}

fn wanted(argument: &str, home: &Home) -> Result<Wanted, Failure> {
    match intake::ask(argument, home).map_err(Failure::usage)? {
        Asked::Posted(wanted @ (Wanted::Message { .. } | Wanted::Change(_) | Wanted::Patchwork { .. })) => Ok(wanted),
        Asked::Posted(Wanted::Pull { .. }) => {
            Err(Failure::usage(format!("{argument} is a pull request, which has no posted versions")))
        }
        Asked::Local(SeriesSource::Name(name)) => {
            let manifest = Manifest::load(home, &name).map_err(Failure::usage)?;
            Ok(Wanted::Message { id: manifest.upstream.message_id, archive: None })
        }
        Asked::Local(other) => {
            Err(Failure::usage(format!("{other} was not posted; give a Message-ID, or the address of a mail")))
        }
    }
}

/// Day and time in UTC.
fn day(date: Option<Date>) -> String {
    let stamp = date.and_then(|date| jiff::Timestamp::from_second(date.seconds).ok());
    stamp.map_or_else(|| "no date".to_owned(), |stamp| stamp.strftime("%Y-%m-%d %H:%M").to_string())
}

fn numbers(numbers: &[usize]) -> String {
    let shown: Vec<String> = numbers.iter().take(8).map(usize::to_string).collect();
    let more = if numbers.len() > shown.len() { " ..." } else { "" };
    format!("{}{more}", shown.join(", "))
}

fn state(row: &VersionRow) -> String {
    let patches = if row.patches == 1 { "1 patch".to_owned() } else { format!("{} patches", row.patches) };
    match (row.rerolled.as_slice(), row.missing.as_slice()) {
        ([], []) => patches,
        ([], missing) => format!("{patches}, missing: {}", numbers(missing)),
        (rerolled, _) => format!("{patches}, sent again alone: {}", numbers(rerolled)),
    }
}

/// The list for people.
fn plain(list: &VersionList) -> String {
    let mut out = String::new();
    let mut line = |text: String| writeln!(out, "{text}").expect("a string takes every write");
    for row in &list.versions {
        let from = row.from.as_ref().map(|from| format!("{} <{}>", from.name, from.email)).unwrap_or_default();
        line(format!("v{:<3} {}  {}", row.version, day(row.date), text::visible(&row.title)));
        line(format!("     {}, from {}", state(row), text::visible(&from)));
        line(format!("     {}", text::visible(row.url.as_deref().unwrap_or(&row.message_id))));
        for trailer in &row.trailers {
            let to = trailer.patch.map_or_else(|| "all".to_owned(), |number| format!("{number}/{}", row.patches));
            line(format!("     {to:>5}  {}", text::visible(&trailer.trailer)));
        }
    }
    line(format!("source: {}", list.source));
    for note in &list.notes {
        line(format!("note: {}", text::visible(note)));
    }
    out
}
