//! The formats of a run's files: no version changes its shape, every version is read, a newer one is refused.

use camino::{Utf8Path, Utf8PathBuf};
use serde_json::{Value, json};

use super::{
    BasePlan, EventLog, LOG_FORMAT, Options, RunFolder, SettledBase, TreeArgument, TreePlan, cache_format, debug_line,
    folder, read_events,
};
use crate::formats::{all, has_not_changed, of_the_future};
use crate::report::Report;
use crate::report::model::SCHEMA;
use crate::term::{Live, Mode, Styles};
use crate::words::{
    Accel, Artefacts, BaseChoice, BlamedPatch, BlobMatch, BootEnd, BootRecord, BuildOutcome, BuildRecord, Clock, Cover,
    Crash, Date, Diagnostic, DroppedSymbol, Envelope, Event, Evidence, Finding, FindingKind, FunctionCount, Kind,
    Level, MetricSamples, Node, NotCompiled, Origin, Patch, PendingUnit, Person, PostedVersion, Posting, Prerequisite,
    PrerequisiteState, Profile, ReceivedTrailer, Revision, Sample, Series, Severity, Splat, SplatKind, TestRecord,
    Tool, TreeBase, UnitKind, UnitOutcome, Upstream, Verdict,
};

fn text(word: &str) -> String {
    word.to_owned()
}

fn person(name: &str) -> Person {
    Person { name: text(name), email: format!("{name}@example.org") }
}

const DATE: Date = Date { seconds: 1_767_323_045, offset_minutes: 60 };

fn envelope() -> Envelope {
    Envelope {
        message_id: text("m@x"),
        subject: text("[PATCH v6 1/1] s"),
        from: person("a"),
        to: vec![person("b")],
        cc: vec![person("c")],
        references: vec![text("r@x")],
        date: Some(DATE),
    }
}

fn patch() -> Patch {
    Patch {
        number: 1,
        total: 1,
        subject: text("mm: s"),
        author: person("a"),
        date: DATE,
        message: text("body"),
        diff: text("diff"),
        diff_line: 9,
        message_id: Some(text("m@x")),
        origin: Origin { file: "x.mbox".into(), line: 1 },
        envelope: Some(envelope()),
    }
}

fn series() -> Series {
    let (subject, body, message_id) = (text("[PATCH v6 0/1] s"), text("body"), Some(text("m@x")));
    Series {
        name: text("v6"),
        title: text("t"),
        version: Some(6),
        default_tree: Some(text("linux-6.12")),
        upstream: Some(Upstream {
            title: text("t"),
            version: 6,
            message_id: text("m@x"),
            trees: vec![text("mm-unstable")],
        }),
        cover: Some(Cover { subject, author: person("a"), body, message_id, envelope: Some(envelope()) }),
        change_id: Some(text("c")),
        base_commit: Some(text("b")),
        prerequisites: vec![text("p")],
        prerequisite_changes: vec![text("pc")],
        prerequisite_messages: vec![text("pm")],
        patches: vec![patch()],
        posting: Some(Posting {
            source: text("lore"),
            url: Some(text("https://x")),
            versions: vec![PostedVersion { version: 6, message_id: text("m@x"), subject: text("s"), date: Some(DATE) }],
            trailers: vec![ReceivedTrailer {
                patch: Some(1),
                trailer: text("Acked-by: c"),
                from: person("c"),
                message_id: text("r@x"),
            }],
            rerolled: vec![1],
        }),
        notes: vec![text("n")],
    }
}

fn options() -> Options {
    Options {
        series: text("v6"),
        trees: vec![TreeArgument::Name(text("linux-6.12"))],
        profile: Profile::Quick,
        kconfigs: vec![text("hmm")],
        machines: vec![text("qemu-x86_64")],
        machines_with: [(text("gpu"), text("xe"))].into_iter().collect(),
        tests: vec![text("hmm.a")],
        w1: true,
        sparse: true,
        no_boot: false,
        clocks: vec![Clock::Instructions, Clock::Wall],
        fresh: false,
        refresh: true,
        prerequisites: vec!["/p.mbox".into()],
        reproduces: true,
        engine: text("local"),
        by_itself: true,
        jobs: 2,
        guests: 1,
    }
}

fn trees() -> Vec<TreePlan> {
    let state = |state| Prerequisite { name: text("p"), state };
    let base = TreeBase {
        commit: text("c"),
        chosen: BaseChoice::Blobs,
        why: text("w"),
        blobs: Some(BlobMatch { matched: 1, asked: 2 }),
        prerequisites: vec![
            state(PrerequisiteState::InBase { commit: Some(text("c")) }),
            state(PrerequisiteState::Applied { patches: vec![text("a")], from: text("f") }),
            state(PrerequisiteState::Unmet { why: text("w") }),
        ],
    };
    let clone = TreeArgument::Clone { path: "/src/linux".into(), rev: text("HEAD") };
    let plan = |tree: TreeArgument, series: Result<Series, String>, base| TreePlan { tree, series, base };
    let name = || TreeArgument::Name(text("linux-6.12"));
    vec![
        plan(
            name(),
            Ok(series()),
            BasePlan::Settled(Box::new(SettledBase { base: base.clone(), below: vec![patch()] })),
        ),
        plan(clone, Err(text("no port")), BasePlan::Commit(text("v6.12"))),
        plan(name(), Ok(series()), BasePlan::TreeList),
        plan(name(), Ok(series()), BasePlan::Named),
        plan(name(), Ok(series()), BasePlan::Best),
        plan(name(), Ok(series()), BasePlan::Picked(base)),
    ]
}

fn events() -> Vec<Event> {
    let ended = |outcome| {
        let (unit, kind, key) = (text("build/t/p1/hmm"), UnitKind::Build, Some(text("k")));
        Event::UnitEnded { unit, kind, attempt: 1, outcome, key, reused: false, wall_ms: 5 }
    };
    let reason = || text("r");
    let finding = Finding {
        kind: FindingKind::TestRegressed,
        severity: Severity::Problem,
        tree: text("t"),
        revision: text("patch 1/1"),
        patch: Some(BlamedPatch { number: 1, total: 1, subject: text("mm: s") }),
        kconfig: Some(text("hmm")),
        machine: Some(text("qemu-x86_64")),
        test: Some(text("hmm.a")),
        metric: Some(text("hmm-bench.a")),
        function: Some(text("f")),
        summary: text("s"),
        evidence: vec![Evidence { what: text("w"), source: text("s"), text: text("t") }],
        reproduce: text("r"),
    };
    let mut all = vec![
        Event::RunStarted { run: text("r"), format: LOG_FORMAT, command: text("c"), resumed: false },
        Event::Planned { units: 1, reused: 0, pending: Vec::new() },
        Event::Found { finding: Box::new(finding) },
        Event::Note { message: text("n") },
        ended(UnitOutcome::Done),
        ended(UnitOutcome::Failed { reason: reason() }),
        ended(UnitOutcome::Infra { reason: reason() }),
        ended(UnitOutcome::NotRun { reason: reason() }),
        Event::RunEnded { verdict: text("clean"), wall_ms: 9 },
    ];
    for kind in [UnitKind::Fetch, UnitKind::Apply, UnitKind::Build, UnitKind::Boot] {
        let pending = vec![PendingUnit { unit: text("u"), kind, usual_ms: Some(7) }];
        all.push(Event::Planned { units: 1, reused: 0, pending });
        all.push(Event::UnitStarted { unit: text("u"), kind, attempt: 1 });
    }
    all
}

fn build() -> BuildRecord {
    let diagnostic = Diagnostic {
        level: Level::Warning,
        tool: Tool::Compiler,
        file: text("mm/a.c"),
        line: 3,
        function: Some(text("f")),
        message: text("m"),
        option: Some(text("-Wx")),
        text: text("t"),
    };
    let dropped = DroppedSymbol {
        symbol: text("A"),
        wanted: text("y"),
        got: text("n"),
        asked_by: text("a.config:1"),
        why: text("w"),
    };
    let artefacts = Artefacts {
        dir: "builds/k".into(),
        image: Some(text("i")),
        image_file: Some(text("vmlinux")),
        build_id: Some(text("b")),
        modules: vec![text("m.ko")],
        selftests: Some(text("s")),
        selftest_files: vec![text("selftests/hmm-tests")],
        sources: Some(text("sources")),
    };
    BuildRecord {
        node: Some(Node { engine: text("slurm"), name: text("n1") }),
        key: text("k"),
        revision: Revision::Patch { number: 1, total: 2 },
        kconfig: text("hmm"),
        kind: Kind::Boot,
        outcome: BuildOutcome::SelftestsFailed { reason: text("r") },
        diagnostics: vec![diagnostic],
        compiled: vec![text("mm/a.o")],
        not_compiled: vec![NotCompiled { path: text("mm/b.c"), reason: text("r") }],
        dropped: vec![dropped],
        notes: vec![text("n")],
        toolchain: text("gcc 12"),
        artefacts,
        sandbox: Ok(()),
        log: text("build.log"),
        wall_ms: 1,
        cpu_ms: 2,
        replay: text("make"),
    }
}

fn boot() -> BootRecord {
    let verdicts = [
        Verdict::Pass,
        Verdict::Fail { reason: text("d") },
        Verdict::Timeout,
        Verdict::Skip { reason: text("r") },
        Verdict::Xfail,
        Verdict::Crashed { crash: Crash::Panic },
        Verdict::Infra { reason: text("r") },
    ];
    let tests = verdicts.into_iter();
    let splat = Splat {
        kind: SplatKind::Kasan,
        title: text("t"),
        function: Some(text("f")),
        signature: text("s"),
        line: 4,
        text: text("x"),
        test: Some(text("hmm.a")),
    };
    let metric = MetricSamples {
        metric: text("hmm-bench.a"),
        pages: 512,
        samples: vec![Sample { phase: 1, value: 2, copy: Some(1) }],
        functions: vec![FunctionCount {
            function: text("f"),
            inlined_in: Some(text("g")),
            instructions: 9,
            least: 8,
            most: 10,
        }],
    };
    BootRecord {
        node: Some(Node { engine: text("slurm"), name: text("n1") }),
        kernel: Revision::Base,
        selftests: Revision::Base,
        kconfig: text("hmm"),
        machine: text("qemu-x86_64"),
        accel: Accel::Tcg,
        attempt: 1,
        end: BootEnd::Hung { deadline: text("silence") },
        uname: text("6.12"),
        log_checked: Err(text("w")),
        tests: tests
            .map(|verdict| TestRecord { test: text("hmm.a"), verdict, output: text("o"), guest_ms: 3 })
            .collect(),
        metrics: vec![metric],
        remaining: vec![text("hmm.b")],
        splats: vec![splat],
        dir: Utf8PathBuf::from("boots/k/1"),
        wall_ms: 1,
        cpu_ms: 2,
        replay: text("qemu"),
    }
}

/// A run whose `run.json` is this text.
fn run_with(results: &Utf8Path, text: &str) -> Utf8PathBuf {
    let path = results.join("r1");
    fs_err::create_dir_all(&path).unwrap();
    fs_err::write(path.join("run.json"), text).unwrap();
    path
}

fn scratch() -> (tempfile::TempDir, Utf8PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = Utf8PathBuf::from_path_buf(folder.path().to_owned()).unwrap();
    (folder, path)
}

fn value(of: &impl serde::Serialize) -> Value {
    serde_json::to_value(of).unwrap()
}

#[test]
fn the_plan_of_a_run_keeps_its_format() {
    let (_guard, results) = scratch();
    let run = RunFolder::create(&results, "orchestrator run series v6", options(), trees()).unwrap();
    let written = fs_err::read_to_string(run.path().join("run.json")).unwrap();
    let mut now: Value = serde_json::from_str(&written).unwrap();
    (now["run"], now["started"]) = (json!("r1"), json!("2026-01-02T03:04:05Z"));
    has_not_changed("run", folder::FORMAT, &[now]);
    for (name, text) in all("run") {
        run_with(&results, &text);
        let run = RunFolder::open(&results, "r1").unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(run.options.series, "v6", "{name}");
        if name == format!("run-v{}.json", folder::FORMAT) {
            assert_eq!((run.options, run.trees), (options(), trees()));
        }
    }
    let newer = of_the_future("run", folder::FORMAT, "format");
    let path = run_with(&results, &newer);
    let error = RunFolder::open(&results, "r1").unwrap_err().to_string();
    assert!(error.contains("a newer orchestrator wrote it"), "{error}");
    assert_eq!(fs_err::read_to_string(path.join("run.json")).unwrap(), newer);
}

#[test]
fn the_event_log_keeps_its_format() {
    let (_guard, results) = scratch();
    let path = results.join("events.jsonl");
    let mut log = EventLog::open(&path).unwrap();
    events().iter().for_each(|event| log.append(event).unwrap());
    let at = |line: &str| {
        let mut value: Value = serde_json::from_str(line).unwrap();
        value["at"] = json!(1);
        value
    };
    let now: Vec<Value> = fs_err::read_to_string(&path).unwrap().lines().map(at).collect();
    has_not_changed("events", LOG_FORMAT, &now);
    for (name, text) in all("events") {
        fs_err::write(&path, &text).unwrap();
        assert_eq!(read_events(&path).unwrap().len(), text.lines().count(), "{name}");
    }
    fs_err::write(&path, of_the_future("events", LOG_FORMAT, "format")).unwrap();
    let error = read_events(&path).unwrap_err().to_string();
    assert!(error.contains("a newer orchestrator wrote it"), "{error}");
}

#[test]
fn every_kind_of_event_is_among_those_whose_format_is_kept() {
    let kinds: std::collections::BTreeSet<&str> = events()
        .iter()
        .map(|event| match event {
            // A new kind of event raises the version of the log: add it to `events` as well.
            Event::RunStarted { .. } => "run-started",
            Event::Planned { .. } => "planned",
            Event::UnitStarted { .. } => "unit-started",
            Event::UnitProgress { .. } => "never kept",
            Event::UnitEnded { .. } => "unit-ended",
            Event::Found { .. } => "found",
            Event::Note { .. } => "note",
            Event::RunEnded { .. } => "run-ended",
        })
        .collect();
    assert_eq!(kinds.len(), 7);
}

#[test]
fn records_of_the_cache_keep_its_format() {
    has_not_changed("build", cache_format::FORMAT, &[value(&build())]);
    has_not_changed("boot", cache_format::FORMAT, &[value(&boot())]);
    for (name, text) in all("build") {
        let read: BuildRecord = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(read.kconfig, "hmm", "{name}");
    }
    for (name, text) in all("boot") {
        let read: BootRecord = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(read.kconfig, "hmm", "{name}");
    }
}

#[test]
fn the_report_keeps_its_format() {
    let version: u32 = SCHEMA.rsplit_once('/').unwrap().1.parse().unwrap();
    let now: Vec<Value> = crate::report::fixtures::all().iter().map(|(_, report)| value(report)).collect();
    has_not_changed("report", version, &now);
    for (name, text) in all("report") {
        for line in text.lines() {
            Report::from_json(line).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    }
    let newer = of_the_future("report", version, "schema");
    let error = Report::from_json(newer.lines().next().unwrap()).unwrap_err().to_string();
    assert!(error.contains("use the version of orchestrator that wrote it"), "{error}");
}

#[tokio::test]
async fn a_run_of_a_newer_program_is_not_written_to() {
    let live = || Live::start(Mode::Quiet, Styles::plain());
    let version: u32 = SCHEMA.rsplit_once('/').unwrap().1.parse().unwrap();
    let report = of_the_future("report", version, "schema").lines().next().unwrap().to_owned();
    for (file, newer) in [("events.jsonl", of_the_future("events", LOG_FORMAT, "format")), ("report.json", report)] {
        let (_guard, root) = scratch();
        let run = super::testing::run_folder(&root.join("results"), "a");
        fs_err::write(run.path().join(file), &newer).unwrap();
        let home = crate::config::Home::find(None, &root, &root.join("cache")).unwrap();
        let places = super::Places { home, cache: root.join("cache") };
        let stop = tokio_util::sync::CancellationToken::new();
        let error = super::execute(&places, &run, live(), stop).await.unwrap_err().to_string();
        assert!(error.contains("orchestrator"), "{error}");
        assert_eq!(fs_err::read_to_string(run.path().join(file)).unwrap(), newer, "{file}");
    }
}

#[test]
fn the_debug_log_keeps_its_format() {
    let line = debug_line::DebugLine {
        at: 1,
        level: text("info"),
        process: 7,
        unit: Some(text("build/t/p1/hmm")),
        room: text("run"),
        message: debug_line::BEGINS.to_owned(),
        fields: [(text("format"), json!(debug_line::FORMAT))].into_iter().collect(),
    };
    has_not_changed("debug", debug_line::FORMAT, &[value(&line)]);
    let (_guard, run) = scratch();
    for (name, text) in all("debug") {
        fs_err::write(run.join("debug.jsonl"), &text).unwrap();
        assert_eq!(debug_line::read(&run).unwrap().len(), text.lines().count(), "{name}");
    }
}
