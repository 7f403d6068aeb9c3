//! Fuzz target of this room.

use camino::Utf8Path;

use super::diagnostics::Reader;
use super::kconfig;
use super::reason::{bounded, first_error, without_echoes};
use crate::words::Diagnostic;

/// What make prints, a Kconfig file, a fragment, with `\n%%\n` between them: all of them a patch decides.
pub fn make(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut parts = text.split("\n%%\n");
    log(parts.next().unwrap_or_default());
    let (file, fragment) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    kconfig::fuzz::kconfig(file, fragment);
}

/// Diagnostics are bounded, lie inside of the tree or name what was printed, and none is made up.
fn log(text: &str) {
    let mut reader = Reader::new(Utf8Path::new("/src"), Utf8Path::new("/out"), "");
    let mut steps = 0;
    for line in text.lines() {
        steps += u64::from(reader.line(line).is_some());
    }
    let said = reader.finish();
    assert_eq!(said.steps, steps);
    assert!(said.objects.len() as u64 <= steps && said.targets.len() as u64 <= steps);
    let all: Vec<Diagnostic> = said.targets.into_values().flatten().chain(said.loose).collect();
    assert!(all.len() <= 2000 && all.len() <= text.lines().count());
    for diagnostic in &all {
        assert!(diagnostic.text.len() <= 2 * 4096 + 8, "{} bytes", diagnostic.text.len());
        assert!(diagnostic.message.len() <= 1032 && diagnostic.file.len() <= 1032, "{diagnostic:?}");
        assert!(!diagnostic.file.starts_with("/src/") && !diagnostic.file.starts_with("/out/"), "{diagnostic:?}");
    }
    let (before, errors) = (all.len(), first_error(&all).is_some());
    let fewer = without_echoes(all);
    assert!(fewer.len() <= before);
    assert!(!errors || first_error(&fewer).is_some(), "an error is nobody's");
    assert!(bounded(text, 100).len() <= 104);
}
