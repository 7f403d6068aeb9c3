//! The lines that prove a finding.

use super::boots::Seen;
use super::names::is_fatal;
use crate::compare::NewSplat;
use crate::words::{Evidence, Verdict};

/// Lines of evidence quoted from one place: about a screen.
const LINES: usize = 30;
/// Longest line quoted, in characters.
const COLUMNS: usize = 240;

/// Evidence bounded to a screen.
pub(super) fn evidence(what: impl Into<String>, source: String, text: &str) -> Evidence {
    let count = text.lines().count();
    let mut lines: Vec<String> = text.lines().take(LINES).map(|line| line.chars().take(COLUMNS).collect()).collect();
    if count > LINES {
        lines.push(format!("[{} more lines]", count - LINES));
    }
    Evidence { what: what.into(), source, text: lines.join("\n") }
}

/// A report and where it lies; `boots` are those that [`NewSplat::boot`] counts.
pub(super) fn splat(new: &NewSplat, boots: &[&Seen]) -> Evidence {
    let unit = boots.get(new.boot).map(|seen| seen.unit.as_str()).unwrap_or_default();
    evidence("console", format!("units/{unit}/console.log:{}", new.splat.line), &new.splat.text)
}

/// What a bad try of a test printed in a boot; the end of it, where the result is.
pub(super) fn output(seen: &Seen, test: &str) -> Option<Evidence> {
    let record = seen.record.tests.iter().find(|record| record.test == test && is_bad(&record.verdict))?;
    let lines: Vec<&str> = record.output.trim().lines().collect();
    let text = lines[lines.len().saturating_sub(LINES)..].join("\n");
    let what = format!("output of {test}");
    (!text.is_empty()).then(|| evidence(what, format!("units/{}/results.jsonl", seen.unit), &text))
}

/// The console of a boot that died: its fatal report, else its last, else its last lines.
pub(super) fn console(seen: &Seen) -> Evidence {
    let splats = &seen.record.splats;
    match splats.iter().rfind(|splat| is_fatal(splat.kind)).or(splats.last()) {
        Some(splat) => evidence("console", format!("units/{}/console.log:{}", seen.unit, splat.line), &splat.text),
        None => evidence("end of the console", format!("units/{}/console.log", seen.unit), &seen.tail),
    }
}

pub(super) fn is_bad(verdict: &Verdict) -> bool {
    match verdict {
        Verdict::Fail { .. } | Verdict::Timeout | Verdict::Crashed { .. } => true,
        Verdict::Pass | Verdict::Skip { .. } | Verdict::Xfail | Verdict::Infra { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::testing::{boot, fail};

    #[test]
    fn a_screen_is_quoted_whole() {
        let text = |lines: usize| evidence("x", String::new(), &"line\n".repeat(lines)).text;
        assert_eq!(text(LINES).lines().count(), LINES);
        assert!(!text(LINES).contains("more lines"));
        assert!(text(LINES + 1).ends_with("[1 more lines]"));
    }

    #[test]
    fn the_output_is_that_of_the_try_that_was_bad() {
        let mut record = boot(6).test("hmm.a", Verdict::Pass).test("hmm.a", fail()).test("hmm.b", fail()).done();
        for (test, output) in record.tests.iter_mut().zip(["good", "bad", "other"]) {
            test.output = output.into();
        }
        let seen = Seen { record, unit: "u".into(), tail: String::new() };
        assert_eq!(output(&seen, "hmm.a").unwrap().text, "bad");
        assert_eq!(output(&seen, "hmm.c"), None);
    }
}
