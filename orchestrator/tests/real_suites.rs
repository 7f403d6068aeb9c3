//! Suites of commands in a real guest: each parser, metrics, missing and hostile commands, the example of the handbook.
//!
//! They use the tree and the builds that `real_kernel` leaves in the cache: `make test`, or
//! `cargo test --test real_suites -- --ignored --test-threads=1`.

#[expect(dead_code, reason = "of the planted series only the helpers are used here")]
mod planted;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use planted::Planted;
use planted::tree::source;
use serde_json::Value;

/// A default that suites can see goes from 50 to 77 with the second patch.
const OTHER_DEFAULT: &[Planted] = &[
    planted::HARMLESS,
    (
        "mm/util: overcommit more",
        &[(
            "mm/util.c",
            "int sysctl_overcommit_ratio __read_mostly = 50;\n",
            "int sysctl_overcommit_ratio __read_mostly = 77;\n",
        )],
    ),
];

/// A home folder of its own: the shipped one, with suites of `tests/suites` in the kconfig `hmm`.
struct Bench {
    folder: tempfile::TempDir,
}

struct Outcome {
    code: i32,
    report: Value,
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        // Of lab/ the machines and suites; what else lies there are programs.
        if entry.file_type().unwrap().is_file() {
            std::fs::copy(entry.path(), to).unwrap();
        } else if !entry.path().join("Cargo.toml").exists() {
            copy(&entry.path(), &to);
        }
    }
}

impl Bench {
    /// With these suites beside `hmm`, and these benchmarks beside `hmm-bench`, from this folder.
    fn new(from: &str, suites: &[&str], benchmarks: &[&str]) -> Bench {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("home");
        for part in ["series", "kconfigs", "lab"] {
            copy(&repository().join(part), &home.join(part));
        }
        copy(&repository().join(from), &home.join("lab/suites"));
        let matrix = home.join("kconfigs/matrix.yaml");
        let text = std::fs::read_to_string(&matrix).unwrap();
        let ours = "suites: [hmm], benchmarks: [hmm-bench]}";
        assert_eq!(text.matches(ours).count(), 1);
        let list = |first: &str, more: &[&str]| [&[first], more].concat().join(", ");
        let with = format!("suites: [{}], benchmarks: [{}]}}", list("hmm", suites), list("hmm-bench", benchmarks));
        std::fs::write(&matrix, text.replace(ours, &with)).unwrap();
        Bench { folder }
    }

    /// Runs a series with the kconfig `hmm` and only these suites.
    fn run(&self, series: &str, suites: &[&str]) -> Outcome {
        let results = self.folder.path().join("results");
        let mut command = Command::new(env!("CARGO_BIN_EXE_orchestrator"));
        command.args(["run", "series", series, "--tree", "linux-6.12", "--kconfig", "hmm", "--home"]);
        command.arg(self.folder.path().join("home")).arg("--results").arg(&results);
        command.args(suites.iter().flat_map(|suite| ["--test", suite]));
        let code = command.current_dir(self.folder.path()).status().unwrap().code().expect("not killed");
        let report = std::fs::read(results.join("latest/report.json")).unwrap();
        Outcome { code, report: serde_json::from_slice(&report).unwrap() }
    }

    fn planted(&self) -> String {
        planted::write(self.folder.path(), "other-default", &source, OTHER_DEFAULT).to_str().unwrap().to_owned()
    }
}

impl Outcome {
    /// What base and patched say together of each test that did not do the same good thing, and of all others.
    fn changes(&self) -> BTreeMap<String, String> {
        let rows = self.report["tests"].as_array().unwrap().iter().flat_map(|tests| tests["rows"].as_array().unwrap());
        let word = |row: &Value, key: &str| row[key].as_str().unwrap().to_owned();
        rows.map(|row| (word(row, "test"), word(row, "change"))).collect()
    }

    fn findings(&self) -> Vec<(String, u64, String)> {
        let one = |finding: &Value| {
            let test = finding["test"].as_str().or(finding["metric"].as_str()).unwrap_or_default();
            (
                finding["kind"].as_str().unwrap().to_owned(),
                finding["patch"]["number"].as_u64().unwrap_or(0),
                test.to_owned(),
            )
        };
        let mut findings: Vec<_> = self.report["findings"].as_array().unwrap().iter().map(one).collect();
        findings.sort();
        findings
    }

    /// What is not covered and why, in one text.
    fn gaps(&self) -> String {
        serde_json::to_string_pretty(&self.report["coverage"]["not_covered"]).unwrap()
    }

    fn findings_text(&self) -> String {
        serde_json::to_string_pretty(&self.report["findings"]).unwrap()
    }
}

/// Shorthand for the rows that are expected.
fn rows(expected: &[(&str, &str)]) -> BTreeMap<String, String> {
    expected.iter().map(|(test, change)| ((*test).to_owned(), (*change).to_owned())).collect()
}

/// The worked example of docs/suites.md, as it stands there.
#[test]
#[ignore = "boots a real kernel"]
fn a_the_example_of_the_handbook() {
    let outcome = Bench::new("docs/example-suite", &["swap-free"], &[]).run("v6", &["swap-free"]);
    assert_eq!((outcome.code, outcome.findings()), (0, Vec::new()), "{}", outcome.findings_text());
    let expected = [("swap-free.meminfo.free", "STILL-PASSING"), ("swap-free.meminfo.swap", "NOT-COVERED")];
    assert_eq!(outcome.changes(), rows(&expected));
    assert!(outcome.gaps().contains("skipped: this machine has no swap"), "{}", outcome.gaps());
}

/// Every parser sees what a patch changes and blames it; what fails anyway, is skipped or is not there blames nobody.
#[test]
#[ignore = "builds and boots a real kernel"]
fn b_each_parser_finds_the_patch() {
    let suites = ["say-junit", "say-exit", "say-igt", "say-opencl", "say-ktap", "say-absent", "say-code", "no-command"];
    let bench = Bench::new("orchestrator/tests/suites", &suites, &[]);
    let outcome = bench.run(&bench.planted(), &suites);
    let expected = [
        ("no-command", "NOT-COVERED"),
        ("say-absent", "NOT-COVERED"),
        ("say-code", "STILL-FAILING"),
        ("say-exit", "REGRESSED"),
        ("say-igt.ratio.default", "REGRESSED"),
        ("say-igt.ratio.needs", "NOT-COVERED"),
        ("say-junit.ratio.always", "STILL-FAILING"),
        ("say-junit.ratio.default", "REGRESSED"),
        ("say-junit.ratio.fine", "STILL-PASSING"),
        ("say-junit.ratio.idle", "NOT-COVERED"),
        ("say-ktap.default", "REGRESSED"),
        ("say-ktap.other", "STILL-PASSING"),
        ("say-opencl.svm_default", "REGRESSED"),
        ("say-opencl.svm_other", "NOT-COVERED"),
    ];
    assert_eq!(outcome.changes(), rows(&expected));
    let gaps = outcome.gaps();
    for why in [
        "command not found on the machine",
        "/no/such/program: not found",
        "Skipping test: nothing to do",
        "Test requirement",
    ] {
        assert!(gaps.contains(why), "{why}: {gaps}");
    }
    assert_eq!(outcome.code, 1);
    // Each is blamed on the second patch, with the words of the test as the proof.
    let findings = outcome.findings();
    let regressed =
        ["say-exit", "say-igt.ratio.default", "say-junit.ratio.default", "say-ktap.default", "say-opencl.svm_default"];
    assert_eq!(findings, regressed.map(|test| ("test-regressed".to_owned(), 2, test.to_owned())));
    let text = outcome.findings_text();
    assert!(text.matches("the ratio is 77").count() >= regressed.len(), "{text}");
}

/// A number that a program prints and a patch changes is a finding; one that it does not change is none.
#[test]
#[ignore = "builds and boots a real kernel"]
fn e_a_metric_by_regular_expression_finds_the_patch() {
    let bench = Bench::new("orchestrator/tests/suites", &[], &["say-metric"]);
    let outcome = bench.run(&bench.planted(), &["say-metric"]);
    assert_eq!(
        outcome.findings(),
        [("metric-regressed".into(), 2, "say-metric.copy".into())],
        "{}",
        outcome.findings_text()
    );
    assert_eq!(outcome.code, 1);
    let metrics = outcome.report["metrics"].as_array().unwrap();
    let metric = |name: &str| metrics.iter().find(|metric| metric["metric"] == name).unwrap();
    assert_eq!(metric("say-metric.wait")["change"], "unchanged");
    let copy = metric("say-metric.copy");
    let effect = copy["effect"]["estimate"].as_f64().unwrap();
    assert!((effect - 0.54).abs() < 0.01, "50 us became 77 us: {copy}");
    let notes = outcome.report["trees"][0]["notes"].to_string();
    assert!(!notes.contains("instructions by function"), "the program marks no readings, nobody misses them: {notes}");
}

/// What a command of a suite can do to the machine as root, without breaking the kernel, is stopped and told; the suite
/// behind it has its answer.
#[test]
#[ignore = "boots a real kernel"]
fn c_hostile_commands_are_contained() {
    let suites = ["bad-flood", "bad-binary", "bad-endless", "bad-fake", "bad-bomb", "say-exit"];
    let outcome = Bench::new("orchestrator/tests/suites", &suites, &[]).run("v6", &suites);
    let changes = outcome.changes();
    let of = |test: &str| changes.get(test).map(String::as_str);
    assert_eq!(of("bad-flood"), Some("STILL-FAILING"), "{changes:?}");
    assert_eq!(of("bad-binary"), Some("STILL-PASSING"), "{changes:?}");
    assert_eq!(of("bad-endless"), Some("STILL-FAILING"), "{changes:?}");
    assert_eq!(of("bad-bomb"), Some("STILL-FAILING"), "{changes:?}");
    // It said that it passed, in every way that it could think of.
    assert_eq!((of("bad-fake"), of("bad-fake.a")), (Some("UNKNOWN"), Some("UNKNOWN")), "{changes:?}");
    assert_eq!(of("forged"), None);
    assert_eq!(of("say-exit"), Some("STILL-PASSING"), "{changes:?}");
    assert_eq!(
        (outcome.code, outcome.findings()),
        (2, Vec::new()),
        "no answer is no clean run: {}",
        outcome.findings_text()
    );
    let size = serde_json::to_vec(&outcome.report).unwrap().len();
    assert!(size < 1_000_000, "floods stay out of the report: {size} bytes");
}

/// A command that writes into the agent's own channel spoils the answers, and is told.
#[test]
#[ignore = "boots a real kernel"]
fn d_a_forged_frame_makes_no_pass() {
    let outcome = Bench::new("orchestrator/tests/suites", &["bad-forge"], &[]).run("v6", &["bad-forge"]);
    assert_eq!(outcome.changes().get("bad-forge").map(String::as_str), Some("UNKNOWN"));
    assert_eq!((outcome.code, outcome.findings()), (2, Vec::new()), "{}", outcome.findings_text());
    assert!(outcome.gaps().contains("frames were lost or forged"), "{}", outcome.gaps());
}
