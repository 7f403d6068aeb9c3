//! What a person should look at, but what does not fail a run: missing tests, things that fail only sometimes.

use std::collections::BTreeMap;

use super::boots::{Culprit, Judge};
use super::{names, proof};
use crate::compare::NewSplat;
use crate::compare::bisect::Symptom;
use crate::words::{BootEnd, Change, Finding, FindingKind, Severity, TestComparison, Verdict};

impl Judge<'_> {
    /// Tests that the base runs and that are gone, or skipped, with the series; one finding per patch.
    pub fn missing(&self) -> Vec<Finding> {
        let mut groups: BTreeMap<(Culprit, bool), Vec<&TestComparison>> = BTreeMap::new();
        for comparison in self.sides.comparisons {
            let gone = match comparison.change {
                Change::Vanished => true,
                Change::NotCovered if comparison.base.tries > 0 => false,
                Change::NotCovered
                | Change::Regressed
                | Change::NewFail
                | Change::Flaky
                | Change::Unknown
                | Change::StillFailing
                | Change::Fixed
                | Change::NewPass
                | Change::StillPassing => continue,
            };
            let culprit = self.culprit(&Symptom::Missing { test: comparison.test.clone() });
            groups.entry((culprit, gone)).or_default().push(comparison);
        }
        let finding = |((culprit, gone), comparisons): ((Culprit, bool), Vec<&TestComparison>)| {
            let tests: Vec<String> = comparisons.iter().map(|comparison| comparison.test.clone()).collect();
            let names = names::tests(&tests);
            let says = if gone {
                format!("removes {names}")
            } else {
                let reason = match &comparisons[0].patched_verdict {
                    Some(Verdict::Skip { reason }) => format!(": {reason}"),
                    Some(_) | None => String::new(),
                };
                format!("makes {names} skip, which the base runs{reason}")
            };
            let mut finding = self.finding(FindingKind::TestVanished, Severity::Notice, culprit, &says);
            finding.test = tests.first().cloned();
            let unit = self.sides.patched.first().map(|seen| seen.unit.as_str()).unwrap_or_default();
            let source = format!("units/{unit}/results.jsonl");
            finding.evidence = vec![proof::evidence("tests that the base runs", source, &tests.join("\n"))];
            finding
        };
        groups.into_iter().map(finding).collect()
    }

    /// Tests that fail sometimes with the series and never without, but too rarely to tell the sides apart. What the
    /// base does sometimes, too, blames nobody; a test with a new kernel report is told with that.
    pub fn flaky_tests(&self) -> Vec<Finding> {
        let suspicious = |comparison: &&TestComparison| {
            comparison.change == Change::Flaky
                && comparison.patched.bad > 0
                && comparison.base.bad == 0
                && self.splats_in(std::slice::from_ref(&comparison.test)).next().is_none()
        };
        let finding = |comparison: &TestComparison| {
            let tests = [comparison.test.clone()];
            let (name, rates) = (names::tests(&tests), names::rates(comparison));
            let note = comparison.note.as_ref().map(|note| format!("; {note}")).unwrap_or_default();
            let says = if comparison.base.tries == 0 {
                format!("brings {name}, which fails only sometimes ({rates})")
            } else {
                format!("may make {name} fail sometimes ({rates}{note})")
            };
            let mut finding = self.finding(FindingKind::FlakyTest, Severity::Notice, Culprit::NOBODY, &says);
            finding.test = Some(comparison.test.clone());
            let output = self.sides.patched.iter().find_map(|seen| proof::output(seen, &comparison.test));
            finding.evidence = output.into_iter().collect();
            finding
        };
        self.sides.comparisons.iter().filter(suspicious).map(finding).collect()
    }

    /// A kernel that comes up only sometimes, while the base always does.
    pub fn flaky_boots(&self) -> Option<Finding> {
        let counted = |seen: &&super::Seen| !matches!(seen.record.end, BootEnd::Infra { .. });
        let silent = |seen: &&super::Seen| seen.record.uname.is_empty();
        let base: Vec<_> = self.sides.base.iter().filter(counted).collect();
        let patched: Vec<_> = self.sides.patched.iter().filter(counted).collect();
        let down: Vec<_> = patched.iter().filter(|seen| silent(seen)).collect();
        let first = down.first()?;
        // A report that the base does not make is told by itself.
        let reported = |new: &NewSplat| {
            down.iter().any(|seen| seen.record.splats.iter().any(|s| s.signature == new.splat.signature))
        };
        if base.is_empty() || base.iter().any(silent) || self.splats.iter().any(reported) {
            return None;
        }
        let says = format!(
            "may keep the kernel from coming up: {} of {} boots, 0 of {} without",
            down.len(),
            patched.len(),
            base.len()
        );
        let mut finding = self.finding(FindingKind::BootFailed, Severity::Notice, Culprit::NOBODY, &says);
        finding.evidence = vec![proof::console(first)];
        Some(finding)
    }
}
