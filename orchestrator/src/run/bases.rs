//! The right base: which tree and commit a series goes on, and what goes below it.
//!
//! What is chosen is written into `run.json` at once, so that a run that is resumed stays on its base.

use super::posted_stock::PostedStock;
use super::{BasePlan, Context, SettledBase, TreeArgument, TreePlan};
use crate::intake::Intake;
use crate::series::{Preimage, preimages};
use crate::tree::{
    self, Below, BelowOutcome, Candidate, Found, LocalStock, Needed, PrerequisitePlan, Source, Stock, TreeError,
    TreeSpec,
};
use crate::words::{BaseChoice, Patch, Prerequisite, PrerequisiteState, Series, Tree, TreeBase};

/// Commits of the base's history that are searched for prerequisites.
const HISTORY: usize = 500;

/// Turns a plan that leaves the tree open into one that names it. Other plans stay as they are.
pub async fn choose_tree(context: &Context, plan: TreePlan, catalogue: &[TreeSpec]) -> TreePlan {
    let (BasePlan::Best, Ok(series)) = (&plan.base, &plan.series) else { return plan };
    let at_hand = tree::trees_at_hand(catalogue, &context.cache);
    let asked = preimages(series);
    let mut unknown = String::new();
    if let Some(commit) = &series.base_commit {
        match holder(context, &at_hand, catalogue, commit).await {
            Some((tree, how)) => {
                let why = format!("the series names base-commit {}, {how}", short(commit));
                let base = picked(&tree, commit, BaseChoice::BaseCommit, why, &asked, context).await;
                return TreePlan { tree: TreeArgument::Name(tree.name), base: BasePlan::Picked(base), ..plan };
            }
            None => {
                unknown = format!("base-commit {} is in no tree at hand and no git source gave it; ", short(commit));
            }
        }
    }
    let fallback = plan.tree.name();
    let mut candidates = Vec::new();
    for tree in &at_hand {
        candidates.extend(look(context, tree, &asked, true).await);
    }
    match tree::by_blobs(&candidates, &fallback) {
        Some(best) => {
            let why = format!("{unknown}{}", blobs_why(best, asked.len()));
            let base = TreeBase {
                commit: best.commit.clone(),
                chosen: BaseChoice::Blobs,
                why,
                blobs: tree::match_of(best, asked.len()),
                prerequisites: Vec::new(),
            };
            TreePlan { tree: TreeArgument::Name(best.tree.clone()), base: BasePlan::Picked(base), ..plan }
        }
        None => TreePlan { base: BasePlan::TreeList, ..plan },
    }
}

/// The tree that has a commit: one at hand, else one whose git source gives it.
async fn holder(context: &Context, at_hand: &[Tree], catalogue: &[TreeSpec], commit: &str) -> Option<(Tree, String)> {
    if let Some(tree) = at_hand.iter().find(|tree| tree::has_commit(tree, commit)) {
        return Some((tree.clone(), format!("which tree {} has", tree.name)));
    }
    let mut asked: Vec<&str> = Vec::new();
    // Trees that are git branches come before those that have one only for want of a package: a repository of stable
    // branches has the commits of all others, too, and its trees would lend them a wrong name.
    let mut specs: Vec<&TreeSpec> = catalogue.iter().collect();
    specs.sort_by_key(|spec| !matches!(spec.sources.first(), Some(Source::Git { .. })));
    for spec in specs {
        let urls = git_urls(spec);
        if urls.is_empty() || urls.iter().all(|url| asked.contains(url)) {
            continue;
        }
        asked.extend(urls);
        if let Some(tree) = fetch_commit(context, spec, commit).await {
            let how = format!("which was fetched ({})", tree.source);
            return Some((tree, how));
        }
        if context.cancel.is_cancelled() {
            return None;
        }
    }
    None
}

fn git_urls(spec: &TreeSpec) -> Vec<&str> {
    let urls = spec.sources.iter().filter_map(|source| match source {
        Source::Git { url, .. } => Some(url.as_str()),
        Source::Debian(_) | Source::Clone(_) | Source::Tarball { .. } => None,
    });
    urls.collect()
}

/// Fetches a commit by its id. Sources that do not give it are told in a note.
async fn fetch_commit(context: &Context, spec: &TreeSpec, commit: &str) -> Option<Tree> {
    let unit = format!("fetch/{}", spec.name);
    match tree::fetch_commit(spec, &context.cache, &unit, commit, &context.events, &context.cancel).await {
        Ok(tree) => Some(tree),
        Err(TreeError::Unavailable { failures, .. }) => {
            for failure in failures {
                context.note(format!("base-commit {} could not be fetched from {failure}", short(commit)));
            }
            None
        }
        Err(error) => {
            context.note(format!("base-commit {} could not be fetched: {error}", short(commit)));
            None
        }
    }
}

/// The commits of a tree that may be the base. A tree that cannot be looked into has none, and a note says so.
async fn look(context: &Context, tree: &Tree, asked: &[Preimage], with_history: bool) -> Vec<Candidate> {
    match tree::candidates(tree, asked, with_history, &context.cancel).await {
        Ok(candidates) => candidates,
        Err(error) => {
            context.note(format!("the base of the series was not looked for in tree {}: {error}", tree.name));
            Vec::new()
        }
    }
}

/// A base with its blobs counted.
async fn picked(
    tree: &Tree,
    commit: &str,
    chosen: BaseChoice,
    why: String,
    asked: &[Preimage],
    context: &Context,
) -> TreeBase {
    let at = Tree { commit: commit.to_owned(), ..tree.clone() };
    let present = look(context, &at, asked, false).await;
    let blobs = present.first().and_then(|present| tree::match_of(present, asked.len()));
    TreeBase { commit: commit.to_owned(), chosen, why, blobs, prerequisites: Vec::new() }
}

fn blobs_why(best: &Candidate, asked: usize) -> String {
    let place = match best.behind {
        0 => "the base of tree",
        _ => "an older commit of tree",
    };
    format!("{} of {asked} blobs that the patches were made from are in {place} {}", best.matched, best.tree)
}

/// Chooses the base of `series` on a tree that was fetched, as its plan asks for, and puts the prerequisites below.
/// Gives the tree with that base, and what is to be kept in `run.json`.
///
/// # Errors
/// When a base that was asked for, or was chosen before, is not there; one sentence.
pub async fn settle(
    context: &Context,
    plan: &BasePlan,
    tree: Tree,
    series: &Series,
    spec: &TreeSpec,
) -> Result<(Tree, SettledBase), String> {
    if let BasePlan::Settled(settled) = plan {
        let tree = existing(context, spec, tree, &settled.base.commit).await?;
        let below = tree::put_below(&tree, series, &settled.below, &context.cancel).await;
        let (tree, _) = below.map_err(|error| error.to_string())?;
        return Ok((tree, (**settled).clone()));
    }
    let asked = preimages(series);
    let base = match plan {
        BasePlan::Picked(base) => base.clone(),
        BasePlan::Settled(settled) => settled.base.clone(),
        BasePlan::Commit(rev) => {
            let commit = asked_for(context, &tree, spec, rev).await?;
            let why = format!("{rev} was asked for");
            picked(&tree, &commit, BaseChoice::Named, why, &asked, context).await
        }
        BasePlan::Named => within(context, &tree, series, spec, &asked, BaseChoice::Named).await,
        BasePlan::TreeList | BasePlan::Best => within(context, &tree, series, spec, &asked, BaseChoice::TreeList).await,
    };
    let tree = existing(context, spec, tree, &base.commit).await?;
    let PrerequisitePlan { prerequisites, below } = prerequisites(context, &tree, series).await;
    let patches: Vec<_> = below.iter().map(|below| below.patch.clone()).collect();
    let done = tree::put_below(&tree, series, &patches, &context.cancel).await;
    let (tree, outcomes) = done.map_err(|error| error.to_string())?;
    let prerequisites = judged(prerequisites, &below, &outcomes);
    let kept = below.into_iter().zip(&outcomes).filter(|(_, outcome)| **outcome == BelowOutcome::Applied);
    let below: Vec<Patch> = kept.map(|(below, _)| below.patch).collect();
    let mut base = TreeBase { prerequisites, ..base };
    if !below.is_empty() {
        // What the series was made on has its prerequisites.
        let present = look(context, &tree, &asked, false).await;
        base.blobs = present.first().and_then(|present| tree::match_of(present, asked.len()));
    }
    Ok((tree, SettledBase { base, below }))
}

/// The commit that the user asked for by name.
async fn asked_for(context: &Context, tree: &Tree, spec: &TreeSpec, rev: &str) -> Result<String, String> {
    // Names of a clone mean something in the clone alone, and there they were looked up when it was borrowed.
    let in_clone = |source: &Source| matches!(source, Source::Clone(entry) if entry.rev == rev);
    if spec.sources.iter().any(in_clone) {
        return Ok(tree.commit.clone());
    }
    match tree::resolve(tree, rev) {
        Ok(commit) => Ok(commit),
        Err(error) => {
            let fetched = if is_id(rev) { fetch_commit(context, spec, rev).await } else { None };
            fetched.map(|tree| tree.commit).ok_or_else(|| error.to_string())
        }
    }
}

/// The tree at a commit that was chosen before; fetched again when the cache has forgotten it.
async fn existing(context: &Context, spec: &TreeSpec, tree: Tree, commit: &str) -> Result<Tree, String> {
    match tree::at_commit(&tree, commit) {
        Ok(tree) => Ok(tree),
        Err(error) => match fetch_commit(context, spec, commit).await {
            Some(fetched) => tree::at_commit(&tree, &fetched.commit).map_err(|error| error.to_string()),
            None => Err(error.to_string()),
        },
    }
}

fn is_id(rev: &str) -> bool {
    rev.len() == 40 && rev.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The base within a tree that is given: what the series names; else, when it names one that is not there, what fits
/// best; else the tree's own.
async fn within(
    context: &Context,
    tree: &Tree,
    series: &Series,
    spec: &TreeSpec,
    asked: &[Preimage],
    chosen: BaseChoice,
) -> TreeBase {
    let own = |rest: &str| match chosen {
        BaseChoice::Named => format!("tree {} was named{rest}", tree.name),
        BaseChoice::BaseCommit | BaseChoice::Blobs | BaseChoice::TreeList => {
            format!("tree {} is the default{rest}", tree.name)
        }
    };
    let Some(wanted) = &series.base_commit else {
        return picked(tree, &tree.commit, chosen, own(""), asked, context).await;
    };
    let named = format!("the series names base-commit {}", short(wanted));
    if tree::has_commit(tree, wanted) {
        let why = format!("{named}, which tree {} has", tree.name);
        return picked(tree, wanted, BaseChoice::BaseCommit, why, asked, context).await;
    }
    // A tree that came from a git source may be asked for another of its commits; a package or a tarball is what the
    // user wanted to test on.
    let is_git = |source: &Source| matches!(source, Source::Git { .. }) && tree.source.starts_with(&source.to_string());
    if spec.sources.iter().any(is_git)
        && let Some(fetched) = fetch_commit(context, spec, wanted).await
    {
        let why = format!("{named}, which was fetched ({})", fetched.source);
        return picked(&fetched, wanted, BaseChoice::BaseCommit, why, asked, context).await;
    }
    let candidates = look(context, tree, asked, true).await;
    match tree::by_blobs(&candidates, &tree.name) {
        Some(best) if best.behind > 0 => TreeBase {
            commit: best.commit.clone(),
            chosen: BaseChoice::Blobs,
            why: format!("{named}, which is not there; {}", blobs_why(best, asked.len())),
            blobs: tree::match_of(best, asked.len()),
            prerequisites: Vec::new(),
        },
        Some(_) | None => {
            let why = own(&format!("; {named}, which it does not have"));
            picked(tree, &tree.commit, chosen, why, asked, context).await
        }
    }
}

/// Looks for everything that the series builds on.
async fn prerequisites(context: &Context, tree: &Tree, series: &Series) -> PrerequisitePlan {
    let changes = series.prerequisite_changes.iter().map(|text| Needed::change(text));
    let needed: Vec<Needed> =
        changes.chain(series.prerequisite_messages.iter().cloned().map(Needed::Message)).collect();
    if needed.is_empty() && series.prerequisites.is_empty() {
        return PrerequisitePlan::default();
    }
    let in_base = match tree::history_patch_ids(tree, HISTORY).await {
        Ok(ids) => ids,
        Err(error) => {
            context.note(format!("the history of the base was not searched for prerequisites: {error}"));
            Default::default()
        }
    };
    let stocks = stocks(context);
    let mut named = Vec::new();
    for needed in &needed {
        named.push(find(&stocks, needed).await);
    }
    let others = stocks.iter().flat_map(|stock| stock.all().into_iter().map(|series| (stock.name(), series)));
    tree::plan_prerequisites(series, &Found { in_base, named, others: others.collect() })
}

/// Where prerequisites may be found. What cannot be read is told in a note.
fn stocks(context: &Context) -> Vec<Box<dyn Stock>> {
    let mut stocks: Vec<Box<dyn Stock>> = Vec::new();
    for path in &context.options().prerequisites {
        match LocalStock::read(&context.home, path) {
            Ok(stock) => stocks.push(Box::new(stock)),
            Err(error) => context.note(format!("no prerequisite is taken from {path}: {error}")),
        }
    }
    match Intake::open(&context.home, &context.cache, &context.cancel) {
        Ok(intake) => stocks.push(Box::new(PostedStock { intake })),
        Err(error) => context.note(format!("prerequisites are not looked for where they were posted: {error}")),
    }
    stocks
}

async fn find(stocks: &[Box<dyn Stock>], needed: &Needed) -> Result<(String, Series), String> {
    let mut troubles = Vec::new();
    for stock in stocks {
        match stock.find(needed).await {
            Ok(Some(series)) => return Ok((stock.name(), series)),
            Ok(None) => troubles.push(format!("{} does not have it", stock.name())),
            Err(why) => troubles.push(format!("{}: {why}", stock.name())),
        }
    }
    match troubles.is_empty() {
        true => Err("there is nowhere to look for it; name a file with --prerequisite".to_owned()),
        false => Err(troubles.join("; ")),
    }
}

/// The prerequisites after their patches were applied: one whose patch was refused is missing.
fn judged(mut all: Vec<Prerequisite>, below: &[Below], outcomes: &[BelowOutcome]) -> Vec<Prerequisite> {
    let refusals: Vec<(usize, &str, &str)> = below
        .iter()
        .zip(outcomes)
        .filter_map(|(below, outcome)| match outcome {
            BelowOutcome::Refused(why) => Some((below.of, below.patch.subject.as_str(), why.as_str())),
            BelowOutcome::Applied | BelowOutcome::AlreadyThere => None,
        })
        .collect();
    let already: Vec<&str> = below
        .iter()
        .zip(outcomes)
        .filter(|(_, outcome)| **outcome == BelowOutcome::AlreadyThere)
        .map(|(below, _)| below.patch.subject.as_str())
        .collect();
    for (index, one) in all.iter_mut().enumerate() {
        let PrerequisiteState::Applied { patches, .. } = &mut one.state else { continue };
        let refused = refusals.iter().find(|(of, subject, _)| *of == index || patches.iter().any(|one| one == subject));
        if let Some((_, _, why)) = refused {
            one.state = PrerequisiteState::Unmet { why: (*why).to_owned() };
            continue;
        }
        patches.retain(|subject| !already.contains(&subject.as_str()));
        if patches.is_empty() {
            one.state = PrerequisiteState::InBase { commit: None };
        }
    }
    all
}

fn short(commit: &str) -> &str {
    commit.get(..12).unwrap_or(commit)
}

#[cfg(test)]
#[path = "bases_tests.rs"]
mod tests;
