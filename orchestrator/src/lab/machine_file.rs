//! From a machine file to a machine, with everything that is wrong told at once.

use super::files::Check;
use crate::words::{
    BootMethod, ConsoleLink, Dut, DutBoot, Hardware, Health, Machine, MachineFile, Power, QemuMachine, Reserve,
    SecretPlace, Ssh,
};

/// Where a box keeps markers and what was sent to it, unless its file says otherwise.
const STATE_DIR: &str = "/var/lib/orchestrator";

impl Check {
    /// The machine that a file describes; `None` when a problem was found that leaves none.
    pub(super) fn machine(&mut self, file: MachineFile, stem: &str) -> Option<Machine> {
        self.name(&file.name, stem);
        let timeouts = file.timeouts;
        for (key, value) in [
            ("boot", timeouts.boot),
            ("silence", timeouts.silence),
            ("suite", timeouts.suite),
            ("power_on", timeouts.power_on),
        ] {
            self.seconds(&["timeouts", key], value);
        }
        let (name, tags) = (file.name.clone(), file.tags.clone());
        let keys = dut_keys(&file);
        let hardware = match (&file.qemu, &file.lava, keys.is_empty()) {
            (Some(qemu), None, true) => {
                self.qemu(qemu);
                Some(Hardware::Qemu(qemu.clone()))
            }
            (None, Some(lava), true) => Some(Hardware::Lava(lava.clone())),
            (None, None, false) => self.dut(file).map(|dut| Hardware::Dut(Box::new(dut))),
            (None, None, true) => None,
            (Some(_), Some(_), true) => {
                let hint = "keep one of the two";
                self.unless(false, &["lava"], "a machine is a guest (`qemu`) or LAVA's, not both", hint);
                None
            }
            (_, _, false) => {
                let hint = "a box has no `qemu` and no `lava`; a guest or a device of LAVA's has nothing but them";
                for key in keys {
                    self.unless(false, &[key], &format!("`{key}` belongs to a box"), hint);
                }
                None
            }
        };
        Some(Machine { name, tags, hardware: hardware?, timeouts })
    }

    fn qemu(&mut self, qemu: &QemuMachine) {
        for (key, value) in [
            ("binary", &qemu.binary),
            ("arch", &qemu.arch),
            ("machine", &qemu.machine),
            ("cpu", &qemu.cpu),
            ("image", &qemu.image),
        ] {
            self.unless(!value.trim().is_empty(), &["qemu", key], "must not be empty", "see lab/qemu-x86_64.yaml");
        }
        self.guest_path(&["qemu", "results_tty"], &qemu.results_tty);
        self.words(&["qemu", "append"], &qemu.append);
    }

    /// A box; every key that it lacks is told.
    fn dut(&mut self, file: MachineFile) -> Option<Dut> {
        let arch = file.tags.get("arch").cloned();
        self.unless(arch.is_some(), &["tags"], "a box needs the tag `arch`", "write `tags: {arch: x86_64}`");
        if let Some(arch) = &arch {
            let hint = "the agent is built for x86_64 only";
            self.unless(arch == "x86_64", &["tags", "arch"], &format!("`{arch}` boxes cannot be driven"), hint);
        }
        for (key, there) in [
            ("power", file.power.is_some()),
            ("console", file.console.is_some()),
            ("ssh", file.ssh.is_some()),
            ("boot", file.boot.is_some()),
        ] {
            self.unless(there, &["name"], &format!("a box needs `{key}`"), "see lab/box-ipmi.yaml and docs/boxes.md");
        }
        if let Some(power) = &file.power {
            self.power(power);
            let sol = matches!(file.console, Some(ConsoleLink::Sol {})) && !matches!(power, Power::Ipmi { .. });
            let hint = "use `tcp` or `cmd`, or `power: {ipmi: ...}`";
            self.unless(!sol, &["console", "sol"], "serial over LAN is a part of `power: {ipmi}`", hint);
        }
        match &file.console {
            Some(ConsoleLink::Tcp { host, .. }) => self.host(&["console", "tcp", "host"], host),
            Some(ConsoleLink::Cmd { command }) => self.command(&["console", "cmd", "command"], command, true),
            Some(ConsoleLink::Sol {}) | None => {}
        }
        if let Some(ssh) = &file.ssh {
            self.ssh(ssh);
        }
        if let Some(boot) = &file.boot {
            self.dut_boot(boot);
        }
        let health = file.health.unwrap_or_default();
        self.health(&health);
        let state_dir = file.state_dir.unwrap_or_else(|| STATE_DIR.to_owned());
        self.guest_path(&["state_dir"], &state_dir);
        self.plain(&["state_dir"], &state_dir);
        let deep = state_dir.trim_matches('/').split('/').count() > 1;
        self.unless(deep, &["state_dir"], "is too near the root: files in it are removed", "name a folder of its own");
        Some(Dut {
            arch: arch?,
            reserve: file.reserve.unwrap_or(Reserve::Local {}),
            power: file.power?,
            console: file.console?,
            ssh: file.ssh?,
            boot: file.boot?,
            health,
            state_dir: state_dir.trim_end_matches('/').to_owned(),
        })
    }

    fn power(&mut self, power: &Power) {
        match power {
            Power::Ipmi { host, user, password, .. } => {
                self.host(&["power", "ipmi", "host"], host);
                self.host(&["power", "ipmi", "user"], user);
                self.secret(&["power", "ipmi", "password"], password);
            }
            Power::Redfish { url, system, user, password, .. } => {
                self.url(&["power", "redfish", "url"], url);
                let path = system.starts_with('/') || !system.contains('/');
                let hint = "write its path, e.g. /redfish/v1/Systems/1, or its id";
                self.unless(path && !system.is_empty(), &["power", "redfish", "system"], "is no system", hint);
                if user.is_some() {
                    self.secret(&["power", "redfish", "password"], password);
                }
            }
            Power::Pdudaemon { url, pdu, outlet } => {
                self.url(&["power", "pdudaemon", "url"], url);
                self.host(&["power", "pdudaemon", "pdu"], pdu);
                self.host(&["power", "pdudaemon", "outlet"], outlet);
            }
            Power::Cmd { on, off, status } => {
                self.command(&["power", "cmd", "on"], on, true);
                self.command(&["power", "cmd", "off"], off, true);
                self.command(&["power", "cmd", "status"], status, false);
            }
        }
    }

    fn ssh(&mut self, ssh: &Ssh) {
        self.host(&["ssh", "host"], &ssh.host);
        self.host(&["ssh", "user"], &ssh.user);
        let identity = ssh.identity.starts_with('/') || ssh.identity.starts_with("~/");
        self.unless(identity, &["ssh", "identity"], "is no path of a key", "write it from / or from ~/");
        let mut words = ssh.host_key.split_whitespace();
        let kinds = ["ssh-ed25519", "ssh-rsa", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521"];
        let good = words.next().is_some_and(|kind| kinds.contains(&kind))
            && words.next().is_some_and(|key| key.starts_with("AAAA"))
            && !ssh.host_key.contains('\n');
        let hint = "write two words of the box's /etc/ssh/ssh_host_ed25519_key.pub: ssh-ed25519 AAAA...";
        self.unless(good, &["ssh", "host_key"], "is no public key of a host", hint);
    }

    fn dut_boot(&mut self, boot: &DutBoot) {
        let words: Vec<String> = boot.append.split_whitespace().map(str::to_owned).collect();
        let good = words.iter().all(|word| !word.contains(['"', '\'', '\\']));
        self.unless(good, &["boot", "append"], "holds quotes", "give words without quotes");
        let console = words.iter().any(|word| word.starts_with("console="));
        let hint = "add console=ttyS0,115200n8, or what the box's serial port is called";
        self.unless(console, &["boot", "append"], "sends the kernel's log to no console", hint);
        let panic = words.iter().any(|word| word.starts_with("panic="));
        let hint = "add panic=5, so that the box resets after a panic, and oops=panic";
        self.unless(panic, &["boot", "append"], "lets the box stand after a panic", hint);
        let uname = &boot.default_kernel.uname;
        let hint = "write what `uname -r` says there, * for what changes";
        self.unless(!uname.trim_matches('*').is_empty(), &["boot", "default_kernel", "uname"], "says nothing", hint);
        if !["reuse", "none"].contains(&boot.initrd.as_str()) {
            let hint = "`reuse`, `none`, or a path on the box (netboot: on this host)";
            self.unless(boot.initrd.starts_with('/'), &["boot", "initrd"], "is no initial ramdisk", hint);
            self.plain(&["boot", "initrd"], &boot.initrd);
        }
        match boot.method {
            BootMethod::Kexec => {}
            BootMethod::GrubReboot => {
                let hint = "write the title of the menu entry, see docs/boxes.md";
                let good = boot.grub_entry.is_some();
                self.unless(good, &["boot", "method"], "grub-reboot needs `grub_entry`", hint);
            }
            BootMethod::Netboot => {
                let good = boot.netboot_dir.as_deref().is_some_and(|dir| dir.starts_with('/'));
                let hint = "write the folder on this host that the boot server serves";
                self.unless(good, &["boot", "method"], "netboot needs `netboot_dir`", hint);
                let hint = "netboot takes `none`, or the path of an initrd on this host";
                self.unless(boot.initrd != "reuse", &["boot", "initrd"], "`reuse` is on the box", hint);
            }
        }
    }

    fn health(&mut self, health: &Health) {
        let hint = "write e.g. 5m, 90s or 1h";
        self.unless(seconds(&health.every).is_some(), &["health", "every"], "is no time", hint);
        self.unless(health.misses > 0, &["health", "misses"], "must be at least 1", "three is usual");
    }

    /// Exactly one place.
    fn secret(&mut self, path: &[&str], place: &SecretPlace) {
        let one = place.env.is_some() != place.file.is_some();
        let hint = "write {env: NAME_OF_A_VARIABLE} or {file: /path}; never the secret itself";
        self.unless(one, path, "needs one of `env` and `file`", hint);
    }

    /// One word that no program takes for an option.
    fn host(&mut self, path: &[&str], word: &str) {
        let good = !word.is_empty() && !word.starts_with('-') && !word.contains(|c: char| c.is_whitespace());
        self.unless(good, path, &format!("`{word}` is no name"), "write one word");
    }

    fn url(&mut self, path: &[&str], url: &str) {
        let good = url::Url::parse(url).is_ok_and(|url| {
            ["http", "https"].contains(&url.scheme()) && url.username().is_empty() && url.password().is_none()
        });
        let hint = "write http://HOST or https://HOST, without a login in it";
        self.unless(good, path, &format!("`{url}` is no address"), hint);
    }

    fn command(&mut self, path: &[&str], words: &[String], needed: bool) {
        let good = words.first().map_or(!needed, |program| !program.is_empty());
        self.unless(good, path, "is no command", "write a list of words: [program, argument]");
    }

    /// A path that a shell takes as it stands.
    fn plain(&mut self, path: &[&str], value: &str) {
        let good = value.chars().all(|c| c.is_ascii_alphanumeric() || "/._-+".contains(c));
        self.unless(good, path, "holds characters that a shell reads", "use letters, digits and / . _ - +");
    }
}

/// Which keys of a box a file has.
fn dut_keys(file: &MachineFile) -> Vec<&'static str> {
    let keys = [
        ("reserve", file.reserve.is_some()),
        ("power", file.power.is_some()),
        ("console", file.console.is_some()),
        ("ssh", file.ssh.is_some()),
        ("boot", file.boot.is_some()),
        ("health", file.health.is_some()),
        ("state_dir", file.state_dir.is_some()),
    ];
    keys.into_iter().filter(|(_, there)| *there).map(|(key, _)| key).collect()
}

/// The seconds of `90s`, `5m`, `1h`; more than none.
pub(super) fn seconds(text: &str) -> Option<u64> {
    let (digits, unit) = text.split_at(text.len().checked_sub(1)?);
    let factor = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(factor).filter(|seconds| *seconds > 0)
}

#[cfg(test)]
mod tests {
    use camino::{Utf8Path, Utf8PathBuf};

    use super::super::{LabError, machine};
    use super::*;

    fn home() -> Utf8PathBuf {
        Utf8Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
    }

    fn problems(text: &str) -> Vec<(usize, String)> {
        let dir = tempfile::tempdir().unwrap();
        let home = Utf8Path::from_path(dir.path()).unwrap();
        fs_err::create_dir_all(home.join("lab")).unwrap();
        fs_err::write(home.join("lab/m.yaml"), text).unwrap();
        let LabError::File(error) = machine(home, "m").unwrap_err() else { panic!("not about the file") };
        error.problems.into_iter().map(|problem| (problem.line, problem.message)).collect()
    }

    #[test]
    fn the_shipped_boxes_are_valid() {
        for name in ["box-ipmi", "box-redfish", "box-command"] {
            let machine = machine(&home(), name).unwrap();
            assert!(matches!(machine.hardware, Hardware::Dut(_)), "{name}");
            assert_eq!(machine.arch(), "x86_64");
        }
    }

    #[test]
    fn all_problems_of_a_box_are_told_at_once_with_their_lines() {
        let text = "name: m\n\
                    tags: {gpu: xe}\n\
                    power: {redfish: {url: 'ftp://x', system: 'a/b', user: lab}}\n\
                    console: {sol: {}}\n\
                    ssh: {host: -oProxyCommand=x, identity: key, host_key: 'AAAA'}\n\
                    boot: {method: grub-reboot, default_kernel: {uname: '*'}, append: quiet, initrd: x}\n\
                    health: {every: often, misses: 0}\n\
                    state_dir: /\n";
        let expected = [
            (2, "tag `arch`"),
            (3, "no address"),
            (3, "no system"),
            (3, "one of `env` and `file`"),
            (4, "serial over LAN"),
            (5, "no name"),
            (5, "no path of a key"),
            (5, "no public key"),
            (6, "no console"),
            (6, "after a panic"),
            (6, "says nothing"),
            (6, "no initial ramdisk"),
            (6, "needs `grub_entry`"),
            (7, "no time"),
            (7, "at least 1"),
            (8, "too near the root"),
        ];
        let told = problems(text);
        assert_eq!(told.len(), expected.len(), "{told:#?}");
        for (line, word) in expected {
            assert!(told.iter().any(|(at, message)| *at == line && message.contains(word)), "{word}: {told:#?}");
        }
    }

    #[test]
    fn what_a_box_lacks_is_told_at_once() {
        let told = problems("name: m\ntags: {arch: x86_64}\nstate_dir: /var/lib/x\n");
        for key in ["power", "console", "ssh", "boot"] {
            assert!(told.iter().any(|(_, message)| message.contains(&format!("`{key}`"))), "{key}: {told:?}");
        }
    }

    #[test]
    fn times_are_read() {
        let cases = [("90s", Some(90)), ("5m", Some(300)), ("1h", Some(3600)), ("0s", None), ("5", None), ("", None)];
        for (text, expected) in cases {
            assert_eq!(seconds(text), expected, "{text}");
        }
    }
}
