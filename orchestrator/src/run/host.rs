//! The host, for the report.

use crate::lab::AccelChoice;
use crate::process::{Command, Sandbox, SandboxProbe, confinement};
use crate::report::model::{HostInfo, ToolchainInfo};
use crate::words::{Accel, Kconfig};

use super::engine::TreeResult;

/// Describes the host as far as a reader needs it to weigh the results.
pub async fn info(accel: Option<&AccelChoice>, kconfigs: &[Kconfig], trees: &[TreeResult]) -> HostInfo {
    let machine = nix::sys::utsname::uname().map(|name| name.machine().to_string_lossy().into_owned());
    let (sandboxed, sandbox) = match Sandbox::probe() {
        SandboxProbe::Works => (true, confinement()),
        SandboxProbe::Missing(reason) => (false, reason.clone()),
    };
    HostInfo {
        os: os_name(),
        arch: machine.unwrap_or_default(),
        cores: std::thread::available_parallelism().map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(u32::MAX)),
        memory_mib: memory_mib(),
        accel: accel.map_or(Accel::Tcg, |choice| choice.accel),
        accel_why: accel.map_or_else(|| "no test was booted".to_owned(), |choice| choice.reason.clone()),
        toolchains: toolchains(kconfigs, trees).await,
        sandboxed,
        sandbox,
    }
}

/// CPU time of this process so far, in milliseconds, without its children.
pub fn own_cpu_ms() -> u64 {
    let usage = nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_SELF);
    let ms = |time: nix::sys::time::TimeVal| time.tv_sec() * 1000 + time.tv_usec() / 1000;
    usage.map_or(0, |usage| u64::try_from(ms(usage.user_time()) + ms(usage.system_time())).unwrap_or(0))
}

fn os_name() -> String {
    let text = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let name = text.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    name.map_or_else(|| "Linux".to_owned(), |name| name.trim_matches('"').to_owned())
}

fn memory_mib() -> u64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()).unwrap_or(0) / 1024
}

/// Compilers as the builds recorded them, then QEMU.
async fn toolchains(kconfigs: &[Kconfig], trees: &[TreeResult]) -> Vec<ToolchainInfo> {
    let builds = trees.iter().flat_map(|tree| &tree.builds);
    let lines = builds.flat_map(|made| made.record.toolchain.lines());
    let mut list: Vec<ToolchainInfo> = Vec::new();
    for line in lines {
        let (name, version) = line.split_once(": ").unwrap_or((line, ""));
        let tool = ToolchainInfo { name: name.to_owned(), version: version.to_owned() };
        if !list.contains(&tool) {
            list.push(tool);
        }
    }
    if kconfigs.iter().any(|kconfig| kconfig.boot.is_some()) {
        let never = tokio_util::sync::CancellationToken::new();
        let name = "qemu-system-x86_64";
        if let Ok(text) = Command::new(name, "/").arg("--version").output(&never).await {
            let version = text.lines().next().unwrap_or_default().to_owned();
            list.push(ToolchainInfo { name: name.to_owned(), version });
        }
    }
    list
}
