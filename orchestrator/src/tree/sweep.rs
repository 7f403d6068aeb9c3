//! Finding what git itself never looks at: anything named `.git` below a worktree.

use std::io;

use camino::{Utf8Path, Utf8PathBuf};

/// Removes every `.git` below `folder`, without following links; gives what was removed. git neither lists nor cleans
/// these, but the scripts of a kernel ask git about the folder they stand in.
pub(super) fn remove_git_folders(folder: &Utf8Path) -> io::Result<Vec<Utf8PathBuf>> {
    let mut removed = Vec::new();
    let mut open = vec![folder.as_std_path().to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs_err::read_dir(&folder)? {
            let entry = entry?;
            let is_folder = entry.file_type()?.is_dir();
            if entry.file_name() == ".git" {
                if is_folder {
                    fs_err::remove_dir_all(entry.path())?;
                } else {
                    fs_err::remove_file(entry.path())?;
                }
                removed.push(Utf8PathBuf::from(entry.path().to_string_lossy().into_owned()));
            } else if is_folder {
                open.push(entry.path());
            }
        }
    }
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::testing::Scratch;

    #[test]
    fn git_folders_files_and_links_go_and_nothing_else() {
        let scratch = Scratch::new();
        let (inside, outside) = (scratch.path.join("in"), scratch.path.join("out"));
        for folder in [inside.join("a/.git/hooks"), inside.join("b"), outside.join(".git")] {
            fs_err::create_dir_all(folder).unwrap();
        }
        fs_err::write(inside.join("b/.git"), "gitdir: x").unwrap();
        fs_err::write(inside.join("b/.gitignore"), "").unwrap();
        std::os::unix::fs::symlink(&outside, inside.join("link")).unwrap();
        std::os::unix::fs::symlink(&outside, inside.join(".git")).unwrap();
        assert_eq!(remove_git_folders(&inside).unwrap().len(), 3);
        assert!(inside.join("b/.gitignore").exists() && inside.join("link").is_symlink());
        assert!(outside.join(".git").exists(), "a link was followed");
    }
}
