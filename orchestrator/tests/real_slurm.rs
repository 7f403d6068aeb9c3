//! A real Slurm of three nodes on loopback: what it does to units, and what is done about it.
//!
//! All but those that `make test` names take many minutes. They share trees, and where they say so builds, with the user's
//! cache, and have a cache of their own beside it.

#[expect(dead_code, reason = "each program of tests plants some of the faults")]
mod planted;
mod slurm_lab;

use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use orchestrator::engine::{Demand, Done, Job, Programs, Shape, Shared, Slurm, SlurmFile, Start, UnitResult};
use orchestrator::words::{BuildOutcome, BuildRecord, Kconfig, Revision};
use planted::tree::source;
use serde_json::Value;
use slurm_lab::{Lab, Nodes, essence, killed, nodes};
use tokio_util::sync::CancellationToken;

#[test]
#[ignore = "builds real kernels on a real Slurm"]
fn what_crashes_is_mended_and_the_report_is_that_of_the_local_engine() {
    let lab = Lab::up(&[], Nodes::Share, &[]);
    let folder = planted::write(&lab.path(""), "one-kconfig", &source, planted::ONE_KCONFIG);
    let run = ["run", "series", folder.to_str().unwrap(), "--tree", "linux-6.12", "--no-boot"];
    let args: Vec<&str> = run.into_iter().chain(["--engine", "cluster", "--quiet"]).collect();
    let child = lab.orchestrator("results", &args).spawn().unwrap();

    // slurmctld is killed as soon as it accepted the first job.
    lab.until("a job is in the queue", || !lab.slurm("squeue", &["-h"]).trim().is_empty());
    lab.hurt(&["kill-slurmctld"]);
    lab.hurt(&["start-slurmctld"]);
    lab.until("a job runs", || !lab.slurm("squeue", &["-h", "-t", "R"]).trim().is_empty());

    // A node's slurmd is killed in mid-build.
    let compiles = |node: &str| {
        let work = lab.path("cache/work").join(format!("{node}-0")).join("linux-6.12");
        let entries = std::fs::read_dir(work).into_iter().flatten().flatten();
        entries.map(|entry| entry.path().join("kernel/fork.o")).any(|object| object.exists())
    };
    let mut running = None;
    lab.until("make is at work", || {
        let queue = lab.slurm("squeue", &["-h", "-t", "R", "-o", "%N %i"]);
        let jobs = queue.lines().filter_map(|line| line.split_once(' '));
        running = jobs.map(|(node, job)| (node.to_owned(), job.to_owned())).find(|(node, _)| compiles(node));
        running.is_some()
    });
    let (node, job) = running.unwrap();
    let (node, job) = (node.as_str(), job.as_str());
    lab.hurt(&["kill-slurmd", node]);

    // The orchestrator is killed, while jobs run on.
    killed(child);
    assert!(!lab.path("results/latest/report.json").exists(), "it was still at work");
    // Slurm starts the job once more, while the attempt that it lost sight of builds on.
    lab.until("the job is requeued", || lab.slurm("scontrol", &["show", "job", "-o", job]).contains("Restarts=1"));
    // It waits until the node is idle, which a node that gets a job at once never is.
    lab.try_to(&["start-slurmd", node]);
    let code = lab.orchestrator("results", &["resume", "--quiet"]).status().unwrap().code();
    let slurm = lab.report("results");
    assert_eq!(code, Some(1), "{:#}", slurm["findings"]);
    assert_eq!(lab.slurm("squeue", &["-h"]).trim(), "", "nothing is left in the queue");
    assert!(lab.slurm("scontrol", &["show", "licenses"]).contains("Used=0"), "no licence is held");

    let builds = slurm["builds"].as_array().unwrap();
    assert_eq!(builds.len(), 4, "two kconfigs of two revisions");
    let log = lab.log("results");
    for build in builds {
        let unit = format!("build/linux-6.12/{}/{}\"", slug(&build["revision"]), build["kconfig"].as_str().unwrap());
        let ends = log.lines().filter(|line| line.contains("\"unit-ended\"") && line.contains(&unit));
        // Those that were done before the kill are looked up by the process that resumes, and not made again.
        let made = ends.filter(|line| line.contains("\"reused\":false")).count();
        assert_eq!(made, 1, "{unit} is counted once");
    }
    assert_eq!(slurm["timing"]["units_reused"], 0, "what the run did before it was killed is its own");
    assert!(builds.iter().all(|build| build["node"]["engine"] == "cluster"), "{builds:?}");

    let (code, local) = lab.locally(&run);
    assert_eq!(code, 1);
    assert_eq!(essence(&slurm), essence(&local));
}

/// `patch 3/6` in the name of a unit.
fn slug(revision: &Value) -> String {
    let revision = revision.as_str().unwrap();
    revision.strip_prefix("patch ").map_or(revision.to_owned(), |rest| format!("p{}", rest.split('/').next().unwrap()))
}

/// Nothing is taken from a cache: 14 builds and all boots are jobs.
#[test]
#[ignore = "builds and boots real kernels on a real Slurm"]
fn v6_on_two_nodes_gives_the_report_of_a_local_run() {
    let lab = Lab::up(&[], Nodes::Share, &[]);
    let (code, slurm) = lab.on_cluster(&["run", "series", "v6"]);
    assert_eq!((code, slurm["verdict"].as_str().unwrap()), (0, "clean"), "{:#}", slurm["findings"]);
    assert_eq!((nodes(&slurm, "builds"), nodes(&slurm, "boots")), (two(), two()));
    let all = |key: &str| slurm[key].as_array().unwrap().iter().all(|row| row["node"].is_object());
    assert!(all("builds") && all("boots"), "each unit says where it was done");
    let (code, local) = lab.locally(&["run", "series", "v6"]);
    assert_eq!(code, 0);
    assert_eq!(essence(&slurm), essence(&local));
}

fn two() -> Vec<String> {
    ["n1", "n2"].map(str::to_owned).into()
}

/// Kernels are taken from the user's cache and booted by nodes that do not see it.
#[test]
#[ignore = "boots a real kernel on a real Slurm"]
fn a_fault_is_found_by_nodes_that_share_nothing() {
    let lab = Lab::up(&["ssh"], Nodes::Apart, &["builds"]);
    let folder = planted::write(&lab.path(""), "fails-test", &source, planted::FAILS_TEST);
    let mut args =
        vec!["run", "series", folder.to_str().unwrap(), "--tree", "linux-6.12", "--kconfig", "hmm", "--no-bench"];
    let tests = ["hmm.hmm.hmm_device_private.anon_read", "hmm.hmm2.hmm2_device_private.snapshot"];
    args.extend(tests.iter().flat_map(|test| ["--test", test]));
    let (code, slurm) = lab.on_cluster(&args);
    assert_eq!(code, 1, "{:#}", slurm["notes"]);
    let finding = &slurm["findings"][0];
    assert_eq!((finding["kind"].as_str(), finding["patch"]["number"].as_u64()), (Some("test-regressed"), Some(2)));
    assert!(!nodes(&slurm, "boots").is_empty(), "{:#}", slurm["boots"]);
    let (_, local) = lab.locally(&args);
    assert_eq!(essence(&slurm), essence(&local));

    // What came back is whole, what lay there was sent once, and the other cache has jobs that name nothing of this one.
    let boots = slurm["boots"].as_array().unwrap();
    for boot in boots {
        let log = lab.path("results/latest").join(boot["console"].as_str().unwrap());
        assert!(std::fs::read_to_string(log).unwrap().contains("Linux version"));
    }
    let files = |name: &str| {
        let found = Command::new("find").arg(lab.path("there/files")).args(["-name", name]).output().unwrap();
        String::from_utf8(found.stdout).unwrap().lines().count()
    };
    let kernels = files("vmlinux");
    assert!((2..boots.len()).contains(&kernels), "{kernels} kernels for {} boots", boots.len());
    assert_eq!(files("orchestrator"), 1, "the program itself");
    let here = lab.path("cache").display().to_string();
    let found =
        Command::new("grep").args(["-rlF", &here]).args([lab.path("there/jobs"), lab.path("there/boots")]).output();
    assert_eq!(String::from_utf8(found.unwrap().stdout).unwrap(), "");

    // Another host key is somebody else.
    let engines = std::fs::read_to_string(lab.path("home/lab/engines.yaml")).unwrap();
    let other = std::fs::read_to_string(lab.path("lab/ssh/id_ed25519.pub")).unwrap();
    let other = engines.replace(&lab.fill("@SSHD_HOST_KEY"), other.trim());
    assert_ne!(other, engines);
    std::fs::write(lab.path("home/lab/engines.yaml"), other).unwrap();
    let args: Vec<&str> = args.iter().copied().chain(["--engine", "cluster", "--fresh", "--quiet"]).collect();
    let mut child = lab.orchestrator("refused", &args).spawn().unwrap();
    lab.until("the host is refused", || lab.log("refused").contains("Host key verification failed"));
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(child.id() as i32), nix::sys::signal::Signal::SIGTERM).unwrap();
    child.wait().unwrap();
    assert_eq!(lab.slurm("squeue", &["-h"]).trim(), "");
}

/// Source is pushed, kernels are built over there, and what was built comes back.
#[test]
#[ignore = "builds real kernels on a real Slurm"]
fn builds_of_nodes_that_share_nothing_come_back() {
    let lab = Lab::up(&["ssh"], Nodes::Apart, &[]);
    let folder = planted::write(&lab.path(""), "one-kconfig", &source, planted::ONE_KCONFIG);
    let args =
        ["run", "series", folder.to_str().unwrap(), "--tree", "linux-6.12", "--no-boot", "--kconfig", "no-hmm-mirror"];
    // Killed while its job is at work: the next process finds the job by name over there.
    let first: Vec<&str> = args.iter().copied().chain(["--engine", "cluster", "--quiet"]).collect();
    let child = lab.orchestrator("results", &first).spawn().unwrap();
    lab.until("a job runs", || !lab.slurm("squeue", &["-h", "-t", "R"]).trim().is_empty());
    killed(child);
    // The login node is away for a while.
    lab.hurt(&["kill-sshd"]);
    let mut child = lab.orchestrator("results", &["resume", "--quiet"]).spawn().unwrap();
    lab.until("the login node is missed", || lab.log("results").contains("waiting for it"));
    lab.hurt(&["start-sshd"]);
    assert_eq!(child.wait().unwrap().code(), Some(1));
    let slurm = lab.report("results");
    let jobs = std::fs::read_dir(lab.path("there/jobs")).unwrap().flatten().next().unwrap().path();
    let logs = Command::new("find").arg(jobs).args(["-name", "*.log"]).output().unwrap();
    assert_eq!(String::from_utf8(logs.stdout).unwrap().lines().count(), 2, "each build was one job");
    let (code, local) = lab.locally(&args);
    assert_eq!(code, 1);
    assert_eq!(essence(&slurm), essence(&local));
    let built = std::fs::read_dir(lab.path("cache/builds")).unwrap().flatten();
    let base = built.map(|entry| entry.path()).find(|path| path.join("vmlinux").exists()).expect("the base came back");
    let there = lab.path("there/builds").join(base.file_name().unwrap());
    assert_eq!(std::fs::read(base.join("vmlinux")).unwrap(), std::fs::read(there.join("vmlinux")).unwrap());
}

/// The box behind the BMC is a licence; the job on the control node drives it by BMC, console, ssh and kexec.
#[test]
#[ignore = "boots a real kernel on a box"]
fn a_box_is_driven_by_a_job_with_its_licence() {
    let lab = Lab::up(&["box"], Nodes::Share, &["builds"]);
    for name in ["ipmi", "redfish", "command"] {
        std::fs::remove_file(lab.path("home/lab").join(format!("box-{name}.yaml"))).unwrap();
    }
    let machine = lab.fill(
        "name: box-ipmi\ntags: {arch: x86_64}\nreserve: {slurm: {license: @SLURM_LICENCE, partition: lab}}\n\
         power: {ipmi: {host: @BMC_HOST, port: @BMC_PORT, user: @BMC_USER, password: {file: @BMC_PASSWORD_FILE}}}\n\
         console: {sol: {}}\n\
         ssh: {host: 127.0.0.1, port: @BOX_SSH_PORT, identity: @BOX_SSH_IDENTITY, host_key: @BOX_HOST_KEY}\n\
         boot: {method: kexec, default_kernel: {uname: '@BOX_DEFAULT_UNAME'}, initrd: @BOX_INITRD, \
         append: 'console=ttyS0,115200n8 panic=5 oops=panic'}\n\
         state_dir: @BOX_STATE_DIR\ntimeouts: {power_on: 120, boot: 120, silence: 60, suite: 900}\n",
    );
    std::fs::write(lab.path("home/lab/box-ipmi.yaml"), machine).unwrap();
    let folder = planted::write(&lab.path(""), "panics", &source, planted::PANICS);
    let mut args = vec!["run", "series", folder.to_str().unwrap(), "--tree", "linux-6.12", "--kconfig", "hmm-box"];
    let tests = ["hmm.hmm.hmm_device_private.anon_read", "hmm.hmm2.hmm2_device_private.snapshot"];
    args.extend(tests.iter().flat_map(|test| ["--test", test]));
    // Builds on this host, the box through Slurm all the same.
    args.extend(["--engine", "local", "--quiet"]);
    let mut child = lab.orchestrator("results", &args).spawn().unwrap();
    lab.until("a job holds the licence", || lab.slurm("scontrol", &["show", "licenses"]).contains("Used=1"));
    assert!(lab.slurm("squeue", &["-h", "-o", "%P %W"]).contains("lab dut-box-01"), "on the control node's partition");
    assert_eq!(child.wait().unwrap().code(), Some(1));
    let report = lab.report("results");
    let finding = &report["findings"][0];
    assert_eq!((finding["kind"].as_str(), finding["patch"]["number"].as_u64()), (Some("panic"), Some(2)), "{finding}");
    let boots = report["boots"].as_array().unwrap();
    assert!(boots.iter().all(|boot| boot["machine"] == "box-ipmi" && boot["accel"] == "native"), "{boots:?}");
    assert_eq!(nodes(&report, "boots"), ["ctl1"]);
    assert!(lab.slurm("scontrol", &["show", "licenses"]).contains("Used=0"), "the licence was released");
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
    let lab = Lab::up(&[], Nodes::Share, &[]);
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
            carrier: Arc::new(Shared { cache: cache.clone(), program: program.to_string() }),
            cache: cache.clone(),
            run: run.to_owned(),
            events: Arc::new(|_| {}),
            cancel: CancellationToken::new(),
        })
    };
    let (job, kconfig) = job(&cache);
    let prepare = |engine: &Slurm| {
        let folder = cache.join(engine.folder(&job));
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
