//! The verdict of one run of one test.

use orchestrator_protocol::Status;

use crate::suite::ktap::{self, Directive, Ktap, TestResult};
use crate::term::text::is_hostile;
use crate::words::{Crash, Verdict};

/// Bytes of a reason.
const REASON_BYTES: usize = 300;

/// Judges a program that was told to run exactly one test.
///
/// | result line | exit code | verdict |
/// |---|---|---|
/// | `ok` | 0 | Pass |
/// | `ok` | other, or a signal | Fail: it took its result back (a crash at exit, a leak check) |
/// | `ok ... # SKIP` | 0 or 4 | Skip, with its reason |
/// | `# XFAIL`, `not ok ... # TODO` | 0, 1 or 2 | Xfail |
/// | `not ok` | any | Fail (exit code 0 is named), Timeout when the harness says so |
/// | none, but `Bail out!` | any | Fail |
/// | none, plan `1..0 # SKIP` | 0 or 4 | Skip |
/// | none | signal | Fail: the program died before it said anything |
/// | none, output dropped | not 0 | Fail: the result line was among what was dropped |
/// | none | else | Infra |
///
/// Any problem of the KTAP output turns a pass, a skip and an xfail into Infra; a failure stays one.
pub(super) fn verdict(test: &str, lines: &[(bool, String)], status: Status, dropped: u64) -> Verdict {
    let code = match status {
        Status::Deadline => return Verdict::Crashed { crash: Crash::Hang },
        Status::Code(code) => Ok(code),
        Status::Signal(signal) => Err(signal),
        Status::Missing => return Verdict::Skip { reason: "command not found on the machine".to_owned() },
    };
    let doc = ktap::parse(lines.iter().filter(|(err, _)| !err).map(|(_, line)| line.as_str()));
    let own: Vec<&TestResult> = doc.results.iter().filter(|result| result.name == test).collect();
    if let Some(failed) = own.iter().find(|result| result.fails()) {
        return failure(failed, test, lines, code);
    }
    match own.as_slice() {
        [] => without_result(&doc, lines, code, dropped),
        [result] if doc.results.len() == 1 => match doc.problems.first() {
            Some(problem) => infra(format!("its output does not fit together: {problem}")),
            None => settled(result, code),
        },
        _more => infra(format!("{} result lines where one should be", doc.results.len())),
    }
}

fn settled(result: &TestResult, code: Result<i32, i32>) -> Verdict {
    let disagrees = |verdict: &str| fail(format!("{verdict} says its result line, but {}", ending(code)));
    match (result.directive, result.ok) {
        (Some(Directive::Skip), _) => match code {
            Ok(0 | 4) => Verdict::Skip { reason: reason_or(&result.detail, "no reason given") },
            Ok(_) | Err(_) => disagrees("skip"),
        },
        (Some(Directive::Xfail), _) | (Some(Directive::Todo), false) => match code {
            Ok(0..=2) => Verdict::Xfail,
            Ok(_) | Err(_) => disagrees("xfail"),
        },
        // A directive that contradicts an `ok` has been taken for a failure before.
        (None | Some(Directive::Todo | Directive::Timeout | Directive::Error), _) => match code {
            Ok(0) => Verdict::Pass,
            Ok(_) | Err(_) => disagrees("ok"),
        },
    }
}

/// What a failed result means.
pub(super) fn failure(result: &TestResult, test: &str, lines: &[(bool, String)], code: Result<i32, i32>) -> Verdict {
    if result.directive == Some(Directive::Timeout) || timed_out(test, lines) {
        return Verdict::Timeout;
    }
    let mut reason = failure_reason(result, test, lines);
    if code == Ok(0) {
        reason.push_str(" (the program exited with 0)");
    }
    fail(reason)
}

fn without_result(doc: &Ktap, lines: &[(bool, String)], code: Result<i32, i32>, dropped: u64) -> Verdict {
    if let Some(reason) = &doc.bail_out {
        return fail(format!("bail out: {reason}"));
    }
    match code {
        Err(signal) => fail(format!("the program was killed by signal {signal} before it gave a result")),
        Ok(0 | 4) if skipped_whole(doc).is_some() => {
            Verdict::Skip { reason: skipped_whole(doc).unwrap_or_default().to_owned() }
        }
        Ok(0) if dropped > 0 => infra(format!("{dropped} bytes of output were dropped, its result line among them")),
        Ok(code) if dropped > 0 => fail(format!(
            "the program exited with {code}; {dropped} bytes of output were dropped, its result line among them"
        )),
        Ok(code) => {
            let last = lines.iter().rev().map(|(_, line)| line.trim()).find(|line| !line.is_empty());
            let last = last.map(|line| format!("; its last line: {line}")).unwrap_or_default();
            infra(format!("no result line; the program exited with {code}{last}"))
        }
    }
}

/// The reason of a plan `1..0 # SKIP reason` without any result.
pub(super) fn skipped_whole(doc: &Ktap) -> Option<&str> {
    if !doc.results.is_empty() || !doc.problems.is_empty() {
        return None;
    }
    doc.plan.as_ref()?.skip.as_deref()
}

/// The harness names a test in these comments by the last part of its name.
fn timed_out(test: &str, lines: &[(bool, String)]) -> bool {
    let short = test.rsplit('.').next().unwrap_or(test);
    let words = format!("# {short}: Test terminated by timeout");
    lines.iter().any(|(_, line)| line.trim_end() == words)
}

/// The test's own words: its first failed expectation, else what its result line or the harness says.
fn failure_reason(result: &TestResult, test: &str, lines: &[(bool, String)]) -> String {
    let short = test.rsplit('.').next().unwrap_or(test);
    let comments = || lines.iter().filter_map(|(_, line)| line.trim().strip_prefix('#')).map(str::trim);
    let expectation = comments().find(|line| line.contains(":Expected "));
    let detail = Some(result.detail.as_str()).filter(|detail| !detail.is_empty());
    let harness = comments().find(|line| line.strip_prefix(short).is_some_and(|rest| rest.starts_with(": Test ")));
    expectation.or(detail).or(harness).unwrap_or("not ok, without a reason").to_owned()
}

pub(super) fn ending(code: Result<i32, i32>) -> String {
    match code {
        Ok(code) => format!("the program exited with {code}"),
        Err(signal) => format!("the program was killed by signal {signal}"),
    }
}

pub(super) fn fail(reason: String) -> Verdict {
    Verdict::Fail { reason: one_line(&reason) }
}

pub(super) fn infra(reason: String) -> Verdict {
    Verdict::Infra { reason: one_line(&reason) }
}

/// The same verdict with a reason that fits on a line: whatever said it, a test, a file of results or the agent, it came from
/// the machine.
pub(super) fn tidy(verdict: &mut Verdict) {
    match verdict {
        Verdict::Fail { reason } | Verdict::Skip { reason } | Verdict::Infra { reason } => *reason = one_line(reason),
        Verdict::Pass | Verdict::Timeout | Verdict::Xfail | Verdict::Crashed { .. } => {}
    }
}

fn reason_or(reason: &str, otherwise: &str) -> String {
    let reason = one_line(reason);
    if reason.is_empty() { otherwise.to_owned() } else { reason }
}

/// Bounded, and without control characters: the words are foreign.
fn one_line(text: &str) -> String {
    let clean: String = text.trim().chars().map(|c| if is_hostile(c) { ' ' } else { c }).collect();
    match clean.char_indices().find(|(at, _)| *at >= REASON_BYTES) {
        Some((at, _)) => format!("{}...", &clean[..at]),
        None => clean,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEST: &str = "hmm.hmm_device_private.anon_read";

    #[test]
    fn reasons_are_one_line_without_control_characters() {
        let reason = "a\u{1b}[31m red\nline";
        for mut verdict in [
            Verdict::Fail { reason: reason.into() },
            Verdict::Skip { reason: reason.into() },
            Verdict::Infra { reason: reason.into() },
        ] {
            tidy(&mut verdict);
            let (Verdict::Fail { reason } | Verdict::Skip { reason } | Verdict::Infra { reason }) = verdict else {
                unreachable!("it stays what it was")
            };
            assert_eq!(reason, "a [31m red line");
        }
    }

    fn judged(stdout: &str, stderr: &str, status: Status) -> Verdict {
        let mut lines: Vec<(bool, String)> = stdout.lines().map(|line| (false, line.to_owned())).collect();
        lines.extend(stderr.lines().map(|line| (true, line.to_owned())));
        verdict(TEST, &lines, status, 0)
    }

    fn with(result: &str) -> String {
        format!(
            "TAP version 13\n1..1\n# Starting 1 tests from 1 test cases.\n#  RUN  {TEST} ...\n#  OK  {TEST}\n{result}\n"
        )
    }

    fn failed(verdict: Verdict) -> String {
        match verdict {
            Verdict::Fail { reason } => reason,
            other => panic!("not a failure: {other:?}"),
        }
    }

    fn infra_reason(verdict: Verdict) -> String {
        match verdict {
            Verdict::Infra { reason } => reason,
            other => panic!("not infra: {other:?}"),
        }
    }

    #[test]
    fn result_lines_and_exit_codes() {
        let ok = with(&format!("ok 1 {TEST}"));
        let skip = with(&format!("ok 1 {TEST} # SKIP DEVICE_COHERENT not available"));
        let xfail = with(&format!("ok 1 {TEST} # XFAIL known"));
        let todo = with(&format!("not ok 1 {TEST} # TODO later"));
        let xpass = with(&format!("ok 1 {TEST} # XPASS unknown"));
        assert_eq!(judged(&ok, "", Status::Code(0)), Verdict::Pass);
        assert_eq!(judged(&xpass, "", Status::Code(0)), Verdict::Pass);
        let skipped = Verdict::Skip { reason: "DEVICE_COHERENT not available".into() };
        assert_eq!(judged(&skip, "", Status::Code(0)), skipped);
        assert_eq!(judged(&skip, "", Status::Code(4)), skipped);
        assert_eq!(judged(&xfail, "", Status::Code(0)), Verdict::Xfail);
        assert_eq!(judged(&xfail, "", Status::Code(2)), Verdict::Xfail);
        assert_eq!(judged(&todo, "", Status::Code(1)), Verdict::Xfail);
        assert_eq!(failed(judged(&ok, "", Status::Code(1))), "ok says its result line, but the program exited with 1");
        assert_eq!(
            failed(judged(&ok, "", Status::Signal(11))),
            "ok says its result line, but the program was killed by signal 11"
        );
        assert!(failed(judged(&skip, "", Status::Code(1))).starts_with("skip says"));
        assert!(failed(judged(&xfail, "", Status::Signal(9))).starts_with("xfail says"));
    }

    #[test]
    fn a_skip_prints_ok_in_a_comment_and_is_no_pass() {
        let comment_only = format!("TAP version 13\n1..1\n#            OK  {TEST}\n");
        assert!(infra_reason(judged(&comment_only, "", Status::Code(0))).starts_with("no result line"));
    }

    #[test]
    fn failures_say_why() {
        let not_ok = with(&format!("not ok 1 {TEST}"));
        let expected =
            "# hmm-tests.c:1747:anon_read:Expected ret (-16) == 0 (0)\n# anon_read: Test terminated by assertion\n";
        assert_eq!(
            failed(judged(&not_ok, expected, Status::Code(1))),
            "hmm-tests.c:1747:anon_read:Expected ret (-16) == 0 (0)"
        );
        assert_eq!(failed(judged(&not_ok, "# anon_read: Test failed\n", Status::Code(1))), "anon_read: Test failed");
        let detail = with(&format!("not ok 1 {TEST} # rc=3"));
        assert_eq!(failed(judged(&detail, "", Status::Code(1))), "rc=3");
        let error = with(&format!("not ok 1 {TEST} # ERROR cannot open"));
        assert_eq!(failed(judged(&error, "", Status::Code(1))), "cannot open");
        assert_eq!(
            failed(judged(&not_ok, "", Status::Code(0))),
            "not ok, without a reason (the program exited with 0)"
        );
    }

    #[test]
    fn timeouts() {
        let not_ok = with(&format!("not ok 1 {TEST}"));
        let words = "# anon_read: Test terminated by timeout\n";
        assert_eq!(judged(&not_ok, words, Status::Code(1)), Verdict::Timeout);
        let ok = with(&format!("ok 1 {TEST}"));
        assert_eq!(judged(&ok, words, Status::Code(0)), Verdict::Pass, "only a failed result can be a timeout");
        let other = "# anon_write: Test terminated by timeout\n";
        assert!(matches!(judged(&not_ok, other, Status::Code(1)), Verdict::Fail { .. }));
        let directive = with(&format!("not ok 1 {TEST} # TIMEOUT 30 seconds"));
        assert_eq!(judged(&directive, "", Status::Code(1)), Verdict::Timeout);
        assert_eq!(judged(&ok, "", Status::Deadline), Verdict::Crashed { crash: Crash::Hang });
    }

    #[test]
    fn without_a_result_line() {
        let head = "TAP version 13\n1..1\n# Starting 1 tests from 1 test cases.\n";
        assert_eq!(
            infra_reason(judged(head, "", Status::Code(0))),
            "no result line; the program exited with 0; its last line: # Starting 1 tests from 1 test cases."
        );
        assert!(infra_reason(judged("", "sh: not found", Status::Code(127))).contains("its last line: sh: not found"));
        assert_eq!(
            failed(judged(head, "", Status::Signal(11))),
            "the program was killed by signal 11 before it gave a result"
        );
        assert_eq!(failed(judged("TAP version 13\nBail out! no memory\n", "", Status::Code(1))), "bail out: no memory");
        assert_eq!(
            judged("TAP version 13\n1..0 # SKIP not root\n", "", Status::Code(4)),
            Verdict::Skip { reason: "not root".into() }
        );
        assert!(
            infra_reason(judged("TAP version 13\n1..0\n# PASSED: 0 / 0\n", "", Status::Code(0))).contains("no result")
        );
    }

    #[test]
    fn dropped_output_is_no_pass() {
        let head: Vec<(bool, String)> = vec![(false, "TAP version 13".into()), (false, "1..1".into())];
        assert!(infra_reason(verdict(TEST, &head, Status::Code(0), 99)).starts_with("99 bytes of output were dropped"));
        assert!(failed(verdict(TEST, &head, Status::Code(1), 99)).contains("exited with 1; 99 bytes"));
        let whole: Vec<(bool, String)> = with(&format!("ok 1 {TEST}")).lines().map(|l| (false, l.to_owned())).collect();
        assert_eq!(verdict(TEST, &whole, Status::Code(0), 99), Verdict::Pass, "the tail is kept");
    }

    #[test]
    fn output_that_does_not_fit_together_is_never_a_pass() {
        let twice = format!("TAP version 13\n1..1\nok 1 {TEST}\nok 1 {TEST}\n");
        let other_too = format!("TAP version 13\n1..2\nok 1 {TEST}\nok 2 another\n");
        let no_plan = format!("TAP version 13\nok 1 {TEST}\n");
        let short = format!("TAP version 13\n1..2\nok 1 {TEST}\n");
        let bail = format!("TAP version 13\n1..1\nok 1 {TEST}\nBail out! x\n");
        let wrong = "TAP version 13\n1..1\nok 1 another\n".to_owned();
        for output in [twice, other_too, no_plan, short, wrong] {
            infra_reason(judged(&output, "", Status::Code(0)));
        }
        assert!(!matches!(judged(&bail, "", Status::Code(0)), Verdict::Pass));
        let forged = format!("TAP version 13\n1..1\nok 1 {TEST}\nnot ok 1 {TEST}\n");
        assert!(matches!(judged(&forged, "", Status::Code(1)), Verdict::Fail { .. }), "a failure stays one");
        let on_stderr = with("");
        infra_reason(judged(&on_stderr, &format!("ok 1 {TEST}"), Status::Code(0)));
    }

    #[test]
    fn foreign_words_are_cleaned_and_bounded() {
        let long = with(&format!("not ok 1 {TEST} # a\u{1b}[31m{}", "é".repeat(1000)));
        let reason = failed(judged(&long, "", Status::Code(1)));
        assert!(reason.len() < 320 && !reason.contains('\u{1b}'), "{reason}");
    }
}
