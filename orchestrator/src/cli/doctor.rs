//! `orchestrator doctor`: what this host can do, and how to mend what is missing.

use std::time::Duration;

use camino::Utf8Path;
use clap::Args;
use tokio_util::sync::CancellationToken;

use super::args::{Failure, Global};
use super::{ExitCode, start};
use crate::build;
use crate::diagnosis;
use crate::lab;
use crate::process::{Command, Sandbox, SandboxProbe, confinement};
use crate::term::stdout_width;
use crate::words::{Accel, Profile};

/// Arguments of `doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Say instead why this run stands still, or why it ended as it did: run id, a beginning of one, or `latest`
    #[arg(long, value_name = "RUN")]
    run: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
enum State {
    /// As it should be.
    Good,
    /// Something works less well or is not covered.
    Limited,
    /// The quick profile cannot run.
    Missing,
}

/// One line of the doctor.
#[derive(Debug, serde::Serialize)]
struct Check {
    what: String,
    state: State,
    found: String,
    remedy: Option<String>,
}

impl Check {
    fn good(what: &str, found: impl Into<String>) -> Check {
        Check { what: what.into(), state: State::Good, found: found.into(), remedy: None }
    }

    fn bad(what: &str, state: State, found: impl Into<String>, remedy: impl Into<String>) -> Check {
        Check { what: what.into(), state, found: found.into(), remedy: Some(remedy.into()) }
    }
}

/// Free space that a first run of the quick profile needs, in GiB.
const DISK_GIB: u64 = 12;

/// Memory that one guest and a build need, in MiB.
const MEMORY_MIB: u64 = 6 * 1024;

/// Checks the host; exit code 2 when the quick profile cannot run.
pub async fn doctor(global: &Global, args: &DoctorArgs) -> Result<ExitCode, Failure> {
    let places = start::Places::find(global)?;
    if let Some(run) = &args.run {
        return of_run(&places, run, args.json);
    }
    let cancel = start::cancel_on_signals()?;
    let mut checks = vec![cores(), memory(), disk(&places.cache)];
    checks.extend(toolchains(&places, &cancel).await);
    checks.push(sparse(&cancel).await);
    checks.push(qemu(&cancel).await);
    checks.push(accel(&places, &cancel).await);
    checks.push(arm64(&cancel).await);
    checks.push(sandbox());
    checks.push(git(&cancel).await);
    let missing = checks.iter().any(|check| check.state == State::Missing);
    if args.json {
        say!("{}", serde_json::to_string_pretty(&checks).map_err(Failure::infra)?);
    } else {
        print(&checks);
        say!("home     {}{}", places.home.root(), if places.home.is_embedded() { " (built-in copies)" } else { "" });
        say!("results  {}", places.results);
        say!("cache    {}", places.cache);
    }
    Ok(if missing { ExitCode::Infra } else { ExitCode::Clean })
}

/// How long a run is watched to see which of its processes work.
const WATCH: Duration = Duration::from_secs(2);

/// Explains one run; exit code 2 when it does not go on by itself.
fn of_run(places: &start::Places, run: &str, json: bool) -> Result<ExitCode, Failure> {
    let facts = diagnosis::gather(&places.results, &places.cache, run, WATCH).map_err(Failure::usage)?;
    let explanations = diagnosis::explain(&facts);
    if json {
        let value = serde_json::json!({ "facts": facts, "explanations": explanations });
        say!("{}", serde_json::to_string_pretty(&value).map_err(Failure::infra)?);
    } else {
        say!("run {}", facts.path);
        start::write_out(&diagnosis::show(&explanations, stdout_width()));
    }
    let trouble = explanations.iter().any(|one| one.weight == diagnosis::Weight::Trouble);
    Ok(if trouble { ExitCode::Infra } else { ExitCode::Clean })
}

/// What the emulated arm64 guest needs; no quick run has one.
async fn arm64(cancel: &CancellationToken) -> Check {
    let what = "guests of arm64";
    if let Err(why) = lab::agent_for("arm64") {
        return Check::bad(what, State::Limited, why, lab::ARM64_REMEDY);
    }
    match Command::new("qemu-system-aarch64", "/").arg("--version").output(cancel).await {
        Ok(version) => Check::good(what, version.lines().next().unwrap_or_default()),
        Err(error) => Check::bad(what, State::Limited, error.to_string(), "on Debian: apt-get install qemu-system-arm"),
    }
}

fn print(checks: &[Check]) {
    let width = checks.iter().map(|check| check.what.len()).max().unwrap_or_default();
    for check in checks {
        let mark = match check.state {
            State::Good => "ok     ",
            State::Limited => "limited",
            State::Missing => "MISSING",
        };
        say!("{mark}  {:<width$} {}", check.what, check.found);
        if let Some(remedy) = &check.remedy {
            say!("         {:<width$} -> {remedy}", "");
        }
    }
}

fn cores() -> Check {
    let count = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    if count >= 2 {
        Check::good("cores", count.to_string())
    } else {
        Check::bad("cores", State::Limited, count.to_string(), "a first run takes about an hour on one core")
    }
}

fn memory() -> Check {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()).unwrap_or(0);
    let mib = kib / 1024;
    if mib >= MEMORY_MIB {
        Check::good("memory available", format!("{mib} MiB"))
    } else {
        let remedy =
            format!("a guest of 3 GiB beside a build wants {MEMORY_MIB} MiB; close something or run with --guests 1");
        Check::bad("memory available", State::Limited, format!("{mib} MiB"), remedy)
    }
}

fn disk(cache: &Utf8Path) -> Check {
    match nix::sys::statvfs::statvfs(cache.as_std_path()) {
        Ok(stat) => {
            let gib = (stat.blocks_available() * stat.fragment_size()) >> 30;
            let found = format!("{gib} GiB free for {cache}");
            if gib >= DISK_GIB {
                Check::good("disk", found)
            } else {
                let remedy = format!("a first run needs {DISK_GIB} GiB: `orchestrator gc`, or --cache on another disk");
                Check::bad("disk", State::Limited, found, remedy)
            }
        }
        Err(error) => {
            Check::bad("disk", State::Missing, format!("{cache}: {error}"), "give another folder with --cache")
        }
    }
}

async fn toolchains(places: &start::Places, cancel: &CancellationToken) -> Vec<Check> {
    let kconfigs = match build::matrix(&places.home) {
        Ok(kconfigs) => kconfigs,
        Err(error) => return vec![Check::bad("kconfigs", State::Missing, error.to_string(), "mend the file")],
    };
    let mut checks = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    for kconfig in &kconfigs {
        if !seen.insert((kconfig.toolchain.clone(), kconfig.cross_compile.clone())) {
            continue;
        }
        let users = kconfigs
            .iter()
            .filter(|other| other.toolchain == kconfig.toolchain && other.cross_compile == kconfig.cross_compile);
        let (mut quick, mut names) = (false, Vec::new());
        for user in users {
            quick |= user.profile == Profile::Quick;
            names.push(user.name.as_str());
        }
        let what = format!("{}{}", kconfig.cross_compile, kconfig.toolchain);
        checks.push(match build::toolchain(kconfig, build::BuildOptions::default(), cancel).await {
            Ok(versions) => Check::good(&what, versions.replace('\n', "; ")),
            Err(error) => {
                let state = if quick { State::Missing } else { State::Limited };
                let text = error.to_string();
                let (found, remedy) = text.split_once(": ").unwrap_or((&text, "mend it"));
                Check::bad(&what, state, format!("{found}; not run without it: {}", names.join(", ")), remedy)
            }
        });
    }
    checks
}

async fn sparse(cancel: &CancellationToken) -> Check {
    let what = "sparse";
    match Command::new(what, "/").arg("--version").output(cancel).await {
        Ok(text) => Check::good(what, text.trim()),
        Err(error) => {
            let found = format!("{error}; not possible without it: run --sparse");
            Check::bad(what, State::Limited, found, "apt-get install sparse")
        }
    }
}

async fn qemu(cancel: &CancellationToken) -> Check {
    let what = "qemu-system-x86_64";
    match Command::new(what, "/").arg("--version").output(cancel).await {
        Ok(text) => Check::good(what, text.lines().next().unwrap_or_default()),
        Err(error) => Check::bad(what, State::Missing, error.to_string(), "apt-get install qemu-system-x86"),
    }
}

async fn accel(places: &start::Places, cancel: &CancellationToken) -> Check {
    let what = "hardware virtualisation";
    let machine = match lab::machine(places.home.root(), "qemu-x86_64") {
        Ok(machine) => machine,
        Err(error) => return Check::bad(what, State::Missing, error.to_string(), "mend the file"),
    };
    let Some(qemu) = machine.qemu() else {
        return Check::bad(what, State::Missing, "lab/qemu-x86_64.yaml is no guest".to_owned(), "mend the file");
    };
    match lab::probe_accel(&places.cache, qemu, cancel).await {
        Ok(choice) if choice.accel == Accel::Kvm => Check::good(what, choice.reason),
        Ok(choice) => Check::bad(what, State::Limited, choice.reason, "guests are emulated, about ten times slower"),
        Err(error) => Check::bad(what, State::Missing, error.to_string(), "mend QEMU"),
    }
}

fn sandbox() -> Check {
    match Sandbox::probe() {
        SandboxProbe::Works => Check::good("sandbox", confinement()),
        SandboxProbe::Missing(reason) => {
            let remedy = "apt-get install bubblewrap and allow user namespaces; until then patches run code as you";
            Check::bad("sandbox", State::Limited, reason.clone(), remedy)
        }
    }
}

async fn git(cancel: &CancellationToken) -> Check {
    match Command::new("git", "/").arg("--version").output(cancel).await {
        Ok(text) => Check::good("git", text.trim()),
        Err(error) => Check::bad("git", State::Missing, error.to_string(), "apt-get install git"),
    }
}
