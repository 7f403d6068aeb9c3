//! What several subcommands begin with: where things are, who watches, how Ctrl-C is heard.

use std::sync::{Mutex, PoisonError};

use camino::{Utf8Path, Utf8PathBuf};
use tokio_util::sync::CancellationToken;

use super::args::{Color, Failure, Global};
use crate::config::Home;
use crate::report::model::Report;
use crate::run::RunFolder;
use crate::term::{ColorChoice, stdout_width};

/// The folders a subcommand works with.
#[derive(Debug, Clone)]
pub struct Places {
    /// Manifests, kconfigs, machines.
    pub home: Home,
    /// Runs.
    pub results: Utf8PathBuf,
    /// Trees, build folders, results by key.
    pub cache: Utf8PathBuf,
    /// Where the user stands.
    pub cwd: Utf8PathBuf,
}

impl Places {
    /// Finds them from the options, the environment and the current folder.
    pub fn find(global: &Global) -> Result<Places, Failure> {
        let cwd = std::env::current_dir().map_err(Failure::infra)?;
        let cwd = Utf8PathBuf::from_path_buf(cwd)
            .map_err(|path| Failure::usage(format!("{}: the path of this folder is not UTF-8", path.display())))?;
        let cache = match &global.cache {
            Some(cache) => cwd.join(cache),
            None => default_cache()?,
        };
        fs_err::create_dir_all(&cache).map_err(Failure::infra)?;
        let home = Home::find(global.home.as_deref(), &cwd, &cache).map_err(Failure::usage)?;
        let results = match &global.results {
            Some(results) => cwd.join(results),
            None if home.is_embedded() => cwd.join("results"),
            None => home.root().join("results"),
        };
        Ok(Places { home, results, cache, cwd })
    }
}

fn default_cache() -> Result<Utf8PathBuf, Failure> {
    let from = |name: &str| std::env::var(name).ok().filter(|value| Utf8Path::new(value).is_absolute());
    match (from("XDG_CACHE_HOME"), from("HOME")) {
        (Some(cache), _) => Ok(Utf8PathBuf::from(cache).join("orchestrator")),
        (None, Some(home)) => Ok(Utf8PathBuf::from(home).join(".cache/orchestrator")),
        (None, None) => {
            Err(Failure::usage("neither HOME nor XDG_CACHE_HOME is set; give the cache folder with --cache"))
        }
    }
}

/// A token that Ctrl-C, TERM and HUP cancel; every call gives the same one. A second Ctrl-C ends the program at once; the
/// children die with it.
pub fn cancel_on_signals() -> Result<CancellationToken, Failure> {
    use tokio::signal::unix::{SignalKind, signal};
    static HEARD: Mutex<Option<CancellationToken>> = Mutex::new(None);
    let mut heard = HEARD.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(cancel) = heard.as_ref() {
        return Ok(cancel.clone());
    }
    let cancel = CancellationToken::new();
    let stop = cancel.clone();
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Failure::infra)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(Failure::infra)?;
    let mut hangup = signal(SignalKind::hangup()).map_err(Failure::infra)?;
    tokio::spawn(async move {
        let mut count = 0;
        loop {
            let name = tokio::select! {
                _ = interrupt.recv() => "INT",
                _ = terminate.recv() => "TERM",
                _ = hangup.recv() => "HUP",
            };
            tracing::warn!(signal = name, "{}", crate::run::ASKED_TO_STOP);
            count += u32::from(name == "INT");
            if count > 1 {
                std::process::exit(i32::from(super::ExitCode::Interrupted.number()));
            }
            stop.cancel();
        }
    });
    *heard = Some(cancel.clone());
    Ok(cancel)
}

/// The report of a run.
pub fn report_of(run: &RunFolder) -> Result<Report, Failure> {
    let text = fs_err::read_to_string(run.path().join("report.json")).map_err(|error| {
        let next = format!("the run has no report; `orchestrator resume {}` goes on with it", run.run);
        Failure::infra(format!("{error}\n{next}"))
    })?;
    Report::from_json(&text).map_err(Failure::infra)
}

/// The name of the engine that is meant.
pub fn engine(places: &Places, asked: Option<&str>) -> Result<String, Failure> {
    crate::engine::engines(&places.home).map_err(Failure::usage)?.choose(asked).map_err(Failure::usage)
}

/// When to colour, as the terminal room says it.
pub fn color(global: &Global) -> ColorChoice {
    match global.color {
        Color::Always => ColorChoice::Always,
        Color::Never => ColorChoice::Never,
        Color::Auto => ColorChoice::Auto,
    }
}

/// The report as this terminal should show it.
pub fn terminal_report(global: &Global, report: &Report) -> String {
    crate::report::terminal(report, stdout_width(), &color(global).stdout())
}

/// The command line of this process, quoted for a shell; the program by its name.
pub fn command_line() -> String {
    let words = std::env::args().skip(1).map(|word| crate::process::quote(&word));
    std::iter::once("orchestrator".to_owned()).chain(words).collect::<Vec<_>>().join(" ")
}

/// Says on standard error why the program could not do its work. One that cannot be written to is no further trouble.
pub fn write_error(message: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr().lock(), "error: {message}");
}

/// Says something beside the answer on standard error.
pub fn write_note(message: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr().lock(), "note: {message}");
}

/// Writes to standard output. A reader that went away (`| head`) is no trouble.
pub fn write_out(text: &str) {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
