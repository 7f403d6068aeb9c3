//! Files that every version of the program left, for the tests of the rooms that read them: `tests/formats/`.
//!
//! `<name>-v<version>.json` is what a program of that format wrote, with every field; a name may go on after the version
//! (`run-v1-early.json`). They are never changed: when a test says that a format has another shape, its version is raised, what
//! reads it learns both, and a file of the new version is added by `UPDATE_FORMATS=1 cargo test -p orchestrator --lib format`.

use camino::{Utf8Path, Utf8PathBuf};
use serde_json::Value;

fn folder() -> Utf8PathBuf {
    Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/formats")
}

/// What the program writes now is what its version has been from its first day.
pub fn has_not_changed(name: &str, version: u32, lines: &[Value]) {
    let path = folder().join(format!("{name}-v{version}.json"));
    if !path.exists() && std::env::var_os("UPDATE_FORMATS").is_some() {
        let text = lines.iter().map(|line| format!("{line}\n")).collect::<String>();
        fs_err::write(&path, text).unwrap();
    }
    let text = fs_err::read_to_string(&path).expect("a new version needs its file: UPDATE_FORMATS=1");
    let kept: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for (index, (now, then)) in lines.iter().zip(&kept).enumerate() {
        assert_eq!(now, then, "{path}, line {}: the shape has changed; raise the version of this format", index + 1);
    }
    assert_eq!(lines.len(), kept.len(), "{path}: the shape has changed; raise the version of this format");
}

/// Every file of a format, of all versions: its name and its text.
pub fn all(name: &str) -> Vec<(String, String)> {
    let mut files: Vec<(String, String)> = Vec::new();
    for entry in folder().read_dir_utf8().unwrap() {
        let entry = entry.unwrap();
        if entry.file_name().strip_prefix(name).is_some_and(|rest| rest.starts_with("-v")) {
            files.push((entry.file_name().to_owned(), fs_err::read_to_string(entry.path()).unwrap()));
        }
    }
    files.sort();
    assert!(!files.is_empty(), "no file of {name}");
    files
}

/// The text of the present version as a program of the next one would write it; `key` holds the version.
pub fn of_the_future(name: &str, version: u32, key: &str) -> String {
    let text = fs_err::read_to_string(folder().join(format!("{name}-v{version}.json"))).unwrap();
    let newer = |line: &str| {
        let mut value: Value = serde_json::from_str(line).unwrap();
        if let Some(said) = value.get_mut(key) {
            *said = match said {
                Value::String(words) => words.replace(&format!("/{version}"), &format!("/{}", version + 1)).into(),
                _ => (version + 1).into(),
            };
        }
        value["a field of the future"] = true.into();
        format!("{value}\n")
    };
    text.lines().map(newer).collect()
}
