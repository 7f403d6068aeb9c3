//! A range of commits of a local clone as a series.

use camino::Utf8Path;
use git2::{Commit, DiffFormat, DiffOptions, Repository};

use super::error::{Refusal, SeriesError};
use crate::words::{Date, Origin, Patch, Person, Series};

/// Most commits read; [`vet`](super::vet()) refuses a longer series anyway.
const COMMIT_LIMIT: usize = 300;
/// Most bytes of diff read of one commit.
const DIFF_LIMIT: usize = 16 * 1024 * 1024;

/// Reads the commits of `base..tip`, oldest first.
///
/// # Errors
/// When git does not know the repository or a name, or the commits are not a plain line of patches.
pub(super) fn load(repo: &Utf8Path, range: &str) -> Result<Series, SeriesError> {
    let fail = |what: String| SeriesError::Range { repo: repo.to_owned(), range: range.to_owned(), what };
    let git = |error: git2::Error| fail(error.message().to_owned());
    if range.contains("...") {
        return Err(fail("three dots mean something else (write base..tip)".to_owned()));
    }
    let (base_name, tip_name) =
        range.split_once("..").ok_or_else(|| fail("it has no `..` (write base..tip)".to_owned()))?;
    let repository =
        Repository::open(repo).map_err(|error| fail(format!("{} (name a git clone with --tree)", error.message())))?;
    let find = |name: &str| {
        let name = if name.is_empty() { "HEAD" } else { name };
        let object = repository.revparse_single(name).map_err(|error| fail(error.message().to_owned()))?;
        object.peel_to_commit().map_err(|_| fail(format!("{name} is no commit")))
    };
    let (base, tip) = (find(base_name)?, find(tip_name)?);
    let mut walk = repository.revwalk().map_err(git)?;
    walk.push(tip.id()).map_err(git)?;
    walk.hide(base.id()).map_err(git)?;
    walk.set_sorting(git2::Sort::TOPOLOGICAL | git2::Sort::REVERSE).map_err(git)?;
    let ids = walk.take(COMMIT_LIMIT + 1).collect::<Result<Vec<_>, _>>().map_err(git)?;
    if ids.is_empty() {
        return Err(fail(format!("no commit is in {tip_name} that is not in {base_name} (is the order base..tip?)")));
    }
    if ids.len() > COMMIT_LIMIT {
        return Err(fail(format!("it has more than {COMMIT_LIMIT} commits (name a base that is nearer)")));
    }
    let commits = ids.iter().map(|id| repository.find_commit(*id)).collect::<Result<Vec<_>, _>>().map_err(git)?;
    let refusals: Vec<Refusal> =
        commits.iter().enumerate().filter_map(|(at, commit)| refuse(repo, at + 1, commit)).collect();
    if !refusals.is_empty() {
        return Err(SeriesError::Refused(refusals));
    }
    // Without merges and roots the range is one line, and the first commit's parent is where it starts.
    let start = commits[0].parent_id(0).map_err(git)?;
    let mut notes = Vec::new();
    if start != base.id() {
        notes.push(format!("{base_name} is no ancestor of {tip_name}; the series starts at {start}, where they part"));
    }
    let total = commits.len();
    let mut patches = Vec::new();
    let mut refusals = Vec::new();
    for (index, commit) in commits.iter().enumerate() {
        match read_commit(&repository, repo, commit, index + 1, total).map_err(git)? {
            Ok(patch) => patches.push(patch),
            Err(refusal) => refusals.push(refusal),
        }
    }
    if !refusals.is_empty() {
        return Err(SeriesError::Refused(refusals));
    }
    Ok(Series {
        name: range.to_owned(),
        title: patches[0].subject.clone(),
        version: None,
        default_tree: None,
        upstream: None,
        cover: None,
        change_id: None,
        base_commit: Some(start.to_string()),
        prerequisites: Vec::new(),
        prerequisite_changes: Vec::new(),
        prerequisite_messages: Vec::new(),
        patches,
        posting: None,
        notes,
    })
}

fn refusal(repo: &Utf8Path, number: usize, commit: &Commit<'_>, what: String, remedy: &str) -> Refusal {
    Refusal {
        patch: number,
        subject: subject(commit),
        file: repo.to_owned(),
        line: 0,
        what: format!("commit {} {what}", commit.id()),
        remedy: remedy.to_owned(),
    }
}

/// Refuses merges and roots: neither is a patch.
fn refuse(repo: &Utf8Path, number: usize, commit: &Commit<'_>) -> Option<Refusal> {
    match commit.parent_count() {
        1 => None,
        0 => {
            let what = "has no parent: base and tip have no history in common".to_owned();
            Some(refusal(repo, number, commit, what, "name a base that is an ancestor of the tip"))
        }
        parents => {
            let what = format!("is a merge of {parents} commits");
            Some(refusal(repo, number, commit, what, "rebase the branch so that it is a line of single commits"))
        }
    }
}

fn subject(commit: &Commit<'_>) -> String {
    String::from_utf8_lossy(commit.summary_bytes().unwrap_or_default()).into_owned()
}

fn read_commit(
    repository: &Repository,
    repo: &Utf8Path,
    commit: &Commit<'_>,
    number: usize,
    total: usize,
) -> Result<Result<Patch, Refusal>, git2::Error> {
    let mut options = DiffOptions::new();
    options.id_abbrev(40).show_binary(true).context_lines(3).old_prefix("a/").new_prefix("b/").indent_heuristic(true);
    let (old, new) = (commit.parent(0)?.tree()?, commit.tree()?);
    let diff = repository.diff_tree_to_tree(Some(&old), Some(&new), Some(&mut options))?;
    let mut bytes = Vec::new();
    let printed = diff.print(DiffFormat::Patch, |_, _, line| {
        if let origin @ ('+' | '-' | ' ') = line.origin() {
            bytes.push(u8::try_from(origin).expect("an ASCII character"));
        }
        bytes.extend_from_slice(line.content());
        bytes.len() <= DIFF_LIMIT
    });
    let refuse = |what: &str, remedy: &str| Ok(Err(refusal(repo, number, commit, what.to_owned(), remedy)));
    if bytes.len() > DIFF_LIMIT {
        return refuse("changes more than 16 MiB", "leave it out of the series");
    }
    printed?;
    if bytes.is_empty() {
        return refuse("changes nothing", "drop the empty commit");
    }
    let Ok(diff) = String::from_utf8(bytes) else {
        return refuse("changes a file that is not UTF-8 text", "leave that file out of the series");
    };
    let author = commit.author();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok(Ok(Patch {
        number,
        total,
        subject: subject(commit),
        author: Person { name: text(author.name_bytes()), email: text(author.email_bytes()) },
        date: Date { seconds: author.when().seconds(), offset_minutes: author.when().offset_minutes() },
        message: commit.body_bytes().map(text).unwrap_or_default(),
        diff,
        diff_line: 0,
        message_id: None,
        origin: Origin { file: repo.to_owned(), line: 0 },
        envelope: None,
    }))
}

#[cfg(test)]
#[path = "range_tests.rs"]
mod tests;
