use proptest::prelude::*;

use super::samples::*;
use super::*;
use crate::words::{Splat, SplatKind};

fn only(console: &str) -> Splat {
    let mut splats = scan(console);
    assert_eq!(splats.len(), 1, "{splats:#?}");
    splats.remove(0)
}

fn without_prefix(console: &str) -> String {
    console
        .lines()
        .map(|line| {
            let line = line.split_once("] ").map_or(line, |(_, message)| message);
            format!("{line}\n")
        })
        .collect()
}

/// Every sample, what it is, where it was, and its signature.
const SAMPLES: [(&str, SplatKind, &str, &str); 24] = [
    (WARN, SplatKind::Warning, "hmm_range_fault", "warning | hmm_range_fault | at mm/hmm.c"),
    (WARN_NEW, SplatKind::Warning, "hmm_range_fault", "warning | hmm_range_fault | at mm/hmm.c"),
    (REFCOUNT, SplatKind::Warning, "dmirror_fops_release", "warning | dmirror_fops_release | at lib/refcount.c"),
    (
        OOPS,
        SplatKind::Oops,
        "hmm_vma_walk_pmd",
        "oops | hmm_vma_walk_pmd | BUG: kernel NULL pointer dereference, address: #",
    ),
    (BUG, SplatKind::Bug, "migrate_vma_collect_pmd", "bug | migrate_vma_collect_pmd | at mm/migrate_device.c"),
    (
        GPF,
        SplatKind::Oops,
        "dmirror_do_fault",
        "oops | dmirror_do_fault | Oops: general protection fault, probably for non-canonical address #: # [##] SMP KASAN",
    ),
    (
        OOPS_ARM,
        SplatKind::Oops,
        "hmm_vma_walk_pmd",
        "oops | hmm_vma_walk_pmd | Unable to handle kernel NULL pointer dereference at virtual address #",
    ),
    (
        PANIC,
        SplatKind::Panic,
        "dmirror_fops_unlocked_ioctl",
        "panic | dmirror_fops_unlocked_ioctl | Kernel panic - not syncing: planted",
    ),
    (
        NMI,
        SplatKind::Lockup,
        "dmirror_migrate_to_device",
        "lockup | dmirror_migrate_to_device | Kernel panic - not syncing: NMI: Not continuing",
    ),
    (
        KASAN,
        SplatKind::Kasan,
        "dmirror_fops_release",
        "kasan | dmirror_fops_release | BUG: KASAN: slab-use-after-free in dmirror_fops_release",
    ),
    (
        LOCKDEP,
        SplatKind::Lockdep,
        "dmirror_do_fault",
        "lockdep | dmirror_do_fault | WARNING: possible circular locking dependency detected",
    ),
    (
        SUSPICIOUS_RCU,
        SplatKind::Lockdep,
        "hmm_range_fault",
        "lockdep | hmm_range_fault | WARNING: suspicious RCU usage",
    ),
    (
        ATOMIC,
        SplatKind::Atomic,
        "dmirror_device_evict_chunk",
        "atomic | dmirror_device_evict_chunk | BUG: sleeping function called from invalid context at mm/page_alloc.c:#",
    ),
    (
        HUNG,
        SplatKind::HungTask,
        "migration_entry_wait",
        "hung-task | migration_entry_wait | INFO: task blocked for more than # seconds.",
    ),
    (
        SOFT_LOCKUP,
        SplatKind::Lockup,
        "dmirror_migrate_to_device",
        "lockup | dmirror_migrate_to_device | watchdog: BUG: soft lockup - CPU## stuck for #s! [task]",
    ),
    (
        RCU_STALL,
        SplatKind::Lockup,
        "dmirror_migrate_to_device",
        "lockup | dmirror_migrate_to_device | rcu: INFO: rcu_sched self-detected stall on CPU",
    ),
    (
        BAD_PAGE,
        SplatKind::BadPage,
        "free_unref_folios",
        "bad-page | free_unref_folios | BUG: Bad page state in process pfn:#",
    ),
    (
        SYSFS,
        SplatKind::Warning,
        "sysfs_create_dir_ns",
        "warning | sysfs_create_dir_ns | sysfs: cannot create duplicate filename '/devices/virtual/hmm_dmirror#'",
    ),
    (
        UBSAN,
        SplatKind::Sanitizer,
        "migrate_vma_setup",
        "sanitizer | migrate_vma_setup | UBSAN: shift-out-of-bounds in mm/migrate_device.c:#:#",
    ),
    (
        KFENCE,
        SplatKind::Sanitizer,
        "dmirror_fops_release",
        "sanitizer | dmirror_fops_release | BUG: KFENCE: use-after-free read in dmirror_fops_release",
    ),
    (
        KCSAN,
        SplatKind::Sanitizer,
        "dmirror_interval_invalidate",
        "sanitizer | dmirror_interval_invalidate | BUG: KCSAN: data-race in dmirror_interval_invalidate / dmirror_read",
    ),
    (BLOCKED, SplatKind::HungTask, "dmirror_read", "hung-task | dmirror_read | sysrq: Show Blocked State"),
    (LEAK, SplatKind::Leak, "", "leak | ? | kmemleak: unreferenced object # (size #):"),
    (
        SLUB,
        SplatKind::Bug,
        "dmirror_fops_release",
        "bug | dmirror_fops_release | BUG kmalloc-# (Not tainted): Right Redzone overwritten",
    ),
];

#[test]
fn every_kind_of_report() {
    for (console, kind, function, signature) in SAMPLES {
        let splat = only(console);
        assert_eq!(splat.kind, kind, "{console}");
        assert_eq!(splat.function.as_deref().unwrap_or(""), function, "{console}");
        assert_eq!(splat.signature, signature, "{console}");
        assert_eq!(splat.test, None);
    }
    let rss = only(RSS);
    assert_eq!((rss.kind, rss.function, rss.text.lines().count()), (SplatKind::BadPage, None, 1));
}

#[test]
fn prefixes_of_lines_do_not_matter() {
    for (console, _, _, signature) in SAMPLES {
        assert_eq!(only(&without_prefix(console)).signature, signature);
        assert_eq!(only(&console.replace('\n', "\r\n")).signature, signature);
        let levels: String = console.lines().map(|line| format!("<4>{line}\n")).collect();
        assert_eq!(only(&levels).signature, signature);
    }
}

#[test]
fn all_reports_one_after_the_other_stay_apart() {
    let noise = "[    1.000000] test_hmm: HMM test module loaded.\n[    1.000001] random: crng init done\n\
                 [    1.000002] nothing to see\n[    1.000003] still nothing\n[    1.000004] go on\n";
    let console: String = SAMPLES.iter().map(|(sample, ..)| format!("{noise}{sample}{noise}")).collect();
    let splats = scan(&console);
    let expected: Vec<&str> = SAMPLES.iter().map(|(_, _, _, signature)| *signature).collect();
    let got: Vec<&str> = splats.iter().map(|splat| splat.signature.as_str()).collect();
    assert_eq!(got, expected);
    for splat in &splats {
        assert!(!splat.text.contains("random: crng"), "{}", splat.text);
    }
}

#[test]
fn a_report_knows_its_line_title_and_text() {
    let console = format!("[    1.0] hello\n[    1.1] world\n{WARN}[   13.0] later\n");
    let splat = only(&console);
    assert_eq!(splat.line, 3);
    assert_eq!(splat.title, "WARNING: CPU: 1 PID: 101 at mm/hmm.c:612 hmm_range_fault+0x1b/0x40");
    assert!(splat.text.starts_with("------------[ cut here ]------------\nWARNING: "), "{}", splat.text);
    assert!(splat.text.ends_with("---[ end trace 0000000000000000 ]---\n"), "{}", splat.text);
}

#[test]
fn a_panic_that_follows_from_an_oops_is_its_end() {
    let splat = only(OOPS);
    assert!(splat.text.contains("Kernel panic - not syncing: Fatal exception"), "{}", splat.text);
    let apart = format!("{WARN}{PANIC}");
    assert_eq!(scan(&apart).len(), 2, "a panic with words of its own is a report of its own");
    let on_warn = WARN.to_owned() + "[   12.4] Kernel panic - not syncing: kernel: panic_on_warn set ...\n";
    assert_eq!(only(&on_warn).kind, SplatKind::Warning);
    let orphan = "[   12.4] Kernel panic - not syncing: Fatal exception\n";
    assert_eq!(only(orphan).kind, SplatKind::Panic);
}

#[test]
fn reports_belong_to_the_test_whose_marker_came_last() {
    let console = format!(
        "{RSS}[    4.0] orchestrator: begin hmm hmm.hmm_device_private.anon_read round 1\n{WARN}\
         [    6.0] orchestrator: end hmm hmm.hmm_device_private.anon_read round 1\n{SYSFS}\
         [    7.0] orchestrator: begin hmm hmm.hmm_device_private.fault round 1\n{ATOMIC}\
         [    8.0] orchestrator: begin other  round 1\n{KASAN}"
    );
    let log = read(&console);
    let tests: Vec<Option<&str>> = log.splats.iter().map(|splat| splat.test.as_deref()).collect();
    assert_eq!(
        tests,
        [
            None,
            Some("hmm.hmm.hmm_device_private.anon_read"),
            None,
            Some("hmm.hmm.hmm_device_private.fault"),
            Some("other")
        ]
    );
    assert_eq!(log.markers.len(), 4);
    assert!(log.splats.iter().all(|splat| !splat.text.contains("orchestrator:")));
}

#[test]
fn a_marker_in_the_middle_of_a_warning_belongs_to_the_warning_before_it() {
    let (head, tail) = WARN.split_at(WARN.find("[   12.345684]").unwrap());
    let console = format!(
        "[ 1.0] orchestrator: begin hmm a round 1\n{head}[   12.345683] orchestrator: begin hmm b round 1\n{tail}"
    );
    let splat = only(&console);
    assert_eq!(splat.test.as_deref(), Some("hmm.a"));
    assert!(splat.text.contains("---[ end trace"), "{}", splat.text);
}

#[test]
fn text_of_user_space_on_the_same_port_hides_nothing() {
    let console = WARN.replacen("[   12.345679]", "#  RUN           hmm.x ...[   12.345679]", 1);
    assert_eq!(only(&console).kind, SplatKind::Warning);
}

#[test]
fn a_report_that_is_cut_off_is_still_a_report() {
    let cut = &WARN[..WARN.find("[   12.345683]").unwrap() + 30];
    assert_eq!(only(cut).signature, "warning | hmm_range_fault | at mm/hmm.c");
    let twice = format!("{cut}\n{WARN}");
    assert_eq!(scan(&twice).len(), 2);
}

#[test]
fn an_ordinary_boot_has_no_reports() {
    let console = "\
[    0.000000] Linux version 6.12.117 (gcc 12.2.0) #1 SMP
[    0.000000] Command line: console=ttyS0 panic=-1 oops=panic
[    0.100000] rcu: Hierarchical RCU implementation.
[    0.200000] Memory: 2042324K/3145208K available
[    0.300000] debug_vm_pgtable: [debug_vm_pgtable         ]: Validating architecture page table helpers
[    0.400000] HugeTLB: registered 2.00 MiB page size, pre-allocated 0 pages
[    0.500000] test_hmm: HMM test module loaded. This is only for testing HMM.
[    0.600000] Run /init as init process
[    0.700000] hmm-tests[99]: segfault at 0 ip 0000000000401000 sp 00007ffd error 4 in hmm-tests[401000+1000]
[    0.800000] watchdog: NMI not fully supported
[    0.900000] workqueue: events_unbound hogged CPU for >10000us 4 times, consider switching to WQ_UNBOUND
";
    assert_eq!(scan(console), []);
}

#[test]
fn a_flood_is_bounded_and_does_not_hide_what_killed_the_guest() {
    let mut console = String::new();
    for i in 0..40_000 {
        console
            .push_str(&format!("[ {i}.0] BUG: Bad rss-counter state mm:0 type:kind{}x val:1\n", "a".repeat(i % 700)));
    }
    console.push_str(&WARN.repeat(50));
    console.push_str(&OOPS.repeat(3));
    let log = read(&console);
    assert!(log.splats.len() < 400, "{}", log.splats.len());
    assert!(log.dropped > 30_000);
    assert!(log.splats.iter().any(|splat| splat.kind == SplatKind::Oops));
    let text: usize = log.splats.iter().map(|splat| splat.text.len()).sum();
    assert!(text < 4 << 20, "{text}");
}

#[test]
fn one_endless_report_is_bounded() {
    let mut console = String::from("BUG: KASAN: use-after-free in f+0x1/0x2\n");
    console.push_str(&" endless+0x1/0x2\n".repeat(100_000));
    let splat = only(&console);
    assert!(splat.text.len() <= 20 * 1024, "{}", splat.text.len());
    assert!(splat.text.contains("more lines]"), "{}", splat.text);
}

proptest! {
    #[test]
    fn whatever_is_on_the_console_is_read(lines in proptest::collection::vec(
        prop_oneof![
            proptest::sample::select(SAMPLES.iter().flat_map(|s| s.0.lines()).collect::<Vec<_>>())
                .prop_map(str::to_owned),
            "\\PC{0,80}",
            "\\[ *[0-9.]{0,12}\\]? ?(WARNING|BUG|Oops|orchestrator): \\PC{0,40}",
        ],
        0..80,
    )) {
        let console = lines.join("\n");
        let log = read(&console);
        prop_assert!(log.splats.len() + log.dropped <= lines.len());
        prop_assert!(log.splats.windows(2).all(|pair| pair[0].line <= pair[1].line));
    }
}
