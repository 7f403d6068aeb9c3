//! Which commit fits a series best, by the blobs that its patches expect.

use crate::words::BlobMatch;

/// A commit that may be the base.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Tree.
    pub tree: String,
    /// Commit, 40 hex digits.
    pub commit: String,
    /// How many commits that change a file of the series lie between it and the tree's present base; 0 for that base.
    pub behind: usize,
    /// Files of the series that have in it the content that the patches expect.
    pub matched: usize,
}

/// The candidate that fits best: the most blobs; then the nearest to its tree's present base; then the tree that is
/// taken when nothing speaks for another; then the first. `None` when no blob matches anywhere.
pub fn by_blobs<'a>(candidates: &'a [Candidate], preferred: &str) -> Option<&'a Candidate> {
    let rank =
        |candidate: &Candidate| (candidate.matched, std::cmp::Reverse(candidate.behind), candidate.tree == preferred);
    let mut best: Option<&Candidate> = None;
    for candidate in candidates.iter().filter(|candidate| candidate.matched > 0) {
        if best.is_none_or(|best| rank(candidate) > rank(best)) {
            best = Some(candidate);
        }
    }
    best
}

/// How well a candidate fits, when there is something to compare.
pub fn match_of(candidate: &Candidate, asked: usize) -> Option<BlobMatch> {
    (asked > 0).then_some(BlobMatch { matched: candidate.matched, asked })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn most_blobs_win_then_the_nearest_then_the_preferred_then_the_first() {
        let all = |rows: &[(&str, usize, usize)]| -> Vec<Candidate> {
            let candidate = |(tree, behind, matched): &(&str, usize, usize)| Candidate {
                tree: (*tree).into(),
                commit: format!("{tree}-{behind}"),
                behind: *behind,
                matched: *matched,
            };
            rows.iter().map(candidate).collect()
        };
        type Row<'a> = (&'a [(&'a str, usize, usize)], Option<&'a str>);
        let table: [Row<'_>; 7] = [
            (&[], None),
            (&[("a", 0, 0), ("b", 3, 0)], None),
            (&[("a", 0, 2), ("b", 0, 3)], Some("b-0")),
            (&[("a", 0, 2), ("a", 1, 3), ("a", 2, 3)], Some("a-1")),
            (&[("a", 0, 3), ("p", 1, 3)], Some("a-0")),
            (&[("a", 0, 3), ("p", 0, 3)], Some("p-0")),
            (&[("a", 0, 3), ("b", 0, 3)], Some("a-0")),
        ];
        for (rows, expected) in table {
            let candidates = all(rows);
            let best = by_blobs(&candidates, "p").map(|candidate| candidate.commit.as_str());
            assert_eq!(best, expected, "{rows:?}");
        }
    }
}
