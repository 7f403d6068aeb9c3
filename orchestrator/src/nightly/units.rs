//! What starts the nightly run: a systemd service with its timer, or a line of cron. The files of `scripts/nightly/` are
//! these texts for an installed program.

use camino::Utf8Path;

use crate::process::quote;

/// Which text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Unit {
    /// The service and the timer of systemd.
    Systemd,
    /// A file for `/etc/cron.d`.
    Cron,
}

/// Where things are on the host that starts it.
#[derive(Debug, Clone, Copy)]
pub struct Places<'a> {
    /// The program, absolute.
    pub program: &'a Utf8Path,
    /// Folder with `series/`, `kconfigs/`, `lab/`; `None` for the built-in copies.
    pub home: Option<&'a Utf8Path>,
    /// Runs.
    pub results: &'a Utf8Path,
    /// Trees, build folders, results by key.
    pub cache: &'a Utf8Path,
    /// Who runs it.
    pub user: &'a str,
    /// Hours a night may take.
    pub hours: u32,
}

impl Places<'_> {
    fn command(&self, quote: impl Fn(&str) -> String) -> String {
        let mut words = vec![quote(self.program.as_str())];
        if let Some(home) = self.home {
            words.extend(["--home".to_owned(), quote(home.as_str())]);
        }
        words.extend(["--results".to_owned(), quote(self.results.as_str())]);
        words.extend(["--cache".to_owned(), quote(self.cache.as_str())]);
        words.extend(["nightly".to_owned(), "--quiet".to_owned()]);
        words.join(" ")
    }
}

/// The service.
///
/// Builds and guests run in namespaces that bubblewrap makes, QEMU translates code at run time and uses `/dev/kvm`: what
/// would forbid that is left out: `RestrictNamespaces=`, `MemoryDenyWriteExecute=`, `PrivateDevices=`, `ProtectClock=` (it
/// closes `/dev/kvm`), `ProtectHostname=`, and `ProtectKernelTunables=`, `ProtectControlGroups=` and `ProtectProc=`, which
/// keep a namespace from mounting a `/proc` of its own. What is there implies `NoNewPrivileges=`.
pub fn service_text(places: &Places<'_>) -> String {
    let Places { user, results, cache, hours, .. } = places;
    let (results, cache) = (systemd_word(results.as_str()), systemd_word(cache.as_str()));
    // An hour to stop in: a run is stopped by the program itself when the night's time is up.
    let limit = hours + 1;
    format!(
        "[Unit]
Description=Nightly tests of kernel patch series
Wants=network-online.target
After=network-online.target

[Service]
Type=oneshot
User={user}
ExecStart={command}
# 1: a series has problems. The service did its work.
SuccessExitStatus=1
# The program stops by itself when the night's time is up.
TimeoutStartSec={limit}h
# It tells its children to stop and writes down what is left.
KillMode=mixed
KillSignal=SIGTERM
TimeoutStopSec=5min
Nice=10
IOSchedulingClass=idle
UMask=0022
ProtectSystem=strict
ReadWritePaths={results} {cache}
PrivateTmp=yes
ProtectKernelModules=yes
RestrictSUIDSGID=yes
RestrictRealtime=yes
LockPersonality=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
SystemCallArchitectures=native
",
        command = places.command(systemd_word),
    )
}

/// The timer.
pub fn timer_text() -> String {
    "[Unit]
Description=Nightly tests of kernel patch series

[Timer]
OnCalendar=*-*-* 01:30:00
RandomizedDelaySec=10min
# A night that was missed is made up for, and after a reboot one that was cut off is gone on with.
Persistent=true
OnBootSec=15min

[Install]
WantedBy=timers.target
"
    .to_owned()
}

/// The file for `/etc/cron.d`. The program prints nothing when all is well, so that a mail of cron is worth reading.
pub fn cron_text(places: &Places<'_>) -> String {
    // A per cent sign ends the command in a crontab.
    let command = places.command(|word| quote(word).replace('%', "\\%"));
    format!(
        "# Nightly tests of kernel patch series. Mails of cron come when a person should look.
SHELL=/bin/sh
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
30 1 * * * {user} {command}
# After a reboot what was cut off is gone on with.
@reboot {user} {command}
",
        user = places.user,
    )
}

/// A word of a systemd command line or list of paths.
fn systemd_word(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@:,=".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    let escaped = word.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%").replace('$', "$$");
    format!("\"{escaped}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn installed() -> Places<'static> {
        Places {
            program: "/usr/local/bin/orchestrator".into(),
            home: None,
            results: "/var/lib/orchestrator/results".into(),
            cache: "/var/cache/orchestrator".into(),
            user: "orchestrator",
            hours: 8,
        }
    }

    /// The files in `scripts/nightly/` are these texts; `UPDATE_UNITS=1` writes them.
    #[test]
    fn the_shipped_files_are_current() {
        let folder = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/nightly");
        let files = [
            ("orchestrator-nightly.service", service_text(&installed())),
            ("orchestrator-nightly.timer", timer_text()),
            ("orchestrator-nightly.cron", cron_text(&installed())),
        ];
        for (name, text) in files {
            let path = folder.join(name);
            if std::env::var_os("UPDATE_UNITS").is_some() {
                fs_err::create_dir_all(&folder).unwrap();
                fs_err::write(&path, &text).unwrap();
            }
            let kept = fs_err::read_to_string(&path).unwrap();
            assert_eq!(kept, text, "{path} is old: run the tests with UPDATE_UNITS=1");
        }
    }

    #[test]
    fn odd_paths_stay_one_word() {
        let odd = Places { program: "/opt/my tests/50%/orchestrator".into(), ..installed() };
        let service = service_text(&odd);
        assert!(service.contains("ExecStart=\"/opt/my tests/50%%/orchestrator\" --results"), "{service}");
        let cron = cron_text(&odd);
        assert!(cron.contains("orchestrator '/opt/my tests/50\\%/orchestrator' --results"), "{cron}");
    }
}
