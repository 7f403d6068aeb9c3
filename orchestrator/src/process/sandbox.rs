//! Confinement of builds and guests with bubblewrap.

use std::sync::OnceLock;

use camino::{Utf8Path, Utf8PathBuf};

/// What a confined process may see: the host read-only, an empty home and `/tmp`, no network, its own processes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sandbox {
    /// Folders it may write.
    pub writable: Vec<Utf8PathBuf>,
    /// Folders it may read although they lie under a hidden place (home, `/tmp`).
    pub readable: Vec<Utf8PathBuf>,
    /// Folders shown empty, beside `/tmp`, `/root`, `/home` and `/run`.
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

impl Sandbox {
    /// Arguments of `bwrap` up to, and without, the program to run.
    ///
    /// Hidden places are mounted first, then readable and writable folders on top of them.
    pub fn arguments(&self, cwd: &Utf8Path) -> Vec<String> {
        let mut arguments: Vec<String> =
            ["--die-with-parent", "--unshare-all", "--new-session"].map(str::to_owned).to_vec();
        // bwrap does not wait for an init of its own, so the CPU time of everything below that would be lost.
        arguments.push("--as-pid-1".to_owned());
        arguments.extend(["--ro-bind", "/", "/"].map(str::to_owned));
        arguments.extend(["--dev", "/dev", "--proc", "/proc"].map(str::to_owned));
        let builtin = ["/tmp", "/var/tmp", "/root", "/home", "/run", "/mnt", "/media", "/srv"].map(Utf8Path::new);
        let present = builtin.into_iter().filter(|place| place.is_dir());
        for place in present.chain(self.hidden.iter().map(Utf8PathBuf::as_path)) {
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
        arguments.extend(["--chdir".to_owned(), cwd.to_string(), "--".to_owned()]);
        arguments
    }

    /// Starts a confined shell once per process and remembers the answer.
    pub fn probe() -> &'static SandboxProbe {
        static ANSWER: OnceLock<SandboxProbe> = OnceLock::new();
        ANSWER.get_or_init(|| {
            let arguments = Sandbox::default().arguments(Utf8Path::new("/"));
            match std::process::Command::new("bwrap").args(&arguments).args(["bash", "-c", ":"]).output() {
                Ok(output) if output.status.success() => SandboxProbe::Works,
                Ok(output) => SandboxProbe::Missing(format!(
                    "bwrap cannot confine processes here: {}",
                    String::from_utf8_lossy(&output.stderr).trim()
                )),
                Err(error) => SandboxProbe::Missing(format!("bwrap cannot be started ({error}); install bubblewrap")),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writable_folders_are_mounted_after_the_places_that_would_hide_them() {
        let sandbox = Sandbox { writable: vec!["/root/work".into()], ..Sandbox::default() };
        let arguments = sandbox.arguments(Utf8Path::new("/root/work"));
        let hide = arguments.windows(2).position(|pair| pair == ["--tmpfs", "/tmp"]).unwrap();
        let bind = arguments.windows(3).position(|w| w == ["--bind", "/root/work", "/root/work"]).unwrap();
        assert!(hide < bind);
        assert_eq!(arguments.last().unwrap(), "--");
        assert!(arguments.contains(&"--unshare-all".to_owned()));
    }
}
