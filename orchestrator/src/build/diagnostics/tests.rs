//! Real output of the tools, read.

use super::line::step;
use super::*;
use crate::words::{Diagnostic, Level, Tool};

fn read(text: &str) -> Said {
    let mut reader = Reader::new("/src".into(), "/out".into(), "");
    for line in text.lines() {
        reader.line(line);
    }
    reader.finish()
}

fn only(text: &str) -> Diagnostic {
    let said = read(text);
    let mut all: Vec<Diagnostic> = said.targets.into_values().flatten().chain(said.loose).collect();
    assert_eq!(all.len(), 1, "{all:#?}");
    all.remove(0)
}

#[test]
fn gcc_warning_with_function_excerpt_and_note() {
    let said = read(
        "  CC      mm/hmm.o
/src/mm/hmm.c: In function 'hmm_range_fault':
/src/mm/hmm.c:583:13: warning: unused variable 'left' [-Wunused-variable]
  583 |         int left;
      |             ^~~~
/src/mm/hmm.c:12:1: note: declared here
   12 | int left;
/src/mm/hmm.c:600:9: warning: 'x' may be used uninitialized [-Wmaybe-uninitialized]
  CC      mm/gup.o
",
    );
    let hmm = &said.targets["mm/hmm.o"];
    assert_eq!(hmm.len(), 2);
    assert_eq!(said.targets["mm/gup.o"], []);
    assert_eq!(said.objects, ["mm/hmm.o", "mm/gup.o"]);
    assert_eq!(hmm[0].file, "mm/hmm.c");
    assert_eq!(hmm[0].line, 583);
    assert_eq!(hmm[0].level, Level::Warning);
    assert_eq!(hmm[0].message, "unused variable 'left'");
    assert_eq!(hmm[0].option.as_deref(), Some("-Wunused-variable"));
    assert_eq!(hmm[0].function.as_deref(), Some("hmm_range_fault"));
    insta::assert_snapshot!(hmm[0].text, @r"
    mm/hmm.c: In function 'hmm_range_fault':
    mm/hmm.c:583:13: warning: unused variable 'left' [-Wunused-variable]
      583 |         int left;
          |             ^~~~
    mm/hmm.c:12:1: note: declared here
       12 | int left;
    ");
    assert_eq!(hmm[1].function.as_deref(), Some("hmm_range_fault"), "the context holds until gcc names another");
}

#[test]
fn gcc_error_with_includes_and_top_level() {
    let said = read(
        "  CC      mm/hmm.o
In file included from /src/include/linux/hmm.h:12,
                 from /src/mm/hmm.c:11:
./include/generated/autoconf.h:3:8: error: expected ';' before 'int'
/src/mm/hmm.c: At top level:
/src/mm/hmm.c:9:5: error: 'foo' defined but not used [-Werror=unused-function]
cc1: some warnings being treated as errors
make[4]: *** [/src/scripts/Makefile.build:229: mm/hmm.o] Error 1
make[3]: *** [/src/scripts/Makefile.build:478: mm] Error 2
",
    );
    let hmm = &said.targets["mm/hmm.o"];
    assert_eq!(hmm[0].file, "include/generated/autoconf.h");
    assert!(hmm[0].text.starts_with("In file included from include/linux/hmm.h:12,"), "{}", hmm[0].text);
    assert_eq!(hmm[1].option.as_deref(), Some("-Werror=unused-function"));
    assert_eq!(hmm[1].level, Level::Error);
    assert_eq!(hmm[1].function, None);
    let make: Vec<_> = said.loose.iter().map(|d| d.message.as_str()).collect();
    assert_eq!(make, ["mm/hmm.o: Error 1", "mm: Error 2"]);
}

#[test]
fn clang_warning_with_old_style_excerpt() {
    let diagnostic = only(
        "  CC [M]  lib/test_hmm.o
/src/lib/test_hmm.c:40:6: warning: variable 'n' set but not used [-Wunused-but-set-variable]
        int n;
            ^
1 warning generated.
",
    );
    assert_eq!((diagnostic.file.as_str(), diagnostic.line), ("lib/test_hmm.c", 40));
    assert!(diagnostic.text.ends_with("            ^"));
}

#[test]
fn one_line_diagnostics_of_every_tool() {
    let cases = [
        (
            "ld: mm/memory.o: in function `do_swap_page':\nmemory.c:(.text+0x1f3c): undefined reference to `hmm_swap'",
            Tool::Linker,
            Level::Error,
            "memory.c",
            0,
            "undefined reference to `hmm_swap'",
        ),
        (
            "ld: vmlinux.o: in function `f':\n/src/mm/hmm.c:33: undefined reference to `g'",
            Tool::Linker,
            Level::Error,
            "mm/hmm.c",
            33,
            "undefined reference to `g'",
        ),
        (
            "aarch64-linux-gnu-ld: mm/a.o:(.data+0x0): multiple definition of `x'; mm/b.o:(.data+0x0): first defined here",
            Tool::Linker,
            Level::Error,
            "mm/a.o",
            0,
            "multiple definition of `x'",
        ),
        (
            "ld.lld: error: undefined symbol: hmm_swap\n>>> referenced by hmm.c",
            Tool::Linker,
            Level::Error,
            "",
            0,
            "undefined symbol: hmm_swap",
        ),
        (
            "ld: warning: orphan section `.foo' from `mm/a.o' being placed in section `.foo'",
            Tool::Linker,
            Level::Warning,
            "",
            0,
            "orphan section `.foo' from `mm/a.o' being placed in section `.foo'",
        ),
        (
            "ERROR: modpost: \"hmm_swap\" [lib/test_hmm.ko] undefined!",
            Tool::Modpost,
            Level::Error,
            "",
            0,
            "\"hmm_swap\" [lib/test_hmm.ko] undefined!",
        ),
        (
            "WARNING: modpost: missing MODULE_DESCRIPTION() in lib/test_hmm.o",
            Tool::Modpost,
            Level::Warning,
            "",
            0,
            "missing MODULE_DESCRIPTION() in lib/test_hmm.o",
        ),
        (
            "mm/hmm.o: warning: objtool: f+0x1c: unreachable instruction",
            Tool::Objtool,
            Level::Warning,
            "mm/hmm.o",
            0,
            "f+0x1c: unreachable instruction",
        ),
        (
            ".config:12:warning: override: reassigning to symbol HMM_MIRROR",
            Tool::Kconfig,
            Level::Warning,
            ".config",
            12,
            "override: reassigning to symbol HMM_MIRROR",
        ),
        (
            "/src/mm/Kconfig:1023:error: recursive dependency detected!",
            Tool::Kconfig,
            Level::Error,
            "mm/Kconfig",
            1023,
            "recursive dependency detected!",
        ),
        ("mm/Kconfig:7: syntax error", Tool::Kconfig, Level::Error, "mm/Kconfig", 7, "syntax error"),
        (
            "WARNING: unmet direct dependencies detected for DEVICE_PRIVATE\n  Depends on [n]: ZONE_DEVICE [=n]",
            Tool::Kconfig,
            Level::Warning,
            "",
            0,
            "unmet direct dependencies detected for DEVICE_PRIVATE",
        ),
        (
            "/src/arch/x86/entry/entry.S: Assembler messages:\n/src/arch/x86/entry/entry.S:9: Error: no such instruction: `foo'",
            Tool::Compiler,
            Level::Error,
            "arch/x86/entry/entry.S",
            9,
            "no such instruction: `foo'",
        ),
        (
            "make[1]: *** No rule to make target 'mm/x.o', needed by 'mm/built-in.a'.  Stop.",
            Tool::Make,
            Level::Error,
            "",
            0,
            "No rule to make target 'mm/x.o', needed by 'mm/built-in.a'.  Stop.",
        ),
        (
            "/src/mm/Makefile:12: *** missing separator.  Stop.",
            Tool::Make,
            Level::Error,
            "mm/Makefile",
            12,
            "missing separator.  Stop.",
        ),
        (
            "gcc: error: unrecognized command-line option '-mfoo'",
            Tool::Compiler,
            Level::Error,
            "",
            0,
            "unrecognized command-line option '-mfoo'",
        ),
        (
            "/src/mm/hmm.c:5:10: fatal error: linux/none.h: No such file or directory",
            Tool::Compiler,
            Level::Error,
            "mm/hmm.c",
            5,
            "linux/none.h: No such file or directory",
        ),
        (
            "/src/mm/hmm.c:12: warning: Function parameter or struct member 'x' not described in 'f'",
            Tool::Compiler,
            Level::Warning,
            "mm/hmm.c",
            12,
            "Function parameter or struct member 'x' not described in 'f'",
        ),
    ];
    for (text, tool, level, file, line, message) in cases {
        let found = only(text);
        assert_eq!((found.tool, found.level), (tool, level), "{text}");
        assert_eq!((found.file.as_str(), found.line, found.message.as_str()), (file, line, message), "{text}");
    }
}

#[test]
fn sparse_speaks_under_its_own_step() {
    let said = read(
        "  CC      mm/hmm.o
  CHECK   /src/mm/hmm.c
/src/mm/hmm.c:33:5: warning: symbol 'x' was not declared. Should it be static?
/src/mm/hmm.c: note: in included file (through include/linux/mm.h):
/src/include/linux/a.h:3:1: error: bad type
",
    );
    let found = &said.targets["mm/hmm.c"];
    assert_eq!(found.iter().map(|d| d.tool).collect::<Vec<_>>(), [Tool::Sparse, Tool::Sparse]);
    assert_eq!(said.targets["mm/hmm.o"], []);
}

#[test]
fn step_lines() {
    assert_eq!(step("  CC [M]  lib/test_hmm.o"), Some(("CC", "lib/test_hmm.o")));
    assert_eq!(step("  LD      .tmp_vmlinux1"), Some(("LD", ".tmp_vmlinux1")));
    assert_eq!(step("  DESCEND objtool"), Some(("DESCEND", "objtool")));
    assert_eq!(step("  583 |         int left;"), None);
    assert_eq!(step("  Depends on [n]: X"), None);
    assert_eq!(step("#  CC x.o"), None);
}

#[test]
fn selftest_paths_are_relative_to_their_folder() {
    let mut reader = Reader::new("/shadow".into(), "/out".into(), "tools/testing/selftests/mm");
    for line in [
        "hmm-tests.c: In function 'main':",
        "hmm-tests.c:5:6: warning: unused variable 'a' [-Wunused-variable]",
        "../kselftest_harness.h:9:6: warning: b",
        "/shadow/tools/testing/selftests/../../../lib/test_hmm_uapi.h:1:2: error: c",
    ] {
        reader.line(line);
    }
    let files: Vec<_> = reader.finish().loose.into_iter().map(|d| d.file).collect();
    assert_eq!(
        files,
        [
            "tools/testing/selftests/mm/hmm-tests.c",
            "tools/testing/selftests/kselftest_harness.h",
            "lib/test_hmm_uapi.h"
        ]
    );
}

#[test]
fn hostile_text_is_bounded() {
    let long = "ä".repeat(100_000);
    let mut text = format!("/src/{long}.c:1:1: warning: {long}\n");
    for _ in 0..100 {
        text.push_str(&long);
        text.push('\n');
    }
    let found = only(&text);
    assert!(found.message.len() <= 1024 && found.file.len() <= 1024 && found.text.len() <= 4096);
    let many = "/src/a.c:1:1: warning: x\n".repeat(5000);
    let said = read(&many);
    assert_eq!((said.loose.len(), said.omitted), (2000, 3000));
}

proptest::proptest! {
    #[test]
    fn no_line_makes_the_reader_panic(lines in proptest::collection::vec("[ -~ä\t]{0,80}", 0..20)) {
        let mut reader = Reader::new("/src".into(), "/out".into(), "");
        for line in &lines {
            reader.line(line);
        }
        reader.finish();
    }
}
