//! The real thing: builds of a real kernel tree. Slow, and in need of one, therefore ignored unless asked for:
//!
//! ```text
//! ORCHESTRATOR_REAL_SOURCE=<git worktree of linux 6.12> ORCHESTRATOR_REAL_CACHE=<folder kept between runs> \
//!     cargo test -p orchestrator --lib build::real -- --ignored --nocapture --test-threads=1
//! ```
//!
//! The worktree is changed file by file and put back; changes are committed as loose git objects only.

use std::sync::Arc;

use camino::Utf8PathBuf;

use super::*;
use crate::words::*;

struct Tree {
    source: Utf8PathBuf,
    cache: Utf8PathBuf,
    changed: Vec<(Utf8PathBuf, Vec<u8>)>,
}

impl Tree {
    fn open() -> Tree {
        let folder = |name: &str| Utf8PathBuf::from(std::env::var(name).unwrap_or_else(|_| panic!("set {name}")));
        Tree {
            source: folder("ORCHESTRATOR_REAL_SOURCE"),
            cache: folder("ORCHESTRATOR_REAL_CACHE"),
            changed: Vec::new(),
        }
    }

    /// Replaces `from` by `to` in a file of the worktree until this value is dropped.
    fn edit(&mut self, path: &str, from: &str, to: &str) {
        let file = self.source.join(path);
        let text = fs_err::read_to_string(&file).unwrap();
        assert!(text.contains(from), "{path} does not contain {from:?}");
        self.changed.push((file.clone(), text.clone().into_bytes()));
        fs_err::write(&file, text.replacen(from, to, 1)).unwrap();
    }

    /// Puts every edited file back.
    fn restore(&mut self) {
        for (file, bytes) in self.changed.drain(..).rev() {
            fs_err::write(&file, bytes).unwrap();
        }
    }

    /// The git tree of the worktree as it is.
    fn tree_id(&self) -> String {
        let repository = git2::Repository::open(&self.source).unwrap();
        let head = repository.head().unwrap().peel_to_tree().unwrap();
        let mut index = git2::Index::new().unwrap();
        index.read_tree(&head).unwrap();
        for (file, _) in &self.changed {
            let path = file.strip_prefix(&self.source).unwrap();
            let entry = index.get_path(path.as_std_path(), 0).unwrap();
            let id = repository.blob_path(file.as_std_path()).unwrap();
            index.add(&git2::IndexEntry { id, ..entry }).unwrap();
        }
        index.write_tree_to(&repository).unwrap().to_string()
    }

    fn request(&self, number: usize, kconfig: &Kconfig) -> BuildRequest {
        let revision = if number == 0 { Revision::Base } else { Revision::Patch { number, total: 9 } };
        let plain = super::testing::request();
        BuildRequest {
            source: self.source.clone(),
            revision: RevisionCommit { revision, commit: "0".repeat(40), tree: self.tree_id(), touched: Vec::new() },
            kconfig: kconfig.clone(),
            out: self.cache.join("work/real").join(&kconfig.name),
            cache: self.cache.clone(),
            events: Arc::new(|event| {
                if let Event::UnitProgress { done, total, message, .. } = event
                    && done % 50 == 0
                {
                    eprintln!("  {done}/{total} {message}");
                }
            }),
            ..plain
        }
    }

    async fn build(&self, number: usize, kconfig: &Kconfig) -> BuildRecord {
        self.run(self.request(number, kconfig)).await
    }

    async fn run(&self, request: BuildRequest) -> BuildRecord {
        let record = build(&request).await;
        eprintln!(
            "{} {}: {:?}, {} s, {} s CPU, {} diagnostics, sandbox {:?}, notes {:?}",
            record.revision,
            record.kconfig,
            record.outcome,
            record.wall_ms / 1000,
            record.cpu_ms / 1000,
            record.diagnostics.len(),
            record.sandbox,
            record.notes
        );
        record
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        self.restore();
    }
}

fn hmm() -> Kconfig {
    let fragments = std::env::var("ORCHESTRATOR_REAL_FRAGMENTS").expect("set ORCHESTRATOR_REAL_FRAGMENTS to files");
    let read = |path: &str| Fragment { name: path.to_owned(), text: fs_err::read_to_string(path).unwrap() };
    Kconfig { fragments: fragments.split(' ').map(read).collect(), ..super::testing::request().kconfig }
}

#[tokio::test]
#[ignore = "builds a real kernel"]
async fn planted_changes_give_what_they_should() {
    let mut tree = Tree::open();
    let kconfig = hmm();
    let base = tree.build(0, &kconfig).await;
    assert_eq!(base.outcome, BuildOutcome::Built, "{:#?}", base.diagnostics);
    assert!(base.artefacts.image.is_some());

    let anchor = "int hmm_range_fault(struct hmm_range *range)\n{\n";
    tree.edit("mm/hmm.c", anchor, &format!("{anchor}\tint planted;\n"));
    let warning = tree.build(1, &kconfig).await;
    assert_eq!(warning.outcome, BuildOutcome::Built);
    let new = new_diagnostics(&base.diagnostics, &warning.diagnostics);
    assert_eq!(new.len(), 1, "{new:#?}");
    assert_eq!(new[0].option.as_deref(), Some("-Wunused-variable"));
    assert_eq!(new[0].function.as_deref(), Some("hmm_range_fault"));
    assert_eq!(new[0].file, "mm/hmm.c");
    tree.restore();

    tree.edit("mm/hmm.c", " * @walk: mm_walk structure\n", " * @walk: the walk that came here\n");
    let comment = tree.build(2, &kconfig).await;
    assert_ne!(comment.key, base.key);
    assert_eq!(comment.artefacts.image, base.artefacts.image, "a reworded comment gives the same image");
    assert_eq!(new_diagnostics(&base.diagnostics, &comment.diagnostics), []);
    tree.restore();

    tree.edit("mm/hmm.c", anchor, &format!("{anchor}\tplanted = 1;\n"));
    let broken = tree.build(3, &kconfig).await;
    let BuildOutcome::Failed { reason } = &broken.outcome else { panic!("{:?}", broken.outcome) };
    assert_eq!(reason, "mm/hmm.c:584: 'planted' undeclared (first use in this function)");
    assert!(broken.artefacts.image.is_none());
    tree.restore();

    tree.edit("mm/hmm.c", anchor, &format!("int planted(void);\n{anchor}\tif (planted())\n\t\treturn 0;\n"));
    let unlinked = tree.build(4, &kconfig).await;
    let BuildOutcome::Failed { reason } = &unlinked.outcome else { panic!("{:?}", unlinked.outcome) };
    assert!(reason.contains("undefined reference to `planted'"), "{reason}");
    tree.restore();

    tree.edit("mm/hmm.c", anchor, &format!("#include \"planted.h\"\n{anchor}"));
    let missing = tree.build(5, &kconfig).await;
    let BuildOutcome::Failed { reason } = &missing.outcome else { panic!("{:?}", missing.outcome) };
    assert_eq!(reason, "mm/hmm.c:582: planted.h: No such file or directory");
    tree.restore();

    tree.edit(
        "lib/Kconfig.debug",
        "depends on DEVICE_PRIVATE\n\tselect HMM_MIRROR",
        "depends on DEVICE_PRIVATE && PLANTED\n\tselect HMM_MIRROR",
    );
    let dropped = tree.build(6, &kconfig).await;
    let BuildOutcome::Failed { reason } = &dropped.outcome else { panic!("{:?}", dropped.outcome) };
    assert!(reason.contains("DEVICE_PRIVATE (=y) && PLANTED (not set)"), "{reason}");
    assert!(dropped.dropped.iter().any(|dropped| dropped.symbol == "TEST_HMM"));
    tree.restore();

    // Another commit with the base's content is the base.
    assert_eq!(tree.build(7, &kconfig).await.key, base.key);
}

#[tokio::test]
#[ignore = "builds real selftests"]
async fn selftests_are_those_of_the_revision() {
    let mut tree = Tree::open();
    let kconfig = hmm();
    let base = tree.build(0, &kconfig).await;
    assert_eq!(base.outcome, BuildOutcome::Built, "{:#?}", base.diagnostics);
    assert_eq!(base.artefacts.selftest_files, ["selftests/hmm-tests", "selftests/hmm-abi.json"]);
    let abi = fs_err::read_to_string(base.artefacts.dir.join("selftests/hmm-abi.json")).unwrap();
    let abi: std::collections::BTreeMap<String, u64> = serde_json::from_str(&abi).unwrap();
    assert_eq!(abi["HMM_DMIRROR_WRITE"], abi["HMM_DMIRROR_READ"] + 1);
    assert_eq!(abi["struct hmm_dmirror_cmd"], abi["HMM_DMIRROR_READ"] >> 16 & 0x3fff);
    assert_eq!(abi["HMM_DMIRROR_PROT_ZERO"], 0x10);
    let program = base.artefacts.dir.join("selftests/hmm-tests");
    let listed = std::process::Command::new(&program).arg("-l").output().unwrap();
    let names = String::from_utf8_lossy(&listed.stdout).into_owned() + &String::from_utf8_lossy(&listed.stderr);
    assert!(names.contains("hmm_device_private"), "{names}");

    let test = "tools/testing/selftests/mm/hmm-tests.c";
    tree.edit(test, "TEST_F(hmm, open_close)\n{\n", "TEST_F(hmm, open_close)\n{\n\tint planted;\n");
    let warning = tree.build(1, &kconfig).await;
    assert_eq!(warning.outcome, BuildOutcome::Built);
    assert_eq!(warning.artefacts.image, base.artefacts.image);
    let new = new_diagnostics(&base.diagnostics, &warning.diagnostics);
    assert_eq!(new.len(), 1, "{new:#?}");
    assert_eq!((new[0].file.as_str(), new[0].option.as_deref()), (test, Some("-Wunused-variable")));
    tree.restore();

    tree.edit(test, "TEST_F(hmm, open_close)\n{\n", "TEST_F(hmm, open_close)\n{\n\tplanted();\n");
    let broken = tree.build(2, &kconfig).await;
    let BuildOutcome::SelftestsFailed { reason } = &broken.outcome else { panic!("{:?}", broken.outcome) };
    assert!(reason.contains("planted"), "{reason}");
    assert_eq!(broken.artefacts.image, base.artefacts.image);
    assert_eq!(broken.artefacts.selftests, None);
    tree.restore();

    let header = "#ifndef _LIB_TEST_HMM_UAPI_H\n";
    tree.edit("lib/test_hmm_uapi.h", header, &format!("{header}#define HMM_DMIRROR_PLANTED 77\n"));
    let numbered = tree.build(4, &kconfig).await;
    assert_eq!(numbered.outcome, BuildOutcome::Built);
    let abi = fs_err::read_to_string(numbered.artefacts.dir.join("selftests/hmm-abi.json")).unwrap();
    assert!(abi.contains("\"HMM_DMIRROR_PLANTED\": 77"), "{abi}");
    assert_ne!(numbered.artefacts.selftests, base.artefacts.selftests);
    tree.restore();

    tree.edit("mm/hmm.c", " * @walk: mm_walk structure\n", " * @walk: that walk\n");
    let same = tree.build(3, &kconfig).await;
    assert_eq!(same.outcome, BuildOutcome::Built);
    assert_eq!(same.artefacts.image, base.artefacts.image);
    assert_eq!(same.artefacts.selftests, base.artefacts.selftests);
}

#[tokio::test]
#[ignore = "compiles real objects"]
async fn kind_compile_compiles_what_the_series_reaches() {
    let mut tree = Tree::open();
    let kconfig = Kconfig { name: "reach".into(), kind: Kind::Compile, boot: None, ..hmm() };
    let touched =
        ["include/linux/hmm.h", "include/linux/migrate.h", "mm/hmm.c", "drivers/gpu/drm/nouveau/nouveau_svm.c"];
    let request = |tree: &Tree, number| BuildRequest {
        touched: touched.map(str::to_owned).into(),
        ..tree.request(number, &kconfig)
    };
    let base = tree.run(request(&tree, 0)).await;
    assert_eq!(base.outcome, BuildOutcome::Built, "{:#?}", base.diagnostics);
    for object in ["mm/hmm.o", "mm/migrate_device.o", "lib/test_hmm.o"] {
        assert!(base.compiled.iter().any(|compiled| compiled == object), "{object}: {:?}", base.compiled);
    }
    eprintln!("{} objects: {:?}\nnot: {:?}", base.compiled.len(), base.compiled, base.not_compiled);
    assert_eq!(base.not_compiled.len(), 1);

    tree.edit(
        "include/linux/hmm.h",
        "static inline unsigned int hmm_pfn_to_map_order(",
        "static int planted(void) { return 0; }\nstatic inline unsigned int hmm_pfn_to_map_order(",
    );
    let warned = tree.run(request(&tree, 1)).await;
    assert_eq!(warned.outcome, BuildOutcome::Built);
    let new = new_diagnostics(&base.diagnostics, &warned.diagnostics);
    assert!(!new.is_empty() && new.iter().all(|d| d.message.contains("'planted' defined but not used")), "{new:#?}");
    tree.restore();
}

#[tokio::test]
#[ignore = "compiles real objects"]
async fn sparse_speaks_when_asked() {
    let mut tree = Tree::open();
    let kconfig = Kconfig { name: "sparse".into(), kind: Kind::Compile, boot: None, ..hmm() };
    let request = |tree: &Tree, number| BuildRequest {
        touched: vec!["mm/hmm.c".into(), "lib/test_hmm.c".into()],
        options: BuildOptions { sparse: true, w1: false },
        ..tree.request(number, &kconfig)
    };
    let base = tree.run(request(&tree, 0)).await;
    assert_eq!(base.outcome, BuildOutcome::Built, "{:#?}", base.diagnostics);
    let anchor = "static int __init hmm_dmirror_init(void)";
    tree.edit("lib/test_hmm.c", anchor, &format!("int planted;\n{anchor}"));
    let planted = tree.run(request(&tree, 1)).await;
    let new = new_diagnostics(&base.diagnostics, &planted.diagnostics);
    let said: Vec<_> = new.iter().map(|d| (d.tool, d.file.as_str(), d.message.as_str())).collect();
    assert_eq!(said, [(Tool::Sparse, "lib/test_hmm.c", "symbol 'planted' was not declared. Should it be static?")]);
    // mm/hmm.c was not checked again, and what sparse said of it holds.
    assert!(base.diagnostics.iter().any(|d| d.file == "mm/hmm.c"), "{:#?}", base.diagnostics);
    assert_eq!(planted.diagnostics.len(), base.diagnostics.len() + 1);
}

/// Not a test by itself: the build that `a_killed_build_is_mended` kills.
#[tokio::test]
#[ignore = "builds a real kernel"]
async fn the_build_to_be_killed() {
    let mut tree = Tree::open();
    let file = tree.source.join(HEADER);
    tree.changed.push((file.clone(), fs_err::read(&file).unwrap()));
    let request = tree.request(8, &hmm());
    tree.changed.clear();
    build(&BuildRequest { events: Arc::new(|event| eprintln!("{event:?}")), ..request }).await;
}

const HEADER: &str = "include/linux/migrate.h";

#[tokio::test]
#[ignore = "builds a real kernel"]
async fn a_killed_build_is_mended() {
    use std::io::BufRead;
    let mut tree = Tree::open();
    let kconfig = hmm();
    let base = tree.build(0, &kconfig).await;
    tree.edit(HEADER, "Return values from", "Values returned by");
    let out = tree.request(8, &kconfig).out;
    let mut child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["build::real::the_build_to_be_killed", "--exact", "--ignored", "--nocapture"])
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let lines = std::io::BufReader::new(child.stderr.take().unwrap()).lines();
    let seen = lines.map_while(Result::ok).find(|line| line.contains("mm/") && line.contains(".o\""));
    child.kill().unwrap();
    child.wait().unwrap();
    eprintln!("killed at {seen:?}");
    assert!(seen.is_some(), "the build ended before it could be killed");
    let running = || {
        let processes = std::fs::read_dir("/proc").unwrap().flatten();
        let lines = processes.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
        lines.filter(|line| String::from_utf8_lossy(line).contains(&format!("O={out}"))).count()
    };
    while running() > 0 {
        std::thread::yield_now();
    }
    let again = tree.build(8, &kconfig).await;
    assert_eq!(again.outcome, BuildOutcome::Built, "{:#?}", again.diagnostics);
    assert_eq!(again.artefacts.image, base.artefacts.image, "only a comment changed");
    assert_eq!(new_diagnostics(&base.diagnostics, &again.diagnostics), []);
    tree.restore();
}

/// Builds one kconfig of the shipped matrix: set `ORCHESTRATOR_REAL_KCONFIG`.
#[tokio::test]
#[ignore = "builds a real kernel"]
async fn a_kconfig_of_the_matrix_builds() {
    let tree = Tree::open();
    let name =
        std::env::var("ORCHESTRATOR_REAL_KCONFIG").expect("set ORCHESTRATOR_REAL_KCONFIG to a name of the matrix");
    let folder = camino::Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let home = crate::config::Home::find(Some(&folder), &folder, &folder).unwrap();
    let kconfig =
        matrix(&home).unwrap().into_iter().find(|kconfig| kconfig.name == name).expect("a name of the matrix");
    let touched =
        ["include/linux/hmm.h", "include/linux/migrate.h", "mm/hmm.c", "mm/migrate_device.c", "lib/test_hmm.c"];
    let request = BuildRequest { touched: touched.map(str::to_owned).into(), ..tree.request(0, &kconfig) };
    let record = tree.run(request).await;
    eprintln!("{} objects: {:?}\nnot: {:?}", record.compiled.len(), record.compiled, record.not_compiled);
    for diagnostic in &record.diagnostics {
        eprintln!("{}", diagnostic.text);
    }
    assert_eq!(record.outcome, BuildOutcome::Built);
}
