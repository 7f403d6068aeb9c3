use std::collections::BTreeMap;

use super::{BlamedRevision, BootSides, Frame, Seen, boot_findings};
use crate::compare::bisect::Symptom;
use crate::compare::compare_boots;
use crate::compare::testing::{Boot, boot, fail, frame_series, splat, splat_of};
use crate::words::{BootEnd, BootRecord, Crash, Finding, FindingKind, Severity, SplatKind, Verdict};

const PRIVATE: &str = "hmm.hmm.hmm_device_private.anon_read";
const COHERENT: &str = "hmm.hmm.hmm_device_coherent.anon_read";
const OTHER: &str = "hmm.hmm.hmm_device_private.fault";

fn skip() -> Verdict {
    Verdict::Skip { reason: "no device".into() }
}

fn crashed(crash: Crash) -> Verdict {
    Verdict::Crashed { crash }
}

/// What the boots of one kconfig gave.
#[derive(Default)]
struct Case {
    base: Vec<BootRecord>,
    patched: Vec<BootRecord>,
    old_tests: Vec<BootRecord>,
    blame: BTreeMap<Symptom, BlamedRevision>,
}

impl Case {
    fn base(mut self, boot: Boot) -> Self {
        self.base.push(boot.done());
        self
    }

    fn patched(mut self, boot: Boot) -> Self {
        self.patched.push(boot.done());
        self
    }

    fn old_tests(mut self, boot: Boot) -> Self {
        self.old_tests.push(boot.done());
        self
    }

    fn blame(mut self, symptom: Symptom, patch: usize) -> Self {
        self.blame.insert(symptom, BlamedRevision { patch, earliest: patch, confident: true });
        self
    }

    fn blame_test(self, test: &str, patch: usize) -> Self {
        self.blame(Symptom::Test { test: test.into() }, patch)
    }

    fn findings(&self) -> Vec<Finding> {
        self.findings_of(6)
    }

    /// With so many patches.
    fn findings_of(&self, patches: usize) -> Vec<Finding> {
        let series = frame_series(patches);
        let seen = |boots: &[BootRecord], side: &str| -> Vec<Seen> {
            let one = |(n, record): (usize, &BootRecord)| Seen {
                record: record.clone(),
                unit: format!("boot/{side}/{n}"),
                tail: "the last words".into(),
            };
            boots.iter().enumerate().map(one).collect()
        };
        let comparisons = compare_boots(&self.base, &self.patched);
        let sides = BootSides {
            kconfig: "hmm",
            machine: "qemu-x86_64",
            base: seen(&self.base, "base"),
            patched: seen(&self.patched, "p6"),
            patched_old_tests: seen(&self.old_tests, "p6-old"),
            comparisons: &comparisons,
            blame: self.blame.clone(),
        };
        boot_findings(&Frame { tree: "linux-6.12", series: &series }, &sides)
    }
}

fn brief(findings: &[Finding]) -> Vec<(FindingKind, Severity, Option<usize>, Option<&str>)> {
    findings
        .iter()
        .map(|f| (f.kind, f.severity, f.patch.as_ref().map(|patch| patch.number), f.test.as_deref()))
        .collect()
}

fn all_pass(boot: Boot) -> Boot {
    boot.test(PRIVATE, Verdict::Pass).test(COHERENT, Verdict::Pass).test(OTHER, Verdict::Pass)
}

use FindingKind::*;
use Severity::{Notice, Problem};

#[test]
fn two_equal_sides_give_no_finding() {
    let side =
        |n| boot(n).test(PRIVATE, Verdict::Pass).test(COHERENT, fail()).test(OTHER, skip()).splat(splat("old", None));
    let case = Case::default().base(side(0)).patched(side(6)).old_tests(side(6));
    assert_eq!(case.findings(), []);
}

#[test]
fn a_new_test_that_passes_and_one_that_is_fixed_give_no_finding() {
    let case = Case::default()
        .base(boot(0).test(PRIVATE, fail()))
        .patched(boot(6).test(PRIVATE, Verdict::Pass).test("hmm.hmm.hmm_device_private.new", Verdict::Pass));
    assert_eq!(case.findings(), []);
}

#[test]
fn variants_of_a_failing_test_are_one_finding_with_its_output() {
    let mut case = Case::default().blame_test(PRIVATE, 3).blame_test(COHERENT, 3);
    for _ in 0..3 {
        case = case
            .base(all_pass(boot(0)))
            .patched(boot(6).test(PRIVATE, fail()).test(COHERENT, fail()).test(OTHER, Verdict::Pass));
    }
    let findings = case.findings();
    assert_eq!(brief(&findings), [(TestRegressed, Problem, Some(3), Some(PRIVATE))]);
    assert_eq!(
        findings[0].summary,
        "patch 3/6 \"mm: change 3\" makes hmm.hmm.anon_read (hmm_device_private, hmm_device_coherent) fail: \
         Expected ret (-14) == 0 (0) (fails 3/3 with the series, 0/3 without)"
    );
    assert_eq!(findings[0].evidence[0].source, "units/boot/p6/0/results.jsonl");
    assert_eq!((findings[0].kconfig.as_deref(), findings[0].machine.as_deref()), (Some("hmm"), Some("qemu-x86_64")));
}

#[test]
fn tests_that_fail_through_different_patches_stay_apart() {
    let case = Case::default()
        .base(all_pass(boot(0)))
        .patched(boot(6).test(PRIVATE, fail()).test(COHERENT, fail()).test(OTHER, fail()))
        .blame_test(PRIVATE, 2)
        .blame_test(COHERENT, 4)
        .blame_test(OTHER, 4);
    let numbers: Vec<_> = case.findings().iter().map(|f| f.patch.as_ref().unwrap().number).collect();
    assert_eq!(numbers, [2, 4, 4]);
    assert!(case.findings()[0].summary.contains("not confirmed: 1 try a side only"));
}

#[test]
fn a_report_in_a_failing_test_is_its_proof_and_no_finding_of_its_own() {
    let case = Case::default()
        .base(all_pass(boot(0)))
        .patched(
            boot(6)
                .test(PRIVATE, fail())
                .test(COHERENT, Verdict::Pass)
                .test(OTHER, Verdict::Pass)
                .splat(splat("dmirror_fault", Some(PRIVATE))),
        )
        .blame_test(PRIVATE, 5);
    let findings = case.findings();
    assert_eq!(brief(&findings), [(TestRegressed, Problem, Some(5), Some(PRIVATE))]);
    assert_eq!(findings[0].function.as_deref(), Some("dmirror_fault"));
    assert_eq!(findings[0].evidence[0].source, "units/boot/p6/0/console.log:40");
    assert_eq!(findings[0].evidence.len(), 2);
}

#[test]
fn a_report_in_passing_tests_is_one_finding_that_names_them() {
    let new = splat("dmirror_fault", None);
    let at = |test: &str| splat("dmirror_fault", Some(test));
    let case = Case::default()
        .base(all_pass(boot(0)))
        .patched(all_pass(boot(6)).splat(at(PRIVATE)).splat(at(COHERENT)).splat(at(OTHER)))
        .blame(Symptom::Splat { signature: new.signature }, 4);
    let findings = case.findings();
    assert_eq!(brief(&findings), [(NewSplat, Problem, Some(4), Some(PRIVATE))]);
    assert_eq!(
        findings[0].summary,
        "patch 4/6 \"mm: change 4\" makes the kernel report a warning in dmirror_fault() during hmm.hmm.anon_read \
         (hmm_device_private, hmm_device_coherent) and hmm.hmm.fault (hmm_device_private) (1 of 1 boots)"
    );
}

#[test]
fn a_panic_is_one_finding_with_test_and_function() {
    let dead = |n| {
        boot(n)
            .test(PRIVATE, crashed(Crash::Panic))
            .remaining(COHERENT)
            .splat(splat("noise", Some(PRIVATE)))
            .splat(splat_of(SplatKind::Oops, "dmirror_fault", Some(PRIVATE)))
            .end(BootEnd::Panicked)
    };
    let rest = boot(6).test(COHERENT, Verdict::Pass).test(OTHER, Verdict::Pass);
    let case = Case::default().base(all_pass(boot(0))).patched(dead(6)).patched(rest).blame_test(PRIVATE, 2);
    let findings = case.findings();
    assert_eq!(brief(&findings), [(Panic, Problem, Some(2), Some(PRIVATE))]);
    assert_eq!(findings[0].function.as_deref(), Some("dmirror_fault"));
    assert!(findings[0].summary.contains("panics the kernel in dmirror_fault() during hmm.hmm.anon_read"));
}

#[test]
fn two_tests_that_panic_at_the_same_place_are_one_finding() {
    let dead = |test: &str| {
        boot(6)
            .test(test, crashed(Crash::Panic))
            .splat(splat_of(SplatKind::Panic, "dmirror_fault", Some(test)))
            .end(BootEnd::Panicked)
    };
    let case = Case::default()
        .base(all_pass(boot(0)))
        .patched(dead(PRIVATE))
        .patched(dead(COHERENT))
        .patched(boot(6).test(OTHER, Verdict::Pass))
        .blame_test(PRIVATE, 2)
        .blame_test(COHERENT, 2);
    assert_eq!(brief(&case.findings()), [(Panic, Problem, Some(2), Some(PRIVATE))]);
}

#[test]
fn tests_that_hang_are_one_finding_wherever_they_are_found() {
    let hung = |test: &str, function: &str| {
        boot(6)
            .test(test, crashed(Crash::Hang))
            .splat(splat_of(SplatKind::Lockup, function, Some(test)))
            .end(BootEnd::Hung { deadline: "silence".into() })
    };
    let case = Case::default()
        .base(all_pass(boot(0)))
        .patched(hung(PRIVATE, "dmirror_fault"))
        .patched(hung(COHERENT, "cpu_relax"))
        .patched(boot(6).test(OTHER, Verdict::Pass))
        .blame_test(PRIVATE, 6)
        .blame_test(COHERENT, 6);
    let findings = case.findings();
    assert_eq!(brief(&findings).iter().map(|f| (f.0, f.2)).collect::<Vec<_>>(), [(Hang, Some(6))]);
}

#[test]
fn a_hang_without_a_report_shows_the_end_of_the_console() {
    let case = Case::default().base(all_pass(boot(0))).patched({
        let mut record =
            boot(6).test(OTHER, crashed(Crash::Hang)).end(BootEnd::Hung { deadline: "silence".into() }).done();
        record.tests[0].output.clear();
        record.remaining = vec![PRIVATE.into(), COHERENT.into()];
        Boot::of(record)
    });
    assert_eq!(case.findings()[0].evidence[0].text, "the last words");
}

#[test]
fn a_kernel_that_never_comes_up_is_one_finding() {
    let case = Case::default()
        .base(all_pass(boot(0)))
        .patched(boot(6).silent().splat(splat_of(SplatKind::Panic, "start_kernel", None)).end(BootEnd::Panicked))
        .patched(boot(6).silent().end(BootEnd::Panicked))
        .blame(Symptom::Boot, 1);
    let findings = case.findings();
    assert_eq!(brief(&findings), [(BootFailed, Problem, Some(1), None)]);
    assert_eq!(findings[0].function.as_deref(), Some("start_kernel"));
    let base_too =
        Case::default().base(boot(0).silent().end(BootEnd::Panicked)).patched(boot(6).silent().end(BootEnd::Panicked));
    assert_eq!(base_too.findings(), [], "the base's own trouble blames nobody");
    let ours = Case::default().base(all_pass(boot(0))).patched(boot(6).silent().infra("QEMU is missing"));
    assert_eq!(ours.findings(), []);
}

#[test]
fn a_summary_says_how_sure_the_blame_is() {
    let case = |blame: Option<(usize, usize, bool)>| {
        let mut case = Case::default().base(all_pass(boot(0))).patched(boot(6).silent().end(BootEnd::Panicked));
        if let Some((patch, earliest, confident)) = blame {
            case.blame.insert(Symptom::Boot, BlamedRevision { patch, earliest, confident });
        }
        case
    };
    let summary = |case: &Case| case.findings().remove(0).summary;
    let sure = summary(&case(Some((4, 4, true))));
    assert!(sure.starts_with("patch 4/6 ") && !sure.contains(';'), "{sure}");
    let range = summary(&case(Some((4, 2, false))));
    assert!(range.ends_with("; it may be any of patches 2 to 4, which cannot be told apart"), "{range}");
    let unsure = summary(&case(Some((4, 4, false))));
    assert!(unsure.ends_with("; a later patch is good again, so others have a part in it"), "{unsure}");
    let nobody = summary(&case(None));
    assert!(nobody.ends_with("; which patch could not be found out"), "{nobody}");
    let only = case(None).findings_of(1).remove(0);
    assert!(only.summary.starts_with("patch 1/1 ") && !only.summary.contains(';'), "{}", only.summary);
}

#[test]
fn a_death_is_told_with_the_fatal_report_of_no_test() {
    let case = Case::default()
        .base(all_pass(boot(0)))
        .patched(
            all_pass(boot(6))
                .splat(splat_of(SplatKind::Bug, "free_unref_folios", None))
                .splat(splat_of(SplatKind::Warning, "later", None))
                .splat(splat_of(SplatKind::Oops, "dmirror_fault", Some(PRIVATE)))
                .end(BootEnd::Panicked),
        )
        .blame(Symptom::Death, 3);
    let findings = case.findings();
    let death =
        findings.iter().find(|finding| finding.summary.contains("while no test runs") && finding.patch.is_some());
    assert_eq!(death.unwrap().function.as_deref(), Some("free_unref_folios"));
}

#[test]
fn no_more_than_two_reports_prove_a_failing_test() {
    let base = all_pass(boot(0));
    let mut bad = boot(6).test(PRIVATE, fail());
    for name in ["one", "two", "three"] {
        bad = bad.splat(splat(name, Some(PRIVATE)));
    }
    let findings =
        Case::default().base(base).patched(bad.test(COHERENT, Verdict::Pass).test(OTHER, Verdict::Pass)).findings();
    assert_eq!(findings.len(), 1, "all three are told with the test: {findings:#?}");
    let reports = findings[0].evidence.iter().filter(|evidence| evidence.source.contains("console.log:")).count();
    assert_eq!(reports, 2);
}

#[test]
fn every_kind_of_report_has_its_words() {
    let table = [
        (SplatKind::Warning, "a warning"),
        (SplatKind::Bug, "a BUG"),
        (SplatKind::Oops, "an oops"),
        (SplatKind::Panic, "a panic"),
        (SplatKind::Kasan, "a KASAN error"),
        (SplatKind::Sanitizer, "a sanitizer error"),
        (SplatKind::Lockdep, "a locking error (lockdep)"),
        (SplatKind::Atomic, "sleeping in atomic context"),
        (SplatKind::HungTask, "a hung task"),
        (SplatKind::Lockup, "a lockup"),
        (SplatKind::BadPage, "a bad page"),
        (SplatKind::Leak, "a leak"),
    ];
    for (kind, words) in table {
        let patched = all_pass(boot(6)).splat(splat_of(kind, "dmirror_fault", Some(PRIVATE)));
        let findings = Case::default().base(all_pass(boot(0))).patched(patched).findings();
        let expected = format!("makes the kernel report {words} in dmirror_fault() during");
        assert!(findings.len() == 1 && findings[0].summary.contains(&expected), "{findings:#?}");
        // The machine went on, so it was no panic, whatever the report.
        assert_eq!(findings[0].kind, NewSplat);
    }
}

#[test]
fn a_death_between_tests_is_one_finding() {
    let case = Case::default()
        .base(all_pass(boot(0)))
        .patched(all_pass(boot(6)).splat(splat_of(SplatKind::Bug, "free_unref_folios", None)).end(BootEnd::Panicked))
        .blame(Symptom::Death, 3);
    let findings = case.findings();
    assert_eq!(brief(&findings), [(Panic, Problem, Some(3), None)]);
    assert!(findings[0].summary.contains("panics the kernel in free_unref_folios() while no test runs"));
}

#[test]
fn a_rare_panic_is_told_by_its_report_and_not_also_as_a_flaky_test() {
    let mut case = Case::default();
    for _ in 0..20 {
        case = case.base(boot(0).test(PRIVATE, Verdict::Pass));
    }
    for _ in 0..19 {
        case = case.patched(boot(6).test(PRIVATE, Verdict::Pass));
    }
    let oops = splat_of(SplatKind::Oops, "dmirror_fault", Some(PRIVATE));
    let case = case.patched(boot(6).test(PRIVATE, crashed(Crash::Panic)).splat(oops).end(BootEnd::Panicked));
    assert_eq!(brief(&case.findings()), [(Panic, Problem, None, Some(PRIVATE))]);
}

#[test]
fn where_the_base_dies_too_nobody_is_blamed() {
    let dead = |n, place| {
        boot(n)
            .test(PRIVATE, crashed(Crash::Hang))
            .splat(splat_of(SplatKind::Lockup, place, Some(PRIVATE)))
            .end(BootEnd::Hung { deadline: "silence".into() })
    };
    let case = Case::default().base(dead(0, "cpu_relax")).patched(dead(6, "dmirror_fault"));
    assert_eq!(case.findings(), []);
}

#[test]
fn new_tests_that_fail() {
    let case = Case::default()
        .base(boot(0).test(PRIVATE, Verdict::Pass).test(COHERENT, skip()))
        .patched(boot(6).test(PRIVATE, Verdict::Pass).test(OTHER, fail()).test(COHERENT, fail()))
        .blame_test(OTHER, 6)
        .blame_test(COHERENT, 6);
    let findings = case.findings();
    assert_eq!(
        brief(&findings).iter().map(|f| (f.0, f.3)).collect::<Vec<_>>(),
        [(NewTestFailed, Some(COHERENT)), (NewTestFailed, Some(OTHER))]
    );
    assert!(findings[0].summary.contains("makes a test run and fail"), "{}", findings[0].summary);
    assert!(findings[1].summary.contains("brings a test that fails"), "{}", findings[1].summary);
}

#[test]
fn tests_that_are_gone_or_skipped_are_notices() {
    let case = Case::default()
        .base(all_pass(boot(0)))
        .patched(boot(6).test(PRIVATE, skip()).test(OTHER, Verdict::Pass))
        .blame(Symptom::Missing { test: COHERENT.into() }, 5);
    let findings = case.findings();
    assert_eq!(
        brief(&findings),
        [(TestVanished, Notice, None, Some(PRIVATE)), (TestVanished, Notice, Some(5), Some(COHERENT))]
    );
    assert!(
        findings[0]
            .summary
            .contains("makes hmm.hmm.anon_read (hmm_device_private) skip, which the base runs: no device")
    );
    assert!(findings[1].summary.contains("removes hmm.hmm.anon_read (hmm_device_coherent)"));
}

#[test]
fn flaky_tests_are_notices_with_their_rates_unless_the_base_is_flaky_too() {
    let mut case = Case::default();
    for n in 0..20 {
        case = case.base(boot(0).test(PRIVATE, Verdict::Pass).test(OTHER, if n == 0 { fail() } else { Verdict::Pass }));
        let rare = if n < 3 { fail() } else { Verdict::Pass };
        case = case.patched(boot(6).test(PRIVATE, rare.clone()).test(OTHER, rare));
    }
    let findings = case.findings();
    assert_eq!(brief(&findings), [(FlakyTest, Notice, None, Some(PRIVATE))]);
    assert!(
        findings[0]
            .summary
            .contains("fails 3/20 with the series, 0/20 without; a regression to 35 % would have been seen")
    );
}

#[test]
fn a_new_test_that_fails_sometimes_is_brought_by_the_series() {
    let other = |n| boot(n).test(OTHER, Verdict::Pass);
    let mut case = Case::default().base(other(0));
    for verdict in [Verdict::Pass, fail(), Verdict::Pass] {
        case = case.patched(other(6).test(PRIVATE, verdict));
    }
    let findings = case.findings();
    assert_eq!(brief(&findings), [(FlakyTest, Notice, None, Some(PRIVATE))]);
    assert!(findings[0].summary.contains("which fails only sometimes"), "{}", findings[0].summary);
}

#[test]
fn a_kernel_that_comes_up_only_sometimes_and_says_why_is_told_by_its_report() {
    let oops = splat_of(SplatKind::Oops, "hmm_dmirror_init", None);
    let case = Case::default()
        .base(all_pass(boot(0)))
        .patched(all_pass(boot(6)))
        .patched(boot(6).silent().splat(oops).end(BootEnd::Panicked));
    assert_eq!(brief(&case.findings()), [(Panic, Problem, None, None)]);
}

#[test]
fn a_lockup_seen_once_is_a_notice() {
    let lockup = || splat_of(SplatKind::Lockup, "dmirror_fault", Some(PRIVATE));
    let once =
        Case::default().base(all_pass(boot(0))).patched(all_pass(boot(6)).splat(lockup())).patched(all_pass(boot(6)));
    assert_eq!(brief(&once.findings())[0].1, Notice);
    let twice = once.patched(all_pass(boot(6)).splat(lockup()));
    assert_eq!(brief(&twice.findings())[0].1, Problem);
}

#[test]
fn the_bases_selftests_on_the_patched_kernel() {
    let pair = || Case::default().base(all_pass(boot(0))).patched(all_pass(boot(6)));
    let fails = pair().old_tests(boot(6).test(PRIVATE, fail()).test(COHERENT, fail()).test(OTHER, Verdict::Pass));
    let findings = fails.findings();
    assert_eq!(brief(&findings), [(TestRegressed, Notice, None, Some(COHERENT))]);
    assert!(findings[0].summary.contains("fail with the base's selftests"), "{}", findings[0].summary);

    let oops = splat_of(SplatKind::Oops, "dmirror_fault", Some(PRIVATE));
    let dies = pair().old_tests(boot(6).test(PRIVATE, crashed(Crash::Panic)).splat(oops).end(BootEnd::Panicked));
    let findings = dies.findings();
    assert_eq!(brief(&findings), [(Panic, Problem, None, Some(PRIVATE))]);
    assert_eq!(findings[0].evidence[0].source, "units/boot/p6-old/0/console.log:40");

    // With one patch there is nobody else.
    assert_eq!(brief(&dies.findings_of(1)), [(Panic, Problem, Some(1), Some(PRIVATE))]);

    let lost = Verdict::Infra { reason: "cut".into() };
    let unknown_before = Case::default()
        .base(boot(0).test(PRIVATE, lost).test(COHERENT, Verdict::Pass))
        .patched(all_pass(boot(6)))
        .old_tests(boot(6).test(PRIVATE, fail()).test(COHERENT, Verdict::Pass));
    assert_eq!(unknown_before.findings(), [], "the base never showed that it was good");

    let own_too = Case::default()
        .base(all_pass(boot(0)))
        .patched(boot(6).test(PRIVATE, fail()).test(COHERENT, Verdict::Pass).test(OTHER, Verdict::Pass))
        .old_tests(boot(6).test(PRIVATE, fail()).test(COHERENT, Verdict::Pass).test(OTHER, Verdict::Pass));
    assert_eq!(own_too.findings().len(), 1, "told by the main comparison");
}

#[test]
fn a_kernel_that_comes_up_only_sometimes_is_a_notice() {
    let case = Case::default()
        .base(all_pass(boot(0)))
        .patched(all_pass(boot(6)))
        .patched(boot(6).silent().end(BootEnd::Hung { deadline: "boot".into() }));
    let findings = case.findings();
    assert_eq!(brief(&findings), [(BootFailed, Notice, None, None)]);
    assert!(findings[0].summary.contains("1 of 2 boots, 0 of 1 without"), "{}", findings[0].summary);
}

#[test]
fn evidence_is_bounded() {
    let mut long = splat("dmirror_fault", Some(PRIVATE));
    long.text = "x".repeat(1000) + "\n" + &"line\n".repeat(500);
    let case = Case::default().base(all_pass(boot(0))).patched(all_pass(boot(6)).splat(long));
    let text = case.findings()[0].evidence[0].text.clone();
    assert_eq!(text.lines().count(), 31);
    assert!(text.lines().all(|line| line.len() <= 240));
    assert!(text.ends_with("[471 more lines]"), "{text}");
}
