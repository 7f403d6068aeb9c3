//! Lines inside a report: where the kernel was, and whether a line still belongs to it.

use std::sync::LazyLock;

use regex::Regex;

use super::signature::source_name;

/// `RIP: 0010:hmm_range_fault+0x12/0x34` (x86, in the kernel), `pc : ...` (arm64), `epc : ...` (riscv),
/// `NIP [c000...] ...` (powerpc).
static PROGRAM_COUNTER: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"^\s*(?:RIP: 0010:|EIP: |pc : |epc : |NIP \[[0-9a-f]+\] )(?:\[<[0-9a-f]+>\] )?([A-Za-z_][\w.$]*)\+0x[0-9a-f]+/",
    )
});
/// ` hmm_range_fault+0x12/0x34 [module]`; entries marked `?` are guesses and do not match.
static STACK_ENTRY: LazyLock<Regex> =
    LazyLock::new(|| regex(r"^\s+(?:\[[<0-9a-f>]+\]\s+)*([A-Za-z_][\w.$]*)\+0x[0-9a-f]+/0x[0-9a-f]+"));
/// ` (&mm->mmap_lock){++++}-{3:3}, at: do_madvise+0x1/0x2`.
static LOCK_AT: LazyLock<Regex> = LazyLock::new(|| regex(r"\}.*, at: ([A-Za-z_][\w.$]*)\+0x"));
static BODY: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r#"(?x)^(?:\s|$|CPU[:\#]|RIP:|RSP:|R[A-D]X:|R[SD]I:|RBP:|R\d\d:|FS:|CS:|CR\d:|DR\d:|PKRU|Code:|Call\ [Tt]race
        |Hardware\ name|Modules\ linked|Tainted|Workqueue|Stack:|Sending\ NMI|NMI\ backtrace|rcu:|pc\ :|lr\ :|sp\ :|x\d+\ *:
        |pstate|EFLAGS|ORIG_RAX|Showing|task:|irq\ event|hardirqs|softirqs|INFO:\ lockdep|Preemption\ disabled
        |\d+\ locks?\ held|no\ locks\ held|locks\ held|stack\ backtrace|page[: _]|raw:|head:|flags:|anon\ |file\ |addr:
        |Future\ hung|"echo\ 0|GPR\d|NIP|LR\ |MSR|XER|CFAR|IRQMASK|epc|ra\ :|gp\ :|t\d\ |s\d+|a\d\ |status:
        |in_atomic\(\)|preempt_count|RCU\ nest|Mem-Info|kobject|handlers:|\[<|---|\()"#,
    )
});

fn regex(pattern: &str) -> Regex {
    // The patterns are literals of this file, and every one is compiled by the tests.
    Regex::new(pattern).expect("a literal pattern")
}

/// Functions that are in every report of some kind and say nothing about where the trouble is.
const PLUMBING_PREFIXES: &[&str] = &[
    "dump_stack",
    "show_stack",
    "dump_backtrace",
    "show_trace",
    "panic",
    "vpanic",
    "nmi_panic",
    "__warn",
    "warn_slowpath",
    "report_bug",
    "handle_bug",
    "exc_",
    "asm_",
    "print_",
    "kasan_",
    "__asan_",
    "__kasan",
    "kmsan_",
    "__msan",
    "kcsan_",
    "__tsan",
    "ubsan_",
    "__ubsan",
    "lock_acquire",
    "__lock_acquire",
    "lock_release",
    "validate_chain",
    "mark_lock",
    "mark_usage",
    "mark_held",
    "check_noncircular",
    "check_prev",
    "check_deadlock",
    "check_irq_usage",
    "lockdep_",
    "refcount_warn",
    "unknown_nmi",
    "default_do_nmi",
    "end_repeat_nmi",
    "do_nmi",
    "nmi_handle",
];
/// The same for functions that only wait or complain for another.
const PLUMBING: &[&str] = &[
    "__schedule",
    "schedule",
    "schedule_timeout",
    "schedule_preempt_disabled",
    "io_schedule",
    "__mutex_lock",
    "mutex_lock",
    "__mutex_lock_slowpath",
    "mutex_lock_nested",
    "rwsem_down_read_slowpath",
    "rwsem_down_write_slowpath",
    "down_read",
    "down_write",
    "__down_read",
    "__down_write",
    "down_write_killable",
    "down_read_killable",
    "wait_for_completion",
    "__wait_for_common",
    "wait_for_common",
    "folio_wait_bit_common",
    "__folio_lock",
    "__might_resched",
    "__might_sleep",
    "___might_sleep",
    "__schedule_bug",
    "bad_page",
    "print_bad_pte",
    "warn_alloc",
    "sysfs_warn_dup",
    "slab_err",
    "object_err",
    "slab_pad_check",
    "free_page_is_bad",
    "assert_fail",
    "ret_from_fork",
    "__report_bad_irq",
    "debug_print_object",
    "__list_add_valid_or_report",
    "__list_del_entry_valid_or_report",
    "debug_smp_processor_id",
    "__bad_area_nosemaphore",
    "page_fault_oops",
    "do_error_trap",
];

/// True for functions that say nothing about where the trouble is.
pub(super) fn is_plumbing(function: &str) -> bool {
    let function = source_name(function);
    PLUMBING.contains(&function) || PLUMBING_PREFIXES.iter().any(|prefix| function.starts_with(prefix))
}

/// The function the program counter is in.
pub(super) fn program_counter(message: &str) -> Option<&str> {
    capture(&PROGRAM_COUNTER, message)
}

/// The function of a stack entry that is worth a name.
pub(super) fn stack_entry(message: &str) -> Option<&str> {
    capture(&STACK_ENTRY, message).filter(|function| !is_plumbing(function))
}

/// The function that takes a lock.
pub(super) fn lock_at(message: &str) -> Option<&str> {
    capture(&LOCK_AT, message)
}

/// True for the line before the first stack entry.
pub(super) fn is_trace_start(message: &str) -> bool {
    message.trim_start().to_ascii_lowercase().starts_with("call trace")
}

/// True for lines that belong to a report whose stack trace has been seen.
pub(super) fn is_body(message: &str) -> bool {
    BODY.is_match(message)
}

/// A line of nothing but `=`.
pub(super) fn is_ruler(message: &str) -> bool {
    let message = message.trim();
    message.len() >= 10 && message.bytes().all(|b| b == b'=')
}

fn capture<'a>(pattern: &Regex, message: &'a str) -> Option<&'a str> {
    Some(pattern.captures(message)?.get(1)?.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_the_kernel_was() {
        let table = [
            ("RIP: 0010:hmm_range_fault+0x12/0x34", Some("hmm_range_fault")),
            ("RIP: 0010:dmirror_fops_open+0x12/0x34 [test_hmm]", Some("dmirror_fops_open")),
            ("RIP: 0033:0x401000", None),
            ("RIP: 0010:0x0", None),
            ("pc : hmm_range_fault+0x12/0x34", Some("hmm_range_fault")),
            ("NIP [c0000000001234] hmm_range_fault+0x12/0x34", Some("hmm_range_fault")),
            ("epc : hmm_range_fault+0x12/0x34", Some("hmm_range_fault")),
        ];
        for (message, expected) in table {
            assert_eq!(program_counter(message), expected, "{message}");
        }
        assert_eq!(stack_entry(" hmm_range_fault+0x12/0x34"), Some("hmm_range_fault"));
        assert_eq!(stack_entry(" ? hmm_range_fault+0x12/0x34"), None);
        assert_eq!(stack_entry(" dump_stack_lvl+0x12/0x34"), None);
        assert_eq!(stack_entry(" [<ffffffff81000000>] do_exit+0x12/0x34"), Some("do_exit"));
        assert_eq!(
            lock_at("ffff888 (&mm->mmap_lock){++++}-{3:3}, at: do_madvise.part.0+0x1/0x2"),
            Some("do_madvise.part.0")
        );
    }

    #[test]
    fn rulers() {
        assert!(is_ruler("=================================================================="));
        assert!(!is_ruler("=== Single THP Size (2.0 MB) ==="));
        assert!(!is_ruler("===="));
    }
}
