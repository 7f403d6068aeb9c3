//! Logging into a box by the system's `ssh`.

use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use tokio_util::sync::CancellationToken;

use super::files::{home, write};
use super::state::Answer;
use crate::process::Command;
use crate::words::Ssh;

/// How long a short command may take.
const SHORT: Duration = Duration::from_secs(30);

/// What is asked of a box to know which kernel it runs: three lines.
const WHO: &str = "uname -r && cat /proc/sys/kernel/random/boot_id && \
                   { od -An -v -tx1 /sys/kernel/notes 2>/dev/null | tr -d ' \\n'; echo; }";

/// The way into one box.
#[derive(Debug, Clone)]
pub(super) struct Shell {
    ssh: Ssh,
    known_hosts: Utf8PathBuf,
}

impl Shell {
    /// Writes the box's host key into a file of ours in `folder`: no other key is taken.
    ///
    /// # Errors
    /// When the disk refuses; one sentence.
    pub(super) fn new(ssh: &Ssh, folder: &Utf8Path) -> Result<Shell, String> {
        let known_hosts = folder.join("known_hosts");
        write(&known_hosts, known_hosts_line(ssh).as_bytes())?;
        Ok(Shell { ssh: ssh.clone(), known_hosts })
    }

    /// A command of the box's shell.
    pub(super) fn command(&self, script: &str) -> Command {
        Command::new("ssh", "/").args(arguments(&self.ssh, &self.known_hosts, script))
    }

    /// Runs a short script; gives what it prints.
    ///
    /// # Errors
    /// One sentence, with the script's own words.
    pub(super) async fn run(&self, script: &str, cancel: &CancellationToken) -> Result<String, String> {
        self.command(script).deadline(SHORT).output(cancel).await.map_err(|error| self.named(&error.to_string()))
    }

    /// Asks which kernel runs.
    ///
    /// # Errors
    /// One sentence: no answer.
    pub(super) async fn who(&self, cancel: &CancellationToken) -> Result<Answer, String> {
        let text = self.command(WHO).deadline(Duration::from_secs(15)).output(cancel).await;
        parse_who(&text.map_err(|error| self.named(&error.to_string()))?)
    }

    fn named(&self, error: &str) -> String {
        format!(
            "ssh to {}:{}: {}",
            self.ssh.host,
            self.ssh.port,
            error.split_whitespace().collect::<Vec<_>>().join(" ")
        )
    }
}

/// The line of a `known_hosts` file that pins a host's key.
pub fn known_hosts_line(ssh: &Ssh) -> String {
    let key: Vec<&str> = ssh.host_key.split_whitespace().take(2).collect();
    let host = if ssh.port == 22 { ssh.host.clone() } else { format!("[{}]:{}", ssh.host, ssh.port) };
    format!("{host} {}\n", key.join(" "))
}

fn arguments(ssh: &Ssh, known_hosts: &Utf8Path, script: &str) -> Vec<String> {
    let host = ["--".to_owned(), ssh.host.clone(), script.to_owned()];
    ssh_options(ssh, known_hosts).into_iter().chain(host).collect()
}

/// Options of `ssh` for a host whose key is pinned in the file `known_hosts`. No file of the user's is read.
pub fn ssh_options(ssh: &Ssh, known_hosts: &Utf8Path) -> Vec<String> {
    let kind = ssh.host_key.split_whitespace().next().unwrap_or_default();
    // An rsa key signs by newer hashes than its name says.
    let algorithms = if kind == "ssh-rsa" { "rsa-sha2-512,rsa-sha2-256" } else { kind };
    let options = [
        format!("UserKnownHostsFile={known_hosts}"),
        "GlobalKnownHostsFile=/dev/null".to_owned(),
        "StrictHostKeyChecking=yes".to_owned(),
        format!("HostKeyAlgorithms={algorithms}"),
        "BatchMode=yes".to_owned(),
        "IdentitiesOnly=yes".to_owned(),
        "ConnectTimeout=5".to_owned(),
        "ServerAliveInterval=5".to_owned(),
        "ServerAliveCountMax=4".to_owned(),
        "LogLevel=ERROR".to_owned(),
    ];
    // No file of the user's: what the machine file says is all.
    let mut words: Vec<String> = ["-F", "none", "-T", "-p"].map(str::to_owned).to_vec();
    words.extend([ssh.port.to_string(), "-i".to_owned(), home(&ssh.identity), "-l".to_owned(), ssh.user.clone()]);
    words.extend(options.into_iter().flat_map(|option| ["-o".to_owned(), option]));
    words
}

/// Release, boot id, notes in hex.
pub(super) fn parse_who(text: &str) -> Result<Answer, String> {
    let mut lines = text.lines();
    let (Some(uname), Some(boot_id)) = (lines.next(), lines.next()) else {
        return Err(format!("the box does not say which kernel it runs: {text:?}"));
    };
    let notes = lines.next().unwrap_or_default();
    let bytes: Option<Vec<u8>> =
        (0..notes.len() / 2).map(|at| u8::from_str_radix(notes.get(at * 2..at * 2 + 2)?, 16).ok()).collect();
    let build_id = build_id(&bytes.unwrap_or_default());
    Ok(Answer { uname: uname.trim().to_owned(), boot_id: boot_id.trim().to_owned(), build_id })
}

/// The GNU build id among ELF notes, in hex; empty when there is none.
fn build_id(notes: &[u8]) -> String {
    const NT_GNU_BUILD_ID: u32 = 3;
    let word = |at: usize| notes.get(at..at + 4).map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]]));
    let mut at = 0;
    while let (Some(name), Some(desc), Some(kind)) = (word(at), word(at + 4), word(at + 8)) {
        let start = at + 12 + (name as usize).next_multiple_of(4);
        let Some(id) = notes.get(start..start.saturating_add(desc as usize)) else { break };
        if kind == NT_GNU_BUILD_ID && notes[at + 12..].starts_with(b"GNU\0") {
            return id.iter().map(|byte| format!("{byte:02x}")).collect();
        }
        at = start + (desc as usize).next_multiple_of(4);
    }
    String::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ssh(port: u16) -> Ssh {
        Ssh {
            host: "box".into(),
            port,
            user: "root".into(),
            identity: "/k".into(),
            host_key: "ssh-ed25519 AAAA root@box".into(),
        }
    }

    #[test]
    fn the_host_key_is_pinned_without_its_comment() {
        assert_eq!(known_hosts_line(&ssh(22)), "box ssh-ed25519 AAAA\n");
        assert_eq!(known_hosts_line(&ssh(2222)), "[box]:2222 ssh-ed25519 AAAA\n");
    }

    #[test]
    fn nothing_of_the_users_configuration_is_read() {
        let line = arguments(&ssh(2222), "/kh".into(), "uname -r").join(" ");
        assert_eq!(
            line,
            "-F none -T -p 2222 -i /k -l root -o UserKnownHostsFile=/kh -o GlobalKnownHostsFile=/dev/null -o \
             StrictHostKeyChecking=yes -o HostKeyAlgorithms=ssh-ed25519 -o BatchMode=yes -o IdentitiesOnly=yes -o \
             ConnectTimeout=5 -o ServerAliveInterval=5 -o ServerAliveCountMax=4 -o LogLevel=ERROR -- box uname -r"
        );
    }

    #[test]
    fn a_box_says_what_it_runs() {
        let notes = "040000000200000003000000474e5500ab010000";
        let answer = parse_who(&format!("6.12.0\n1-2-3\n{notes}\n")).unwrap();
        assert_eq!(answer, Answer { uname: "6.12.0".into(), boot_id: "1-2-3".into(), build_id: "ab01".into() });
        assert_eq!(parse_who("6.12.0\n1-2-3\n\n").unwrap().build_id, "");
        assert_eq!(parse_who("6.12.0\n1-2-3\nno hex\n").unwrap().build_id, "");
        assert!(parse_who("").is_err());
    }
}
