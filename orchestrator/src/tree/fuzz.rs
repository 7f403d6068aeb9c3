//! Fuzz target of this room.

use super::hunks::{Files, already_applied, applied, changes, diff};
use crate::series::fuzz::assert_vetted_path;

/// What libgit2 and the reading of hunks make of a diff. Of a `vetted` one, libgit2 sees no path that vetting would have
/// refused. What fits is taken back again, unless lines of it stand elsewhere, too.
pub fn patch(text: &str, vetted: bool) {
    let Ok(diff) = diff(text) else { return };
    if vetted {
        for delta in diff.deltas() {
            for file in [delta.old_file(), delta.new_file()] {
                file.path_bytes().into_iter().for_each(assert_vetted_path);
            }
        }
    }
    let Ok(changes) = changes(&diff) else { return };
    let mut before = Files::new();
    for change in &changes {
        if let Some(path) = &change.old_path {
            before.insert(path.clone(), Some(text.as_bytes().to_vec()));
        }
        if let Some(path) = &change.new_path {
            before.entry(path.clone()).or_default();
        }
    }
    let names: Vec<String> = before.keys().cloned().collect();
    match applied(&changes, &before) {
        Ok(after) => {
            assert!(names.iter().eq(after.keys()), "files that the patch does not name");
            let size = |files: &Files| files.values().flatten().map(Vec::len).sum::<usize>();
            assert!(size(&after) <= size(&before) + text.len(), "a patch makes more than it holds");
        }
        Err(misfit) => assert!(!misfit.reason.is_empty()),
    }
    let _ = already_applied(&changes, &before);
}
