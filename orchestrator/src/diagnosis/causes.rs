//! What to do about trouble of the host, by what was said of it.

/// Words of a reason, and what to do.
const TABLE: [(&[&str], &str); 12] = [
    (
        &["No space left", "disk full", "Disk quota"],
        "make room: orchestrator gc --keep-disk 20G, or --cache on another disk",
    ),
    (&["Read-only file system"], "see `dmesg` for why the disk became read-only, and mount it for writing"),
    (&["waits for approval", "orchestrator approve"], "let a person look at the patches: orchestrator approve"),
    (
        &["not installed", "not in PATH", "missing: apt-get"],
        "orchestrator doctor says what is missing and how to get it",
    ),
    (
        &["killed by signal 9", "signal 9", "Cannot allocate memory", "out of memory", "Out of memory"],
        "see `dmesg` whether the host killed it for want of memory; then resume with more free, or run with --guests 1",
    ),
    (&["sandbox", "bwrap", "user namespace"], "orchestrator doctor says whether programs can be confined here"),
    (&["Too many open files"], "raise `ulimit -n`"),
    (&["Permission denied"], "see who owns the folder that it names"),
    (
        &["resolve", "network", "Connection refused", "timed out", "unreachable"],
        "see whether the host reaches it, then resume",
    ),
    (&["interrupted"], "resume goes on with it"),
    (
        &["protocol:", "the agent could not work", "could not be prepared"],
        "see console.log and qemu.log of the boot: the guest did not do what its agent must",
    ),
    (&["result file", "Slurm"], "see the job's log and whether the nodes can read and write the cache"),
];

/// What to do about a reason; `None` when nobody knows.
pub(super) fn remedy_of(reason: &str) -> Option<&'static str> {
    let said = |words: &&[&str]| words.iter().any(|word| reason.contains(word));
    TABLE.iter().find(|(words, _)| said(words)).map(|(_, remedy)| *remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_as_the_program_says_them_have_a_remedy() {
        let table = [
            ("running make: No space left on device (os error 28)", Some("make room")),
            ("QEMU was killed by signal 9 (by hand, or by the host for want of memory)", Some("see `dmesg` whether")),
            (
                "qemu-system-x86_64 is not installed or not in PATH (No such file)",
                Some("orchestrator doctor says what"),
            ),
            ("https://x: could not resolve host", Some("see whether the host reaches it")),
            ("interrupted", Some("resume")),
            ("protocol: gap", Some("see console.log")),
            ("bwrap: setting up uid map: Permission denied", Some("orchestrator doctor says whether")),
            ("something new", None),
        ];
        for (reason, expected) in table {
            let remedy = remedy_of(reason);
            assert_eq!(remedy.is_some(), expected.is_some(), "{reason}");
            assert!(remedy.unwrap_or_default().starts_with(expected.unwrap_or_default()), "{reason}: {remedy:?}");
        }
    }
}
