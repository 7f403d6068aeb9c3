//! Putting prerequisites below a series: they become part of the base.

use tokio_util::sync::CancellationToken;

use super::at_hand::at_commit;
use crate::series;
use crate::tree::apply::apply;
use crate::tree::apply_error::ApplyError;
use crate::words::{Patch, Series, Tree};

/// What became of one patch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BelowOutcome {
    /// It is on the base.
    Applied,
    /// All it does is in the base already.
    AlreadyThere,
    /// It is refused or does not apply.
    Refused(String),
}

/// Applies `patches` in order on the base of `tree`; gives the tree with the new base, and what became of each patch.
/// One that is refused is left out. Vetting is done here: these patches come from elsewhere.
///
/// # Errors
/// When the repository is not usable or `cancel` comes.
pub async fn put_below(
    tree: &Tree,
    series: &Series,
    patches: &[Patch],
    cancel: &CancellationToken,
) -> Result<(Tree, Vec<BelowOutcome>), ApplyError> {
    let mut outcomes = vec![BelowOutcome::Applied; patches.len()];
    loop {
        let kept: Vec<usize> = (0..patches.len()).filter(|at| outcomes[*at] == BelowOutcome::Applied).collect();
        let below = stack(series, kept.iter().map(|at| &patches[*at]));
        if kept.is_empty() {
            return Ok((tree.clone(), outcomes));
        }
        if let Err(refusals) = series::vet(&below) {
            let first = &refusals[0];
            // A refusal of the whole is one of all of them.
            let refused: Vec<usize> = match first.patch.checked_sub(1).and_then(|index| kept.get(index)) {
                Some(at) => vec![*at],
                None => kept,
            };
            for at in refused {
                outcomes[at] = BelowOutcome::Refused(format!("it is refused: {}", first.what));
            }
            continue;
        }
        let (number, outcome) = match apply(tree, &below, cancel).await {
            Ok(applied) => {
                let top = applied.revisions.last().map_or(&tree.commit, |revision| &revision.commit);
                let moved = at_commit(tree, top)
                    .map_err(|error| ApplyError::Repository { repo: tree.repo.to_string(), reason: error.to_string() });
                return Ok((moved?, outcomes));
            }
            Err(ApplyError::NoChange { number, .. }) => (number, BelowOutcome::AlreadyThere),
            Err(ApplyError::Conflict(conflict)) if conflict.already_applied => {
                (conflict.number, BelowOutcome::AlreadyThere)
            }
            Err(ApplyError::Conflict(conflict)) => (conflict.number, BelowOutcome::Refused(conflict.to_string())),
            Err(error @ ApplyError::LeavingLink { number, .. }) => (number, BelowOutcome::Refused(error.to_string())),
            Err(
                error @ (ApplyError::Cancelled
                | ApplyError::Repository { .. }
                | ApplyError::Cache { .. }
                | ApplyError::Process(_)),
            ) => return Err(error),
        };
        outcomes[kept[number - 1]] = outcome;
    }
}

/// A series made of these patches.
fn stack<'a>(series: &Series, patches: impl ExactSizeIterator<Item = &'a Patch>) -> Series {
    let total = patches.len();
    let renumbered = patches.enumerate().map(|(index, patch)| Patch { number: index + 1, total, ..patch.clone() });
    Series {
        name: format!("{}-prerequisites", series.name),
        base_commit: None,
        patches: renumbered.collect(),
        ..series.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::testing::{MAKEFILE, Scratch, recorder, repository};
    use crate::tree::{FetchOptions, TreeSpec, fetch, read_file};
    use crate::words::testing;

    fn change(old: &str, new: &str) -> String {
        format!("diff --git a/mm/a.c b/mm/a.c\n--- a/mm/a.c\n+++ b/mm/a.c\n@@ -1 +1 @@\n-{old}\n+{new}\n")
    }

    #[tokio::test]
    async fn what_fits_becomes_part_of_the_base_and_the_rest_is_named() {
        let scratch = Scratch::new();
        let folder = scratch.path.join("kernel");
        repository(&folder, &[("Makefile", MAKEFILE), ("mm/a.c", "one\n")]);
        let (events, _) = recorder();
        let never = CancellationToken::new();
        let cache = scratch.path.join("cache");
        let spec = TreeSpec::local(&folder, "HEAD");
        let tree = fetch(&spec, &cache, "u", FetchOptions::default(), &events, &never).await.unwrap();
        let evil = change("two", "three").replace("mm/a.c", "../a.c");
        let diffs = [change("zero", "one"), change("nine", "ten"), evil, change("one", "two"), change("two", "three")];
        let patches = testing::series("p", &diffs.iter().map(String::as_str).collect::<Vec<_>>()).patches;
        let series = testing::series("x", &[]);
        let (moved, outcomes) = put_below(&tree, &series, &patches, &never).await.unwrap();
        assert_eq!(
            (&outcomes[0], &outcomes[3..]),
            (&BelowOutcome::AlreadyThere, &[const { BelowOutcome::Applied }; 2][..])
        );
        assert!(matches!(&outcomes[1], BelowOutcome::Refused(why) if why.contains("does not apply")), "{outcomes:?}");
        assert!(matches!(&outcomes[2], BelowOutcome::Refused(why) if why.starts_with("it is refused")), "{outcomes:?}");
        assert_eq!(read_file(&moved, &moved.commit, "mm/a.c").unwrap().unwrap(), b"three\n");
        assert_eq!((moved.kernel_version, moved.name), (tree.kernel_version.clone(), tree.name.clone()));
        let again = put_below(&tree, &series, &patches, &never).await.unwrap();
        assert_eq!(again.0.commit, moved.commit, "same patches, same base: same commit");
        assert_eq!(put_below(&tree, &series, &[], &never).await.unwrap().0, tree);
    }
}
