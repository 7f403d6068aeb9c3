//! The record of one boot.

use std::collections::BTreeSet;

use camino::Utf8PathBuf;
use orchestrator_protocol::{Frame, Status};

use super::reported::reported;
use super::runs::{Ended, Run, Said, full_name, sort};
use super::verdict::{infra, tidy, verdict};
use super::whole::{Part, parts};
use crate::suite::found::Found;
use crate::suite::idle::Idle;
use crate::suite::log::{self, Log, Marker, log_checked};
use crate::suite::samples::{samples, together};
use crate::words::{Accel, BootEnd, BootRecord, Crash, Parser, Revision, SplatKind, SuiteMetric, TestRecord, Verdict};

/// Bytes of output kept of one test: the beginning and the end.
const OUTPUT_BYTES: usize = 64 * 1024;
/// `TAINT_DIE`: the kernel oopsed.
const TAINT_DIE: u64 = 1 << 7;
/// Taint flags that come with a report in the log: bad page, oops, WARN, soft lockup.
const TAINT_REPORTED: [(u64, &str); 4] =
    [(1 << 5, "bad page"), (TAINT_DIE, "oops"), (1 << 9, "WARN"), (1 << 14, "soft lockup")];

/// What one boot gave.
#[derive(Debug, Clone, Copy)]
pub struct JudgeInput<'a> {
    /// All frames of the agent, in order.
    pub frames: &'a [Frame],
    /// What was wrong with the results channel, one sentence each.
    pub problems: &'a [String],
    /// How the boot ended.
    pub end: &'a BootEnd,
    /// The whole console.
    pub console: &'a str,
    /// Names of the suites that were to run, in order.
    pub suites: &'a [String],
    /// How the suites are read, by name; a suite that is not named speaks KTAP.
    pub readers: &'a [(String, Parser)],
    /// Readings to look for in what the tests of a suite print, by its name.
    pub readings: &'a [(String, Vec<SuiteMetric>)],
    /// What tests of a suite print that pass without having done anything, as regular expressions, by its name.
    pub idle: &'a [(String, Vec<String>)],
    /// Full names of the tests asked for; all when empty.
    pub only: &'a [String],
    /// Full names of the tests left out.
    pub skip: &'a [String],
    /// Names of the modules that were to be unloaded at the end, in load order.
    pub modules: &'a [String],
    /// The kernel's resolved `.config`.
    pub config: &'a str,
}

/// What a record says beside what is judged.
#[derive(Debug, Clone)]
pub struct BootMeta {
    /// Revision of the kernel.
    pub kernel: Revision,
    /// Revision whose selftests ran.
    pub selftests: Revision,
    /// Kconfig name.
    pub kconfig: String,
    /// Machine name.
    pub machine: String,
    /// How instructions were executed.
    pub accel: Accel,
    /// Attempt number, from 1.
    pub attempt: u32,
    /// Folder of the attempt.
    pub dir: Utf8PathBuf,
    /// Wall time in milliseconds.
    pub wall_ms: u64,
    /// Host CPU time of QEMU in milliseconds.
    pub cpu_ms: u64,
    /// The command line that repeats it.
    pub replay: String,
}

/// Judges one boot. The rules are at [the module](super).
pub fn judge(input: JudgeInput<'_>, meta: BootMeta) -> BootRecord {
    let said = sort(input.frames);
    let mut log = log::read(input.console);
    blame_stuck_test(&said, input.console, &mut log);
    let end = real_end(input.end, &said, &log);
    let mut tests = Vec::new();
    let mut tainted = 0;
    let open = open_test(&said, &log, input.end);
    for run in &said.runs {
        let before = tainted;
        if let (Some(ended), None) = (run.ended, &run.distrust) {
            tainted |= ended.tainted;
        }
        let oopsed = tainted & !before & TAINT_DIE != 0;
        judge_run(run, &input, &end, open.as_deref(), oopsed, &said, &mut tests);
    }
    if let Some(test) = &open
        && !said.runs.iter().any(|run| run.ended.is_none() && run.name() == *test)
    {
        // The kernel died between the marker on the console and the first frame.
        let verdict = died(&end, input.problems);
        tests.push(TestRecord { test: test.clone(), verdict, output: String::new(), guest_ms: 0 });
    }
    spoilt(&said, &input, &mut tests);
    let mut remaining = unreached(&said, &input, &tests);
    unloads(&said, &input, &end, &mut tests, &mut remaining);
    Idle::new(input.idle).apply(&mut tests);
    tests.iter_mut().for_each(|test| tidy(&mut test.verdict));
    let found = Found::new(input.readings);
    let metrics =
        tests.iter().flat_map(|test| samples(test, meta.accel).into_iter().chain(found.samples(test, meta.accel)));
    let metrics = together(metrics);
    BootRecord {
        kernel: meta.kernel,
        selftests: meta.selftests,
        kconfig: meta.kconfig,
        machine: meta.machine,
        accel: meta.accel,
        attempt: meta.attempt,
        uname: said.uname.clone(),
        log_checked: checked(&input, &said, &log, tainted),
        tests,
        metrics,
        remaining,
        splats: log.splats,
        dir: meta.dir,
        wall_ms: meta.wall_ms,
        cpu_ms: meta.cpu_ms,
        replay: meta.replay,
        node: None,
        end,
    }
}

/// What a kernel reports after a test that could not be stopped is that test's doing: it still runs, although the agent
/// has given it up.
fn blame_stuck_test(said: &Said, console: &str, log: &mut Log) {
    let Some(last) = said.runs.last().filter(|run| run.ended.is_some_and(|ended| ended.status == Status::Deadline))
    else {
        return;
    };
    let Some(begin) = console.rfind("orchestrator: begin ") else { return };
    let line = console[..begin].lines().count();
    for splat in log.splats.iter_mut().filter(|splat| splat.test.is_none() && splat.line > line) {
        splat.test = Some(last.name());
    }
}

/// How the boot ended, seen from the tests: a machine that could not be prepared, and a suite that took longer than
/// all its tests may, are trouble of ours and no hang or reset of the kernel.
fn real_end(end: &BootEnd, said: &Said, log: &Log) -> BootEnd {
    let fell = log.splats.iter().any(|splat| matches!(splat.kind, SplatKind::Oops | SplatKind::Panic | SplatKind::Bug));
    match end {
        BootEnd::Completed | BootEnd::Reset if !fell => match said.fatal.first() {
            Some((what, error)) => BootEnd::Infra { reason: format!("{what}: {error}") },
            None => end.clone(),
        },
        BootEnd::Hung { deadline } if deadline == "suite" => {
            BootEnd::Infra { reason: "the time for the whole suite was over".to_owned() }
        }
        BootEnd::Completed | BootEnd::Reset | BootEnd::Panicked | BootEnd::Hung { .. } | BootEnd::Infra { .. } => {
            end.clone()
        }
    }
}

/// What the end of the boot did to the test that was open.
fn died(end: &BootEnd, problems: &[String]) -> Verdict {
    let crashed = |crash| match problems.first() {
        // Frames were lost, so the test may well have ended.
        Some(problem) => infra(format!("results channel: {problem}")),
        None => Verdict::Crashed { crash },
    };
    match end {
        // A panic cuts the channel in mid-line; that is no problem of its own.
        BootEnd::Panicked => Verdict::Crashed { crash: Crash::Panic },
        BootEnd::Hung { .. } => crashed(Crash::Hang),
        BootEnd::Reset => crashed(Crash::Reset),
        BootEnd::Completed => infra(match problems.first() {
            Some(problem) => format!("results channel: {problem}"),
            None => "its end was never reported".to_owned(),
        }),
        BootEnd::Infra { reason } => infra(reason.clone()),
    }
}

/// The test that ran when the kernel went away: the agent marks it on the console before it says so in a frame, so
/// the console may know of one more.
fn open_test(said: &Said, log: &Log, end: &BootEnd) -> Option<String> {
    let gone = match end {
        BootEnd::Panicked | BootEnd::Hung { .. } | BootEnd::Reset => true,
        BootEnd::Completed | BootEnd::Infra { .. } => false,
    };
    let from_frames = said.runs.last().filter(|run| run.ended.is_none()).map(Run::name);
    let ended = |name: &str, round: u32| {
        said.runs.iter().any(|run| run.name() == name && run.round >= round && run.ended.is_some())
    };
    let known =
        |name: &str| said.listed.values().flatten().any(|listed| listed == name) || said.listed.contains_key(name);
    let on_console = match log.markers.last() {
        Some(Marker::Begin { test, round }) if gone && !ended(test, *round) && known(test) => Some(test.clone()),
        Some(Marker::Begin { .. } | Marker::End { .. }) | None => None,
    };
    on_console.or(from_frames)
}

fn judge_run(
    run: &Run,
    input: &JudgeInput<'_>,
    end: &BootEnd,
    open: Option<&str>,
    oopsed: bool,
    said: &Said,
    tests: &mut Vec<TestRecord>,
) {
    let guest_ms = run.last_ms.saturating_sub(run.begin_ms);
    let record = |test: String, verdict: Verdict, output: String| TestRecord { test, verdict, output, guest_ms };
    let all_output = || bounded(run.lines.iter().map(|(_, line)| line.as_str()));
    let lost = |why: &str| record(run.name(), infra(format!("results channel: {why}")), all_output());
    if let Some(why) = &run.distrust {
        tests.push(lost(why));
        return;
    }
    let cut = match run.ended {
        Some(_) => None,
        None if !said.fatal.is_empty() => {
            let reason = said.fatal.last().map(|(what, error)| format!("{what}: {error}")).unwrap_or_default();
            Some(infra(reason))
        }
        None if open == Some(run.name().as_str()) => Some(died(end, input.problems)),
        None => Some(infra("results channel: its end is missing, though the console names a later test".to_owned())),
    };
    if run.test.is_empty() {
        let reader = input.readers.iter().find(|(suite, _)| *suite == run.suite).map(|(_, reader)| reader);
        let mut whole = match (reader, cut) {
            (_, cut) if run.ended.is_some_and(|ended| ended.status == Status::Missing) => vec![missing(cut)],
            (None | Some(Parser::Ktap | Parser::KselftestHarness), cut) => {
                parts(&run.lines, run.ended.map(|ended| ended.status), cut)
            }
            (
                Some(reader @ (Parser::ExitCode | Parser::Junit(_) | Parser::IgtResults(_) | Parser::OpenclCts(_))),
                cut,
            ) => reported(run, reader, cut),
        };
        if oopsed {
            whole.retain(|part| !part.name.is_empty());
        }
        tests.extend(
            whole
                .into_iter()
                .map(|part| record(full_name(&run.suite, &part.name), part.verdict, bounded(part.output.lines()))),
        );
        if oopsed {
            tests.push(record(run.name(), Verdict::Crashed { crash: Crash::Panic }, all_output()));
        }
        return;
    }
    let verdict = match (cut, run.ended) {
        _ if oopsed => Verdict::Crashed { crash: Crash::Panic },
        (Some(cut), _) => cut,
        (None, Some(Ended { status, dropped, .. })) => verdict(&run.test, &run.lines, status, dropped),
        (None, None) => infra("its end was never reported".to_owned()),
    };
    tests.push(record(run.name(), verdict, all_output()));
}

/// A program that the machine does not have: nothing is wrong with the kernel.
fn missing(cut: Option<Verdict>) -> Part {
    let reason = "command not found on the machine".to_owned();
    Part { name: String::new(), verdict: cut.unwrap_or(Verdict::Skip { reason }), output: String::new() }
}

/// When the machine could not be prepared, the tests asked for cannot be judged.
fn spoilt(said: &Said, input: &JudgeInput<'_>, tests: &mut Vec<TestRecord>) {
    let Some((what, error)) = said.fatal.first() else {
        return;
    };
    let reason = format!("{what}: {error}");
    let has: BTreeSet<String> = tests.iter().map(|record| record.test.clone()).collect();
    for suite in input.suites {
        let names = asked(suite, said, input);
        let ran = has.iter().any(|test| test == suite || test.starts_with(&format!("{suite}.")));
        if ran {
            continue;
        }
        // Without a list, the program as a whole stands for its tests.
        let names = if names.is_empty() { vec![suite.clone()] } else { names };
        tests.extend(names.into_iter().map(|test| TestRecord {
            test,
            verdict: infra(reason.clone()),
            output: String::new(),
            guest_ms: 0,
        }));
    }
}

/// Full names of the tests of a suite that were to run, in order.
fn asked(suite: &str, said: &Said, input: &JudgeInput<'_>) -> Vec<String> {
    let prefix = format!("{suite}.");
    let only: Vec<&String> = input.only.iter().filter(|test| test.starts_with(&prefix)).collect();
    let all = input.only.is_empty() || input.only.iter().any(|test| test == suite);
    let names: Vec<String> = match said.listed.get(suite) {
        Some(listed) if all => listed.clone(),
        Some(listed) => only.into_iter().filter(|test| listed.contains(test)).cloned().collect(),
        None => only.into_iter().filter(|test| !is_unload(test, suite)).cloned().collect(),
    };
    names.into_iter().filter(|test| !input.skip.contains(test)).collect()
}

fn unreached(said: &Said, input: &JudgeInput<'_>, tests: &[TestRecord]) -> Vec<String> {
    let has: BTreeSet<&str> = tests.iter().map(|record| record.test.as_str()).collect();
    input
        .suites
        .iter()
        .flat_map(|suite| asked(suite, said, input))
        .filter(|test| !has.contains(test.as_str()))
        .collect()
}

fn unload_name(suite: &str, module: &str) -> String {
    format!("{suite}.unload-{module}")
}

fn is_unload(test: &str, suite: &str) -> bool {
    test.strip_prefix(suite).is_some_and(|rest| rest.starts_with(".unload-"))
}

/// The unloading of every module as a test of the first suite.
fn unloads(
    said: &Said,
    input: &JudgeInput<'_>,
    end: &BootEnd,
    tests: &mut Vec<TestRecord>,
    remaining: &mut Vec<String>,
) {
    let Some(suite) = input.suites.first() else {
        return;
    };
    let gone = match end {
        BootEnd::Panicked | BootEnd::Hung { .. } | BootEnd::Reset => true,
        BootEnd::Completed | BootEnd::Infra { .. } => false,
    };
    let mut at_work = gone
        && remaining.is_empty()
        && said.listed.len() >= input.suites.len()
        && !tests.iter().any(|record| matches!(record.verdict, Verdict::Crashed { .. }));
    // The agent unloads them in reverse.
    for module in input.modules.iter().rev() {
        let test = unload_name(suite, module);
        let verdict = match said.unloaded.iter().find(|(unloaded, _)| unloaded == module) {
            Some((_, None)) => Verdict::Pass,
            Some((_, Some(error))) => Verdict::Fail { reason: format!("module {module} does not unload: {error}") },
            // It is the one that was being unloaded when the kernel went away.
            None if at_work => {
                at_work = false;
                died(end, input.problems)
            }
            None => {
                remaining.push(test);
                continue;
            }
        };
        tests.push(TestRecord { test, verdict, output: String::new(), guest_ms: 0 });
    }
}

fn checked(input: &JudgeInput<'_>, said: &Said, log: &Log, tainted: u64) -> Result<(), String> {
    log_checked(input.config)?;
    if input.console.trim().is_empty() && !said.uname.is_empty() {
        return Err("the kernel came up, but its console is empty".to_owned());
    }
    let unseen: Vec<&str> =
        TAINT_REPORTED.iter().filter(|(flag, _)| tainted & flag != 0).map(|(_, name)| *name).collect();
    if !unseen.is_empty() && log.splats.is_empty() {
        return Err(format!(
            "the kernel is tainted ({}), but its log has no report: the console does not show warnings",
            unseen.join(", ")
        ));
    }
    Ok(())
}

/// At most [`OUTPUT_BYTES`]: the beginning, and the end where the result is.
fn bounded<'a>(lines: impl Iterator<Item = &'a str>) -> String {
    let mut text = String::new();
    for line in lines {
        text.push_str(line);
        text.push('\n');
    }
    if text.len() <= OUTPUT_BYTES {
        return text;
    }
    let half = OUTPUT_BYTES / 2;
    let head = (0..=half).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
    let tail = (text.len() - half..=text.len()).find(|&at| text.is_char_boundary(at)).unwrap_or(text.len());
    format!("{}\n[{} bytes left out]\n{}", &text[..head], tail - head, &text[tail..])
}
