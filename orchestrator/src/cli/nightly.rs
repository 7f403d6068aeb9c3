//! `orchestrator nightly`: tests what changed since the last night.

use std::io::IsTerminal;

use camino::Utf8PathBuf;
use clap::Args;
use jiff::{SignedDuration, Timestamp};

use super::args::{Failure, Global};
use super::{ExitCode, known, site, start};
use crate::known::KnownIssues;
use crate::nightly::{
    self, CacheDisk, Clock, Desk, FileJournal, Hands, LockError, NightLock, Nightly, OutboxPoster, Setting, State,
    SystemClock, Unit, UnitPlaces, Weight,
};
use crate::run::{self, debug_log, write_atomically};
use crate::term;

/// Arguments of `nightly`.
#[derive(Debug, Args)]
pub struct NightlyArgs {
    /// Print nothing when all is well [default: so where standard output is no terminal]
    #[arg(long, short = 'q')]
    quiet: bool,
    /// Print everything, also where standard output is no terminal
    #[arg(long, short = 'v', conflicts_with = "quiet")]
    verbose: bool,
    /// Your own lists.yaml [default: ~/.config/orchestrator/lists.yaml]
    #[arg(long, value_name = "FILE")]
    lists: Option<Utf8PathBuf>,
    /// Engine from lab/engines.yaml that does the units [default: that of the file, else local]
    #[arg(long, value_name = "NAME", env = "ORCHESTRATOR_ENGINE")]
    engine: Option<String>,
    /// Print the files that start it every night, for this program and its folders, and do nothing else
    #[arg(long, value_name = "KIND")]
    print_unit: Option<Unit>,
    /// Who runs it, in those files
    #[arg(long, value_name = "USER", default_value = "orchestrator", requires = "print_unit")]
    user: String,
}

/// Carries out one night.
pub async fn nightly(global: &Global, args: &NightlyArgs) -> Result<ExitCode, Failure> {
    let places = start::Places::find(global)?;
    let config = nightly::read_file(&places.home).map_err(Failure::usage)?;
    if let Some(unit) = args.print_unit {
        return print_unit(unit, &args.user, &config, &places);
    }
    let quiet = args.quiet || (!args.verbose && !std::io::stdout().is_terminal());
    let clock = SystemClock;
    let _lock = match NightLock::take(&places.results, clock.now()) {
        Ok(lock) => lock,
        Err(error) => return overlap(&error, &config, clock.now(), quiet),
    };
    let issues = KnownIssues::read(&places.results).map_err(Failure::usage)?;
    let today = clock.now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let cancel = start::cancel_on_signals()?;
    let state = State::from_events(&nightly::read_journal(&places.results).map_err(Failure::infra)?);
    let folder = nightly::night_folder(&places.results, &state.next_night(clock.now()));
    fs_err::create_dir_all(&folder).map_err(Failure::infra)?;
    debug_log::start(&folder, "debug".parse().map_err(Failure::infra)?).map_err(Failure::infra)?;
    let desk = Desk {
        places: run::Places { home: places.home.clone(), cache: places.cache.clone() },
        results: places.results.clone(),
        command: start::command_line(),
        engine: start::engine(&places, args.engine.as_deref())?,
        mode: term::Mode::choose(false, quiet),
        styles: start::color(global).stderr(),
    };
    let poster = OutboxPoster {
        home: places.home.clone(),
        lists: args.lists.clone(),
        results: places.results.clone(),
        cache: places.cache.clone(),
    };
    let disk = CacheDisk { results: places.results.clone(), cache: places.cache.clone() };
    let setting = Setting {
        nightly: &config,
        hands: Hands { versions: &desk, trees: &desk, runner: &desk, poster: &poster, disk: &disk },
        clock: &clock,
        known: &issues.fingerprint(today),
        pid: std::process::id(),
        cancel: cancel.clone(),
    };
    let mut journal = FileJournal::open(&places.results).map_err(Failure::infra)?;
    let (mut summary, state) = nightly::night(setting, state, &mut journal).await.map_err(Failure::infra)?;
    known::aged(&places.results, &issues, config.stale_nights, |aged| {
        if let Some(advice) = aged.advice() {
            summary.say(Weight::Trouble, advice);
        }
    })?;
    if let Err(failure) = site::make(&places, today, config.stale_nights) {
        summary.say(Weight::Trouble, format!("the pages of results/site/ could not be made: {}", failure.message));
    }
    write_atomically(&folder.join("summary.txt"), summary.text(false).as_bytes()).map_err(Failure::infra)?;
    let derived = serde_json::to_string_pretty(&state).map_err(Failure::infra)?;
    let file = nightly::folder(&places.results).join("state.json");
    write_atomically(&file, derived.as_bytes()).map_err(Failure::infra)?;
    start::write_out(&summary.text(quiet));
    Ok(match (cancel.is_cancelled(), summary.weight()) {
        (true, _) => ExitCode::Interrupted,
        (false, Weight::Note) => ExitCode::Clean,
        (false, Weight::Findings) => ExitCode::Findings,
        (false, Weight::Trouble) => ExitCode::Infra,
    })
}

/// Another night is at work. That is no trouble, unless it has been for longer than any night may.
fn overlap(error: &LockError, config: &Nightly, now: Timestamp, quiet: bool) -> Result<ExitCode, Failure> {
    let LockError::Busy { owner } = error else { return Err(Failure::infra(error)) };
    let longest = SignedDuration::from_hours(i64::from(config.hours) + 1);
    match owner {
        Some(owner) if now.duration_since(owner.since) > longest => {
            let advice = format!("a night may take {} hours; look whether it hangs and stop it", config.hours);
            Err(Failure::infra(format!("{error}; {advice}")))
        }
        Some(_) | None => {
            if !quiet {
                say!("{error}; nothing was done");
            }
            Ok(ExitCode::Clean)
        }
    }
}

fn print_unit(unit: Unit, user: &str, config: &Nightly, places: &start::Places) -> Result<ExitCode, Failure> {
    let program = std::env::current_exe().map_err(Failure::infra)?;
    let program = Utf8PathBuf::from_path_buf(program)
        .map_err(|path| Failure::usage(format!("{}: the path of this program is not UTF-8", path.display())))?;
    let home = (!places.home.is_embedded()).then(|| places.home.root());
    let (results, cache) = (places.results.as_path(), places.cache.as_path());
    let unit_places = UnitPlaces { program: &program, home, results, cache, user, hours: config.hours };
    match unit {
        Unit::Systemd => {
            say!("# /etc/systemd/system/orchestrator-nightly.service");
            say!("{}", nightly::service_text(&unit_places));
            say!("# /etc/systemd/system/orchestrator-nightly.timer");
            start::write_out(&nightly::timer_text());
        }
        Unit::Cron => {
            say!("# /etc/cron.d/orchestrator-nightly");
            start::write_out(&nightly::cron_text(&unit_places));
        }
    }
    Ok(ExitCode::Clean)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nightly::Busy;

    #[test]
    fn only_an_owner_that_is_late_is_trouble() {
        let text = "series: []\nhours: 8\n";
        let config = crate::nightly::parse_file(text, &[], &[]).unwrap();
        let since: Timestamp = "2026-01-31T02:00:00Z".parse().unwrap();
        let error = LockError::Busy { owner: Some(Busy { pid: 7, since }) };
        let after = |hours| since + SignedDuration::from_hours(hours);
        assert_eq!(overlap(&error, &config, after(8), true).unwrap(), ExitCode::Clean);
        let late = overlap(&error, &config, after(10), true).unwrap_err();
        assert!(late.message.contains("process 7") && late.code == ExitCode::Infra, "{}", late.message);
        assert_eq!(overlap(&LockError::Busy { owner: None }, &config, since, true).unwrap(), ExitCode::Clean);
    }
}
