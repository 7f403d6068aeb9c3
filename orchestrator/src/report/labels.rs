//! The words and marks of a report, the same in every rendering. Nothing is told by colour alone: every tone comes
//! with a mark and a word.

use serde::Serialize;

use super::model::{BootRow, BuildCell, RunVerdict};
use crate::words::{
    BootEnd, BuildOutcome, Change, Clock, Crash, MetricChange, Part, PatchFate, Rate, Severity, UnitKind, Verdict,
};

/// What a colour means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Went well.
    Good,
    /// Speaks against the series.
    Bad,
    /// To be looked at: infrastructure, flaky, new on the base.
    Warn,
    /// Of less weight.
    Dim,
}

/// A mark, a word and a tone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// One character.
    pub mark: &'static str,
    /// The word.
    pub word: String,
    /// What it means.
    pub tone: Tone,
}

impl Label {
    /// Mark and word; a word that begins with the mark as it is.
    pub fn marked(&self) -> String {
        if self.word.starts_with(self.mark) { self.word.clone() } else { format!("{} {}", self.mark, self.word) }
    }

    fn new(mark: &'static str, word: impl Into<String>, tone: Tone) -> Label {
        Label { mark, word: word.into(), tone }
    }
}

/// The word of a unit variant as files have it: `test-regressed`, `REGRESSED`.
pub fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        other => unreachable!("only for enums without data, not {other:?}"),
    }
}

/// The verdict of the run.
pub fn run(verdict: RunVerdict) -> Label {
    match verdict {
        RunVerdict::Clean => Label::new("✓", "CLEAN", Tone::Good),
        RunVerdict::Findings => Label::new("✗", "FINDINGS", Tone::Bad),
        RunVerdict::Infra => Label::new("!", "INFRA", Tone::Warn),
        RunVerdict::Interrupted => Label::new("◦", "INTERRUPTED", Tone::Warn),
    }
}

/// What became of a patch since an earlier version.
pub fn fate(fate: PatchFate) -> Label {
    match fate {
        PatchFate::Unchanged => Label::new("=", "unchanged", Tone::Dim),
        PatchFate::Changed => Label::new("≠", "changed", Tone::Warn),
        PatchFate::New => Label::new("+", "new", Tone::Warn),
        PatchFate::Dropped => Label::new("∅", "dropped", Tone::Warn),
    }
}

/// A finding that the earlier run does not have.
pub fn since_new() -> Label {
    Label::new("✗", "NEW", Tone::Bad)
}

/// A finding of both runs.
pub fn since_open() -> Label {
    Label::new("=", "OPEN", Tone::Warn)
}

/// A finding of the earlier run that is gone.
pub fn since_fixed() -> Label {
    Label::new("✓", "FIXED", Tone::Good)
}

/// A finding of the earlier run of which this run cannot say whether it is gone.
pub fn since_unanswered() -> Label {
    Label::new("?", "NO-ANSWER", Tone::Warn)
}

/// The weight of a finding.
pub fn severity(severity: Severity) -> Label {
    match severity {
        Severity::Problem => Label::new("✗", "PROBLEM", Tone::Bad),
        Severity::Notice => Label::new("~", "NOTICE", Tone::Warn),
    }
}

/// What base and patched say together.
pub fn change(change: Change) -> Label {
    let (mark, tone) = match change {
        Change::Regressed | Change::NewFail => ("✗", Tone::Bad),
        Change::Vanished => ("∅", Tone::Bad),
        Change::Flaky => ("~", Tone::Warn),
        Change::Unknown => ("?", Tone::Warn),
        Change::StillFailing => ("=", Tone::Dim),
        Change::NotCovered => ("–", Tone::Dim),
        Change::Fixed => ("✓", Tone::Good),
        Change::NewPass => ("+", Tone::Good),
        Change::StillPassing => ("✓", Tone::Dim),
    };
    Label::new(mark, word(&change), tone)
}

/// One line that says what a change means, for legends.
pub fn change_meaning(change: Change) -> &'static str {
    match change {
        Change::Regressed => "good on the base, bad with the series",
        Change::NewFail => "new with the series, and bad",
        Change::Vanished => "in the base's list of tests, not in the series'",
        Change::Flaky => "bad only sometimes",
        Change::Unknown => "no answer from a side, through no fault of the series",
        Change::StillFailing => "bad on both; blames nobody",
        Change::NotCovered => "skipped on a side",
        Change::Fixed => "bad on the base, good with the series",
        Change::NewPass => "new with the series, and good",
        Change::StillPassing => "good on both",
    }
}

/// What two sides of a metric say together.
pub fn metric_change(change: MetricChange) -> Label {
    match change {
        MetricChange::Regressed => Label::new("✗", "REGRESSED", Tone::Bad),
        MetricChange::Improved => Label::new("✓", "IMPROVED", Tone::Good),
        MetricChange::Unchanged => Label::new("=", "UNCHANGED", Tone::Dim),
        MetricChange::New => Label::new("+", "NEW", Tone::Dim),
        MetricChange::Vanished => Label::new("∅", "VANISHED", Tone::Warn),
        MetricChange::NotEnoughData => Label::new("?", "NOT-ENOUGH-DATA", Tone::Warn),
    }
}

/// What a clock measures, as it stands before the numbers.
pub fn clock(clock: Clock) -> &'static str {
    match clock {
        Clock::Instructions => "instruction clock",
        Clock::Wall => "wall clock",
    }
}

/// What a clock does not see, one sentence.
pub fn blind(clock: Clock) -> &'static str {
    match clock {
        Clock::Instructions => {
            "Executed instructions are counted: caches, TLB and contention between CPUs are not seen."
        }
        Clock::Wall => "Elapsed time of this machine and no other; what else ran on it is in the numbers.",
    }
}

/// What belongs behind the name of a metric of which only a part is looked at.
pub fn part(part: Part) -> &'static str {
    match part {
        Part::Whole => "",
        Part::WithoutCopy => " without copies",
    }
}

/// A cell of the build grid; at most six characters.
pub fn build(cell: &BuildCell) -> Label {
    match (&cell.outcome, cell.new_diagnostics, &cell.identical_to) {
        (BuildOutcome::Built, 0, None) => Label::new("✓", "ok", Tone::Good),
        (BuildOutcome::Built, 0, Some(same)) => Label::new("=", format!("= {}", short_revision(same)), Tone::Good),
        (BuildOutcome::Built, new, _) => Label::new("▲", format!("ok +{new}"), Tone::Bad),
        (BuildOutcome::Failed { .. }, ..) => Label::new("✗", "FAIL", Tone::Bad),
        (BuildOutcome::SelftestsFailed { .. }, ..) => Label::new("✗", "SFAIL", Tone::Bad),
        (BuildOutcome::Infra { .. }, ..) => Label::new("!", "INFRA", Tone::Warn),
        (BuildOutcome::NotRun { .. }, ..) => Label::new("-", "-", Tone::Dim),
    }
}

/// One line that says what a cell's word means, for legends.
pub fn build_meaning(cell: &BuildCell) -> (&'static str, &'static str) {
    match (&cell.outcome, cell.new_diagnostics, &cell.identical_to) {
        (BuildOutcome::Built, 0, None) => ("ok", "built, no new diagnostic"),
        (BuildOutcome::Built, 0, Some(_)) => ("= REV", "built; image identical to that of REV, bit for bit"),
        (BuildOutcome::Built, ..) => ("ok +N", "built, N diagnostics that the revision before does not have"),
        (BuildOutcome::Failed { .. }, ..) => ("FAIL", "does not configure, compile or link"),
        (BuildOutcome::SelftestsFailed { .. }, ..) => ("SFAIL", "kernel built, its selftests do not build"),
        (BuildOutcome::Infra { .. }, ..) => ("INFRA", "trouble of the host, says nothing about the series"),
        (BuildOutcome::NotRun { .. }, ..) => ("-", "not run"),
    }
}

/// Why a build has no good outcome.
pub fn build_reason(cell: &BuildCell) -> Option<&str> {
    match &cell.outcome {
        BuildOutcome::Built => None,
        BuildOutcome::Failed { reason }
        | BuildOutcome::SelftestsFailed { reason }
        | BuildOutcome::Infra { reason }
        | BuildOutcome::NotRun { reason } => Some(reason),
    }
}

/// `patch 4/6` as `p4`; anything else as it is.
pub fn short_revision(text: &str) -> String {
    match text.strip_prefix("patch ").and_then(|rest| rest.split_once('/')) {
        Some((number, _)) => format!("p{number}"),
        None => text.to_owned(),
    }
}

/// How a boot ended.
pub fn boot(row: &BootRow) -> Label {
    match &row.end {
        None => Label::new("=", "not booted", Tone::Dim),
        Some(BootEnd::Completed) => Label::new("✓", "completed", Tone::Good),
        Some(BootEnd::Panicked) => Label::new("✗", "PANIC", Tone::Bad),
        Some(BootEnd::Hung { deadline }) => Label::new("✗", format!("HUNG ({deadline} deadline)"), Tone::Bad),
        Some(BootEnd::Reset) => Label::new("✗", "RESET", Tone::Bad),
        Some(BootEnd::Infra { .. }) => Label::new("!", "INFRA", Tone::Warn),
    }
}

/// Why a boot has no good end.
pub fn boot_reason(row: &BootRow) -> Option<&str> {
    match &row.end {
        None => row.not_booted.as_deref(),
        Some(BootEnd::Infra { reason }) => Some(reason),
        Some(BootEnd::Completed | BootEnd::Panicked | BootEnd::Hung { .. } | BootEnd::Reset) => None,
    }
}

/// What a test did on one side, in a word, with its rate when it was tried more than once: `fail 5/5`.
pub fn side(verdict: Option<&Verdict>, rate: Rate) -> String {
    let word = match verdict {
        None => "absent",
        Some(Verdict::Pass) => "pass",
        Some(Verdict::Fail { .. }) => "fail",
        Some(Verdict::Timeout) => "timeout",
        Some(Verdict::Skip { .. }) => "skip",
        Some(Verdict::Xfail) => "xfail",
        Some(Verdict::Crashed { crash: Crash::Panic }) => "panic",
        Some(Verdict::Crashed { crash: Crash::Hang }) => "hang",
        Some(Verdict::Crashed { crash: Crash::Reset }) => "reset",
        Some(Verdict::Infra { .. }) => "infra",
    };
    if rate.tries > 1 { format!("{word}, {}/{} bad", rate.bad, rate.tries) } else { word.to_owned() }
}

/// A verdict's own words.
pub fn verdict_reason(verdict: Option<&Verdict>) -> Option<&str> {
    match verdict? {
        Verdict::Fail { reason } | Verdict::Skip { reason } | Verdict::Infra { reason } => Some(reason),
        Verdict::Pass | Verdict::Timeout | Verdict::Xfail | Verdict::Crashed { .. } => None,
    }
}

/// What the units of a kind do.
pub fn stage(kind: UnitKind) -> &'static str {
    match kind {
        UnitKind::Fetch => "fetch trees",
        UnitKind::Apply => "apply patches",
        UnitKind::Build => "build",
        UnitKind::Boot => "boot and test",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixtures;

    #[test]
    fn words_are_those_of_the_file() {
        assert_eq!(word(&Change::StillPassing), "STILL-PASSING");
        assert_eq!(word(&crate::words::FindingKind::BisectBroken), "bisect-broken");
    }

    #[test]
    fn build_words_fit_their_column_and_have_a_meaning() {
        for cell in &fixtures::findings().builds {
            let label = build(cell);
            assert!(crate::term::text::width(&label.word) <= 6, "{}", label.word);
            let (word, _) = build_meaning(cell);
            assert_eq!(word.split(' ').count(), label.word.split(' ').count());
        }
    }

    #[test]
    fn sides_tell_rates_only_when_there_is_one() {
        let rate = |bad, tries| Rate { bad, tries };
        let fail = Verdict::Fail { reason: "x".into() };
        assert_eq!(side(None, rate(0, 0)), "absent");
        assert_eq!(side(Some(&Verdict::Pass), rate(0, 1)), "pass");
        assert_eq!(side(Some(&fail), rate(5, 5)), "fail, 5/5 bad");
        assert_eq!(side(Some(&Verdict::Crashed { crash: Crash::Hang }), rate(1, 1)), "hang");
        assert_eq!(verdict_reason(Some(&fail)), Some("x"));
    }
}
