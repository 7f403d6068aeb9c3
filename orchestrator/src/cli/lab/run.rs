//! `orchestrator lab run`: a build on a machine, without a series.

use std::sync::Arc;

use camino::Utf8PathBuf;
use clap::Args;

use super::machines::machine;
use super::{ExitCode, Failure, Global, start};
use crate::lab::{self, BootRequest, Selection};
use crate::suite;
use crate::words::{Accel, BootEnd, BootSpec, BuildRecord, Event, Revision, Verdict};

/// Arguments of `lab run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The machine
    name: String,
    /// Key of a build in the cache, or the beginning of one
    #[arg(long, value_name = "KEY", required_unless_present = "kernel")]
    build: Option<String>,
    /// A kernel of your own; its ELF file `vmlinux` lies beside it, or tells its build id with --build-id
    #[arg(long, value_name = "FILE", conflicts_with = "build", requires = "program")]
    kernel: Option<Utf8PathBuf>,
    /// Build id of that kernel, in hex
    #[arg(long, value_name = "HEX", requires = "kernel")]
    build_id: Option<String>,
    /// Program of the suite, for a kernel of your own
    #[arg(long, value_name = "FILE")]
    program: Option<Utf8PathBuf>,
    /// Suite to run
    #[arg(long, default_value = "hmm")]
    suite: String,
    /// Only these tests
    #[arg(long = "test", value_name = "TEST")]
    tests: Vec<String>,
    /// Folder for the logs [default: lab-run in the results folder]
    #[arg(long, value_name = "DIR")]
    dir: Option<Utf8PathBuf>,
}

/// What boots.
struct Chosen {
    kernel: Utf8PathBuf,
    build_id: Option<String>,
    modules: Vec<Utf8PathBuf>,
    program: Utf8PathBuf,
    config: String,
}

/// Boots once and prints what each test did: exit code 1 when one failed, 2 without an answer.
pub async fn run(global: &Global, args: &RunArgs) -> Result<ExitCode, Failure> {
    let places = start::Places::find(global)?;
    let cancel = start::cancel_on_signals()?;
    let machine = machine(&places, &args.name)?;
    let suite = lab::suite(places.home.root(), &args.suite).map_err(Failure::usage)?;
    let chosen = match (&args.build, &args.kernel) {
        (Some(key), _) => of_build(&places, key, suite.selftest.as_deref())?,
        (None, Some(kernel)) => of_file(&places, args, kernel)?,
        (None, None) => return Err(Failure::usage("give --build or --kernel")),
    };
    let accel = match machine.qemu() {
        Some(qemu) => lab::probe_accel(&places.cache, qemu, &cancel).await.map_err(Failure::infra)?.accel,
        None => Accel::Native,
    };
    let mut selection = Selection { only: args.tests.clone(), ..Selection::default() };
    selection.skip.extend(suite.skip.iter().map(|test| format!("{}.{test}", suite.name)));
    let dir = args.dir.clone().map_or_else(|| places.results.join("lab-run"), |dir| places.cwd.join(dir));
    let request = BootRequest {
        unit: format!("lab run {}", args.name),
        kernel: chosen.kernel,
        build_id: chosen.build_id,
        modules: chosen.modules,
        selftests: vec![(suite.name.clone(), chosen.program)],
        suites: vec![suite.clone()],
        spec: BootSpec { machine: Some(args.name.clone()), ..BootSpec::default() },
        machine: machine.clone(),
        selection: selection.clone(),
        accel,
        counting: None,
        files: Vec::new(),
        deadline_factor: 1,
        cache: places.cache.clone(),
        dir,
        events: Arc::new(|event| match event {
            Event::UnitProgress { message, .. } | Event::Note { message } => start::write_note(&message),
            _ => {}
        }),
        cancel,
    };
    let raw = lab::boot(&request).await;
    let console = fs_err::read(&raw.console).unwrap_or_default();
    let input = suite::JudgeInput {
        frames: &raw.frames,
        problems: &raw.problems,
        end: &raw.end,
        console: &String::from_utf8_lossy(&console),
        suites: std::slice::from_ref(&suite.name),
        readers: &[(suite.name.clone(), suite.reads())],
        readings: &[(suite.name.clone(), suite.metrics.clone())],
        only: &selection.only,
        skip: &selection.skip,
        modules: &[],
        config: &chosen.config,
    };
    let revision = Revision::Base;
    let meta = suite::BootMeta {
        kernel: revision,
        selftests: revision,
        kconfig: String::new(),
        machine: machine.name.clone(),
        accel: raw.accel,
        attempt: 1,
        dir: raw.dir.clone(),
        wall_ms: raw.wall_ms,
        cpu_ms: raw.cpu_ms,
        replay: raw.replay.clone(),
    };
    let record = suite::judge(input, meta);
    for test in &record.tests {
        say!("{:8} {}", word(&test.verdict), test.test);
    }
    for splat in &record.splats {
        say!("kernel   {}", crate::term::text::visible(&splat.title));
    }
    say!("end: {}; logs in {}", end(&record.end), raw.dir);
    if !record.remaining.is_empty() {
        say!("not run: {}", record.remaining.join(" "));
    }
    let bad = |verdict: &Verdict| matches!(verdict, Verdict::Fail { .. } | Verdict::Timeout | Verdict::Crashed { .. });
    Ok(match &record.end {
        BootEnd::Infra { .. } => ExitCode::Infra,
        BootEnd::Panicked | BootEnd::Hung { .. } | BootEnd::Reset => ExitCode::Findings,
        BootEnd::Completed if record.tests.iter().any(|test| bad(&test.verdict)) => ExitCode::Findings,
        BootEnd::Completed => ExitCode::Clean,
    })
}

fn word(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "pass",
        Verdict::Fail { .. } => "fail",
        Verdict::Timeout => "timeout",
        Verdict::Skip { .. } => "skip",
        Verdict::Xfail => "xfail",
        Verdict::Crashed { .. } => "crashed",
        Verdict::Infra { .. } => "infra",
    }
}

fn end(end: &BootEnd) -> String {
    match end {
        BootEnd::Completed => "completed".to_owned(),
        BootEnd::Panicked => "the kernel panicked".to_owned(),
        BootEnd::Hung { deadline } => format!("hung (deadline {deadline})"),
        BootEnd::Reset => "the machine reset without a word".to_owned(),
        BootEnd::Infra { reason } => format!("trouble of ours: {reason}"),
    }
}

fn of_build(places: &start::Places, key: &str, selftest: Option<&str>) -> Result<Chosen, Failure> {
    let builds = places.cache.join("builds");
    let mut found = Vec::new();
    for entry in fs_err::read_dir(&builds).map_err(Failure::infra)? {
        let name = entry.map_err(Failure::infra)?.file_name().to_string_lossy().into_owned();
        if name.starts_with(key) {
            found.push(name);
        }
    }
    let [name] = found.as_slice() else {
        return Err(Failure::usage(format!("{} builds in {builds} begin with `{key}`; one is needed", found.len())));
    };
    let dir = builds.join(name);
    let text = fs_err::read(dir.join("record.json")).map_err(Failure::infra)?;
    let record: BuildRecord = serde_json::from_slice(&text).map_err(Failure::infra)?;
    let artefacts = record.artefacts;
    let image = artefacts.image_file.ok_or_else(|| Failure::usage(format!("build {name} has no image to boot")))?;
    let wanted = selftest.and_then(|path| path.rsplit('/').next());
    let program = artefacts.selftest_files.iter().find(|file| file.rsplit('/').next() == wanted);
    let program = program.ok_or_else(|| Failure::usage(format!("build {name} lacks the program of the suite")))?;
    Ok(Chosen {
        kernel: dir.join(image),
        build_id: artefacts.build_id,
        modules: artefacts.modules.iter().map(|module| dir.join(module)).collect(),
        program: dir.join(program),
        config: fs_err::read_to_string(dir.join("config")).unwrap_or_default(),
    })
}

fn of_file(places: &start::Places, args: &RunArgs, kernel: &Utf8PathBuf) -> Result<Chosen, Failure> {
    let kernel = places.cwd.join(kernel);
    let program = args.program.as_ref().map(|program| places.cwd.join(program));
    let build_id = match &args.build_id {
        Some(id) => Some(id.to_lowercase()),
        None => {
            let vmlinux = kernel.with_file_name("vmlinux");
            let bytes = fs_err::read(&vmlinux).map_err(Failure::usage)?;
            crate::build::build_id(&bytes).map_err(|error| Failure::usage(format!("{vmlinux}: {error}")))?
        }
    };
    let program = program.ok_or_else(|| Failure::usage("give the suite's program with --program"))?;
    let config = fs_err::read_to_string(kernel.with_file_name("config")).unwrap_or_default();
    Ok(Chosen { kernel, build_id, modules: Vec::new(), program, config })
}
