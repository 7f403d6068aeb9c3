//! Files, folders and manifests.

use super::super::fixtures::{diff, mail, patch};
use super::*;

struct Place {
    _keep: tempfile::TempDir,
    root: Utf8PathBuf,
    home: Home,
}

impl Place {
    fn new() -> Place {
        let folder = tempfile::tempdir().unwrap();
        let root = Utf8PathBuf::try_from(folder.path().canonicalize().unwrap()).unwrap();
        for name in ["series/v9/linux-6.12", "kconfigs"] {
            std::fs::create_dir_all(root.join(name)).unwrap();
        }
        let home = Home::find(Some(&root), &root, &root).unwrap();
        Place { _keep: folder, root, home }
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> Utf8PathBuf {
        let path = self.root.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path
    }

    fn error(&self, source: &SeriesSource, tree: Option<&str>) -> String {
        load(&self.home, source, tree).unwrap_err().to_string().replace(self.root.as_str(), "DIR")
    }
}

fn one(number: usize, total: usize) -> String {
    patch(&format!("[PATCH v9 {number}/{total}] mm: step {number}"), &diff("mm/hmm.c", &number.to_string()))
}

const MANIFEST: &str = "\
name: v9
title: A title
upstream: {title: Posted, version: 9, message_id: a/b@c, trees: [mainline]}
default_tree: linux-6.12
ports: {linux-6.12: v9/linux-6.12}
";

#[test]
fn a_manifest_leads_to_its_port() {
    let place = Place::new();
    place.write("series/v9.yaml", MANIFEST);
    place.write("series/v9/linux-6.12/0000-cover-letter.patch", mail("[PATCH v9 0/2] Port", "text\n"));
    place.write("series/v9/linux-6.12/0001-a.patch", one(1, 2));
    place.write("series/v9/linux-6.12/0002-b.patch", one(2, 2));
    place.write("series/v9/linux-6.12/README", "words");
    let source = SeriesSource::Name("v9".to_owned());
    for tree in [None, Some("linux-6.12")] {
        let series = load(&place.home, &source, tree).unwrap();
        assert_eq!((series.name.as_str(), series.title.as_str()), ("v9", "A title"));
        assert_eq!((series.patches.len(), series.cover.unwrap().subject.as_str()), (2, "Port"));
        assert_eq!(series.default_tree.as_deref(), Some("linux-6.12"));
        assert_eq!(series.upstream.as_ref().unwrap().message_id, "a/b@c");
        assert!(series.notes.iter().any(|note| note.ends_with("README is no patch file; set aside")));
    }
    insta::assert_snapshot!(place.error(&source, Some("mainline")), @r"series v9 has no port to mainline; ports: linux-6.12. Write a port, or, if the posted mails apply there, pass the Message-ID a/b@c in place of `v9`");
    insta::assert_snapshot!(place.error(&source, Some("linux-6.1")), @r"series v9 has no port to linux-6.1; ports: linux-6.12. Write a port, or, if the posted mails apply there, pass the Message-ID a/b@c in place of `v9`");
    insta::assert_snapshot!(place.error(&SeriesSource::Name("v8".to_owned()), None), @r"there is no series `v8`, did you mean `v9`?; known: v9 (or name an mbox, a folder of patches, or a range base..tip)");
}

#[test]
fn an_mbox_is_read() {
    let place = Place::new();
    let file = place.write("my-series.mbox", [mail("[PATCH v9 0/2] Whole", "text\n"), one(1, 2), one(2, 2)].concat());
    let series = load(&place.home, &SeriesSource::Mbox(file.clone()), None).unwrap();
    assert_eq!((series.name.as_str(), series.title.as_str(), series.version), ("my-series", "Whole", Some(9)));
    assert_eq!(series.patches[1].origin.file, file);
    let line = series.patches[1].diff_line;
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.lines().nth(line - 1).unwrap().starts_with("diff --git"));
}

#[test]
fn a_single_patch_is_a_series_of_one() {
    let place = Place::new();
    let file = place.write("0001-a.patch", patch("[PATCH] mm: a", &diff("mm/hmm.c", "x")));
    let series = load(&place.home, &SeriesSource::Mbox(file), None).unwrap();
    assert_eq!((series.title.as_str(), series.patches.len(), series.version), ("mm: a", 1, None));
}

#[test]
fn a_folder_is_read_in_order_of_names_and_a_maildir_in_any() {
    let place = Place::new();
    for (name, word) in [("p/0002-b.patch", "b"), ("p/0001-a.patch", "a"), ("p/.hidden.patch", "c")] {
        place.write(name, patch(&format!("[PATCH] mm: {word}"), &diff("mm/hmm.c", word)));
    }
    let series = load(&place.home, &SeriesSource::Folder(place.root.join("p")), None).unwrap();
    let subjects: Vec<&str> = series.patches.iter().map(|patch| patch.subject.as_str()).collect();
    assert_eq!((series.name.as_str(), subjects), ("p", vec!["mm: a", "mm: b"]));
    std::fs::create_dir_all(place.root.join("m/tmp")).unwrap();
    place.write("m/cur/17.abc:2,S", one(2, 2).split_once('\n').unwrap().1);
    place.write("m/new/16.abc", one(1, 2).split_once('\n').unwrap().1);
    let series = load(&place.home, &SeriesSource::Folder(place.root.join("m")), None).unwrap();
    assert_eq!(series.patches.iter().map(|patch| patch.number).collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn files_that_hold_no_series_are_refused_by_name() {
    let place = Place::new();
    let mbox = |name: &str, bytes: &[u8]| place.error(&SeriesSource::Mbox(place.write(name, bytes)), None);
    insta::assert_snapshot!(mbox("empty.mbox", b"\n"), @r"DIR/empty.mbox is empty (save the mails again)");
    insta::assert_snapshot!(mbox("t.mbox.gz", b"\x1f\x8b\x08\0"), @r"DIR/t.mbox.gz is compressed (unpack it with gunzip first)");
    insta::assert_snapshot!(mbox("plain.diff", diff("x", "y").as_bytes()), @r"DIR/plain.diff holds no mail: there is neither From: nor Subject: (export patches with git format-patch)");
    insta::assert_snapshot!(mbox("words.mbox", mail("hello", "you\n").as_bytes()), @r"DIR/words.mbox: no patch is there; 1 mail(s) are something else (pass the patches too, as an mbox of the whole thread or a folder written by git format-patch)");
    insta::assert_snapshot!(place.error(&SeriesSource::Mbox(place.root.join("none")), None), @r"cannot read DIR/none: No such file or directory (os error 2)");
    std::fs::create_dir(place.root.join("void")).unwrap();
    insta::assert_snapshot!(place.error(&SeriesSource::Folder(place.root.join("void")), None), @r"DIR/void holds no patches (write them with git format-patch -o DIR/void; files end in .patch, .diff, .eml, .mbox, .mbx, .txt)");
    let big = place.write("big.mbox", "");
    std::fs::File::options().write(true).open(&big).unwrap().set_len(SIZE_LIMIT + 1).unwrap();
    insta::assert_snapshot!(place.error(&SeriesSource::Mbox(big), None), @r"DIR/big.mbox is larger than 64 MiB (pass the mails of one series alone)");
}
