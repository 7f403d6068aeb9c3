//! The tree stage: get each tree, vet the series, apply it.

use super::{BasePlan, Context, SettledBase, TreeArgument, TreePlan, Unit, bases};
use crate::compare::findings::Frame;
use crate::series::{self, Refusal};
use crate::tree::{self, ApplyError, Conflict, FetchOptions, TreeSpec};
use crate::words::{
    Evidence, Finding, FindingKind, Patch, RevisionCommit, Series, Severity, Tree, TreeBase, UnitKind, UnitOutcome,
};

/// What became of a tree.
#[derive(Debug)]
pub enum Prepared {
    /// The series is on it.
    Ready {
        /// The tree, at the base with its prerequisites.
        tree: Tree,
        /// The base and why that one.
        base: Box<TreeBase>,
        /// The series for it.
        series: Box<Series>,
        /// Base, then each patch.
        revisions: Vec<RevisionCommit>,
        /// What a reader should know, one sentence each.
        notes: Vec<String>,
    },
    /// The series cannot be put on it, and that is a finding.
    Rejected {
        /// The tree.
        tree: Tree,
        /// The base and why that one; `None` when it did not come to that.
        base: Option<Box<TreeBase>>,
        /// Why.
        findings: Vec<Finding>,
    },
    /// There is no such tree to be had, or no series for it: no verdict.
    Unavailable {
        /// Name of the tree.
        name: String,
        /// Why.
        reason: String,
    },
}

/// Gets one tree, chooses the base in it and puts the series on that. Gives also what was chosen, to be kept.
pub async fn prepare(
    context: &Context,
    plan: &TreePlan,
    catalogue: &[TreeSpec],
) -> (Prepared, Option<Box<SettledBase>>) {
    let name = plan.tree.name();
    let unavailable = |reason: String| (Prepared::Unavailable { name: name.clone(), reason }, None);
    let series = match &plan.series {
        Ok(series) => series,
        Err(reason) => return unavailable(reason.clone()),
    };
    let refused = series::vet(series).err().unwrap_or_default();
    let spec = match spec(&plan.tree, catalogue) {
        Ok(spec) => spec,
        Err(reason) => return unavailable(reason),
    };
    let work = Unit::start(&context.events, UnitKind::Fetch, format!("fetch/{name}"), 1);
    let tree = match fetched(context, plan, &spec, &work.name).await {
        Ok(tree) => tree,
        Err(reason) => {
            work.end(UnitOutcome::Infra { reason: reason.clone() }, None);
            return unavailable(reason);
        }
    };
    if !refused.is_empty() {
        work.end(UnitOutcome::Done, None);
        let findings = refused.iter().map(|refusal| refusal_finding(&tree, series, refusal)).collect();
        return (Prepared::Rejected { tree, base: None, findings }, None);
    }
    let (tree, settled) = match bases::settle(context, &plan.base, tree, series, &spec).await {
        Ok((tree, settled)) => (tree, Box::new(settled)),
        Err(reason) => {
            work.end(UnitOutcome::Infra { reason: reason.clone() }, None);
            return unavailable(reason);
        }
    };
    work.end(UnitOutcome::Done, None);
    let base = Box::new(settled.base.clone());
    let work = Unit::start(&context.events, UnitKind::Apply, format!("apply/{name}"), 1);
    match tree::apply(&tree, series, &context.cancel).await {
        Ok(applied) => {
            work.end(UnitOutcome::Done, None);
            let (revisions, mut notes) = (applied.revisions, applied.notes);
            notes.extend(series::build_code(series));
            let ready = Prepared::Ready { tree, base, series: Box::new(series.clone()), revisions, notes };
            (ready, Some(settled))
        }
        Err(error) => {
            let reason = error.to_string();
            match conflict_finding(&tree, series, &error) {
                Some(finding) => {
                    work.end(UnitOutcome::Failed { reason }, None);
                    let findings = vec![blame_missing(finding, &base)];
                    (Prepared::Rejected { tree, base: Some(base), findings }, Some(settled))
                }
                None => {
                    work.end(UnitOutcome::Infra { reason: reason.clone() }, None);
                    (Prepared::Unavailable { name: name.clone(), reason }, Some(settled))
                }
            }
        }
    }
}

/// The tree from the cache or its sources. A run that has its base already takes it from the cache as it is.
async fn fetched(context: &Context, plan: &TreePlan, spec: &TreeSpec, unit: &str) -> Result<Tree, String> {
    let chosen = match &plan.base {
        BasePlan::Picked(base) => Some(&base.commit),
        BasePlan::Settled(settled) => Some(&settled.base.commit),
        BasePlan::TreeList | BasePlan::Named | BasePlan::Best | BasePlan::Commit(_) => None,
    };
    if let Some(tree) = chosen.and_then(|commit| tree::held(spec, &context.cache, commit)) {
        return Ok(tree);
    }
    let options = FetchOptions { refresh: context.options().refresh && chosen.is_none() };
    let fetched = tree::fetch(spec, &context.cache, unit, options, &context.events, &context.cancel).await;
    fetched.map_err(|error| error.to_string())
}

/// A patch that does not apply while something it builds on is missing: that is to blame, not the patch.
fn blame_missing(mut finding: Finding, base: &TreeBase) -> Finding {
    let missing = base.unmet();
    if missing.is_empty() || finding.kind != FindingKind::ApplyFailed {
        return finding;
    }
    let names: Vec<&str> = missing.iter().map(|(name, _)| *name).collect();
    let what = if names.len() == 1 { "a prerequisite is missing" } else { "prerequisites are missing" };
    finding.summary = format!("{what} ({}); without that, {}", names.join(", "), finding.summary);
    finding.patch = None;
    let reasons: Vec<String> = missing.iter().map(|(name, why)| format!("{name}: {why}")).collect();
    let proof =
        Evidence { what: "what the series builds on".to_owned(), source: String::new(), text: reasons.join("\n") };
    finding.evidence.insert(0, proof);
    finding
}

fn spec(tree: &TreeArgument, catalogue: &[TreeSpec]) -> Result<TreeSpec, String> {
    match tree {
        TreeArgument::Clone { path, rev } => Ok(TreeSpec::local(path, rev)),
        TreeArgument::Name(name) => match catalogue.iter().find(|spec| spec.name == *name) {
            Some(spec) => Ok(spec.clone()),
            None => {
                let near = crate::config::closest(name, catalogue.iter().map(|spec| spec.name.as_str()));
                let hint = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
                Err(format!("there is no tree `{name}` in series/trees.yaml{hint}"))
            }
        },
    }
}

/// A refused patch as a finding.
fn refusal_finding(tree: &Tree, series: &Series, refusal: &Refusal) -> Finding {
    let frame = Frame { tree: &tree.name, series };
    let number = (refusal.patch > 0).then_some(refusal.patch);
    let summary = format!("{} is refused: {}; {}", frame.name(number), refusal.what, refusal.remedy);
    let mut finding = frame.finding(FindingKind::PatchRefused, Severity::Problem, number, summary);
    let source = format!("{}:{}", refusal.file, refusal.line);
    finding.evidence = vec![Evidence { what: "patch".to_owned(), source, text: line_of(series, refusal) }];
    finding
}

/// The line that a refusal is about, when the patch has it.
fn line_of(series: &Series, refusal: &Refusal) -> String {
    let patch = series.patches.iter().find(|patch| patch.number == refusal.patch);
    let index = |patch: &Patch| refusal.line.checked_sub(patch.diff_line);
    let line = patch.and_then(|patch| patch.diff.lines().nth(index(patch)?));
    line.map_or_else(|| refusal.what.clone(), |line| line.chars().take(240).collect())
}

/// A patch that does not apply, changes nothing or moves a symlink out of the tree, as a finding; `None` when the trouble is ours.
fn conflict_finding(tree: &Tree, series: &Series, error: &ApplyError) -> Option<Finding> {
    let frame = Frame { tree: &tree.name, series };
    match error {
        ApplyError::Conflict(conflict) => Some(conflict_in(&frame, conflict)),
        ApplyError::NoChange { number, .. } => {
            let summary = format!("{} changes nothing", frame.name(Some(*number)));
            let mut finding = frame.finding(FindingKind::ApplyFailed, Severity::Problem, Some(*number), summary);
            finding.evidence =
                vec![Evidence { what: "apply".to_owned(), source: String::new(), text: error.to_string() }];
            Some(finding)
        }
        ApplyError::LeavingLink { number, path, target, why, .. } => {
            let name = frame.name(Some(*number));
            let what = format!("the target `{target}` of the symlink {path} {why}");
            let summary = format!("{name} is refused: {what}; a symlink may only lead to a file of the kernel tree");
            let mut finding = frame.finding(FindingKind::PatchRefused, Severity::Problem, Some(*number), summary);
            finding.evidence =
                vec![Evidence { what: "apply".to_owned(), source: path.clone(), text: error.to_string() }];
            Some(finding)
        }
        ApplyError::Cancelled | ApplyError::Repository { .. } | ApplyError::Cache { .. } | ApplyError::Process(_) => {
            None
        }
    }
}

/// What git said; nothing when it only said that the tree never had the patch's own base.
fn git_words(conflict: &Conflict) -> Option<String> {
    (!conflict.git.contains("Repository lacks necessary blobs")).then(|| conflict.git.clone())
}

fn conflict_in(frame: &Frame<'_>, conflict: &Conflict) -> Finding {
    let number = Some(conflict.number);
    let place = match (&conflict.file, &conflict.hunk) {
        (file, _) if file.is_empty() => String::new(),
        (file, None) => format!(" to {file}"),
        // git cuts the name of the function where its line is full.
        (file, Some(hunk)) => format!(" to {file}, hunk {}", hunk.trim_end_matches([',', ' ', '('])),
    };
    let already = if conflict.already_applied { "; the tree has this change already" } else { "" };
    let summary = format!("{} does not apply{place}: {}{already}", frame.name(number), conflict.reason);
    let mut finding = frame.finding(FindingKind::ApplyFailed, Severity::Problem, number, summary);
    let quote = |what: &str, source: String, lines: &[String]| {
        (!lines.is_empty()).then(|| Evidence { what: what.to_owned(), source, text: lines.join("\n") })
    };
    let patch = frame.series.patches.iter().find(|patch| patch.number == conflict.number);
    let origin = patch.map(|patch| format!("{}:{}", patch.origin.file, patch.diff_line)).unwrap_or_default();
    let found = format!("{}:{}", conflict.file, conflict.found_line);
    finding.evidence = [
        quote("the patch expects", origin.clone(), &conflict.expected),
        quote("the tree has", found, &conflict.found),
        git_words(conflict).map(|text| Evidence { what: "git am -3".to_owned(), source: origin, text }),
    ]
    .into_iter()
    .flatten()
    .collect();
    finding
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::{BaseChoice, Prerequisite, PrerequisiteState};

    #[test]
    fn what_is_missing_is_to_blame_and_not_the_patch() {
        let series = crate::compare::testing::frame_series(2);
        let frame = Frame { tree: "linux-6.1", series: &series };
        let mut base = TreeBase {
            commit: "c".repeat(40),
            chosen: BaseChoice::Named,
            why: String::new(),
            blobs: None,
            prerequisites: vec![Prerequisite {
                name: "prerequisite-change-id: flags:v2".into(),
                state: PrerequisiteState::Unmet { why: "x.mbox does not have it".into() },
            }],
        };
        let finding = |kind| frame.finding(kind, Severity::Problem, Some(2), "patch 2/2 does not apply".into());
        let blamed = blame_missing(finding(FindingKind::ApplyFailed), &base);
        assert_eq!(blamed.patch, None);
        assert_eq!(
            blamed.summary,
            "a prerequisite is missing (prerequisite-change-id: flags:v2); without that, patch 2/2 does not apply"
        );
        assert_eq!(blamed.evidence[0].text, "prerequisite-change-id: flags:v2: x.mbox does not have it");
        let refused = finding(FindingKind::PatchRefused);
        assert_eq!(blame_missing(refused.clone(), &base), refused, "no base would mend that");
        base.prerequisites[0].state = PrerequisiteState::InBase { commit: None };
        let conflict = finding(FindingKind::ApplyFailed);
        assert_eq!(blame_missing(conflict.clone(), &base), conflict);
    }

    #[test]
    fn a_conflict_is_told_without_git_s_own_trouble() {
        let series = crate::compare::testing::frame_series(2);
        let frame = Frame { tree: "linux-6.1", series: &series };
        let conflict = Conflict {
            number: 2,
            total: 2,
            subject: "s".into(),
            file: "mm/a.c".into(),
            hunk: Some("@@ -1,3 +1,4 @@ static int f(pmd_t *pmdp,".into()),
            reason: "the lines it expects are not there".into(),
            expected: vec!["a".into()],
            found: vec!["b".into()],
            found_line: 7,
            git: "error: invalid object; error: Repository lacks necessary blobs to fall back on 3-way merge.".into(),
            already_applied: false,
            applied: Vec::new(),
        };
        let finding = conflict_in(&frame, &conflict);
        assert!(
            finding.summary.ends_with(
                "does not apply to mm/a.c, hunk @@ -1,3 +1,4 @@ static int f(pmd_t *pmdp: the lines it expects are not there"
            ),
            "{}",
            finding.summary
        );
        let shown: Vec<_> = finding.evidence.iter().map(|proof| (proof.what.as_str(), proof.text.as_str())).collect();
        assert_eq!(shown, [("the patch expects", "a"), ("the tree has", "b")]);
        let merge = Conflict { git: "CONFLICT (content): Merge conflict in mm/a.c".into(), ..conflict };
        assert_eq!(conflict_in(&frame, &merge).evidence.len(), 3);
    }
}
