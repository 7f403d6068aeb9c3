//! `orchestrator b4-check`: the command behind b4's `b4.review-series-check-cmd`.
//!
//! b4 gives one mail on standard input, the cover letter or the only patch, and in `B4_TRACKING_FILE` what it knows of
//! the series, the mbox of the thread as a git blob among it. Standard output is for the results alone.

use std::io::Read;

use camino::{Utf8Path, Utf8PathBuf};
use clap::Args;
use tokio_util::sync::CancellationToken;

use super::args::{Failure, Global};
use super::run::{self, Choices};
use super::{ExitCode, start};
use crate::post::b4::{CheckResult, no_answer, results};
use crate::post::places;
use crate::post::said::Said;
use crate::process::Command;
use crate::series::{self, SeriesSource};

/// Most bytes read from standard input.
const SIZE_LIMIT: u64 = 64 * 1024 * 1024;

/// Most bytes read of b4's tracking file.
const TRACKING_LIMIT: u64 = 16 * 1024 * 1024;

/// Arguments of `b4-check`.
#[derive(Debug, Args)]
pub struct B4CheckArgs {
    /// The mbox of the thread, where neither standard input nor b4's tracking file leads to it
    #[arg(long, value_name = "MBOX")]
    thread: Option<Utf8PathBuf>,
    #[command(flatten)]
    choices: Choices,
}

/// Tests the series and prints an array of results. Whatever goes wrong on the way is a warning in it, never a pass and
/// never a failure of the series.
pub async fn b4_check(global: &Global, args: B4CheckArgs) -> Result<ExitCode, Failure> {
    let (results, code) = match check(global, args).await {
        Ok(checked) => checked,
        Err(failure) => (vec![no_answer(&failure.message)], failure.code),
    };
    start::write_out(&format!("{:#}\n", serde_json::json!(results)));
    Ok(code)
}

async fn check(global: &Global, args: B4CheckArgs) -> Result<(Vec<CheckResult>, ExitCode), Failure> {
    let places = start::Places::find(global)?;
    let folder = tempfile::tempdir().map_err(Failure::infra)?;
    let folder = Utf8Path::from_path(folder.path()).ok_or_else(|| Failure::infra("TMPDIR is not UTF-8"))?;
    let mut mail = Vec::new();
    std::io::stdin().lock().take(SIZE_LIMIT + 1).read_to_end(&mut mail).map_err(Failure::infra)?;
    if mail.len() as u64 > SIZE_LIMIT {
        return Err(Failure::usage(format!("more than {SIZE_LIMIT} bytes on standard input")));
    }
    let file = folder.join("review.mbox");
    write_mbox(&file, &mail)?;
    let from_stdin = series::load(&places.home, &SeriesSource::Mbox(file.clone()), None);
    let argument = match (from_stdin, &args.thread) {
        (_, Some(thread)) => places.cwd.join(thread).to_string(),
        (Ok(_), None) => file.to_string(),
        (Err(why), None) => match tracked_thread(&places.cwd).await? {
            Some(thread) => {
                write_mbox(&file, &thread)?;
                file.to_string()
            }
            // The sources of series/sources.yaml are asked for the rest of the thread.
            None => message_id(&file, &mail).ok_or_else(|| {
                Failure::usage(format!(
                    "b4 gave no whole series, no thread in B4_TRACKING_FILE, and a mail without Message-ID: check the \
                     series out for review first (`b4 review`), or give its mbox with --thread. What was given: {why}"
                ))
            })?,
        },
    };
    let fetched = argument.starts_with('<');
    let checked = run::quietly(global, &places, argument, args.choices).await;
    let (folder, report) = checked.map_err(|failure| match fetched {
        false => failure,
        true => Failure {
            message: format!(
                "{}; b4 gave the cover letter alone: check the series out for review first (`b4 review`), or give its \
                 mbox with --thread",
                failure.message
            ),
            ..failure
        },
    })?;
    let series = folder.series().ok_or_else(|| Failure::infra("the run has no series"))?;
    let url = places::load(&places.home).map_err(Failure::usage)?.run_url(&report.run.id, "report.html");
    let code = report.verdict.into();
    Ok((results(&Said { report: &report, series }, url), code))
}

/// Writes mails as an mbox: one that b4 gives has no `From ` line of its own.
fn write_mbox(file: &Utf8Path, mail: &[u8]) -> Result<(), Failure> {
    let from: &[u8] = if mail.starts_with(b"From ") { b"" } else { b"From b4 Thu Jan  1 00:00:00 1970\n" };
    crate::run::write_atomically(file, &[from, mail].concat()).map_err(Failure::infra)
}

/// Message-ID of the mail that b4 gave, as `run series` takes it.
fn message_id(file: &Utf8Path, mail: &[u8]) -> Option<String> {
    let mails = series::mails(file, mail).ok()?;
    mails.into_iter().find_map(|mail| mail.message_id).map(|id| format!("<{id}>"))
}

/// The thread that b4 keeps in the repository, where it says so.
async fn tracked_thread(repository: &Utf8Path) -> Result<Option<Vec<u8>>, Failure> {
    let Some(path) = std::env::var_os("B4_TRACKING_FILE") else { return Ok(None) };
    let file = std::fs::File::open(&path)
        .map_err(|error| Failure::infra(format!("B4_TRACKING_FILE {}: {error}", path.to_string_lossy())))?;
    let tracking: serde_json::Value = serde_json::from_reader(file.take(TRACKING_LIMIT))
        .map_err(|error| Failure::infra(format!("B4_TRACKING_FILE {}: {error}", path.to_string_lossy())))?;
    let Some(blob) = blob(&tracking) else { return Ok(None) };
    // The program's own signal handling begins with the run.
    let command = Command::new("git", repository).args(["cat-file", "blob", blob]);
    let text = command.deadline(std::time::Duration::from_secs(60)).output(&CancellationToken::new()).await;
    text.map(|text| Some(text.into_bytes())).map_err(Failure::infra)
}

/// Id of the blob that holds the thread.
fn blob(tracking: &serde_json::Value) -> Option<&str> {
    let blob = tracking.get("series")?.get("thread-blob")?.as_str()?;
    (matches!(blob.len(), 40 | 64) && blob.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(blob)
}

#[cfg(test)]
mod tests {
    #[test]
    fn only_an_object_id_is_given_to_git() {
        let of = |blob: &str| super::blob(&serde_json::json!({"series": {"thread-blob": blob}})).is_some();
        assert!(of(&"a".repeat(40)) && of(&"0".repeat(64)));
        assert!(!of("") && !of("--help") && !of(&"g".repeat(40)) && !of("HEAD:x"));
        assert_eq!(super::blob(&serde_json::json!({"series": {}})), None);
    }
}
