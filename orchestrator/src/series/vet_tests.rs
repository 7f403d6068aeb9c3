//! Hostile and broken patches.

use super::*;
use crate::words::testing as words;

fn series(diffs: &[&str]) -> Series {
    let mut series = words::series("x", diffs);
    series.patches.iter_mut().for_each(|patch| patch.diff_line = 100);
    series
}

/// Patch, line and what of every refusal.
fn refused(diffs: &[&str]) -> Vec<(usize, usize, String)> {
    let refusals = vet(&series(diffs)).err().unwrap_or_default();
    refusals.into_iter().map(|refusal| (refusal.patch, refusal.line, refusal.what)).collect()
}

fn only(diff: &str) -> (usize, String) {
    let mut found = refused(&[diff]);
    assert_eq!(found.len(), 1, "{diff}\n{found:?}");
    let (_, line, what) = found.remove(0);
    (line, what)
}

const HUNK: &str = "@@ -1 +1 @@\n-a\n+b\n";

fn git(path: &str) -> String {
    format!("diff --git a/{path} b/{path}\nindex 1111111..2222222 100644\n--- a/{path}\n+++ b/{path}\n{HUNK}")
}

fn link(path: &str, target: &str) -> String {
    format!(
        "diff --git a/{path} b/{path}\nnew file mode 120000\nindex 0000000..2222222\n--- /dev/null\n+++ b/{path}\n@@ -0,0 +1 @@\n+{target}\n\\ No newline at end of file\n"
    )
}

#[test]
fn honest_patches_pass() {
    let new =
        "diff --git a/n b/n\nnew file mode 100755\nindex 0000000..1111111\n--- /dev/null\n+++ b/n\n@@ -0,0 +1 @@\n+x\n";
    let gone = "diff --git a/n b/n\ndeleted file mode 100644\nindex 1111111..0000000\n--- a/n\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n";
    let rename = "diff --git a/x y b/z\nsimilarity index 100%\nrename from x y\nrename to z\n";
    let edited = "diff --git a/x b/z\nsimilarity index 90%\nrename from x\nrename to z\nindex 1..2 100644\n--- a/x\n+++ b/z\n@@ -1 +1 @@\n-a\n+b\n";
    let copy = "diff --git a/x b/z\nsimilarity index 100%\ncopy from x\ncopy to z\n";
    let mode = "diff --git a/x b/x\nold mode 100644\nnew mode 100755\n";
    let empty = "diff --git a/e b/e\nnew file mode 100644\nindex 0000000..e69de29\n";
    let plain = "--- linux.orig/mm/x.c\t2026-01-01 00:00:00.000000000 +0000\n+++ linux/mm/x.c\t2026-01-02\n@@ -1 +1 @@\n-a\n+b\n";
    let quoted = "diff --git \"a/\\303\\244\" \"b/\\303\\244\"\nindex 1..2 100644\n--- \"a/\\303\\244\"\n+++ \"b/\\303\\244\"\n@@ -1 +1 @@\n-a\n+b\n";
    let spaced = "diff --git a/x y b/x y\nindex 1..2 100644\n--- a/x y\t\n+++ b/x y\t\n@@ -1 +1 @@\n-a\n+b\n";
    let return_in_line = "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\r\n+b\r\n";
    for diff in [&git("mm/hmm.c"), new, gone, rename, edited, copy, mode, empty, plain, quoted, spaced, return_in_line]
    {
        assert_eq!(refused(&[diff]), [], "{diff}");
    }
    let good_link = link("scripts/dts/arm", "../../arch/arm");
    assert_eq!(refused(&[&good_link, &git("mm/hmm.c")]), []);
}

#[test]
fn paths_out_of_the_tree_are_refused_wherever_they_stand() {
    let outside = "leads outside the tree";
    for (diff, line, what) in [
        (git("../x"), 100, outside),
        (git(".git/hooks/post-checkout"), 100, "leads into git's own folder"),
        (git("mm/.GiT/config"), 100, "leads into git's own folder"),
        (format!("--- a/../x\n+++ b/x\n{HUNK}"), 100, outside),
        (format!("--- a/x\n+++ b/../x\n{HUNK}"), 101, outside),
        (format!("--- ../x\n+++ ../x\n{HUNK}"), 100, outside),
        (format!("--- a/x\n+++ /etc/passwd\n{HUNK}"), 101, "is absolute"),
        (format!("--- a/x\n+++ \"b/\\056\\056/x\"\n{HUNK}"), 101, outside),
        (format!("--- a/x\n+++ \"b/x\\000\"\n{HUNK}"), 101, "holds a control character"),
        (format!("--- a/x\n+++ \"b/x\\377\"\n{HUNK}"), 101, "is not UTF-8 text"),
        ("diff --git a/x b/y\nsimilarity index 100%\nrename from x\nrename to ../y\n".to_owned(), 103, outside),
        ("diff --git a/x b/y\nsimilarity index 100%\nrename from /etc/x\nrename to y\n".to_owned(), 102, "is absolute"),
        ("diff --git a/x b/y\nsimilarity index 100%\ncopy from ../../x\ncopy to y\n".to_owned(), 102, outside),
        ("diff --git a/x b/../y\nold mode 100644\nnew mode 100755\n".to_owned(), 100, outside),
    ] {
        let found = refused(&[&diff]);
        assert!(found.iter().any(|(_, at, text)| *at == line && text.ends_with(what)), "{diff}\n{found:?}");
    }
}

#[test]
fn headers_that_contradict_each_other_are_refused() {
    for (diff, line, what) in [
        (
            format!("diff --git a/x b/x\nindex 1..2 100644\n--- a/y\n+++ b/x\n{HUNK}"),
            102,
            "the headers name different files: x and y",
        ),
        (
            format!("diff --git a/x b/x\nindex 1..2 100644\n--- a/x\n+++ b/y\n{HUNK}"),
            102,
            "the headers name different files: x and y",
        ),
        (format!("--- a/x\n+++ b/y\n{HUNK}"), 100, "the headers name different files: x and y"),
        (format!("--- /dev/null\n+++ /dev/null\n{HUNK}"), 100, "both sides are /dev/null"),
        (format!("--- x\n+++ x\n{HUNK}"), 100, "`x` has no leading a/ or b/"),
    ] {
        let found = refused(&[&diff]);
        assert_eq!(found[0], (1, line, what.to_owned()), "{diff}");
    }
    let (line, what) = only(&format!("diff --git mm/x.c mm/x.c\nindex 1..2 100644\n--- mm/x.c\n+++ mm/x.c\n{HUNK}"));
    assert_eq!((line, what.as_str()), (100, "`mm/x.c` has no leading a/ or b/"));
    let (_, what) = only("diff --git a/x b/y\nold mode 100644\nnew mode 100755\n");
    assert!(what.starts_with("the names in `diff --git a/x b/y` do not agree"), "{what}");
    let (_, what) = only("diff --git a/x b/y\nrename from x\nrename to z\n");
    assert!(what.starts_with("the names in `diff --git a/x b/y` do not agree"), "{what}");
    let (_, what) = only("diff --git a/x b/x\nrename from x\n");
    assert_eq!(what, "a rename or copy has only one end");
    let (_, what) = only("diff --git a/x b/x\nnew file mode 100644\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n");
    assert!(what.starts_with("the headers contradict each other"), "{what}");
}

#[test]
fn modes_binaries_and_sizes_are_limited() {
    for (diff, line, what) in [
        (
            "diff --git a/x b/x\nnew file mode 160000\nindex 0..1\n--- /dev/null\n+++ b/x\n@@ -0,0 +1 @@\n+Subproject commit 1\n",
            101,
            "it changes a submodule",
        ),
        (
            "diff --git a/x b/x\nindex 1..2 160000\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n",
            101,
            "it changes a submodule",
        ),
        (
            "diff --git a/x b/x\nold mode 100644\nnew mode 104755\n",
            102,
            "the file mode `104755` is none of 100644, 100755, 120000",
        ),
        (
            "diff --git a/x b/x\nindex 1..2 100644\nGIT binary patch\nliteral 5\nMcmb\n\n",
            102,
            "it changes a binary file",
        ),
        ("diff --git a/x b/x\nindex 1..2 100644\nBinary files a/x and b/x differ\n", 102, "it changes a binary file"),
        ("Binary files a/x and b/x differ\n", 100, "it changes a binary file"),
        ("--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\0\n+b\n", 103, "the line holds a NUL character"),
    ] {
        assert_eq!(only(diff), (line, what.to_owned()), "{diff}");
    }
    let long = format!("--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+{}\n", "b".repeat(LINE_LIMIT));
    assert_eq!(only(&long), (104, "the line is longer than 64 KiB".to_owned()));
    let big = format!("--- a/x\n+++ b/x\n{}", "@@ -1 +1 @@\n-a\n+b\n".repeat(DIFF_LIMIT / 18));
    assert!(only(&big).1.ends_with("more than 8 MiB"));
    let many: String = (0..=FILE_LIMIT).map(|at| git(&format!("f{at}"))).collect();
    assert!(only(&many).1.ends_with("changes 2001 files, more than 2000"));
    let diff = git("x");
    assert_eq!(refused(&vec![diff.as_str(); 301])[0].2, "the series has 301 patches, more than 300");
    assert_eq!(refused(&vec![diff.as_str(); 300]), []);
    // A flood of refusals is cut.
    let bad: String = (0..500).map(|at| git(&format!("../{at}"))).collect();
    assert_eq!(refused(&[&bad, &bad]).len(), REFUSAL_LIMIT);
}

#[test]
fn corrupt_diffs_are_refused_with_their_line() {
    for (diff, line, what) in [
        (
            "--- a/x\n+++ b/x\n@@ -1,3 +1,3 @@\n-a\n+b\n",
            102,
            "the patch is corrupt: the hunk is shorter than its header says: `@@ -1,3 +1,3 @@`",
        ),
        (
            "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n+c\n",
            105,
            "the patch is corrupt: the hunk is longer than its header says: `+c`",
        ),
        ("--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\nx\n+b\n", 104, "the patch is line-wrapped here: `x`"),
    ] {
        let found = refused(&[diff]);
        assert_eq!(found[0], (1, line, what.to_owned()), "{diff}");
    }
    assert_eq!(only("").1, "the diff changes no file");
    // What git would skip as chatter could hide something from this reader; it is refused.
    let hidden = format!("{}chatter\n\n{}", git("x"), git("y"));
    assert!(refused(&[&hidden])[0].2.contains("chatter"));
    let tail = format!("{}\nand so on\n", git("x"));
    assert_eq!(only(&tail).1, "text follows the diff");
}

#[test]
fn symlinks_may_not_leave_the_tree() {
    for (path, target, why) in [
        ("mm/l", "/etc/passwd", "is absolute"),
        ("mm/l", "../../x", "leads outside the tree"),
        ("mm/l", "x/../../..", "goes up again behind a folder"),
        ("mm/l", "../.git/config", "leads into git's own folder"),
    ] {
        let (line, what) = only(&link(path, target));
        assert_eq!((line, what), (100, format!("the target `{target}` of the symlink mm/l {why}")));
    }
    let change = "diff --git a/l b/l\nindex 1..2 120000\n--- a/l\n+++ b/l\n@@ -1 +1 @@\n-mm\n\\ No newline at end of file\n+../x\n\\ No newline at end of file\n";
    assert_eq!(only(change).1, "the target `../x` of the symlink l leads outside the tree");
    let blind = "diff --git a/a/l b/l\nsimilarity index 100%\nrename from a/l\nrename to l\nnew mode 120000\n";
    assert_eq!(only(blind).1, "the target of the symlink l is not in the patch");
    let two = "diff --git a/l b/l\nnew file mode 120000\n--- /dev/null\n+++ b/l\n@@ -0,0 +1,2 @@\n+mm\n+..\n";
    assert_eq!(only(two).1, "the target of the symlink l is not in the patch");
    // Moved up, a good link becomes a bad one.
    let moved = "diff --git a/a/b/l b/l\nsimilarity index 100%\nrename from a/b/l\nrename to l\n";
    let found = refused(&[&link("a/b/l", "../x"), moved]);
    assert_eq!(found, [(2, 100, "the target `../x` of the symlink l leads outside the tree".to_owned())]);
}

#[test]
fn nothing_is_written_through_a_symlink_of_the_series() {
    let make = link("mm/l", "../kernel");
    let through = "mm/l/x is reached through the symlink mm/l, which the series makes";
    let found = refused(&[&make, &git("kernel/y"), &git("mm/l/x")]);
    assert_eq!(found, [(3, 100, through.to_owned())]);
    // In one patch, in either order.
    for diff in [format!("{make}{}", git("mm/l/x")), format!("{}{make}", git("mm/l/x"))] {
        assert!(refused(&[&diff]).iter().any(|(_, _, what)| what == through), "{diff}");
    }
    // A copy of a link is a link; a moved one is none at its old place.
    let copy = "diff --git a/mm/l b/mm/m\nsimilarity index 100%\ncopy from mm/l\ncopy to mm/m\n";
    assert_eq!(refused(&[&make, copy, &git("mm/m/x")]).len(), 1);
    let moved = "diff --git a/mm/l b/mm/m\nsimilarity index 100%\nrename from mm/l\nrename to mm/m\n";
    assert_eq!(refused(&[&make, moved, &git("mm/l/x")]), []);
    assert_eq!(refused(&[&make, moved, &git("mm/m/x")]).len(), 1);
    // A link that is gone, or a file now, is harmless.
    let gone = "diff --git a/mm/l b/mm/l\ndeleted file mode 120000\nindex 1..0\n--- a/mm/l\n+++ /dev/null\n@@ -1 +0,0 @@\n-../kernel\n\\ No newline at end of file\n";
    let new = "diff --git a/mm/l/x b/mm/l/x\nnew file mode 100644\nindex 0..1\n--- /dev/null\n+++ b/mm/l/x\n@@ -0,0 +1 @@\n+x\n";
    assert_eq!(refused(&[&make, gone, new]), []);
    assert_eq!(refused(&[&make, &format!("{gone}{new}")]), []);
}

proptest::proptest! {
    #[test]
    fn no_diff_makes_it_panic(diff in "((diff --git |--- |\\+\\+\\+ |@@ -1 \\+1 @@|index 1..2 120000|new file mode |rename (from|to) |GIT binary patch|[ab]/|/dev/null|\"|\\\\|[ +-]|\n)|[ -~ä\0]{0,3}){0,60}") {
        let _ = vet(&series(&[&diff, &diff]));
    }
}
