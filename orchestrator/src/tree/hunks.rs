//! Where the hunks of a patch fit, by git's own rules.
//!
//! libgit2 searches a hunk's place more freely than git does (a hunk without context at its end must sit at the end
//! of the file), and does not say which hunk failed. So every patch is read here a second time: this reading names
//! the conflict, and a patch counts as applied in memory only when both readings agree to the byte.

use std::collections::BTreeMap;

use git2::{Delta, Diff, Patch};

/// Bytes of a line with its newline (the last may lack it).
type Line = Vec<u8>;

/// One hunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hunk {
    /// `@@ -1,3 +1,4 @@ int f(void)`.
    pub(super) header: String,
    old_start: usize,
    new_start: usize,
    old: Vec<Line>,
    new: Vec<Line>,
    /// Whether context follows the last change.
    trailing: bool,
}

/// What a patch does to one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FileChange {
    /// Path before, unless the file is new.
    pub(super) old_path: Option<String>,
    /// Path after, unless the file goes away.
    pub(super) new_path: Option<String>,
    /// True when the old path stays too.
    copy: bool,
    pub(super) hunks: Vec<Hunk>,
}

/// Why a file change does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Misfit {
    /// File it is about.
    pub(super) file: String,
    /// Header of the hunk; `None` when the file as a whole is the trouble.
    pub(super) hunk: Option<String>,
    /// What is wrong, in words.
    pub(super) reason: String,
    /// Lines the hunk expects.
    pub(super) expected: Vec<String>,
    /// Lines at the place that resembles them most.
    pub(super) found: Vec<String>,
    /// Number of the first of those, from 1.
    pub(super) found_line: usize,
    /// The hunk's result is there already.
    pub(super) already: bool,
}

/// Has libgit2 read a diff.
///
/// A diff with a NUL byte is refused before it gets there: libgit2 copies a line up to its first NUL and still says that
/// it is as long as before, so that whoever reads the line reads what lies behind it in memory.
///
/// # Errors
/// It is no diff.
pub(super) fn diff(text: &str) -> Result<Diff<'static>, String> {
    if let Some(at) = text.bytes().position(|byte| byte == 0) {
        let line = text[..at].bytes().filter(|byte| *byte == b'\n').count() + 1;
        return Err(format!("line {line} of the diff has a NUL byte"));
    }
    Diff::from_buffer(text.as_bytes()).map_err(|error| error.message().to_owned())
}

/// Reads a parsed diff.
pub(super) fn changes(diff: &Diff<'_>) -> Result<Vec<FileChange>, String> {
    let word = |error: git2::Error| error.message().to_owned();
    let mut changes = Vec::new();
    for (index, delta) in diff.deltas().enumerate() {
        let path = |file: git2::DiffFile<'_>| {
            file.path_bytes().and_then(|path| String::from_utf8(path.to_vec()).ok()).ok_or("a path is not UTF-8")
        };
        let (old_path, new_path) = match delta.status() {
            Delta::Added => (None, Some(path(delta.new_file())?)),
            Delta::Deleted => (Some(path(delta.old_file())?), None),
            Delta::Modified | Delta::Renamed | Delta::Copied => {
                (Some(path(delta.old_file())?), Some(path(delta.new_file())?))
            }
            Delta::Unmodified
            | Delta::Ignored
            | Delta::Untracked
            | Delta::Typechange
            | Delta::Unreadable
            | Delta::Conflicted => return Err(format!("a change of kind {:?} is not understood", delta.status())),
        };
        let copy = delta.status() == Delta::Copied;
        let Some(patch) = Patch::from_diff(diff, index).map_err(word)? else {
            return Err("a binary change is not understood".to_owned());
        };
        let mut hunks = Vec::new();
        for number in 0..patch.num_hunks() {
            hunks.push(hunk(&patch, number).map_err(word)?);
        }
        changes.push(FileChange { old_path, new_path, copy, hunks });
    }
    Ok(changes)
}

fn hunk(patch: &Patch<'_>, number: usize) -> Result<Hunk, git2::Error> {
    let (head, count) = patch.hunk(number)?;
    let mut hunk = Hunk {
        header: String::from_utf8_lossy(head.header()).trim_end().to_owned(),
        old_start: head.old_start() as usize,
        new_start: head.new_start() as usize,
        old: Vec::new(),
        new: Vec::new(),
        trailing: false,
    };
    let mut last = ' ';
    for index in 0..count {
        let line = patch.line_in_hunk(number, index)?;
        match line.origin() {
            ' ' => {
                hunk.old.push(line.content().to_vec());
                hunk.new.push(line.content().to_vec());
            }
            '-' => hunk.old.push(line.content().to_vec()),
            '+' => hunk.new.push(line.content().to_vec()),
            // "\ No newline at end of file": about the line before it.
            '=' | '<' | '>' => {
                if last != '+' {
                    strip_newline(&mut hunk.old);
                }
                if last != '-' {
                    strip_newline(&mut hunk.new);
                }
            }
            _ => {}
        }
        if matches!(line.origin(), ' ' | '-' | '+') {
            last = line.origin();
            hunk.trailing = last == ' ';
        }
    }
    Ok(hunk)
}

fn strip_newline(lines: &mut [Line]) {
    if let Some(last) = lines.last_mut().filter(|last| last.ends_with(b"\n")) {
        last.pop();
    }
}

/// Files by path; `None` stands for a file that is not there.
pub(super) type Files = BTreeMap<String, Option<Vec<u8>>>;

/// What the changes make of `before`, which holds every path they name. Paths that they do not touch stay as they
/// are.
pub(super) fn applied(changes: &[FileChange], before: &Files) -> Result<Files, Box<Misfit>> {
    let mut files = before.clone();
    for change in changes {
        let name = || change.old_path.as_ref().or(change.new_path.as_ref()).cloned().unwrap_or_default();
        let whole = |reason: String| {
            Box::new(Misfit {
                file: name(),
                hunk: None,
                reason,
                expected: Vec::new(),
                found: Vec::new(),
                found_line: 0,
                already: false,
            })
        };
        let content = match &change.old_path {
            None => Vec::new(),
            Some(path) => files.get(path).cloned().flatten().ok_or_else(|| whole(format!("{path} is not there")))?,
        };
        let occupied = |path: &String| files.get(path).is_some_and(Option::is_some);
        if let Some(path) = &change.new_path
            && change.old_path.as_ref() != Some(path)
            && occupied(path)
        {
            let mut misfit = whole(format!("{path} is there already"));
            let made: Vec<u8> = change.hunks.iter().flat_map(|hunk| hunk.new.concat()).collect();
            misfit.file.clone_from(path);
            misfit.already = change.old_path.is_none() && files.get(path) == Some(&Some(made));
            return Err(misfit);
        }
        let content = fitted(&change.hunks, &content, &name())?;
        match (&change.old_path, &change.new_path) {
            (old, Some(new)) => {
                if let Some(old) = old.as_ref().filter(|old| !change.copy && *old != new) {
                    files.insert(old.clone(), None);
                }
                files.insert(new.clone(), Some(content));
            }
            (Some(old), None) if content.is_empty() => drop(files.insert(old.clone(), None)),
            (Some(_), None) => return Err(whole("the file holds more than the patch removes".to_owned())),
            (None, None) => {}
        }
    }
    Ok(files)
}

/// True when the changes, taken back, fit: everything they do is done.
pub(super) fn already_applied(changes: &[FileChange], now: &Files) -> bool {
    let back: Vec<FileChange> = changes.iter().rev().map(FileChange::reversed).collect();
    !back.is_empty() && changes.iter().all(|change| !change.copy) && applied(&back, now).is_ok()
}

impl FileChange {
    fn reversed(&self) -> FileChange {
        let back = |hunk: &Hunk| Hunk {
            header: hunk.header.clone(),
            old_start: hunk.new_start,
            new_start: hunk.old_start,
            old: hunk.new.clone(),
            new: hunk.old.clone(),
            trailing: hunk.trailing,
        };
        FileChange {
            old_path: self.new_path.clone(),
            new_path: self.old_path.clone(),
            copy: false,
            hunks: self.hunks.iter().map(back).collect(),
        }
    }
}

/// Puts all hunks into `content`.
fn fitted(hunks: &[Hunk], content: &[u8], file: &str) -> Result<Vec<u8>, Box<Misfit>> {
    let mut lines: Vec<Line> = content.split_inclusive(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect();
    for hunk in hunks {
        match place(&lines, &hunk.old, hunk.new_start, hunk.old_start <= 1, !hunk.trailing) {
            Some(at) => drop(lines.splice(at..at + hunk.old.len(), hunk.new.iter().cloned())),
            None => return Err(Box::new(misfit(hunk, &lines, file))),
        }
    }
    Ok(lines.concat())
}

/// The index in `lines` where `wanted` stands, nearest to line `start` (from 1), at the very beginning or end where
/// that is asked for.
fn place(lines: &[Line], wanted: &[Line], start: usize, at_start: bool, at_end: bool) -> Option<usize> {
    let last = lines.len().checked_sub(wanted.len())?;
    let fits = |at: usize| (!at_start || at == 0) && (!at_end || at == last) && lines[at..at + wanted.len()] == *wanted;
    let near = match (at_start, at_end) {
        (true, _) => 0,
        (false, true) => last,
        (false, false) => start.saturating_sub(1).min(last),
    };
    // Nearest first, and of two equally near the later one, as git does.
    (0..=last).find_map(|distance| {
        let after = near.checked_add(distance).filter(|at| *at <= last && fits(*at));
        after.or_else(|| near.checked_sub(distance).filter(|at| fits(*at)))
    })
}

/// Most lines of a conflict that are shown.
const SHOWN_LINES: usize = 20;
/// Longest line shown, in characters.
const SHOWN_WIDTH: usize = 200;

fn misfit(hunk: &Hunk, lines: &[Line], file: &str) -> Misfit {
    let start = hunk.new_start.saturating_sub(1);
    let likely = most_alike(lines, &hunk.old, start);
    let found: &[Line] = &lines[likely.min(lines.len())..(likely + hunk.old.len()).min(lines.len())];
    // Show from the first line that differs, with one line before it to find one's way.
    let same = hunk.old.iter().zip(found).take_while(|(a, b)| a == b).count();
    let from = same.saturating_sub(1);
    let already = !hunk.new.is_empty() && place(lines, &hunk.new, hunk.new_start, false, false).is_some();
    Misfit {
        file: file.to_owned(),
        hunk: Some(hunk.header.clone()),
        reason: if already {
            "the lines it would make are there already"
        } else {
            "the lines it expects are not there"
        }
        .to_owned(),
        expected: shown(&hunk.old[from.min(hunk.old.len())..]),
        found: shown(&found[from.min(found.len())..]),
        found_line: likely + from + 1,
        already,
    }
}

/// Where in `lines` most lines of `wanted` stand at their place; of equals the one nearest to `start`.
fn most_alike(lines: &[Line], wanted: &[Line], start: usize) -> usize {
    let alike = |at: usize| lines[at..].iter().zip(wanted).filter(|(a, b)| a == b && a.len() > 2).count();
    // A patch against a huge file must not cost a minute.
    let window = start.saturating_sub(20_000)..lines.len().min(start.saturating_add(20_000));
    window
        .map(|at| (alike(at), std::cmp::Reverse(at.abs_diff(start)), at))
        .max()
        .filter(|(alike, ..)| *alike > 0)
        .map_or(start.min(lines.len()), |(.., at)| at)
}

fn shown(lines: &[Line]) -> Vec<String> {
    let line = |line: &Line| -> String {
        let text = String::from_utf8_lossy(line);
        text.trim_end_matches('\n').chars().filter(|c| *c == '\t' || !c.is_control()).take(SHOWN_WIDTH).collect()
    };
    lines.iter().take(SHOWN_LINES).map(line).collect()
}

#[cfg(test)]
#[path = "hunks_tests.rs"]
mod tests;
