//! A real Slurm on loopback with a home and a cache for it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::planted::tree::cache;

/// What the nodes see of the cache of the run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Nodes {
    /// The same folder.
    Share,
    /// Nothing: they have a cache of their own, behind a login node.
    Apart,
}

/// A lab that is up, below a folder of its own.
pub struct Lab {
    folder: tempfile::TempDir,
    env: BTreeMap<String, String>,
}

pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

impl Lab {
    /// Slurm with two build nodes and further parts of the lab. The cache has the trees of the user's and those other
    /// folders of it.
    pub fn up(parts: &[&str], nodes: Nodes, folders: &[&str]) -> Lab {
        // Beside the user's cache, so that links to its files can be made.
        let folder = tempfile::Builder::new().prefix("slurm-").tempdir_in(cache()).unwrap();
        let lab = folder.path().join("lab");
        let up = Command::new(repository().join("scripts/lab/up")).arg(&lab).arg("slurm").args(parts).status();
        assert!(up.unwrap().success(), "the lab comes up");
        let text = std::fs::read_to_string(lab.join("lab.env")).unwrap();
        let pairs = text.lines().filter_map(|line| line.split_once('='));
        let env = pairs.map(|(key, value)| (key.to_owned(), value.trim_matches('\'').to_owned())).collect();
        let lab = Lab { folder, env };
        std::fs::create_dir_all(lab.path("home")).unwrap();
        for folder in ["series", "kconfigs", "lab"] {
            let copied = Command::new("cp").arg("-r").arg(repository().join(folder)).arg(lab.path("home")).status();
            assert!(copied.unwrap().success());
        }
        std::fs::create_dir_all(lab.path("cache")).unwrap();
        for folder in ["trees"].iter().chain(folders) {
            let linked = Command::new("cp").arg("-rl").arg(cache().join(folder)).arg(lab.path("cache")).status();
            assert!(linked.unwrap().success(), "{folder}: the tests of the kernel were run before");
        }
        lab.engine(nodes);
        lab
    }

    fn engine(&self, nodes: Nodes) {
        let login = self.fill(&format!(
            "      login:\n        ssh: {{host: '@SSHD_HOST', port: @SSHD_PORT, user: @SSHD_USER, identity: @SSHD_IDENTITY, \
             host_key: '@SSHD_HOST_KEY'}}\n        cache: {}\n",
            self.path("there").display()
        ));
        let text = format!(
            "engines:\n  cluster:\n    slurm:\n      conf: {}\n      builds_at_once: 2\n      poll: 1\n{}      \
             build: {{partition: build, cpus: 2, memory: 3000, minutes: 60}}\n      \
             boot: {{partition: build, constraint: qemu, gres: 'kvm:1', cpus: 1, memory: 1900, minutes: 60}}\n      \
             box: {{cpus: 1, memory: 500, minutes: 60}}\n",
            self.path("lab/slurm/slurm.conf").display(),
            if nodes == Nodes::Apart { login.as_str() } else { "" },
        );
        std::fs::write(self.path("home/lab/engines.yaml"), text).unwrap();
    }

    /// Puts the lab's values in place of `@NAME`, longer names first.
    pub fn fill(&self, text: &str) -> String {
        let mut names: Vec<&String> = self.env.keys().collect();
        names.sort_by_key(|name| std::cmp::Reverse(name.len()));
        names.iter().fold(text.to_owned(), |text, name| text.replace(&format!("@{name}"), &self.env[*name]))
    }

    pub fn path(&self, inside: &str) -> PathBuf {
        self.folder.path().join(inside)
    }

    pub fn orchestrator(&self, results: &str, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_orchestrator"));
        command
            .args(args)
            .env("ORCHESTRATOR_HOME", self.path("home"))
            .env("ORCHESTRATOR_CACHE", self.path("cache"))
            .env("ORCHESTRATOR_RESULTS", self.path(results))
            .current_dir(repository());
        command
    }

    /// A run on the cluster; its exit code and report.
    pub fn on_cluster(&self, args: &[&str]) -> (i32, Value) {
        let args: Vec<&str> = args.iter().copied().chain(["--engine", "cluster", "--quiet"]).collect();
        let code = self.orchestrator("results", &args).status().unwrap().code().unwrap();
        assert_eq!(self.slurm("squeue", &["-h"]).trim(), "", "nothing is left in the queue");
        (code, self.report("results"))
    }

    /// The same run on this host, with the user's cache: most of it is there from the tests of the kernel.
    pub fn locally(&self, args: &[&str]) -> (i32, Value) {
        let args: Vec<&str> = args.iter().copied().chain(["--engine", "local", "--quiet"]).collect();
        let mut local = self.orchestrator("local", &args);
        let code = local.env("ORCHESTRATOR_CACHE", cache()).status().unwrap().code().unwrap();
        (code, self.report("local"))
    }

    pub fn slurm(&self, program: &str, args: &[&str]) -> String {
        let conf = self.path("lab/slurm/slurm.conf");
        let output = Command::new(program).args(args).env("SLURM_CONF", conf).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    pub fn report(&self, results: &str) -> Value {
        let text = std::fs::read(self.path(results).join("latest/report.json")).unwrap();
        serde_json::from_slice(&text).unwrap()
    }

    pub fn log(&self, results: &str) -> String {
        std::fs::read_to_string(self.path(results).join("latest/events.jsonl")).unwrap_or_default()
    }

    /// Waits for something that Slurm or the run has to come to by itself.
    pub fn until(&self, what: &str, mut happened: impl FnMut() -> bool) {
        let begun = Instant::now();
        while !happened() {
            assert!(begun.elapsed() < Duration::from_secs(900), "waited in vain until {what}");
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// Does something to the lab.
    pub fn hurt(&self, words: &[&str]) {
        assert!(self.try_to(words), "{words:?}");
    }

    pub fn try_to(&self, words: &[&str]) -> bool {
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

/// What must be the same on every engine: all that a report says, but for times, hosts, paths and where a unit was done.
pub fn essence(report: &Value) -> Value {
    let rows = |key: &str, fields: &[&str]| {
        let one = |row: &Value| fields.iter().map(|field| row[*field].clone()).collect::<Value>();
        let mut rows: Vec<Value> = report[key].as_array().unwrap().iter().map(one).collect();
        // Boots stand in the order in which they ended.
        rows.sort_by_key(Value::to_string);
        rows
    };
    let findings: Vec<Value> = report["findings"].as_array().unwrap().iter().map(without_evidence).collect();
    json!({
        "verdict": report["verdict"],
        "findings": findings,
        "builds": rows("builds", &["tree", "revision", "kconfig", "outcome", "new_diagnostics", "identical_to", "objects"]),
        "boots": rows("boots", &["tree", "kconfig", "machine", "kernel", "selftests", "attempt", "end", "accel", "tests", "splats"]),
        "tests": rows("tests", &["tree", "kconfig", "machine", "note", "rows"]),
        "coverage": report["coverage"]["tests"],
    })
}

/// Evidence quotes logs with times and paths in them; the command names the run.
fn without_evidence(finding: &Value) -> Value {
    let mut finding = finding.clone();
    for key in ["evidence", "reproduce"] {
        finding[key].take();
    }
    finding
}

/// Nodes of the cluster that did something, each once.
pub fn nodes(report: &Value, key: &str) -> Vec<String> {
    let rows = report[key].as_array().unwrap();
    assert!(rows.iter().all(|row| row["node"].is_null() || row["node"]["engine"] == "cluster"), "{rows:?}");
    let mut names: Vec<String> = rows.iter().filter_map(|row| Some(row["node"]["name"].as_str()?.to_owned())).collect();
    names.sort();
    names.dedup();
    names
}

pub fn killed(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}
