use std::collections::BTreeMap;

use super::{BuildSeen, Frame, build_findings};
use crate::compare::testing::{build, diagnostic, frame_series};
use crate::words::{BuildOutcome, BuildRecord, Diagnostic, DroppedSymbol, Finding, FindingKind, Level, Severity};

const TOTAL: usize = 4;

/// Builds of a kconfig from one letter each: `.` built, `x` failed, `s` selftests failed, `?` trouble of ours.
fn history(kconfig: &str, letters: &str) -> Vec<BuildRecord> {
    letters
        .chars()
        .enumerate()
        .map(|(number, letter)| {
            let reason = format!("mm/hmm.c:9: error: undeclared {letter}");
            let outcome = match letter {
                '.' => BuildOutcome::Built,
                'x' => BuildOutcome::Failed { reason },
                's' => BuildOutcome::SelftestsFailed { reason },
                '?' => BuildOutcome::Infra { reason: "disk full".into() },
                other => panic!("{other}"),
            };
            let mut record = build(number, TOTAL, kconfig, outcome);
            if matches!(letter, 'x' | 's') {
                record.diagnostics.push(diagnostic(Level::Error, "mm/hmm.c", 9, "'x' undeclared"));
            }
            record
        })
        .collect()
}

fn findings(histories: &[Vec<BuildRecord>]) -> Vec<Finding> {
    let series = frame_series(TOTAL);
    let mut builds: BTreeMap<String, Vec<BuildSeen<'_>>> = BTreeMap::new();
    for record in histories.iter().flatten() {
        builds.entry(record.kconfig.clone()).or_default().push(BuildSeen { record, log: "units/build.log" });
    }
    build_findings(&Frame { tree: "linux-6.12", series: &series }, &builds)
}

fn brief(findings: &[Finding]) -> Vec<(FindingKind, Severity, Option<usize>, Option<&str>)> {
    findings
        .iter()
        .map(|f| (f.kind, f.severity, f.patch.as_ref().map(|patch| patch.number), f.kconfig.as_deref()))
        .collect()
}

#[test]
fn breaks_are_blamed_on_the_first_patch_of_each() {
    use FindingKind::{BisectBroken, BuildFailed, SelftestBuildFailed};
    use Severity::{Notice, Problem};
    let hmm = Some("hmm");
    let table: [(&str, Vec<_>); 14] = [
        (".....", vec![]),
        (".xxxx", vec![(BuildFailed, Problem, Some(1), hmm)]),
        ("....x", vec![(BuildFailed, Problem, Some(4), hmm)]),
        (".x...", vec![(BisectBroken, Problem, Some(1), hmm)]),
        ("..xx.", vec![(BisectBroken, Problem, Some(2), hmm)]),
        (".x.xx", vec![(BisectBroken, Problem, Some(1), hmm), (BuildFailed, Problem, Some(3), hmm)]),
        (".x.x.", vec![(BisectBroken, Problem, Some(1), hmm), (BisectBroken, Problem, Some(3), hmm)]),
        (".x??x", vec![(BuildFailed, Problem, Some(1), hmm)]),
        (".????", vec![]),
        ("xxxxx", vec![]),
        ("?xxxx", vec![]),
        (".ss..", vec![(SelftestBuildFailed, Notice, Some(1), hmm)]),
        ("..sss", vec![(SelftestBuildFailed, Problem, Some(2), hmm)]),
        ("sssss", vec![]),
    ];
    for (letters, expected) in table {
        assert_eq!(brief(&findings(&[history("hmm", letters)])), expected, "{letters}");
    }
    let both = findings(&[history("hmm", ".xsss")]);
    assert_eq!(brief(&both), [(BisectBroken, Problem, Some(1), hmm), (SelftestBuildFailed, Problem, Some(2), hmm)]);
}

#[test]
fn the_summary_names_patch_mender_reason_and_doubt() {
    let mended = findings(&[history("hmm", "..xx.")]).remove(0);
    assert_eq!(
        mended.summary,
        "patch 2/4 \"mm: change 2\" does not build until patch 4/4 mends it: mm/hmm.c:9: error: undeclared x (kconfig hmm)"
    );
    assert_eq!(mended.revision, "patch 2/4");
    assert_eq!(mended.function.as_deref(), Some("f"));
    assert_eq!(mended.evidence[0].text, "mm/hmm.c:9:1: 'x' undeclared");
    assert_eq!(mended.evidence[0].source, "units/build.log");
    let doubtful = findings(&[history("hmm", ".?.?x")]).remove(0);
    assert!(doubtful.summary.contains("it may be any of patches 3 to 4"), "{}", doubtful.summary);
}

#[test]
fn one_break_in_two_kconfigs_is_one_finding_and_a_break_in_one_names_that() {
    let both = findings(&[history("hmm", "..xxx"), history("no-hmm-mirror", "..xxx")]);
    assert_eq!(brief(&both), [(FindingKind::BuildFailed, Severity::Problem, Some(2), Some("hmm"))]);
    assert!(both[0].summary.ends_with("(kconfig hmm and no-hmm-mirror)"), "{}", both[0].summary);

    let one = findings(&[history("hmm", "....."), history("no-hmm-mirror", "..xxx")]);
    assert_eq!(brief(&one), [(FindingKind::BuildFailed, Severity::Problem, Some(2), Some("no-hmm-mirror"))]);

    let mut other = history("no-hmm-mirror", "..xxx");
    other[2].diagnostics = vec![diagnostic(Level::Error, "mm/gup.c", 3, "undefined reference to 'hmm_x'")];
    assert_eq!(findings(&[history("hmm", "..xxx"), other]).len(), 2, "two causes in one patch");

    let later = findings(&[history("hmm", ".xxxx"), history("no-hmm-mirror", "..xxx")]);
    assert_eq!(later.len(), 2, "another patch");
}

#[test]
fn a_lost_symbol_is_a_finding_of_its_own() {
    let mut records = history("hmm", "..xxx");
    for record in &mut records[2..] {
        record.dropped.push(DroppedSymbol {
            symbol: "TEST_HMM".into(),
            wanted: "y".into(),
            got: "n".into(),
            asked_by: "hmm.config:12".into(),
            why: "depends on X".into(),
        });
    }
    let findings = findings(&[records]);
    assert_eq!(brief(&findings), [(FindingKind::ConfigDropped, Severity::Problem, Some(2), Some("hmm"))]);
}

fn with_warnings(kconfig: &str, revisions: [&[Diagnostic]; 5]) -> Vec<BuildRecord> {
    let mut records = history(kconfig, ".....");
    for (record, diagnostics) in records.iter_mut().zip(revisions) {
        record.diagnostics = diagnostics.to_vec();
    }
    records
}

#[test]
fn warnings_are_blamed_on_the_patch_that_brings_them() {
    let old = |line| diagnostic(Level::Warning, "lib/test_hmm.c", line, "the frame size of 1056 bytes is large");
    let new = diagnostic(Level::Warning, "mm/hmm.c", 30, "unused variable 'x'");
    let gone = diagnostic(Level::Warning, "mm/hmm.c", 40, "unused variable 'y'");
    let records = with_warnings(
        "hmm",
        [
            &[old(10)],
            &[old(12)],
            &[old(12), new.clone(), gone.clone()],
            &[old(12), new.clone(), gone],
            &[old(14), new.clone()],
        ],
    );
    let found = findings(std::slice::from_ref(&records));
    use FindingKind::NewWarning;
    assert_eq!(
        brief(&found),
        [(NewWarning, Severity::Problem, Some(2), Some("hmm")), (NewWarning, Severity::Notice, Some(2), Some("hmm"))]
    );
    assert_eq!(
        found[0].summary,
        "patch 2/4 \"mm: change 2\" adds a warning: mm/hmm.c:30: unused variable 'x' [-Wunused-variable] (kconfig hmm)"
    );
    assert!(found[1].summary.contains("a later patch removes it"));

    let just = std::slice::from_ref(&new);
    let elsewhere = with_warnings("users", [&[], &[], just, just, just]);
    let merged = findings(&[records, elsewhere]);
    assert_eq!(merged.len(), 2);
    assert!(merged[0].summary.ends_with("(kconfig hmm and users)"), "{}", merged[0].summary);
}

#[test]
fn one_more_of_the_same_warning_is_new() {
    let at = |line| diagnostic(Level::Warning, "mm/hmm.c", line, "unused variable 'x'");
    let records = with_warnings("hmm", [&[at(1)], &[at(1)], &[at(1)], &[at(2), at(9)], &[at(2), at(9)]]);
    assert_eq!(brief(&findings(&[records]))[0].2, Some(3));
}

#[test]
fn builds_that_failed_say_nothing_about_warnings() {
    let new = diagnostic(Level::Warning, "mm/hmm.c", 30, "unused variable 'x'");
    let just = std::slice::from_ref(&new);
    let mut records = with_warnings("hmm", [&[], &[], just, just, just]);
    let failed = diagnostic(Level::Error, "mm/hmm.c", 9, "'x' undeclared");
    records[2].outcome = BuildOutcome::Failed { reason: "error".into() };
    records[2].diagnostics.push(failed);
    let found = findings(&[records]);
    assert_eq!(
        brief(&found).iter().map(|f| (f.0, f.2)).collect::<Vec<_>>(),
        [(FindingKind::BisectBroken, Some(2)), (FindingKind::NewWarning, Some(3))]
    );
}

#[test]
fn selftests_that_do_not_build_say_nothing_about_their_warnings() {
    let file = "tools/testing/selftests/mm/hmm-tests.c";
    let echo =
        [diagnostic(Level::Warning, file, 10, "control reaches end"), diagnostic(Level::Warning, "mm/a.c", 1, "w")];
    let mut records = history("hmm", "..ss.");
    for record in &mut records[2..4] {
        record.diagnostics.extend(echo.clone());
    }
    let found = findings(&[records]);
    let expected = [(FindingKind::SelftestBuildFailed, Some(2)), (FindingKind::NewWarning, Some(2))];
    assert_eq!(brief(&found).iter().map(|f| (f.0, f.2)).collect::<Vec<_>>(), expected);
    assert!(found[1].summary.contains("mm/a.c"), "{}", found[1].summary);
}

#[test]
fn a_flood_of_warnings_is_counted() {
    let flood: Vec<Diagnostic> =
        (0..30).map(|n| diagnostic(Level::Warning, "mm/hmm.c", n, &format!("unused variable 'v{n}x'"))).collect();
    let found = findings(&[with_warnings("hmm", [&[], &flood, &flood, &flood, &flood])]);
    assert_eq!(found.len(), 12);
    assert!(found[11].summary.contains("; and 18 more warnings"), "{}", found[11].summary);
}
