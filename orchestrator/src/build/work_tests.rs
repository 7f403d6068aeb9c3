//! Whole builds of a toy tree: a Makefile that behaves like kbuild where it matters, real make, real compiler.

use std::sync::{Arc, Mutex};

use camino::Utf8PathBuf;

use super::*;
use crate::build::testing::{folder, request};
use crate::words::{Event, Fragment, Revision};

const MAKEFILE: &str = r#"
out := $(O)
objects := $(out)/mm/hmm.o $(out)/mm/gup.o
.PHONY: tinyconfig olddefconfig headers FORCE
tinyconfig:
	@echo '# CONFIG_HMM is not set' > $(out)/$(KCONFIG_CONFIG)
olddefconfig:
	@sed -i '/CONFIG_GONE/d' $(out)/$(KCONFIG_CONFIG)
headers:
	@mkdir -p $(out)/usr/include/linux; cp include/uapi/a.h $(out)/usr/include/linux/
vmlinux: $(out)/vmlinux
$(out)/vmlinux: $(objects)
	@echo '  LD      vmlinux'; ld -r -o $@ $(objects)
$(out)/mm/%.o: mm/%.c
	@mkdir -p $(out)/mm; echo '  CC      mm/$*.o'; if [ -e trap/$* ]; then OUT=$(out) sh trap/$* || exit 1; fi; gcc -Wall -c -o $@ $(CURDIR)/$<
"#;

const SELFTEST_MAKEFILE: &str = "
include ../lib.mk
local_config.h:
	echo > local_config.h
$(OUTPUT)/hmm-tests: hmm-tests.c local_config.h
	@echo '  CC       hmm-tests'; gcc -Wall $(KHDR_INCLUDES) $(LDFLAGS) -o $@ $<
";

struct Toy {
    _guard: tempfile::TempDir,
    root: Utf8PathBuf,
    events: Arc<Mutex<Vec<Event>>>,
}

impl Toy {
    fn new() -> Toy {
        let (guard, root) = folder();
        // bubblewrap hides /tmp, and the folder's own path is what it shows again.
        let root = root.canonicalize_utf8().unwrap();
        let toy = Toy { _guard: guard, root, events: Arc::default() };
        toy.write("Makefile", MAKEFILE);
        toy.write("mm/hmm.c", "int hmm(void)\n{\n\treturn 1;\n}\n");
        toy.write("mm/gup.c", "int gup(void)\n{\n\tint old;\n\treturn 1;\n}\n");
        toy.write("mm/Kconfig", "config HMM\n\tbool \"hmm\"\nconfig GONE\n\tbool \"gone\"\n\tdepends on MISSING\n");
        toy.write("include/uapi/a.h", "#define VALUE 0\n");
        toy.write("tools/testing/selftests/lib.mk", "KHDR_INCLUDES ?= -isystem ../../../../usr/include\n");
        toy.write("tools/testing/selftests/mm/Makefile", SELFTEST_MAKEFILE);
        let test = "#include <linux/a.h>\n#include \"local_config.h\"\nint main(void)\n{\n\treturn VALUE;\n}\n";
        toy.write("tools/testing/selftests/mm/hmm-tests.c", test);
        toy
    }

    fn write(&self, path: &str, text: &str) {
        let file = self.root.join("source").join(path);
        fs_err::create_dir_all(file.parent().unwrap()).unwrap();
        fs_err::write(file, text).unwrap();
    }

    /// A request for revision `number`, whose git tree is named after it.
    fn request(&self, number: usize) -> BuildRequest {
        let plain = request();
        let events = self.events.clone();
        let mut kconfig = plain.kconfig.clone();
        kconfig.fragments = vec![Fragment { name: "hmm.config".into(), text: "CONFIG_HMM=y\n".into() }];
        let mut revision = plain.revision.clone();
        revision.tree = format!("{number:040}");
        revision.revision = if number == 0 { Revision::Base } else { Revision::Patch { number, total: 9 } };
        BuildRequest {
            source: self.root.join("source"),
            out: self.root.join("cache/work/toy/hmm"),
            cache: self.root.join("cache"),
            kconfig,
            revision,
            events: Arc::new(move |event| events.lock().unwrap().push(event)),
            ..plain
        }
    }

    fn messages(record: &BuildRecord) -> Vec<String> {
        record.diagnostics.iter().map(|d| format!("{}: {}", d.file, d.message)).collect()
    }
}

#[tokio::test]
async fn a_build_is_made_once_and_warnings_stay_with_their_objects() {
    let toy = Toy::new();
    let base = build(&toy.request(0)).await;
    assert_eq!(base.outcome, BuildOutcome::Built, "{base:#?}");
    assert_eq!(Toy::messages(&base), ["mm/gup.c: unused variable 'old'"]);
    assert_eq!(base.artefacts.image_file.as_deref(), Some("vmlinux"));
    assert_eq!(base.artefacts.selftest_files, ["selftests/hmm-tests"]);
    for file in ["vmlinux", "config", "build.log", "record.json", "selftests/hmm-tests"] {
        assert!(base.artefacts.dir.join(file).is_file(), "{file}");
    }
    assert!(base.replay.contains("vmlinux") && !base.replay.contains("bwrap"), "{}", base.replay);
    let progress = toy.events.lock().unwrap().iter().any(|event| {
        matches!(event, Event::UnitProgress { unit, message, .. } if unit == "build t/base/hmm" && message == "mm/hmm.o")
    });
    assert!(progress);

    // Only a comment: other source, same kernel.
    toy.write("mm/hmm.c", "int hmm(void)\n{\n\treturn 1; /* one */\n}\n");
    let comment = build(&toy.request(1)).await;
    assert_ne!(comment.key, base.key);
    assert_eq!(comment.artefacts.image, base.artefacts.image);
    assert_eq!(comment.artefacts.selftests, base.artefacts.selftests);
    let log = fs_err::read_to_string(comment.artefacts.dir.join("build.log")).unwrap();
    assert!(log.contains("CC      mm/hmm.o") && !log.contains("CC      mm/gup.o"), "{log}");
    assert_eq!(Toy::messages(&comment), ["mm/gup.c: unused variable 'old'"], "said by the base's make alone");

    // The base again, as another revision: nothing is made.
    let mut again = toy.request(0);
    again.revision.revision = Revision::Patch { number: 5, total: 9 };
    let events = toy.events.lock().unwrap().len();
    let found = build(&again).await;
    assert_eq!((found.key, found.revision), (base.key, again.revision.revision));
    assert_eq!(toy.events.lock().unwrap().len(), events);
    assert!(!toy.root.join("source/tools/testing/selftests/mm/local_config.h").exists(), "the source stays as it is");
}

#[tokio::test]
async fn a_break_is_named_and_mended() {
    let toy = Toy::new();
    toy.write("mm/hmm.c", "int hmm(void)\n{\n\tplanted = 1;\n\treturn 1;\n}\n");
    let broken = build(&toy.request(1)).await;
    let reason = "mm/hmm.c:3: 'planted' undeclared (first use in this function)";
    assert_eq!(broken.outcome, BuildOutcome::Failed { reason: reason.into() });
    // make went on to the object after the broken one, and does not repeat what the compiler said.
    assert_eq!(
        Toy::messages(&broken),
        ["mm/gup.c: unused variable 'old'", "mm/hmm.c: 'planted' undeclared (first use in this function)"]
    );
    assert_eq!(broken.artefacts.image, None);
    assert_eq!(
        lookup(&toy.root.join("cache"), &broken.key).as_ref(),
        Some(&broken),
        "a result about the kernel is kept"
    );
    toy.write("mm/hmm.c", "int hmm(void)\n{\n\treturn 1;\n}\n");
    let mended = build(&toy.request(2)).await;
    assert_eq!(mended.outcome, BuildOutcome::Built);
    assert_eq!(Toy::messages(&mended), ["mm/gup.c: unused variable 'old'"]);
}

#[tokio::test]
async fn broken_selftests_leave_the_kernel_bootable() {
    let toy = Toy::new();
    let test = "#include <linux/a.h>\nint main(void)\n{\n\treturn PLANTED;\n}\n";
    toy.write("tools/testing/selftests/mm/hmm-tests.c", test);
    let record = build(&toy.request(1)).await;
    let BuildOutcome::SelftestsFailed { reason } = &record.outcome else { panic!("{:?}", record.outcome) };
    assert!(reason.starts_with("tools/testing/selftests/mm/hmm-tests.c:4: 'PLANTED' undeclared"), "{reason}");
    assert!(record.artefacts.image.is_some() && record.artefacts.selftests.is_none());
    toy.write("include/uapi/a.h", "#define PLANTED 0\n");
    let mended = build(&toy.request(2)).await;
    assert_eq!(mended.outcome, BuildOutcome::Built, "headers are those of the revision");
}

#[tokio::test]
async fn a_dropped_symbol_fails_the_build_before_anything_is_compiled() {
    let toy = Toy::new();
    let mut request = toy.request(0);
    request.kconfig.fragments[0].text.push_str("CONFIG_GONE=y\n");
    let record = build(&request).await;
    let reason = "CONFIG_GONE=y (hmm.config:2) was dropped: depends on MISSING (not set)";
    assert_eq!(record.outcome, BuildOutcome::Failed { reason: reason.into() });
    assert_eq!(record.dropped.len(), 1);
    assert!(!request.out.join("mm/hmm.o").exists());
    request.kconfig.optional.push("GONE".into());
    assert_eq!(build(&request).await.outcome, BuildOutcome::Built);
}

#[tokio::test]
async fn trouble_of_the_host_is_not_kept() {
    let toy = Toy::new();
    toy.write("trap/hmm", "echo 'ld: final link failed: No space left on device' >&2; exit 1\n");
    let record = build(&toy.request(0)).await;
    let BuildOutcome::Infra { reason } = &record.outcome else { panic!("{:?}", record.outcome) };
    assert!(reason.contains("No space left on device"), "{reason}");
    assert_eq!(lookup(&toy.root.join("cache"), &record.key), None);
    let log = fs_err::read_to_string(record.artefacts.dir.join(&record.log)).unwrap();
    assert!(log.contains("final link failed"), "the log can be read");
    toy.write("trap/hmm", "");
    assert_eq!(build(&toy.request(0)).await.outcome, BuildOutcome::Built);
}

#[tokio::test]
async fn what_an_interrupted_build_left_is_not_believed() {
    let toy = Toy::new();
    // A compiler that is stopped in the middle of writing its object.
    toy.write("trap/hmm", "echo half > \"$OUT/mm/hmm.o\"; touch \"$OUT/started\"; exec sleep 1000\n");
    let mut request = toy.request(0);
    // --output-sync holds the lines of a target back until it is done, so the file is what can be waited for.
    let started = request.out.join("started");
    let cancel = request.cancel.clone();
    let watch = tokio::spawn(async move {
        while !started.exists() {
            tokio::task::yield_now().await;
        }
        cancel.cancel();
    });
    let record = build(&request).await;
    watch.await.unwrap();
    assert_eq!(record.outcome, BuildOutcome::Infra { reason: "interrupted".into() });
    assert_eq!(lookup(&toy.root.join("cache"), &record.key), None);
    toy.write("trap/hmm", "");
    request.cancel = Default::default();
    let record = build(&request).await;
    assert_eq!(record.outcome, BuildOutcome::Built, "{:#?}", record.diagnostics);
    assert!(fs_err::read(request.out.join("mm/hmm.o")).unwrap().starts_with(b"\x7fELF"));
}

#[tokio::test]
async fn a_missing_cross_compiler_is_not_run() {
    let toy = Toy::new();
    let mut request = toy.request(0);
    request.kconfig.cross_compile = "no-such-machine-".into();
    let record = build(&request).await;
    let reason = "no-such-machine-gcc, no-such-machine-ld are missing: \
                  apt-get install gcc-no-such-machine binutils-no-such-machine";
    assert_eq!(record.outcome, BuildOutcome::NotRun { reason: reason.into() });
}
