//! Reading what `git range-diff` says.

use std::sync::LazyLock;

use regex::Regex;

use crate::words::{Patch, PatchFate, PatchPair};

static HEADER: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^\s*(\d+|-):\s+(?:[0-9a-f]+|-+) ([=!<>])\s+(\d+|-):\s+(?:[0-9a-f]+|-+)(?: (.*))?$").expect("constant")
});

/// The pairs of patches that the output of `git range-diff` names, in the order of the later version; dropped patches
/// come last. A patch that git takes for another one, because too much of it changed, is the same when its subject is. `None` when it does not name every patch of both versions once: then it was cut off or is something else.
pub fn read_range_diff(text: &str, earlier: &[Patch], later: &[Patch]) -> Option<Vec<PatchPair>> {
    let subject =
        |patches: &[Patch], number: Option<usize>| Some(patches.get(number?.checked_sub(1)?)?.subject.clone());
    let mut pairs = Vec::new();
    for found in text.lines().filter_map(|line| HEADER.captures(line)) {
        let (old, new): (Option<usize>, Option<usize>) = (found[1].parse().ok(), found[3].parse().ok());
        let fate = match &found[2] {
            "=" => PatchFate::Unchanged,
            "!" => PatchFate::Changed,
            "<" => PatchFate::Dropped,
            _ => PatchFate::New,
        };
        let (before, now) = (subject(earlier, old), subject(later, new));
        pairs.push(PatchPair {
            fate,
            number: new,
            earlier: old,
            subject: now.clone().or(before.clone())?,
            earlier_subject: before.filter(|before| now.as_ref().is_some_and(|now| now != before)),
        });
    }
    while let Some((dropped, new)) = same_subject(&pairs) {
        pairs[new].earlier = pairs[dropped].earlier;
        pairs[new].fate = PatchFate::Changed;
        pairs.remove(dropped);
    }
    pairs.sort_by_key(|pair| (pair.number.unwrap_or(usize::MAX), pair.earlier));
    let numbers = |number: fn(&PatchPair) -> Option<usize>| {
        let mut numbers: Vec<usize> = pairs.iter().filter_map(number).collect();
        numbers.sort_unstable();
        numbers
    };
    let whole = numbers(|pair| pair.earlier) == (1..=earlier.len()).collect::<Vec<_>>()
        && numbers(|pair| pair.number) == (1..=later.len()).collect::<Vec<_>>();
    whole.then_some(pairs)
}

/// A dropped and a new patch with the same subject, by index.
fn same_subject(pairs: &[PatchPair]) -> Option<(usize, usize)> {
    let of = |fate: PatchFate| pairs.iter().enumerate().filter(move |(_, pair)| pair.fate == fate);
    of(PatchFate::Dropped).find_map(|(dropped, one)| {
        let (new, _) = of(PatchFate::New).find(|(_, other)| other.subject == one.subject)?;
        Some((dropped, new))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::testing::series;

    #[test]
    fn pairs_are_read_and_half_an_output_is_none() {
        let earlier = series("a", &["", "", ""]).patches;
        let mut later = series("b", &["", "", ""]).patches;
        later[1].subject = "mm: renamed".into();
        let text = "1:  2ee7c1a = 1:  3b1c9de mm: change 1\n2:  aaaaaaa ! 2:  bbbbbbb mm: change 2\n    @@ Commit message\n      1:  no = 2:  header\n     -old\n     +new\n3:  ccccccc < -:  ------- mm: change 3\n-:  ------- > 3:  ddddddd mm: change 3\n";
        let pairs = read_range_diff(text, &earlier, &later).unwrap();
        let told: Vec<_> = pairs.iter().map(|pair| (pair.fate, pair.number, pair.earlier)).collect();
        assert_eq!(
            told,
            [
                (PatchFate::Unchanged, Some(1), Some(1)),
                (PatchFate::Changed, Some(2), Some(2)),
                (PatchFate::Changed, Some(3), Some(3)),
            ]
        );
        later[2].subject = "mm: something else".into();
        let fates = read_range_diff(text, &earlier, &later).unwrap().iter().map(|pair| pair.fate).collect::<Vec<_>>();
        assert_eq!(fates[2..], [PatchFate::New, PatchFate::Dropped]);
        assert_eq!(
            (pairs[1].subject.as_str(), pairs[1].earlier_subject.as_deref()),
            ("mm: renamed", Some("mm: change 2"))
        );
        assert_eq!(read_range_diff(text.split("3:  ccccccc").next().unwrap(), &earlier, &later), None);
        assert_eq!(read_range_diff("", &earlier, &later), None);
        assert_eq!(read_range_diff("", &[], &[]), Some(Vec::new()));
    }
}
