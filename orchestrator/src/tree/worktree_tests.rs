use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use super::*;
use crate::tree::testing::{MAKEFILE, Scratch, commit, notes, recorder, repository, sh_git};
use crate::tree::{FetchOptions, TreeSpec, fetch};
use crate::words::Revision;

/// A clone with two commits, as a tree, and the folder of its worktree.
struct Room {
    scratch: Scratch,
    tree: Tree,
    dir: Utf8PathBuf,
    commits: [RevisionCommit; 2],
}

async fn room() -> Room {
    let scratch = Scratch::new();
    let kernel = scratch.path.join("kernel");
    let files = [
        ("Makefile", MAKEFILE),
        (".gitignore", "*.o\n"),
        ("mm/a.c", "one\n"),
        ("mm/b.c", "same\n"),
        ("lib/x.c", "x\n"),
    ];
    let first = repository(&kernel, &files);
    fs_err::remove_dir_all(kernel.join("lib")).unwrap();
    symlink("b.c", kernel.join("mm/link")).unwrap();
    fs_err::set_permissions(kernel.join("Makefile"), PermissionsExt::from_mode(0o755)).unwrap();
    let second = commit(&kernel, &[("mm/a.c", "two\n"), ("new/deep/y.c", "y\n")], "second");
    let (events, _) = recorder();
    let cancel = CancellationToken::new();
    let spec = TreeSpec::local(&kernel, "HEAD");
    let cache = scratch.path.join("cache");
    let tree = fetch(&spec, &cache, "u", FetchOptions::default(), &events, &cancel).await.unwrap();
    let revision = |commit: String| RevisionCommit {
        revision: Revision::Base,
        tree: sh_git(&kernel, &["rev-parse", &format!("{commit}^{{tree}}")]),
        commit,
        touched: Vec::new(),
    };
    let commits = [revision(first), revision(second)];
    Room { dir: cache.join("work/x/src"), scratch, tree, commits }
}

impl Room {
    async fn open(&self) -> Worktree {
        let (events, _) = recorder();
        Worktree::open(&self.tree, &self.dir, "u", &events, &CancellationToken::new()).await.unwrap()
    }

    /// The folder as a tree id, by reading every file anew.
    fn tree_on_disk(&self) -> String {
        let copy = self.scratch.path.join("copy");
        let _ = fs_err::remove_dir_all(&copy);
        let done = std::process::Command::new("cp").args(["-a", self.dir.as_str(), copy.as_str()]).status().unwrap();
        assert!(done.success());
        assert!(!copy.join(".git").exists());
        sh_git(&copy, &["init", "-q"]);
        sh_git(&copy, &["add", "-A", "-f"]);
        sh_git(&copy, &["write-tree"])
    }

    async fn switch(&self, worktree: &mut Worktree, index: usize) -> Switched {
        let switched = worktree.switch(&self.commits[index], &CancellationToken::new()).await.unwrap();
        assert_eq!(self.tree_on_disk(), self.commits[index].tree);
        assert_eq!(worktree.commit().as_deref(), Some(self.commits[index].commit.as_str()));
        switched
    }

    /// What would tell that a file was written anew.
    fn identity(&self, file: &str) -> (u64, i64, i64) {
        let meta = fs_err::metadata(self.dir.join(file)).unwrap();
        (meta.ino(), meta.mtime(), meta.mtime_nsec())
    }
}

#[tokio::test]
async fn switching_touches_only_files_that_differ() {
    let room = room().await;
    let mut worktree = room.open().await;
    assert!(room.switch(&mut worktree, 0).await.compared);
    let (same, changed) = (room.identity("mm/b.c"), room.identity("mm/a.c"));
    assert!(!room.switch(&mut worktree, 1).await.compared);
    assert_eq!(room.identity("mm/b.c"), same);
    assert_ne!(room.identity("mm/a.c"), changed);
    assert!(!room.dir.join("lib").exists(), "an empty folder stayed");
    assert!(!room.switch(&mut worktree, 0).await.compared);
    // Another run finds it as it was left.
    drop(worktree);
    let mut worktree = room.open().await;
    assert_eq!(worktree.commit().as_deref(), Some(room.commits[0].commit.as_str()));
    assert!(!room.switch(&mut worktree, 0).await.compared);
    assert_eq!(room.identity("mm/b.c"), same);
}

#[tokio::test]
async fn whatever_a_build_did_to_it_is_undone() {
    let room = room().await;
    let mut worktree = room.open().await;
    room.switch(&mut worktree, 0).await;
    let kept = room.identity("mm/b.c");
    let dir = &room.dir;
    // Ignored, untracked, nested repositories, empty folders, links out of the tree.
    fs_err::write(dir.join("mm/a.o"), "object").unwrap();
    fs_err::create_dir_all(dir.join("empty/deeper")).unwrap();
    fs_err::create_dir_all(dir.join("nested/.git")).unwrap();
    sh_git(&dir.join("nested"), &["init", "-q"]);
    fs_err::write(dir.join(".git"), "gitdir: /elsewhere\n").unwrap();
    fs_err::create_dir_all(dir.join("mm/.git/hooks")).unwrap();
    fs_err::write(dir.join(".gitignore"), "*\n").unwrap();
    fs_err::write(dir.join(".gitattributes"), "* text eol=crlf\n").unwrap();
    let outside = room.scratch.path.join("outside");
    fs_err::create_dir(&outside).unwrap();
    fs_err::write(outside.join("x.c"), "precious\n").unwrap();
    fs_err::remove_dir_all(dir.join("lib")).unwrap();
    symlink(&outside, dir.join("lib")).unwrap();
    fs_err::set_permissions(dir.join("Makefile"), PermissionsExt::from_mode(0o700)).unwrap();
    // Same size, same modification time.
    let file = fs_err::File::options().write(true).open(dir.join("mm/a.c")).unwrap();
    let time = file.metadata().unwrap().modified().unwrap();
    std::io::Write::write_all(&mut &file, b"eno\n").unwrap();
    file.file().set_modified(time).unwrap();
    room.switch(&mut worktree, 0).await;
    assert_eq!(room.identity("mm/b.c"), kept);
    assert_eq!(fs_err::read_to_string(outside.join("x.c")).unwrap(), "precious\n");
}

#[tokio::test]
async fn a_killed_switch_is_repaired_by_content() {
    let room = room().await;
    let mut worktree = room.open().await;
    room.switch(&mut worktree, 0).await;
    let kept = room.identity("mm/b.c");
    drop(worktree);
    // Killed between two files: the state is gone, git's lock is there, one file is written half, one not yet.
    fs_err::remove_file(beside(&room.dir, "state")).unwrap();
    fs_err::write(beside(&room.dir, "index.lock"), "half").unwrap();
    let meta = fs_err::metadata(room.dir.join("mm/a.c")).unwrap();
    fs_err::write(room.dir.join("mm/a.c"), "tw\0\0").unwrap();
    let file = fs_err::File::options().write(true).open(room.dir.join("mm/a.c")).unwrap();
    file.file().set_modified(meta.modified().unwrap()).unwrap();
    fs_err::create_dir_all(room.dir.join("new/deep")).unwrap();
    fs_err::write(room.dir.join("new/deep/y.c"), "").unwrap();
    let mut worktree = room.open().await;
    assert_eq!(worktree.commit(), None);
    assert!(room.switch(&mut worktree, 1).await.compared);
    assert_eq!(room.identity("mm/b.c"), kept, "a file with the right content was written anew");
}

#[tokio::test]
async fn a_broken_index_is_made_anew() {
    let room = room().await;
    let mut worktree = room.open().await;
    room.switch(&mut worktree, 0).await;
    let kept = room.identity("mm/b.c");
    fs_err::write(beside(&room.dir, "index"), "no index").unwrap();
    assert!(room.switch(&mut worktree, 1).await.compared);
    assert_eq!(room.identity("mm/b.c"), kept);
}

#[tokio::test]
async fn an_interrupted_switch_leaves_no_claim() {
    let room = room().await;
    let mut worktree = room.open().await;
    room.switch(&mut worktree, 0).await;
    let cancel = CancellationToken::new();
    cancel.cancel();
    let error = worktree.switch(&room.commits[1], &cancel).await.unwrap_err();
    assert!(matches!(error, WorktreeError::Cancelled { .. }), "{error}");
    assert_eq!(worktree.commit(), None);
    assert!(room.switch(&mut worktree, 1).await.compared);
}

#[tokio::test]
async fn one_run_at_a_time_holds_the_folder() {
    let room = room().await;
    let first = room.open().await;
    let (events, seen) = recorder();
    assert!(Worktree::try_open(&room.tree, &room.dir, "u", &events).unwrap().is_none());
    let cancel = CancellationToken::new();
    let second = Worktree::open(&room.tree, &room.dir, "u", &events, &cancel);
    let release = async {
        while notes(&seen).is_empty() {
            tokio::task::yield_now().await;
        }
        drop(first);
    };
    let (second, ()) = tokio::join!(second, release);
    assert_eq!(second.unwrap().dir(), room.dir);
    assert!(notes(&seen)[0].contains("waiting for it"));
}

#[tokio::test]
async fn a_folder_of_the_user_is_not_cleaned() {
    let room = room().await;
    fs_err::create_dir_all(&room.dir).unwrap();
    fs_err::write(room.dir.join("thesis.tex"), "precious").unwrap();
    let (events, _) = recorder();
    let error = Worktree::open(&room.tree, &room.dir, "u", &events, &CancellationToken::new()).await.unwrap_err();
    assert!(matches!(error, WorktreeError::Foreign { .. }), "{error}");
    assert!(room.dir.join("thesis.tex").exists());
}

#[tokio::test]
async fn attributes_of_the_tree_change_no_byte() {
    let scratch = Scratch::new();
    let kernel = scratch.path.join("kernel");
    let files = [("Makefile", MAKEFILE), ("a.c", "$Id$\nx\n"), (".gitattributes", "* text eol=crlf ident\n")];
    let first = repository(&kernel, &files);
    let (events, _) = recorder();
    let cancel = CancellationToken::new();
    let spec = TreeSpec::local(&kernel, &first);
    let tree = fetch(&spec, &scratch.path, "u", FetchOptions::default(), &events, &cancel).await.unwrap();
    let dir = scratch.path.join("src");
    let mut worktree = Worktree::open(&tree, &dir, "u", &events, &cancel).await.unwrap();
    let revision = RevisionCommit { revision: Revision::Base, commit: first, tree: String::new(), touched: vec![] };
    worktree.switch(&revision, &cancel).await.unwrap();
    assert_eq!(fs_err::read_to_string(dir.join("a.c")).unwrap(), "$Id$\nx\n");
}
