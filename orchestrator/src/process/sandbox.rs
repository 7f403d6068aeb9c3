//! Confinement of builds and guests with bubblewrap.

use std::sync::OnceLock;

use camino::{Utf8Path, Utf8PathBuf};

/// What a confined process may see: the programs of the host read-only, an empty `/tmp`, no network, its own processes.
///
/// Nothing is shown that is not named here: neither homes nor `/etc/shadow`, keys of servers, other caches, results
/// or sockets. That counts above all where the orchestrator runs as root, who may read everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sandbox {
    /// Folders it may write.
    pub writable: Vec<Utf8PathBuf>,
    /// Folders it may read beside those of the system.
    pub readable: Vec<Utf8PathBuf>,
    /// Folders shown empty.
    pub hidden: Vec<Utf8PathBuf>,
    /// Devices it may use, e.g. `/dev/kvm`.
    pub devices: Vec<Utf8PathBuf>,
}

/// Whether this host can confine processes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SandboxProbe {
    /// bubblewrap really started a confined process.
    Works,
    /// It did not; the reason is for the report.
    Missing(String),
}

/// Folders with programs, and what programs read to run. Symlinks are shown as symlinks.
const SYSTEM: [&str; 12] = [
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/opt",
    "/nix/store",
    "/gnu/store",
    "/sys/devices/system",
    "/sys/class/drm",
];

/// What of `/etc` programs need. None of it is secret.
const ETC: [&str; 16] = [
    "alternatives",
    "clang",
    "crypto-policies",
    "debian_version",
    "group",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "localtime",
    "nsswitch.conf",
    "os-release",
    "passwd",
    "perl",
    "python3",
    "qemu",
    "ssl/openssl.cnf",
];

/// Places below which no program is looked for, even where `PATH` names them: they hold what people keep there.
const PRIVATE: [&str; 12] =
    ["/root", "/home", "/tmp", "/var", "/run", "/mnt", "/media", "/srv", "/etc", "/dev", "/proc", "/sys"];

/// Empty folders that may be written, and their most bytes: they are memory.
const SCRATCH: [(&str, &str); 4] =
    [("/tmp", "2147483648"), ("/var/tmp", "1073741824"), ("/run", "16777216"), ("/dev/shm", "1073741824")];

/// What this host's bubblewrap can do beyond the least that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Features {
    /// `--size` of a tmpfs (0.7 on).
    sizes: bool,
    /// `--disable-userns` (0.8 on): no namespaces, and so no capabilities, can be had inside.
    no_namespaces: bool,
}

const FULL: Features = Features { sizes: true, no_namespaces: true };

impl Sandbox {
    /// Arguments of `bwrap` up to, and without, the program to run.
    pub fn arguments(&self, cwd: &Utf8Path) -> Vec<String> {
        let features = known().as_ref().map_or(FULL, |features| *features);
        self.arguments_with(cwd, features)
    }

    /// Places of the system first, then readable and writable folders, which may lie in them.
    fn arguments_with(&self, cwd: &Utf8Path, features: Features) -> Vec<String> {
        let mut arguments: Vec<String> =
            ["--die-with-parent", "--unshare-all", "--new-session"].map(str::to_owned).to_vec();
        // bwrap does not wait for an init of its own, so the CPU time of everything below that would be lost.
        arguments.push("--as-pid-1".to_owned());
        // Root would keep its capabilities, and could take the mounts away that hide the host.
        arguments.extend(["--cap-drop", "ALL"].map(str::to_owned));
        if features.no_namespaces {
            arguments.extend(["--unshare-user", "--disable-userns"].map(str::to_owned));
        }
        let path = std::env::var("PATH").unwrap_or_default();
        let etc = ETC.map(|name| Utf8Path::new("/etc").join(name));
        let system = SYSTEM.map(Utf8PathBuf::from).into_iter().chain(etc).chain(program_folders(&path));
        for place in system {
            match place.read_link_utf8() {
                // `/bin` and its like; a link out of `/etc` is followed, because its target may not be shown.
                Ok(target) if place.parent() == Some(Utf8Path::new("/")) => {
                    arguments.extend(["--symlink".to_owned(), target.to_string(), place.to_string()]);
                }
                Ok(_) | Err(_) => {
                    arguments.extend(["--ro-bind-try".to_owned(), place.to_string(), place.to_string()]);
                }
            }
        }
        arguments.extend(["--dev", "/dev", "--proc", "/proc"].map(str::to_owned));
        for (place, size) in SCRATCH {
            if features.sizes {
                arguments.extend(["--size", size].map(str::to_owned));
            }
            arguments.extend(["--tmpfs", place].map(str::to_owned));
        }
        for place in
            ["/root", "/home"].map(Utf8Path::new).into_iter().chain(self.hidden.iter().map(Utf8PathBuf::as_path))
        {
            arguments.extend(["--tmpfs".to_owned(), place.to_string()]);
        }
        let bind = |flag: &str, path: &Utf8Path| [flag.to_owned(), path.to_string(), path.to_string()];
        for path in &self.readable {
            arguments.extend(bind("--ro-bind", path));
        }
        for path in &self.writable {
            arguments.extend(bind("--bind", path));
        }
        for path in &self.devices {
            arguments.extend(bind("--dev-bind", path));
        }
        // All mount points are there by now.
        for place in ["/root", "/home", "/dev", "/"] {
            arguments.extend(["--remount-ro", place].map(str::to_owned));
        }
        arguments.extend(["--chdir".to_owned(), cwd.to_string(), "--".to_owned()]);
        arguments
    }

    /// Starts a confined shell once per process and remembers the answer.
    pub fn probe() -> &'static SandboxProbe {
        static ANSWER: OnceLock<SandboxProbe> = OnceLock::new();
        ANSWER.get_or_init(|| match known() {
            Ok(_) => SandboxProbe::Works,
            Err(reason) => SandboxProbe::Missing(reason.clone()),
        })
    }

    /// What this host's bubblewrap cannot do, one sentence each; for the report. Empty when nothing is missing.
    pub fn lacks() -> Vec<&'static str> {
        let Ok(features) = known() else { return Vec::new() };
        let mut lacks = Vec::new();
        if !features.sizes {
            lacks.push("its bubblewrap cannot limit /tmp (0.7 can)");
        }
        if !features.no_namespaces {
            lacks.push("its bubblewrap cannot forbid further namespaces (0.8 can)");
        }
        lacks
    }
}

/// Tries what bubblewrap can do here, from all to the least, once per process.
fn known() -> &'static Result<Features, String> {
    static ANSWER: OnceLock<Result<Features, String>> = OnceLock::new();
    ANSWER.get_or_init(|| {
        let mut first = None;
        for features in [
            FULL,
            Features { no_namespaces: false, ..FULL },
            Features { sizes: false, ..FULL },
            Features { sizes: false, no_namespaces: false },
        ] {
            match try_out(features) {
                Ok(()) => return Ok(features),
                Err(error) => drop(first.get_or_insert(error)),
            }
        }
        Err(first.unwrap_or_default())
    })
}

fn try_out(features: Features) -> Result<(), String> {
    let arguments = Sandbox::default().arguments_with(Utf8Path::new("/"), features);
    match std::process::Command::new("bwrap").args(&arguments).args(["bash", "-c", ":"]).output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            Err(format!("bwrap cannot confine processes here: {}", String::from_utf8_lossy(&output.stderr).trim()))
        }
        Err(error) => Err(format!("bwrap cannot be started ({error}); install bubblewrap")),
    }
}

/// Folders of toolchains that `PATH` names outside of the system's: with `/data/cross/bin` all of `/data/cross`.
fn program_folders(path: &str) -> Vec<Utf8PathBuf> {
    let mut folders: Vec<Utf8PathBuf> = Vec::new();
    for entry in path.split(':').map(Utf8Path::new) {
        let known = || SYSTEM.iter().chain(&PRIVATE).any(|place| entry.starts_with(place));
        let plain = entry.components().all(|part| !matches!(part, camino::Utf8Component::ParentDir));
        if !entry.is_absolute() || !plain || known() {
            continue;
        }
        let folder = match (entry.file_name(), entry.parent()) {
            (Some("bin" | "sbin"), Some(parent)) if parent != "/" => parent,
            _ => entry,
        };
        if folder != "/" && !folders.iter().any(|known| known == folder) {
            folders.push(folder.to_owned());
        }
    }
    folders
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writable_folders_are_mounted_after_the_places_that_would_hide_them() {
        let sandbox = Sandbox { writable: vec!["/root/work".into()], ..Sandbox::default() };
        for features in [FULL, Features { sizes: false, no_namespaces: false }] {
            let arguments = sandbox.arguments_with(Utf8Path::new("/root/work"), features);
            let hide = arguments.windows(2).position(|pair| pair == ["--tmpfs", "/tmp"]).unwrap();
            let bind = arguments.windows(3).position(|w| w == ["--bind", "/root/work", "/root/work"]).unwrap();
            let seal = arguments.windows(2).position(|pair| pair == ["--remount-ro", "/"]).unwrap();
            assert!(hide < bind && bind < seal);
            assert_eq!(arguments.last().unwrap(), "--");
            assert!(arguments.contains(&"--unshare-all".to_owned()));
            assert!(arguments.windows(2).any(|pair| pair == ["--cap-drop", "ALL"]));
            assert_eq!(arguments.contains(&"--size".to_owned()), features.sizes);
            // Nothing of the host but what is listed.
            assert!(!arguments.windows(2).any(|pair| pair == ["--ro-bind", "/"]));
        }
    }

    #[test]
    fn toolchains_outside_of_the_system_are_shown_and_homes_are_not() {
        let path =
            "/usr/bin:/root/.cargo/bin:/data/cross/bin:/data/cross/bin:/bin:/toolbox:/data/../root/bin:rel/bin:/";
        assert_eq!(program_folders(path), ["/data/cross", "/toolbox"]);
    }
}
