//! Which patch of one version is which of the other, by their texts alone.

use crate::words::{Patch, PatchFate, PatchPair};

/// Pairs the patches of two versions: those that are the same, then those with the same subject, then those with the
/// same diff. In the order of the later version; dropped patches come last.
pub fn pair_patches(earlier: &[Patch], later: &[Patch]) -> Vec<PatchPair> {
    let mut partner: Vec<Option<usize>> = vec![None; later.len()];
    let mut taken = vec![false; earlier.len()];
    let (old, new): (Vec<String>, Vec<String>) =
        (earlier.iter().map(plain_diff).collect(), later.iter().map(plain_diff).collect());
    let same_text =
        |one: usize, other: usize| old[one] == new[other] && earlier[one].message.trim() == later[other].message.trim();
    let same_subject = |one: usize, other: usize| earlier[one].subject == later[other].subject;
    let rules: [&dyn Fn(usize, usize) -> bool; 3] =
        [&|one, other| same_subject(one, other) && same_text(one, other), &same_subject, &|one, other| {
            old[one] == new[other]
        }];
    for rule in rules {
        for (at, partner) in partner.iter_mut().enumerate().filter(|(_, partner)| partner.is_none()) {
            if let Some(index) = (0..earlier.len()).find(|index| !taken[*index] && rule(*index, at)) {
                taken[index] = true;
                *partner = Some(index);
            }
        }
    }
    let mut pairs: Vec<PatchPair> = later
        .iter()
        .enumerate()
        .map(|(at, patch)| PatchPair {
            fate: match partner[at] {
                Some(index) if same_subject(index, at) && same_text(index, at) => PatchFate::Unchanged,
                Some(_) => PatchFate::Changed,
                None => PatchFate::New,
            },
            number: Some(patch.number),
            earlier: partner[at].map(|index| earlier[index].number),
            subject: patch.subject.clone(),
            earlier_subject: partner[at]
                .filter(|index| !same_subject(*index, at))
                .map(|index| earlier[index].subject.clone()),
        })
        .collect();
    pairs.extend(earlier.iter().enumerate().filter(|(index, _)| !taken[*index]).map(|(_, patch)| PatchPair {
        fate: PatchFate::Dropped,
        number: None,
        earlier: Some(patch.number),
        subject: patch.subject.clone(),
        earlier_subject: None,
    }));
    pairs
}

/// A diff without what moves by itself: blob ids and the places of hunks.
fn plain_diff(patch: &Patch) -> String {
    let mut plain = String::with_capacity(patch.diff.len());
    for line in patch.diff.lines().filter(|line| !line.starts_with("index ")) {
        plain.push_str(if line.starts_with("@@ ") { "@@" } else { line });
        plain.push('\n');
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::testing::series;

    fn patches(rows: &[(&str, &str)]) -> Vec<Patch> {
        let diffs: Vec<String> = rows
            .iter()
            .enumerate()
            .map(|(at, (_, word))| format!("diff --git a/x b/x\nindex {at}..9\n@@ -{at},1 +{at},1 @@ f\n-a\n+{word}\n"))
            .collect();
        let mut series = series("x", &diffs.iter().map(String::as_str).collect::<Vec<_>>());
        for (patch, (subject, _)) in series.patches.iter_mut().zip(rows) {
            patch.subject = (*subject).to_owned();
        }
        series.patches
    }

    #[test]
    fn patches_are_paired_by_text_then_by_subject_then_by_diff() {
        let earlier = patches(&[("a", "1"), ("b", "2"), ("c", "3"), ("d", "4"), ("gone", "5")]);
        let later = patches(&[("new", "9"), ("a", "1"), ("b", "22"), ("renamed", "3"), ("d", "4")]);
        let told: Vec<_> = pair_patches(&earlier, &later)
            .into_iter()
            .map(|pair| (pair.fate, pair.number, pair.earlier, pair.subject, pair.earlier_subject))
            .collect();
        let row = |fate, number, earlier, subject: &str, other: Option<&str>| {
            (fate, number, earlier, subject.to_owned(), other.map(str::to_owned))
        };
        assert_eq!(
            told,
            [
                row(PatchFate::New, Some(1), None, "new", None),
                row(PatchFate::Unchanged, Some(2), Some(1), "a", None),
                row(PatchFate::Changed, Some(3), Some(2), "b", None),
                row(PatchFate::Changed, Some(4), Some(3), "renamed", Some("c")),
                row(PatchFate::Unchanged, Some(5), Some(4), "d", None),
                row(PatchFate::Dropped, None, Some(5), "gone", None),
            ]
        );
    }

    #[test]
    fn another_message_is_another_patch() {
        let earlier = patches(&[("a", "1")]);
        let mut later = earlier.clone();
        later[0].message = "Now with a reason.".into();
        assert_eq!(pair_patches(&earlier, &later)[0].fate, PatchFate::Changed);
    }
}
