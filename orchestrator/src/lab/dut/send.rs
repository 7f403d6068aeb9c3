//! Sending files to a box: by content, so that what is there is not sent again, and with their hash checked.

use std::collections::BTreeMap;
use std::time::Duration;

use camino::Utf8Path;
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use super::ssh::Shell;
use super::state::Safe;
use crate::process::quote;

/// How long a file may take on its way.
const DEADLINE: Duration = Duration::from_secs(600);
/// Files that a box keeps; older ones are removed.
const KEPT: usize = 40;
/// Folder of an attempt, below the state folder.
pub(super) const RUN: &str = "run";

/// Something to be on a box.
pub(super) struct Item {
    /// Absolute path there.
    pub path: String,
    /// Content.
    pub bytes: Vec<u8>,
}

/// SHA-256 in hex: the one hash that a box's own tools compute.
fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Puts all items in place, in a new folder of the attempt, and syncs the disk. Only a safe kernel writes to the disk.
///
/// # Errors
/// One sentence: what did not arrive.
pub(super) async fn send(
    _safe: &Safe,
    shell: &Shell,
    state_dir: &str,
    items: &[Item],
    cancel: &CancellationToken,
) -> Result<(), String> {
    let mut contents: BTreeMap<String, &[u8]> = BTreeMap::new();
    let mut places = Vec::new();
    for item in items {
        let hash = hash(&item.bytes);
        places.push((hash.clone(), item.path.as_str()));
        contents.insert(hash, &item.bytes);
    }
    let names: Vec<&String> = contents.keys().collect();
    let there = shell.run(&look(state_dir, &names), cancel).await?;
    for (hash, bytes) in &contents {
        if there.lines().any(|line| line.split_whitespace().next() == Some(hash)) {
            continue;
        }
        let command = shell.command(&receive(state_dir, hash)).stdin(bytes.to_vec()).deadline(DEADLINE);
        let said = command.output(cancel).await.map_err(|error| format!("sending {hash}: {error}"))?;
        if said.split_whitespace().next() != Some(hash) {
            return Err(format!("a file of {} bytes did not arrive as it was sent: {}", bytes.len(), said.trim()));
        }
    }
    shell.run(&place(state_dir, &places), cancel).await.map(drop)
}

/// Says the hashes of those files that are there and whole; makes room for a new attempt.
fn look(state_dir: &str, hashes: &[&String]) -> String {
    let names: Vec<&str> = hashes.iter().map(|hash| hash.as_str()).collect();
    format!(
        "set -e; mkdir -p {state_dir}/files; rm -rf {state_dir}/{RUN}; mkdir -p {state_dir}/{RUN}; cd {state_dir}/files; \
         touch -c {names}; sha256sum {names} 2>/dev/null || true",
        names = names.join(" ")
    )
}

fn receive(state_dir: &str, hash: &str) -> String {
    format!("set -e; cd {state_dir}/files; cat > new.{hash}; sha256sum < new.{hash}; mv new.{hash} {hash}")
}

/// Copies into place, removes what is old, and waits for the disk.
fn place(state_dir: &str, places: &[(String, &str)]) -> String {
    let mut script = format!("set -e; cd {state_dir}/files; ");
    for (hash, path) in places {
        let folder = Utf8Path::new(path).parent().map_or("/", Utf8Path::as_str);
        script.push_str(&format!("mkdir -p {0}; cp {hash} {1}; chmod 755 {1}; ", quote(folder), quote(path)));
    }
    let first = KEPT + 1;
    script
        .push_str(&format!("rm -f new.*; ls -t | tail -n +{first} | while read -r old; do rm -f \"$old\"; done; sync"));
    script
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> String {
        let output = std::process::Command::new("sh").args(["-c", script]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    #[test]
    fn the_scripts_do_what_they_say_in_a_real_shell() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("state").to_string_lossy().into_owned();
        let name = hash(b"content");
        assert_eq!(shell(&look(&state, &[&name])), "");
        std::fs::write(format!("{state}/files/{name}"), "content").unwrap();
        assert!(shell(&look(&state, &[&name])).starts_with(&name));
        // Cut off: it is there by name only.
        std::fs::write(format!("{state}/files/{name}"), "cont").unwrap();
        assert!(
            !shell(&look(&state, &[&name])).contains(&name[..]) || !shell(&look(&state, &[&name])).starts_with(&name)
        );
        std::fs::write(format!("{state}/files/{name}"), "content").unwrap();
        for old in 0..KEPT + 5 {
            std::fs::write(format!("{state}/files/old{old}"), "x").unwrap();
        }
        let path = format!("{state}/run/tests/it's");
        shell(&place(&state, &[(name, &path)]));
        assert_eq!(std::fs::read(&path).unwrap(), b"content");
        assert_eq!(std::fs::read_dir(format!("{state}/files")).unwrap().count(), KEPT);
    }
}
