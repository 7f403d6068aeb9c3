//! What the program carries inside itself: the shipped data files, the programs that run in guests and the plugin of QEMU.

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
    carry(&root, &out, &AGENT);
    carry_arm64(&root, &out);
    carry(&root, &out, &BENCH);
    let host = std::env::var("TARGET").expect("cargo sets TARGET");
    carry(&root, &out, &Carried { target: &host, ..PLUGIN });
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

/// A package of the workspace whose artefact the program carries, named to it in an environment variable.
struct Carried<'a> {
    package: &'a str,
    /// Folders below the root that it is built from.
    sources: &'a [&'a str],
    profile: &'a str,
    target: &'a str,
    /// Flags for rustc.
    flags: &'a str,
    artefact: &'a str,
    variable: &'a str,
    /// What may be missing when it cannot be built.
    hint: &'a str,
}

/// The guests' architecture, whatever the orchestrator is built for.
const GUEST: &str = "x86_64-unknown-linux-gnu";

/// A static program for guests.
const GUEST_PROGRAM: Carried = Carried {
    package: "",
    sources: &[],
    profile: "agent",
    target: GUEST,
    flags: "-Ctarget-feature=+crt-static",
    artefact: "",
    variable: "",
    hint: "if the target is missing: rustup target add x86_64-unknown-linux-gnu, and it needs the static C library \
           (Debian: libc6-dev)",
};

/// Init of the machines under test.
const AGENT: Carried = Carried {
    package: "orchestrator-agent",
    sources: &["lab/agent", "lab/protocol"],
    artefact: "orchestrator-agent",
    variable: "ORCHESTRATOR_AGENT",
    ..GUEST_PROGRAM
};

/// The same for arm64, which only some profiles use: it is carried where the Rust target and a linker are there.
const AGENT_ARM64: Carried = Carried {
    target: "aarch64-unknown-linux-gnu",
    variable: "ORCHESTRATOR_AGENT_ARM64",
    hint: "it needs Debian's libc6-dev-arm64-cross beside gcc-aarch64-linux-gnu",
    ..AGENT
};

/// Linker of programs for arm64.
const LINKER_ARM64: &str = "aarch64-linux-gnu-gcc";

/// Carries the agent for arm64, or nothing where it cannot be built; the program then says so when it is needed.
fn carry_arm64(root: &Path, out: &Path) {
    let rustc = std::env::var_os("RUSTC").expect("cargo sets RUSTC");
    let sysroot = Command::new(rustc).args(["--print", "sysroot"]).output().expect("rustc can be started");
    let targets = PathBuf::from(String::from_utf8_lossy(&sysroot.stdout).trim()).join("lib/rustlib");
    println!("cargo::rerun-if-changed={}", targets.display());
    // A file of the C library shows that a static program can be linked, too.
    let library = Command::new(LINKER_ARM64).arg("-print-file-name=libc.a").output();
    let library = library.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default();
    if targets.join(AGENT_ARM64.target).join("lib").is_dir() && Path::new(&library).is_absolute() {
        carry(root, out, &AGENT_ARM64);
    } else {
        let empty = out.join(format!("carried-{}-{}", AGENT_ARM64.target, AGENT_ARM64.artefact));
        std::fs::write(&empty, "").expect("OUT_DIR is writable");
        println!("cargo::rustc-env={}={}", AGENT_ARM64.variable, empty.display());
    }
}

/// The benchmark.
const BENCH: Carried = Carried {
    package: "orchestrator-bench",
    sources: &["lab/bench", "lab/protocol"],
    artefact: "hmm-bench",
    variable: "ORCHESTRATOR_BENCH",
    ..GUEST_PROGRAM
};

/// The plugin of the host's QEMU, a shared library; its target is the orchestrator's.
const PLUGIN: Carried = Carried {
    package: "orchestrator-plugin",
    sources: &["lab/plugin"],
    profile: "plugin",
    target: "",
    flags: "",
    artefact: "liborchestrator_plugin.so",
    variable: "ORCHESTRATOR_PLUGIN",
    hint: "it needs a linker for shared libraries (Debian: gcc)",
};

/// The folder `embedded` beside those of the outer profiles: checking, testing and building carry the same things, which
/// are then made once. `OUT_DIR` is `<target>/<profile>/build/<package>/out`, with or without a triple before the
/// profile.
fn shared_target(out: &Path) -> PathBuf {
    out.ancestors().nth(4).unwrap_or(out).join("embedded")
}

/// Builds what the program carries, each with a profile of its own and in a target folder apart from the outer build's,
/// which cargo has locked; the dependencies are among the workspace's, so nothing is fetched that was not already.
fn carry(root: &Path, out: &Path, carried: &Carried) {
    let Carried { package, profile, target, .. } = carried;
    for source in carried.sources {
        for part in ["src", "Cargo.toml"] {
            println!("cargo::rerun-if-changed={}", root.join(source).join(part).display());
        }
    }
    println!("cargo::rerun-if-changed={}", root.join("Cargo.lock").display());
    let target_dir = shared_target(out);
    let mut cargo = Command::new(std::env::var_os("CARGO").expect("cargo sets CARGO"));
    cargo.current_dir(root).args(["build", "--quiet", "--locked", "--package", package]);
    cargo.args(["--profile", profile, "--target", target, "--target-dir"]).arg(&target_dir);
    // The outer build's flags and wrappers (clippy, coverage) are not meant for what runs elsewhere.
    for name in ["RUSTFLAGS", "RUSTC_WORKSPACE_WRAPPER", "CARGO_BUILD_TARGET", "CARGO_TARGET_DIR", "CLIPPY_ARGS"] {
        cargo.env_remove(name);
    }
    cargo.env("CARGO_ENCODED_RUSTFLAGS", carried.flags);
    cargo.env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER", LINKER_ARM64);
    match cargo.status() {
        Ok(status) if status.success() => {}
        Ok(status) => panic!("{package} could not be built ({status}); {}", carried.hint),
        Err(error) => panic!("cargo could not be started for {package}: {error}"),
    }
    // Checkouts may share a target folder; what this one carries is its own.
    let artefact = out.join(format!("carried-{target}-{}", carried.artefact));
    let made = target_dir.join(target).join(profile).join(carried.artefact);
    std::fs::copy(&made, &artefact).unwrap_or_else(|error| panic!("{}: {error}", made.display()));
    println!("cargo::rustc-env={}={}", carried.variable, artefact.display());
}
