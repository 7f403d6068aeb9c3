use super::*;
use crate::tree::testing::{MAKEFILE, Scratch, commit as commit_files, recorder, repository, sh_git};
use crate::tree::{FetchOptions, TreeSpec, fetch, read_file};
use crate::words::testing as words;
use crate::words::{Date, Person};

/// A clone of the tests' own, borrowed as a tree.
async fn tree_of(scratch: &Scratch, rev: &str) -> Tree {
    let spec = TreeSpec::local(&scratch.path.join("kernel"), rev);
    let (events, _) = recorder();
    let cancel = CancellationToken::new();
    fetch(&spec, &scratch.path.join("cache"), "u", FetchOptions::default(), &events, &cancel).await.unwrap()
}

fn series(diffs: &[&str]) -> Series {
    let mut series = words::series("v6/../x", diffs);
    for (index, patch) in series.patches.iter_mut().enumerate() {
        patch.author = Person { name: "Ánna Author".into(), email: "anna@example.org".into() };
        patch.date = Date { seconds: 1_700_000_000 + index as i64, offset_minutes: 120 };
        patch.message = "Why.\n\nSigned-off-by: Ánna Author <anna@example.org>\n".into();
        patch.diff_line = 10;
    }
    series
}

async fn run(tree: &Tree, series: &Series) -> Result<Applied, ApplyError> {
    apply(tree, series, &CancellationToken::new()).await
}

const LINES: &str = "one\ntwo\nthree\nfour\nfive\nsix\nseven\n";
const TWO: &str =
    "diff --git a/mm/a.c b/mm/a.c\n--- a/mm/a.c\n+++ b/mm/a.c\n@@ -1,4 +1,4 @@\n one\n-two\n+TWO\n three\n four\n";
const NEW_FILE: &str = "diff --git a/lib/deep/new.c b/lib/deep/new.c\nnew file mode 100755\nindex 000000000000..0123456789ab\n--- /dev/null\n+++ b/lib/deep/new.c\n@@ -0,0 +1,2 @@\n+int x;\n+\n-- \n2.43.0\n\n";

fn kernel(scratch: &Scratch) -> String {
    repository(&scratch.path.join("kernel"), &[("Makefile", MAKEFILE), ("mm/a.c", LINES), ("mm/b.c", LINES)])
}

#[tokio::test]
async fn patches_become_commits_with_their_authors() {
    let scratch = Scratch::new();
    let base = kernel(&scratch);
    let tree = tree_of(&scratch, "HEAD").await;
    let series = series(&[TWO, NEW_FILE]);
    let done = run(&tree, &series).await.unwrap();
    assert_eq!(done.revisions.len(), 3);
    assert_eq!((done.revisions[0].commit.as_str(), done.revisions[0].revision), (base.as_str(), Revision::Base));
    assert_eq!(done.revisions[1].touched, ["mm/a.c"]);
    assert_eq!(done.revisions[2].touched, ["lib/deep/new.c"]);
    assert_eq!(done.notes, [""; 0]);
    let shown = sh_git(
        &tree.repo,
        &[
            "log",
            "--reverse",
            "--format=%an <%ae> %ai|%cn <%ce> %ci%n%B",
            &format!("{base}..{}", done.revisions[2].commit),
        ],
    );
    insta::assert_snapshot!(shown, @r"
    Ánna Author <anna@example.org> 2023-11-15 00:13:20 +0200|orchestrator <orchestrator@localhost> 2023-11-15 00:13:20 +0200
    mm: change 1

    Why.

    Signed-off-by: Ánna Author <anna@example.org>

    Ánna Author <anna@example.org> 2023-11-15 00:13:21 +0200|orchestrator <orchestrator@localhost> 2023-11-15 00:13:21 +0200
    mm: change 2

    Why.

    Signed-off-by: Ánna Author <anna@example.org>
    ");
    let mode = sh_git(&tree.repo, &["ls-tree", "-r", "--format=%(objectmode)", &done.revisions[2].commit, "lib"]);
    assert_eq!(mode, "100755");
    let references = sh_git(&tree.repo, &["for-each-ref", "--format=%(refname)", "refs/orchestrator"]);
    assert_eq!(references, "refs/orchestrator/v6----x/1\nrefs/orchestrator/v6----x/2");
    // Same series, same tree: same commits.
    assert_eq!(run(&tree, &series).await.unwrap(), done);
    assert_eq!(sh_git(&scratch.path.join("kernel"), &["for-each-ref", "--format=%(refname)"]), "refs/heads/main");
}

/// Every odd kind of change that git makes must come out as git made it.
#[tokio::test]
async fn whatever_git_can_say_comes_out_as_git_made_it() {
    let scratch = Scratch::new();
    kernel(&scratch);
    let folder = scratch.path.join("kernel");
    commit_files(
        &folder,
        &[("Documentation/no-newline", "a\nb"), ("mm/empty.c", ""), ("mm/crlf.c", "a\r\nb\r\n"), ("mm/tail.c", LINES)],
        "more",
    );
    std::os::unix::fs::symlink("a.c", folder.join("mm/link")).unwrap();
    commit_files(&folder, &[("drivers/only/one.c", "only\n"), ("mm/ünï \"q\".c", LINES)], "base");
    let steps: &[(&str, &dyn Fn())] = &[
        ("delete the only file of a folder", &|| fs_err::remove_dir_all(folder.join("drivers")).unwrap()),
        ("rename", &|| fs_err::rename(folder.join("mm/a.c"), folder.join("mm/z.c")).unwrap()),
        ("rename with change", &|| {
            fs_err::remove_file(folder.join("mm/b.c")).unwrap();
            fs_err::write(folder.join("mm/y.c"), LINES.replace("four", "4")).unwrap();
        }),
        ("mode", &|| {
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            fs_err::set_permissions(folder.join("mm/z.c"), mode).unwrap();
        }),
        ("newline at end comes", &|| fs_err::write(folder.join("Documentation/no-newline"), "a\nb\n").unwrap()),
        ("newline at end goes", &|| fs_err::write(folder.join("Documentation/no-newline"), "a\nc").unwrap()),
        ("empty file fills", &|| fs_err::write(folder.join("mm/empty.c"), "x\n").unwrap()),
        ("file empties", &|| fs_err::write(folder.join("mm/empty.c"), "").unwrap()),
        ("empty file goes", &|| fs_err::remove_file(folder.join("mm/empty.c")).unwrap()),
        ("empty file comes", &|| fs_err::write(folder.join("mm/empty2.c"), "").unwrap()),
        ("carriage returns", &|| fs_err::write(folder.join("mm/crlf.c"), "a\r\nc\r\n").unwrap()),
        ("link moves", &|| {
            fs_err::remove_file(folder.join("mm/link")).unwrap();
            std::os::unix::fs::symlink("z.c", folder.join("mm/link")).unwrap();
        }),
        ("link becomes file", &|| {
            fs_err::remove_file(folder.join("mm/link")).unwrap();
            fs_err::write(folder.join("mm/link"), "file\n").unwrap();
        }),
        ("lines at both ends", &|| fs_err::write(folder.join("mm/tail.c"), format!("first\n{LINES}last\n")).unwrap()),
        ("odd name", &|| fs_err::write(folder.join("mm/ünï \"q\".c"), LINES.replace("six", "6")).unwrap()),
        ("file becomes folder", &|| {
            fs_err::remove_file(folder.join("mm/empty2.c")).unwrap();
            fs_err::create_dir(folder.join("mm/empty2.c")).unwrap();
            fs_err::write(folder.join("mm/empty2.c/x"), "x\n").unwrap();
        }),
    ];
    let tree = tree_of(&scratch, "HEAD").await;
    let (mut diffs, mut trees) = (Vec::new(), Vec::new());
    for (name, step) in steps {
        step();
        commit_files(&folder, &[], name);
        let diff = std::process::Command::new("git")
            .args(["format-patch", "--stdout", "-1", "-M", "--full-index"])
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .current_dir(&folder)
            .output()
            .unwrap();
        let text = String::from_utf8(diff.stdout).unwrap();
        diffs.push(text[text.find("diff --git").unwrap()..].to_owned());
        trees.push(sh_git(&folder, &["rev-parse", "HEAD^{tree}"]));
    }
    let texts: Vec<&str> = diffs.iter().map(String::as_str).collect();
    let done = run(&tree, &series(&texts)).await.unwrap();
    for ((revision, tree), (name, _)) in done.revisions[1..].iter().zip(&trees).zip(steps) {
        assert_eq!(revision.tree, *tree, "{name}");
    }
    // Only what libgit2 cannot do may need git.
    insta::assert_snapshot!(
        done.notes.join("\n"),
        @r#"patch 16/16 "mm: change 16" was applied by git am -3 (invalid patch header at line 4)"#
    );
}

#[tokio::test]
async fn a_conflict_names_patch_file_and_hunk() {
    let scratch = Scratch::new();
    kernel(&scratch);
    let tree = tree_of(&scratch, "HEAD").await;
    let bad = TWO.replace(" three\n", " drei\n").replace("mm/a.c", "mm/b.c");
    let error = run(&tree, &series(&[TWO, &bad])).await.unwrap_err();
    let ApplyError::Conflict(conflict) = &error else { panic!("{error}") };
    assert_eq!((conflict.number, conflict.total, conflict.applied.len()), (2, 2, 2));
    assert!(!conflict.already_applied);
    // git's own words change from version to version.
    assert!(conflict.git.contains("error:"), "{}", conflict.git);
    let conflict = Conflict { git: "error: words".into(), ..(**conflict).clone() };
    insta::assert_snapshot!(conflict.evidence(), @r#"
    patch 2/2 "mm: change 2" does not apply: mm/b.c, hunk @@ -1,4 +1,4 @@: the lines it expects are not there
    @@ -1,4 +1,4 @@
    expected:
        two
        drei
        four
    found at mm/b.c:2:
        two
        three
        four
    git am -3: error: words
    "#);
}

#[tokio::test]
async fn a_patch_that_is_in_already_is_told_so() {
    let scratch = Scratch::new();
    kernel(&scratch);
    let tree = tree_of(&scratch, "HEAD").await;
    let error = run(&tree, &series(&[TWO, TWO])).await.unwrap_err();
    let ApplyError::Conflict(conflict) = &error else { panic!("{error}") };
    assert!(conflict.already_applied);
    assert_eq!(error.to_string(), "patch 2/2 \"mm: change 2\" does not apply: all it does is in the tree already");
}

#[tokio::test]
async fn a_patch_without_effect_is_refused() {
    let scratch = Scratch::new();
    kernel(&scratch);
    let tree = tree_of(&scratch, "HEAD").await;
    let nothing = TWO.replace("+TWO", "+two");
    let error = run(&tree, &series(&[&nothing])).await.unwrap_err();
    assert!(matches!(error, ApplyError::NoChange { number: 1, .. }), "{error}");
}

#[tokio::test]
async fn git_am_merges_what_libgit2_refuses() {
    let scratch = Scratch::new();
    let first = kernel(&scratch);
    let folder = scratch.path.join("kernel");
    // The patch was made on the first commit; since then the file was renamed and changed nearby.
    commit_files(&folder, &[("mm/a.c", &LINES.replace("two", "TWO"))], "patch");
    let diff = sh_git(&folder, &["diff", "--full-index", "HEAD^", "HEAD"]) + "\n";
    sh_git(&folder, &["reset", "-q", "--hard", &first]);
    sh_git(&folder, &["mv", "mm/a.c", "mm/core.c"]);
    sh_git(&folder, &["rm", "-q", "mm/b.c"]);
    commit_files(&folder, &[("mm/core.c", &LINES.replace("five", "FIVE"))], "moved");
    let tree = tree_of(&scratch, "HEAD").await;
    let done = run(&tree, &series(&[&diff])).await.unwrap();
    let tip = &done.revisions[1];
    let text = read_file(&tree, &tip.commit, "mm/core.c").unwrap().unwrap();
    assert_eq!(String::from_utf8(text).unwrap(), LINES.replace("two", "TWO").replace("five", "FIVE"));
    assert_eq!(tip.touched, ["mm/core.c"]);
    assert_eq!(done.notes, ["patch 1/1 \"mm: change 1\" was applied by git am -3 (mm/a.c is not there)"]);
    let author = sh_git(&tree.repo, &["log", "-1", "--format=%an|%s", &tip.commit]);
    assert_eq!(author, "Ánna Author|mm: change 1");
    assert!(!tree.repo.join("am").exists());
}

#[tokio::test]
async fn authors_without_a_name_are_kept_as_far_as_git_can() {
    let scratch = Scratch::new();
    kernel(&scratch);
    let tree = tree_of(&scratch, "HEAD").await;
    let mut series = series(&[TWO]);
    for (name, email, expected) in [("", "a@b", "a@b|a@b"), ("A <B>\n", "", "A B|unknown")] {
        series.patches[0].author = Person { name: name.into(), email: email.into() };
        let done = run(&tree, &series).await.unwrap();
        assert_eq!(sh_git(&tree.repo, &["log", "-1", "--format=%an|%ae", &done.revisions[1].commit]), expected);
    }
}

const MOVED_LINK: &str = "diff --git a/a/b/link b/link\nsimilarity index 100%\nrename from a/b/link\nrename to link\n";

#[tokio::test]
async fn a_symlink_of_the_tree_must_not_be_moved_so_that_it_leads_outside() {
    let scratch = Scratch::new();
    kernel(&scratch);
    let repo = scratch.path.join("kernel");
    fs_err::create_dir_all(repo.join("a/b")).unwrap();
    std::os::unix::fs::symlink("../../mm", repo.join("a/b/link")).unwrap();
    commit_files(&repo, &[], "a link");
    let tree = tree_of(&scratch, "HEAD").await;
    let moved = series(&[MOVED_LINK]);
    crate::series::vet(&moved).expect("a patch alone does not show it");
    let error = run(&tree, &moved).await.unwrap_err();
    assert!(matches!(&error, ApplyError::LeavingLink { number: 1, path, .. } if path == "link"), "{error}");
    assert!(error.to_string().contains("the target `../../mm` of the symlink link leads outside the tree"), "{error}");
    let deeper = MOVED_LINK.replace("rename to link", "rename to c/d/link").replace("b/link\nsim", "b/c/d/link\nsim");
    run(&tree, &series(&[&deeper])).await.unwrap();
}

#[tokio::test]
async fn a_file_that_is_only_renamed_keeps_its_mode() {
    let scratch = Scratch::new();
    kernel(&scratch);
    let repo = scratch.path.join("kernel");
    fs_err::write(repo.join("run.sh"), "#!/bin/sh\n").unwrap();
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs_err::set_permissions(repo.join("run.sh"), executable).unwrap();
    commit_files(&repo, &[], "a script");
    let tree = tree_of(&scratch, "HEAD").await;
    let renamed =
        "diff --git a/run.sh b/tools/go.sh\nsimilarity index 100%\nrename from run.sh\nrename to tools/go.sh\n";
    let done = run(&tree, &series(&[renamed])).await.unwrap();
    let listed = sh_git(&tree.repo, &["ls-tree", "-r", &done.revisions[1].commit, "tools/go.sh"]);
    assert!(listed.starts_with("100755 "), "{listed}");
}
