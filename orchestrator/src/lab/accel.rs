//! Finding out how this host can execute a guest's instructions: by running a guest.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::{AccelChoice, LabError, qemu, tiny};
use crate::process::{Command, End, ProcessError, Stream};
use crate::words::{Accel, QemuMachine};

/// The device of hardware virtualisation.
pub(super) const KVM: &str = "/dev/kvm";

/// How long the smallest guest may take under hardware virtualisation; it takes milliseconds.
const KVM_DEADLINE: Duration = Duration::from_secs(5);

/// The same under emulation on a busy host.
const TCG_DEADLINE: Duration = Duration::from_secs(60);

/// What is known about this host, `host.json` in the cache.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Host {
    /// By what determines the answer, see [`identity`].
    #[serde(default)]
    accel: BTreeMap<String, AccelChoice>,
}

/// How to execute the guests of a machine on this host: with KVM when it really runs one, else by emulation.
///
/// The answer is remembered in `host.json` until the host is rebooted or its QEMU or its `/dev/kvm` change.
///
/// # Errors
/// [`LabError::NoGuest`] when not even emulation runs a guest, or QEMU is missing.
pub async fn probe_accel(
    cache: &Utf8Path,
    machine: &QemuMachine,
    cancel: &CancellationToken,
) -> Result<AccelChoice, LabError> {
    probe_with(Utf8Path::new(KVM), cache, machine, cancel).await
}

async fn probe_with(
    kvm: &Utf8Path,
    cache: &Utf8Path,
    machine: &QemuMachine,
    cancel: &CancellationToken,
) -> Result<AccelChoice, LabError> {
    let key = identity(kvm, machine, cancel).await?;
    if let Some(choice) = read(cache)?.accel.get(&key) {
        return Ok(choice.clone());
    }
    let choice = probe(kvm, cache, machine, cancel).await?;
    if cancel.is_cancelled() {
        return Err(no_guest(machine, "interrupted"));
    }
    remember(cache, key, &choice)?;
    Ok(choice)
}

/// Remembers that KVM ran the smallest guest but no kernel.
pub(super) async fn distrust_kvm(
    cache: &Utf8Path,
    machine: &QemuMachine,
    cancel: &CancellationToken,
) -> Result<AccelChoice, LabError> {
    let reason = "emulation: a kernel that boots when it is emulated did not boot under KVM".to_owned();
    let choice = AccelChoice { accel: Accel::Tcg, reason };
    remember(cache, identity(Utf8Path::new(KVM), machine, cancel).await?, &choice)?;
    Ok(choice)
}

async fn probe(
    kvm: &Utf8Path,
    cache: &Utf8Path,
    machine: &QemuMachine,
    cancel: &CancellationToken,
) -> Result<AccelChoice, LabError> {
    let emulated = |why: String| AccelChoice { accel: Accel::Tcg, reason: format!("emulation: {why}") };
    if machine.arch != "x86_64" {
        return Ok(emulated(format!("the hardware virtualisation of {} is not tried", machine.arch)));
    }
    let folder = tempfile::Builder::new().prefix("probe-").tempdir_in(make(cache)?).map_err(io(cache))?;
    let image = Utf8PathBuf::try_from(folder.path().join("tiny.elf")).map_err(|error| {
        let source = error.into_io_error();
        LabError::Io { file: cache.to_owned(), source }
    })?;
    fs_err::write(&image, tiny::image()).map_err(io(&image))?;
    let why = match kvm_problem(kvm) {
        Some(problem) => problem,
        None => match run(machine, Accel::Kvm, &image, KVM_DEADLINE, cancel).await? {
            Ok(()) => {
                let reason = "KVM: a guest ran on this host".to_owned();
                return Ok(AccelChoice { accel: Accel::Kvm, reason });
            }
            Err(problem) => format!("{kvm} is there, but a guest of a few bytes does not run: {problem}"),
        },
    };
    match run(machine, Accel::Tcg, &image, TCG_DEADLINE, cancel).await? {
        Ok(()) => Ok(emulated(why)),
        Err(problem) => Err(no_guest(machine, &format!("a guest of a few bytes does not run: {problem}"))),
    }
}

/// Runs the smallest guest; the inner error says why it did not come to life.
async fn run(
    machine: &QemuMachine,
    accel: Accel,
    image: &Utf8Path,
    deadline: Duration,
    cancel: &CancellationToken,
) -> Result<Result<(), String>, LabError> {
    let mut said = String::new();
    let command = Command::new(&machine.binary, "/").args(arguments(machine, accel, image)).deadline(deadline);
    let exit = command.run(cancel, |stream, line| {
        if stream == Stream::Err && said.len() < 4096 {
            said.push_str(line);
            said.push(' ');
        }
    });
    let exit = exit.await.map_err(|error| process(machine, &error))?;
    let how = match exit.end {
        End::Code(tiny::EXIT_CODE) => return Ok(Ok(())),
        End::Code(code) => format!("exit code {code}"),
        End::Signal(signal) => format!("signal {signal}"),
        End::Deadline => format!("no sign of life within {} s", deadline.as_secs()),
        End::Cancelled => "interrupted".to_owned(),
    };
    Ok(Err(if said.is_empty() { how } else { format!("{how}: {}", said.trim()) }))
}

/// QEMU's arguments for the smallest guest on this machine.
fn arguments(machine: &QemuMachine, accel: Accel, image: &Utf8Path) -> Vec<String> {
    let mut arguments = qemu::base();
    for word in ["-machine", &machine.machine, "-accel", qemu::accel(accel), "-cpu", &machine.cpu, "-m", "64M"] {
        arguments.push(word.to_owned());
    }
    arguments.extend(tiny::EXIT_DEVICE.map(str::to_owned));
    arguments.extend(["-kernel".to_owned(), image.to_string()]);
    arguments
}

/// Why KVM need not be tried at all.
fn kvm_problem(kvm: &Utf8Path) -> Option<String> {
    match std::fs::OpenOptions::new().read(true).write(true).open(kvm) {
        Ok(_) => None,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Some(format!("this host has no {kvm}")),
        Err(error) => Some(format!("{kvm} cannot be opened ({error}); is the user in the group kvm?")),
    }
}

/// All that determines the answer: the host's boot, its CPU, QEMU, `/dev/kvm` and the machine.
async fn identity(kvm: &Utf8Path, machine: &QemuMachine, cancel: &CancellationToken) -> Result<String, LabError> {
    let version = Command::new(&machine.binary, "/").arg("--version").output(cancel).await;
    let version = version.map_err(|error| process(machine, &error))?;
    let read = |file: &str| std::fs::read_to_string(file).unwrap_or_default();
    let openable = kvm_problem(kvm).is_none();
    let kvm = std::fs::metadata(kvm).map_or_else(
        |error| error.kind().to_string(),
        |data| format!("{}:{}:{:o}:{}", data.dev(), data.rdev(), data.mode(), data.gid()),
    );
    let cpu = read("/proc/cpuinfo").lines().find(|line| line.starts_with("model name")).unwrap_or("").to_owned();
    let parts = [
        read("/proc/sys/kernel/random/boot_id"),
        cpu,
        version,
        kvm,
        openable.to_string(),
        arguments(machine, Accel::Kvm, Utf8Path::new("")).join(" "),
    ];
    Ok(format!("{}-{}", machine.arch, &blake3::hash(parts.join("\n").as_bytes()).to_hex()[..16]))
}

fn process(machine: &QemuMachine, error: &ProcessError) -> LabError {
    match error {
        ProcessError::NotFound { .. } => {
            let package = if machine.arch == "arm64" { "qemu-system-arm" } else { "qemu-system-x86" };
            no_guest(machine, &format!("{error}; on Debian: apt-get install {package}"))
        }
        ProcessError::Io { .. } => no_guest(machine, &error.to_string()),
    }
}

fn no_guest(machine: &QemuMachine, reason: &str) -> LabError {
    LabError::NoGuest { binary: machine.binary.clone(), reason: reason.to_owned() }
}

fn io(file: &Utf8Path) -> impl Fn(std::io::Error) -> LabError {
    let file = file.to_owned();
    move |source| LabError::Io { file: file.clone(), source }
}

fn make(cache: &Utf8Path) -> Result<&Utf8Path, LabError> {
    fs_err::create_dir_all(cache).map_err(io(cache))?;
    Ok(cache)
}

/// A file that is missing or that another version wrote says nothing: the host is probed again.
fn read(cache: &Utf8Path) -> Result<Host, LabError> {
    let file = cache.join("host.json");
    match fs_err::read(&file) {
        Ok(text) => Ok(serde_json::from_slice(&text).unwrap_or_default()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Host::default()),
        Err(source) => Err(LabError::Io { file, source }),
    }
}

fn remember(cache: &Utf8Path, key: String, choice: &AccelChoice) -> Result<(), LabError> {
    let mut host = read(cache)?;
    // Answers for earlier boots of the host are of no use any more.
    let name = key.rsplit_once('-').map(|(name, _)| format!("{name}-")).unwrap_or_default();
    host.accel.retain(|other, _| !other.starts_with(&name));
    host.accel.insert(key, choice.clone());
    let file = cache.join("host.json");
    let text = serde_json::to_vec_pretty(&host).map_err(|error| io(&file)(error.into()))?;
    let mut new = tempfile::NamedTempFile::new_in(make(cache)?).map_err(io(&file))?;
    std::io::Write::write_all(&mut new, &text).map_err(io(&file))?;
    new.persist(&file).map_err(|error| io(&file)(error.error))?;
    Ok(())
}

#[cfg(test)]
#[path = "accel_tests.rs"]
mod tests;
