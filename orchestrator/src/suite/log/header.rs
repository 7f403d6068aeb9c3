//! The first line of a report: what kind it is, which function it names, and how it ends.

use std::sync::LazyLock;

use regex::Regex;

use crate::words::SplatKind;

/// How the end of a report is recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// `---[ end trace`.
    TraceMark,
    /// A line of `=`.
    Ruler,
    /// The first lines after a stack trace that do not look like a part of it.
    AfterTrace,
    /// The first line that is not indented.
    Outdent,
    /// It is one line.
    Here,
    /// `---[ end Kernel panic`.
    PanicMark,
}

/// A report's first line, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    pub kind: SplatKind,
    pub end: End,
    /// Function named in the line.
    pub function: Option<String>,
    /// Source file named in the line (WARN and BUG).
    pub file: Option<String>,
}

/// Cheap sieve: nearly all lines end here.
static SIEVE: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"(?x)^(?:WARNING:|BUG|\[\ (?:BUG|INFO):|INFO:|UBSAN:|Kernel\ panic|[Kk]ernel\ BUG|Oops|Internal\ error:
        |Unable\ to\ handle|general\ protection|invalid\ opcode|divide\ error|stack\ segment|double\ fault|int3:
        |traps:\ PANIC|PANIC:|kernel\ tried\ to\ execute|unable\ to\ execute|kernel\ stack\ overflow|Watchdog\ detected
        |watchdog:|NMI\ watchdog:|rcu:|kmemleak:|unreferenced\ object|sysfs:\ cannot|sysrq:\ Show\ Blocked|irq\ \d)
        |page\ allocation\ failure|:\ bad\ p[gmu4t]|:\ Bad\ swap",
    )
});

/// `WARNING: CPU: 0 PID: 1 at mm/hmm.c:12 hmm_range_fault+0x1/0x2 [module]`, up to 6.18.
static WARN_OLD: LazyLock<Regex> =
    LazyLock::new(|| regex(r"^WARNING: CPU: \d+ PID: \d+ at (?:(\S+):\d+ )?([\w.$]+)\+0x"));
/// `WARNING: [condition] mm/hmm.c:12 at hmm_range_fault+0x1/0x2, CPU#0: comm/1`, later.
static WARN_NEW: LazyLock<Regex> =
    LazyLock::new(|| regex(r"^WARNING: (?:\[.*\] )?(?:(\S+):\d+ )?at ([\w.$]+)\+0x[0-9a-f]+/0x[0-9a-f]+.*CPU#"));
/// A WARN of a kernel that knows no symbols, or whose caller has none.
static WARN_BARE: LazyLock<Regex> = LazyLock::new(|| regex(r"^WARNING: CPU: \d+ PID: \d+ at (?:(\S+):\d+)?"));
static LOCKDEP: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"(?x)^WARNING:\ (?:possible\ (?:circular|recursive)\ locking|possible\ irq\ lock\ inversion
        |inconsistent\ lock\ state|\S+-safe\ ->\ \S+-unsafe\ lock\ order|chain_key\ collision|Nested\ lock\ was\ not
        |bad\ unlock\ balance|bad\ contention|held\ lock\ freed|.*\ still\ has\ locks\ held|lock\ held\ when\ returning
        |suspicious\ RCU\ usage)
        |^\[\ (?:BUG|INFO):\ .*\]$
        |^INFO:\ (?:trying\ to\ register\ non-static\ key|possible\ \S+\ lock|suspicious\ RCU)
        |^BUG:\ (?:MAX_(?:LOCK|STACK)|key\ .*has\ not\ been\ registered)",
    )
});
static ATOMIC: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"(?x)^BUG:\ (?:sleeping\ function\ called|scheduling\ while\ atomic|assuming\ atomic\ context
        |assuming\ non\ migratable|using\ .*in\ preemptible|workqueue\ leaked)",
    )
});
static LOCKUP: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"(?x)^(?:(?:NMI\ )?watchdog:\ )?BUG:\ (?:soft\ lockup|workqueue\ lockup)
        |^(?:(?:NMI\ )?watchdog:\ )?Watchdog\ detected\ hard\ LOCKUP
        |^(?:rcu:\ )?INFO:\ rcu\S*\ (?:self-)?detected\ (?:expedited\ )?stalls?",
    )
});
static SANITIZER: LazyLock<Regex> =
    LazyLock::new(|| regex(r"^BUG: (KASAN|KCSAN|KFENCE|KMSAN): .*?(?: in ([A-Za-z_][\w.$]*))?(?:\+0x\S*)?(?:$|[ /])"));
static SANITIZER_FUNCTION: LazyLock<Regex> = LazyLock::new(|| regex(r" in ([A-Za-z_][\w.$]*)(?:\+0x| /|$|\s)"));
static KERNEL_BUG: LazyLock<Regex> = LazyLock::new(|| regex(r"^[Kk]ernel BUG at (?:(\S+):\d+!|([\w.$]+)\+0x|)"));
static BUG_FAILURE: LazyLock<Regex> = LazyLock::new(|| regex(r"^BUG: failure at (\S+):\d+/([\w.$]+)\(\)!"));
static SLUB: LazyLock<Regex> = LazyLock::new(|| regex(r"^BUG \S+ \(.*\): "));
/// A fault with a count of deaths, or a line that announces one.
static OOPS: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"(?x)^BUG:\ (?:kernel\ NULL\ pointer|[Uu]nable\ to\ handle|stack\ guard\ page\ was\ hit)
        |^Unable\ to\ handle\ kernel
        |^(?:kernel\ tried\ to\ execute\ NX|unable\ to\ execute\ userspace|kernel\ stack\ overflow|(?:traps:\ )?PANIC:\ double)
        |^(?:Oops|Internal\ error:|general\ protection|invalid\ opcode|divide\ error|stack\ segment|double\ fault|int3:).*\[\#\d+\]",
    )
});
static BAD_PAGE_TABLE: LazyLock<Regex> = LazyLock::new(|| regex(r"^(\S+):\d+: bad (?:pgd|p4d|pud|pmd|pte) "));

fn regex(pattern: &str) -> Regex {
    // The patterns are literals of this file, and every one is compiled by the tests.
    Regex::new(pattern).expect("a literal pattern")
}

/// Reads a line as the first of a report; `None` for all other lines.
pub(super) fn header(message: &str) -> Option<Header> {
    if !SIEVE.is_match(message) {
        return None;
    }
    let new = |kind, end| Some(Header { kind, end, function: None, file: None });
    for warn in [&WARN_OLD, &WARN_NEW] {
        if let Some(found) = warn.captures(message) {
            let text = |index| found.get(index).map(|m: regex::Match<'_>| m.as_str().to_owned());
            return Some(Header { kind: SplatKind::Warning, end: End::TraceMark, function: text(2), file: text(1) });
        }
    }
    if let Some(found) = WARN_BARE.captures(message) {
        let file = found.get(1).map(|m| m.as_str().to_owned());
        return Some(Header { kind: SplatKind::Warning, end: End::TraceMark, function: None, file });
    }
    if LOCKDEP.is_match(message) {
        return new(SplatKind::Lockdep, End::AfterTrace);
    }
    if let Some(found) = SANITIZER.captures(message) {
        let kind = if &found[1] == "KASAN" { SplatKind::Kasan } else { SplatKind::Sanitizer };
        let function = SANITIZER_FUNCTION.captures(message).map(|found| found[1].to_owned());
        return Some(Header { kind, end: End::Ruler, function, file: None });
    }
    if message.starts_with("UBSAN: ") {
        return new(SplatKind::Sanitizer, End::TraceMark);
    }
    if ATOMIC.is_match(message) {
        return new(SplatKind::Atomic, End::AfterTrace);
    }
    if LOCKUP.is_match(message) {
        return new(SplatKind::Lockup, End::AfterTrace);
    }
    if message.starts_with("INFO: task ") && message.contains(" blocked ") {
        return new(SplatKind::HungTask, End::AfterTrace);
    }
    // The agent asks for it when a test cannot be killed.
    if message.trim_end() == "sysrq: Show Blocked State" {
        return new(SplatKind::HungTask, End::AfterTrace);
    }
    if message.ends_with("messages suppressed") {
        return None;
    }
    if message.starts_with("BUG: Bad rss-counter") || message.starts_with("BUG: non-zero pgtables_bytes") {
        return new(SplatKind::BadPage, End::Here);
    }
    if message.starts_with("BUG: Bad page ") || message.contains("page allocation failure: ") {
        return new(SplatKind::BadPage, End::AfterTrace);
    }
    if BAD_PAGE_TABLE.is_match(message) || message.contains(": Bad swap ") {
        return new(SplatKind::BadPage, End::Here);
    }
    if message.starts_with("kmemleak: ") && message.contains("suspected memory leak") {
        return new(SplatKind::Leak, End::Here);
    }
    if message.strip_prefix("kmemleak: ").unwrap_or(message).starts_with("unreferenced object 0x") {
        return new(SplatKind::Leak, End::Outdent);
    }
    if OOPS.is_match(message) {
        return new(SplatKind::Oops, End::TraceMark);
    }
    if let Some(found) = BUG_FAILURE.captures(message) {
        return Some(Header {
            kind: SplatKind::Bug,
            end: End::AfterTrace,
            function: Some(found[2].to_owned()),
            file: Some(found[1].to_owned()),
        });
    }
    if let Some(found) = KERNEL_BUG.captures(message) {
        let text = |index| found.get(index).map(|m: regex::Match<'_>| m.as_str().to_owned());
        return Some(Header { kind: SplatKind::Bug, end: End::TraceMark, function: text(2), file: text(1) });
    }
    if message.starts_with("Kernel panic - not syncing: ") {
        // The orchestrator sends an NMI into a guest that hangs, so that it shows where.
        let kind = if message.contains("NMI: Not continuing") { SplatKind::Lockup } else { SplatKind::Panic };
        return new(kind, End::PanicMark);
    }
    if message.starts_with("sysfs: cannot create duplicate") || is_unhandled_irq(message) {
        return new(SplatKind::Warning, End::AfterTrace);
    }
    if message.starts_with("BUG: ") || SLUB.is_match(message) {
        return new(SplatKind::Bug, End::AfterTrace);
    }
    None
}

fn is_unhandled_irq(message: &str) -> bool {
    message.starts_with("irq ") && message.contains(": nobody cared")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn brief(message: &str) -> Option<(SplatKind, Option<String>, Option<String>)> {
        header(message).map(|h| (h.kind, h.function, h.file))
    }

    #[test]
    fn first_lines_of_reports() {
        use SplatKind::*;
        let table: [(&str, SplatKind, Option<&str>, Option<&str>); 56] = [
            (
                "WARNING: CPU: 1 PID: 99 at mm/hmm.c:612 hmm_range_fault+0x12/0x34",
                Warning,
                Some("hmm_range_fault"),
                Some("mm/hmm.c"),
            ),
            (
                "WARNING: CPU: 1 PID: 99 at lib/test_hmm.c:1 dmirror_ioctl.cold+0x1/0x2 [test_hmm]",
                Warning,
                Some("dmirror_ioctl.cold"),
                Some("lib/test_hmm.c"),
            ),
            ("WARNING: CPU: 1 PID: 99 at hmm_range_fault+0x12/0x34", Warning, Some("hmm_range_fault"), None),
            ("WARNING: CPU: 1 PID: 99 at mm/hmm.c:612 0xffffffff81000000", Warning, None, Some("mm/hmm.c")),
            (
                "WARNING: mm/hmm.c:612 at hmm_range_fault+0x12/0x34, CPU#0: hmm-tests/99",
                Warning,
                Some("hmm_range_fault"),
                Some("mm/hmm.c"),
            ),
            (
                "WARNING: [ret < 0 && !x] mm/hmm.c:612 at hmm_range_fault+0x12/0x34, CPU#0: hmm-tests/99",
                Warning,
                Some("hmm_range_fault"),
                Some("mm/hmm.c"),
            ),
            ("WARNING: possible circular locking dependency detected", Lockdep, None, None),
            ("WARNING: possible recursive locking detected", Lockdep, None, None),
            ("WARNING: inconsistent lock state", Lockdep, None, None),
            ("WARNING: SOFTIRQ-safe -> SOFTIRQ-unsafe lock order detected", Lockdep, None, None),
            ("WARNING: possible irq lock inversion dependency detected", Lockdep, None, None),
            ("WARNING: bad unlock balance detected!", Lockdep, None, None),
            ("WARNING: held lock freed!", Lockdep, None, None),
            ("WARNING: hmm-tests/12 still has locks held!", Lockdep, None, None),
            ("WARNING: lock held when returning to user space!", Lockdep, None, None),
            ("WARNING: suspicious RCU usage", Lockdep, None, None),
            ("[ BUG: Invalid wait context ]", Lockdep, None, None),
            ("INFO: trying to register non-static key.", Lockdep, None, None),
            (
                "BUG: KASAN: slab-use-after-free in dmirror_fops_release+0x1b/0x40 [test_hmm]",
                Kasan,
                Some("dmirror_fops_release"),
                None,
            ),
            ("BUG: KASAN: null-ptr-deref in hmm_vma_walk_pmd+0x1/0x2", Kasan, Some("hmm_vma_walk_pmd"), None),
            ("BUG: KASAN: invalid-access", Kasan, None, None),
            ("BUG: KCSAN: data-race in folio_add_lru / folio_mark_accessed", Sanitizer, Some("folio_add_lru"), None),
            ("BUG: KCSAN: data-race in tick_sched_timer+0x47/0x90", Sanitizer, Some("tick_sched_timer"), None),
            ("BUG: KFENCE: use-after-free read in test_fn+0x1/0x2", Sanitizer, Some("test_fn"), None),
            ("BUG: KMSAN: uninit-value in foo+0x1/0x2", Sanitizer, Some("foo"), None),
            ("UBSAN: array-index-out-of-bounds in mm/migrate_device.c:99:3", Sanitizer, None, None),
            ("BUG: sleeping function called from invalid context at kernel/locking/mutex.c:580", Atomic, None, None),
            ("BUG: scheduling while atomic: hmm-tests/99/0x00000002", Atomic, None, None),
            ("BUG: using smp_processor_id() in preemptible [00000000] code: hmm-tests/9", Atomic, None, None),
            ("BUG: workqueue leaked atomic, lock or RCU: kworker/0:1[9]", Atomic, None, None),
            ("watchdog: BUG: soft lockup - CPU#1 stuck for 26s! [hmm-tests:99]", Lockup, None, None),
            ("NMI watchdog: Watchdog detected hard LOCKUP on cpu 0", Lockup, None, None),
            ("rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:", Lockup, None, None),
            ("rcu: INFO: rcu_sched self-detected stall on CPU", Lockup, None, None),
            ("rcu: INFO: rcu_preempt detected expedited stalls on CPUs/tasks: { 1-... } 9 jiffies", Lockup, None, None),
            ("INFO: task hmm-tests:99 blocked for more than 120 seconds.", HungTask, None, None),
            ("INFO: task hmm-tests:99 blocked in I/O wait for more than 120 seconds.", HungTask, None, None),
            ("BUG: Bad page state in process hmm-tests  pfn:12345", BadPage, None, None),
            ("BUG: Bad page map in process hmm-tests  pte:80000000 pmd:1234", BadPage, None, None),
            ("BUG: Bad rss-counter state mm:00000000abcdef01 type:MM_ANONPAGES val:1", BadPage, None, None),
            ("BUG: non-zero pgtables_bytes on freeing mm: 4096", BadPage, None, None),
            ("mm/pgtable-generic.c:50: bad pmd 00000000abcdef01(0000000012345678)", BadPage, None, None),
            ("get_swap_device: Bad swap file entry 3ffffffffffff", BadPage, None, None),
            ("hmm-tests: page allocation failure: order:9, mode:0x40cc0(GFP_KERNEL|__GFP_COMP)", BadPage, None, None),
            ("kmemleak: 2 new suspected memory leaks (see /sys/kernel/debug/kmemleak)", Leak, None, None),
            ("unreferenced object 0xffff888003a1c000 (size 64):", Leak, None, None),
            ("BUG: kernel NULL pointer dereference, address: 0000000000000008", Oops, None, None),
            ("BUG: unable to handle page fault for address: ffffffffdeadbeef", Oops, None, None),
            ("Unable to handle kernel paging request at virtual address dead000000000122", Oops, None, None),
            (
                "Oops: general protection fault, probably for non-canonical address 0xdead: 0000 [#1] SMP",
                Oops,
                None,
                None,
            ),
            ("kernel BUG at mm/migrate_device.c:77!", Bug, None, Some("mm/migrate_device.c")),
            ("BUG: failure at mm/hmm.c:12/hmm_pfns_fill()!", Bug, Some("hmm_pfns_fill"), Some("mm/hmm.c")),
            ("BUG kmalloc-64 (Not tainted): Poison overwritten", Bug, None, None),
            ("Kernel panic - not syncing: Attempted to kill init! exitcode=0x0000000b", Panic, None, None),
            ("sysfs: cannot create duplicate filename '/devices/virtual/hmm'", Warning, None, None),
            ("irq 9: nobody cared (try booting with the \"irqpoll\" option)", Warning, None, None),
        ];
        for (message, kind, function, file) in table {
            let expected = Some((kind, function.map(str::to_owned), file.map(str::to_owned)));
            assert_eq!(brief(message), expected, "{message}");
        }
    }

    #[test]
    fn lines_that_are_no_reports() {
        for message in [
            "WARNING: Flushing system-wide workqueues will be prohibited in near future.",
            "BUG: Bad page state: 7 messages suppressed",
            "traps: hmm-tests[99] general protection fault ip:401000 sp:7ffd error:0 in hmm-tests[401000+1000]",
            "hmm-tests[99]: segfault at 0 ip 0000000000401000 sp 00007ffd error 4 in hmm-tests[401000+1000]",
            "watchdog: Delayed init of the lockup detector failed: -2",
            "rcu: Hierarchical RCU implementation.",
            "INFO: lockdep is turned off.",
            "kmemleak: Kernel memory leak detector initialized (mem pool available: 15864)",
            "test_hmm: HMM test module loaded. This is only for testing HMM.",
            "Oops happens",
            "irq 9: somebody cared",
            "nobody: irq 9: nobody cared",
            "INFO: task hmm-tests:99 is fine.",
            "debug: WARNING: not at the start",
        ] {
            assert_eq!(header(message), None, "{message}");
        }
    }

    #[test]
    fn the_nmi_into_a_hung_guest_is_no_panic_of_its_own() {
        let found = header("Kernel panic - not syncing: NMI: Not continuing").unwrap();
        assert_eq!(found.kind, SplatKind::Lockup);
    }
}
