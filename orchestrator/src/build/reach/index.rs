//! The `#include` lines of a whole tree, kept between revisions.

use std::io::Read;

use camino::{Utf8Path, Utf8PathBuf};

use super::closure::{Includes, includes_of};
use crate::build::changes::changed_paths;

/// Bytes read of a file; generated register tables are far longer and include nothing further down.
const SIZE_LIMIT: u64 = 256 * 1024;

/// The includes of the worktree `source`, which is at the git tree `tree`. `file` keeps them; only what changed since
/// is read again.
///
/// # Errors
/// When a folder or file cannot be read or `file` not be written.
pub(in crate::build) fn load(source: &Utf8Path, tree: &str, file: &Utf8Path) -> std::io::Result<Includes> {
    let (mut includes, changed) = match read(file) {
        Some((old, includes)) => match changed_paths(source, &old, tree) {
            Some(changed) if changed.is_empty() => return Ok(includes),
            Some(changed) => (includes, changed),
            None => (Includes::new(), all_files(source)?),
        },
        None => (Includes::new(), all_files(source)?),
    };
    let paths: Vec<String> = changed.into_iter().filter(|path| is_wanted(path)).collect();
    for (path, names) in scan(source, &paths)? {
        match names {
            Some(names) => includes.insert(path, names),
            None => includes.remove(&path),
        };
    }
    write(file, tree, &includes)?;
    Ok(includes)
}

/// Whether a path is a source or header of the kernel itself.
fn is_wanted(path: &str) -> bool {
    let kind = [".c", ".h", ".S"].iter().any(|end| path.ends_with(end));
    kind && !["Documentation/", "tools/", "scripts/"].iter().any(|folder| path.starts_with(folder))
}

fn all_files(source: &Utf8Path) -> std::io::Result<Vec<String>> {
    let mut files = Vec::new();
    let mut folders = vec![Utf8PathBuf::new()];
    while let Some(folder) = folders.pop() {
        for entry in source.join(&folder).read_dir_utf8()? {
            let entry = entry?;
            let path = folder.join(entry.file_name());
            let kind = entry.file_type()?;
            if kind.is_dir() {
                if !matches!(path.as_str(), ".git" | "Documentation" | "tools" | "scripts") {
                    folders.push(path);
                }
            } else if kind.is_file() && is_wanted(path.as_str()) {
                files.push(path.into_string());
            }
        }
    }
    Ok(files)
}

/// Reads the includes of many files at once; `None` for those that are gone.
fn scan(source: &Utf8Path, paths: &[String]) -> std::io::Result<Vec<(String, Option<Vec<String>>)>> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let share = paths.len().div_ceil(threads).max(1);
    std::thread::scope(|scope| {
        let workers: Vec<_> = paths
            .chunks(share)
            .map(|paths| scope.spawn(move || paths.iter().map(|path| scan_one(source, path)).collect::<Vec<_>>()))
            .collect();
        let results = workers.into_iter().flat_map(|worker| match worker.join() {
            Ok(results) => results,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        results.collect()
    })
}

fn scan_one(source: &Utf8Path, path: &str) -> std::io::Result<(String, Option<Vec<String>>)> {
    let file = source.join(path);
    if !file.is_file() || file.is_symlink() {
        return Ok((path.to_owned(), None));
    }
    let mut bytes = Vec::new();
    fs_err::File::open(&file)?.take(SIZE_LIMIT).read_to_end(&mut bytes)?;
    Ok((path.to_owned(), Some(includes_of(&bytes))))
}

/// First line: the git tree. Then a line per file: its path and its includes, separated by tabs.
fn write(file: &Utf8Path, tree: &str, includes: &Includes) -> std::io::Result<()> {
    let mut text = format!("{tree}\n");
    for (path, names) in includes {
        text.push_str(path);
        for name in names {
            text.push('\t');
            text.push_str(name);
        }
        text.push('\n');
    }
    let partial = file.with_extension("partial");
    fs_err::write(&partial, text)?;
    fs_err::rename(partial, file)
}

fn read(file: &Utf8Path) -> Option<(String, Includes)> {
    let text = std::fs::read_to_string(file).ok()?;
    let (tree, rest) = text.split_once('\n')?;
    let entry = |line: &str| {
        let mut words = line.split('\t').map(str::to_owned);
        Some((words.next()?, words.collect()))
    };
    Some((tree.to_owned(), rest.lines().filter_map(entry).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::testing::folder;

    #[test]
    fn the_index_is_kept_and_only_changes_are_read_again() {
        let (_guard, root) = folder();
        let source = root.join("source");
        let repository = git2::Repository::init(&source).unwrap();
        let write = |path: &str, text: &str| {
            fs_err::create_dir_all(source.join(path).parent().unwrap()).unwrap();
            fs_err::write(source.join(path), text).unwrap();
        };
        let commit = || {
            let mut index = repository.index().unwrap();
            index.add_all(["*"], git2::IndexAddOption::DEFAULT, None).unwrap();
            index.update_all(["*"], None).unwrap();
            index.write_tree().unwrap().to_string()
        };
        write("mm/hmm.c", "#include <linux/hmm.h>\n");
        write("mm/gone.c", "#include \"x.h\"\n");
        write("tools/mm.c", "#include \"x.h\"\n");
        let file = root.join("includes");
        let one = commit();
        let first = load(&source, &one, &file).unwrap();
        assert_eq!(first.keys().collect::<Vec<_>>(), ["mm/gone.c", "mm/hmm.c"]);
        assert_eq!(first["mm/hmm.c"], ["<linux/hmm.h"]);
        assert_eq!(load(&source, &one, &file).unwrap(), first);

        write("mm/hmm.c", "#include <linux/mm.h>\n");
        fs_err::remove_file(source.join("mm/gone.c")).unwrap();
        let two = commit();
        // Not in the difference, so nobody looks at it.
        write("mm/untracked.c", "#include \"x.h\"\n");
        let second = load(&source, &two, &file).unwrap();
        assert_eq!(second.keys().collect::<Vec<_>>(), ["mm/hmm.c"]);
        assert_eq!(second["mm/hmm.c"], ["<linux/mm.h"]);
    }
}
