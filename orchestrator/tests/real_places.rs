//! The places against their real parts: KCIDB's own schema (`kcidb-io`) and b4 (`b4`), installed with pip into a virtual
//! environment of their own. `cargo test --test real_places -- --ignored`

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A virtual environment with these packages; its Python.
fn python(folder: &Path, packages: &[&str]) -> PathBuf {
    let run = |command: &mut Command| {
        let done = command.output().expect("it can be started");
        assert!(done.status.success(), "{command:?}: {}", String::from_utf8_lossy(&done.stderr));
    };
    run(Command::new("python3").args(["-m", "venv"]).arg(folder));
    let python = folder.join("bin/python");
    run(Command::new(&python).args(["-m", "pip", "install", "-q"]).args(packages));
    python
}

fn say(python: &Path, script: &str, arguments: &[&str], cwd: &Path) -> String {
    let child = Command::new(python)
        .args(["-c", script])
        .args(arguments)
        .current_dir(cwd)
        .stdin(Stdio::null())
        .output()
        .expect("python can be started");
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stderr));
    String::from_utf8(child.stdout).expect("UTF-8")
}

/// The submission is the one that a snapshot test pins.
#[test]
#[ignore = "needs python3 and pip"]
fn kcidbs_own_schema_accepts_a_submission() {
    let folder = tempfile::tempdir().unwrap();
    let python = python(&folder.path().join("venv"), &["kcidb-io"]);
    let snapshot = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("src/post/kcidb/snapshots/orchestrator__post__kcidb__tests__a_submission_as_it_is_sent.snap");
    let text = std::fs::read_to_string(snapshot).unwrap();
    let json = text.splitn(3, "---\n").nth(2).expect("a snapshot has a head");
    let file = folder.path().join("submission.json");
    std::fs::write(&file, json).unwrap();
    let script = "import json, sys
from kcidb_io.schema.v05_03 import Version
data = json.load(open(sys.argv[1]))
Version.validate_exactly(data)
data['tests'][0]['status'] = None
try:
    Version.validate_exactly(data)
except Exception:
    print('accepted, and a null is not')";
    let said = say(&python, script, &[file.to_str().unwrap()], folder.path());
    assert_eq!(said.trim(), "accepted, and a null is not");
}

/// A project folder whose only source of posted series is an mbox that does not hold the one asked for.
fn home_without_archives(folder: &Path) -> PathBuf {
    let home = folder.join("home");
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    std::fs::create_dir(&home).unwrap();
    for part in ["series", "kconfigs", "lab"] {
        let copied = Command::new("cp").arg("-r").arg(shipped.join(part)).arg(home.join(part)).status().unwrap();
        assert!(copied.success());
    }
    let other =
        "From x Thu Jan  1 00:00:00 1970\nFrom: B <b@example.org>\nSubject: other\nMessage-ID: <2@example.org>\n\nx\n";
    std::fs::write(folder.join("other.mbox"), other).unwrap();
    let sources = format!("sources:\n  - name: here\n    mbox: {{ path: {} }}\n", folder.join("other.mbox").display());
    std::fs::write(home.join("series/sources.yaml"), sources).unwrap();
    home
}

/// b4 gives the cover letter alone, and no source has the thread: it must show a warning with the reason.
#[test]
#[ignore = "needs python3, pip and git"]
fn b4_reads_what_the_check_says() {
    let folder = tempfile::tempdir().unwrap();
    let python = python(&folder.path().join("venv"), &["b4"]);
    let repository = folder.path().join("repository");
    let git = Command::new("git").args(["init", "-q"]).arg(&repository).status().unwrap();
    assert!(git.success());
    let script = "import sys, email, json
from email import policy
from b4.review import checks
mail = email.message_from_string('''From: A. Author <author@example.org>
Subject: [PATCH v2 0/2] mm: two changes
Message-ID: <1@example.org>
Date: Wed, 1 Apr 2026 00:00:00 +0000

cover
''', policy=policy.EmailPolicy(utf8=True))
print(json.dumps(checks.run_series_checks(('1@example.org', mail), [sys.argv[1]], sys.argv[2])))";
    let cache = folder.path().join("cache");
    let home = home_without_archives(folder.path());
    let program = env!("CARGO_BIN_EXE_orchestrator");
    let command = format!("{program} --cache {} --home {} b4-check --no-boot", cache.display(), home.display());
    let said = say(&python, script, &[&command, repository.to_str().unwrap()], &repository);
    let results: serde_json::Value = serde_json::from_str(said.trim()).unwrap();
    assert_eq!(results[0]["tool"], "orchestrator");
    assert_eq!(results[0]["status"], "warn");
    let summary = results[0]["summary"].as_str().unwrap();
    assert!(summary.contains("<1@example.org> cannot be had"), "{summary}");
    let details = results[0]["details"].as_str().unwrap();
    assert!(details.contains("cover letter alone"), "{details}");
    assert_eq!(results.as_array().unwrap().len(), 1);
}
