//! What a confined build can leave in `O=` to have *us* do what it must not do itself.
//!
//! The build owns the folder, and afterwards this program reads and writes files in it, unconfined. A symlink
//! `.config -> ~/.ssh/id_rsa` would have us copy a key into the results, `.config.draft -> ~/.bashrc` would have us
//! overwrite a file, and a pipe in place of a file would hold us up for ever. So before anything is read or written,
//! while no process of the build is left, everything of that kind is removed and named.

use std::path::{Path, PathBuf};

use camino::{Utf8Path, Utf8PathBuf};

/// The one link that kbuild makes at the top of `O=`, and it leads to the source.
const SOURCE: &str = "source";

/// Removes from `out` every link that leads elsewhere than into `out` or `source`, every link at its top, where our own
/// files lie, and everything that is neither file, folder nor link. Gives one sentence for each.
///
/// # Errors
/// When the folder cannot be read or cleaned: nothing in it may be used then.
pub(super) fn sweep(out: &Utf8Path, source: &Utf8Path) -> std::io::Result<Vec<String>> {
    let mut removed = Vec::new();
    if !out.exists() {
        return Ok(removed);
    }
    let roots = [out.canonicalize_utf8()?, source.canonicalize_utf8().unwrap_or_else(|_| source.to_owned())];
    let mut folders = vec![out.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_file() {
                continue;
            }
            let shown = entry.path().display().to_string();
            let path = Utf8PathBuf::from_path_buf(entry.path());
            if kind.is_dir() {
                // A name that is no text hides what lies below it from every check; no honest build makes one.
                let path = path.map_err(|_| std::io::Error::other(format!("{shown} is no text")))?;
                folders.push(path);
            } else if kind.is_symlink() {
                let at_top = folder == out;
                let leads = leads(&entry.path());
                let inside = leads.as_ref().is_some_and(|to| roots.iter().any(|root| to.starts_with(root)));
                let kbuilds = at_top && entry.file_name() == SOURCE && leads.as_deref() == Some(roots[1].as_std_path());
                if kbuilds || (inside && !at_top) {
                    continue;
                }
                let target = std::fs::read_link(entry.path())?;
                std::fs::remove_file(entry.path())?;
                removed.push(format!("a link out of its folder, {shown} -> {}", target.display()));
            } else {
                std::fs::remove_file(entry.path())?;
                removed.push(format!("a pipe, socket or device, {shown}"));
            }
        }
    }
    Ok(removed)
}

/// Where a link leads; of one whose end is missing, where a file would come to be that is written through it.
fn leads(link: &Path) -> Option<PathBuf> {
    link.canonicalize().ok().or_else(|| {
        let target = link.parent()?.join(std::fs::read_link(link).ok()?);
        Some(target.parent()?.canonicalize().ok()?.join(target.file_name()?))
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn what_would_lead_us_out_is_removed_and_what_kbuild_makes_stays() {
        let folder = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(folder.path()).unwrap();
        let (out, source) = (root.join("out"), root.join("src"));
        std::fs::create_dir_all(out.join("mm/deep")).unwrap();
        std::fs::create_dir_all(source.join("mm")).unwrap();
        for file in [root.join("secret"), source.join("mm/x.c"), out.join("mm/x.o")] {
            std::fs::write(file, "text").unwrap();
        }
        symlink(&source, out.join("source")).unwrap();
        symlink(source.join("mm/x.c"), out.join("mm/x.c")).unwrap();
        symlink("../x.o", out.join("mm/deep/x.o")).unwrap();
        assert_eq!(sweep(&out, &source).unwrap(), Vec::<String>::new());
        let bad = [".config", ".config.draft", "mm/deep/vmlinux", "mm/deep/dangling"];
        symlink(root.join("secret"), out.join(bad[0])).unwrap();
        symlink("mm/x.o", out.join(bad[1])).unwrap();
        symlink("../../../secret", out.join(bad[2])).unwrap();
        symlink("/nonexistent/x", out.join(bad[3])).unwrap();
        // Leads to nothing yet, and to a place in the folder.
        symlink("later", out.join("mm/deep/early")).unwrap();
        nix::unistd::mkfifo(out.join("pipe").as_std_path(), nix::sys::stat::Mode::S_IRWXU).unwrap();
        let said = sweep(&out, &source).unwrap();
        assert_eq!(said.len(), bad.len() + 1, "{said:?}");
        for name in bad.iter().chain(&["pipe"]) {
            assert!(said.iter().any(|sentence| sentence.contains(name)), "{name}: {said:?}");
            assert!(!out.join(name).is_symlink(), "{name}");
        }
        assert!(out.join("source").exists() && out.join("mm/x.c").exists() && out.join("mm/deep/x.o").exists());
        assert_eq!(std::fs::read_to_string(root.join("secret")).unwrap(), "text");
        // A `source` that leads elsewhere is no exception.
        std::fs::remove_file(out.join("source")).unwrap();
        symlink(root, out.join("source")).unwrap();
        assert_eq!(sweep(&out, &source).unwrap().len(), 1);
        assert!(sweep(&root.join("none"), &source).unwrap().is_empty());
    }
}
