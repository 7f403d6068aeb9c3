//! Which files a series expects to find, and with what content: the `index` lines of its diffs.

use std::collections::BTreeSet;

use super::diff::{self, FileDiff};
use super::name;
use crate::words::Series;

/// Most files that are asked for; a series that changes more is known by these.
const LIMIT: usize = 500;

/// Fewest digits of an id that tell something.
const FEWEST_DIGITS: usize = 7;

/// A file as a series expects to find it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preimage {
    /// Its path.
    pub path: String,
    /// Its blob: the first digits of the id, lower case.
    pub blob: String,
}

/// The files that a series changes, as they are before its first patch. Files that it makes itself, and what a later
/// patch says of a file that an earlier one changed, are left out.
pub fn preimages(series: &Series) -> Vec<Preimage> {
    let mut touched: BTreeSet<String> = BTreeSet::new();
    let mut found = Vec::new();
    for patch in &series.patches {
        let lines: Vec<&str> = patch.diff.lines().collect();
        let mut names = Vec::new();
        for file in diff::scan(&lines).files {
            let (old, new) = (path(file.old.or(file.from)), path(file.new.or(file.to)));
            if let (Some(path), Some(blob)) = (&old, old_blob(&file))
                && !touched.contains(path)
                && found.len() < LIMIT
            {
                found.push(Preimage { path: path.clone(), blob });
            }
            names.extend(old.into_iter().chain(new));
        }
        touched.extend(names);
    }
    found
}

/// A path of the tree; `None` for `/dev/null` and for what is no path.
fn path(field: Option<diff::At<'_>>) -> Option<String> {
    let (_, text) = field?;
    let name = name::parse(text).ok().filter(|name| name != b"/dev/null")?;
    // `rename from` has no `a/` before it, and every path of a `---` line has.
    let stripped = if name.starts_with(b"a/") || name.starts_with(b"b/") { &name[2..] } else { &name[..] };
    String::from_utf8(stripped.to_vec()).ok().filter(|path| !path.is_empty())
}

/// The blob before the patch; `None` for a new file.
fn old_blob(file: &FileDiff<'_>) -> Option<String> {
    let (_, text) = file.index?;
    let (old, _) = text.split_once("..")?;
    let is_id = (FEWEST_DIGITS..=64).contains(&old.len()) && old.bytes().all(|byte| byte.is_ascii_hexdigit());
    (is_id && old.bytes().any(|byte| byte != b'0')).then(|| old.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::testing::series;

    fn change(path: &str, index: &str) -> String {
        format!("diff --git a/{path} b/{path}\nindex {index}\n--- a/{path}\n+++ b/{path}\n@@ -1 +1 @@\n-a\n+b\n")
    }

    #[test]
    fn only_what_the_base_must_have_is_asked_for() {
        let first = change("mm/hmm.c", "0123456789ab..1111111 100644")
            + "diff --git a/mm/new.c b/mm/new.c\nnew file mode 100644\nindex 0000000..2222222\n--- /dev/null\n+++ b/mm/new.c\n@@ -0,0 +1 @@\n+a\n"
            + "diff --git a/mm/old.c b/mm/moved.c\nsimilarity index 90%\nrename from mm/old.c\nrename to mm/moved.c\nindex ABCDEF0..3333333 100644\n--- a/mm/old.c\n+++ b/mm/moved.c\n@@ -1 +1 @@\n-a\n+b\n";
        let second = change("mm/hmm.c", "1111111..4444444 100644")
            + &change("mm/new.c", "2222222..5555555")
            + &change("mm/moved.c", "3333333..6666666")
            + &change("lib/test_hmm.c", "7777777..8888888 100644");
        let found = preimages(&series("x", &[&first, &second]));
        let found: Vec<_> = found.iter().map(|one| (one.path.as_str(), one.blob.as_str())).collect();
        assert_eq!(found, [("mm/hmm.c", "0123456789ab"), ("mm/old.c", "abcdef0"), ("lib/test_hmm.c", "7777777")]);
    }

    #[test]
    fn ids_that_tell_nothing_are_left_out() {
        for index in ["123..456", "xyzxyzxyz..1234567", "0000000..1234567", "1234567", "..1234567"] {
            assert_eq!(preimages(&series("x", &[&change("mm/a.c", index)])), [], "{index}");
        }
        assert_eq!(preimages(&series("x", &["--- a/mm/a.c\n+++ b/mm/a.c\n@@ -1 +1 @@\n-a\n+b\n"])), []);
    }
}
