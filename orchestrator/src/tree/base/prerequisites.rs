//! Which of the things that a series builds on are met, and what is applied below it. No I/O.

use std::collections::{BTreeMap, BTreeSet};

use super::patch_ids::patch_id;
use crate::words::{Patch, Prerequisite, PrerequisiteState, Series};

/// A patch that goes below the series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Below {
    /// The patch.
    pub patch: Patch,
    /// Which of the prerequisites it belongs to, by index.
    pub of: usize,
}

/// What looking for the prerequisites gave.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// Patch ids of the base's recent history with their commits.
    pub in_base: BTreeMap<String, String>,
    /// For each `prerequisite-change-id`, then for each `prerequisite-message-id`, in order: the series with the name
    /// of where it was found, or why there is none.
    pub named: Vec<Result<(String, Series), String>>,
    /// All other series at hand, each with where it is.
    pub others: Vec<(String, Series)>,
}

/// What is to be done about the prerequisites.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PrerequisitePlan {
    /// All of them: first those by change and message, then those by patch id, in the order of the series.
    pub prerequisites: Vec<Prerequisite>,
    /// What goes below the series, in order.
    pub below: Vec<Below>,
}

/// Decides what becomes of the prerequisites of `series`.
///
/// - A patch whose id the base's history has is met.
/// - A series that is named by change or message, and patches that are named by their id, go below the series where
///   they were found: in the order of the patch ids, which `git format-patch` writes for all of them; a named series
///   stays in one piece, where its first patch is, and one without any listed patch comes last.
/// - What is in neither place is missing.
pub fn plan_prerequisites(series: &Series, found: &Found) -> PrerequisitePlan {
    let mut plan = PrerequisitePlan::default();
    let changes = series.prerequisite_changes.iter().map(|id| format!("prerequisite-change-id: {id}"));
    let messages = series.prerequisite_messages.iter().map(|id| format!("prerequisite-message-id: {id}"));
    let names: Vec<String> = changes.chain(messages).collect();
    let ids_of =
        |series: &Series| -> Vec<Option<String>> { series.patches.iter().map(|patch| patch_id(&patch.diff)).collect() };
    let mut named_ids: Vec<Vec<Option<String>>> = Vec::new();
    for (index, name) in names.iter().enumerate() {
        let (state, ids) = match found.named.get(index) {
            Some(Ok((from, series))) => {
                let ids = ids_of(series);
                (series_state(from, series, &ids, &found.in_base), ids)
            }
            Some(Err(why)) => (PrerequisiteState::Unmet { why: why.clone() }, Vec::new()),
            None => (PrerequisiteState::Unmet { why: "nobody looked for it".to_owned() }, Vec::new()),
        };
        plan.prerequisites.push(Prerequisite { name: name.clone(), state });
        named_ids.push(ids);
    }
    let pool: BTreeMap<String, (&str, &Patch)> = found
        .others
        .iter()
        .flat_map(|(from, series)| series.patches.iter().map(move |patch| (from.as_str(), patch)))
        .filter_map(|(from, patch)| Some((patch_id(&patch.diff)?, (from, patch))))
        .collect();
    let mut placed = BTreeSet::new();
    for id in &series.prerequisites {
        let name = format!("prerequisite-patch-id: {id}");
        let holder = named_ids.iter().position(|ids| ids.iter().flatten().any(|other| other == id));
        let of = plan.prerequisites.len();
        let state = match (found.in_base.get(id), holder, pool.get(id)) {
            (Some(commit), ..) => PrerequisiteState::InBase { commit: Some(commit.clone()) },
            (None, Some(holder), _) => {
                place(&mut plan.below, holder, found, &named_ids[holder], &mut placed);
                let subject = subject_of(found, holder, &named_ids[holder], id);
                PrerequisiteState::Applied { patches: vec![subject], from: names[holder].clone() }
            }
            (None, None, Some((from, patch))) => {
                plan.below.push(Below { patch: (*patch).clone(), of });
                PrerequisiteState::Applied { patches: vec![patch.subject.clone()], from: (*from).to_owned() }
            }
            (None, None, None) => {
                let why = "it is neither in the recent history of the base nor among the series at hand".to_owned();
                PrerequisiteState::Unmet { why }
            }
        };
        plan.prerequisites.push(Prerequisite { name, state });
    }
    for (holder, ids) in named_ids.iter().enumerate() {
        place(&mut plan.below, holder, found, ids, &mut placed);
    }
    plan
}

/// What becomes of a series as a whole.
fn series_state(
    from: &str,
    series: &Series,
    ids: &[Option<String>],
    in_base: &BTreeMap<String, String>,
) -> PrerequisiteState {
    let commit = |id: &Option<String>| in_base.get(id.as_ref()?);
    let open = series.patches.iter().zip(ids).filter(|(_, id)| commit(id).is_none());
    let patches: Vec<String> = open.map(|(patch, _)| patch.subject.clone()).collect();
    match patches.is_empty() {
        true => PrerequisiteState::InBase { commit: ids.last().and_then(commit).cloned() },
        false => PrerequisiteState::Applied { patches, from: from.to_owned() },
    }
}

/// Puts what the base lacks of a named series below, once.
fn place(below: &mut Vec<Below>, holder: usize, found: &Found, ids: &[Option<String>], placed: &mut BTreeSet<usize>) {
    let Some(Ok((_, series))) = found.named.get(holder) else { return };
    if !placed.insert(holder) {
        return;
    }
    for (patch, id) in series.patches.iter().zip(ids) {
        let in_base = id.as_ref().is_some_and(|id| found.in_base.contains_key(id));
        if !in_base {
            below.push(Below { patch: patch.clone(), of: holder });
        }
    }
}

fn subject_of(found: &Found, holder: usize, ids: &[Option<String>], id: &str) -> String {
    let Some(Ok((_, series))) = found.named.get(holder) else { return String::new() };
    let at = ids.iter().position(|other| other.as_deref() == Some(id));
    at.and_then(|at| series.patches.get(at)).map(|patch| patch.subject.clone()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::testing;

    fn diff(word: &str) -> String {
        format!(
            "diff --git a/mm/{word}.c b/mm/{word}.c\n--- a/mm/{word}.c\n+++ b/mm/{word}.c\n@@ -1 +1 @@\n-a\n+{word}\n"
        )
    }

    fn series(name: &str, words: &[&str]) -> Series {
        let diffs: Vec<String> = words.iter().map(|word| diff(word)).collect();
        let mut series = testing::series(name, &diffs.iter().map(String::as_str).collect::<Vec<_>>());
        for (patch, word) in series.patches.iter_mut().zip(words) {
            patch.subject = (*word).to_owned();
        }
        series
    }

    fn id(word: &str) -> String {
        patch_id(&diff(word)).unwrap()
    }

    /// One line for each prerequisite, then the patches below.
    fn told(plan: &PrerequisitePlan) -> Vec<String> {
        let state = |state: &PrerequisiteState| match state {
            PrerequisiteState::InBase { commit } => format!("in base {}", commit.as_deref().unwrap_or("?")),
            PrerequisiteState::Applied { patches, from } => format!("{} from {from}", patches.join("+")),
            PrerequisiteState::Unmet { why } => format!("unmet: {why}"),
        };
        let below: Vec<String> =
            plan.below.iter().map(|below| format!("{}({})", below.patch.subject, below.of)).collect();
        plan.prerequisites.iter().map(|one| state(&one.state)).chain([below.join(" ")]).collect()
    }

    #[test]
    fn patches_are_met_by_the_base_found_or_missing() {
        let mut wanted = series("x", &["x"]);
        wanted.prerequisites = vec![id("met"), id("here"), id("lost")];
        let found = Found {
            in_base: BTreeMap::from([(id("met"), "c1".to_owned())]),
            named: Vec::new(),
            others: vec![("p.mbox".into(), series("p", &["other", "here", "met"]))],
        };
        let plan = plan_prerequisites(&wanted, &found);
        assert_eq!(
            told(&plan),
            [
                "in base c1",
                "here from p.mbox",
                "unmet: it is neither in the recent history of the base nor among the series at hand",
                "here(1)"
            ]
        );
        assert_eq!(plan.prerequisites[2].name, format!("prerequisite-patch-id: {}", id("lost")));
    }

    #[test]
    fn a_named_series_stays_in_one_piece_where_its_first_listed_patch_is() {
        let mut wanted = series("x", &["x"]);
        wanted.prerequisite_changes = vec!["c:v2".into(), "gone:v1".into(), "d:v1".into()];
        wanted.prerequisite_messages = vec!["m@example.org".into()];
        wanted.prerequisites = vec![id("alone"), id("c2")];
        let found = Found {
            in_base: BTreeMap::from([(id("m1"), "c9".to_owned()), (id("d1"), "c8".to_owned())]),
            named: vec![
                Ok(("lore".into(), series("c", &["c1", "c2"]))),
                Err("lore has it not".into()),
                Ok(("lore".into(), series("d", &["d1", "d2"]))),
                Ok(("lore".into(), series("m", &["m1"]))),
            ],
            others: vec![("p.mbox".into(), series("p", &["alone", "c2"]))],
        };
        assert_eq!(
            told(&plan_prerequisites(&wanted, &found)),
            [
                "c1+c2 from lore",
                "unmet: lore has it not",
                "d2 from lore",
                "in base c9",
                "alone from p.mbox",
                "c2 from prerequisite-change-id: c:v2",
                "alone(4) c1(0) c2(0) d2(2)",
            ]
        );
    }

    #[test]
    fn a_series_without_prerequisites_needs_nothing() {
        assert_eq!(plan_prerequisites(&series("x", &["x"]), &Found::default()), PrerequisitePlan::default());
    }
}
