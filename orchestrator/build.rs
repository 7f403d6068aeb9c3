//! Puts the shipped data files (`series/`, `kconfigs/`, `lab/`) into the program.
//!
//! Only data: `lab/` also holds the sources of what runs inside a machine, and editors leave files everywhere.

use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Folders and the extensions of the files to take from them; `lab/` itself is not walked into its crates.
const FOLDERS: [(&str, &[&str], bool); 4] = [
    ("series", &["yaml", "patch"], true),
    ("kconfigs", &["yaml", "config"], true),
    ("lab", &["yaml"], false),
    ("lab/suites", &["yaml"], false),
];

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
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
    let out = std::env::var("OUT_DIR").expect("cargo sets OUT_DIR");
    std::fs::write(Path::new(&out).join("home_files.rs"), code).expect("OUT_DIR is writable");
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
