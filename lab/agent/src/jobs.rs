//! Running the programs of a plan, one test at a time.

use std::io::Result;
use std::time::Duration;

use orchestrator_protocol::{Job, Message, Status, Style};

use crate::channel::Channel;
use crate::output::{Budget, Line};
use crate::{guest, list, program};

/// Largest list of tests taken, in bytes.
const LIST_LIMIT: usize = 1024 * 1024;

/// Most bytes sent of a file of results.
const RESULT_LIMIT: u64 = 4 * 1024 * 1024;

/// Bytes of such a file in one frame: escaped, it may be six times as long.
const RESULT_PIECE: usize = 8 * 1024;

/// Whether the machine is still good for another test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// It is.
    GoOn,
    /// It is not: the kernel oopsed or a process is stuck in it.
    Stop,
}

/// Runs all jobs in order.
pub fn run(jobs: &[Job], channel: &mut Channel) -> Result<Flow> {
    for job in jobs {
        if run_job(job, channel)? == Flow::Stop {
            return Ok(Flow::Stop);
        }
    }
    Ok(Flow::GoOn)
}

fn run_job(job: &Job, channel: &mut Channel) -> Result<Flow> {
    let listed = match job.style {
        Style::Whole => Vec::new(),
        Style::KselftestHarness => match list_tests(job, channel)? {
            Some(listed) => listed,
            None => return Ok(Flow::Stop),
        },
    };
    channel.send(Message::Listed { suite: job.suite.clone(), tests: listed.clone() })?;
    let tests = choose(&listed, &job.only, &job.skip);
    for round in 1..=job.repeat {
        for test in &tests {
            if run_test(job, test, round, channel)? == Flow::Stop {
                return Ok(Flow::Stop);
            }
        }
    }
    Ok(Flow::GoOn)
}

/// Names of the tests; none when the program cannot list. `None` when the machine is of no further use.
fn list_tests(job: &Job, channel: &mut Channel) -> Result<Option<Vec<String>>> {
    let mut lines = Vec::new();
    let mut room = LIST_LIMIT;
    let ended = program::run(&job.program, &["-l"], deadline(job), channel, &mut |_, line| {
        if line.text.len() < room {
            room -= line.text.len() + 1;
            lines.push(line.text);
        }
        Ok(())
    })?;
    match ended {
        Ok(ended) if ended.stuck => {
            guest::show_stuck_tasks();
            give_up(job, "-l leaves a process that cannot be killed", channel)
        }
        Ok(_) if guest::is_dead(guest::tainted()) => give_up(job, "the kernel oopsed while it listed", channel),
        Ok(_) => Ok(Some(list::parse(&lines).unwrap_or_default())),
        Err(error) => give_up(job, &error.to_string(), channel),
    }
}

fn give_up(job: &Job, error: &str, channel: &mut Channel) -> Result<Option<Vec<String>>> {
    let what = format!("program {}", job.program);
    guest::say(&format!("{what}: {error}"));
    channel.send(Message::Setup { what, error: Some(error.to_owned()), fatal: true })?;
    Ok(None)
}

/// The tests to run: those asked for in their order, else all; the whole program (an empty name) when it has no list.
fn choose(listed: &[String], only: &[String], skip: &[String]) -> Vec<String> {
    let whole = [String::new()];
    let has: &[String] = if listed.is_empty() { &whole } else { listed };
    let wanted: Vec<&String> =
        if only.is_empty() { has.iter().collect() } else { only.iter().filter(|test| has.contains(test)).collect() };
    wanted.into_iter().filter(|test| !skip.contains(test)).cloned().collect()
}

fn run_test(job: &Job, test: &str, round: u32, channel: &mut Channel) -> Result<Flow> {
    let suite = job.suite.clone();
    guest::say(&format!("begin {suite} {test} round {round}"));
    channel.send(Message::Begin { suite: suite.clone(), test: test.to_owned(), round })?;
    // Should the test end the machine, what was said before it must have left.
    channel.drain();
    let own: Vec<&str> = job.args.iter().map(String::as_str).collect();
    let args: &[&str] = if test.is_empty() { &own } else { &["-r", test] };
    if let Some(result) = &job.result {
        // What an earlier round left says nothing about this one.
        let _ = std::fs::remove_file(result);
    }
    let mut budget = Budget::new(job.output_limit);
    let ended = program::run(&job.program, args, deadline(job), channel, &mut |channel, line| {
        budget.push(line).map_or(Ok(()), |line| pass_on(channel, line))
    })?;
    for line in budget.finish() {
        pass_on(channel, line)?;
    }
    let ended = match ended {
        Ok(ended) => ended,
        Err(error) if job.may_be_missing && error.kind() == std::io::ErrorKind::NotFound => {
            let (status, dropped, tainted) = (Status::Missing, 0, guest::tainted());
            channel.send(Message::End { suite, test: test.to_owned(), round, status, dropped, tainted })?;
            guest::say(&format!("end {} {test} round {round}", job.suite));
            return Ok(Flow::GoOn);
        }
        Err(error) => {
            give_up(job, &error.to_string(), channel)?;
            return Ok(Flow::Stop);
        }
    };
    if let Some(result) = &job.result {
        send_result(result, channel)?;
    }
    if ended.stuck {
        guest::show_stuck_tasks();
    }
    let status = if ended.stuck { Status::Deadline } else { ended.status };
    let (dropped, tainted) = (budget.dropped + ended.cut, guest::tainted());
    channel.send(Message::End { suite, test: test.to_owned(), round, status, dropped, tainted })?;
    guest::say(&format!("end {} {test} round {round}", job.suite));
    Ok(if ended.stuck || guest::is_dead(tainted) { Flow::Stop } else { Flow::GoOn })
}

/// Sends the file that a program wrote its results into; nothing when it wrote none.
fn send_result(path: &str, channel: &mut Channel) -> Result<()> {
    let Ok(file) = std::fs::File::open(path) else { return Ok(()) };
    let size = file.metadata().map_or(0, |data| data.len());
    let mut bytes = Vec::new();
    if let Err(error) = std::io::Read::read_to_end(&mut std::io::Read::take(file, RESULT_LIMIT), &mut bytes) {
        guest::say(&format!("{path}: {error}"));
        return Ok(());
    }
    let dropped = size.saturating_sub(RESULT_LIMIT);
    for text in pieces(&bytes) {
        channel.send(Message::Result { text, dropped })?;
    }
    Ok(())
}

/// A file in pieces that fit into frames whatever they hold.
fn pieces(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    let mut pieces = vec![String::new()];
    for c in text.chars() {
        let last = pieces.len() - 1;
        if pieces[last].len() + c.len_utf8() > RESULT_PIECE {
            pieces.push(c.to_string());
        } else {
            pieces[last].push(c);
        }
    }
    pieces
}

fn pass_on(channel: &mut Channel, line: Line) -> Result<()> {
    channel.send(Message::Output { err: line.err, text: line.text })
}

fn deadline(job: &Job) -> Duration {
    Duration::from_secs(job.test_deadline)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn the_order_asked_for_wins_and_unknown_tests_are_left_out() {
        let listed = names("a b c");
        assert_eq!(choose(&listed, &[], &[]), listed);
        assert_eq!(choose(&listed, &[], &names("b")), names("a c"));
        assert_eq!(choose(&listed, &names("c gone a"), &[]), names("c a"));
        assert_eq!(choose(&listed, &names("c a"), &names("c")), names("a"));
        assert!(choose(&listed, &names("gone"), &[]).is_empty());
    }

    #[test]
    fn a_file_of_results_is_sent_whole_in_pieces() {
        let text = "ä\u{1}x".repeat(10_000);
        let sent = pieces(text.as_bytes());
        assert!(sent.len() > 1 && sent.iter().all(|piece| piece.len() <= RESULT_PIECE));
        assert_eq!(sent.concat(), text);
        assert_eq!(pieces(b""), [""]);
    }

    #[test]
    fn a_program_without_a_list_runs_whole() {
        assert_eq!(choose(&[], &[], &[]), [""]);
        assert_eq!(choose(&[], &[String::new()], &[]), [""]);
        assert!(choose(&[], &[], &[String::new()]).is_empty());
        assert!(choose(&[], &names("a"), &[]).is_empty());
    }
}
