//! Diffs as people send them, whole and broken.

use super::*;

const GIT: &str = "\
diff --git a/mm/hmm.c b/mm/hmm.c
index 1111111..2222222 100644
--- a/mm/hmm.c
+++ b/mm/hmm.c
@@ -1,3 +1,4 @@ int f(void)
 a
-b
+c
+d
 e
";

fn lines(text: &str) -> Vec<&str> {
    text.lines().collect()
}

fn troubles(text: &str) -> Vec<(usize, Trouble)> {
    scan(&lines(text)).troubles
}

/// Files, hunks per file, and how many lines the diff has.
fn shape(text: &str) -> (Vec<usize>, usize) {
    let lines = lines(text);
    let scan = scan(&lines);
    assert_eq!(scan.troubles, [], "{text}");
    (scan.files.iter().map(|file| file.hunks.len()).collect(), scan.end)
}

#[test]
fn a_diff_ends_where_its_last_hunk_does() {
    for tail in [
        "",
        "-- \n2.43.0\n",
        "\n-- \n2.43.0\n\n",
        "--\n2.43.0\n",
        "\nbase-commit: 1234\n-- \n2.43.0\n",
        "base-commit: 1234\n",
        "\n\n_______________________________________________\nlist mailing list\n",
        "\nThanks,\nA\n",
    ] {
        assert_eq!(shape(&format!("{GIT}{tail}")), (vec![1], 10), "{tail:?}");
    }
}

#[test]
fn a_removed_line_that_looks_like_a_signature_is_kept() {
    for (text, end) in [
        ("--- a/x\n+++ b/x\n@@ -1,2 +1,1 @@\n a\n-- \n", 5),
        ("--- a/x\n+++ b/x\n@@ -1,2 +1,1 @@\n a\n-- \n-- \n2.43.0\n", 5),
        ("--- a/x\n+++ b/x\n@@ -1,3 +1,2 @@\n a\n-- \n b\n-- \n2.43.0\n", 6),
    ] {
        assert_eq!(shape(text), (vec![1], end), "{text}");
    }
}

#[test]
fn files_of_all_kinds_are_told_apart() {
    let text = "\
diff --git a/new b/new
new file mode 100755
index 0000000..1111111
--- /dev/null
+++ b/new
@@ -0,0 +1 @@
+x
\\ No newline at end of file
diff --git a/gone b/gone
deleted file mode 100644
--- a/gone
+++ /dev/null
@@ -1 +0,0 @@
-x
diff --git a/from b/to
similarity index 100%
rename from from
rename to to
diff --git a/mode b/mode
old mode 100644
new mode 100755
diff --git a/empty b/empty
new file mode 100644
index 0000000..e69de29
Index: plain
===================================================================
--- old/plain\t2026-01-01
+++ new/plain\t2026-01-01
@@ -1 +1 @@
-a
+b
@@ -9 +9 @@
-a

--- old/second
+++ new/second
@@ -1 +1 @@
-a
+b
";
    // The hunk `@@ -9 +9 @@` lacks its added line: the empty line cannot be it.
    let broken = scan(&lines(text));
    assert_eq!(broken.troubles, [(33, Trouble::LongHunk)]);
    let text = text.replace("@@ -9 +9 @@\n-a\n\n", "@@ -9 +9,0 @@\n-a\n\n");
    let lines = lines(&text);
    let scan = scan(&lines);
    assert_eq!(scan.troubles, []);
    let names: Vec<_> = scan.files.iter().map(|file| file.git.map(|(_, names)| names)).collect();
    let git = ["a/new b/new", "a/gone b/gone", "a/from b/to", "a/mode b/mode", "a/empty b/empty"].map(Some);
    assert_eq!(names, [&git[..], &[None, None]].concat());
    assert_eq!(scan.files.iter().map(|file| file.hunks.len()).collect::<Vec<_>>(), [1, 1, 0, 0, 0, 2, 1]);
    assert_eq!(scan.files[0].created, Some((1, "100755")));
    assert_eq!(scan.files[2].to, Some((17, "to")));
    assert!(scan.files[2].is_rename);
    assert_eq!(scan.files[3].new_mode, Some((20, "100755")));
    assert_eq!(scan.files[5].old, Some((26, "old/plain\t2026-01-01")));
    assert_eq!(scan.end, lines.len());
}

#[test]
fn damage_is_found_where_it_is() {
    let hunk = |body: &str| format!("--- a/x\n+++ b/x\n@@ -1,2 +1,3 @@\n{body}");
    for (body, expected) in [
        (" a\n+a line that was\nwrapped\n b\n", (5, Trouble::Wrapped)),
        (" a\n+b\n b that was\nwrapped\n", (6, Trouble::Wrapped)),
        (" a\n\tb\n+c\n", (4, Trouble::Whitespace)),
        (" a\n\u{a0}b\n+c\n", (4, Trouble::Whitespace)),
        (" a\n+b\n", (2, Trouble::ShortHunk)),
        (" a\n+b\n-- \n2.43.0\n", (2, Trouble::ShortHunk)),
        (" a\n+b\ndiff --git a/y b/y\n", (2, Trouble::ShortHunk)),
        (" a\n+b\n@@ -9,1 +9,1 @@\n x\n", (2, Trouble::ShortHunk)),
        (" a\n+b\n+c\n b\n", (6, Trouble::LongHunk)),
        (" a\n+b\n b\n+c\n", (6, Trouble::LongHunk)),
        (" a\n+b\n b\n-c\n", (6, Trouble::LongHunk)),
        (" a\n+b\n b\n@@ nonsense\n", (6, Trouble::BadHunk)),
        (" a\n+b\n b\n\nchatter\n--- a/y\n+++ b/y\n@@ -1 +1 @@\n-a\n+b\n", (7, Trouble::Chatter)),
        (" a\n+b\n b\n\nchatter\n@@ -1 +1 @@\n-a\n+b\n", (7, Trouble::Chatter)),
        (" a\n+b\n b\n--- a/y\n", (6, Trouble::HalfHeader)),
    ] {
        assert_eq!(troubles(&hunk(body)), [expected], "{body}");
    }
    assert_eq!(troubles("diff --git a/x b/x\n@@ -1 +1 @@\n-a\n+b\n"), [(1, Trouble::StrayHunk)]);
    assert_eq!(troubles("--- a/x\n+++ b/x\n@@ -1,x +1 @@\n-a\n"), [(2, Trouble::BadHunk)]);
    assert_eq!(troubles("--- a/x\n+++ b/x\n@@ -1,9999999999 +1 @@\n-a\n"), [(2, Trouble::BadHunk)]);
}

#[test]
fn every_broken_file_of_a_diff_is_named() {
    let text =
        "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\nwrapped\n+b\ndiff --git a/y b/y\n--- a/y\n+++ b/y\n@@ -1 +1 @@\n-a\n\tx\n";
    assert_eq!(troubles(text), [(4, Trouble::Wrapped), (11, Trouble::Whitespace)]);
}

#[test]
fn binary_files_are_marked() {
    let text = "diff --git a/x b/x\nindex 1..2 100644\nGIT binary patch\nliteral 5\nMcmb\n\nliteral 0\nHcmV\n\ndiff --git a/y b/y\nBinary files a/y and b/y differ\n";
    let lines = lines(text);
    let scan = scan(&lines);
    assert_eq!(scan.files.iter().map(|file| file.binary).collect::<Vec<_>>(), [Some(2), Some(10)]);
}

proptest::proptest! {
    #[test]
    fn no_lines_make_it_panic(text in "((diff --git |--- |\\+\\+\\+ |@@ -1,2 \\+1,2 @@|index |GIT binary patch|-- |[ +-])?[ -~\u{a0}]{0,8}\n){0,20}") {
        let lines: Vec<&str> = text.lines().collect();
        let scan = scan(&lines);
        proptest::prop_assert!(scan.end <= lines.len());
        proptest::prop_assert!(scan.troubles.iter().all(|(line, _)| *line < lines.len()));
    }
}
