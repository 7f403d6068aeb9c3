//! The grammar of diffs.
//!
//! [`scan`] reads the lines of a mail from the first line of its diff on, says where the diff ends, what it holds,
//! and where it breaks the grammar. It accepts no more than git does: whatever is not understood is an [`Trouble`],
//! so that nothing can hide from the checks in what looks like chatter between two files.

/// Something that a diff may not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    /// A line inside a hunk, or right behind one, that began as the end of the line before it.
    Wrapped,
    /// A line inside a hunk whose first character, a space, is gone or another kind of space.
    Whitespace,
    /// A hunk ends before its header says so.
    ShortHunk,
    /// A hunk goes on longer than its header says.
    LongHunk,
    /// A line that begins with `@@` and is no hunk header.
    BadHunk,
    /// A hunk that belongs to no file.
    StrayHunk,
    /// A `---` line without a `+++` line.
    HalfHeader,
    /// Text between the diffs of two files.
    Chatter,
}

/// A line of the diff, by its index in the scanned lines, and the text behind its keyword.
pub(super) type At<'t> = (usize, &'t str);

/// One hunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hunk {
    /// Index of its header.
    pub(super) line: usize,
    /// Index behind its last line.
    pub(super) end: usize,
}

/// What a diff says about one file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct FileDiff<'t> {
    /// Index of its first line.
    pub(super) line: usize,
    /// `diff --git`; absent in a plain diff.
    pub(super) git: Option<At<'t>>,
    /// `---`.
    pub(super) old: Option<At<'t>>,
    /// `+++`.
    pub(super) new: Option<At<'t>>,
    /// `rename from`, `copy from`.
    pub(super) from: Option<At<'t>>,
    /// `rename to`, `copy to`.
    pub(super) to: Option<At<'t>>,
    /// The file is moved, not copied.
    pub(super) is_rename: bool,
    /// `old mode`.
    pub(super) old_mode: Option<At<'t>>,
    /// `new mode`.
    pub(super) new_mode: Option<At<'t>>,
    /// `new file mode`.
    pub(super) created: Option<At<'t>>,
    /// `deleted file mode`.
    pub(super) deleted: Option<At<'t>>,
    /// `index a..b`, with the mode where there is one.
    pub(super) index: Option<At<'t>>,
    /// Mode at the end of `index a..b mode`.
    pub(super) index_mode: Option<At<'t>>,
    /// `GIT binary patch` or `Binary files differ`.
    pub(super) binary: Option<usize>,
    /// Its hunks.
    pub(super) hunks: Vec<Hunk>,
}

/// What [`scan`] found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Scan<'t> {
    /// The files in order.
    pub(super) files: Vec<FileDiff<'t>>,
    /// Where the grammar is broken, by index of the line.
    pub(super) troubles: Vec<(usize, Trouble)>,
    /// Index behind the last line of the diff: a signature or a list's footer follows.
    pub(super) end: usize,
}

/// True for a line with which a diff begins. `next` is the line behind it.
pub(super) fn starts_diff(line: &str, next: Option<&str>) -> bool {
    line.starts_with("diff --git ") || starts_plain(line, next)
}

fn starts_plain(line: &str, next: Option<&str>) -> bool {
    line.starts_with("--- ") && next.is_some_and(|next| next.starts_with("+++ "))
}

/// Reads a diff.
pub(super) fn scan<'t>(lines: &[&'t str]) -> Scan<'t> {
    let mut scan = Scan::default();
    let mut at = 0;
    // Text behind the last line of the diff: chatter when the diff goes on, else what follows it.
    let mut chatter = None;
    // A hunk was broken: its remains are skipped silently up to the next header.
    let mut lost = false;
    while let Some(&line) = lines.get(at) {
        let next = lines.get(at + 1).copied();
        let used = if let Some(names) = line.strip_prefix("diff --git ") {
            scan.files.push(FileDiff { line: at, git: Some((at, names)), ..FileDiff::default() });
            1
        } else if starts_plain(line, next) {
            plain_header(&mut scan, lines, at)
        } else if line.starts_with("@@ ") {
            let (used, trouble) = hunk(&mut scan, lines, at);
            lost = trouble.is_some();
            scan.troubles.extend(trouble);
            used
        } else if at == scan.end && scan.files.last_mut().is_some_and(|file| extended_header(file, line, at)) {
            1
        } else if line.starts_with("GIT binary patch") || line.starts_with("Binary files ") && line.ends_with(" differ")
        {
            binary(&mut scan, lines, at)
        } else {
            0
        };
        if used > 0 {
            scan.troubles.extend(chatter.take().map(|line| (line, Trouble::Chatter)));
            at += used;
            scan.end = at;
            lost &= line.starts_with("@@ ");
            continue;
        }
        if line.starts_with("@@") && !lost {
            scan.troubles.push((at, Trouble::BadHunk));
            lost = true;
        } else if at == scan.end && !lost && line.starts_with("--- ") {
            scan.troubles.push((at, Trouble::HalfHeader));
            lost = true;
        } else if at == scan.end && !lost && is_torn(&scan, line) {
            scan.troubles.push((at, Trouble::Wrapped));
            lost = true;
        } else if chatter.is_none() && !lost && !is_noise(line) {
            chatter = Some(at);
        }
        at += 1;
    }
    scan.troubles.sort_by_key(|(line, _)| *line);
    scan
}

/// Text right behind a hunk, without a blank line or signature between, is the end of its last line.
fn is_torn(scan: &Scan<'_>, line: &str) -> bool {
    let after_hunk = scan.files.last().and_then(|file| file.hunks.last()).is_some_and(|hunk| hunk.end == scan.end);
    let known = ["--", "__", "base-commit:", "prerequisite-", "change-id:", "diff ", "=="];
    after_hunk && !is_noise(line) && !known.iter().any(|start| line.starts_with(start))
}

/// Lines that other tools put before a file's diff, and blank ones.
fn is_noise(line: &str) -> bool {
    line.trim().is_empty() || line.starts_with("Index: ") || line.len() >= 4 && line.bytes().all(|byte| byte == b'=')
}

fn plain_header<'t>(scan: &mut Scan<'t>, lines: &[&'t str], at: usize) -> usize {
    let begins_file = match scan.files.last() {
        None => true,
        // For git a header ends with the first line that does not belong to it.
        Some(file) => file.old.is_some() || file.git.is_none() || file.binary.is_some() || scan.end != at,
    };
    if begins_file {
        scan.files.push(FileDiff { line: at, ..FileDiff::default() });
    }
    let file = scan.files.last_mut().expect("one was pushed when there was none");
    file.old = Some((at, &lines[at]["--- ".len()..]));
    file.new = Some((at + 1, &lines[at + 1]["+++ ".len()..]));
    2
}

/// Reads a line between `diff --git` and `---`; false when it is none.
fn extended_header<'t>(file: &mut FileDiff<'t>, line: &'t str, at: usize) -> bool {
    if file.git.is_none() || file.old.is_some() || file.binary.is_some() {
        return false;
    }
    if line.starts_with("similarity index ") || line.starts_with("dissimilarity index ") {
        return true;
    }
    if let Some(rest) = line.strip_prefix("index ") {
        file.index = Some((at, rest));
        file.index_mode = rest.split_once(' ').map(|(_, mode)| (at, mode));
        return true;
    }
    file.is_rename |= line.starts_with("rename ");
    let field = |keyword: &str| line.strip_prefix(keyword).map(|rest| (at, rest));
    let place = if let Some(found) = field("rename from ").or(field("rename old ")).or(field("copy from ")) {
        (&mut file.from, found)
    } else if let Some(found) = field("rename to ").or(field("rename new ")).or(field("copy to ")) {
        (&mut file.to, found)
    } else if let Some(found) = field("old mode ") {
        (&mut file.old_mode, found)
    } else if let Some(found) = field("new mode ") {
        (&mut file.new_mode, found)
    } else if let Some(found) = field("new file mode ") {
        (&mut file.created, found)
    } else if let Some(found) = field("deleted file mode ") {
        (&mut file.deleted, found)
    } else {
        return false;
    };
    *place.0 = Some(place.1);
    true
}

/// Marks the file as binary and skips what it holds.
fn binary(scan: &mut Scan<'_>, lines: &[&str], at: usize) -> usize {
    if scan.files.is_empty() {
        scan.files.push(FileDiff { line: at, ..FileDiff::default() });
    }
    let file = scan.files.last_mut().expect("one was pushed when there was none");
    file.binary = Some(at);
    let rest = lines[at + 1..].iter().take_while(|line| !line.starts_with("diff --git ") && !line.starts_with("-- "));
    if lines[at].starts_with("GIT ") { 1 + rest.count() } else { 1 }
}

/// Reads a hunk; gives how many lines it has and the trouble it ends in.
fn hunk(scan: &mut Scan<'_>, lines: &[&str], at: usize) -> (usize, Option<(usize, Trouble)>) {
    let Some(file) = scan.files.last_mut().filter(|file| file.old.is_some()) else {
        return (1, Some((at, Trouble::StrayHunk)));
    };
    let Some((mut old, mut new)) = hunk_counts(lines[at]) else {
        return (1, Some((at, Trouble::BadHunk)));
    };
    let mut end = at + 1;
    let mut trouble = None;
    while old > 0 || new > 0 {
        let Some(&line) = lines.get(end) else {
            trouble = Some((at, Trouble::ShortHunk));
            break;
        };
        let (takes_old, takes_new) = match line.chars().next() {
            Some('-') if (old, new) != (1, 0) && is_signature(lines, end) => {
                trouble = Some((at, Trouble::ShortHunk));
                break;
            }
            // An empty line is an empty context line whose space was cut off, as git takes it.
            None | Some(' ') => (1, 1),
            Some('-') => (1, 0),
            Some('+') => (0, 1),
            Some('\\') => (0, 0),
            Some('@' | 'd') if starts_diff(line, None) || line.starts_with("@@ -") => {
                trouble = Some((at, Trouble::ShortHunk));
                break;
            }
            Some(first) => {
                let kind = if first.is_whitespace() { Trouble::Whitespace } else { Trouble::Wrapped };
                trouble = Some((end, kind));
                break;
            }
        };
        if takes_old > old || takes_new > new {
            trouble = Some((end, Trouble::LongHunk));
            break;
        }
        old -= takes_old;
        new -= takes_new;
        end += 1;
    }
    if trouble.is_none() {
        if lines.get(end).is_some_and(|line| line.starts_with('\\')) {
            end += 1;
        }
        let further = lines.get(end).copied().unwrap_or_default();
        let is_header = starts_plain(further, lines.get(end + 1).copied());
        if further.starts_with(['+', ' ']) && !further.trim().is_empty()
            || further.starts_with('-') && !is_header && !further.starts_with("--")
        {
            trouble = Some((end, Trouble::LongHunk));
        }
    }
    file.hunks.push(Hunk { line: at, end });
    (end - at, trouble)
}

/// `-- ` and a line that cannot be part of a hunk: the signature of a mail.
fn is_signature(lines: &[&str], at: usize) -> bool {
    lines[at] == "-- "
        && lines[at + 1..]
            .iter()
            .find(|line| !line.is_empty())
            .is_none_or(|line| !line.starts_with([' ', '+', '-', '\\', '@']) && !line.starts_with("diff "))
}

/// The two counts of `@@ -a,b +c,d @@`.
fn hunk_counts(line: &str) -> Option<(u64, u64)> {
    let (old, rest) = line.strip_prefix("@@ -")?.split_once(" +")?;
    let (new, _) = rest.split_once(" @@")?;
    let count = |range: &str| {
        let (start, count) = range.split_once(',').unwrap_or((range, "1"));
        let digits = |text: &str| !text.is_empty() && text.len() <= 9 && text.bytes().all(|byte| byte.is_ascii_digit());
        (digits(start) && digits(count)).then(|| count.parse().ok()).flatten()
    };
    Some((count(old)?, count(new)?))
}

#[cfg(test)]
#[path = "diff_tests.rs"]
mod tests;
