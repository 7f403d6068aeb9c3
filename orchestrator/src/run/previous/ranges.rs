//! `git range-diff` between two versions on one tree. Commits that are gone are made again from the series that the
//! run's folder keeps.

use camino::Utf8Path;
use tokio_util::sync::CancellationToken;

use crate::compare::read_range_diff;
use crate::report::model::{TreeInfo, TreeVersions};
use crate::series;
use crate::term::text::truncate;
use crate::tree::{self, Commits};
use crate::words::{PatchPair, Series, Tree};

/// Most lines of a range-diff that a report holds.
const LINES: usize = 600;

/// Most columns of one of its lines.
const COLUMNS: usize = 300;

/// A version of a series on a tree, as its run tells it.
#[derive(Debug, Clone, Copy)]
pub struct Version<'a> {
    /// The tree in the run's report.
    pub tree: &'a TreeInfo,
    /// The series for that tree.
    pub series: &'a Series,
}

/// Sets two versions side by side. Gives also what became of the patches, when git could tell.
pub async fn on_tree(
    cache: &Utf8Path,
    earlier: Version<'_>,
    later: Version<'_>,
    cancel: &CancellationToken,
) -> (TreeVersions, Option<Vec<PatchPair>>) {
    let mut versions = TreeVersions {
        tree: later.tree.name.clone(),
        earlier_base: earlier.tree.commit.clone(),
        base: later.tree.commit.clone(),
        range_diff: Vec::new(),
        left_off: 0,
        note: None,
    };
    match between(cache, earlier, later, cancel).await {
        Ok((text, note)) => {
            let pairs = read_range_diff(&text, &earlier.series.patches, &later.series.patches);
            versions.range_diff = text.lines().take(LINES).map(|line| truncate(line, COLUMNS)).collect();
            versions.left_off = text.lines().count().saturating_sub(LINES);
            versions.note = note;
            (versions, pairs)
        }
        Err(why) => {
            versions.note = Some(format!("there is no range-diff: {why}"));
            (versions, None)
        }
    }
}

/// The range-diff and what had to be done for it, or why there is none.
async fn between(
    cache: &Utf8Path,
    earlier: Version<'_>,
    later: Version<'_>,
    cancel: &CancellationToken,
) -> Result<(String, Option<String>), String> {
    let name = &later.tree.name;
    let repo = cache.join("trees").join(format!("{name}.git"));
    if !repo.is_dir() {
        return Err(format!("tree {name} is not in the cache"));
    }
    let place = |version: &Version<'_>| Tree {
        name: name.clone(),
        repo: repo.clone(),
        commit: version.tree.commit.clone().unwrap_or_default(),
        kernel_version: String::new(),
        source: String::new(),
        skipped_sources: Vec::new(),
    };
    let (old, new) = (place(&earlier), place(&later));
    let (later_commits, _) = commits(&new, later, &old, "this version", cancel).await?;
    let (earlier_commits, again) = commits(&old, earlier, &new, "the earlier version", cancel).await?;
    let moved = (old.commit != new.commit && again.is_none()).then(|| "the base is another one".to_owned());
    let text = tree::range_diff(name, &repo, &earlier_commits, &later_commits, cancel).await;
    Ok((text.map_err(|error| error.to_string())?, again.or(moved)))
}

/// The commits of a version: those of its run, else made again on its base, else on that of the other version. Gives
/// also what was done.
async fn commits(
    own: &Tree,
    version: Version<'_>,
    other: &Tree,
    what: &str,
    cancel: &CancellationToken,
) -> Result<(Commits, Option<String>), String> {
    let applied = &version.tree.applied;
    let has = |commit: &str| tree::has_commit(own, commit);
    if let (Some(last), true) = (applied.last(), applied.len() == version.series.patches.len())
        && has(&last.commit)
        && has(&own.commit)
    {
        return Ok((Commits { base: own.commit.clone(), tip: last.commit.clone() }, None));
    }
    // Under another name, so that the commits of a run at work keep theirs.
    let series = Series { name: format!("{}-compared", version.series.name), ..version.series.clone() };
    series::vet(&series).map_err(|refusals| format!("{what} is refused: {}", refusals[0].what))?;
    let mut why = format!("{what} has no commits any more, nor a base to make them on");
    for (base, place) in [(own, "its base"), (other, "the base of the other run")] {
        if !tree::has_commit(base, &base.commit) {
            continue;
        }
        match tree::apply(base, &series, cancel).await {
            Ok(done) => {
                let tip = done.revisions.last().map_or_else(|| base.commit.clone(), |last| last.commit.clone());
                let note = format!("{what} was applied again on {place}");
                return Ok((Commits { base: base.commit.clone(), tip }, Some(note)));
            }
            Err(error) => why = format!("{what} does not apply on {place}: {error}"),
        }
    }
    Err(why)
}
