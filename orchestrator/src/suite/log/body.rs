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
/// `[<ffffffff8137af20>] do_madvise+0x1/0x2`, on a line of its own: where a lock is released that nobody holds.
static ADDRESS: LazyLock<Regex> = LazyLock::new(|| regex(r"^\[<[0-9a-f]+>\] ([A-Za-z_][\w.$]*)\+0x"));
/// `workfn=do_this` (from 6.9), `last function: do_this` (before).
static WORK: LazyLock<Regex> = LazyLock::new(|| regex(r"(?:\bworkfn=|^\s*last function: )([A-Za-z_][\w.$]*)"));
/// `Freed in do_this+0x1/0x2 age=0 cpu=0 pid=35`: the last user of a slab object.
static OBJECT_USER: LazyLock<Regex> =
    LazyLock::new(|| regex(r"^(?:Freed|Allocated) in ([A-Za-z_][\w.$]*)\+0x[0-9a-f]+/"));
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
    "_raw_spin_",
    "_raw_read_",
    "_raw_write_",
    "do_raw_",
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
    "schedule_timeout_idle",
    "schedule_timeout_interruptible",
    "schedule_timeout_killable",
    "schedule_timeout_uninterruptible",
    "schedule_preempt_disabled",
    "io_schedule",
    "msleep",
    "msleep_interruptible",
    "usleep_range_state",
    "__cond_resched",
    "__mutex_lock",
    "mutex_lock",
    "__mutex_lock_slowpath",
    "__mutex_lock_interruptible_slowpath",
    "__mutex_lock_killable_slowpath",
    "mutex_lock_interruptible",
    "mutex_lock_killable",
    "mutex_lock_nested",
    "mutex_unlock",
    "__mutex_unlock_slowpath",
    "rwsem_down_read_slowpath",
    "rwsem_down_write_slowpath",
    "down_read",
    "down_write",
    "__down_read",
    "__down_write",
    "down_write_killable",
    "down_read_killable",
    "up_read",
    "up_write",
    "native_queued_spin_lock_slowpath",
    "queued_spin_lock_slowpath",
    "pv_queued_spin_lock_slowpath",
    "spin_bug",
    "spin_dump",
    "wait_for_completion",
    "wait_for_completion_killable",
    "wait_for_completion_state",
    "wait_for_completion_timeout",
    "__wait_for_common",
    "wait_for_common",
    "folio_wait_bit_common",
    "__folio_lock",
    "__wait_rcu_gp",
    "synchronize_rcu",
    "synchronize_rcu_normal",
    "__might_resched",
    "__might_sleep",
    "___might_sleep",
    "__might_fault",
    "__schedule_bug",
    "bad_page",
    "print_bad_pte",
    "print_bad_page_map",
    "warn_alloc",
    "sysfs_warn_dup",
    "slab_err",
    "__slab_err",
    "object_err",
    "slab_pad_check",
    "free_page_is_bad",
    "assert_fail",
    "register_lock_class",
    "assign_lock_key",
    "ret_from_fork",
    "ret_from_fork_asm",
    "kthread",
    "worker_thread",
    "process_one_work",
    "process_scheduled_works",
    "__report_bad_irq",
    "debug_print_object",
    "__list_add_valid_or_report",
    "__list_del_entry_valid_or_report",
    "debug_smp_processor_id",
    "check_preemption_disabled",
    "preempt_count_add",
    "preempt_count_sub",
    "__bad_area_nosemaphore",
    "page_fault_oops",
    "do_error_trap",
];

/// Functions that everybody calls. What they complain of is their caller's doing, but a fault in one of them is its own.
const CARRIERS: &[&str] = &[
    "__free_pages",
    "___free_pages",
    "free_pages",
    "free_unref_page",
    "free_unref_page_prepare",
    "free_pages_prepare",
    "__free_pages_prepare",
    "free_frozen_pages",
    "__free_frozen_pages",
    "free_to_pcp",
    "free_page_is_bad_report",
    "free_tail_page_prepare",
    "check_new_page_bad",
    "check_new_pages",
    "prep_new_page",
    "post_alloc_hook",
    "rmqueue",
    "rmqueue_bulk",
    "get_page_from_freelist",
    "out_of_memory",
    "oom_kill_process",
    "dump_header",
    "__kmalloc_large_node",
    "sysfs_create_dir_ns",
    "sysfs_add_file_mode_ns",
    "kobject_add_internal",
    "kobject_add",
    "kobject_add_varg",
    "kobject_init_and_add",
    "kobject_create_and_add",
    "kfree",
    "kvfree",
    "slab_free",
    "__slab_free",
    "free_to_partial_list",
    "free_consistency_checks",
    "alloc_consistency_checks",
    "check_bytes_and_report",
    "check_object",
    "check_pad_bytes",
    "check_slab",
    "alloc_debug_processing",
    "free_debug_processing",
    "on_freelist",
    "kmem_cache_free",
    "___slab_alloc",
    "__slab_alloc",
    "get_from_partial_node",
    "get_partial_node",
];
/// The same, by the beginning of their names.
const CARRIER_PREFIXES: &[&str] = &[
    "__alloc_pages",
    "alloc_pages",
    "__alloc_frozen_pages",
    "alloc_frozen_pages",
    "__folio_alloc",
    "folio_alloc_noprof",
    "folio_alloc_mpol",
    "get_free_pages",
    "get_zeroed_page",
    "__kmalloc_",
    "kmalloc_",
    "kmem_cache_alloc",
];

/// True for functions that say nothing about where the trouble is.
pub(super) fn is_plumbing(function: &str) -> bool {
    let function = source_name(function);
    PLUMBING.contains(&function) || PLUMBING_PREFIXES.iter().any(|prefix| function.starts_with(prefix))
}

/// True for functions of which only a fault, and no complaint, says where the trouble is.
pub(super) fn is_carrier(function: &str) -> bool {
    let function = source_name(function);
    CARRIERS.contains(&function) || CARRIER_PREFIXES.iter().any(|prefix| function.starts_with(prefix))
}

/// The function the program counter is in.
pub(super) fn program_counter(message: &str) -> Option<&str> {
    capture(&PROGRAM_COUNTER, message)
}

/// True for a line that says where in the kernel the processor was, be that in a function or not.
pub(super) fn is_program_counter(message: &str) -> bool {
    message.trim_start().starts_with("RIP: 0010:0x") || program_counter(message).is_some()
}

/// The function of a stack entry that may be worth a name.
pub(super) fn stack_entry(message: &str) -> Option<&str> {
    capture(&STACK_ENTRY, message).filter(|function| !is_plumbing(function))
}

/// The function that takes a lock, or that wants to release one.
pub(super) fn lock_at(message: &str) -> Option<&str> {
    let found = capture(&LOCK_AT, message).or_else(|| capture(&ADDRESS, message));
    found.filter(|function| !is_plumbing(function))
}

/// The work that a worker thread had just done when it complains.
pub(super) fn work(message: &str) -> Option<&str> {
    capture(&WORK, message)
}

/// Who freed the slab object that a report is about, or who allocated it.
pub(super) fn object_user(message: &str) -> Option<&str> {
    capture(&OBJECT_USER, message)
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
