//! git as the judge: what it writes is read, and what is written it reads.

use camino::{Utf8Path, Utf8PathBuf};
use tokio_util::sync::CancellationToken;

use super::{SeriesSource, load, mail_text, vet};
use crate::config::Home;
use crate::process::Command;
use crate::words::Series;

struct Clone {
    _keep: tempfile::TempDir,
    root: Utf8PathBuf,
    home: Home,
}

impl Clone {
    /// A repository with a base and three commits that touch all that honest patches touch.
    async fn new() -> Clone {
        let folder = tempfile::tempdir().unwrap();
        let root = Utf8PathBuf::try_from(folder.path().canonicalize().unwrap()).unwrap();
        for name in ["series", "kconfigs", "tree/mm"] {
            std::fs::create_dir_all(root.join(name)).unwrap();
        }
        let home = Home::find(Some(&root), &root, &root).unwrap();
        let clone = Clone { _keep: folder, root, home };
        let text: String = (0..40).map(|line| format!("line {line}\n")).collect();
        clone.git(&["init", "-q", "-b", "topic"]).await;
        clone.write("mm/hmm.c", &text);
        clone.write("mm/old name.c", &text.replace("line", "zeile"));
        clone.write("mm/gone.c", "gone\n");
        clone.commit("base").await;
        clone.git(&["tag", "base"]).await;
        clone.write(
            "mm/hmm.c",
            &text.replace("line 20", "line zwanzig äöü\n\n- \n--\n-- \nFrom here on").replace("line 39\n", "last"),
        );
        clone
            .commit("mm: first ä\n\nFrom the start, a message\nwith    spaces.\n\nSigned-off-by: Jörg Ö <j@k.l>")
            .await;
        clone.git(&["mv", "mm/old name.c", "mm/new name.c"]).await;
        clone.write("mm/new name.c", &text.replace("line", "zeile").replace("zeile 3\n", "changed\n"));
        clone.write("mm/ä \"quoted\".c", "x\n");
        std::os::unix::fs::symlink("hmm.c", clone.root.join("tree/mm/link.c")).unwrap();
        clone
            .commit("mm: a second step whose subject is so long that every mailer folds it, with [brackets] in it")
            .await;
        std::fs::remove_file(clone.root.join("tree/mm/gone.c")).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(clone.root.join("tree/mm/hmm.c"), mode).unwrap();
        clone.write("mm/empty.c", "");
        clone.commit("mm: third\n\n>From a quoting mailer\n\nText.").await;
        clone
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.root.join("tree").join(name), text).unwrap();
    }

    async fn commit(&self, message: &str) {
        self.git(&["add", "-A"]).await;
        self.git(&["commit", "-q", "-m", message]).await;
    }

    fn command(&self, args: &[&str]) -> Command {
        Command::new("git", self.root.join("tree"))
            .args(args.iter().copied())
            .env("HOME", self.root.as_str())
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_AUTHOR_NAME", "Jörg Ö. Author, Jr.")
            .env("GIT_AUTHOR_EMAIL", "j@k.l")
            .env("GIT_COMMITTER_NAME", "C")
            .env("GIT_COMMITTER_EMAIL", "c@d.e")
            .env("GIT_AUTHOR_DATE", "2026-03-16T08:24:07+0200")
            .env("GIT_COMMITTER_DATE", "2026-03-16T08:24:07+0200")
    }

    async fn git(&self, args: &[&str]) -> String {
        self.command(args).output(&CancellationToken::new()).await.unwrap()
    }

    fn load(&self, source: &SeriesSource) -> Series {
        load(&self.home, source, None).unwrap_or_else(|error| panic!("{error}"))
    }

    fn range(&self) -> Series {
        self.load(&SeriesSource::Range { repo: self.root.join("tree"), range: "base..topic".to_owned() })
    }
}

#[tokio::test]
async fn what_git_format_patch_writes_is_read() {
    let clone = Clone::new().await;
    let expected = clone.range();
    assert_eq!(vet(&expected), Ok(()));
    let base = ["--full-index", "--no-renames", "--stdout", "base..topic"];
    for options in [
        &[][..],
        &["--cover-letter", "--thread=shallow", "-v6"],
        &["--attach"],
        &["--inline"],
        &["--pretty=mboxrd"],
        &["--base=base"],
        &["--no-signature"],
        &["--signature=multi\nline"],
        &["--from=Some One Else <s@o.e>"],
        &["--subject-prefix=RFC PATCH mm-unstable"],
        &["--no-numbered"],
        &["-k"],
        &["--no-stat"],
        &["-p"],
    ] {
        let text = clone.git(&[&["format-patch"], options, &base].concat()).await;
        let file = clone.root.join("x.mbox");
        std::fs::write(&file, &text).unwrap();
        let series = clone.load(&SeriesSource::Mbox(file));
        assert_eq!(vet(&series), Ok(()), "{options:?}");
        assert_eq!(series.patches.len(), 3, "{options:?}");
        for (patch, expected) in series.patches.iter().zip(&expected.patches) {
            // git puts a tab behind a name that holds a space, and names an empty file only once; libgit2 does not.
            let theirs = expected.diff.replace("--- /dev/null\n+++ b/mm/empty.c\n", "");
            assert_eq!(patch.diff.replace("\t\n", "\n"), theirs, "{options:?}");
            assert_eq!((patch.number, &patch.subject), (expected.number, &expected.subject), "{options:?}");
            assert_eq!((&patch.author, patch.date), (&expected.author, expected.date), "{options:?}");
            // git itself writes `>From ` unquoted, so that a reader cannot know whose the quote is.
            assert_eq!(
                patch.message.replace(">From", "From"),
                expected.message.replace(">From", "From"),
                "{options:?}"
            );
        }
        assert_eq!(series.cover.is_some(), options.contains(&"--cover-letter"));
        assert_eq!(series.version, options.contains(&"-v6").then_some(6));
        let is_based = series.base_commit == expected.base_commit;
        assert_eq!(is_based, options.contains(&"--base=base"), "{:?}", series.base_commit);
    }
}

#[tokio::test]
async fn renames_are_vetted_and_kept() {
    let clone = Clone::new().await;
    clone.git(&["format-patch", "-q", "-M", "--cover-letter", "-o", "../patches", "base..topic"]).await;
    let series = clone.load(&SeriesSource::Folder(clone.root.join("patches")));
    assert!(series.patches[1].diff.contains("rename from mm/old name.c\nrename to mm/new name.c\n"));
    assert_eq!(vet(&series), Ok(()));
}

#[tokio::test]
async fn git_am_makes_the_same_tree_of_our_mails() {
    let clone = Clone::new().await;
    let tree = clone.git(&["rev-parse", "topic^{tree}"]).await;
    let authors = clone.git(&["log", "--format=%an <%ae> %ad|%s", "base..topic"]).await;
    let mails: String = clone.range().patches.iter().map(mail_text).collect();
    clone.git(&["checkout", "-q", "base"]).await;
    let mbox = Utf8Path::new("../ours.mbox");
    std::fs::write(clone.root.join("tree").join(mbox), mails).unwrap();
    clone.git(&["am", "-q", mbox.as_str()]).await;
    assert_eq!(clone.git(&["rev-parse", "HEAD^{tree}"]).await, tree);
    assert_eq!(clone.git(&["log", "--format=%an <%ae> %ad|%s", "base..HEAD"]).await, authors);
}
