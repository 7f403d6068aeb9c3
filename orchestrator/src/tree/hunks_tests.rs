use super::*;

fn parse(text: &str) -> Vec<FileChange> {
    changes(&Diff::from_buffer(text.as_bytes()).unwrap()).unwrap()
}

fn files(list: &[(&str, Option<&str>)]) -> Files {
    list.iter().map(|(path, text)| ((*path).to_owned(), text.map(|text| text.as_bytes().to_vec()))).collect()
}

fn numbered(lines: std::ops::RangeInclusive<u32>) -> String {
    lines.map(|line| format!("line {line}\n")).collect()
}

const MIDDLE: &str = "diff --git a/f b/f
--- a/f
+++ b/f
@@ -10,3 +10,4 @@ int main(void)
 line 10
 line 11
+new
 line 12
-- \n2.43.0\n";

#[test]
fn a_hunk_is_found_where_lines_moved_to() {
    let before = format!("{}{}", numbered(100..=140), numbered(1..=20));
    let after = applied(&parse(MIDDLE), &files(&[("f", Some(&before))])).unwrap();
    let text = String::from_utf8(after["f"].clone().unwrap()).unwrap();
    assert_eq!(text, before.replace("line 11\n", "line 11\nnew\n"));
}

#[test]
fn of_two_places_the_nearer_is_taken() {
    let repeated = "x\ny\n".repeat(20);
    let diff = "diff --git a/f b/f\n--- a/f\n+++ b/f\n@@ -21,2 +21,3 @@\n x\n+new\n y\n";
    let after = applied(&parse(diff), &files(&[("f", Some(&repeated))])).unwrap();
    let lines = String::from_utf8(after["f"].clone().unwrap()).unwrap();
    assert_eq!(lines.lines().position(|line| line == "new"), Some(21));
}

#[test]
fn a_hunk_without_context_behind_it_belongs_to_the_end() {
    let diff = "diff --git a/f b/f\n--- a/f\n+++ b/f\n@@ -2,2 +2,3 @@\n line 2\n line 3\n+new\n";
    assert!(applied(&parse(diff), &files(&[("f", Some(&numbered(1..=3)))])).is_ok());
    let misfit = applied(&parse(diff), &files(&[("f", Some(&numbered(1..=4)))])).unwrap_err();
    assert_eq!(misfit.hunk.as_deref(), Some("@@ -2,2 +2,3 @@"));
}

#[test]
fn a_conflict_shows_what_differs() {
    let before = numbered(1..=20).replace("line 11\n", "other 11\n");
    let misfit = applied(&parse(MIDDLE), &files(&[("f", Some(&before))])).unwrap_err();
    insta::assert_debug_snapshot!(misfit, @r#"
    Misfit {
        file: "f",
        hunk: Some(
            "@@ -10,3 +10,4 @@ int main(void)",
        ),
        reason: "the lines it expects are not there",
        expected: [
            "line 10",
            "line 11",
            "line 12",
        ],
        found: [
            "line 10",
            "other 11",
            "line 12",
        ],
        found_line: 10,
        already: false,
    }
    "#);
}

#[test]
fn a_patch_that_is_there_already_is_recognised() {
    let before = files(&[("f", Some(&numbered(1..=20)))]);
    let after = applied(&parse(MIDDLE), &before).unwrap();
    let misfit = applied(&parse(MIDDLE), &after).unwrap_err();
    assert!(misfit.already);
    assert!(already_applied(&parse(MIDDLE), &after));
    assert!(!already_applied(&parse(MIDDLE), &before));
}

#[test]
fn files_come_go_and_move() {
    let diff = "diff --git a/old b/new
similarity index 50%
rename from old
rename to new
index 0123456..789abcd 100644
--- a/old
+++ b/new
@@ -1 +1 @@
-a
+b
diff --git a/gone b/gone
deleted file mode 100644
--- a/gone
+++ /dev/null
@@ -1 +0,0 @@
-x
diff --git a/made b/made
new file mode 100644
--- /dev/null
+++ b/made
@@ -0,0 +1 @@
+y
\\ No newline at end of file
";
    let changes = parse(diff);
    let before = files(&[("old", Some("a\n")), ("new", None), ("gone", Some("x\n")), ("made", None)]);
    let after = applied(&changes, &before).unwrap();
    assert_eq!(after, files(&[("old", None), ("new", Some("b\n")), ("gone", None), ("made", Some("y"))]));
    assert!(already_applied(&changes, &after));
    let table = [
        (("gone", Some("x\nz\n")), "the lines it expects are not there"),
        (("gone", None), "gone is not there"),
        (("made", Some("other")), "made is there already"),
        (("new", Some("")), "new is there already"),
    ];
    for ((path, text), reason) in table {
        let mut now = before.clone();
        now.extend(files(&[(path, text)]));
        assert_eq!(applied(&changes, &now).unwrap_err().reason, reason);
    }
}

#[test]
fn what_is_shown_is_bounded_and_clean() {
    let diff =
        format!("diff --git a/f b/f\n--- a/f\n+++ b/f\n@@ -5,50 +5,51 @@\n{}+x\n last\n", " a\u{1b}[31m\n".repeat(49));
    let long = format!("{}\n", "b".repeat(10_000)).repeat(60);
    let misfit = applied(&parse(&diff), &files(&[("f", Some(&long))])).unwrap_err();
    assert_eq!(misfit.expected.len(), SHOWN_LINES);
    assert_eq!(misfit.expected[0], "a[31m");
    assert!(misfit.found.iter().all(|line| line.len() <= SHOWN_WIDTH));
}
