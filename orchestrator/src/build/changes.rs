//! What changed between two revisions, and what of the work that concerns.

use camino::Utf8Path;

/// Paths that differ between two git trees of the repository that `source` is a worktree of; `None` when git cannot
/// say (a tree was pruned, the folder is no worktree).
pub(super) fn changed_paths(source: &Utf8Path, from: &str, to: &str) -> Option<Vec<String>> {
    if from == to {
        return Some(Vec::new());
    }
    let repository = git2::Repository::open(source).ok()?;
    let tree = |id: &str| repository.find_tree(git2::Oid::from_str(id).ok()?).ok();
    let diff = repository.diff_tree_to_tree(Some(&tree(from)?), Some(&tree(to)?), None).ok()?;
    let mut paths = Vec::new();
    for delta in diff.deltas() {
        for file in [delta.old_file(), delta.new_file()] {
            if let Some(path) = file.path() {
                paths.push(path.to_string_lossy().into_owned());
            }
        }
    }
    paths.sort();
    paths.dedup();
    Some(paths)
}

/// Whether a changed path can change what a kconfig resolves to: Kconfig files, base targets, the scripts that Kconfig
/// calls, and Makefiles that define its targets.
pub(super) fn affects_kconfig(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.starts_with("Kconfig")
        || path.starts_with("scripts/")
        || path == "Makefile"
        || path.starts_with("kernel/configs/")
        || path.starts_with("arch/") && (path.contains("/configs/") || name.starts_with("Makefile"))
}

/// Whether a changed path can change the headers that user programs see.
pub(super) fn affects_headers(path: &str) -> bool {
    path.starts_with("include/uapi/")
        || path.starts_with("scripts/")
        || path.starts_with("usr/include/")
        || path.starts_with("include/asm-generic/")
        || path == "Makefile"
        || path.starts_with("arch/")
            && (path.contains("/include/uapi/") || path.contains("/syscalls/") || path.ends_with(".tbl"))
}

/// Whether a changed path can change a selftest program: the selftests themselves, and any header but those that only
/// the kernel can use.
pub(super) fn affects_selftests(path: &str) -> bool {
    let kernel_only = ["include/linux/", "include/net/", "drivers/", "fs/", "net/", "sound/"];
    path.starts_with("tools/")
        || affects_headers(path)
        || path.ends_with(".h") && !kernel_only.iter().any(|prefix| path.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_concern_what_they_should() {
        let cases = [
            ("mm/Kconfig", [true, false, false]),
            ("mm/Kconfig.debug", [true, false, false]),
            ("arch/x86/configs/tiny.config", [true, false, false]),
            ("arch/x86/Makefile", [true, false, false]),
            ("scripts/kconfig/conf.c", [true, true, true]),
            ("mm/hmm.c", [false, false, false]),
            ("mm/Makefile", [false, false, false]),
            ("include/linux/hmm.h", [false, false, false]),
            ("include/uapi/linux/mman.h", [false, true, true]),
            ("arch/x86/entry/syscalls/syscall_64.tbl", [false, true, true]),
            ("lib/test_hmm_uapi.h", [false, false, true]),
            ("lib/test_hmm.c", [false, false, false]),
            ("tools/testing/selftests/mm/hmm-tests.c", [false, false, true]),
        ];
        for (path, expected) in cases {
            assert_eq!([affects_kconfig(path), affects_headers(path), affects_selftests(path)], expected, "{path}");
        }
    }

    #[test]
    fn git_says_what_differs() {
        let (_guard, dir) = crate::build::testing::folder();
        let repository = git2::Repository::init(&dir).unwrap();
        let tree = |files: &[(&str, &str)]| {
            let mut builder = repository.treebuilder(None).unwrap();
            for (name, text) in files {
                builder.insert(name, repository.blob(text.as_bytes()).unwrap(), 0o100_644).unwrap();
            }
            builder.write().unwrap().to_string()
        };
        let (one, two) = (tree(&[("a", "1"), ("b", "1")]), tree(&[("a", "2"), ("c", "1")]));
        assert_eq!(changed_paths(&dir, &one, &two).unwrap(), ["a", "b", "c"]);
        assert_eq!(changed_paths(&dir, &one, &one).unwrap(), [""; 0]);
        assert_eq!(changed_paths(&dir, &one, &"0".repeat(40)), None);
    }
}
