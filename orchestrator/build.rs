//! What the program carries inside itself: the shipped data files and the programs that run in guests.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Folders and the extensions of the files to take from them; `lab/` itself is not walked into its crates.
const FOLDERS: [(&str, &[&str], bool); 4] = [
    ("series", &["yaml", "patch"], true),
    ("kconfigs", &["yaml", "config"], true),
    ("lab", &["yaml"], false),
    ("lab/suites", &["yaml"], false),
];

fn main() {
    // Asked now, not when this script was compiled: checkouts that share a target folder share the compiled script.
    let manifest = std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR");
    let root = Path::new(&manifest).join("..");
    println!("cargo::rerun-if-env-changed=CARGO_MANIFEST_DIR");
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    println!("cargo::rerun-if-changed=build.rs");
    home(&root, &out);
    guest_program(&root, &out, "orchestrator-agent", "orchestrator-agent", "ORCHESTRATOR_AGENT");
    guest_program(&root, &out, "orchestrator-bench", "hmm-bench", "ORCHESTRATOR_BENCH");
}

/// Puts the shipped data files (`series/`, `kconfigs/`, `lab/`) into the program.
///
/// Only data: `lab/` also holds the sources of what runs inside a machine, and editors leave files everywhere.
fn home(root: &Path, out: &Path) {
    let mut files: Vec<(String, PathBuf)> = Vec::new();
    for (folder, extensions, deep) in FOLDERS {
        collect(&root.join(folder), folder, extensions, deep, &mut files);
    }
    files.sort();
    let mut code = String::from("static EMBEDDED: &[(&str, &[u8])] = &[\n");
    for (name, path) in &files {
        let path = path.canonicalize().expect("a file that was just listed exists");
        writeln!(code, "    ({name:?}, include_bytes!({path:?})),").expect("a string takes every write");
    }
    code.push_str("];\n");
    std::fs::write(out.join("home_files.rs"), code).expect("OUT_DIR is writable");
}

fn collect(folder: &Path, name: &str, extensions: &[&str], deep: bool, files: &mut Vec<(String, PathBuf)>) {
    println!("cargo::rerun-if-changed={}", folder.display());
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        let Some(file) = path.file_name().and_then(|file| file.to_str()).filter(|file| !file.starts_with('.')) else {
            continue;
        };
        let name = format!("{name}/{file}");
        if path.is_dir() {
            if deep {
                collect(&path, &name, extensions, deep, files);
            }
        } else if path.extension().is_some_and(|extension| extensions.iter().any(|known| extension == *known)) {
            files.push((name, path));
        }
    }
}

/// Builds a package that runs in the machines under test as a static program, and names that in `variable`.
///
/// It is built for the guests' architecture, whatever the orchestrator is built for, with a profile and a target
/// folder of its own; its dependencies are among the workspace's, so nothing is fetched that was not already.
fn guest_program(root: &Path, out: &Path, package: &str, program: &str, variable: &str) {
    const TARGET: &str = "x86_64-unknown-linux-gnu";
    let folder = package.replace("orchestrator-", "lab/");
    for path in [&*format!("{folder}/src"), &format!("{folder}/Cargo.toml"), "lab/protocol", "Cargo.lock"] {
        println!("cargo::rerun-if-changed={}", root.join(path).display());
    }
    let target_dir = out.join("agent");
    let mut cargo = Command::new(std::env::var_os("CARGO").expect("cargo sets CARGO"));
    cargo.current_dir(root).args(["build", "--quiet", "--locked", "--package", package]);
    cargo.args(["--profile", "agent", "--target", TARGET, "--target-dir"]).arg(&target_dir);
    // The outer build's flags and wrappers (clippy, coverage) are not meant for a program that runs in a guest.
    for name in ["RUSTFLAGS", "RUSTC_WORKSPACE_WRAPPER", "CARGO_BUILD_TARGET", "CARGO_TARGET_DIR", "CLIPPY_ARGS"] {
        cargo.env_remove(name);
    }
    cargo.env("CARGO_ENCODED_RUSTFLAGS", "-Ctarget-feature=+crt-static");
    match cargo.status() {
        Ok(status) if status.success() => {}
        Ok(status) => panic!(
            "{package} could not be built ({status}); if the target is missing: rustup target add {TARGET}, \
             and it needs the static C library (Debian: libc6-dev)"
        ),
        Err(error) => panic!("cargo could not be started for {package}: {error}"),
    }
    let program = target_dir.join(TARGET).join("agent").join(program);
    println!("cargo::rustc-env={variable}={}", program.display());
}
