//! One boot, from request to record.

use std::sync::Mutex;
use std::time::Instant;

use camino::{Utf8Path, Utf8PathBuf};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::agent::agent_for;
use super::ending::{Seen, decide};
use super::progress::Progress;
use super::qemu::{self, INITRAMFS, Results};
use super::recorder::{Bounded, LIMIT, Recorder};
use super::supervisor::{Supervisor, Tokens};
use super::watch::{Limits, Watch};
use super::{BootRequest, RawBoot, accel, follow, plan, record, sockets};
use crate::process::{Command, Sandbox, SandboxProbe};
use crate::words::{Accel, BootEnd, Event, QemuMachine};

/// Files of an attempt beside the initramfs and the sockets.
const FILES: [&str; 7] =
    ["console.log", "results.jsonl", "qemu.log", "plan.json", qemu::COUNTS, qemu::RESULTS_FILE, record::FILE];

/// Boots a guest and runs the suites in it.
///
/// This never fails: trouble of ours is a [`BootEnd::Infra`] that says what to do. A guest whose agent never speaks
/// under hardware virtualisation is tried again by emulation; when it speaks there, the host is remembered as one
/// whose KVM boots no kernel, and an event says so. The first try's files are then in the folder `kvm`.
pub(super) async fn boot_guest(request: &BootRequest, qemu: &QemuMachine) -> RawBoot {
    let first = attempt(request, qemu, request.accel).await;
    if request.accel != Accel::Kvm || !is_suspect(&first) || request.cancel.is_cancelled() {
        return first;
    }
    if let Err(error) = set_aside(&request.dir) {
        return failed(request, request.accel, error);
    }
    let second = attempt(request, qemu, Accel::Tcg).await;
    if !second.frames.is_empty() {
        let message = match accel::distrust_kvm(&request.cache, qemu, &request.cancel).await {
            Ok(choice) => format!("{}: {}", request.unit, choice.reason),
            Err(error) => format!("{}: KVM boots no kernel here, but this cannot be remembered: {error}", request.unit),
        };
        (request.events)(Event::Note { message });
    }
    second
}

/// A guest that ran without a word of its agent, for no reason that its kernel gave.
fn is_suspect(boot: &RawBoot) -> bool {
    let ran = !boot.replay.is_empty();
    match &boot.end {
        BootEnd::Hung { .. } | BootEnd::Reset | BootEnd::Infra { .. } => ran && boot.frames.is_empty(),
        BootEnd::Completed | BootEnd::Panicked => false,
    }
}

fn set_aside(dir: &Utf8Path) -> Result<(), String> {
    let aside = dir.join("kvm");
    fs_err::create_dir_all(&aside).map_err(|error| error.to_string())?;
    for name in FILES.into_iter().filter(|name| dir.join(name).exists()) {
        fs_err::rename(dir.join(name), aside.join(name)).map_err(|error| error.to_string())?;
    }
    Ok(())
}

async fn attempt(request: &BootRequest, qemu: &QemuMachine, accel: Accel) -> RawBoot {
    let start = Instant::now();
    let mut boot = match try_attempt(request, qemu, accel).await {
        Ok(boot) => boot,
        Err(reason) => failed(request, accel, reason),
    };
    boot.wall_ms = start.elapsed().as_millis() as u64;
    if let Err(error) = record::write(request, &boot) {
        boot.end = BootEnd::Infra { reason: error };
    }
    boot
}

async fn try_attempt(request: &BootRequest, machine: &QemuMachine, accel: Accel) -> Result<RawBoot, String> {
    let dir = &request.dir;
    let guest = plan::guest(request).map_err(|problems| problems.join("; "))?;
    let listener = prepare(dir, &guest, agent_for(&machine.arch)?)?;
    let parts = qemu::Guest {
        machine,
        spec: &request.spec,
        accel,
        kernel: &request.kernel,
        command_line: &guest.command_line,
        counting: request.counting.as_ref(),
    };
    let (command, confined) = confine(parts.command(dir, Results::Live), request, machine, accel);
    let recorder = Mutex::new(Recorder::create(dir, LIMIT)?);
    let results = Bounded::create(dir.join("results.jsonl"), LIMIT)?;
    let news = Notify::new();
    let tokens = Tokens::default();
    let limits = Limits::new(&request.machine.timeouts, accel, request.spec.slowness, request.deadline_factor);
    let watch = Watch::new(limits, tokio::time::Instant::now());
    let progress = Progress::new(request);
    progress.say("starting the kernel");
    let supervisor = Supervisor::new(&recorder, &news, results, watch, progress);
    let run = async {
        let ended = CancellationToken::new();
        let qemu = async {
            let exit = command.run(&tokens.stop, |stream, line| {
                recorder.lock().expect("no holder panics").line(stream, line);
                news.notify_one();
            });
            let exit = exit.await;
            ended.cancel();
            exit
        };
        let exit = match accel {
            Accel::Kvm | Accel::Tcg | Accel::Native => qemu.await,
            Accel::Icount => tokio::join!(qemu, follow::relay(dir, &ended, &tokens.stop)).0,
        };
        tokens.gone.cancel();
        exit
    };
    let (exit, gathered) = tokio::join!(run, supervisor.run(listener, dir, &request.cancel, &tokens));
    for socket in [sockets::RESULTS, sockets::CONTROL] {
        // Of no use any more; another attempt would replace them.
        let _ = std::fs::remove_file(dir.join(socket));
    }
    let recorder = recorder.into_inner().expect("no holder panics");
    let cpu_ms = exit.as_ref().map_or(0, |exit| exit.cpu.as_millis() as u64);
    let seen = Seen {
        stop: gathered.stop.or(recorder.stop),
        exit: exit.map(|exit| exit.end).map_err(|error| error.to_string()),
        qemu: recorder.qemu,
        console: gathered.console.unwrap_or(recorder.console),
        problem: gathered.problem,
        said: gathered.said,
    };
    Ok(RawBoot {
        end: decide(&seen),
        frames: gathered.frames,
        problems: seen.problem.into_iter().collect(),
        dir: dir.clone(),
        console: dir.join("console.log"),
        accel,
        confined,
        wall_ms: 0,
        cpu_ms,
        replay: parts.command(dir, Results::Replay).replay(),
    })
}

/// Makes the folder and all that QEMU needs in it.
fn prepare(dir: &Utf8Path, guest: &plan::Guest, agent: &[u8]) -> Result<tokio::net::UnixListener, String> {
    let said = |error: std::io::Error| error.to_string();
    fs_err::create_dir_all(dir).map_err(said)?;
    for name in FILES {
        match fs_err::remove_file(dir.join(name)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(said(error)),
            Ok(()) | Err(_) => {}
        }
    }
    let plan = serde_json::to_vec_pretty(&guest.plan).map_err(|error| error.to_string())?;
    let contents: Result<Vec<_>, _> = guest.files.iter().map(|(file, _)| fs_err::read(file).map_err(said)).collect();
    fs_err::write(dir.join(INITRAMFS), guest.initramfs(agent, &plan, &contents?)).map_err(said)?;
    fs_err::write(dir.join("plan.json"), plan).map_err(said)?;
    sockets::listen(dir, sockets::RESULTS).map_err(|error| format!("{}: {error}", dir.join(sockets::RESULTS)))
}

/// Confines QEMU to its boot folder, where the host can do that.
fn confine(
    command: Command,
    request: &BootRequest,
    machine: &QemuMachine,
    with: Accel,
) -> (Command, Result<(), String>) {
    let command = command.death_signal(nix::sys::signal::Signal::SIGKILL);
    match Sandbox::probe() {
        SandboxProbe::Missing(reason) => (command, Err(reason.clone())),
        SandboxProbe::Works => {
            let devices = match with {
                // Where it is missing, QEMU says so better than bwrap.
                Accel::Kvm => Some(Utf8PathBuf::from(accel::KVM)).filter(|kvm| kvm.exists()).into_iter().collect(),
                Accel::Tcg | Accel::Icount | Accel::Native => Vec::new(),
            };
            // A QEMU that is named by its path may lie where a home folder is hidden.
            let binary = Utf8Path::new(&machine.binary);
            let program = binary.is_absolute().then(|| binary.to_owned());
            let counting = request.counting.iter().flat_map(|counting| [&counting.plugin, &counting.symbols]).cloned();
            let sandbox = Sandbox {
                writable: vec![request.dir.clone()],
                readable: std::iter::once(request.kernel.clone()).chain(program).chain(counting).collect(),
                hidden: Vec::new(),
                devices,
            };
            (command.sandbox(sandbox), Ok(()))
        }
    }
}

pub(super) fn failed(request: &BootRequest, accel: Accel, reason: String) -> RawBoot {
    RawBoot {
        end: BootEnd::Infra { reason },
        frames: Vec::new(),
        problems: Vec::new(),
        dir: request.dir.clone(),
        console: request.dir.join("console.log"),
        accel,
        confined: Err("it did not run".to_owned()),
        wall_ms: 0,
        cpu_ms: 0,
        replay: String::new(),
    }
}

#[cfg(test)]
#[path = "boot_tests.rs"]
mod tests;
