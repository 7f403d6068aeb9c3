//! Which paths a patch may touch. Stricter than git where file systems differ.

/// Why a path is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BadPath {
    Absolute,
    Outside,
    OddComponent,
    GitFolder,
    ControlCharacter,
    NotText,
    TooLong,
}

impl BadPath {
    /// What is wrong, to be put behind the path.
    pub(super) fn what(self) -> &'static str {
        match self {
            BadPath::Absolute => "is absolute",
            BadPath::Outside => "leads outside the tree",
            BadPath::OddComponent => "has an empty or `.` component",
            BadPath::GitFolder => "leads into git's own folder",
            BadPath::ControlCharacter => "holds a control character",
            BadPath::NotText => "is not UTF-8 text",
            BadPath::TooLong => "is longer than 4096 bytes",
        }
    }
}

/// Checks a path relative to the tree, as it stands in a diff (with or without its `a/`).
pub(super) fn check(path: &[u8]) -> Result<&str, BadPath> {
    if path.len() > 4096 {
        return Err(BadPath::TooLong);
    }
    let path = std::str::from_utf8(path).map_err(|_| BadPath::NotText)?;
    if path.chars().any(char::is_control) {
        return Err(BadPath::ControlCharacter);
    }
    // A backslash separates on some file systems; a drive letter is absolute there.
    if path.starts_with(['/', '\\']) || path.as_bytes().get(1) == Some(&b':') {
        return Err(BadPath::Absolute);
    }
    for component in path.split(['/', '\\']) {
        if component == ".." {
            return Err(BadPath::Outside);
        }
        if component.is_empty() || component == "." {
            return Err(BadPath::OddComponent);
        }
        if is_dot_git(component) {
            return Err(BadPath::GitFolder);
        }
    }
    Ok(path)
}

/// `.git` under any of the names by which some file system opens it: other case, trailing dots and spaces, a stream
/// (`.git::$INDEX_ALLOCATION`), the short name `git~1`, characters that HFS+ ignores.
pub(super) fn is_dot_git(component: &str) -> bool {
    let ignored = |c: &char| matches!(*c, '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{206a}'..='\u{206f}' | '\u{feff}');
    let visible: String = component.chars().filter(|c| !ignored(c)).flat_map(char::to_lowercase).collect();
    let name = visible.split(':').next().unwrap_or_default().trim_end_matches(['.', ' ']);
    name == ".git" || name == "git~1"
}

/// Where a symlink at `link` leads, both relative to the tree.
///
/// `..` is allowed only at the start of the target: behind a folder it would be taken from wherever that folder, if it
/// is a symlink itself, leads.
///
/// # Errors
/// What is wrong with the target, to be put behind it.
pub fn check_target(link: &str, target: &[u8]) -> Result<(), &'static str> {
    let target = std::str::from_utf8(target).map_err(|_| "is not UTF-8 text")?;
    if target.is_empty() || target.chars().any(char::is_control) || target.len() > 4096 {
        return Err("is empty, too long or holds a control character");
    }
    if target.starts_with('/') {
        return Err("is absolute");
    }
    let mut depth = link.split('/').count() - 1;
    let mut descended = false;
    for component in target.split('/') {
        match component {
            "" | "." => (),
            ".." if descended => return Err("goes up again behind a folder"),
            ".." => depth = depth.checked_sub(1).ok_or("leads outside the tree")?,
            component if is_dot_git(component) => return Err("leads into git's own folder"),
            _ => descended = true,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_paths_pass() {
        for path in [
            "a/mm/hmm.c",
            "a/.gitignore",
            "a/.github/x",
            "a/...",
            "a/..x",
            "a/x..",
            "a/git",
            "a/ä b.c",
            "a/.git2",
            "a/git~10",
        ] {
            assert_eq!(check(path.as_bytes()), Ok(path), "{path}");
        }
    }

    #[test]
    fn paths_that_leave_the_tree_are_refused() {
        for (path, expected) in [
            ("/etc/passwd", BadPath::Absolute),
            ("\\etc", BadPath::Absolute),
            ("C:/x", BadPath::Absolute),
            ("a/../x", BadPath::Outside),
            ("../x", BadPath::Outside),
            ("a/b/..", BadPath::Outside),
            ("a/b\\..\\..\\x", BadPath::Outside),
            ("a//x", BadPath::OddComponent),
            ("a/./x", BadPath::OddComponent),
            ("a/x/", BadPath::OddComponent),
            ("", BadPath::OddComponent),
            ("a/.git/config", BadPath::GitFolder),
            ("a/x/.GIT/hooks/post-checkout", BadPath::GitFolder),
            ("a/.git", BadPath::GitFolder),
            ("a/.git. ./config", BadPath::GitFolder),
            ("a/.git::$INDEX_ALLOCATION/config", BadPath::GitFolder),
            ("a/GIT~1/config", BadPath::GitFolder),
            ("a/.g\u{200c}it/config", BadPath::GitFolder),
            ("a/.git\u{feff}/config", BadPath::GitFolder),
            ("a\\.git\\config", BadPath::GitFolder),
            ("a/x\0y", BadPath::ControlCharacter),
            ("a/x\ny", BadPath::ControlCharacter),
            ("a/x\u{85}y", BadPath::ControlCharacter),
        ] {
            assert_eq!(check(path.as_bytes()), Err(expected), "{path:?}");
        }
        assert_eq!(check(b"a/\xff"), Err(BadPath::NotText));
        assert_eq!(check(&[b'a'; 4097]), Err(BadPath::TooLong));
    }

    #[test]
    fn symlinks_must_stay_inside() {
        for (link, target, good) in [
            ("mm/link", "hmm.c", true),
            ("mm/link", "../mm/hmm.c", true),
            ("mm/link", "..", true),
            ("mm/link", "../..", false),
            ("link", "..", false),
            ("link", "mm", true),
            ("a/b/link", "../../x", true),
            ("a/b/link", "../../../x", false),
            ("a/link", "b/../x", false),
            ("a/link", "/etc/passwd", false),
            ("a/link", "../.git/config", false),
            ("a/link", "", false),
            ("a/link", "x\ny", false),
        ] {
            assert_eq!(check_target(link, target.as_bytes()).is_ok(), good, "{link} -> {target:?}");
        }
    }
}
