//! Which files of the tree went into a build, from the records that kbuild keeps beside every object.

use std::collections::BTreeSet;

use camino::{Utf8Path, Utf8PathBuf};

/// Name of the list in a build's folder: one path of the tree per line, sorted.
pub(super) const FILE: &str = "sources";

/// Longest record that is read; the largest objects' have some hundred KiB.
const RECORD_LIMIT: u64 = 16 * 1024 * 1024;

/// Sources and headers of `source` that the objects in `out` were made of: of all objects, or of `targets` alone
/// (paths below `out`) when there are any.
///
/// # Errors
/// When `out` cannot be read.
pub(super) fn used(out: &Utf8Path, source: &Utf8Path, targets: &[String]) -> std::io::Result<BTreeSet<String>> {
    let records = if targets.is_empty() { all_records(out)? } else { targets.iter().map(|t| record(out, t)).collect() };
    let mut used = BTreeSet::new();
    let prefix = format!("{source}/");
    for path in records {
        // An object may be gone, or have been made without a record.
        let Ok(data) = fs_err::metadata(&path) else { continue };
        if data.len() > RECORD_LIMIT {
            continue;
        }
        let text = String::from_utf8_lossy(&fs_err::read(&path)?).into_owned();
        let fresh: Vec<&str> = sources(&text, &prefix).filter(|path| !used.contains(*path)).collect();
        used.extend(fresh.into_iter().map(str::to_owned));
    }
    Ok(used)
}

/// The text of [`FILE`].
pub(super) fn text(used: &BTreeSet<String>) -> String {
    used.iter().flat_map(|path| [path.as_str(), "\n"]).collect()
}

fn record(out: &Utf8Path, target: &str) -> Utf8PathBuf {
    let path = out.join(target);
    let name = format!(".{}.cmd", path.file_name().unwrap_or_default());
    path.with_file_name(name)
}

/// The records of all objects that are there.
fn all_records(out: &Utf8Path) -> std::io::Result<Vec<Utf8PathBuf>> {
    let mut records = Vec::new();
    let mut folders = vec![out.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir_utf8()? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                // Programs of the host, not of the kernel.
                if !["scripts", "tools"].iter().any(|host| entry.path() == out.join(host)) {
                    folders.push(entry.path().to_owned());
                }
            } else if let Some(object) = entry.file_name().strip_prefix('.').and_then(|name| name.strip_suffix(".cmd"))
                && folder.join(object).exists()
            {
                records.push(entry.path().to_owned());
            }
        }
    }
    Ok(records)
}

/// The paths of the tree that a record names: `source_OBJECT := PATH`, then `deps_OBJECT := \` and one path per line.
fn sources<'t>(record: &'t str, prefix: &'t str) -> impl Iterator<Item = &'t str> {
    record.lines().filter_map(move |line| {
        let path = match line.split_once(" := ") {
            Some((name, path)) if name.starts_with("source_") => path,
            Some(_) => return None,
            None => line,
        };
        path.trim().trim_end_matches('\\').trim_end().strip_prefix(prefix)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::testing::folder;

    const RECORD: &str = "savedcmd_mm/hmm.o := gcc -I/src/include -c -o mm/hmm.o /src/mm/hmm.c\n\n\
        source_mm/hmm.o := /src/mm/hmm.c\n\ndeps_mm/hmm.o := \\\n  /src/include/linux/hmm.h \\\n    \
        $(wildcard include/config/HMM_MIRROR) \\\n  include/generated/autoconf.h \\\n  /src/mm/internal.h \\\n\n\
        mm/hmm.o: $(deps_mm/hmm.o)\n\n$(deps_mm/hmm.o):\n";

    #[test]
    fn sources_and_headers_of_the_tree_are_found() {
        let found: Vec<&str> = sources(RECORD, "/src/").collect();
        assert_eq!(found, ["mm/hmm.c", "include/linux/hmm.h", "mm/internal.h"]);
    }

    #[test]
    fn only_objects_that_are_there_count() {
        let (_guard, out) = folder();
        let write = |file: &str, text: &str| {
            fs_err::create_dir_all(out.join(file).parent().unwrap()).unwrap();
            fs_err::write(out.join(file), text).unwrap();
        };
        write("mm/.hmm.o.cmd", RECORD);
        write("mm/.gup.o.cmd", &RECORD.replace("hmm", "gup"));
        write("tools/.a.o.cmd", "source_a.o := /src/tools/a.c\n");
        write("tools/a.o", "");
        let source = Utf8Path::new("/src");
        assert!(used(&out, source, &[]).unwrap().is_empty());
        write("mm/hmm.o", "");
        let all = used(&out, source, &[]).unwrap();
        assert_eq!(text(&all), "include/linux/hmm.h\nmm/hmm.c\nmm/internal.h\n");
        let gup = used(&out, source, &["mm/gup.o".to_owned(), "mm/none.o".to_owned()]).unwrap();
        assert!(gup.contains("mm/gup.c") && !gup.contains("mm/hmm.c"));
    }
}
