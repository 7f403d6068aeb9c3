//! The git program, cut off from the user's and the host's configuration.

use camino::Utf8Path;

use crate::process::Command;

/// Settings every call gets: no hooks, no signing, no housekeeping behind our back, no wait for the disk (whatever a
/// crash of the host leaves is recognised as half-done and made again).
const SETTINGS: &[&str] = &[
    "core.hooksPath=/dev/null",
    "core.attributesFile=/dev/null",
    "core.excludesFile=/dev/null",
    "core.autocrlf=false",
    "core.fsync=none",
    "core.fsmonitor=false",
    "commit.gpgSign=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "advice.detachedHead=false",
    "protocol.ext.allow=never",
];

/// `git` on the repository `repo`, run in the folder `cwd`.
pub(super) fn git(repo: &Utf8Path, cwd: &Utf8Path) -> Command {
    base(repo, cwd).env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1")
}

/// `git` for talking to another host. The user's configuration counts here (proxies, mirrors, certificates); nobody
/// is asked for a password, and a silent line counts as dead after a minute.
pub(super) fn remote_git(repo: &Utf8Path, cwd: &Utf8Path) -> Command {
    with_proxies(base(repo, cwd))
        .args(["-c", "http.lowSpeedLimit=1000", "-c", "http.lowSpeedTime=60"])
        .env("GIT_SSH_COMMAND", "ssh -o BatchMode=yes -o ConnectTimeout=20")
        .inherit("SSH_AUTH_SOCK")
        .inherit("HOME")
}

/// `git push` of a commit to the repository at `url`, where a ref of its own keeps it; `transport` is the command that
/// logs in there. What is there already does not travel.
pub fn push(repo: &Utf8Path, transport: &str, url: &str, commit: &str) -> Command {
    git(repo, repo)
        .env("GIT_SSH_COMMAND", transport)
        .env("GIT_SSH_VARIANT", "ssh")
        .args(["push", "--quiet", "--force", "--no-verify", url])
        .arg(format!("{commit}:refs/orchestrator/pushed/{commit}"))
}

fn base(repo: &Utf8Path, cwd: &Utf8Path) -> Command {
    let settings = SETTINGS.iter().flat_map(|setting| ["-c", *setting]);
    Command::new("git", cwd)
        .args(settings)
        .env("GIT_DIR", repo.as_str())
        .env("GIT_ATTR_NOSYSTEM", "1")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_EDITOR", "false")
}

/// Variables by which people name their proxy.
const PROXIES: &[&str] = &["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"];

/// Lets `command` use the environment's proxies, except for this host itself.
pub(super) fn with_proxies(command: Command) -> Command {
    let direct = ["no_proxy", "NO_PROXY"].into_iter().find_map(|name| std::env::var(name).ok());
    let direct = direct.into_iter().chain(["localhost,127.0.0.1".to_owned()]).collect::<Vec<_>>().join(",");
    PROXIES.iter().fold(command, |command, name| command.inherit(name)).env("no_proxy", direct)
}

/// Attributes that keep git from changing a byte between the repository and a worktree, whatever the tree's own
/// `.gitattributes` say; for `info/attributes`, which overrules them.
pub(super) const PLAIN_BYTES: &str = "* -text -ident !eol !filter !working-tree-encoding\n";

/// `Receiving objects:  12% (10400/86629), 1.2 MiB | 3 MiB/s` as phase, done, total.
pub(super) fn meter(line: &str) -> Option<(&str, u64, u64)> {
    let (phase, rest) = line.trim_start_matches("remote: ").split_once(':')?;
    let (done, rest) = rest.split_once('(')?.1.split_once('/')?;
    let (total, _) = rest.split_once(')')?;
    Some((phase.trim(), done.parse().ok()?, total.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_meter_is_read() {
        let table = [
            ("Receiving objects:  12% (10400/86629), 1.2 MiB | 3 MiB/s", Some(("Receiving objects", 10400, 86629))),
            ("remote: Counting objects: 100% (5/5), done.", Some(("Counting objects", 5, 5))),
            ("fatal: unable to access 'https://x/': Could not resolve host (x)", None),
            ("remote: Enumerating objects: 5, done.", None),
        ];
        for (line, read) in table {
            assert_eq!(meter(line), read, "{line}");
        }
    }
}
