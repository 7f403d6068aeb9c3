//! How a host is logged into, as a user writes it.

use crate::words::Ssh;

/// Kinds of host keys that OpenSSH has.
const KINDS: [&str; 5] =
    ["ssh-ed25519", "ssh-rsa", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521"];

/// What is wrong with it: key, complaint and remedy.
pub fn ssh_problems(ssh: &Ssh) -> Vec<(&'static str, String, &'static str)> {
    let mut problems = Vec::new();
    for (key, word) in [("host", &ssh.host), ("user", &ssh.user)] {
        if word.is_empty() || word.starts_with('-') || word.contains(|c: char| c.is_whitespace()) {
            problems.push((key, format!("`{word}` is no name"), "write one word"));
        }
    }
    if !ssh.identity.starts_with('/') && !ssh.identity.starts_with("~/") {
        problems.push(("identity", "is no path of a key".to_owned(), "write it from / or from ~/"));
    }
    let mut words = ssh.host_key.split_whitespace();
    let good = words.next().is_some_and(|kind| KINDS.contains(&kind))
        && words.next().is_some_and(|key| key.starts_with("AAAA"))
        && !ssh.host_key.contains('\n');
    if !good {
        let hint = "write two words of the host's /etc/ssh/ssh_host_ed25519_key.pub: ssh-ed25519 AAAA...";
        problems.push(("host_key", "is no public key of a host".to_owned(), hint));
    }
    problems
}
