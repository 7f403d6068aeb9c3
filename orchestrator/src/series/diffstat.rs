//! The last line of a diffstat, held against the diff that follows it.
//!
//! A mail that was cut off between two hunks is a whole patch to every tool; only its diffstat still knows of the rest.

use std::sync::LazyLock;

use regex::Regex;

use super::diff;

/// Files and lines that a diff changes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Extent {
    files: u64,
    added: u64,
    removed: u64,
}

static SUMMARY: LazyLock<Regex> = LazyLock::new(|| {
    let lines = r"(?:, (\d{1,9}) insertions?\(\+\))?(?:, (\d{1,9}) deletions?\(-\))?";
    Regex::new(&format!(r"^ (\d{{1,9}}) files? changed{lines}$")).expect("constant")
});

/// What is wrong when the diffstat among `remarks` promises more than `diff` holds; `None` when there is no diffstat,
/// or nothing is missing. A diff that somebody enlarged by hand is whole.
pub(super) fn missing<'l>(remarks: impl Iterator<Item = &'l str>, diff: &[&str]) -> Option<String> {
    let promised = remarks.filter_map(summary).next()?;
    let there = extent(diff);
    let short = there.files < promised.files || there.added + there.removed < promised.added + promised.removed;
    short.then(|| format!("its diffstat says {}, its diff has {}", text(promised), text(there)))
}

fn summary(line: &str) -> Option<Extent> {
    let found = SUMMARY.captures(line.trim_end())?;
    let number = |at: usize| found.get(at).and_then(|digits| digits.as_str().parse().ok()).unwrap_or(0);
    Some(Extent { files: number(1), added: number(2), removed: number(3) })
}

fn extent(lines: &[&str]) -> Extent {
    let scan = diff::scan(lines);
    let mut extent = Extent { files: scan.files.len() as u64, ..Extent::default() };
    for hunk in scan.files.iter().flat_map(|file| &file.hunks) {
        for line in lines.get(hunk.line + 1..hunk.end).unwrap_or_default() {
            extent.added += u64::from(line.starts_with('+'));
            extent.removed += u64::from(line.starts_with('-'));
        }
    }
    extent
}

fn text(extent: Extent) -> String {
    let files = if extent.files == 1 { "file" } else { "files" };
    format!("{} {files} +{} -{}", extent.files, extent.added, extent.removed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIFF: [&str; 7] = ["diff --git a/x b/x", "--- a/x", "+++ b/x", "@@ -1,2 +1,2 @@", " a", "-b", "+c"];

    #[test]
    fn a_diff_that_is_shorter_than_its_diffstat_is_told() {
        let cases = [
            (" 1 file changed, 1 insertion(+), 1 deletion(-)", None),
            (" 1 file changed, 1 insertion(+)", None),
            (
                " 2 files changed, 30 insertions(+), 1 deletion(-)",
                Some("its diffstat says 2 files +30 -1, its diff has 1 file +1 -1"),
            ),
            (
                " 1 file changed, 5 insertions(+), 1 deletion(-)",
                Some("its diffstat says 1 file +5 -1, its diff has 1 file +1 -1"),
            ),
            (" 1 file changed, 0 insertions(+), 0 deletions(-)", None),
            ("2 files changed", None),
            ("no diffstat", None),
        ];
        for (line, expected) in cases {
            assert_eq!(missing(["---", line].into_iter(), &DIFF).as_deref(), expected, "{line}");
        }
    }

    #[test]
    fn a_change_of_mode_counts_as_a_file() {
        let diff = ["diff --git a/x b/x", "old mode 100644", "new mode 100755"];
        let stat = " 1 file changed, 0 insertions(+), 0 deletions(-)";
        assert_eq!(missing([stat].into_iter(), &diff), None);
    }
}
