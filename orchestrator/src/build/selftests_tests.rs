//! Folders and command lines of the selftests.

use super::*;
use crate::build::testing::{folder, request};
use crate::words::testing::warning;

#[test]
fn the_shadow_has_real_folders_only_where_something_is_written() {
    let (_guard, root) = folder();
    let source = root.join("source");
    for file in [
        "Makefile",
        "mm/gup_test.h",
        "usr/Kconfig",
        "tools/include/a.h",
        "tools/testing/selftests/lib.mk",
        "tools/testing/selftests/mm/hmm-tests.c",
        ".git",
    ] {
        fs_err::create_dir_all(source.join(file).parent().unwrap()).unwrap();
        fs_err::write(source.join(file), file).unwrap();
    }
    let tree = root.join("shadow");
    shadow(&source, &tree, "tools/testing/selftests/mm", &root.join("headers")).unwrap();
    let mm = tree.join("tools/testing/selftests/mm");
    assert!(mm.is_dir() && !mm.is_symlink());
    assert!(mm.join("hmm-tests.c").is_symlink());
    for file in ["Makefile", "mm/gup_test.h", "usr/Kconfig", "tools/include/a.h", "tools/testing/selftests/lib.mk"] {
        assert_eq!(fs_err::read_to_string(tree.join(file)).unwrap(), file);
    }
    assert!(!tree.join(".git").exists());
    assert_eq!(tree.join("usr/include").read_link_utf8().unwrap(), root.join("headers"));
    fs_err::write(mm.join("local_config.h"), "x").unwrap();
    assert!(!source.join("tools/testing/selftests/mm/local_config.h").exists());
}

#[test]
fn a_killed_or_foreign_folder_begins_anew() {
    let (_guard, root) = folder();
    let shared = root.join(".selftests");
    let mut state = open(&shared, "gcc").unwrap();
    state.headers = Some("tree".into());
    fs_err::write(shared.join(STATE), serde_json::to_vec(&state).unwrap()).unwrap();
    assert_eq!(open(&shared, "gcc").unwrap().headers.as_deref(), Some("tree"));
    drop(Marker::set(&shared, Utf8Path::new(""), Utf8Path::new("")).unwrap());
    assert_eq!(open(&shared, "gcc").unwrap().headers, None);
    fs_err::write(shared.join(STATE), serde_json::to_vec(&state).unwrap()).unwrap();
    assert_eq!(open(&shared, "gcc 13").unwrap().headers, None);
}

#[test]
fn arguments_of_makefile_and_compiler() {
    let request = request();
    assert_eq!(shared_folder(&request), "/out/.selftests-x86_64-gcc");
    let line = makefile_arguments(&request, "/s".into(), "mm", "/s/programs/mm/hmm-tests".into()).join(" ");
    assert_eq!(
        line,
        "-C /s/tree/tools/testing/selftests/mm ARCH=x86_64 --no-print-directory LDFLAGS=-static \
         OUTPUT=/s/programs/mm KHDR_INCLUDES=-isystem /s/headers/usr/include /s/programs/mm/hmm-tests"
    );
    let folder = "/s/tree/tools/testing/selftests/mm".into();
    let line = compiler_arguments("/s".into(), folder, &["hmm-tests.c".into()], "/o".into()).join(" ");
    assert!(line.contains("-isystem /s/headers/usr/include"), "{line}");
    assert!(line.ends_with("/s/tree/tools/testing/selftests/mm/hmm-tests.c -o /o -lrt -lpthread -lm"), "{line}");
}

#[test]
fn the_interface_is_asked_of_the_kconfigs_own_compiler() {
    let mut request = request();
    let (program, arguments) = interface_compiler(&request, "/s".into());
    let expected = "-c -w -isystem /s/headers/usr/include -iquote /src/lib -o /s/abi/abi.o /s/abi/abi.c";
    assert_eq!((program.as_str(), arguments.join(" ").as_str()), ("gcc", expected));
    request.kconfig.cross_compile = "aarch64-linux-gnu-".into();
    assert_eq!(interface_compiler(&request, "/s".into()).0, "aarch64-linux-gnu-gcc");
    request.kconfig.toolchain = "clang".into();
    let (program, arguments) = interface_compiler(&request, "/s".into());
    assert_eq!((program.as_str(), arguments[2].as_str()), ("clang", "--target=aarch64-linux-gnu"));
}

#[test]
fn the_interface_is_among_the_artefacts_and_in_their_hash() {
    let (_guard, root) = folder();
    let hash = |abi: Option<&str>, programs: &[String]| {
        let (shared, staging) = (root.join("shared"), root.join("staging"));
        fs_err::create_dir_all(shared.join("programs/mm")).unwrap();
        fs_err::create_dir_all(shared.join("abi")).unwrap();
        fs_err::write(program_file(&shared, "mm/hmm-tests"), "x").unwrap();
        fs_err::write(interface_file(&shared), abi.unwrap_or_default()).unwrap();
        let mut artefacts = Artefacts::default();
        collect(&shared, &staging, programs, abi.is_some(), &mut artefacts).unwrap();
        (artefacts.selftest_files, artefacts.selftests)
    };
    let tests = ["mm/hmm-tests".to_owned()];
    let (files, one) = hash(Some("{}"), &tests);
    assert_eq!(files, ["selftests/hmm-tests", "selftests/hmm-abi.json"]);
    let (_, two) = hash(Some("{\"A\": 1}"), &tests);
    let (_, without) = hash(None, &tests);
    assert!(one != two && one != without && two != without && without.is_some());
    assert_eq!(hash(Some("{}"), &[]).0, ["selftests/hmm-abi.json"]);
    assert_eq!(hash(None, &[]), (vec![], None));
}

#[test]
fn only_a_missing_libc_is_the_hosts_fault() {
    assert!(missing_libc(&[warning("", 0, "cannot find -lc: No such file or directory", "")]).is_some());
    assert!(missing_libc(&[warning("", 0, "cannot find -lcap: No such file or directory", "")]).is_none());
}
