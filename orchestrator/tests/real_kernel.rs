//! The real thing: a real 6.12 kernel is built and booted, series with planted faults are judged.
//!
//! These tests take minutes each and share one cache (trees, build folders), so they run one after the other:
//! `make test`, or `cargo test --test real_kernel -- --ignored --test-threads=1`.

mod planted;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use planted::Planted;
use planted::tree::{cache, source};
use serde_json::Value;

/// A few tests of the suite: enough to tell a failing one from passing ones, on both kinds of device memory.
const TESTS: [&str; 4] = [
    "hmm.hmm.hmm_device_private.anon_read",
    "hmm.hmm.hmm_device_coherent.anon_read",
    "hmm.hmm2.hmm2_device_private.snapshot",
    "hmm.hmm2.hmm2_device_coherent.snapshot",
];

/// A folder for one test's runs.
struct Bench {
    folder: tempfile::TempDir,
}

/// What a run gave: its exit code and its report.
struct Outcome {
    code: i32,
    report: Value,
    run: PathBuf,
}

impl Bench {
    fn new() -> Bench {
        Bench { folder: tempfile::tempdir().unwrap() }
    }

    fn results(&self) -> PathBuf {
        self.folder.path().join("results")
    }

    /// A command of the program under test; runs go to this bench, the cache is the user's.
    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_orchestrator"));
        command.args(args).env("ORCHESTRATOR_RESULTS", self.results()).current_dir(repository());
        command
    }

    fn outcome(&self, code: i32) -> Outcome {
        let run = self.results().join("latest").canonicalize().unwrap();
        let report = serde_json::from_slice(&std::fs::read(run.join("report.json")).unwrap()).unwrap();
        Outcome { code, report, run }
    }

    fn run(&self, args: &[&str]) -> Outcome {
        let status = self.command(args).status().unwrap();
        self.outcome(status.code().expect("not killed"))
    }

    /// Writes a planted series and runs it on 6.12.
    fn judge(&self, name: &str, patches: &[Planted], args: &[&str]) -> Outcome {
        let folder = planted::write(self.folder.path(), name, &source, patches);
        let mut all = vec!["run", "series", folder.to_str().unwrap(), "--tree", "linux-6.12"];
        all.extend(args);
        self.run(&all)
    }
}

impl Outcome {
    fn findings(&self) -> Vec<(String, u64)> {
        let findings = self.report["findings"].as_array().unwrap();
        let one = |finding: &Value| {
            (finding["kind"].as_str().unwrap().to_owned(), finding["patch"]["number"].as_u64().unwrap_or(0))
        };
        findings.iter().map(one).collect()
    }

    /// Asserts that there is exactly this finding, on this patch.
    fn only(&self, kind: &str, patch: u64) -> &Value {
        assert_eq!(self.findings(), [(kind.to_owned(), patch)], "{}", self.summaries());
        assert_eq!(self.code, 1);
        let finding = &self.report["findings"][0];
        assert!(!finding["evidence"].as_array().unwrap().is_empty(), "a finding has proof");
        assert!(finding["reproduce"].as_str().unwrap().starts_with("orchestrator reproduce "));
        finding
    }

    fn metrics(&self) -> impl Iterator<Item = &Value> {
        self.report["metrics"].as_array().unwrap().iter()
    }

    fn summaries(&self) -> String {
        serde_json::to_string_pretty(&self.report["findings"]).unwrap()
    }

    fn boots(&self) -> usize {
        let boots = self.report["boots"].as_array().unwrap();
        boots.iter().filter(|boot| boot["reused"] == false).count()
    }

    fn builds(&self) -> usize {
        let builds = self.report["builds"].as_array().unwrap();
        builds.iter().filter(|build| build["reused"] == false).count()
    }
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// Arguments that limit a run to the boot kconfig and a few tests.
fn few_tests() -> Vec<&'static str> {
    let mut args = vec!["--kconfig", "hmm"];
    args.extend(TESTS.iter().flat_map(|test| ["--test", test]));
    args
}

/// Goes first (tests run in the order of their names): imports the tree, builds the base.
#[test]
#[ignore = "builds and boots a real kernel"]
fn a_the_embedded_series_is_clean_and_its_repeat_does_nothing() {
    let bench = Bench::new();
    let first = bench.run(&["run", "series", "v6"]);
    assert_eq!(first.code, 0, "{}", first.summaries());
    assert_eq!(first.report["verdict"], "clean");
    let tests = &first.report["coverage"]["tests"];
    assert!(tests["base"]["covered"].as_u64().unwrap() >= 56, "{tests}");
    assert!(tests["both"].as_u64().unwrap() >= 56, "{tests}");
    let rows = first.report["tests"][0]["rows"].as_array().unwrap().clone();
    let change = |name: &str| -> Vec<String> {
        let rows = rows.iter().filter(|row| row["test"].as_str().unwrap().ends_with(name));
        rows.map(|row| row["change"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(change(".exclusive"), ["STILL-FAILING", "STILL-FAILING"]);
    assert_eq!(change(".exclusive_cow"), ["STILL-FAILING", "STILL-FAILING"]);
    for variant in ["private", "coherent"] {
        let new = rows.iter().filter(|row| {
            row["change"] == "NEW-PASS" && row["test"].as_str().unwrap().contains(&format!("hmm_device_{variant}"))
        });
        assert!(new.count() > 0, "the port's new tests pass on {variant} memory");
    }
    for file in ["report.md", "report.html", "junit.xml", "events.jsonl"] {
        assert!(first.run.join(file).is_file(), "{file}");
    }
    let walks = first.report["walks"].as_array().unwrap();
    assert!(walks.len() >= 6 && walks.iter().all(|walk| walk["change"] == "improved"), "one walk saves: {walks:?}");
    let second = bench.run(&["run", "series", "v6"]);
    assert_eq!((second.code, second.builds(), second.boots()), (0, 0, 0));
    assert_eq!(second.report["tests"], first.report["tests"]);
}

#[test]
#[ignore = "builds a real kernel"]
fn b_a_patch_that_does_not_apply() {
    let bench = Bench::new();
    let folder = bench.folder.path().join("no-apply");
    std::fs::create_dir(&folder).unwrap();
    let diff = "diff --git a/mm/hmm.c b/mm/hmm.c\n--- a/mm/hmm.c\n+++ b/mm/hmm.c\n@@ -100,3 +100,3 @@ int planted(void)\n this line\n-stands nowhere\n+never stood\n in the kernel\n";
    std::fs::write(folder.join("0001.patch"), planted::mail("mm/hmm: change what is not there", 1, 1, diff)).unwrap();
    let outcome = bench.run(&["run", "series", folder.to_str().unwrap(), "--tree", "linux-6.12"]);
    let finding = outcome.only("apply-failed", 1);
    assert!(finding["summary"].as_str().unwrap().contains("mm/hmm.c"), "{finding}");
    assert_eq!(outcome.builds(), 0);
}

#[test]
#[ignore = "builds a real kernel"]
fn c_a_patch_that_does_not_compile() {
    let outcome = Bench::new().judge("no-compile", planted::NO_COMPILE, &[]);
    let finding = outcome.only("build-failed", 2);
    let evidence = finding["evidence"].to_string();
    assert!(evidence.contains("MIGRATE_PFN_PLANTED"), "{evidence}");
    assert_eq!(outcome.boots(), 0);
}

#[test]
#[ignore = "builds a real kernel"]
fn d_a_patch_that_breaks_only_one_kconfig() {
    let outcome = Bench::new().judge("one-kconfig", planted::ONE_KCONFIG, &["--no-boot"]);
    let finding = outcome.only("build-failed", 1);
    assert_eq!(finding["kconfig"], "no-hmm-mirror");
    assert!(finding["evidence"].to_string().contains("undefined reference to `hmm_planted'"), "{finding}");
}

#[test]
#[ignore = "builds a real kernel"]
fn e_a_break_in_mid_series_that_a_later_patch_mends() {
    let outcome = Bench::new().judge("mid-series", planted::MID_SERIES, &["--kconfig", "hmm"]);
    outcome.only("bisect-broken", 1);
    assert_eq!(outcome.boots(), 0, "the tip is the base bit for bit");
}

#[test]
#[ignore = "builds a real kernel"]
fn f_a_new_warning() {
    let outcome = Bench::new().judge("warning", planted::WARNING, &["--kconfig", "hmm"]);
    let finding = outcome.only("new-warning", 1);
    assert!(finding["evidence"].to_string().contains("planted_unused"), "{finding}");
}

#[test]
#[ignore = "builds a real kernel"]
fn g_a_reworded_comment_boots_nothing() {
    let outcome = Bench::new().judge("reworded", planted::REWORDED, &["--kconfig", "hmm"]);
    assert_eq!((outcome.code, outcome.findings().len(), outcome.boots()), (0, 0, 0));
    let note = outcome.report["tests"][0]["note"].as_str().unwrap();
    assert!(note.contains("identical"), "{note}");
}

#[test]
#[ignore = "boots a real kernel"]
fn h_a_test_that_fails() {
    let outcome = Bench::new().judge("fails-test", planted::FAILS_TEST, &few_tests());
    let finding = outcome.only("test-regressed", 2);
    assert!(finding["test"].as_str().unwrap().contains("snapshot"), "{finding}");
}

#[test]
#[ignore = "boots a real kernel"]
fn i_a_warning_at_run_time() {
    let outcome = Bench::new().judge("warns", planted::WARNS, &few_tests());
    let finding = outcome.only("new-splat", 2);
    assert_eq!(finding["function"], "hmm_range_fault");
}

#[test]
#[ignore = "boots a real kernel"]
fn j_a_panic() {
    let outcome = Bench::new().judge("panics", planted::PANICS, &few_tests());
    let finding = outcome.only("panic", 2);
    assert!(finding["function"].as_str().unwrap().starts_with("dmirror_"), "{finding}");
    assert!(finding["test"].as_str().unwrap().contains("snapshot"), "{finding}");
    let rows = outcome.report["tests"][0]["rows"].as_array().unwrap();
    let read = rows.iter().filter(|row| row["test"].as_str().unwrap().ends_with("anon_read"));
    assert!(read.clone().count() == 2 && read.clone().all(|row| row["change"] == "STILL-PASSING"), "the rest is run");
}

#[test]
#[ignore = "boots a real kernel"]
fn k_a_hang() {
    // On one kind of memory only: every try of a test that hangs costs its whole deadline.
    let args = ["--kconfig", "hmm", "--test", TESTS[0], "--test", TESTS[2]];
    let outcome = Bench::new().judge("hangs", planted::HANGS, &args);
    let finding = outcome.only("hang", 2);
    assert!(finding["test"].as_str().unwrap().contains("snapshot"), "{finding}");
}

#[test]
#[ignore = "boots a real kernel"]
fn l_a_new_test_that_fails() {
    let bench = Bench::new();
    let mut args = vec!["--kconfig", "hmm"];
    args.extend(["--test", "hmm.hmm.hmm_device_private.planted_good"]);
    args.extend(["--test", "hmm.hmm.hmm_device_private.planted_bad"]);
    args.extend(["--test", "hmm.hmm.hmm_device_private.anon_read"]);
    let outcome = bench.judge("new-test", planted::NEW_TEST_FAILS, &args);
    let finding = outcome.only("new-test-failed", 1);
    assert!(finding["test"].as_str().unwrap().contains("planted_bad"), "{finding}");
}

/// Metrics that a costlier walk of the page tables shows in, and one that has nothing to do with it.
const METRICS: [&str; 3] = [
    "hmm-bench.private.to-device.present-2M",
    "hmm-bench.coherent.to-device.present-2M",
    "hmm-bench.private.snapshot.present-2M",
];

fn few_metrics(kconfig: &'static str) -> Vec<&'static str> {
    let mut args = vec!["--kconfig", kconfig];
    args.extend(METRICS.iter().flat_map(|metric| ["--test", metric]));
    args
}

#[test]
#[ignore = "boots a real kernel"]
fn n_a_costlier_walk() {
    let outcome = Bench::new().judge("costlier", planted::COSTLIER, &few_metrics("hmm"));
    let finding = outcome.only("metric-regressed", 2);
    assert_eq!(finding["function"], "migrate_vma_collect_pmd", "{finding}");
    assert!(finding["metric"].as_str().unwrap().ends_with("to-device.present-2M"), "{finding}");
    let snapshot = outcome.metrics().find(|metric| metric["metric"] == METRICS[2]).unwrap();
    assert_eq!(snapshot["change"], "unchanged", "{snapshot}");
}

/// The same cost in a function that is inlined: with debug information it has a name of its own, without it is its
/// caller's.
#[test]
#[ignore = "builds and boots a real kernel"]
fn p_a_costlier_helper_that_is_inlined() {
    let function = |kconfig: &'static str| {
        let outcome = Bench::new().judge("helper", planted::COSTLIER_HELPER, &few_metrics(kconfig));
        outcome.only("metric-regressed", 2)["function"].as_str().unwrap().to_owned()
    };
    assert_eq!(function("hmm-inlines"), "migrate_vma_look_twice");
    assert_eq!(function("hmm"), "migrate_vma_collect_pmd");
}

/// Moved code costs nothing, and a second boot measures the same to the last instruction, with the host busy.
#[test]
#[ignore = "boots a real kernel"]
fn o_moved_code_costs_nothing_and_busy_hosts_measure_the_same() {
    let bench = Bench::new();
    let first = bench.judge("moved", planted::ONLY_MOVED, &few_metrics("hmm"));
    assert_eq!((first.findings(), first.code), (Vec::new(), 0), "{}", first.summaries());
    assert!(first.metrics().count() >= METRICS.len(), "everything was measured");
    let mut hog = Command::new("sh").args(["-c", "while :; do :; done"]).spawn().unwrap();
    let folder = bench.folder.path().join("moved");
    let mut args = vec!["run", "series", folder.to_str().unwrap(), "--tree", "linux-6.12", "--fresh"];
    args.extend(few_metrics("hmm"));
    let second = bench.run(&args);
    hog.kill().unwrap();
    hog.wait().unwrap();
    assert!(second.boots() > 0, "they were booted anew");
    assert_eq!(first.report["metrics"], second.report["metrics"]);
}

/// Kills the program while it builds, resumes, and compares with an uninterrupted run.
#[test]
#[ignore = "builds a real kernel"]
fn m_killed_and_resumed() {
    let bench = Bench::new();
    let folder = planted::write(bench.folder.path(), "killed", &source, planted::NO_COMPILE);
    let args = ["run", "series", folder.to_str().unwrap(), "--tree", "linux-6.12", "--kconfig", "hmm", "--json"];
    let whole = bench.run(&args);
    // Without the results of the first run everything after the base has to be built again.
    for build in whole.report["builds"].as_array().unwrap().iter().skip(1) {
        assert!(build["log"].is_string());
    }
    let mut fresh = args.to_vec();
    fresh.push("--fresh");
    let mut child = bench.command(&fresh).stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for line in lines {
        let event: Value = serde_json::from_str(&line.unwrap()).unwrap();
        if event["event"] == "unit-progress" && event["unit"].as_str().unwrap().starts_with("build/") {
            break;
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(survivors(), Vec::<String>::new());
    let status = bench.command(&["resume", "latest", "--quiet"]).stdout(Stdio::null()).status().unwrap();
    let resumed = bench.outcome(status.code().unwrap());
    assert_eq!(resumed.code, whole.code);
    assert_eq!(essence(&resumed.report), essence(&whole.report));
}

/// A report without what differs between two runs of the same thing: times, ids, paths that hold the id.
fn essence(report: &Value) -> Value {
    let findings: Vec<Value> = report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| serde_json::json!([finding["kind"], finding["patch"], finding["summary"], finding["kconfig"]]))
        .collect();
    let builds: Vec<Value> = report["builds"]
        .as_array()
        .unwrap()
        .iter()
        .map(|build| {
            serde_json::json!([build["revision"], build["kconfig"], build["outcome"], build["new_diagnostics"]])
        })
        .collect();
    serde_json::json!([report["verdict"], report["headline"], findings, builds, report["coverage"], report["tests"]])
}

/// Processes that a killed orchestrator left behind: makes and guests that work in the cache.
fn survivors() -> Vec<String> {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    loop {
        let mut found = Vec::new();
        for entry in std::fs::read_dir("/proc").unwrap().flatten() {
            let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let command = String::from_utf8_lossy(&line).replace('\0', " ");
            let tool = ["qemu-system", "make ", "bwrap", "cc1"].iter().any(|tool| command.contains(tool));
            if tool && command.contains(cache().to_str().unwrap()) {
                found.push(command);
            }
        }
        if found.is_empty() || std::time::Instant::now() > deadline {
            return found;
        }
        std::thread::yield_now();
    }
}
