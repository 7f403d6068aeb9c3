//! A box behind a BMC: power, console, ssh, kexec, and what is done when any of them fails. All of it is real but the
//! hardware, which is a guest that `ipmi_sim` switches.
//!
//! These tests take minutes; they share one box and one cache, so they run one after the other: `make test`, or
//! `cargo test --test real_box -- --ignored --test-threads=1`.

#[expect(dead_code, reason = "each program of tests plants some of the faults")]
mod planted;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// A test of each kind of device memory, and two that planted faults hit.
const TESTS: [&str; 3] = [
    "hmm.hmm.hmm_device_private.anon_read",
    "hmm.hmm.hmm_device_coherent.anon_read",
    "hmm.hmm2.hmm2_device_private.snapshot",
];

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// A lab on loopback, and a home whose `loop-ipmi` is its box; `loop-redfish` is the same box behind Redfish.
struct Bench {
    folder: tempfile::TempDir,
    env: BTreeMap<String, String>,
}

impl Bench {
    fn new() -> Bench {
        // Short: the lab's sockets have room for few characters.
        let folder = tempfile::Builder::new().prefix("box").tempdir().unwrap();
        let lab = folder.path().join("lab");
        let status = Command::new(repository().join("scripts/lab/up")).arg(&lab).args(["box", "redfish"]).status();
        assert!(status.expect("python3 is there").success(), "the lab comes up");
        let text = std::fs::read_to_string(lab.join("lab.env")).unwrap();
        let pairs = text.lines().filter_map(|line| line.split_once('='));
        let env = pairs.map(|(key, value)| (key.to_owned(), value.trim_matches('\'').to_owned())).collect();
        let bench = Bench { folder, env };
        bench.write_home();
        bench
    }

    fn write_home(&self) {
        let home = self.folder.path().join("home");
        std::fs::create_dir(&home).unwrap();
        for name in ["series", "kconfigs", "lab"] {
            let status = Command::new("cp").arg("-r").arg(repository().join(name)).arg(&home).status().unwrap();
            assert!(status.success());
        }
        // Examples of boxes that nobody has; a name of our own, so that no box of the user's is taken for the lab's.
        for name in ["ipmi", "redfish", "command"] {
            std::fs::remove_file(home.join(format!("lab/box-{name}.yaml"))).unwrap();
            let _ = std::fs::remove_dir_all(cache().join(format!("lab/loop-{name}")));
        }
        let matrix = home.join("kconfigs/matrix.yaml");
        let text = std::fs::read_to_string(&matrix).unwrap();
        assert!(text.contains("machine: box-ipmi"));
        std::fs::write(matrix, text.replace("machine: box-ipmi", "machine: loop-ipmi")).unwrap();
        let common = self.fill(
            "tags: {arch: x86_64}\n\
             ssh: {host: 127.0.0.1, port: @BOX_SSH_PORT, identity: @BOX_SSH_IDENTITY, host_key: @BOX_HOST_KEY}\n\
             boot: {method: kexec, default_kernel: {uname: '@BOX_DEFAULT_UNAME'}, initrd: @BOX_INITRD, \
             append: 'console=ttyS0,115200n8 panic=5 oops=panic'}\n\
             state_dir: @BOX_STATE_DIR\n\
             timeouts: {power_on: 120, boot: 120, silence: 60, suite: 900}\n",
        );
        let ipmi = self.fill(
            "name: loop-ipmi\n\
             power: {ipmi: {host: @BMC_HOST, port: @BMC_PORT, user: @BMC_USER, password: {file: @BMC_PASSWORD_FILE}}}\n\
             console: {sol: {}}\n",
        );
        let redfish = self.fill(
            "name: loop-redfish\n\
             power: {redfish: {url: '@REDFISH_URL', system: @REDFISH_SYSTEM, user: @REDFISH_USER, \
             password: {file: @REDFISH_PASSWORD_FILE}}}\n\
             console: {tcp: {host: 127.0.0.1, port: @BOX_CONSOLE_PORT}}\n",
        );
        std::fs::write(home.join("lab/loop-ipmi.yaml"), ipmi + &common).unwrap();
        std::fs::write(home.join("lab/loop-redfish.yaml"), redfish + &common).unwrap();
    }

    /// Puts the lab's values in place of `@NAME`, longer names first.
    fn fill(&self, text: &str) -> String {
        let mut names: Vec<&String> = self.env.keys().collect();
        names.sort_by_key(|name| std::cmp::Reverse(name.len()));
        names.iter().fold(text.to_owned(), |text, name| text.replace(&format!("@{name}"), &self.env[*name]))
    }

    fn results(&self) -> PathBuf {
        self.folder.path().join("results")
    }

    /// A command of the program under test; the cache is the user's, so that trees and builds are shared.
    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_orchestrator"));
        command.args(args).env("ORCHESTRATOR_RESULTS", self.results());
        command.env("ORCHESTRATOR_HOME", self.folder.path().join("home")).current_dir(repository());
        command
    }

    fn output(&self, args: &[&str]) -> (i32, String) {
        let output = self.command(args).output().unwrap();
        (output.status.code().expect("not killed"), text(&output))
    }

    fn run(&self, args: &[&str]) -> (i32, Value) {
        let code = self.command(args).status().unwrap().code().expect("not killed");
        let report = std::fs::read(self.results().join("latest/report.json")).unwrap();
        (code, serde_json::from_slice(&report).unwrap())
    }

    fn judge(&self, name: &str, patches: &[planted::Planted], tests: &[&str]) -> (i32, Value) {
        let folder = planted::write(self.folder.path(), name, &source, patches);
        let mut args = vec!["run", "series", folder.to_str().unwrap(), "--tree", "linux-6.12", "--kconfig", "hmm-box"];
        args.extend(tests.iter().flat_map(|test| ["--test", test]));
        self.run(&args)
    }

    fn hurt(&self, action: &str) {
        let mut command = Command::new(repository().join("scripts/lab/hurt"));
        assert!(command.arg(self.folder.path().join("lab")).arg(action).status().unwrap().success(), "{action}");
    }

    /// `lab run` of a build of the base with one test, and further arguments.
    fn lab_run(&self, further: &[&str]) -> (i32, String) {
        self.lab_run_on("loop-ipmi", further)
    }

    fn lab_run_on(&self, machine: &str, further: &[&str]) -> (i32, String) {
        let kernel = box_build();
        let (image, program) = (kernel.join("bzImage"), kernel.join("selftests/hmm-tests"));
        let mut args = vec!["lab", "run", machine, "--kernel", image.to_str().unwrap()];
        args.extend(["--program", program.to_str().unwrap(), "--test", TESTS[0]]);
        args.extend(further);
        self.output(&args)
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        for name in ["ipmi", "redfish"] {
            let _ = std::fs::remove_dir_all(cache().join(format!("lab/loop-{name}")));
        }
        let _ = Command::new(repository().join("scripts/lab/down")).arg(self.folder.path().join("lab")).status();
    }
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn cache() -> PathBuf {
    std::env::var("ORCHESTRATOR_CACHE")
        .map_or_else(|_| PathBuf::from(std::env::var("HOME").unwrap()).join(".cache/orchestrator"), PathBuf::from)
}

/// A build of the base for boxes, which an earlier test made.
fn box_build() -> PathBuf {
    let builds = std::fs::read_dir(cache().join("builds")).unwrap().flatten().map(|entry| entry.path());
    let is_base = |path: &PathBuf| {
        let Ok(bytes) = std::fs::read(path.join("record.json")) else { return false };
        let record: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        record["kconfig"] == "hmm-box"
            && record["revision"] == "base"
            && path.join("bzImage").exists()
            && path.join("selftests/hmm-tests").exists()
    };
    builds.into_iter().find(is_base).expect("the first test built a kernel for boxes")
}

/// A file of the base of tree linux-6.12.
fn source(path: &str) -> String {
    let trees = cache().join("trees");
    let imported = std::fs::read(trees.join("linux-6.12.git/imported.json")).expect("tree linux-6.12 was imported");
    let imported: Value = serde_json::from_slice(&imported).unwrap();
    let repository = git2::Repository::open_bare(trees.join("linux-6.12.git")).unwrap();
    let base = git2::Oid::from_str(imported["commit"].as_str().unwrap()).unwrap();
    let base = repository.find_commit(base).unwrap().tree().unwrap();
    let blob = base.get_path(Path::new(path)).unwrap().to_object(&repository).unwrap().peel_to_blob().unwrap();
    String::from_utf8(blob.content().to_vec()).unwrap()
}

fn only_finding<'a>(report: &'a Value, kind: &str) -> &'a Value {
    let findings = report["findings"].as_array().unwrap();
    assert!(findings.len() == 1 && findings[0]["kind"] == kind, "{}", serde_json::to_string_pretty(findings).unwrap());
    assert_eq!(findings[0]["patch"]["number"], 2);
    &findings[0]
}

/// Goes first: imports the tree, builds the kernels of v6.
#[test]
#[ignore = "builds a real kernel and boots it on a box"]
fn a_v6_on_a_box_is_clean() {
    let bench = Bench::new();
    let (code, report) = bench.run(&["run", "series", "v6", "--tree", "linux-6.12", "--kconfig", "hmm-box"]);
    assert_eq!((code, report["verdict"].as_str().unwrap()), (0, "clean"), "{}", report["findings"]);
    let tests = &report["coverage"]["tests"];
    assert!(tests["both"].as_u64().unwrap() >= 56, "{tests}");
    let boots = report["boots"].as_array().unwrap();
    assert!(boots.iter().all(|boot| boot["machine"] == "loop-ipmi" && boot["accel"] == "native"), "{boots:?}");
    let (_, list) = bench.output(&["lab", "list"]);
    assert!(list.lines().any(|line| line.starts_with("loop-ipmi") && line.contains("well at")), "{list}");
}

#[test]
#[ignore = "boots a real kernel on a box"]
fn b_a_panic_is_named_and_the_rest_is_run() {
    let (code, report) = Bench::new().judge("panics", planted::PANICS, &[TESTS[0], TESTS[2]]);
    assert_eq!(code, 1);
    let finding = only_finding(&report, "panic");
    assert!(finding["test"].as_str().unwrap().contains("snapshot"), "{finding}");
    assert!(finding["function"].as_str().unwrap().starts_with("dmirror_"), "{finding}");
    let rows = report["tests"][0]["rows"].as_array().unwrap();
    let read = rows.iter().find(|row| row["test"].as_str().unwrap().ends_with("anon_read")).unwrap();
    assert_eq!(read["change"], "STILL-PASSING", "the rest is run");
}

#[test]
#[ignore = "boots a real kernel on a box"]
fn c_a_hang_is_named() {
    let (code, report) = Bench::new().judge("hangs", planted::HANGS, &[TESTS[0], TESTS[2]]);
    assert_eq!(code, 1);
    let finding = only_finding(&report, "hang");
    assert!(finding["test"].as_str().unwrap().contains("snapshot"), "{finding}");
}

#[test]
#[ignore = "boots a real kernel on a box"]
fn d_a_wrong_kernel_and_a_dead_bmc_are_trouble_of_ours() {
    let bench = Bench::new();
    let (code, said) = bench.lab_run(&[]);
    assert!(code == 0 && said.contains(&format!("pass     {}", TESTS[0])), "{said}");
    let (code, said) = bench.lab_run(&["--build-id", "0123456789012345678901234567890123456789"]);
    assert!(code == 2 && said.contains("a wrong kernel runs"), "{said}");
    let (code, said) = bench.output(&["lab", "check", "loop-ipmi"]);
    assert!(code == 0 && said.contains("well"), "it was brought back: {said}");

    // Redfish switches the same box.
    for (action, state) in [("off", "off"), ("on", "on"), ("status", "on")] {
        let (code, said) = bench.output(&["lab", "power", "loop-redfish", action]);
        assert!(code == 0 && said.contains(&format!("loop-redfish: {state}")), "{action}: {said}");
    }

    // Nothing runs unrecorded.
    bench.hurt("kill-console");
    let (code, said) = bench.lab_run_on("loop-redfish", &[]);
    assert!(code == 2 && said.contains("the console cannot be opened"), "{said}");
    bench.hurt("start-console");
    let (code, said) = bench.lab_run_on("loop-redfish", &[]);
    assert!(code == 0, "{said}");

    bench.hurt("freeze-bmc");
    for miss in 1..=3 {
        let (code, said) = bench.lab_run(&[]);
        assert!(code == 2 && said.contains("(IPMI) does not do as told"), "{miss}: {said}");
    }
    let (code, said) = bench.lab_run(&[]);
    assert!(code == 2 && said.contains("was taken out") && said.contains("--return"), "{said}");
    let (_, list) = bench.output(&["lab", "list"]);
    assert!(list.contains("taken out"), "{list}");
    bench.hurt("thaw-bmc");
    let (code, said) = bench.lab_run(&[]);
    assert!(code == 2 && said.contains("was taken out"), "only a person brings it back: {said}");
    let (code, said) = bench.output(&["lab", "check", "loop-ipmi", "--return"]);
    assert!(code == 0 && said.contains("back in service"), "{said}");
    let (code, said) = bench.lab_run(&[]);
    assert!(code == 0, "{said}");
}

#[test]
#[ignore = "boots a real kernel on a box"]
fn e_one_waits_for_a_box_that_another_holds() {
    let bench = Bench::new();
    let (code, said) = bench.output(&["lab", "reserve", "loop-ipmi", "--reason", "new firmware"]);
    assert!(code == 0, "{said}");
    let kernel = box_build();
    let (image, program) = (kernel.join("bzImage"), kernel.join("selftests/hmm-tests"));
    let mut child = bench
        .command(&["lab", "run", "loop-ipmi", "--kernel", image.to_str().unwrap(), "--test", TESTS[0], "--program"])
        .arg(&program)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let waits = lines.by_ref().map(Result::unwrap).find(|line| line.contains("waiting for loop-ipmi"));
    assert!(waits.as_deref().is_some_and(|line| line.contains("new firmware")), "{waits:?}");
    assert_eq!(bench.output(&["lab", "release", "loop-ipmi"]).0, 0);
    // The pipe must not fill.
    for _ in lines {}
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
