//! The nightly run started by what starts it on a host: units that systemd accepts, and a real cron daemon.
//!
//! Needs the Debian packages systemd and cron; `make test` runs it.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

const PROGRAM: &str = env!("CARGO_BIN_EXE_orchestrator");

/// A home whose nightly run follows nothing: it begins, finds nothing to do and ends.
fn home(folder: &Path) {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for name in ["series", "kconfigs", "lab"] {
        let status = Command::new("cp").arg("-r").arg(shipped.join(name)).arg(folder).status().unwrap();
        assert!(status.success());
    }
    std::fs::write(folder.join("series/nightly.yaml"), "series: []\nfree_gib: 1\n").unwrap();
}

fn orchestrator(folder: &Path) -> Command {
    let mut command = Command::new(PROGRAM);
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap()).env("HOME", folder);
    command.arg("--home").arg(folder).arg("--cache").arg(folder.join("cache"));
    command
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn units(folder: &Path, kind: &str, user: &str) -> String {
    let output = orchestrator(folder).args(["nightly", "--print-unit", kind, "--user", user]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
#[ignore = "needs systemd-analyze"]
fn systemd_accepts_the_units() {
    let folder = tempfile::tempdir().unwrap();
    home(folder.path());
    let printed = units(folder.path(), "systemd", "root");
    let (service, timer) = printed.split_once("# /etc/systemd/system/orchestrator-nightly.timer\n").unwrap();
    let files = [("orchestrator-nightly.service", service), ("orchestrator-nightly.timer", timer)];
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let output = Command::new("systemd-analyze")
        .args(["verify", "--man=no", "--recursive-errors=no"])
        .args(files.map(|(name, _)| folder.path().join(name)))
        .output()
        .expect("systemd-analyze is there: apt-get install systemd");
    assert!(output.status.success() && text(&output).trim().is_empty(), "{}", text(&output));
    // The check can fail.
    std::fs::write(folder.path().join(files[0].0), service.replace("Type=oneshot", "Type=never")).unwrap();
    let output = Command::new("systemd-analyze")
        .args(["verify", "--man=no", "--recursive-errors=no"])
        .arg(folder.path().join(files[0].0))
        .output()
        .unwrap();
    assert!(!text(&output).trim().is_empty());
}

/// A daemon that dies with the test.
struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
#[ignore = "needs root and the package cron, takes up to two minutes"]
fn cron_starts_it_and_has_nothing_to_mail() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    home(folder.path());
    let printed = units(folder.path(), "cron", "root");
    let line = printed.lines().find(|line| line.starts_with("30 1 * * * root ")).unwrap();
    let said = folder.path().join("said");
    // Every minute, with what a mail of cron would hold in a file.
    let every_minute = line.replace("30 1 * * * root ", "* * * * * ");
    let table = format!(
        "SHELL=/bin/sh\nHOME={}\nMAILTO=\"\"\n{every_minute} >>{} 2>&1\n",
        folder.path().display(),
        said.display()
    );
    let file = folder.path().join("crontab");
    std::fs::write(&file, table).unwrap();
    // The daemon sees this table alone, and the host's tables stay as they are.
    let script = "mount -t tmpfs tmpfs /var/spool/cron/crontabs && mount -t tmpfs tmpfs /etc/cron.d && \
                  mount -t tmpfs tmpfs /run && mount --bind /dev/null /etc/crontab && crontab \"$1\" && exec cron -f";
    let daemon = Command::new("unshare")
        .args(["--mount", "--pid", "--fork", "--kill-child", "sh", "-c", script, "sh"])
        .arg(&file)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn();
    let mut daemon = Daemon(daemon.expect("unshare is there: apt-get install util-linux"));
    let journal = folder.path().join("results/nightly/events.jsonl");
    let ended = || std::fs::read_to_string(&journal).is_ok_and(|text| text.contains("\"night-ended\""));
    let begun = Instant::now();
    while !ended() && begun.elapsed() < Duration::from_secs(180) {
        let died = daemon.0.try_wait().unwrap();
        assert!(died.is_none(), "cron did not stay: {died:?}; it needs root, apt-get install cron");
        std::thread::sleep(Duration::from_millis(500));
    }
    assert!(ended(), "cron started nothing: {}", std::fs::read_to_string(&said).unwrap_or_default());
    assert!(std::fs::read_to_string(&journal).unwrap().contains("nothing changed"));
    // The pages are made after the last event.
    let site = folder.path().join("results/site/index.html");
    let begun = Instant::now();
    while !site.exists() && begun.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(site.exists());
    drop(daemon);
    assert_eq!(std::fs::read_to_string(&said).unwrap(), "", "a night without news is silent");
}

#[test]
#[ignore = "starts the program"]
fn a_second_night_stands_back() {
    let folder = tempfile::tempdir().unwrap();
    home(folder.path());
    let lock = folder.path().join("results/nightly/lock");
    std::fs::create_dir_all(lock.parent().unwrap()).unwrap();
    let file = std::fs::File::create(&lock).unwrap();
    file.lock().unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let date = Command::new("date").args(["-u", "+%Y-%m-%dT%H:%M:%SZ", "-d"]).arg(format!("@{now}")).output().unwrap();
    let since = String::from_utf8(date.stdout).unwrap();
    std::fs::write(&lock, format!("{{\"pid\":4711,\"since\":\"{}\"}}", since.trim())).unwrap();
    let output = orchestrator(folder.path()).args(["nightly", "--verbose"]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    assert!(text(&output).contains("another nightly run is at work: process 4711"), "{}", text(&output));
    let output = orchestrator(folder.path()).arg("nightly").output().unwrap();
    assert_eq!((output.status.success(), text(&output).as_str()), (true, ""));
    drop(file);
    let output = orchestrator(folder.path()).args(["nightly", "--verbose"]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
}
