//! What makes two reports the same.

use std::sync::LazyLock;

use regex::Regex;

use crate::words::SplatKind;

/// Replacements, in order.
static RULES: LazyLock<Vec<(Regex, &'static str)>> = LazyLock::new(|| {
    [
        // Functions lose their offset, and the module they are in.
        (r"\+0x[0-9a-f]+/0x[0-9a-f]+", ""),
        (r" \[\w+\]$", ""),
        // Who was there by chance.
        (r"CPU: \d+ PID: \d+ ", ""),
        (r"\[[^\[\]]*:\d+\]", "[task]"),
        (r"INFO: task .*:\d+ blocked", "INFO: task blocked"),
        (r"in process \S+", "in process"),
        (r"^.*: page allocation failure", "page allocation failure"),
        (r"[^\s/]+/\d+(?:/0x[0-9a-f]+)?", "task"),
        // Numbers and addresses.
        (r"\b(pfn|pte|pmd|val):-?[0-9a-f]+", "$1:#"),
        (r"0x[0-9a-f]+", "#"),
        (r"\b[0-9a-f]{8,}\b", "#"),
        (r"\d+", "#"),
        (r"\s+", " "),
    ]
    .into_iter()
    // The patterns are literals, and every one is compiled by the tests.
    .map(|(pattern, with)| (Regex::new(pattern).expect("a literal pattern"), with))
    .collect()
});

/// Suffixes that compilers add to the names of copies and parts of a function.
const CLONES: [&str; 6] = [".isra.", ".constprop.", ".part.", ".cold", ".llvm.", ".lto_priv."];

/// A function's name as the source has it.
pub(super) fn source_name(function: &str) -> &str {
    let end = CLONES.iter().filter_map(|clone| function.find(clone)).min().unwrap_or(function.len());
    &function[..end]
}

/// Kind, function and normalised title. A WARN is known by its function and file, as its line moves.
pub(super) fn signature(kind: SplatKind, function: Option<&str>, file: Option<&str>, title: &str) -> String {
    let what = match (kind, file) {
        (SplatKind::Warning | SplatKind::Bug, Some(file)) => format!("at {file}"),
        _other => normalised(title),
    };
    format!("{} | {} | {}", word(kind), function.unwrap_or("?"), what)
}

fn normalised(title: &str) -> String {
    let mut text = title.to_owned();
    for (pattern, with) in RULES.iter() {
        text = pattern.replace_all(&text, *with).into_owned();
    }
    text.trim().to_owned()
}

fn word(kind: SplatKind) -> &'static str {
    match kind {
        SplatKind::Warning => "warning",
        SplatKind::Bug => "bug",
        SplatKind::Oops => "oops",
        SplatKind::Panic => "panic",
        SplatKind::Kasan => "kasan",
        SplatKind::Sanitizer => "sanitizer",
        SplatKind::Lockdep => "lockdep",
        SplatKind::Atomic => "atomic",
        SplatKind::HungTask => "hung-task",
        SplatKind::Lockup => "lockup",
        SplatKind::BadPage => "bad-page",
        SplatKind::Leak => "leak",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chance_is_removed_from_titles() {
        let table = [
            ("BUG: KASAN: slab-use-after-free in f+0x1/0x2 [test_hmm]", "BUG: KASAN: slab-use-after-free in f"),
            (
                "watchdog: BUG: soft lockup - CPU#1 stuck for 26s! [hmm-tests:99]",
                "watchdog: BUG: soft lockup - CPU## stuck for #s! [task]",
            ),
            (
                "INFO: task kworker/0:1:9 blocked for more than 120 seconds.",
                "INFO: task blocked for more than # seconds.",
            ),
            ("BUG: Bad page state in process hmm-tests  pfn:1a2b3", "BUG: Bad page state in process pfn:#"),
            ("BUG: scheduling while atomic: hmm-tests/99/0x00000002", "BUG: scheduling while atomic: task"),
            (
                "BUG: Bad rss-counter state mm:00000000abcdef01 type:MM_ANONPAGES val:-1",
                "BUG: Bad rss-counter state mm:# type:MM_ANONPAGES val:#",
            ),
            (
                "BUG: unable to handle page fault for address: ffffffffdeadbeef",
                "BUG: unable to handle page fault for address: #",
            ),
            ("WARNING: hmm-tests/12 still has locks held!", "WARNING: task still has locks held!"),
            (
                "hmm-tests: page allocation failure: order:9, mode:0x40cc0(GFP_KERNEL)",
                "page allocation failure: order:#, mode:#(GFP_KERNEL)",
            ),
            ("Oops: general protection fault: 0000 [#1] SMP", "Oops: general protection fault: # [##] SMP"),
        ];
        for (title, expected) in table {
            assert_eq!(normalised(title), expected, "{title}");
        }
    }

    #[test]
    fn a_warning_keeps_its_signature_when_lines_move() {
        let sign = |title| signature(SplatKind::Warning, Some("f"), Some("mm/hmm.c"), title);
        assert_eq!(sign("WARNING: CPU: 0 PID: 1 at mm/hmm.c:9 f+0x1/0x2"), "warning | f | at mm/hmm.c");
        assert_eq!(sign("WARNING: CPU: 1 PID: 7 at mm/hmm.c:12 f+0x3/0x9"), "warning | f | at mm/hmm.c");
    }

    #[test]
    fn compiler_clones_are_their_function() {
        assert_eq!(source_name("dmirror_ioctl.cold"), "dmirror_ioctl");
        assert_eq!(source_name("do_madvise.part.0.isra.1"), "do_madvise");
        assert_eq!(source_name("hmm_range_fault"), "hmm_range_fault");
    }
}
