//! The verdicts of a command that is read by its exit code or by the file of results that it writes.

use orchestrator_protocol::Status;

use super::runs::Run;
use super::verdict::{ending, fail, infra};
use super::whole::Part;
use crate::suite::reports::{self, Reported};
use crate::words::{Crash, Parser, Verdict};

/// Judges a command. `died` is what the machine did to it, when it has no end.
///
/// A file that is missing, cut off or broken makes no pass: the command as a whole (an empty name) has no answer then. A
/// command that ends by a signal or a deadline has failed, whatever the file says of its tests.
pub(super) fn reported(run: &Run, reader: &Parser, died: Option<Verdict>) -> Vec<Part> {
    let whole = |verdict: Verdict| Part {
        name: String::new(),
        verdict,
        output: run.lines.iter().map(|(_, line)| format!("{line}\n")).collect(),
    };
    if let Some(verdict) = died {
        return vec![whole(verdict)];
    }
    let Some(status) = run.ended.map(|ended| ended.status) else {
        return vec![whole(infra("its end was never reported".to_owned()))];
    };
    let ended = match status {
        Status::Code(code) => Ok(code),
        Status::Signal(signal) => Err(fail(ending(Err(signal)))),
        Status::Deadline => Err(Verdict::Crashed { crash: Crash::Hang }),
        Status::Missing => Err(infra("it was never started".to_owned())),
    };
    let read: fn(&str) -> Result<Vec<Reported>, String> = match reader {
        Parser::ExitCode => {
            return vec![whole(match ended {
                Ok(0) => Verdict::Pass,
                Ok(4) => Verdict::Skip { reason: last_words(run) },
                // As shells and env say it.
                Ok(127) => Verdict::Skip { reason: format!("command not found on the machine: {}", last_words(run)) },
                Ok(code) => fail(format!("{}: {}", ending(Ok(code)), last_words(run))),
                Err(verdict) => verdict,
            })];
        }
        Parser::Junit(_) => reports::junit,
        Parser::IgtResults(_) => reports::igt,
        Parser::Ktap | Parser::KselftestHarness => {
            return vec![whole(infra("its output is no file of results".to_owned()))];
        }
    };
    let file = reader.file().unwrap_or_default();
    let tests = match &run.file {
        None => Err(format!("it did not write {file}")),
        Some((_, dropped)) if *dropped > 0 => Err(format!("{file} is {dropped} bytes too long")),
        Some((text, _)) => read(text).map_err(|error| format!("{file}: {error}")),
    };
    match (tests, ended) {
        (Ok(tests), ended) => {
            let bad = |test: &Reported| matches!(test.verdict, Verdict::Fail { .. } | Verdict::Timeout);
            let any_bad = tests.iter().any(bad);
            let part = |test: Reported| Part { name: test.name, verdict: test.verdict, output: test.output };
            let mut parts: Vec<Part> = tests.into_iter().map(part).collect();
            match ended {
                Ok(0) => {}
                Ok(_) if any_bad => {}
                // igt_runner ends so when tests were skipped or failed, and says which.
                Ok(_) if matches!(reader, Parser::IgtResults(_)) => {}
                Ok(code) => parts.push(whole(fail(format!("{}, but no test failed", ending(Ok(code)))))),
                Err(verdict) => parts.push(whole(verdict)),
            }
            parts
        }
        (Err(why), Ok(code)) => vec![whole(infra(format!("{}: {why}: {}", ending(Ok(code)), last_words(run))))],
        (Err(_), Err(verdict)) => vec![whole(verdict)],
    }
}

/// The last line that the command printed.
fn last_words(run: &Run) -> String {
    let last = run.lines.iter().rev().map(|(_, line)| line.trim()).find(|line| !line.is_empty());
    last.unwrap_or("it printed nothing").chars().take(200).collect()
}
