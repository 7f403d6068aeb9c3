use super::*;
use crate::tree::read_file;
use crate::tree::testing::{MAKEFILE, Scratch, commit, kernel_archive, notes, recorder, repository, sh_git};

async fn get(spec: &TreeSpec, cache: &Utf8Path, refresh: bool) -> Result<Tree, TreeError> {
    let (events, _) = recorder();
    fetch(spec, cache, "fetch x", FetchOptions { refresh }, &events, &CancellationToken::new()).await
}

fn spec(sources: Vec<Source>) -> TreeSpec {
    TreeSpec { name: "x".into(), about: String::new(), sources }
}

fn tarball(path: &Utf8Path) -> Source {
    Source::Tarball { place: TarballPlace::Path(path.to_owned()), sha256: None }
}

fn branch(folder: &Utf8Path, name: &str) -> Source {
    Source::Git { url: format!("file://{folder}"), at: GitRef::Branch(name.into()) }
}

#[tokio::test]
async fn a_tarball_is_imported_once() {
    let scratch = Scratch::new();
    let file = scratch.path.join("linux.tar.xz");
    kernel_archive(&file);
    let spec = spec(vec![tarball(&file)]);
    let (events, seen) = recorder();
    let cancel = CancellationToken::new();
    let options = FetchOptions::default();
    let first = fetch(&spec, &scratch.path, "fetch x", options, &events, &cancel).await.unwrap();
    assert_eq!(first.kernel_version, "6.12.7");
    assert_eq!(first.source, format!("tarball {file}"));
    assert_eq!(read_file(&first, &first.commit, "mm/copy.c").unwrap().unwrap(), b"int hmm;\n");
    assert_eq!(read_file(&first, &first.commit, "mm").unwrap(), None);
    let last = seen.lock().unwrap().pop().unwrap();
    assert!(matches!(last, Event::UnitProgress { done, total, .. } if done == total && total > 0), "{last:?}");
    // The second time nothing is read: the source may even be gone.
    seen.lock().unwrap().clear();
    fs_err::remove_file(&file).unwrap();
    let second = fetch(&spec, &scratch.path, "fetch x", options, &events, &cancel).await.unwrap();
    assert_eq!(first, second);
    assert_eq!(*seen.lock().unwrap(), []);
}

#[tokio::test]
async fn a_replaced_tarball_is_imported_again() {
    let scratch = Scratch::new();
    let file = scratch.path.join("linux.tar");
    kernel_archive(&file);
    let spec = spec(vec![tarball(&file)]);
    let first = get(&spec, &scratch.path, false).await.unwrap();
    let text = fs_err::read(&file).unwrap();
    let newer = String::from_utf8(text).unwrap().replace("SUBLEVEL = 7", "SUBLEVEL = 8");
    fs_err::remove_file(&file).unwrap();
    fs_err::write(&file, newer).unwrap();
    let second = get(&spec, &scratch.path, false).await.unwrap();
    assert_eq!((first.kernel_version.as_str(), second.kernel_version.as_str()), ("6.12.7", "6.12.8"));
    // A run of yesterday still finds its base.
    assert!(read_file(&first, &first.commit, "Makefile").unwrap().is_some());
}

#[tokio::test]
async fn a_half_import_is_thrown_away() {
    let scratch = Scratch::new();
    let file = scratch.path.join("linux.tar");
    kernel_archive(&file);
    let repo = scratch.path.join("trees/x.git");
    fs_err::create_dir_all(repo.join("objects/pack")).unwrap();
    fs_err::write(repo.join("HEAD"), "garbage").unwrap();
    fs_err::write(repo.join("objects/pack/tmp_pack_x"), "half").unwrap();
    fs_err::create_dir_all(scratch.path.join("trees/x.tmp/apt")).unwrap();
    get(&spec(vec![tarball(&file)]), &scratch.path, false).await.unwrap();
    assert!(!repo.join("objects/pack/tmp_pack_x").exists());
    assert!(!scratch.path.join("trees/x.tmp").exists());
}

#[tokio::test]
async fn sources_are_tried_in_order_and_every_failure_is_kept() {
    let scratch = Scratch::new();
    let kernel = scratch.path.join("kernel");
    repository(&kernel, &[("Makefile", MAKEFILE)]);
    let other = scratch.path.join("other");
    repository(&other, &[("README", "no kernel")]);
    let absent = scratch.path.join("absent.tar");
    let bad = vec![tarball(&absent), branch(&kernel, "nowhere"), branch(&other, "main")];
    let error = get(&spec(bad.clone()), &scratch.path, false).await.unwrap_err();
    let TreeError::Unavailable { failures, .. } = &error else { panic!("{error}") };
    assert_eq!(failures.len(), 3);
    assert!(!scratch.path.join("trees/x.git").exists());
    assert!(failures[0].reason.contains("absent.tar"), "{error}");
    assert!(failures[1].reason.contains("has no branch nowhere"), "{error}");
    assert!(failures[2].reason.contains("not a kernel tree"), "{error}");
    assert!(error.to_string().contains("(3) git file://"), "{error}");

    let (events, seen) = recorder();
    let good = spec(bad.into_iter().chain([branch(&kernel, "main")]).collect());
    let cancel = CancellationToken::new();
    let tree = fetch(&good, &scratch.path, "u", FetchOptions::default(), &events, &cancel).await.unwrap();
    assert!(tree.source.starts_with(&format!("git file://{kernel} branch main (")), "{}", tree.source);
    assert_eq!(tree.skipped_sources.len(), 3);
    // A child that another test forks at this moment holds the lock of the first fetch until it becomes its program.
    let notes = notes(&seen);
    assert_eq!(notes.iter().filter(|note| !note.contains("waiting for it")).count(), 3, "{notes:?}");
}

#[tokio::test]
async fn a_branch_moves_only_on_refresh() {
    let scratch = Scratch::new();
    let kernel = scratch.path.join("kernel");
    repository(&kernel, &[("Makefile", MAKEFILE)]);
    let old = commit(&kernel, &[("mm/a.c", "1\n")], "old");
    let spec = spec(vec![branch(&kernel, "main")]);
    let tree = get(&spec, &scratch.path, false).await.unwrap();
    assert_eq!(tree.commit, old);
    // The history stays behind.
    assert_eq!(crate::tree::log(&tree, &old, 10).unwrap().len(), 1);
    let new = commit(&kernel, &[("mm/a.c", "2\n")], "newer");
    assert_eq!(get(&spec, &scratch.path, false).await.unwrap().commit, old);
    let tree = get(&spec, &scratch.path, true).await.unwrap();
    assert_eq!(tree.commit, new);
    assert_eq!(read_file(&tree, &tree.commit, "mm/a.c").unwrap().unwrap(), b"2\n");
    // A source out of reach does not take away what is there.
    fs_err::rename(&kernel, scratch.path.join("moved")).unwrap();
    let kept = get(&spec, &scratch.path, true).await.unwrap();
    assert_eq!(kept.commit, new);
    assert_eq!(kept.skipped_sources.len(), 1);
}

#[tokio::test]
async fn tags_and_commits_are_bases_too() {
    let scratch = Scratch::new();
    let kernel = scratch.path.join("kernel");
    let first = repository(&kernel, &[("Makefile", MAKEFILE)]);
    sh_git(&kernel, &["tag", "-a", "-m", "release", "v6.12.7"]);
    commit(&kernel, &[("mm/a.c", "1\n")], "later");
    for at in [GitRef::Tag("v6.12.7".into()), GitRef::Commit(first.clone())] {
        let source = Source::Git { url: format!("file://{kernel}"), at };
        let cache = scratch.path.join(source.to_string().replace(['/', ' '], "_"));
        assert_eq!(get(&spec(vec![source]), &cache, false).await.unwrap().commit, first);
    }
}

#[tokio::test]
async fn a_clone_is_read_and_never_written() {
    let scratch = Scratch::new();
    let kernel = scratch.path.join("kernel");
    let first = repository(&kernel, &[("Makefile", MAKEFILE), ("mm/a.c", "1\n")]);
    let listing = |folder: &Utf8Path| {
        let output = std::process::Command::new("find").arg(folder).args(["-printf", "%p %T@\n"]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let before = listing(&kernel);
    let spec = TreeSpec::local(&kernel, "HEAD");
    let tree = get(&spec, &scratch.path, false).await.unwrap();
    assert_eq!(tree.commit, first);
    assert_eq!(tree.source, format!("clone {kernel} at HEAD ({})", &first[..12]));
    let by_id = get(&TreeSpec::local(&kernel, &first), &scratch.path, false).await.unwrap();
    assert_eq!(by_id.source, format!("clone {kernel} at {}", &first[..12]));
    assert_eq!(read_file(&tree, &first, "mm/a.c").unwrap().unwrap(), b"1\n");
    assert_eq!(listing(&kernel), before);
    // Its branches are looked at anew each time.
    let second = commit(&kernel, &[("mm/a.c", "2\n")], "more");
    assert_eq!(get(&spec, &scratch.path, false).await.unwrap().commit, second);
    let error = get(&TreeSpec::local(&kernel, "nowhere"), &scratch.path, false).await.unwrap_err().to_string();
    assert!(error.contains("has no commit `nowhere`"), "{error}");
}

#[tokio::test]
async fn two_runs_import_once() {
    let scratch = Scratch::new();
    let file = scratch.path.join("linux.tar.xz");
    kernel_archive(&file);
    let spec = spec(vec![tarball(&file)]);
    let (events, seen) = recorder();
    let cancel = CancellationToken::new();
    let run = || fetch(&spec, &scratch.path, "fetch x", FetchOptions::default(), &events, &cancel);
    let (one, two) = tokio::join!(run(), run());
    assert_eq!(one.unwrap(), two.unwrap());
    let seen = seen.lock().unwrap();
    let whole = |event: &&Event| matches!(event, Event::UnitProgress { done, total, .. } if done == total);
    assert_eq!(seen.iter().filter(whole).count(), 1, "imported twice: {seen:?}");
}

#[tokio::test]
async fn a_wrong_checksum_is_told() {
    let scratch = Scratch::new();
    let file = scratch.path.join("linux.tar");
    kernel_archive(&file);
    let wrong = Source::Tarball { place: TarballPlace::Path(file), sha256: Some("0".repeat(64)) };
    let error = get(&spec(vec![wrong]), &scratch.path, false).await.unwrap_err().to_string();
    assert!(error.contains("SHA-256"), "{error}");
}
