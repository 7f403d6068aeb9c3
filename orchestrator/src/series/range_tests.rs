//! Ranges of real repositories.

use camino::Utf8PathBuf;
use git2::{Oid, Signature, Time};

use super::*;

struct Clone {
    _keep: tempfile::TempDir,
    path: Utf8PathBuf,
    git: Repository,
}

impl Clone {
    fn new() -> Clone {
        let folder = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::try_from(folder.path().to_owned()).unwrap();
        let git = Repository::init(&path).unwrap();
        Clone { _keep: folder, path, git }
    }

    /// A commit whose tree holds exactly these files.
    fn commit(&self, parents: &[Oid], message: &str, files: &[(&str, &[u8])]) -> Oid {
        let mut builder = self.git.treebuilder(None).unwrap();
        for (name, bytes) in files {
            builder.insert(name, self.git.blob(bytes).unwrap(), 0o100_644).unwrap();
        }
        let tree = self.git.find_tree(builder.write().unwrap()).unwrap();
        let author = Signature::new("Jörg", "j@k.l", &Time::new(1_773_642_247, 120)).unwrap();
        let parents: Vec<Commit<'_>> = parents.iter().map(|id| self.git.find_commit(*id).unwrap()).collect();
        let parents: Vec<&Commit<'_>> = parents.iter().collect();
        self.git.commit(None, &author, &author, message, &tree, &parents).unwrap()
    }

    fn load(&self, base: Oid, tip: Oid) -> Result<Series, SeriesError> {
        load(&self.path, &format!("{base}..{tip}"))
    }

    fn error(&self, base: Oid, tip: Oid) -> String {
        self.load(base, tip).unwrap_err().to_string().replace(self.path.as_str(), "REPO")
    }
}

#[test]
fn commits_become_patches_oldest_first() {
    let clone = Clone::new();
    let base = clone.commit(&[], "base", &[("x", b"one\n")]);
    let first = clone.commit(&[base], "mm: first\n\nWhy.\n\nAcked-by: x\n", &[("x", b"one\ntwo\n")]);
    let tip = clone.commit(&[first], "mm: second", &[("x", b"one\ntwo\n"), ("y", b"new\n")]);
    let series = clone.load(base, tip).unwrap();
    assert_eq!(series.base_commit, Some(base.to_string()));
    assert_eq!((series.title.as_str(), series.notes.len()), ("mm: first", 0));
    let [one, two] = series.patches.as_slice() else { panic!("{:?}", series.patches) };
    assert_eq!(
        (one.number, one.total, one.subject.as_str(), one.message.as_str()),
        (1, 2, "mm: first", "Why.\n\nAcked-by: x")
    );
    assert_eq!((one.author.name.as_str(), one.date.offset_minutes), ("Jörg", 120));
    insta::assert_snapshot!(one.diff, @r"
    diff --git a/x b/x
    index 5626abf0f72e58d7a153368ba57db4c673c0e171..814f4a422927b82f5f8a43f8fab6d3839e3983f2 100644
    --- a/x
    +++ b/x
    @@ -1 +1,2 @@
     one
    +two
    ");
    assert!(
        two.diff
            .starts_with("diff --git a/y b/y\nnew file mode 100644\nindex 0000000000000000000000000000000000000000..")
    );
    assert_eq!(crate::series::vet(&series), Ok(()));
}

#[test]
fn a_range_can_leave_an_end_to_head() {
    let clone = Clone::new();
    let base = clone.commit(&[], "base", &[("x", b"one\n")]);
    let tip = clone.commit(&[base], "mm: first", &[("x", b"two\n")]);
    clone.git.reference("refs/heads/topic", tip, true, "").unwrap();
    clone.git.set_head("refs/heads/topic").unwrap();
    assert_eq!(load(&clone.path, &format!("{base}..")).unwrap().patches.len(), 1);
    assert_eq!(load(&clone.path, "topic~1..topic").unwrap().patches.len(), 1);
    let error = load(&clone.path, "..topic").unwrap_err().to_string();
    assert!(error.contains("no commit is in topic that is not in "), "{error}");
}

#[test]
fn a_base_that_is_no_ancestor_is_noted() {
    let clone = Clone::new();
    let fork = clone.commit(&[], "fork", &[("x", b"one\n")]);
    let base = clone.commit(&[fork], "base", &[("x", b"elsewhere\n")]);
    let tip = clone.commit(&[fork], "mm: first", &[("x", b"two\n")]);
    let series = clone.load(base, tip).unwrap();
    assert_eq!(series.base_commit, Some(fork.to_string()));
    assert_eq!(series.notes, [format!("{base} is no ancestor of {tip}; the series starts at {fork}, where they part")]);
}

#[test]
fn what_is_no_line_of_patches_is_refused_by_name() {
    let clone = Clone::new();
    let base = clone.commit(&[], "base", &[("x", b"one\n")]);
    let left = clone.commit(&[base], "mm: left", &[("x", b"two\n")]);
    let right = clone.commit(&[base], "mm: right", &[("x", b"three\n")]);
    let merge = clone.commit(&[left, right], "Merge right", &[("x", b"four\n")]);
    let expected = format!(
        "REPO: patch 3 \"Merge right\": commit {merge} is a merge of 2 commits (rebase the branch so that it is a line of single commits)"
    );
    assert_eq!(clone.error(base, merge), expected);
    let root = clone.commit(&[], "other root", &[("y", b"x\n")]);
    assert!(
        clone
            .error(base, root)
            .contains(&format!("commit {root} has no parent: base and tip have no history in common"))
    );
    let empty = clone.commit(&[base], "mm: empty", &[("x", b"one\n")]);
    assert!(clone.error(base, empty).contains(&format!("patch 1 \"mm: empty\": commit {empty} changes nothing")));
    let latin = clone.commit(&[base], "mm: latin", &[("x", b"caf\xe9\n")]);
    assert!(clone.error(base, latin).contains("changes a file that is not UTF-8 text"));
    let mut tip = base;
    for count in 0..=COMMIT_LIMIT {
        tip = clone.commit(&[tip], "mm: one more", &[("x", count.to_string().as_bytes())]);
    }
    assert!(clone.error(base, tip).contains("has more than 300 commits"));
}

#[test]
fn binary_commits_are_read_and_then_vetted_away() {
    let clone = Clone::new();
    let base = clone.commit(&[], "base", &[("x", b"one\n")]);
    let tip = clone.commit(&[base], "mm: blob", &[("x", b"\0\x01\x02")]);
    let refusals = crate::series::vet(&clone.load(base, tip).unwrap()).unwrap_err();
    assert_eq!(refusals[0].what, "it changes a binary file");
}

#[test]
fn names_that_git_does_not_know_are_errors() {
    let clone = Clone::new();
    let base = clone.commit(&[], "base", &[("x", b"one\n")]);
    for (repo, range, expected) in [
        (clone.path.clone(), "nowhere..elsewhere".to_owned(), "nowhere"),
        (clone.path.clone(), format!("{base}...{base}"), "write base..tip"),
        (clone.path.clone(), format!("{base}"), "write base..tip"),
        (clone.path.clone(), format!("{base}..{base}"), "is the order base..tip?"),
        (clone.path.join("none"), format!("{base}..{base}"), "name a git clone with --tree"),
    ] {
        let error = load(&repo, &range).unwrap_err().to_string();
        assert!(error.contains(expected), "{range}: {error}");
    }
}
