//! Which files include which, from their text alone.
//!
//! The text says less than the preprocessor knows (`-I` paths, conditions), so the answer may hold too many files,
//! never too few but for names made by macros.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::LazyLock;

use camino::{Utf8Component, Utf8Path, Utf8PathBuf};
use regex::bytes::Regex;

/// The `#include` lines of files: by path relative to the tree, each name with its opening `"` or `<`.
pub(in crate::build) type Includes = BTreeMap<String, Vec<String>>;

/// The names that a file includes.
pub(super) fn includes_of(text: &[u8]) -> Vec<String> {
    static INCLUDE: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r#"(?m)^[ \t]*#[ \t]*include[ \t]*([<"][^>"\n]{1,200})[>"]"#).expect("a valid expression")
    });
    let names = INCLUDE.captures_iter(text).filter_map(|found| std::str::from_utf8(found.get(1)?.as_bytes()).ok());
    let mut names: Vec<String> = names.map(str::to_owned).collect();
    names.sort();
    names.dedup();
    names
}

/// Whether an include of `name` (with its opening character) in `file` can mean `header`.
fn means(includes: &Includes, file: &str, name: &str, header: &str) -> bool {
    let (quote, name) = name.split_at(1);
    if quote == "\"" {
        let beside = normal(&Utf8Path::new(file).parent().unwrap_or(Utf8Path::new("")).join(name));
        if includes.contains_key(beside.as_str()) {
            return beside == header;
        }
    }
    let name = normal(Utf8Path::new(name));
    header.strip_suffix(name.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('/'))
}

/// `path` without `.` and `..`; leading `..` are dropped.
pub(super) fn normal(path: &Utf8Path) -> Utf8PathBuf {
    let mut clean = Utf8PathBuf::new();
    for component in path.components() {
        match component {
            Utf8Component::ParentDir => {
                clean.pop();
            }
            Utf8Component::CurDir => {}
            Utf8Component::Prefix(_) | Utf8Component::RootDir | Utf8Component::Normal(_) => clean.push(component),
        }
    }
    clean
}

fn is_unit(path: &str) -> bool {
    path.ends_with(".c") || path.ends_with(".S")
}

/// The source files that each of `touched` reaches: itself, and those that include it directly or through headers.
/// Nearer ones come first, then by path. Touched files that are no source or header reach nothing.
pub(in crate::build) fn reached(includes: &Includes, touched: &[String]) -> Vec<String> {
    let mut includers: HashMap<&str, Vec<(&str, &str)>> = HashMap::new();
    for (file, names) in includes {
        for name in names {
            let last = name.trim_start_matches(['<', '"']).rsplit('/').next().unwrap_or_default();
            includers.entry(last).or_default().push((file, name));
        }
    }
    let known = |path: &&String| includes.contains_key(path.as_str());
    let mut seen: BTreeSet<&str> = touched.iter().filter(known).map(String::as_str).collect();
    let mut level: Vec<&str> = seen.iter().copied().collect();
    let mut units = Vec::new();
    while !level.is_empty() {
        level.sort_unstable();
        units.extend(level.iter().filter(|path| is_unit(path)).map(|path| (*path).to_owned()));
        let mut next = Vec::new();
        for header in level {
            let last = header.rsplit('/').next().unwrap_or(header);
            for (file, name) in includers.get(last).into_iter().flatten().copied() {
                if !seen.contains(file) && means(includes, file, name, header) {
                    seen.insert(file);
                    next.push(file);
                }
            }
        }
        level = next;
    }
    units
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> Includes {
        files.iter().map(|(path, text)| ((*path).to_owned(), includes_of(text.as_bytes()))).collect()
    }

    #[test]
    fn include_lines_are_found() {
        let text = "// #include <no.h>\n#include <linux/hmm.h>\n  #  include \"a.h\" /* x */\n#include MACRO\n#include <linux/hmm.h>";
        assert_eq!(includes_of(text.as_bytes()), ["\"a.h", "<linux/hmm.h"]);
    }

    #[test]
    fn users_are_reached_through_headers_nearest_first() {
        let tree = tree(&[
            ("include/linux/hmm.h", "#include <linux/mm.h>\n"),
            ("include/linux/mm.h", ""),
            ("mm/hmm.c", "#include <linux/hmm.h>\n"),
            ("drivers/gpu/drm/nouveau/nouveau_svm.h", "#include <linux/hmm.h>\n"),
            ("drivers/gpu/drm/nouveau/nouveau_svm.c", "#include \"nouveau_svm.h\"\n"),
            ("drivers/gpu/drm/nouveau/nvkm/core.c", "#include <nouveau_svm.h>\n"),
            ("drivers/other/nouveau_svm.h", ""),
            ("drivers/other/x.c", "#include \"nouveau_svm.h\"\n"),
            ("arch/x86/kernel/a.S", "#include <asm/hmm.h>\n"),
            ("lib/test_hmm.c", "#include \"../mm/../lib/test_hmm_uapi.h\"\n"),
            ("lib/test_hmm_uapi.h", ""),
        ]);
        let touched = |paths: &[&str]| paths.iter().map(|path| (*path).to_owned()).collect::<Vec<_>>();
        assert_eq!(
            reached(&tree, &touched(&["include/linux/hmm.h"])),
            ["mm/hmm.c", "drivers/gpu/drm/nouveau/nouveau_svm.c", "drivers/gpu/drm/nouveau/nvkm/core.c"]
        );
        assert_eq!(reached(&tree, &touched(&["lib/test_hmm_uapi.h"])), ["lib/test_hmm.c"]);
        assert_eq!(reached(&tree, &touched(&["mm/hmm.c", "mm/new.c", "Documentation/mm/hmm.rst"])), ["mm/hmm.c"]);
        // The angle brackets may mean either header; the quotes mean the one beside.
        let either = ["drivers/gpu/drm/nouveau/nvkm/core.c", "drivers/other/x.c"];
        assert_eq!(reached(&tree, &touched(&["drivers/other/nouveau_svm.h"])), either);
    }

    #[test]
    fn headers_that_include_each_other_end() {
        let tree = tree(&[("a.h", "#include \"b.h\"\n"), ("b.h", "#include \"a.h\"\n"), ("a.c", "#include \"b.h\"\n")]);
        assert_eq!(reached(&tree, &["a.h".to_owned()]), ["a.c"]);
    }
}
