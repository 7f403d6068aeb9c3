//! Everything a run found out, as the report that scripts and people read.

use camino::Utf8Path;

use super::Context;
use super::booter::Booted;
use super::builds::Made;
use super::engine::TreeResult;
use super::examine::Examined;
use super::gaps;
use super::host;
use super::judge;
use super::metric_past::MetricPast;
use super::trees::Prepared;
use super::uncompiled;
use crate::build;
use crate::compare;
use crate::known::KnownIssues;
use crate::lab::AccelChoice;
use crate::report::model::{
    AppliedPatch, BootRow, BuildCell, BuildCoverage, Coverage, CrossResult, KconfigInfo, PatchInfo, PostingInfo,
    Report, RunInfo, RunVerdict, SCHEMA, SeriesInfo, Side, SideCoverage, StageTiming, TestCoverage, TestRow, TestTable,
    Timing, TrailerInfo, TreeInfo, UpstreamInfo, VersionInfo,
};
use crate::words::{BootRecord, BuildOutcome, Kconfig, Kind, Rate, Series, TestComparison, UnitKind, Verdict};

/// What a report is made of.
pub struct Inputs<'a> {
    /// The run.
    pub context: &'a Context,
    /// Its trees.
    pub trees: &'a [TreeResult],
    /// Its kconfigs.
    pub kconfigs: &'a [Kconfig],
    /// All kconfigs there are.
    pub matrix: &'a [Kconfig],
    /// How guests ran, when any did.
    pub accel: Option<&'a AccelChoice>,
    /// What metrics cost in earlier runs.
    pub past: &'a MetricPast,
    /// Findings that a person has explained.
    pub known: &'a KnownIssues,
    /// Whether an earlier process began it.
    pub resumed: bool,
    /// Whether the user stopped it.
    pub interrupted: bool,
    /// Milliseconds that earlier processes worked on it.
    pub wall_before_ms: u64,
    /// Milliseconds that this process worked on it.
    pub wall_ms: u64,
    /// What happened that a reader should know.
    pub notes: Vec<String>,
}

/// Assembles the report.
pub async fn report(inputs: &Inputs<'_>) -> Report {
    let context = inputs.context;
    let judged: Vec<judge::Judged> = inputs.trees.iter().map(|tree| judge::judge(context, tree)).collect();
    let mut findings: Vec<_> = judged.iter().flat_map(|judged| judged.findings.clone()).collect();
    let expired = inputs.known.apply(day(&context.folder.started), &mut findings);
    findings.sort_by_key(|finding| finding.severity);
    for (index, finding) in findings.iter_mut().enumerate() {
        finding.reproduce = format!("orchestrator reproduce {} {}", context.folder.run, index + 1);
    }
    let coverage = coverage(inputs, &judged);
    let tests: Vec<TestTable> = inputs.trees.iter().flat_map(test_tables).collect();
    let measured = || inputs.trees.iter().flat_map(|tree| &tree.measured);
    let mut report = Report {
        schema: SCHEMA.to_owned(),
        series: series(context.folder.series()),
        verdict: RunVerdict::Clean,
        headline: String::new(),
        trees: inputs.trees.iter().map(tree_info).collect(),
        findings,
        coverage,
        timing: timing(inputs),
        run: run_info(inputs).await,
        kconfigs: inputs.kconfigs.iter().map(|kconfig| kconfig_info(kconfig, inputs.trees)).collect(),
        builds: inputs.trees.iter().flat_map(|tree| build_cells(context, tree)).collect(),
        tests,
        boots: inputs.trees.iter().flat_map(|tree| boot_rows(context, tree)).collect(),
        metrics: measured().flat_map(|measured| measured.metrics.clone()).collect(),
        walks: measured().flat_map(|measured| measured.walks.clone()).collect(),
        metric_history: Vec::new(),
        previous: None,
    };
    report.run.notes.extend(expired);
    let name = report.series.name.clone();
    report.metric_history = inputs.past.with(&context.folder.run, &name, &report.metrics);
    (report.verdict, report.headline) = super::verdict::verdict(&report, inputs.interrupted);
    report
}

/// The day on which a run began, by its folder.
fn day(started: &str) -> jiff::civil::Date {
    // The program wrote it; what is no time is before every issue's end.
    started.parse::<jiff::Timestamp>().map_or(jiff::civil::Date::MIN, |at| at.to_zoned(jiff::tz::TimeZone::UTC).date())
}

fn series(series: Option<&Series>) -> SeriesInfo {
    let Some(series) = series else {
        return SeriesInfo {
            name: String::new(),
            title: String::new(),
            version: None,
            patches: Vec::new(),
            upstream: None,
            port: false,
            notes: Vec::new(),
            posting: None,
        };
    };
    let patches = series.patches.iter().map(|patch| PatchInfo {
        number: patch.number,
        subject: patch.subject.clone(),
        author: format!("{} <{}>", patch.author.name, patch.author.email),
        message_id: patch.message_id.clone(),
    });
    SeriesInfo {
        name: series.name.clone(),
        title: series.title.clone(),
        version: series.version,
        patches: patches.collect(),
        upstream: series.upstream.as_ref().map(|upstream| UpstreamInfo {
            title: upstream.title.clone(),
            version: upstream.version,
            message_id: upstream.message_id.clone(),
        }),
        port: series.upstream.is_some(),
        notes: series.notes.clone(),
        posting: series.posting.as_ref().map(|posting| PostingInfo {
            source: posting.source.clone(),
            url: posting.url.clone(),
            versions: posting
                .versions
                .iter()
                .map(|version| VersionInfo { version: version.version, message_id: version.message_id.clone() })
                .collect(),
            trailers: posting
                .trailers
                .iter()
                .map(|trailer| TrailerInfo { patch: trailer.patch, trailer: trailer.trailer.clone() })
                .collect(),
            rerolled: posting.rerolled.clone(),
        }),
    }
}

fn tree_info(result: &TreeResult) -> TreeInfo {
    let (tree, base, applied, notes) = match &result.prepared {
        Prepared::Unavailable { name, reason } => {
            return TreeInfo {
                name: name.clone(),
                kernel_version: None,
                source: None,
                commit: None,
                skipped_sources: Vec::new(),
                error: Some(reason.clone()),
                applied: Vec::new(),
                notes: Vec::new(),
                base: None,
            };
        }
        Prepared::Rejected { tree, base, .. } => (tree, base.clone(), Vec::new(), Vec::new()),
        Prepared::Ready { tree, base, series, revisions, notes } => {
            let applied = series.patches.iter().zip(revisions.iter().skip(1)).map(|(patch, revision)| AppliedPatch {
                number: patch.number,
                subject: patch.subject.clone(),
                commit: revision.commit.clone(),
            });
            (tree, Some(base.clone()), applied.collect(), notes.clone())
        }
    };
    TreeInfo {
        name: tree.name.clone(),
        kernel_version: Some(tree.kernel_version.clone()),
        source: Some(tree.source.clone()),
        commit: Some(tree.commit.clone()),
        skipped_sources: tree.skipped_sources.clone(),
        error: None,
        applied,
        notes,
        base: base.map(|base| *base),
    }
}

fn kconfig_info(kconfig: &Kconfig, trees: &[TreeResult]) -> KconfigInfo {
    let builds = trees.iter().flat_map(|tree| &tree.builds);
    let mut tools = builds.filter(|made| made.record.kconfig == kconfig.name).map(|made| &made.record.toolchain);
    KconfigInfo {
        name: kconfig.name.clone(),
        about: kconfig.about.clone(),
        kind: kconfig.kind,
        arch: kconfig.arch.clone(),
        toolchain: tools.find(|text| !text.is_empty()).map(|text| toolchain_words(text)).unwrap_or_default(),
    }
}

/// `gcc 12.2.0, ld 2.40` from what the tools say of themselves, one per line: `gcc: gcc (Debian 12.2.0-14) 12.2.0`.
fn toolchain_words(lines: &str) -> String {
    let one = |line: &str| {
        let (program, says) = line.split_once(": ").unwrap_or(("", line));
        let mut depth = 0_usize;
        let outside: String = says
            .chars()
            .filter(|c| {
                depth = if *c == '(' { depth + 1 } else { depth };
                let keep = depth == 0;
                depth = if *c == ')' { depth.saturating_sub(1) } else { depth };
                keep
            })
            .collect();
        match outside.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit())) {
            Some(version) => format!("{program} {version}").trim().to_owned(),
            None => line.to_owned(),
        }
    };
    lines.lines().map(one).collect::<Vec<_>>().join(", ")
}

/// A path of the run's folder, as reports name it.
pub(super) fn log_path(unit: &str, name: &str) -> String {
    format!("units/{unit}/{name}")
}

/// A path, if the file is there.
fn existing(context: &Context, unit: &str, name: &str) -> Option<String> {
    let path = log_path(unit, name);
    context.folder.path().join(&path).is_file().then_some(path)
}

fn build_cells(context: &Context, result: &TreeResult) -> Vec<BuildCell> {
    let Prepared::Ready { tree, .. } = &result.prepared else { return Vec::new() };
    let of = |kconfig: &str, index: usize| {
        result.builds.iter().find(|made| made.record.kconfig == kconfig && made.record.revision.index() == index)
    };
    let cell = |made: &Made| {
        let record = &made.record;
        let index = record.revision.index();
        let earlier = (0..index).rev().filter_map(|index| of(&record.kconfig, index));
        let twin = (0..index)
            .filter_map(|index| of(&record.kconfig, index))
            .find(|other| record.artefacts.image.is_some() && other.record.artefacts.image == record.artefacts.image);
        let before =
            earlier.into_iter().find(|other| super::board::bootable(&other.record) || record.kind != Kind::Boot);
        let new =
            before.map_or(0, |before| build::new_diagnostics(&before.record.diagnostics, &record.diagnostics).len());
        BuildCell {
            tree: tree.name.clone(),
            kconfig: record.kconfig.clone(),
            revision: record.revision,
            outcome: record.outcome.clone(),
            new_diagnostics: u32::try_from(new).unwrap_or(u32::MAX),
            wall_ms: record.wall_ms,
            cpu_ms: record.cpu_ms,
            reused: made.reused,
            identical_to: twin.map(|twin| twin.record.revision.to_string()),
            objects: u32::try_from(record.compiled.len()).unwrap_or(u32::MAX),
            log: Utf8Path::new(&record.log).file_name().and_then(|name| existing(context, &made.unit, name)),
            replay: (!record.replay.is_empty()).then(|| record.replay.clone()),
        }
    };
    result.builds.iter().map(cell).collect()
}

fn boot_rows(context: &Context, result: &TreeResult) -> Vec<BootRow> {
    let Prepared::Ready { tree, .. } = &result.prepared else { return Vec::new() };
    let row = |booted: &Booted| {
        let record = &booted.record;
        BootRow {
            tree: tree.name.clone(),
            kconfig: record.kconfig.clone(),
            machine: record.machine.clone(),
            kernel: record.kernel,
            selftests: record.selftests,
            attempt: record.attempt,
            end: Some(record.end.clone()),
            not_booted: None,
            identical_to: None,
            accel: record.accel,
            wall_ms: record.wall_ms,
            cpu_ms: record.cpu_ms,
            uname: record.uname.clone(),
            tests: u32::try_from(record.tests.len()).unwrap_or(u32::MAX),
            splats: u32::try_from(record.splats.len()).unwrap_or(u32::MAX),
            reused: booted.reused,
            console: existing(context, &booted.unit, "console.log"),
            results: existing(context, &booted.unit, "results.jsonl"),
            replay: (!record.replay.is_empty()).then(|| record.replay.clone()),
        }
    };
    result.boots().map(row).collect()
}

fn test_tables(result: &TreeResult) -> Vec<TestTable> {
    let Prepared::Ready { tree, .. } = &result.prepared else { return Vec::new() };
    let table = |examined: &Examined| TestTable {
        tree: tree.name.clone(),
        kconfig: examined.kconfig.clone(),
        machine: examined.machine.clone(),
        note: examined.not_booted.clone(),
        rows: examined.comparisons.iter().map(|comparison| row(comparison, examined)).collect(),
    };
    result.examined.iter().map(table).collect()
}

fn row(comparison: &TestComparison, examined: &Examined) -> TestRow {
    let cross = [
        (Side::Patched, Side::Base, &examined.patched_old_tests),
        (Side::Base, Side::Patched, &examined.base_new_tests),
    ];
    let cross = cross.into_iter().filter_map(|(kernel, selftests, boots)| {
        let records: Vec<BootRecord> = boots.iter().map(|boot| boot.record.clone()).collect();
        let tries = compare::collect(&records).remove(&comparison.test)?;
        Some(CrossResult { kernel, selftests, rate: tries.rate(), verdict: tries.representative()?.clone() })
    });
    TestRow {
        test: comparison.test.clone(),
        change: comparison.change,
        base: comparison.base,
        patched: comparison.patched,
        base_verdict: comparison.base_verdict.clone(),
        patched_verdict: comparison.patched_verdict.clone(),
        note: comparison.note.clone(),
        cross: cross.collect(),
    }
}

fn coverage(inputs: &Inputs<'_>, judged: &[judge::Judged]) -> Coverage {
    let mut coverage = Coverage::default();
    for comparison in inputs.trees.iter().flat_map(|tree| &tree.examined).flat_map(|examined| &examined.comparisons) {
        add_test(&mut coverage.tests, comparison);
    }
    for made in inputs.trees.iter().flat_map(|tree| &tree.builds) {
        add_build(&mut coverage.builds, &made.record.outcome);
    }
    let matrix: Vec<_> = inputs.matrix.iter().map(|kconfig| (kconfig.name.clone(), kconfig.profile)).collect();
    let options = inputs.context.options();
    coverage.not_covered.extend(gaps::other_profiles(&matrix, options.profile, !options.kconfigs.is_empty()));
    coverage.unmeasured.extend(inputs.trees.iter().flat_map(gaps::unmeasured));
    for tree in inputs.trees {
        let (Some(reach), Prepared::Ready { tree, .. }) = (uncompiled::reach(tree), &tree.prepared) else { continue };
        coverage.untested.extend(reach.nothing(&tree.name));
        coverage.not_covered.extend(reach.gap(&tree.name));
    }
    for judged in judged {
        coverage.not_covered.extend(judged.not_covered.iter().cloned());
        coverage.base_health.extend(judged.base_health.iter().cloned());
    }
    coverage
}

fn add_test(tests: &mut TestCoverage, comparison: &TestComparison) {
    let add = |side: &mut SideCoverage, rate: Rate, verdict: Option<&Verdict>| {
        let covered = rate.tries > 0;
        side.total += u32::from(verdict.is_some());
        side.covered += u32::from(covered);
        covered
    };
    let base = add(&mut tests.base, comparison.base, comparison.base_verdict.as_ref());
    let patched = add(&mut tests.patched, comparison.patched, comparison.patched_verdict.as_ref());
    tests.both += u32::from(base && patched);
}

fn add_build(builds: &mut BuildCoverage, outcome: &BuildOutcome) {
    builds.planned += 1;
    match outcome {
        BuildOutcome::Built => builds.built += 1,
        BuildOutcome::Failed { .. } | BuildOutcome::SelftestsFailed { .. } => builds.failed += 1,
        BuildOutcome::Infra { .. } => builds.infra += 1,
        BuildOutcome::NotRun { .. } => builds.not_run += 1,
    }
}

fn timing(inputs: &Inputs<'_>) -> Timing {
    let mut build = stage(UnitKind::Build);
    let mut boot = stage(UnitKind::Boot);
    for made in inputs.trees.iter().flat_map(|tree| &tree.builds) {
        add_unit(&mut build, made.reused, made.record.wall_ms, made.record.cpu_ms);
    }
    for booted in inputs.trees.iter().flat_map(TreeResult::boots) {
        add_unit(&mut boot, booted.reused, booted.record.wall_ms, booted.record.cpu_ms);
    }
    Timing {
        wall_ms: inputs.wall_before_ms + inputs.wall_ms,
        cpu_ms: host::own_cpu_ms(),
        children_cpu_ms: build.cpu_ms + boot.cpu_ms,
        units_done: build.done + boot.done + build.reused + boot.reused,
        units_reused: build.reused + boot.reused,
        stages: vec![build, boot],
    }
}

fn stage(stage: UnitKind) -> StageTiming {
    StageTiming { stage, done: 0, reused: 0, wall_ms: 0, cpu_ms: 0 }
}

fn add_unit(stage: &mut StageTiming, reused: bool, wall_ms: u64, cpu_ms: u64) {
    if reused {
        stage.reused += 1;
    } else {
        stage.done += 1;
        stage.wall_ms += wall_ms;
        stage.cpu_ms += cpu_ms;
    }
}

async fn run_info(inputs: &Inputs<'_>) -> RunInfo {
    let folder = &inputs.context.folder;
    RunInfo {
        id: folder.run.clone(),
        started: folder.started.clone(),
        command: folder.command.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        profile: folder.options.profile,
        resumed: inputs.resumed,
        host: host::info(inputs.accel, inputs.kconfigs, inputs.trees).await,
        notes: inputs.notes.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::toolchain_words;

    #[test]
    fn tools_are_named_with_their_versions() {
        let gcc = "gcc: gcc (Debian 12.2.0-14+deb12u1) 12.2.0\nld: GNU ld (GNU Binutils for Debian) 2.40";
        let clang = "clang: Debian clang version 14.0.6\nld.lld: Debian LLD 14.0.6 (compatible with GNU linkers)";
        assert_eq!(toolchain_words(gcc), "gcc 12.2.0, ld 2.40");
        assert_eq!(toolchain_words(clang), "clang 14.0.6, ld.lld 14.0.6");
        assert_eq!(toolchain_words("odd: no number"), "odd: no number");
    }
}
