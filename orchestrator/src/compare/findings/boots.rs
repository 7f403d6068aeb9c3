//! Findings about the boots of one kconfig: what is looked at, in which order.

use std::collections::{BTreeMap, BTreeSet};

use super::{Frame, proof};
use crate::compare::bisect::{Answer, Symptom, answer};
use crate::compare::{NewSplat, new_splats};
use crate::words::{BootRecord, Change, Evidence, Finding, FindingKind, Severity, TestComparison};

/// A boot and its unit, under which its logs lie in the run's folder.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The record.
    pub record: BootRecord,
    /// Unit.
    pub unit: String,
    /// The end of the console log, for boots that died without a report.
    pub tail: String,
}

/// The patch that brought a symptom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlamedRevision {
    /// First patch known to show it.
    pub patch: usize,
    /// First patch that may be the one.
    pub earliest: usize,
    /// Whether the answers tell one culprit.
    pub confident: bool,
}

/// Everything that the boots of one kconfig gave.
#[derive(Debug, Clone)]
pub struct BootSides<'a> {
    /// Kconfig.
    pub kconfig: &'a str,
    /// Machine.
    pub machine: &'a str,
    /// Base kernel with base selftests.
    pub base: Vec<Seen>,
    /// Patched kernel with patched selftests.
    pub patched: Vec<Seen>,
    /// Patched kernel with the base's selftests.
    pub patched_old_tests: Vec<Seen>,
    /// Each test, base against patched.
    pub comparisons: &'a [TestComparison],
    /// Who brought what.
    pub blame: BTreeMap<Symptom, BlamedRevision>,
}

/// Findings of one kconfig, by the rules of [the module](super). Evidence is bounded; what reproduces a finding is left
/// for the caller to fill in.
pub fn boot_findings(frame: &Frame<'_>, sides: &BootSides<'_>) -> Vec<Finding> {
    let base = records(&sides.base);
    let patched = records(&sides.patched);
    let boots: Vec<&Seen> = sides.patched.iter().chain(&sides.patched_old_tests).collect();
    let all: Vec<BootRecord> = boots.iter().map(|seen| seen.record.clone()).collect();
    let judge = Judge { frame, sides, splats: new_splats(&base, &all), boots };
    let shows = |symptom: &Symptom| answer(symptom, &patched) == Answer::Bad && answer(symptom, &base) == Answer::Good;
    let mut findings = Vec::new();
    if shows(&Symptom::Boot) {
        findings.push(judge.boot_failed());
    } else {
        let mut told = judge.known_deaths();
        findings.extend(judge.crashes(&mut told));
        if shows(&Symptom::Death) {
            findings.extend(judge.death(&mut told));
        }
        findings.extend(judge.failures(&mut told));
        findings.extend(judge.old_tests(&mut told));
        findings.extend(judge.new_splats(&told));
        findings.extend(judge.missing());
        findings.extend(judge.flaky_tests());
        findings.extend(judge.flaky_boots());
    }
    for finding in &mut findings {
        finding.kconfig = Some(sides.kconfig.to_owned());
        finding.machine = Some(sides.machine.to_owned());
    }
    findings
}

pub(super) fn records(seen: &[Seen]) -> Vec<BootRecord> {
    seen.iter().map(|seen| seen.record.clone()).collect()
}

/// Signatures of reports that a finding tells already.
pub(super) type Told = BTreeSet<String>;

/// Which patch, and how certain that is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Culprit {
    pub patch: Option<usize>,
    pub earliest: usize,
    pub confident: bool,
}

impl Culprit {
    /// No patch was looked for.
    pub const NOBODY: Culprit = Culprit { patch: None, earliest: 0, confident: true };
}

/// The boots of one kconfig, while they are judged.
pub(super) struct Judge<'a> {
    pub frame: &'a Frame<'a>,
    pub sides: &'a BootSides<'a>,
    /// Reports that the base does not make.
    pub splats: Vec<NewSplat>,
    /// The boots that [`NewSplat::boot`] counts.
    pub boots: Vec<&'a Seen>,
}

impl Judge<'_> {
    pub fn culprit(&self, symptom: &Symptom) -> Culprit {
        match self.sides.blame.get(symptom) {
            Some(blame) => Culprit { patch: Some(blame.patch), earliest: blame.earliest, confident: blame.confident },
            // With one patch there is nobody else.
            None if self.frame.total() == 1 => Culprit { patch: Some(1), earliest: 1, confident: true },
            None => Culprit { patch: None, earliest: 0, confident: false },
        }
    }

    /// A finding that says what a patch does.
    pub fn finding(&self, kind: FindingKind, severity: Severity, culprit: Culprit, says: &str) -> Finding {
        let doubt = match culprit.patch {
            Some(patch) if culprit.earliest < patch => {
                format!("; it may be any of patches {} to {patch}, which cannot be told apart", culprit.earliest)
            }
            Some(_) if !culprit.confident => "; a later patch is good again, so others have a part in it".to_owned(),
            None if !culprit.confident => "; which patch could not be found out".to_owned(),
            Some(_) | None => String::new(),
        };
        let summary = format!("{} {says}{doubt}", self.frame.name(culprit.patch));
        self.frame.finding(kind, severity, culprit.patch, summary)
    }

    /// Comparisons for the worse.
    pub fn worse(&self) -> impl Iterator<Item = &TestComparison> {
        self.sides.comparisons.iter().filter(|comparison| match comparison.change {
            Change::Regressed | Change::NewFail => true,
            Change::Vanished
            | Change::Flaky
            | Change::Unknown
            | Change::StillFailing
            | Change::NotCovered
            | Change::Fixed
            | Change::NewPass
            | Change::StillPassing => false,
        })
    }

    /// New reports that came in one of these tests.
    pub fn splats_in<'b>(&'b self, tests: &'b [String]) -> impl Iterator<Item = &'b NewSplat> {
        self.splats.iter().filter(|new| new.tests.iter().any(|test| tests.contains(test)))
    }

    /// What proves that tests are bad: the kernel's reports in them, which are told with this, and their output; the
    /// console when there is neither.
    pub fn proof(&self, tests: &[String], boots: &[Seen], told: &mut Told) -> Vec<Evidence> {
        let mut proof = Vec::new();
        for new in self.splats_in(tests) {
            told.insert(new.splat.signature.clone());
            if proof.len() < 2 {
                proof.push(proof::splat(new, &self.boots));
            }
        }
        let output = tests.iter().find_map(|test| boots.iter().find_map(|seen| proof::output(seen, test)));
        proof.extend(output);
        if proof.is_empty() {
            let died = boots.iter().find(|seen| {
                seen.record.tests.iter().any(|record| tests.contains(&record.test) && proof::is_bad(&record.verdict))
            });
            proof.extend(died.map(proof::console));
        }
        proof
    }
}
