//! The verdicts of a program that runs whole.

use orchestrator_protocol::Status;

use super::reported::not_found;
use super::verdict::{ending, fail, failure, infra, skipped_whole};
use crate::suite::ktap::{self, Directive, Ktap, TestResult};
use crate::words::{Crash, Verdict};

/// One test of a program that runs whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    /// Name below the suite; empty for the program itself.
    pub name: String,
    pub verdict: Verdict,
    /// Its diagnostics and result line.
    pub output: String,
}

/// Judges a program that runs all its tests in one go. `died` is what the machine did to it, when it has no end.
///
/// Every innermost result is a test of its own, named after its parents; a result without a name is called by its
/// number. When the output does not fit together, no result of it is taken for a pass, except that a program which
/// the kernel's death cut short keeps what it had said before. What cannot be laid to a single test is laid to the
/// program (an empty name): a disagreeing exit code, a cut, a hang.
pub(super) fn parts(lines: &[(bool, String)], status: Option<Status>, died: Option<Verdict>) -> Vec<Part> {
    let doc = ktap::parse(lines.iter().filter(|(err, _)| !err).map(|(_, line)| line.as_str()));
    let mut parts = Vec::new();
    collect(&doc, "", &mut parts);
    let whole = |verdict: Verdict| Part {
        name: String::new(),
        verdict,
        output: lines.iter().map(|(_, line)| format!("{line}\n")).collect(),
    };
    if let Some(verdict) = died {
        parts.push(whole(verdict));
        return parts;
    }
    if let Some(problem) = doc.problems.first() {
        for part in &mut parts {
            match part.verdict {
                Verdict::Pass | Verdict::Xfail | Verdict::Skip { .. } => {
                    part.verdict = infra(format!("the program's output does not fit together: {problem}"));
                }
                Verdict::Fail { .. } | Verdict::Timeout | Verdict::Crashed { .. } | Verdict::Infra { .. } => {}
            }
        }
    }
    let bad = parts.iter().any(|part| matches!(part.verdict, Verdict::Fail { .. } | Verdict::Timeout));
    let verdict = match (status, &doc.bail_out) {
        (Some(Status::Deadline), _) => Some(Verdict::Crashed { crash: Crash::Hang }),
        (_, Some(reason)) => Some(fail(format!("bail out: {reason}"))),
        (Some(Status::Signal(signal)), _) => Some(fail(ending(Err(signal)))),
        (Some(Status::Code(code)), None) => match (doc.problems.first(), code) {
            (Some(_), code) if parts.is_empty() && not_found(code, lines).is_some() => not_found(code, lines),
            (Some(problem), _) => Some(infra(format!("{}: {problem}", ending(Ok(code))))),
            (None, 0..=4) if skipped_whole(&doc).is_some() => {
                Some(Verdict::Skip { reason: skipped_whole(&doc).unwrap_or_default().to_owned() })
            }
            (None, code) if parts.is_empty() && not_found(code, lines).is_some() => not_found(code, lines),
            (None, _) if parts.is_empty() => Some(infra(format!("{} without any result", ending(Ok(code))))),
            (None, 0 | 2..=4) => None,
            (None, _) if bad => None,
            (None, _) => Some(fail(format!("{}, but no test failed", ending(Ok(code))))),
        },
        (Some(Status::Missing), None) => Some(infra("it was never started".to_owned())),
        (None, None) => Some(infra("its end was never reported".to_owned())),
    };
    parts.extend(verdict.map(whole));
    parts
}

fn collect(doc: &Ktap, above: &str, parts: &mut Vec<Part>) {
    for result in &doc.results {
        let own = if result.name.is_empty() { result.number.to_string() } else { result.name.clone() };
        let name = if above.is_empty() { own } else { format!("{above}.{own}") };
        let nested = result.nested.as_ref().filter(|nested| !nested.results.is_empty());
        if let Some(nested) = nested {
            collect(nested, &name, parts);
            // The parent only adds something when it fails for another reason than its parts.
            if !result.fails() || nested.results.iter().any(TestResult::fails) {
                continue;
            }
        }
        let mut output: String = result.diagnostics.iter().map(|line| format!("{line}\n")).collect();
        output.push_str(&format!("{} {} {}\n", if result.ok { "ok" } else { "not ok" }, result.number, result.name));
        parts.push(Part { verdict: verdict(result), name, output });
    }
}

fn verdict(result: &TestResult) -> Verdict {
    if result.fails() {
        let lines: Vec<(bool, String)> = result.diagnostics.iter().map(|line| (false, line.clone())).collect();
        return failure(result, &result.name, &lines, Ok(1));
    }
    match result.directive {
        Some(Directive::Skip) => Verdict::Skip { reason: result.detail.clone() },
        Some(Directive::Xfail) => Verdict::Xfail,
        Some(Directive::Todo) if !result.ok => Verdict::Xfail,
        None | Some(Directive::Todo | Directive::Timeout | Directive::Error) => Verdict::Pass,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(stdout: &str, status: Status) -> Vec<(String, Verdict)> {
        let lines: Vec<(bool, String)> = stdout.lines().map(|line| (false, line.to_owned())).collect();
        parts(&lines, Some(status), None).into_iter().map(|part| (part.name, part.verdict)).collect()
    }

    #[test]
    fn a_program_that_ends_well_has_no_record_of_its_own() {
        let output = "TAP version 13\n1..3\nok 1 a\nok 2 # SKIP no device\nok 3 c # XFAIL known\n";
        assert_eq!(
            judged(output, Status::Code(0)),
            [
                ("a".into(), Verdict::Pass),
                ("2".into(), Verdict::Skip { reason: "no device".into() }),
                ("c".into(), Verdict::Xfail)
            ]
        );
    }

    #[test]
    fn a_todo_is_expected_to_fail_and_may_pass() {
        let output = "TAP version 13\n1..2\nnot ok 1 a # TODO later\nok 2 b # TODO later\n";
        let expected = [("a".to_owned(), Verdict::Xfail), ("b".to_owned(), Verdict::Pass)];
        assert_eq!(judged(output, Status::Code(0)), expected);
    }

    #[test]
    fn a_program_that_never_started_or_never_ended_says_nothing() {
        let reason = |status: Option<Status>| match parts(&[], status, None).remove(0).verdict {
            Verdict::Infra { reason } => reason,
            other => panic!("{other:?}"),
        };
        assert_eq!(reason(Some(Status::Missing)), "it was never started");
        assert_eq!(reason(None), "its end was never reported");
        let died = Verdict::Crashed { crash: Crash::Reset };
        assert_eq!(parts(&[], None, Some(died.clone())).remove(0).verdict, died);
    }

    #[test]
    fn nested_results_are_named_after_their_parents() {
        let output = "KTAP version 1\n1..2\n  KTAP version 1\n  1..2\n  ok 1 x\n  # why\n  not ok 2 y\nnot ok 1 p\n\
                      \n  KTAP version 1\n  1..1\n  ok 1 z\nnot ok 2 q # cleanup\n";
        let judged = judged(output, Status::Code(1));
        let names: Vec<&str> = judged.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["p.x", "p.y", "q.z", "q"]);
        assert_eq!(judged[3].1, Verdict::Fail { reason: "cleanup".into() });
    }

    #[test]
    fn exit_codes_that_disagree_are_laid_to_the_program() {
        let good = "TAP version 13\n1..1\nok 1 a\n";
        let bad = "TAP version 13\n1..1\nnot ok 1 a\n";
        let whole = |verdicts: Vec<(String, Verdict)>| verdicts.into_iter().find(|(name, _)| name.is_empty());
        assert_eq!(whole(judged(good, Status::Code(0))), None);
        assert_eq!(whole(judged(bad, Status::Code(1))), None);
        assert!(matches!(whole(judged(good, Status::Code(1))).unwrap().1, Verdict::Fail { .. }));
        assert!(matches!(whole(judged(good, Status::Signal(6))).unwrap().1, Verdict::Fail { .. }));
        let hang = Verdict::Crashed { crash: Crash::Hang };
        assert_eq!(whole(judged(good, Status::Deadline)).unwrap().1, hang);
        let skip = "TAP version 13\n1..0 # SKIP needs swap\n";
        assert_eq!(judged(skip, Status::Code(4)), [(String::new(), Verdict::Skip { reason: "needs swap".into() })]);
        assert!(matches!(judged("TAP version 13\n1..0\n", Status::Code(0))[0].1, Verdict::Infra { .. }));
    }

    #[test]
    fn nothing_passes_in_output_that_does_not_fit_together() {
        for output in [
            "TAP version 13\nok 1 a\n",
            "TAP version 13\n1..2\nok 1 a\n",
            "TAP version 13\n1..1\nok 1 a\nok 2 b\n",
            "TAP version 13\n1..2\nok 1 a\nok 1 a\n",
            "ok 1 a\n",
        ] {
            let judged = judged(output, Status::Code(0));
            assert!(judged.iter().all(|(_, verdict)| matches!(verdict, Verdict::Infra { .. })), "{judged:?}");
            assert_eq!(judged.last().unwrap().0, "", "the program is to blame, too");
        }
    }

    #[test]
    fn a_kernel_that_dies_takes_nothing_back_that_was_said_before() {
        let lines = vec![(false, "TAP version 13".to_owned()), (false, "1..3".into()), (false, "ok 1 a".into())];
        let died = Verdict::Crashed { crash: Crash::Panic };
        let judged = parts(&lines, None, Some(died.clone()));
        assert_eq!((judged[0].name.as_str(), &judged[0].verdict), ("a", &Verdict::Pass));
        assert_eq!((judged[1].name.as_str(), &judged[1].verdict), ("", &died));
    }
}
