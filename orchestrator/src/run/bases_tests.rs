use std::sync::Arc;

use camino::Utf8PathBuf;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::config::Home;
use crate::run::context::Own;
use crate::run::testing::{options, plans};
use crate::run::trees::{Prepared, prepare};
use crate::run::{Options, RunFolder};
use crate::series::mail_text;
use crate::tree::CloneEntry;
use crate::words::testing;

const MAKEFILE: &str = "VERSION = 6\nPATCHLEVEL = 12\nSUBLEVEL = 7\n";

/// A clone with some history, a home and a cache.
struct House {
    _keep: tempfile::TempDir,
    root: Utf8PathBuf,
    notes: Arc<std::sync::Mutex<Vec<String>>>,
}

impl House {
    fn new() -> House {
        let keep = tempfile::tempdir().unwrap();
        let root = Utf8PathBuf::try_from(keep.path().canonicalize().unwrap()).unwrap();
        for name in ["series", "kconfigs", "cache"] {
            fs_err::create_dir(root.join(name)).unwrap();
        }
        House { _keep: keep, root, notes: Arc::default() }
    }

    fn git(&self, clone: &str, args: &[&str]) -> String {
        let output = std::process::Command::new("git")
            .current_dir(self.root.join(clone))
            .args(["-c", "user.name=Tester", "-c", "user.email=t@example.org", "-c", "init.defaultBranch=main"])
            .args(args)
            .env_remove("GIT_DIR")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .output()
            .unwrap();
        assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim_end_matches('\n').to_owned()
    }

    /// Commits files to a clone, made if missing; gives the commit.
    fn commit(&self, clone: &str, files: &[(&str, &str)]) -> String {
        let folder = self.root.join(clone);
        if !folder.exists() {
            fs_err::create_dir_all(folder.join("mm")).unwrap();
            self.git(clone, &["init", "-q"]);
            fs_err::write(folder.join("Makefile"), MAKEFILE).unwrap();
        }
        for (path, text) in files {
            fs_err::write(folder.join(path), text).unwrap();
        }
        self.git(clone, &["add", "-A"]);
        self.git(clone, &["commit", "-q", "-m", "mm: a commit"]);
        self.git(clone, &["rev-parse", "HEAD"])
    }

    /// The diff of a commit.
    fn diff(&self, clone: &str, commit: &str) -> String {
        self.git(clone, &["diff", &format!("{commit}^"), commit]) + "\n"
    }

    fn context(&self, options: Options) -> Context {
        let folder = RunFolder::create(&self.root.join("results"), "c", options, plans("x")).unwrap();
        let notes = self.notes.clone();
        Context {
            home: Home::find(Some(&self.root), &self.root, &self.root).unwrap(),
            cache: self.root.join("cache"),
            folder,
            events: Arc::new(move |event| {
                if let crate::words::Event::Note { message } = event {
                    notes.lock().unwrap().push(message);
                }
            }),
            cancel: CancellationToken::new(),
            engine: Arc::new(crate::engine::Engine::local()),
            own: Arc::new(Own::default()),
        }
    }

    fn spec(&self, clone: &str) -> TreeSpec {
        let entry = CloneEntry { path: self.root.join(clone), rev: "main".into() };
        TreeSpec { name: clone.into(), about: String::new(), sources: vec![Source::Clone(entry)] }
    }

    /// Puts a tree into the cache.
    async fn import(&self, context: &Context, spec: &TreeSpec) {
        let fetch = tree::fetch(spec, &context.cache, "u", Default::default(), &context.events, &context.cancel);
        fetch.await.unwrap();
    }
}

fn plan(tree: &str, series: Series, base: BasePlan) -> TreePlan {
    TreePlan { tree: TreeArgument::Name(tree.into()), series: Ok(series), base }
}

fn series(diffs: &[&str]) -> Series {
    let mut series = testing::series("x", diffs);
    for (index, patch) in series.patches.iter_mut().enumerate() {
        // What git refuses as a date or as an author is not what these tests are about.
        patch.date.seconds = 1_700_000_000 + i64::try_from(index).unwrap();
        patch.message = format!("Because of {index}.");
    }
    series
}

/// What a plan became: tree, commit, how, why.
async fn chosen(context: &Context, plan: TreePlan, catalogue: &[TreeSpec]) -> (Prepared, Option<Box<SettledBase>>) {
    let plan = choose_tree(context, plan, catalogue).await;
    prepare(context, &plan, catalogue).await
}

fn base_of(prepared: &Prepared) -> (&str, &TreeBase) {
    match prepared {
        Prepared::Ready { tree, base, .. } => (tree.name.as_str(), &**base),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_tree_and_commit_are_found_by_what_the_series_says_or_by_its_blobs() {
    let house = House::new();
    let context = house.context(options());
    house.commit("one", &[("mm/a.c", "1\n"), ("mm/b.c", "1\n")]);
    let old = house.commit("two", &[("mm/a.c", "2\n"), ("mm/b.c", "2\n")]);
    let patch = house.commit("two", &[("mm/a.c", "patched\n")]);
    let diff = house.diff("two", &patch);
    house.git("two", &["reset", "-q", "--hard", &old]);
    let tip = house.commit("two", &[("mm/b.c", "3\n")]);
    let catalogue = [house.spec("one"), house.spec("two")];
    for spec in &catalogue {
        house.import(&context, spec).await;
    }
    let mut wanted = series(&[&diff]);

    let (prepared, settled) = chosen(&context, plan("one", wanted.clone(), BasePlan::Best), &catalogue).await;
    let (tree, base) = base_of(&prepared);
    assert_eq!((tree, base.commit.as_str(), base.chosen), ("two", tip.as_str(), BaseChoice::Blobs));
    assert_eq!(base.why, "1 of 1 blobs that the patches were made from are in the base of tree two");
    assert_eq!(settled.unwrap().base, *base);

    wanted.base_commit = Some(old.clone());
    let (prepared, settled) = chosen(&context, plan("one", wanted.clone(), BasePlan::Best), &catalogue).await;
    let (tree, base) = base_of(&prepared);
    assert_eq!((tree, base.commit.as_str(), base.chosen), ("two", old.as_str(), BaseChoice::BaseCommit));
    assert_eq!(base.why, format!("the series names base-commit {}, which tree two has", &old[..12]));

    // A run that is resumed stays where it was, whatever the clone does meanwhile.
    house.commit("two", &[("mm/a.c", "moved on\n")]);
    let kept = BasePlan::Settled(settled.unwrap());
    let (prepared, again) = chosen(&context, plan("two", wanted.clone(), kept.clone()), &catalogue).await;
    assert_eq!(base_of(&prepared).1.commit, old);
    assert_eq!(again.map(BasePlan::Settled), Some(kept));

    // Within a tree that the user named.
    wanted.base_commit = Some(tip.clone());
    let (prepared, _) = chosen(&context, plan("two", wanted.clone(), BasePlan::Named), &catalogue).await;
    assert_eq!((base_of(&prepared).1.commit.as_str(), base_of(&prepared).1.chosen), (&*tip, BaseChoice::BaseCommit));
    wanted.base_commit = Some("1".repeat(40));
    let (prepared, _) = chosen(&context, plan("two", wanted.clone(), BasePlan::Named), &catalogue).await;
    let (_, base) = base_of(&prepared);
    assert_eq!((base.commit.as_str(), base.chosen), (tip.as_str(), BaseChoice::Blobs));
    assert_eq!(
        base.why,
        "the series names base-commit 111111111111, which is not there; 1 of 1 blobs that the patches were made from \
         are in an older commit of tree two"
    );
    let forced = BasePlan::Commit(old[..10].to_owned());
    let (prepared, _) = chosen(&context, plan("two", wanted.clone(), forced), &catalogue).await;
    assert_eq!((base_of(&prepared).1.commit.as_str(), base_of(&prepared).1.chosen), (&*old, BaseChoice::Named));
    let nowhere = BasePlan::Commit("v9.9".into());
    let (prepared, settled) = chosen(&context, plan("two", wanted, nowhere), &catalogue).await;
    assert!(
        matches!(&prepared, Prepared::Unavailable { reason, .. } if reason.contains("no commit `v9.9`")),
        "{prepared:?}"
    );
    assert_eq!(settled, None);
}

#[tokio::test]
async fn a_base_commit_that_is_nowhere_is_fetched_by_its_id() {
    let house = House::new();
    let context = house.context(options());
    house.commit("one", &[("mm/a.c", "1\n")]);
    let old = house.commit("far", &[("mm/a.c", "far\n")]);
    let patch = house.commit("far", &[("mm/a.c", "patched\n")]);
    let diff = house.diff("far", &patch);
    house.git("far", &["config", "uploadpack.allowAnySHA1InWant", "true"]);
    let far = |rev: &str| Source::Git {
        url: format!("file://{}", house.root.join("far")),
        at: tree::GitRef::Branch(rev.into()),
    };
    let nowhere =
        Source::Git { url: format!("file://{}", house.root.join("none")), at: tree::GitRef::Branch("m".into()) };
    let tree = |name: &str, source| TreeSpec { name: name.into(), about: String::new(), sources: vec![source] };
    let catalogue = [house.spec("one"), tree("lost", nowhere), tree("far", far("main"))];
    house.import(&context, &catalogue[0]).await;
    let mut wanted = series(&[&diff]);
    wanted.base_commit = Some(old.clone());
    let (prepared, settled) = chosen(&context, plan("one", wanted.clone(), BasePlan::Best), &catalogue).await;
    let (tree, base) = base_of(&prepared);
    assert_eq!((tree, base.commit.as_str(), base.chosen), ("far", old.as_str(), BaseChoice::BaseCommit));
    assert!(base.why.contains("which was fetched (git file://"), "{}", base.why);
    let notes = house.notes.lock().unwrap().clone();
    assert!(
        notes.iter().any(|note| note.contains("could not be fetched from git file://") && note.contains("/none")),
        "{notes:?}"
    );
    assert!(settled.unwrap().below.is_empty());
    // A tree that was only asked for this commit is no import of its branch.
    assert!(tree::trees_at_hand(&catalogue, &context.cache).iter().all(|tree| tree.name != "far"));

    wanted.base_commit = Some("2".repeat(40));
    let (prepared, _) = chosen(&context, plan("one", wanted, BasePlan::Best), &catalogue).await;
    let Prepared::Rejected { base: Some(base), findings, .. } = &prepared else { panic!("{prepared:?}") };
    assert_eq!((base.chosen, findings.len()), (BaseChoice::TreeList, 1));
    assert_eq!(base.why, "tree one is the default; the series names base-commit 222222222222, which it does not have");
}

#[tokio::test]
async fn prerequisites_go_below_the_series_and_what_is_missing_is_to_blame() {
    let house = House::new();
    house.commit("one", &[("mm/a.c", "1\n"), ("mm/b.c", "1\n")]);
    let met = house.commit("one", &[("mm/b.c", "2\n")]);
    let base = house.git("one", &["rev-parse", "HEAD"]);
    let below = house.commit("one", &[("mm/a.c", "below\n")]);
    let patch = house.commit("one", &[("mm/a.c", "patched\n")]);
    let diffs = [&met, &below, &patch].map(|commit| house.diff("one", commit));
    house.git("one", &["reset", "-q", "--hard", &base]);
    let mbox = house.root.join("below.mbox");
    let mut mail = series(&[&diffs[1]]);
    mail.patches[0].subject = "mm: prepare".into();
    fs_err::write(&mbox, mail_text(&mail.patches[0])).unwrap();
    let catalogue = [house.spec("one")];
    let mut wanted = series(&[&diffs[2]]);
    wanted.prerequisites = [&diffs[0], &diffs[1]].iter().map(|diff| tree::patch_id(diff).unwrap()).collect();

    let with = house.context(Options { prerequisites: vec![mbox.clone()], ..options() });
    let (prepared, settled) = chosen(&with, plan("one", wanted.clone(), BasePlan::Named), &catalogue).await;
    let Prepared::Ready { tree, base: chosen_base, revisions, .. } = &prepared else { panic!("{prepared:?}") };
    assert_eq!(chosen_base.commit, base);
    assert_eq!(tree.commit, revisions[0].commit, "the base is the commit of the last prerequisite");
    assert_ne!(tree.commit, base);
    assert_eq!(tree::read_file(tree, &tree.commit, "mm/a.c").unwrap().unwrap(), b"below\n");
    assert_eq!(chosen_base.blobs, Some(crate::words::BlobMatch { matched: 1, asked: 1 }), "with its prerequisites");
    let states: Vec<&PrerequisiteState> = chosen_base.prerequisites.iter().map(|one| &one.state).collect();
    assert_eq!(
        states,
        [
            &PrerequisiteState::InBase { commit: Some(met) },
            &PrerequisiteState::Applied { patches: vec!["mm: prepare".into()], from: mbox.to_string() }
        ]
    );

    // Resumed: the same without the file.
    let without = house.context(options());
    let kept = BasePlan::Settled(settled.unwrap());
    let (resumed, _) = chosen(&without, plan("one", wanted.clone(), kept), &catalogue).await;
    let Prepared::Ready { revisions: same, .. } = &resumed else { panic!("{resumed:?}") };
    assert_eq!(same, revisions);

    let (prepared, settled) = chosen(&without, plan("one", wanted, BasePlan::Named), &catalogue).await;
    let Prepared::Rejected { findings, .. } = &prepared else { panic!("{prepared:?}") };
    assert_eq!(findings[0].patch, None);
    assert!(findings[0].summary.starts_with("a prerequisite is missing"), "{}", findings[0].summary);
    assert_eq!(settled.unwrap().base.unmet().len(), 1);
}

/// A posted mail of a series of one patch.
fn mail(number: usize, body: &str) -> String {
    let parent =
        if number == 0 { "" } else { "In-Reply-To: <below-0@example.org>\nReferences: <below-0@example.org>\n" };
    format!(
        "From mboxrd@z Thu Jan  1 00:00:00 1970\nFrom: A. Author <a@example.org>\nTo: list@example.org\nDate: 2 Mar 2026 \
         08:24:0{number} +0000\nSubject: [PATCH v2 {number}/1] mm: prepare\nMessage-ID: <below-{number}@example.org>\n\
         {parent}\n{body}\n"
    )
}

#[tokio::test]
async fn prerequisites_are_taken_from_where_they_were_posted() {
    let house = House::new();
    house.commit("one", &[("mm/a.c", "1\n")]);
    let below = house.commit("one", &[("mm/a.c", "below\n")]);
    let patch = house.commit("one", &[("mm/a.c", "patched\n")]);
    let diffs = [&below, &patch].map(|commit| house.diff("one", commit));
    house.git("one", &["reset", "-q", "--hard", "HEAD~2"]);
    let list = house.root.join("list.mbox");
    let posted = mail(0, "Words.\n\nchange-id: 20260301-below-0123456789ab\n")
        + &mail(1, &format!("Do it.\n\nSigned-off-by: A. Author <a@example.org>\n---\n{}-- \n2.43.0\n", diffs[0]));
    fs_err::write(&list, posted).unwrap();
    let sources = format!("sources:\n  - name: list\n    mbox: {{ path: {list} }}\n");
    fs_err::write(house.root.join("series/sources.yaml"), sources).unwrap();
    let catalogue = [house.spec("one")];
    let context = house.context(options());
    for (changes, messages, met) in [
        (vec!["20260301-below-0123456789ab:v2"], vec![], true),
        (vec![], vec!["below-1@example.org"], true),
        (vec!["20260301-below-0123456789ab:v3"], vec![], false),
        (vec![], vec!["other@example.org"], false),
    ] {
        let mut wanted = series(&[&diffs[1]]);
        wanted.prerequisite_changes = changes.iter().map(|text| (*text).to_owned()).collect();
        wanted.prerequisite_messages = messages.iter().map(|text| (*text).to_owned()).collect();
        let (prepared, settled) = chosen(&context, plan("one", wanted, BasePlan::Named), &catalogue).await;
        let base = settled.unwrap().base;
        assert_eq!(matches!(prepared, Prepared::Ready { .. }), met, "{base:?}");
        assert_eq!(base.unmet().is_empty(), met, "{base:?}");
    }
}

#[test]
fn a_prerequisite_of_which_a_patch_was_refused_is_missing() {
    let patch = |subject: &str| {
        let mut patch = testing::series("x", &["d"]).patches.remove(0);
        patch.subject = subject.into();
        patch
    };
    let one = |subjects: &[&str]| Prerequisite {
        name: "n".into(),
        state: PrerequisiteState::Applied {
            patches: subjects.iter().map(|subject| (*subject).into()).collect(),
            from: "f".into(),
        },
    };
    let below: Vec<Below> =
        [("a", 0), ("b", 0), ("c", 1)].map(|(subject, of)| Below { patch: patch(subject), of }).into();
    let all = vec![one(&["a", "b"]), one(&["c"])];
    let outcomes = [BelowOutcome::Applied, BelowOutcome::AlreadyThere, BelowOutcome::Refused("no".into())];
    let judged = judged(all, &below, &outcomes);
    assert_eq!(judged[0], one(&["a"]));
    assert_eq!(judged[1].state, PrerequisiteState::Unmet { why: "no".into() });
}
