use super::*;
use crate::tree::testing::{Entry, MAKEFILE, Scratch, archive, kernel_archive, sh_git};

async fn import_into(scratch: &Scratch, repo: &str, file: &str) -> Result<String, SourceError> {
    let repo = scratch.path.join(repo);
    git2::Repository::init_bare(&repo).unwrap();
    let file = scratch.path.join(file);
    import(&repo, &file, "refs/incoming/base", "linux 6.12.7", |_, _| (), &CancellationToken::new()).await
}

#[tokio::test]
async fn every_file_arrives_with_its_mode_whatever_gitignore_says() {
    let scratch = Scratch::new();
    kernel_archive(&scratch.path.join("linux.tar.xz"));
    let commit = import_into(&scratch, "a.git", "linux.tar.xz").await.unwrap();
    let listing = sh_git(&scratch.path.join("a.git"), &["ls-tree", "-r", "--format=%(objectmode) %(path)", &commit]);
    insta::assert_snapshot!(listing, @r"
    100644 .gitignore
    100644 Makefile
    100644 mm/copy.c
    100644 mm/hmm.c
    120000 scripts/dts
    100755 scripts/run.sh
    ");
    let link = sh_git(&scratch.path.join("a.git"), &["cat-file", "blob", &format!("{commit}:scripts/dts")]);
    assert_eq!(link, "../mm");
}

#[tokio::test]
async fn equal_source_gives_an_equal_commit_however_it_is_packed() {
    let scratch = Scratch::new();
    let mut commits = Vec::new();
    for (repo, file) in [("a.git", "l.tar"), ("b.git", "l.tar.gz"), ("c.git", "l.tar.xz"), ("c.git", "l.tar.xz")] {
        kernel_archive(&scratch.path.join(file));
        commits.push(import_into(&scratch, repo, file).await.unwrap());
    }
    commits.dedup();
    assert_eq!(commits.len(), 1);
}

#[tokio::test]
async fn unusual_names_survive() {
    let scratch = Scratch::new();
    let odd = "linux/a \"b\"\\\n\u{e9}.c";
    archive(&scratch.path.join("l.tar"), &[Entry::File(odd, 0o644, "x"), Entry::File("linux/\"q", 0o644, "")]);
    let commit = import_into(&scratch, "a.git", "l.tar").await.unwrap();
    let listing = sh_git(&scratch.path.join("a.git"), &["ls-tree", "-rz", "--name-only", &commit]);
    assert_eq!(listing.trim_end_matches('\0'), "\"q\0a \"b\"\\\n\u{e9}.c");
}

#[tokio::test]
async fn an_archive_that_escapes_leaves_nothing() {
    let scratch = Scratch::new();
    for bad in ["../evil", "linux/../../evil", "linux/.git/hooks/x", "/evil"] {
        archive(
            &scratch.path.join("l.tar"),
            &[Entry::File("linux/Makefile", 0o644, MAKEFILE), Entry::File(bad, 0o644, "x")],
        );
        let error = import_into(&scratch, "a.git", "l.tar").await.unwrap_err().to_string();
        assert!(error.contains(bad) && error.contains("l.tar"), "{error}");
        assert_eq!(sh_git(&scratch.path.join("a.git"), &["for-each-ref"]), "");
    }
    let reports = fs_err::read_dir(scratch.path.join("a.git")).unwrap();
    let reports = reports.filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().contains("crash"));
    assert_eq!(reports.count(), 0);
}

#[tokio::test]
async fn a_cut_off_archive_is_an_error_and_not_a_smaller_tree() {
    let scratch = Scratch::new();
    let file = scratch.path.join("l.tar.xz");
    kernel_archive(&file);
    let whole = fs_err::read(&file).unwrap();
    fs_err::write(&file, &whole[..whole.len() / 2]).unwrap();
    let error = import_into(&scratch, "a.git", "l.tar.xz").await.unwrap_err().to_string();
    assert!(error.contains("l.tar.xz"), "{error}");
    assert_eq!(sh_git(&scratch.path.join("a.git"), &["for-each-ref"]), "");
}

/// Wherever a plain archive ends too early: within a header, within a file, between two members.
#[tokio::test]
async fn a_plain_archive_without_its_end_is_refused() {
    let scratch = Scratch::new();
    let file = scratch.path.join("l.tar");
    let content = "x".repeat(1000);
    archive(&file, &[Entry::File("linux/a", 0o644, &content), Entry::File("linux/b", 0o644, &content)]);
    let whole = fs_err::read(&file).unwrap();
    import_into(&scratch, "a.git", "l.tar").await.unwrap();
    let member = 512 + 1024;
    for end in [member, member + 100, member + 512, member + 600, 2 * member] {
        fs_err::write(&file, &whole[..end]).unwrap();
        let error = import_into(&scratch, "b.git", "l.tar").await.unwrap_err().to_string();
        assert!(error.contains("l.tar"), "{end}: {error}");
    }
}

#[tokio::test]
async fn what_is_no_archive_is_refused() {
    let scratch = Scratch::new();
    fs_err::write(scratch.path.join("l.tar"), "<html>not found</html>").unwrap();
    let error = import_into(&scratch, "a.git", "l.tar").await.unwrap_err().to_string();
    assert!(error.contains("not a tar archive"), "{error}");
}

#[tokio::test]
async fn an_interrupted_import_says_so() {
    let scratch = Scratch::new();
    kernel_archive(&scratch.path.join("l.tar"));
    let repo = scratch.path.join("a.git");
    git2::Repository::init_bare(&repo).unwrap();
    let cancel = CancellationToken::new();
    cancel.cancel();
    let result = import(&repo, &scratch.path.join("l.tar"), "refs/incoming/base", "x", |_, _| (), &cancel).await;
    assert!(matches!(result, Err(SourceError::Cancelled)), "{result:?}");
}

#[test]
fn paths_are_quoted_for_fast_import() {
    assert_eq!(quoted(b"mm/hmm.c"), "\"mm/hmm.c\"");
    assert_eq!(quoted(b"a\"\\\n\xff"), "\"a\\\"\\\\\\012\\377\"");
}
