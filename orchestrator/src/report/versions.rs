//! What changed since an earlier run, in words: the same for every rendering.

use super::labels::{self, Label};
use super::model::{Previous, Report, ReusedUnits, TreeVersions};
use crate::term::text::count;
use crate::words::{ComparedFinding, PatchFate, PatchPair};

/// One list of findings.
pub struct Changes<'a> {
    /// What became of them.
    pub label: Label,
    /// What that means, for legends.
    pub meaning: &'static str,
    /// The findings.
    pub findings: &'a [ComparedFinding],
    /// True when their numbers are those of this report.
    pub of_this_run: bool,
}

/// `Since v5`, or `Since the earlier run of v6`.
pub fn title(report: &Report, previous: &Previous) -> String {
    let this = report.series.version.or(report.series.upstream.as_ref().map(|upstream| upstream.version));
    match previous.version {
        Some(version) if this == Some(version) => format!("Since the earlier run of v{version}"),
        Some(version) => format!("Since v{version}"),
        None => format!("Since the run of {}", previous.series),
    }
}

/// The lists, those that ask for action first.
pub fn lists(previous: &Previous) -> [Changes<'_>; 4] {
    let findings = &previous.findings;
    let changes = |label, meaning, findings, of_this_run| Changes { label, meaning, findings, of_this_run };
    [
        changes(labels::since_new(), "not found in the earlier run", &findings.new, true),
        changes(labels::since_open(), "found in both runs", &findings.open, true),
        changes(labels::since_fixed(), "looked at again and not found any more", &findings.fixed, false),
        changes(labels::since_unanswered(), "this run has no answer for it", &findings.unanswered, false),
    ]
}

/// `1 new, 2 still open, 3 fixed`; what is none is left out.
pub fn numbers(previous: &Previous) -> String {
    let findings = &previous.findings;
    let parts: Vec<String> = [
        (findings.new.len(), "new"),
        (findings.open.len(), "still open"),
        (findings.fixed.len(), "fixed"),
        (findings.unanswered.len(), "without an answer"),
    ]
    .into_iter()
    .filter(|(number, _)| *number > 0)
    .map(|(number, what)| format!("{number} {what}"))
    .collect();
    if parts.is_empty() { "no findings in either run".to_owned() } else { format!("findings: {}", parts.join(", ")) }
}

/// `patches: 4 unchanged, changed: 2, 5, new: 6, dropped: "mm: x"`.
pub fn patches(pairs: &[PatchPair]) -> String {
    let of = |fate: PatchFate| pairs.iter().filter(move |pair| pair.fate == fate);
    let mut parts = vec![format!("{} unchanged", of(PatchFate::Unchanged).count())];
    let numbers = |fate| {
        let numbers = of(fate).filter_map(|pair| pair.number).map(|number| number.to_string());
        numbers.collect::<Vec<_>>().join(", ")
    };
    for (fate, word) in [(PatchFate::Changed, "changed"), (PatchFate::New, "new")] {
        if of(fate).next().is_some() {
            parts.push(format!("{} {word} ({})", of(fate).count(), numbers(fate)));
        }
    }
    let dropped: Vec<String> = of(PatchFate::Dropped).map(|pair| format!("“{}”", pair.subject)).collect();
    if !dropped.is_empty() {
        parts.push(format!("{} dropped ({})", dropped.len(), dropped.join(", ")));
    }
    parts.join("; ")
}

/// How many units of what did not change were not done again; `None` when nothing was to be had.
pub fn reused(units: &ReusedUnits) -> Option<String> {
    let part = |reused, all, what| (all > 0).then(|| format!("{reused} of {}", count(all as u64, what)));
    let parts: Vec<String> =
        [part(units.builds_reused, units.builds, "build"), part(units.boots_reused, units.boots, "boot")]
            .into_iter()
            .flatten()
            .collect();
    (!parts.is_empty()).then(|| format!("{} of the base and of unchanged first patches", parts.join(" and ")))
}

/// What is to be said of each tree, with its name where there are several.
pub fn notes(previous: &Previous) -> Vec<String> {
    let named = previous.trees.len() > 1;
    let note = |tree: &TreeVersions| {
        let note = tree.note.as_ref()?;
        Some(if named { format!("{}: {note}", tree.tree) } else { note.clone() })
    };
    previous.trees.iter().filter_map(note).collect()
}

/// One finding in a line: its kind and what happened, and what differs.
pub fn line(finding: &ComparedFinding) -> String {
    let remark = finding.remark.as_ref().map(|remark| format!(" ({remark})")).unwrap_or_default();
    format!("{}: {}{remark}", labels::word(&finding.kind), finding.summary)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patches_are_summed_up() {
        let pair = |fate, number: Option<usize>, subject: &str| PatchPair {
            fate,
            number,
            earlier: None,
            subject: subject.into(),
            earlier_subject: None,
        };
        let pairs = [
            pair(PatchFate::Unchanged, Some(1), "a"),
            pair(PatchFate::Changed, Some(2), "b"),
            pair(PatchFate::Changed, Some(3), "c"),
            pair(PatchFate::New, Some(4), "d"),
            pair(PatchFate::Dropped, None, "e"),
        ];
        assert_eq!(patches(&pairs), "1 unchanged; 2 changed (2, 3); 1 new (4); 1 dropped (“e”)");
        assert_eq!(patches(&[]), "0 unchanged");
    }

    #[test]
    fn reused_units_are_told_when_there_are_any() {
        assert_eq!(reused(&ReusedUnits::default()), None);
        let units = ReusedUnits { builds: 6, builds_reused: 6, boots: 1, boots_reused: 0 };
        assert_eq!(
            reused(&units).as_deref(),
            Some("6 of 6 builds and 0 of 1 boot of the base and of unchanged first patches")
        );
    }
}
