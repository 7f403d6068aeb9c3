//! Refusing patches that must not be applied to any tree.
//!
//! Patches come from strangers. Before anything touches a tree, every path, mode and size of every diff is checked
//! against what an honest kernel patch holds. A tree's own symlinks are not known here; whoever applies the patches
//! must not write through them (git does not).

use std::collections::BTreeMap;

use super::diff::{self, At, FileDiff, Trouble};
use super::error::Refusal;
use super::name;
use super::vet_path::{check, check_target};
use crate::words::{Patch, Series};

/// Most patches of a series.
const PATCH_LIMIT: usize = 300;
/// Most bytes of one diff.
const DIFF_LIMIT: usize = 8 * 1024 * 1024;
/// Most files of one diff.
const FILE_LIMIT: usize = 2000;
/// Most bytes of one line.
const LINE_LIMIT: usize = 64 * 1024;
/// Most bytes of a line that holds names.
const HEADER_LIMIT: usize = 10 * 1024;
/// Most refusals given for one series.
const REFUSAL_LIMIT: usize = 100;

/// Checks every patch of a series.
///
/// # Errors
/// Everything that speaks against applying it, in the order of patches and lines; the first hundred.
pub fn vet(series: &Series) -> Result<(), Vec<Refusal>> {
    let mut refusals = Vec::new();
    if series.patches.len() > PATCH_LIMIT {
        let first = &series.patches[0];
        refusals.push(Refusal {
            patch: 0,
            subject: String::new(),
            file: first.origin.file.clone(),
            line: 0,
            what: format!("the series has {} patches, more than {PATCH_LIMIT}", series.patches.len()),
            remedy: "split it".to_owned(),
        });
        return Err(refusals);
    }
    let mut links = Links::new();
    for patch in &series.patches {
        let mut vetter = Vetter { patch, found: Vec::new() };
        vetter.patch(&mut links);
        vetter.found.sort_by_key(|(line, _, _)| *line);
        refusals.extend(vetter.found.into_iter().map(|(line, what, remedy)| Refusal {
            patch: patch.number,
            subject: patch.subject.clone(),
            file: patch.origin.file.clone(),
            line: if patch.diff_line == 0 { 0 } else { patch.diff_line + line },
            what,
            remedy: remedy.to_owned(),
        }));
        if refusals.len() >= REFUSAL_LIMIT {
            refusals.truncate(REFUSAL_LIMIT);
            break;
        }
    }
    if refusals.is_empty() { Ok(()) } else { Err(refusals) }
}

/// Symlinks that the series made so far: path, and target where it is known.
type Links = BTreeMap<String, Option<Vec<u8>>>;

/// What a patch does to one path, after its names were found good.
struct Change {
    line: usize,
    old: Option<String>,
    new: Option<String>,
}

struct Vetter<'p> {
    patch: &'p Patch,
    /// Line of the diff from 0, what, remedy.
    found: Vec<(usize, String, &'static str)>,
}

impl Vetter<'_> {
    fn refuse(&mut self, line: usize, what: impl Into<String>, remedy: &'static str) {
        self.found.push((line, what.into(), remedy));
    }

    fn patch(&mut self, links: &mut Links) {
        let diff = self.patch.diff.as_str();
        if diff.len() > DIFF_LIMIT {
            return self.refuse(0, format!("the diff has {} bytes, more than 8 MiB", diff.len()), "split the patch");
        }
        // Only newlines end lines for git; a lone carriage return is content.
        let lines: Vec<&str> = diff.strip_suffix('\n').unwrap_or(diff).split('\n').collect();
        if let Some(at) = lines.iter().position(|line| line.len() > LINE_LIMIT) {
            return self.refuse(at, "the line is longer than 64 KiB", "leave generated files out of the patch");
        }
        if let Some(at) = lines.iter().position(|line| line.contains('\0')) {
            return self.refuse(at, "the line holds a NUL character", "leave binary files out of the patch");
        }
        let scan = diff::scan(&lines);
        for (line, trouble) in &scan.troubles {
            let (what, remedy) = describe(*trouble);
            self.refuse(*line, format!("{what}: `{}`", excerpt(lines[*line])), remedy);
        }
        if scan.files.is_empty() {
            return self.refuse(0, "the diff changes no file", "send it again with its diff");
        }
        if scan.end < lines.len() {
            self.refuse(scan.end, "text follows the diff", "end the diff with its last hunk");
        }
        if scan.files.len() > FILE_LIMIT {
            let what = format!("the diff changes {} files, more than {FILE_LIMIT}", scan.files.len());
            return self.refuse(0, what, "split the patch");
        }
        let mut changes = Vec::new();
        let mut after = links.clone();
        for file in &scan.files {
            if let Some(line) = file.binary {
                self.refuse(line, "it changes a binary file", "leave binary files out of the series");
            }
            self.modes(file);
            if let Some(change) = self.names(file) {
                self.symlink(file, &change, &lines, &mut after);
                changes.push(change);
            }
        }
        // Nothing may be read through a link that was there before the patch, or written through one that is there
        // behind it.
        for change in &changes {
            let old = change.old.as_deref().and_then(|path| link_above(path, links));
            let new = change.new.as_deref().and_then(|path| link_above(path, &after));
            if let Some(link) = old.or(new) {
                let path = change.new.as_deref().or(change.old.as_deref()).unwrap_or_default();
                let what = format!("{path} is reached through the symlink {link}, which the series makes");
                self.refuse(change.line, what, "name the file by its own path");
            }
        }
        *links = after;
    }

    fn modes(&mut self, file: &FileDiff<'_>) {
        for (line, mode) in
            [file.old_mode, file.new_mode, file.created, file.deleted, file.index_mode].into_iter().flatten()
        {
            match mode {
                "100644" | "100755" | "120000" => (),
                "160000" => self.refuse(line, "it changes a submodule", "a kernel tree has none; leave it out"),
                mode => {
                    let what = format!("the file mode `{}` is none of 100644, 100755, 120000", excerpt(mode));
                    self.refuse(line, what, "export the patch with git format-patch");
                }
            }
        }
        for (field, must_not) in [(file.created, file.old), (file.deleted, file.new)] {
            if let (Some((line, _)), Some((_, name))) = (field, must_not)
                && name::parse(name) != Ok(b"/dev/null".to_vec())
            {
                self.refuse(line, "the headers contradict each other: no /dev/null stands on the empty side", MISMATCH);
            }
        }
    }

    /// Checks all names of a file and that they agree; gives its paths when nothing is wrong with them.
    fn names(&mut self, file: &FileDiff<'_>) -> Option<Change> {
        let before = self.found.len();
        let old = self.side(file.old);
        let new = self.side(file.new);
        let from = file.from.and_then(|field| self.bare(field));
        let to = file.to.and_then(|field| self.bare(field));
        let (mut git_old, mut git_new) = (None, None);
        if let Some((line, text)) = file.git {
            match self.git_names(line, text, from.as_deref(), to.as_deref()) {
                Some((old, new)) => (git_old, git_new) = (Some(old), Some(new)),
                None => return None,
            }
        }
        if file.from.is_some() != file.to.is_some() {
            self.refuse(file.line, "a rename or copy has only one end", MISMATCH);
        }
        // `---` and `+++` must name the same files as the git line, or one and the same in a plain diff.
        let (old, new) = (old?, new?);
        if self.found.len() > before {
            return None;
        }
        let line = file.old.map_or(file.line, |(line, _)| line);
        let sides = [(&old, &git_old), (&new, &git_new)];
        for (side, git) in sides {
            if let (Side::Path(path), Some(git)) = (side, git)
                && path != git
            {
                self.refuse(line, format!("the headers name different files: {git} and {path}"), MISMATCH);
            }
        }
        if git_old.is_none()
            && let (Side::Path(old), Side::Path(new)) = (&old, &new)
            && old != new
        {
            self.refuse(line, format!("the headers name different files: {old} and {new}"), MISMATCH);
        }
        if matches!((&old, &new), (Side::Null, Side::Null)) {
            self.refuse(line, "both sides are /dev/null", MISMATCH);
        }
        if self.found.len() > before {
            return None;
        }
        let path = |side: Side, git: Option<String>, gone: bool| match side {
            Side::Path(path) => Some(path),
            Side::Null => None,
            Side::Absent => git.filter(|_| !gone),
        };
        Some(Change {
            line: file.line,
            old: path(old, git_old, file.created.is_some()),
            new: path(new, git_new, file.deleted.is_some()),
        })
    }

    /// The path of a `---` or `+++` line without its first folder. `None` when it was refused.
    fn side(&mut self, field: Option<At<'_>>) -> Option<Side> {
        let Some((line, text)) = field else { return Some(Side::Absent) };
        let name = self.name(line, text)?;
        if name == b"/dev/null" {
            return Some(Side::Null);
        }
        self.path(line, &name)?;
        let Some(stripped) = name::strip(&name) else {
            self.refuse(line, format!("`{}` has no leading a/ or b/", lossy(&name)), PREFIX);
            return None;
        };
        self.path(line, stripped).map(Side::Path)
    }

    /// A name without a prefix, as in `rename from`.
    fn bare(&mut self, (line, text): At<'_>) -> Option<String> {
        let name = self.name(line, text)?;
        self.path(line, &name)
    }

    fn name(&mut self, line: usize, text: &str) -> Option<Vec<u8>> {
        let name = (text.len() <= HEADER_LIMIT).then(|| name::parse(text).ok()).flatten();
        if name.is_none() {
            self.refuse(line, format!("the file name `{}` cannot be read", excerpt(text)), MISMATCH);
        }
        name
    }

    fn path(&mut self, line: usize, path: &[u8]) -> Option<String> {
        match check(path) {
            Ok(path) => Some(path.to_owned()),
            Err(bad) => {
                let what = format!("the path `{}` {}", excerpt(&lossy(path)), bad.what());
                self.refuse(line, what, "a patch may only change files of the kernel tree");
                None
            }
        }
    }

    /// The two paths of a `diff --git` line, without their prefixes.
    fn git_names(&mut self, line: usize, text: &str, from: Option<&str>, to: Option<&str>) -> Option<(String, String)> {
        let fits = |(old, new): &name::Pair<'_>| {
            let (Some(old), Some(new)) = (name::strip(old), name::strip(new)) else { return false };
            match (from, to) {
                (Some(from), Some(to)) => old == from.as_bytes() && new == to.as_bytes(),
                _ => old == new,
            }
        };
        let pair = (text.len() <= HEADER_LIMIT).then(|| name::git_pairs(text).find(fits)).flatten();
        let Some((old, new)) = pair else {
            // A name that is bad in itself says more than that the two do not agree.
            if let Some((old, new)) = (text.len() <= HEADER_LIMIT).then(|| name::git_pairs(text).next()).flatten() {
                let count = self.found.len();
                let _ = (self.path(line, &old), self.path(line, &new));
                if self.found.len() > count {
                    return None;
                }
            }
            let what =
                format!("the names in `diff --git {}` do not agree with each other or with the rename", excerpt(text));
            self.refuse(line, what, PREFIX);
            return None;
        };
        let known = ["a/", "b/", "i/", "w/", "c/", "o/", "1/", "2/"];
        if !known.iter().any(|prefix| old.starts_with(prefix.as_bytes())) {
            self.refuse(line, format!("`{}` has no leading a/ or b/", excerpt(&lossy(&old))), PREFIX);
            return None;
        }
        self.path(line, &old)?;
        self.path(line, &new)?;
        let (old, new) = (name::strip(&old)?.to_vec(), name::strip(&new)?.to_vec());
        Some((self.path(line, &old)?, self.path(line, &new)?))
    }

    /// Checks a symlink that the file makes or changes, and keeps `links` true.
    fn symlink(&mut self, file: &FileDiff<'_>, change: &Change, lines: &[&str], links: &mut Links) {
        let mode = file.created.or(file.new_mode).or(file.index_mode).map(|(_, mode)| mode);
        let moved = change.old.as_ref().filter(|_| file.from.is_some());
        let old_link = moved.or(change.old.as_ref()).and_then(|path| links.get(path).cloned());
        if let Some(old) = &change.old
            && (file.is_rename || change.new.is_none())
        {
            links.remove(old);
        }
        let Some(new) = &change.new else { return };
        let is_link = match mode {
            Some(mode) => mode == "120000",
            None => old_link.is_some(),
        };
        if !is_link {
            links.remove(new);
            return;
        }
        let target = if file.hunks.is_empty() { old_link.flatten() } else { self.target(file, lines) };
        match &target {
            Some(target) => {
                if let Err(why) = check_target(new, target) {
                    let what = format!("the target `{}` of the symlink {new} {why}", excerpt(&lossy(target)));
                    self.refuse(file.line, what, "a symlink may only lead to a file of the kernel tree");
                }
            }
            None => self.refuse(
                file.line,
                format!("the target of the symlink {new} is not in the patch"),
                "remove the symlink and make it anew, so that its target can be checked",
            ),
        }
        links.insert(new.clone(), target);
    }

    /// What a symlink's hunks say it leads to.
    fn target(&self, file: &FileDiff<'_>, lines: &[&str]) -> Option<Vec<u8>> {
        let [hunk] = file.hunks.as_slice() else { return None };
        let mut kept = lines[hunk.line + 1..hunk.end].iter().filter(|line| !line.starts_with(['-', '\\']));
        let target = kept.next()?;
        // A second line would be part of the target: a newline in it, which no honest link has.
        kept.next().is_none().then(|| target.as_bytes().get(1..).unwrap_or_default().to_vec())
    }
}

/// One side of a file.
enum Side {
    Absent,
    Null,
    Path(String),
}

const MISMATCH: &str = "export the patch anew with git format-patch";
const PREFIX: &str = "export the patch with git -c diff.noprefix=false format-patch";

fn link_above<'l>(path: &str, links: &'l Links) -> Option<&'l str> {
    let mut folders = path.match_indices('/').map(|(at, _)| &path[..at]);
    folders.find_map(|folder| links.get_key_value(folder)).map(|(link, _)| link.as_str())
}

fn describe(trouble: Trouble) -> (&'static str, &'static str) {
    let resend = "have the patch sent again with git send-email";
    match trouble {
        Trouble::Wrapped => ("the patch is line-wrapped here", resend),
        Trouble::Whitespace => ("the patch is whitespace-damaged here", resend),
        Trouble::ShortHunk => ("the patch is corrupt: the hunk is shorter than its header says", resend),
        Trouble::LongHunk => ("the patch is corrupt: the hunk is longer than its header says", resend),
        Trouble::BadHunk => ("the hunk header cannot be read", resend),
        Trouble::StrayHunk => ("the hunk belongs to no file", resend),
        Trouble::HalfHeader => ("a --- line has no +++ line behind it", resend),
        Trouble::Chatter => ("text stands between the diffs of two files", "move it above the first diff"),
    }
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn excerpt(text: &str) -> String {
    text.chars().take(80).collect::<String>().escape_debug().to_string()
}

#[cfg(test)]
#[path = "vet_tests.rs"]
mod tests;
