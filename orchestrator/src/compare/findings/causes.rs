//! Causes that are problems: a kernel that does not come up, crashes, failing tests, new reports.

use std::collections::BTreeMap;

use super::boots::{Culprit, Judge, Told, records};
use super::names::{self, is_fatal, rates, splat_words, stem};
use super::proof;
use crate::compare::bisect::{Answer, Symptom, answer};
use crate::compare::{NewSplat, collect};
use crate::words::{BootEnd, Change, Crash, Finding, FindingKind, Severity, SplatKind, TestComparison, Verdict};

impl Judge<'_> {
    /// The kernel does not come up.
    pub fn boot_failed(&self) -> Finding {
        let culprit = self.culprit(&Symptom::Boot);
        let seen = self.sides.patched.iter().find(|seen| !matches!(seen.record.end, BootEnd::Infra { .. }));
        let splats = seen.map(|seen| seen.record.splats.as_slice()).unwrap_or_default();
        let fatal = splats.iter().rfind(|splat| is_fatal(splat.kind)).or(splats.last());
        let function = fatal.and_then(|splat| splat.function.clone());
        let place = function.as_ref().map(|function| format!("; it ends in {function}")).unwrap_or_default();
        let says = format!("keeps the kernel from coming up{place}");
        let mut finding = self.finding(FindingKind::BootFailed, Severity::Problem, culprit, &says);
        finding.function = function;
        finding.evidence = seen.map(proof::console).into_iter().collect();
        finding
    }

    /// Fatal reports in tests that take the base down, too: where exactly it dies may differ from time to time.
    pub fn known_deaths(&self) -> Told {
        let base = collect(&records(&self.sides.base));
        let dies = |test: &String| {
            base.get(test)
                .is_some_and(|tries| tries.verdicts.iter().any(|verdict| matches!(verdict, Verdict::Crashed { .. })))
        };
        self.splats
            .iter()
            .filter(|new| is_fatal(new.splat.kind) && !new.tests.is_empty() && new.tests.iter().all(dies))
            .map(|new| new.splat.signature.clone())
            .collect()
    }

    /// Tests under which the machine panicked, hung or reset: one finding per patch and cause.
    pub fn crashes(&self, told: &mut Told) -> Vec<Finding> {
        let mut groups: BTreeMap<(Culprit, Crash, Option<String>), Vec<String>> = BTreeMap::new();
        for comparison in self.worse() {
            let Some(Verdict::Crashed { crash }) = &comparison.patched_verdict else { continue };
            let culprit = self.culprit(&Symptom::Test { test: comparison.test.clone() });
            // Where a machine that hangs is found is a matter of chance.
            let function = match crash {
                Crash::Panic => self.crash_function(&comparison.test),
                Crash::Hang | Crash::Reset => None,
            };
            groups.entry((culprit, *crash, function)).or_default().push(comparison.test.clone());
        }
        let mut findings = Vec::new();
        for ((culprit, crash, function), tests) in groups {
            let (kind, what) = match crash {
                Crash::Panic => (FindingKind::Panic, "panics the kernel"),
                Crash::Hang => (FindingKind::Hang, "hangs the kernel"),
                Crash::Reset => (FindingKind::Panic, "resets the machine"),
            };
            let function = function.or_else(|| tests.iter().find_map(|test| self.crash_function(test)));
            let place = function.as_ref().map(|function| format!(" in {function}()")).unwrap_or_default();
            let says = format!("{what}{place} during {}", names::tests(&tests));
            let mut finding = self.finding(kind, Severity::Problem, culprit, &says);
            finding.test = tests.first().cloned();
            finding.function = function;
            finding.evidence = self.proof(&tests, &self.sides.patched, told);
            findings.push(finding);
        }
        findings
    }

    /// The function in the report that explains why a test took the machine down: the fatal one, else the first.
    fn crash_function(&self, test: &String) -> Option<String> {
        let tests = std::slice::from_ref(test);
        let fatal = self.splats_in(tests).find(|new| is_fatal(new.splat.kind) && new.splat.function.is_some());
        fatal.or_else(|| self.splats_in(tests).next()).and_then(|new| new.splat.function.clone())
    }

    /// The kernel died while no test ran.
    pub fn death(&self, told: &mut Told) -> Option<Finding> {
        let died = |seen: &&super::Seen| answer(&Symptom::Death, std::slice::from_ref(&seen.record)) == Answer::Bad;
        let seen = self.sides.patched.iter().find(died)?;
        let (kind, what) = match seen.record.end {
            BootEnd::Hung { .. } => (FindingKind::Hang, "hangs the kernel"),
            BootEnd::Reset => (FindingKind::Panic, "resets the machine"),
            BootEnd::Panicked | BootEnd::Completed | BootEnd::Infra { .. } => (FindingKind::Panic, "panics the kernel"),
        };
        let fatal = seen.record.splats.iter().rfind(|splat| is_fatal(splat.kind) && splat.test.is_none());
        told.extend(fatal.map(|splat| splat.signature.clone()));
        let function = fatal.and_then(|splat| splat.function.clone());
        let place = function.as_ref().map(|function| format!(" in {function}()")).unwrap_or_default();
        let culprit = self.culprit(&Symptom::Death);
        let says = format!("{what}{place} while no test runs");
        let mut finding = self.finding(kind, Severity::Problem, culprit, &says);
        finding.function = function;
        finding.evidence = vec![proof::console(seen)];
        Some(finding)
    }

    /// Tests that fail: one finding per patch and test, its variants together.
    pub fn failures(&self, told: &mut Told) -> Vec<Finding> {
        let mut order: Vec<(Culprit, Change, String)> = Vec::new();
        let mut groups: BTreeMap<(Culprit, Change, String), Vec<&TestComparison>> = BTreeMap::new();
        for comparison in self.worse() {
            if matches!(comparison.patched_verdict, Some(Verdict::Crashed { .. })) {
                continue;
            }
            let culprit = self.culprit(&Symptom::Test { test: comparison.test.clone() });
            let key = (culprit, comparison.change, stem(&comparison.test));
            if !groups.contains_key(&key) {
                order.push(key.clone());
            }
            groups.entry(key).or_default().push(comparison);
        }
        let mut findings = Vec::new();
        for key in order {
            let (culprit, change, comparisons) = (key.0, key.1, &groups[&key]);
            let tests: Vec<String> = comparisons.iter().map(|comparison| comparison.test.clone()).collect();
            let (names, rates) = (names::tests(&tests), rates(comparisons[0]));
            let reason = reason(comparisons[0].patched_verdict.as_ref());
            let (kind, says) = if change == Change::NewFail {
                let brings = if comparisons[0].base_verdict.is_none() {
                    "brings a test that fails"
                } else {
                    "makes a test run and fail"
                };
                (FindingKind::NewTestFailed, format!("{brings}: {names}{reason} ({rates})"))
            } else {
                (FindingKind::TestRegressed, format!("makes {names} fail{reason} ({rates})"))
            };
            let mut finding = self.finding(kind, Severity::Problem, culprit, &says);
            finding.test = tests.first().cloned();
            finding.function = self.splats_in(&tests).next().and_then(|new| new.splat.function.clone());
            finding.evidence = self.proof(&tests, &self.sides.patched, told);
            findings.push(finding);
        }
        findings
    }

    /// The base's selftests on the patched kernel, where they were good on the base and the series' own are good, too.
    /// The interface of a test driver may change, so a failure is a notice; a crash is not.
    pub fn old_tests(&self, told: &mut Told) -> Vec<Finding> {
        let old = collect(&records(&self.sides.patched_old_tests));
        let base = collect(&records(&self.sides.base));
        let known: Vec<&str> = self.worse().map(|comparison| comparison.test.as_str()).collect();
        let mut groups: BTreeMap<(FindingKind, Severity), Vec<String>> = BTreeMap::new();
        for (test, tries) in &old {
            let was_good = base.get(test).is_some_and(|tries| tries.rate().tries > 0 && tries.rate().bad == 0);
            if !was_good || known.contains(&test.as_str()) {
                continue;
            }
            let group = match tries.representative() {
                Some(Verdict::Crashed { crash: Crash::Panic | Crash::Reset }) => {
                    (FindingKind::Panic, Severity::Problem)
                }
                Some(Verdict::Crashed { crash: Crash::Hang }) => (FindingKind::Hang, Severity::Problem),
                Some(Verdict::Fail { .. } | Verdict::Timeout) => (FindingKind::TestRegressed, Severity::Notice),
                Some(Verdict::Pass | Verdict::Skip { .. } | Verdict::Xfail | Verdict::Infra { .. }) | None => continue,
            };
            groups.entry(group).or_default().push(test.clone());
        }
        let nobody = Culprit { patch: (self.frame.total() == 1).then_some(1), ..Culprit::NOBODY };
        let mut findings = Vec::new();
        for ((kind, severity), tests) in groups {
            let what = match severity {
                Severity::Problem => "take the machine down",
                Severity::Notice => "fail",
            };
            let says = format!("makes {} {what} with the base's selftests", names::tests(&tests));
            let mut finding = self.finding(kind, severity, nobody, &says);
            finding.test = tests.first().cloned();
            finding.function = tests.iter().find_map(|test| self.crash_function(test));
            finding.evidence = self.proof(&tests, &self.sides.patched_old_tests, told);
            findings.push(finding);
        }
        findings
    }

    /// Reports that belong to no finding yet, one finding per signature.
    pub fn new_splats(&self, told: &Told) -> Vec<Finding> {
        self.splats.iter().filter(|new| !told.contains(&new.splat.signature)).map(|new| self.new_splat(new)).collect()
    }

    fn new_splat(&self, new: &NewSplat) -> Finding {
        let splat = &new.splat;
        let culprit = self.culprit(&Symptom::Splat { signature: splat.signature.clone() });
        let place = match new.tests.as_slice() {
            [] => "while no test runs".to_owned(),
            tests => format!("during {}", names::tests(tests)),
        };
        let function = splat.function.as_ref().map(|function| format!(" in {function}()")).unwrap_or_default();
        let seen = format!("{} of {} boots", new.boots, new.of);
        let words = splat_words(splat.kind);
        let says = format!("makes the kernel report {words}{function} {place} ({seen})");
        // A busy host can look like a lockup once.
        let slow = matches!(splat.kind, SplatKind::Lockup | SplatKind::HungTask) && new.boots < 2;
        let severity = if slow { Severity::Notice } else { Severity::Problem };
        let killed = matches!(splat.kind, SplatKind::Oops | SplatKind::Bug | SplatKind::Panic)
            && self.boots.get(new.boot).is_some_and(|seen| seen.record.end == BootEnd::Panicked);
        let kind = if killed { FindingKind::Panic } else { FindingKind::NewSplat };
        let mut finding = self.finding(kind, severity, culprit, &says);
        finding.function.clone_from(&splat.function);
        finding.test = new.tests.first().cloned();
        finding.evidence = vec![proof::splat(new, &self.boots)];
        finding
    }
}

/// `: Expected ret (-14) == 0 (0)`
fn reason(verdict: Option<&Verdict>) -> String {
    match verdict {
        Some(Verdict::Fail { reason }) => format!(": {reason}"),
        Some(Verdict::Timeout) => ": it runs out of its time".to_owned(),
        Some(
            Verdict::Pass | Verdict::Skip { .. } | Verdict::Xfail | Verdict::Crashed { .. } | Verdict::Infra { .. },
        )
        | None => String::new(),
    }
}
