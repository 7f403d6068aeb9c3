use camino::Utf8PathBuf;

use super::*;
use crate::report::fixtures;
use crate::run::testing::options;
use crate::run::{Options, TreeArgument, TreePlan};
use crate::words::testing;

struct Runs {
    _keep: tempfile::TempDir,
    root: Utf8PathBuf,
}

impl Runs {
    fn new() -> Runs {
        let keep = tempfile::tempdir().unwrap();
        let root = Utf8PathBuf::try_from(keep.path().to_owned()).unwrap();
        Runs { _keep: keep, root }
    }

    /// A run of one version with this report.
    fn add(&self, version: u32, diffs: &[&str], report: &Report, options: Options) -> RunFolder {
        let mut series = testing::series(&format!("v{version}"), diffs);
        series.version = Some(version);
        let plan =
            TreePlan { tree: TreeArgument::Name(fixtures::TREE.into()), series: Ok(series), base: Default::default() };
        let folder = RunFolder::create(&self.root, "c", options, vec![plan]).unwrap();
        folder.write("report.json", report.to_json().as_bytes()).unwrap();
        folder
    }
}

/// A report on a series of two patches.
fn report(version: u32, mut report: Report) -> Report {
    report.series.version = Some(version);
    report.series.name = format!("v{version}");
    report.series.patches.truncate(2);
    report
}

fn change(word: &str) -> String {
    format!("diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+{word}\n")
}

#[tokio::test]
async fn the_run_of_the_version_before_is_found_and_compared() {
    let runs = Runs::new();
    let (one, two, other) = (change("one"), change("two"), change("other"));
    let found = report(5, fixtures::findings());
    runs.add(4, &[&one], &report(4, fixtures::clean()), options());
    let old = runs.add(5, &[&one, &two], &found, options());
    runs.add(5, &[&one], &found, Options { reproduces: true, ..options() });
    let now = report(6, fixtures::clean());
    let new = runs.add(6, &[&one, &other], &now, options());
    let never = CancellationToken::new();
    let told = Told { folder: &new, report: &now };
    let cache = runs.root.join("cache");
    let previous = since(told, Which::EarlierVersion, &cache, &never).await.unwrap().unwrap();
    assert_eq!((previous.run.as_str(), previous.version), (old.run.as_str(), Some(5)));
    assert_eq!(previous.verdict, RunVerdict::Findings);
    let fates: Vec<PatchFate> = previous.patches.iter().map(|pair| pair.fate).collect();
    assert_eq!(fates, [PatchFate::Unchanged, PatchFate::Changed]);
    assert_eq!(previous.trees.len(), 1);
    let note = previous.trees[0].note.as_deref().unwrap();
    assert_eq!(note, format!("there is no range-diff: tree {} is not in the cache", fixtures::TREE));
    let findings = &previous.findings;
    let all = findings.fixed.len() + findings.open.len() + findings.unanswered.len();
    assert_eq!(all, found.findings.len(), "every finding of before is somewhere");
    assert!(findings.new.is_empty() && findings.open.is_empty());
    assert!(since(told, Which::SameVersion, &cache, &never).await.unwrap().is_none());
    let again = runs.add(6, &[&one, &other], &now, options());
    let told = Told { folder: &again, report: &now };
    let previous = since(told, Which::SameVersion, &cache, &never).await.unwrap().unwrap();
    assert_eq!(previous.run, new.run);
}

#[test]
fn only_units_of_what_did_not_change_count_as_such() {
    let mut now = fixtures::clean();
    for cell in &mut now.builds {
        cell.reused = cell.revision.index() < 3;
    }
    let pair = |number: usize, fate| PatchPair {
        fate,
        number: Some(number),
        earlier: Some(number),
        subject: "s".into(),
        earlier_subject: None,
    };
    let mut pairs: Vec<PatchPair> = (1..=6).map(|number| pair(number, PatchFate::Unchanged)).collect();
    pairs[4].fate = PatchFate::Changed;
    let base = |commit: &str| TreeVersions {
        tree: fixtures::TREE.into(),
        earlier_base: Some("a".into()),
        base: Some(commit.into()),
        range_diff: Vec::new(),
        left_off: 0,
        note: None,
    };
    let kconfigs = now.kconfigs.len();
    let units = reused(&now, &pairs, &[base("a")]);
    assert_eq!((units.builds, units.builds_reused), (5 * kconfigs, 3 * kconfigs), "base and four patches");
    let booted = now.boots.iter().filter(|boot| boot.end.is_some());
    assert_eq!(units.boots, booted.filter(|boot| boot.kernel.index() == 0 && boot.selftests.index() == 0).count());
    assert_eq!(reused(&now, &pairs, &[base("b")]), ReusedUnits::default(), "the base moved");
}
