//! A real Slurm of three nodes on loopback: what it does to units, and what is done about it.
//!
//! Builds a small kernel configuration on the nodes and boots nothing, so that each test takes minutes at most. They
//! share the tree of the user's cache and have a cache of their own beside it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::Arc;
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use orchestrator::engine::{Demand, Done, Job, Programs, Shape, Slurm, SlurmFile, Start, UnitResult};
use orchestrator::words::{BuildOutcome, BuildRecord, Kconfig, Revision};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

struct Lab {
    folder: tempfile::TempDir,
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn user_cache() -> PathBuf {
    std::env::var("ORCHESTRATOR_CACHE")
        .map_or_else(|_| PathBuf::from(std::env::var("HOME").unwrap()).join(".cache/orchestrator"), PathBuf::from)
}

impl Lab {
    /// Slurm with two build nodes, and a home and a cache for it.
    fn up() -> Lab {
        let lab = Lab { folder: tempfile::Builder::new().prefix("slurm-").tempdir_in(user_cache()).unwrap() };
        let script = repository().join("scripts/lab/up");
        assert!(Command::new(script).arg(lab.path("lab")).arg("slurm").status().unwrap().success());
        std::fs::create_dir_all(lab.path("home")).unwrap();
        for folder in ["series", "kconfigs", "lab"] {
            let copied = Command::new("cp").arg("-r").arg(repository().join(folder)).arg(lab.path("home")).status();
            assert!(copied.unwrap().success());
        }
        std::fs::create_dir_all(lab.path("cache")).unwrap();
        let trees = Command::new("cp").args(["-rl"]).arg(user_cache().join("trees")).arg(lab.path("cache")).status();
        assert!(trees.unwrap().success(), "tree linux-6.12 was imported");
        std::fs::write(
            lab.path("home/lab/engines.yaml"),
            format!(
                "engines:\n  cluster:\n    slurm:\n      conf: {}\n      builds_at_once: 2\n      poll: 1\n      \
                 build: {{partition: build, cpus: 2, memory: 3000, minutes: 60}}\n",
                lab.path("lab/slurm/slurm.conf").display()
            ),
        )
        .unwrap();
        lab
    }

    fn path(&self, inside: &str) -> PathBuf {
        self.folder.path().join(inside)
    }

    fn orchestrator(&self, results: &str, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_orchestrator"));
        command
            .args(args)
            .env("ORCHESTRATOR_HOME", self.path("home"))
            .env("ORCHESTRATOR_CACHE", self.path("cache"))
            .env("ORCHESTRATOR_RESULTS", self.path(results))
            .current_dir(repository());
        command
    }

    fn slurm(&self, program: &str, args: &[&str]) -> String {
        let conf = self.path("lab/slurm/slurm.conf");
        let output = Command::new(program).args(args).env("SLURM_CONF", conf).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    fn report(&self, results: &str) -> Value {
        let text = std::fs::read(self.path(results).join("latest/report.json")).unwrap();
        serde_json::from_slice(&text).unwrap()
    }

    fn log(&self, results: &str) -> String {
        std::fs::read_to_string(self.path(results).join("latest/events.jsonl")).unwrap_or_default()
    }

    /// Waits for something that Slurm or the run has to come to by itself.
    fn until(&self, what: &str, mut happened: impl FnMut() -> bool) {
        let begun = Instant::now();
        while !happened() {
            assert!(begun.elapsed() < Duration::from_secs(900), "waited in vain until {what}");
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// Does something to the lab.
    fn hurt(&self, words: &[&str]) {
        assert!(self.try_to(words), "{words:?}");
    }

    fn try_to(&self, words: &[&str]) -> bool {
        let script = repository().join("scripts/lab/hurt");
        Command::new(script).arg(self.path("lab")).args(words).status().unwrap().success()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.slurm("scancel", &["--me"]);
        let down = Command::new(repository().join("scripts/lab/down")).arg(self.path("lab")).status();
        if !std::thread::panicking() {
            assert!(down.unwrap().success());
        }
    }
}

/// A run that builds two kconfigs of a series and boots nothing.
const RUN: [&str; 8] = ["run", "series", "v6", "--no-boot", "--kconfig", "no-hmm-mirror", "--kconfig", "allnoconfig"];

/// What must be the same on every engine.
fn essence(report: &Value) -> Value {
    let of = |build: &Value| {
        serde_json::json!([build["revision"], build["kconfig"], build["outcome"], build["image"], build["diagnostics"]])
    };
    let builds: Vec<Value> = report["builds"].as_array().unwrap().iter().map(of).collect();
    serde_json::json!({"verdict": report["verdict"], "findings": report["findings"], "builds": builds})
}

fn killed(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
#[ignore = "builds real kernels on a real Slurm"]
fn what_crashes_is_mended_and_the_report_is_that_of_the_local_engine() {
    let lab = Lab::up();
    let args: Vec<&str> = RUN.into_iter().chain(["--engine", "cluster", "--quiet"]).collect();
    let child = lab.orchestrator("results", &args).spawn().unwrap();

    // slurmctld is killed as soon as it accepted the first job.
    lab.until("a job is in the queue", || !lab.slurm("squeue", &["-h"]).trim().is_empty());
    lab.hurt(&["kill-slurmctld"]);
    lab.hurt(&["start-slurmctld"]);
    lab.until("a job runs", || !lab.slurm("squeue", &["-h", "-t", "R"]).trim().is_empty());

    // A node's slurmd is killed in mid-build.
    let node = lab.slurm("squeue", &["-h", "-t", "R", "-o", "%N"]).lines().next().unwrap().to_owned();
    lab.hurt(&["kill-slurmd", &node]);

    // The orchestrator is killed, while jobs run on.
    killed(child);
    assert!(!lab.path("results/latest/report.json").exists(), "it was still at work");
    // It waits until the node is idle, which a node that gets a job at once never is.
    lab.try_to(&["start-slurmd", &node]);
    let code = lab.orchestrator("results", &["resume", "--quiet"]).status().unwrap().code();
    let slurm = lab.report("results");
    assert_eq!(code, Some(0), "{:#}", slurm["findings"]);
    assert_eq!(lab.slurm("squeue", &["-h"]).trim(), "", "nothing is left in the queue");
    let ended = |unit: &Value| {
        let made = |line: &&str| line.contains("\"unit-ended\"") && line.contains(unit.as_str().unwrap());
        lab.log("results").lines().filter(made).count()
    };
    for build in slurm["builds"].as_array().unwrap() {
        let unit = &build["unit"];
        assert!(unit.is_null() || ended(unit) <= 2, "{unit} was counted more than once by a process");
    }

    // In the user's cache, where the tests of the kernel have most of it from a run of their own.
    let args: Vec<&str> = RUN.into_iter().chain(["--engine", "local", "--quiet"]).collect();
    let mut local = lab.orchestrator("local", &args);
    assert_eq!(local.env("ORCHESTRATOR_CACHE", user_cache()).status().unwrap().code(), Some(0));
    assert_eq!(essence(&slurm), essence(&lab.report("local")));
}

/// A job that only a program of the test does.
fn job(cache: &Utf8Path) -> (Job, Kconfig) {
    let kconfig: Kconfig = serde_json::from_value(serde_json::json!({
        "name": "k", "about": "", "kind": "link", "profile": "quick", "arch": "x86_64", "base": "tinyconfig",
        "seed": null, "fragments": [], "require": {}, "optional": [], "toolchain": "gcc", "cross_compile": "",
        "make": [], "boot": null,
    }))
    .unwrap();
    let build = serde_json::json!({"build": {
        "key": "k", "revision": {"revision": "base", "commit": "a", "tree": "b", "touched": []}, "kconfig": kconfig,
        "tree": {"name": "t", "repo": "t.git", "commit": "a", "kernel_version": "", "source": "", "skipped_sources": []},
        "suites": [], "jobs": 1, "options": {"w1": false, "sparse": false}, "touched": [], "fresh": false,
    }});
    (Job::new("boot/t/base/box", 1, serde_json::from_value(build).unwrap(), cache), kconfig)
}

/// Two runs, each with a unit on the same box. The program of the test stands for `orchestrator unit`: it waits until
/// the test lets it go, and then leaves the result.
#[tokio::test]
#[ignore = "needs a real Slurm"]
async fn two_runs_want_one_box_and_one_waits() {
    let lab = Lab::up();
    let cache = Utf8PathBuf::from_path_buf(lab.path("cache")).unwrap();
    let program = cache.join("stand-in");
    let script = "#!/bin/sh\nuntil [ -e \"$4/go\" ]; do sleep 0.1; done\nln \"$4/answer\" \"$4/result.json\"\n";
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let setup: SlurmFile = serde_json::from_value(serde_json::json!({"poll": 1})).unwrap();
    let engine = |run: &str| {
        Slurm::new(Start {
            setup: setup.clone(),
            caller: Arc::new(Programs { conf: Some(lab.path("lab/slurm/slurm.conf").display().to_string()) }),
            cache: cache.clone(),
            run: run.to_owned(),
            program: program.to_string(),
            events: Arc::new(|_| {}),
            cancel: CancellationToken::new(),
        })
    };
    let (job, kconfig) = job(&cache);
    let prepare = |engine: &Slurm| {
        let folder = engine.folder(&job);
        std::fs::create_dir_all(&folder).unwrap();
        let outcome = BuildOutcome::Built;
        let done = Done::Build(Box::new(BuildRecord::unbuilt(Revision::Base, &kconfig, outcome)));
        let (digest, id, node) = (job.digest(), "1.0".to_owned(), "ctl1".to_owned());
        let answer = UnitResult { format: job.format, digest, id, node, notes: Vec::new(), done };
        std::fs::write(folder.join("answer"), serde_json::to_vec(&answer).unwrap()).unwrap();
        folder
    };
    let shape = Shape { partition: Some("lab".into()), memory: 100, cpus: 1, ..Shape::default() };
    let demand = Demand { shape, license: Some("dut-box-01".into()), exclusive: false };
    let (one, two) = (engine("one"), engine("two"));
    let (first, second) = (prepare(&one), prepare(&two));
    let queue = || lab.slurm("squeue", &["-h", "-o", "%j|%T|%r"]);
    let watch = async {
        until("the licence is held and waited for", || {
            let queue = queue();
            queue.contains("|RUNNING|") && queue.contains("|PENDING|Licenses")
        })
        .await;
        // Whichever came first goes on; the licence is the other's then.
        let early = if queue().contains("one/boot/t/base/box|RUNNING") { [&first, &second] } else { [&second, &first] };
        std::fs::write(early[0].join("go"), "").unwrap();
        until("the second has the licence", || {
            let queue = queue();
            queue.contains("|RUNNING|") && !queue.contains("PENDING")
        })
        .await;
        assert!(!early[1].join("result.json").exists());
        std::fs::write(early[1].join("go"), "").unwrap();
    };
    let (one, two, ()) = tokio::join!(one.run(&job, &demand), two.run(&job, &demand), watch);
    assert!(one.is_ok() && two.is_ok(), "{one:?} {two:?}");
    assert!(lab.slurm("scontrol", &["show", "licenses"]).contains("Used=0"), "the licence was released");
}

async fn until(what: &str, mut happened: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !happened() {
        assert!(begun.elapsed() < Duration::from_secs(120), "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
