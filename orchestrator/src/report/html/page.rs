//! What the template shows: text, classes and links, ready made. The template escapes all of it.

use super::super::labels::{self, Label, Tone};
use super::super::model::{
    BaseHealth, BootRow, NotCovered, PatchInfo, Report, RunVerdict, SideCoverage, StageTiming, TreeInfo,
};
use super::super::{nodes, view};
use super::builds::{GridView, ReasonView, ReplayView, grids, reasons, replays};
use super::charts::ChartView;
use super::link;
use super::metrics::{MetricsView, histories, metrics};
use super::since::{SinceView, since};
use super::test_tables::{ChangeView, ChangedView, MatrixView, TableView, changed, changes, matrices, table};
use crate::term::text::{clock, count, duration};
use crate::words::{Evidence, Finding};

/// A mark, a word and the class of its tone.
pub struct Mark {
    pub mark: &'static str,
    pub word: String,
    pub class: &'static str,
}

impl From<Label> for Mark {
    fn from(label: Label) -> Mark {
        let class = match label.tone {
            Tone::Good => "good",
            Tone::Bad => "bad",
            Tone::Warn => "warn",
            Tone::Dim => "dim",
        };
        // A word that begins with its mark needs no second one.
        let word = label.word.strip_prefix(label.mark).map(|rest| rest.trim_start().to_owned()).unwrap_or(label.word);
        Mark { mark: label.mark, word, class }
    }
}

/// A name and what belongs to it.
pub struct Fact {
    pub name: &'static str,
    pub text: String,
    pub href: Option<String>,
}

fn fact(name: &'static str, text: impl Into<String>) -> Fact {
    Fact { name, text: text.into(), href: None }
}

/// A place to jump to.
pub struct Jump {
    pub id: &'static str,
    pub text: &'static str,
    pub count: Option<usize>,
}

/// Evidence with a link to its file.
pub struct Proof {
    pub what: String,
    pub source: String,
    pub href: Option<String>,
    pub text: String,
}

fn proofs(evidence: &[Evidence]) -> Vec<Proof> {
    let proof = |evidence: &Evidence| Proof {
        what: evidence.what.clone(),
        source: evidence.source.clone(),
        href: link::evidence(&evidence.source),
        text: evidence.text.clone(),
    };
    evidence.iter().map(proof).collect()
}

/// A finding.
pub struct FindingView {
    pub number: usize,
    pub severity: Mark,
    pub kind: String,
    pub blamed: String,
    pub subject: String,
    pub kconfig: String,
    pub summary: String,
    pub facts: Vec<Fact>,
    pub proofs: Vec<Proof>,
    pub reproduce: String,
}

fn finding(index: usize, finding: &Finding) -> FindingView {
    let facts = [
        ("tree", Some(finding.tree.as_str())),
        ("revision", Some(finding.revision.as_str())),
        ("kconfig", finding.kconfig.as_deref()),
        ("machine", finding.machine.as_deref()),
        ("test", finding.test.as_deref()),
        ("metric", finding.metric.as_deref()),
        ("function", finding.function.as_deref()),
    ];
    let (blamed, subject) = match &finding.patch {
        Some(patch) => (format!("patch {}/{}", patch.number, patch.total), patch.subject.clone()),
        None => (finding.revision.clone(), String::new()),
    };
    FindingView {
        number: index + 1,
        severity: labels::severity(finding.severity).into(),
        kind: labels::word(&finding.kind),
        blamed,
        subject,
        kconfig: finding.kconfig.clone().unwrap_or_default(),
        summary: finding.summary.clone(),
        facts: facts.into_iter().filter_map(|(name, text)| Some(fact(name, text?))).collect(),
        proofs: proofs(&finding.evidence),
        reproduce: finding.reproduce.clone(),
    }
}

/// A patch and the findings that name it.
pub struct PatchView {
    pub number: usize,
    pub subject: String,
    pub author: String,
    pub href: Option<String>,
    pub commits: Vec<String>,
    pub findings: Vec<usize>,
}

fn patches(report: &Report) -> Vec<PatchView> {
    let view = |patch: &PatchInfo| PatchView {
        number: patch.number,
        subject: patch.subject.clone(),
        author: patch.author.clone(),
        href: patch.message_id.as_deref().map(link::mail),
        commits: report
            .trees
            .iter()
            .map(|tree| match tree.applied.iter().find(|applied| applied.number == patch.number) {
                Some(applied) => applied.commit.chars().take(12).collect(),
                None if tree.error.is_some() => "-".to_owned(),
                None => "not applied".to_owned(),
            })
            .collect(),
        findings: report
            .findings
            .iter()
            .enumerate()
            .filter(|(_, finding)| finding.patch.as_ref().is_some_and(|blamed| blamed.number == patch.number))
            .map(|(index, _)| index + 1)
            .collect(),
    };
    report.series.patches.iter().map(view).collect()
}

/// A boot.
pub struct BootView {
    pub tree: String,
    pub kconfig: String,
    pub machine: String,
    pub kernel: String,
    pub selftests: String,
    pub attempt: u32,
    pub mark: Mark,
    pub reason: String,
    pub tests: u32,
    pub splats: u32,
    pub took: String,
    pub accel: String,
    pub node: String,
    pub uname: String,
    pub logs: Vec<Fact>,
    pub replay: String,
}

fn boot(row: &BootRow) -> BootView {
    let log = |name, path: &Option<String>| {
        let path = path.as_deref()?;
        Some(Fact { name, text: path.to_owned(), href: link::file(path) })
    };
    let booted = row.end.is_some();
    BootView {
        tree: row.tree.clone(),
        kconfig: row.kconfig.clone(),
        machine: row.machine.clone(),
        kernel: labels::short_revision(&row.kernel.to_string()),
        selftests: labels::short_revision(&row.selftests.to_string()),
        attempt: row.attempt,
        mark: labels::boot(row).into(),
        reason: labels::boot_reason(row).unwrap_or_default().to_owned(),
        tests: row.tests,
        splats: row.splats,
        took: match (booted, row.reused) {
            (false, _) => String::new(),
            (true, true) => "reused".to_owned(),
            (true, false) => clock(row.wall_ms),
        },
        accel: if booted { labels::word(&row.accel) } else { String::new() },
        node: row.node.as_ref().map(ToString::to_string).unwrap_or_default(),
        uname: row.uname.clone(),
        logs: [log("console", &row.console), log("results", &row.results)].into_iter().flatten().collect(),
        replay: row.replay.clone().unwrap_or_default(),
    }
}

/// Something not covered.
pub struct MissingView {
    pub what: String,
    pub why: String,
    pub place: String,
    pub tests: Vec<String>,
}

/// Trouble of the base.
pub struct HealthView {
    pub place: String,
    pub summary: String,
    pub proofs: Vec<Proof>,
}

/// A tree.
pub struct TreeView {
    pub name: String,
    pub error: String,
    pub version: String,
    pub source: String,
    pub commit: String,
    pub applied: String,
    pub notes: Vec<String>,
}

fn tree(report: &Report, tree: &TreeInfo) -> TreeView {
    let skipped = tree.skipped_sources.iter().map(|skipped| format!("skipped: {skipped}"));
    let base = tree.base.iter().flat_map(view::base_lines);
    TreeView {
        name: tree.name.clone(),
        error: tree.error.clone().unwrap_or_default(),
        version: tree.kernel_version.clone().unwrap_or_default(),
        source: tree.source.clone().unwrap_or_default(),
        commit: tree.commit.clone().unwrap_or_default(),
        applied: format!("{} of {}", tree.applied.len(), report.series.patches.len()),
        notes: skipped.chain(base).chain(tree.notes.iter().cloned()).collect(),
    }
}

/// A stage of the run.
pub struct StageView {
    pub name: &'static str,
    pub done: u32,
    pub reused: u32,
    pub wall: String,
    pub cpu: String,
}

/// The whole page.
#[derive(askama::Template)]
#[template(path = "report.html")]
pub struct Page {
    pub title: String,
    pub verdict: Mark,
    pub headline: String,
    pub facts: Vec<Fact>,
    pub jumps: Vec<Jump>,
    pub findings: Vec<FindingView>,
    /// What stands in the place of findings where there are none.
    pub no_findings: &'static str,
    pub since: Option<SinceView>,
    pub notes: Vec<String>,
    pub trees: Vec<TreeView>,
    pub patches: Vec<PatchView>,
    pub grids: Vec<GridView>,
    pub build_legend: Vec<(&'static str, &'static str)>,
    pub reasons: Vec<ReasonView>,
    pub replays: Vec<ReplayView>,
    pub tables: Vec<TableView>,
    pub changes: Vec<ChangeView>,
    pub changed: Vec<ChangedView>,
    pub matrices: Vec<MatrixView>,
    pub metrics: Vec<MetricsView>,
    pub histories: Vec<ChartView>,
    pub missing: Vec<MissingView>,
    pub coverage: Vec<Fact>,
    pub boots: Vec<BootView>,
    pub health: Vec<HealthView>,
    /// What stands in its place where there is nothing to say.
    pub no_health: &'static str,
    pub command: String,
    pub run: String,
    pub stages: Vec<StageView>,
    pub host: Vec<Fact>,
    pub version: String,
}

impl Page {
    /// The page of a report whose texts are harmless already.
    pub fn new(report: &Report) -> Page {
        let all = view::changed(report);
        let tests: usize = report.tests.iter().map(|table| table.rows.len()).sum();
        let measured = report.metrics.len() + report.walks.len();
        let jump = |id, text, count| Jump { id, text, count };
        Page {
            title: format!("{}: {}", report.series.name, labels::run(report.verdict).word.to_lowercase()),
            verdict: labels::run(report.verdict).into(),
            headline: report.headline.clone(),
            facts: head_facts(report),
            jumps: [
                Some(jump("findings", "Findings", Some(report.findings.len()))),
                report.previous.is_some().then(|| jump("since", "Earlier version", None)),
                Some(jump("series", "Series and trees", None)),
                Some(jump("builds", "Builds", Some(report.builds.len()))),
                Some(jump("tests", "Tests", Some(tests))),
                (measured > 0).then(|| jump("metrics", "Metrics", Some(report.metrics.len()))),
                Some(jump("missing", "Not covered", Some(report.coverage.not_covered.len()))),
                Some(jump("boots", "Boots", Some(report.boots.len()))),
                Some(jump("base", "Base", None)),
                Some(jump("again", "Reproduce", None)),
                Some(jump("host", "Host and time", None)),
            ]
            .into_iter()
            .flatten()
            .collect(),
            findings: report.findings.iter().enumerate().map(|(index, f)| finding(index, f)).collect(),
            no_findings: match report.verdict {
                RunVerdict::Clean | RunVerdict::Findings => "None.",
                RunVerdict::Infra => "None, but the run has no answer: see what was not covered.",
                RunVerdict::Interrupted => "None so far: the run was stopped before its end.",
            },
            since: since(report),
            notes: report.series.notes.iter().chain(&report.run.notes).cloned().collect(),
            trees: report.trees.iter().map(|info| tree(report, info)).collect(),
            patches: patches(report),
            grids: grids(report),
            build_legend: view::build_legend(report),
            reasons: reasons(report),
            replays: replays(report),
            tables: report.tests.iter().map(table).collect(),
            changes: changes(report),
            changed: all.iter().enumerate().map(|(index, entry)| changed(report, index, entry)).collect(),
            matrices: matrices(report, &all),
            metrics: metrics(report),
            histories: histories(report),
            missing: missing(report),
            coverage: coverage(report),
            boots: report.boots.iter().map(boot).collect(),
            health: health(report),
            no_health: if report.boots.is_empty() {
                "Nothing was booted, so nothing is known."
            } else {
                "Nothing was seen that is wrong with the base by itself."
            },
            command: report.run.command.clone(),
            run: report.run.id.clone(),
            stages: stages(report),
            host: host(report),
            version: report.run.version.clone(),
        }
    }
}

fn head_facts(report: &Report) -> Vec<Fact> {
    let series = &report.series;
    let version = series.version.map(|version| format!(" v{version}")).unwrap_or_default();
    let mut facts = vec![fact("series", format!("{}: {}{version}", series.name, series.title))];
    if let Some(upstream) = series.upstream.as_ref().filter(|_| series.port) {
        facts.push(Fact {
            name: "port of",
            text: format!("{} v{}", upstream.title, upstream.version),
            href: Some(link::mail(&upstream.message_id)),
        });
    }
    if let Some(posting) = &series.posting {
        let summary = posting.summary();
        let text = if summary.is_empty() { posting.source.clone() } else { format!("{}; {summary}", posting.source) };
        facts.push(Fact { name: "posted", text, href: posting.url.as_deref().and_then(link::web) });
    }
    for tree in &report.trees {
        let text = match (&tree.error, &tree.kernel_version) {
            (Some(_), _) => format!("{} could not be had", tree.name),
            (None, Some(version)) => format!("{}, {version}", tree.name),
            (None, None) => tree.name.clone(),
        };
        facts.push(fact("tree", text));
    }
    let timing = &report.timing;
    let reused = if timing.units_reused > 0 { format!(", {} reused", timing.units_reused) } else { String::new() };
    facts.extend([
        fact("run", format!("{}, profile {}", report.run.id, labels::word(&report.run.profile))),
        fact("time", format!("{}, {}{reused}", duration(timing.wall_ms), count(timing.units_done, "unit"))),
    ]);
    facts.extend(coverage(report));
    facts
}

fn coverage(report: &Report) -> Vec<Fact> {
    let side = |side: SideCoverage| format!("{} of {}", side.covered, side.total);
    let tests = &report.coverage.tests;
    let builds = &report.coverage.builds;
    let mut text = format!("{} of {} built", builds.built, builds.planned);
    for (n, what) in [(builds.failed, "failed"), (builds.infra, "without an answer"), (builds.not_run, "not run")] {
        if n > 0 {
            text.push_str(&format!(", {n} {what}"));
        }
    }
    vec![
        fact("builds", text),
        fact("tests", format!("base {}, patched {}, {} on both", side(tests.base), side(tests.patched), tests.both)),
    ]
}

/// A kconfig, with its tree where there are several.
pub fn one_of_many(report: &Report, tree: &str, kconfig: &str) -> String {
    if report.trees.len() > 1 { format!("{tree} {kconfig}") } else { kconfig.to_owned() }
}

fn place(tree: Option<&str>, kconfig: Option<&str>) -> String {
    tree.into_iter().chain(kconfig).collect::<Vec<_>>().join(", ")
}

fn missing(report: &Report) -> Vec<MissingView> {
    let view = |not: &NotCovered| MissingView {
        what: not.what.clone(),
        why: not.why.clone(),
        place: place(not.tree.as_deref(), not.kconfig.as_deref()),
        tests: not.tests.clone(),
    };
    report.coverage.not_covered.iter().map(view).collect()
}

fn health(report: &Report) -> Vec<HealthView> {
    let view = |health: &BaseHealth| HealthView {
        place: place(Some(&health.tree), health.kconfig.as_deref()),
        summary: health.summary.clone(),
        proofs: proofs(&health.evidence),
    };
    report.coverage.base_health.iter().map(view).collect()
}

fn stages(report: &Report) -> Vec<StageView> {
    let view = |stage: &StageTiming| StageView {
        name: labels::stage(stage.stage),
        done: stage.done,
        reused: stage.reused,
        wall: duration(stage.wall_ms),
        cpu: duration(stage.cpu_ms),
    };
    report.timing.stages.iter().map(view).collect()
}

fn host(report: &Report) -> Vec<Fact> {
    let host = &report.run.host;
    let timing = &report.timing;
    let tools: Vec<String> = host.toolchains.iter().map(|tool| format!("{} {}", tool.name, tool.version)).collect();
    let sandbox = if host.sandboxed { "" } else { "none: " };
    let mut facts = vec![
        fact(
            "started",
            if report.run.resumed { format!("{}, resumed", report.run.started) } else { report.run.started.clone() },
        ),
        fact("wall time", duration(timing.wall_ms)),
        fact("CPU time", format!("{} of make, QEMU and git", duration(timing.children_cpu_ms))),
        fact("own CPU time", duration(timing.cpu_ms)),
        fact("host", format!("{}, {}", host.os, host.arch)),
        fact("size", format!("{}, {:.1} GiB", count(host.cores, "core"), host.memory_mib as f64 / 1024.0)),
        fact("guests", format!("{}: {}", labels::word(&host.accel), host.accel_why)),
        fact("build sandbox", format!("{sandbox}{}", host.sandbox)),
        fact("tools", tools.join(", ")),
    ];
    facts.extend(nodes::lines(report).into_iter().map(|line| fact("node", line)));
    facts
}
