//! Findings of two runs: fixed, still open, new, not looked at again.

use super::identity::{Identity, identity};
use crate::words::{ComparedFinding, Finding, FindingChanges, PatchPair};

/// How alike two findings have to be, from the strictest on.
#[derive(Debug, Clone, Copy)]
enum Likeness {
    Same,
    /// The same under another kconfig: a finding names only the first of several.
    OtherKconfig,
    /// The same test, metric or diagnostic, blamed on another patch.
    OtherPatch,
}

impl Likeness {
    fn holds(self, one: &Identity, other: &Identity) -> bool {
        let about = one.kind == other.kind && one.tree == other.tree && one.what == other.what;
        let kconfig = one.kconfig == other.kconfig;
        let subject = one.subject == other.subject;
        about
            && match self {
                Likeness::Same => kconfig && subject,
                Likeness::OtherKconfig => subject,
                Likeness::OtherPatch => kconfig && !one.what.is_empty(),
            }
    }

    fn remark(self, earlier: &Finding) -> Option<String> {
        let patch = earlier.patch.as_ref();
        match self {
            Likeness::Same => None,
            Likeness::OtherKconfig => {
                Some(format!("seen with kconfig {} before", earlier.kconfig.as_deref().unwrap_or("none")))
            }
            Likeness::OtherPatch => {
                Some(format!("blamed on {} before", patch.map_or("no patch", |patch| patch.subject.as_str())))
            }
        }
    }
}

/// Compares the findings of an earlier run with those of a later one.
///
/// `patches` says which patch of the later version is which of the earlier. `answered_now` says whether the later run
/// has an answer for what an earlier finding is about; without one it is never called fixed. `answered_before` says so
/// for the earlier run and a later finding.
pub fn compare_findings(
    earlier: &[Finding],
    later: &[Finding],
    patches: &[PatchPair],
    answered_now: impl Fn(&Finding) -> bool,
    answered_before: impl Fn(&Finding) -> bool,
) -> FindingChanges {
    let renamed = |subject: &str| {
        let pair = patches.iter().find(|pair| pair.earlier_subject.as_deref() == Some(subject));
        pair.map_or_else(|| subject.to_owned(), |pair| pair.subject.clone())
    };
    let old: Vec<Identity> = earlier.iter().map(|finding| identity(finding, &renamed)).collect();
    let new: Vec<Identity> = later.iter().map(|finding| identity(finding, &str::to_owned)).collect();
    let mut partner: Vec<Option<(usize, Likeness)>> = vec![None; later.len()];
    let mut taken = vec![false; earlier.len()];
    for likeness in [Likeness::Same, Likeness::OtherKconfig, Likeness::OtherPatch] {
        for (partner, identity) in partner.iter_mut().zip(&new).filter(|(partner, _)| partner.is_none()) {
            let free = (0..earlier.len()).find(|index| !taken[*index] && likeness.holds(&old[*index], identity));
            if let Some(index) = free {
                taken[index] = true;
                *partner = Some((index, likeness));
            }
        }
    }
    let mut changes = FindingChanges::default();
    for (at, finding) in later.iter().enumerate() {
        match partner[at] {
            Some((index, likeness)) => {
                changes.open.push(compared(at, finding, likeness.remark(&earlier[index])));
            }
            None => {
                let unseen = (!answered_before(finding)).then(|| "the earlier run has no answer for this".to_owned());
                changes.new.push(compared(at, finding, unseen));
            }
        }
    }
    for (at, finding) in earlier.iter().enumerate().filter(|(at, _)| !taken[*at]) {
        if answered_now(finding) {
            changes.fixed.push(compared(at, finding, None));
        } else {
            changes.unanswered.push(compared(at, finding, Some("the later run has no answer for this".to_owned())));
        }
    }
    changes
}

fn compared(at: usize, finding: &Finding, remark: Option<String>) -> ComparedFinding {
    ComparedFinding {
        number: at + 1,
        kind: finding.kind,
        severity: finding.severity,
        tree: finding.tree.clone(),
        patch: finding.patch.clone(),
        kconfig: finding.kconfig.clone(),
        summary: finding.summary.clone(),
        remark,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::{BlamedPatch, Evidence, FindingKind, PatchFate, Severity};

    fn finding(kind: FindingKind, patch: (usize, &str), kconfig: &str, what: &str) -> Finding {
        let (number, subject) = patch;
        let diagnostic = matches!(kind, FindingKind::NewWarning | FindingKind::BuildFailed);
        let evidence = vec![Evidence { what: "build log".into(), source: String::new(), text: what.into() }];
        Finding {
            kind,
            severity: Severity::Problem,
            tree: "t".into(),
            revision: format!("patch {number}/9"),
            patch: Some(BlamedPatch { number, total: 9, subject: subject.into() }),
            kconfig: Some(kconfig.into()),
            machine: None,
            test: (!diagnostic && kind != FindingKind::ApplyFailed).then(|| what.to_owned()),
            metric: None,
            function: None,
            summary: format!("{what} ({subject})"),
            evidence: if diagnostic { evidence } else { Vec::new() },
            reproduce: String::new(),
        }
    }

    fn told(list: &[ComparedFinding]) -> Vec<String> {
        let one = |one: &ComparedFinding| {
            let remark = one.remark.as_ref().map(|remark| format!("; {remark}")).unwrap_or_default();
            format!("{} {}{remark}", one.number, one.summary)
        };
        list.iter().map(one).collect()
    }

    const WARNING: FindingKind = FindingKind::NewWarning;
    const TEST: FindingKind = FindingKind::TestRegressed;

    #[test]
    fn fixed_open_new_and_unanswered() {
        let earlier = [
            finding(WARNING, (2, "mm: b"), "hmm", "mm/hmm.c:812:5: warning: unused variable 'ret'"),
            finding(TEST, (4, "mm: d"), "hmm", "hmm.a"),
            finding(TEST, (4, "mm: d"), "debug", "hmm.b"),
            finding(TEST, (4, "mm: d"), "hmm", "hmm.c"),
        ];
        let later = [
            finding(TEST, (6, "mm: f"), "hmm", "hmm.z"),
            finding(WARNING, (3, "mm: b"), "hmm", "mm/hmm.c:901:7: warning: unused variable 'ret'"),
            finding(WARNING, (3, "mm: b"), "hmm", "mm/hmm.c:5: warning: unused variable 'ret2'"),
        ];
        let now = |finding: &Finding| finding.kconfig.as_deref() == Some("hmm");
        let before = |finding: &Finding| finding.test.is_none();
        let changes = compare_findings(&earlier, &later, &[], now, before);
        assert_eq!(told(&changes.open), ["2 mm/hmm.c:901:7: warning: unused variable 'ret' (mm: b)"]);
        assert_eq!(
            told(&changes.new),
            [
                "1 hmm.z (mm: f); the earlier run has no answer for this",
                "3 mm/hmm.c:5: warning: unused variable 'ret2' (mm: b)"
            ]
        );
        assert_eq!(told(&changes.fixed), ["2 hmm.a (mm: d)", "4 hmm.c (mm: d)"]);
        assert_eq!(told(&changes.unanswered), ["3 hmm.b (mm: d); the later run has no answer for this"]);
    }

    /// One finding of each run, and whether they are one: the remark when they are.
    #[test]
    fn the_same_finding_is_recognised_through_what_moves() {
        let warning = |patch, kconfig: &str| finding(WARNING, patch, kconfig, "a.c:1: warning: x");
        let apply = |patch| finding(FindingKind::ApplyFailed, patch, "hmm", "");
        let table: [(&str, Finding, Finding, Option<Option<&str>>); 9] = [
            ("number", warning((1, "a"), "hmm"), warning((7, "a"), "hmm"), Some(None)),
            (
                "kconfig",
                warning((1, "a"), "hmm"),
                warning((1, "a"), "debug"),
                Some(Some("seen with kconfig hmm before")),
            ),
            ("patch", warning((1, "a"), "hmm"), warning((1, "b"), "hmm"), Some(Some("blamed on a before"))),
            ("patch and kconfig", warning((1, "a"), "hmm"), warning((1, "b"), "debug"), None),
            ("renamed patch", warning((1, "old"), "hmm"), warning((1, "new"), "hmm"), Some(None)),
            ("test", finding(TEST, (1, "a"), "hmm", "x"), finding(TEST, (1, "a"), "hmm", "y"), None),
            ("kind", finding(TEST, (1, "a"), "hmm", "x"), finding(FindingKind::Hang, (1, "a"), "hmm", "x"), None),
            ("apply", apply((1, "a")), apply((2, "a")), Some(None)),
            ("apply of another patch", apply((1, "a")), apply((1, "b")), None),
        ];
        let renamed = PatchPair {
            fate: PatchFate::Changed,
            number: Some(1),
            earlier: Some(1),
            subject: "new".into(),
            earlier_subject: Some("old".into()),
        };
        for (name, earlier, later, expected) in table {
            let changes = compare_findings(&[earlier], &[later], std::slice::from_ref(&renamed), |_| true, |_| true);
            let open = changes.open.first().map(|open| open.remark.as_deref());
            assert_eq!(open, expected, "{name}");
            assert_eq!(
                (changes.fixed.len(), changes.new.len()),
                if open.is_some() { (0, 0) } else { (1, 1) },
                "{name}"
            );
        }
    }

    #[test]
    fn two_of_the_same_are_two() {
        let one = || finding(TEST, (1, "a"), "hmm", "x");
        let changes = compare_findings(&[one(), one()], &[one()], &[], |_| true, |_| true);
        assert_eq!((changes.open.len(), changes.fixed.len()), (1, 1));
    }
}
