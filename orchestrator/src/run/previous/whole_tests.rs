//! Two versions of a series through the whole program, on a toy tree that behaves like kbuild where it matters.

use camino::{Utf8Path, Utf8PathBuf};
use tokio_util::sync::CancellationToken;

use crate::config::Home;
use crate::report::Report;
use crate::report::model::RunVerdict;
use crate::run::testing::options;
use crate::run::{BasePlan, Options, Places, RunFolder, TreeArgument, TreePlan, execute, read_events};
use crate::term::{Live, Mode, Styles};
use crate::words::{Event, FindingKind, PatchFate, Person, Series, UnitKind, testing};

const MAKEFILE: &str = r#"VERSION = 6
PATCHLEVEL = 12
SUBLEVEL = 7
out := $(O)
objects := $(out)/mm/hmm.o $(out)/mm/gup.o
.PHONY: tinyconfig olddefconfig FORCE
tinyconfig:
	@echo '# CONFIG_HMM is not set' > $(out)/$(KCONFIG_CONFIG)
olddefconfig:
	@true
vmlinux: $(out)/vmlinux
$(out)/vmlinux: $(objects)
	@echo '  LD      vmlinux'; ld -r -o $@ $(objects)
$(out)/mm/%.o: mm/%.c
	@mkdir -p $(out)/mm; echo '  CC      mm/$*.o'; gcc -Wall -c -o $@ $(CURDIR)/$<
"#;

const GUP: &str = "int gup(void)\n{\n\treturn 1;\n}\n";
const HMM: &str = "int hmm(void)\n{\n\treturn 1;\n}\n";

/// A clone, a home, a cache and results.
struct House {
    _keep: tempfile::TempDir,
    root: Utf8PathBuf,
}

impl House {
    fn new() -> House {
        let keep = tempfile::tempdir().unwrap();
        let root = Utf8PathBuf::try_from(keep.path().canonicalize().unwrap()).unwrap();
        let house = House { _keep: keep, root };
        house.write("home/series/trees.yaml", "trees: {}\n");
        house.write("home/kconfigs/hmm.config", "CONFIG_HMM=y\n");
        let matrix = "kconfigs:\n  toy:\n    about: a toy\n    kind: link\n    profile: quick\n    base: tinyconfig\n    \
                      fragments: [hmm.config]\n";
        house.write("home/kconfigs/matrix.yaml", matrix);
        house.write("kernel/Makefile", MAKEFILE);
        house.write("kernel/mm/hmm.c", HMM);
        house.write("kernel/mm/gup.c", GUP);
        house.write("kernel/mm/Kconfig", "config HMM\n\tbool \"hmm\"\n");
        house.git(&["init", "-q"]);
        house.git(&["add", "-A"]);
        house.git(&["commit", "-q", "-m", "base"]);
        house
    }

    fn write(&self, path: &str, text: &str) {
        let file = self.root.join(path);
        fs_err::create_dir_all(file.parent().unwrap()).unwrap();
        fs_err::write(file, text).unwrap();
    }

    fn git(&self, args: &[&str]) -> String {
        let output = std::process::Command::new("git")
            .current_dir(self.root.join("kernel"))
            .args(["-c", "user.name=Tester", "-c", "user.email=t@example.org"])
            .args(args)
            .env_remove("GIT_DIR")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .output()
            .unwrap();
        assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// A version whose patches leave these contents of files behind, one after the other.
    fn version(&self, number: u32, steps: &[(&str, &str)]) -> Series {
        let mut diffs = Vec::new();
        for (file, text) in steps {
            self.write(&format!("kernel/{file}"), text);
            diffs.push(self.git(&["diff"]));
            self.git(&["commit", "-q", "-a", "-m", "step"]);
        }
        self.git(&["reset", "-q", "--hard", &format!("HEAD~{}", steps.len())]);
        let mut series = testing::series(&format!("v{number}"), &diffs.iter().map(String::as_str).collect::<Vec<_>>());
        (series.version, series.title) = (Some(number), "mm: a toy".into());
        for (index, patch) in series.patches.iter_mut().enumerate() {
            patch.author = Person { name: "A. Author".into(), email: "a@example.org".into() };
            patch.date.seconds = 1_700_000_000 + i64::try_from(index).unwrap();
        }
        series
    }

    async fn run(&self, series: Series) -> (RunFolder, Report) {
        let tree = TreeArgument::Clone { path: self.root.join("kernel"), rev: "HEAD".into() };
        let plan = TreePlan { tree, series: Ok(series), base: BasePlan::Named };
        let options = Options { no_boot: true, ..options() };
        let folder = RunFolder::create(&self.root.join("results"), "c", options, vec![plan]).unwrap();
        let home = Home::find(Some(&self.root.join("home")), &self.root, &self.root).unwrap();
        let places = Places { home, cache: self.root.join("cache") };
        fs_err::create_dir_all(&places.cache).unwrap();
        let live = Live::start(Mode::Quiet, Styles::plain());
        let report = execute(&places, &folder, live, CancellationToken::new()).await.unwrap();
        (folder, report)
    }
}

/// Builds that a run did itself.
fn built(run: &Utf8Path) -> Vec<String> {
    let events = read_events(&run.join("events.jsonl")).unwrap();
    let own = events.into_iter().filter_map(|(_, event)| match event {
        Event::UnitEnded { unit, kind: UnitKind::Build, reused: false, .. } => {
            unit.split('/').nth(2).map(str::to_owned)
        }
        _ => None,
    });
    own.collect()
}

#[tokio::test]
async fn a_version_whose_last_patch_changed_builds_only_that_and_says_what_it_mended() {
    let house = House::new();
    let (gup, two) = (GUP.replace("return 1", "return 2"), HMM.replace("return 1", "return 2"));
    let planted = two.replace("\treturn", "\tint planted;\n\treturn");
    let last = two.replace("\treturn", "\t/* No more than that. */\n\treturn");
    let steps = |last| [("mm/gup.c", gup.as_str()), ("mm/hmm.c", two.as_str()), ("mm/hmm.c", last)];
    let first = house.version(1, &steps(&planted));
    let second = house.version(2, &steps(&last));

    let (one, report) = house.run(first).await;
    assert_eq!(built(one.path()), ["base", "p1", "p2", "p3"]);
    assert_eq!(report.verdict, RunVerdict::Findings, "{}", report.headline);
    assert_eq!(report.findings[0].kind, FindingKind::NewWarning);
    assert_eq!(report.previous, None, "there is no earlier version");

    let (two, report) = house.run(second).await;
    assert_eq!(built(two.path()), ["p3"]);
    assert_eq!(report.verdict, RunVerdict::Clean, "{}", report.headline);
    let previous = report.previous.expect("v1 was tested");
    assert_eq!((previous.run.as_str(), previous.version), (one.run.as_str(), Some(1)));
    assert_eq!((previous.reused.builds, previous.reused.builds_reused), (3, 3), "base, patch 1, patch 2");
    let fates: Vec<PatchFate> = previous.patches.iter().map(|pair| pair.fate).collect();
    assert_eq!(fates, [PatchFate::Unchanged, PatchFate::Unchanged, PatchFate::Changed]);
    let findings = &previous.findings;
    assert_eq!((findings.fixed.len(), findings.open.len(), findings.new.len()), (1, 0, 0), "{findings:?}");
    assert_eq!(findings.fixed[0].kind, FindingKind::NewWarning);
    let range = &previous.trees[0];
    assert!(range.range_diff.iter().any(|line| line.contains("planted")), "{range:?}");
    assert_eq!((range.note.as_deref(), &range.base), (None, &range.earlier_base));

    // The commits of the first version are gone: they are made again.
    let repo = house.root.join(format!("cache/trees/{}.git", range.tree));
    for part in fs_err::read_dir(repo.join("objects")).unwrap().flatten() {
        let name = part.file_name().to_string_lossy().into_owned();
        if name.len() == 2 {
            fs_err::remove_dir_all(part.path()).unwrap();
        }
    }
    let read = |folder: &RunFolder| {
        let text = fs_err::read_to_string(folder.path().join("report.json")).unwrap();
        Report::from_json(&text).unwrap()
    };
    let open = |folder: &RunFolder| RunFolder::open(&house.root.join("results"), &folder.run).unwrap();
    let (old, new) = ((open(&one), read(&one)), (open(&two), read(&two)));
    let old = super::Told { folder: &old.0, report: &old.1 };
    let new = super::Told { folder: &new.0, report: &new.1 };
    let again = super::compare_runs(old, new, &house.root.join("cache"), &CancellationToken::new()).await;
    assert_eq!(again.trees[0].note.as_deref(), Some("the earlier version was applied again on its base"));
    assert_eq!((&again.trees[0].range_diff, &again.patches), (&range.range_diff, &previous.patches));
}
