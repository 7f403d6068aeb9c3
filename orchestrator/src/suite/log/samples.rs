//! Reports as kernels print them, shortened.

/// 6.12, timestamps and caller ids.
pub const WARN: &str = "\
[   12.345678][  T101] ------------[ cut here ]------------
[   12.345679][  T101] WARNING: CPU: 1 PID: 101 at mm/hmm.c:612 hmm_range_fault+0x1b/0x40
[   12.345680][  T101] Modules linked in: test_hmm
[   12.345681][  T101] CPU: 1 UID: 0 PID: 101 Comm: hmm-tests Not tainted 6.12.117 #1
[   12.345682][  T101] RIP: 0010:hmm_range_fault+0x1b/0x40
[   12.345683][  T101] Code: 0f 0b <0f> 0b
[   12.345684][  T101] Call Trace:
[   12.345685][  T101]  <TASK>
[   12.345686][  T101]  ? __warn+0x7f/0x130
[   12.345687][  T101]  dmirror_fault+0x10/0x20 [test_hmm]
[   12.345688][  T101]  </TASK>
[   12.345689][  T101] ---[ end trace 0000000000000000 ]---
";

/// 6.19 and later.
pub const WARN_NEW: &str = "\
[   12.345678] ------------[ cut here ]------------
[   12.345679] WARNING: [ret < 0] mm/hmm.c:700 at hmm_range_fault+0x2b/0x50, CPU#0: hmm-tests/77
[   12.345682] RIP: 0010:hmm_range_fault+0x2b/0x50
[   12.345689] ---[ end trace 0000000000000000 ]---
";

pub const REFCOUNT: &str = "\
[    3.000001] ------------[ cut here ]------------
[    3.000002] refcount_t: underflow; use-after-free.
[    3.000003] WARNING: CPU: 0 PID: 7 at lib/refcount.c:28 refcount_warn_saturate+0xba/0x110
[    3.000004] RIP: 0010:refcount_warn_saturate+0xba/0x110
[    3.000005] Call Trace:
[    3.000006]  <TASK>
[    3.000007]  ? refcount_warn_saturate+0xba/0x110
[    3.000008]  dmirror_fops_release+0x44/0x60
[    3.000009]  __fput+0x10/0x20
[    3.000010]  </TASK>
[    3.000011] ---[ end trace 0000000000000000 ]---
";

/// An oops that ends in a panic, as with `oops=panic`.
pub const OOPS: &str = "\
[    5.000001] BUG: kernel NULL pointer dereference, address: 0000000000000008
[    5.000002] #PF: supervisor read access in kernel mode
[    5.000003] #PF: error_code(0x0000) - not-present page
[    5.000004] PGD 0 P4D 0 
[    5.000005] Oops: Oops: 0000 [#1] SMP
[    5.000006] CPU: 0 UID: 0 PID: 99 Comm: hmm-tests Not tainted 6.12.117 #1
[    5.000007] RIP: 0010:hmm_vma_walk_pmd+0x12/0x900
[    5.000008] Call Trace:
[    5.000009]  <TASK>
[    5.000010]  walk_pgd_range+0x1/0x2
[    5.000011]  </TASK>
[    5.000012] Modules linked in:
[    5.000013] ---[ end trace 0000000000000000 ]---
[    5.000014] RIP: 0010:hmm_vma_walk_pmd+0x12/0x900
[    5.000015] Kernel panic - not syncing: Fatal exception
[    5.000016] Kernel Offset: disabled
[    5.000017] ---[ end Kernel panic - not syncing: Fatal exception ]---
";

pub const BUG: &str = "\
[    5.000000] page: refcount:0 mapcount:0 mapping:0000000000000000 index:0x0 pfn:0x1234
[    5.000001] page dumped because: VM_BUG_ON_PAGE(page_ref_count(page) == 0)
[    5.000002] ------------[ cut here ]------------
[    5.000003] kernel BUG at mm/migrate_device.c:77!
[    5.000004] Oops: invalid opcode: 0000 [#1] PREEMPT SMP KASAN
[    5.000005] RIP: 0010:migrate_vma_collect_pmd.isra.0+0x12/0x900
[    5.000006] ---[ end trace 0000000000000000 ]---
";

pub const GPF: &str = "\
[    5.000004] Oops: general protection fault, probably for non-canonical address 0xdffffc0000000001: 0000 [#1] SMP KASAN
[    5.000005] KASAN: null-ptr-deref in range [0x0000000000000008-0x000000000000000f]
[    5.000006] RIP: 0010:0x0
[    5.000007] Call Trace:
[    5.000008]  <TASK>
[    5.000009]  dmirror_do_fault+0x1/0x2
[    5.000010]  </TASK>
[    5.000011] ---[ end trace 0000000000000000 ]---
";

/// arm64.
pub const OOPS_ARM: &str = "\
[    5.000001] Unable to handle kernel NULL pointer dereference at virtual address 0000000000000008
[    5.000002] Mem abort info:
[    5.000003]   ESR = 0x0000000096000004
[    5.000004] Internal error: Oops: 0000000096000004 [#1] PREEMPT SMP
[    5.000005] pc : hmm_vma_walk_pmd+0x12/0x900
[    5.000006] lr : walk_pgd_range+0x1/0x2
[    5.000007] Call trace:
[    5.000008]  hmm_vma_walk_pmd+0x12/0x900
[    5.000009] ---[ end trace 0000000000000000 ]---
";

pub const PANIC: &str = "\
[    1.000001] Kernel panic - not syncing: planted
[    1.000002] CPU: 0 UID: 0 PID: 99 Comm: hmm-tests Not tainted 6.12.117 #1
[    1.000003] Call Trace:
[    1.000004]  <TASK>
[    1.000005]  dump_stack_lvl+0x1/0x2
[    1.000006]  panic+0x1/0x2
[    1.000007]  dmirror_fops_unlocked_ioctl+0x1/0x2
[    1.000008]  </TASK>
[    1.000009] Kernel Offset: disabled
[    1.000010] ---[ end Kernel panic - not syncing: planted ]---
";

/// The answer of a guest that hangs with interrupts off.
pub const NMI: &str = "\
[   61.000001] Uhhuh. NMI received for unknown reason 20 on CPU 0.
[   61.000002] Kernel panic - not syncing: NMI: Not continuing
[   61.000003] Call Trace:
[   61.000004]  <NMI>
[   61.000005]  panic+0x1/0x2
[   61.000006]  unknown_nmi_error+0x1/0x2
[   61.000007]  exc_nmi+0x1/0x2
[   61.000008]  end_repeat_nmi+0x1/0x2
[   61.000009] RIP: 0010:dmirror_migrate_to_device+0x12/0x900
[   61.000010]  </NMI>
[   61.000011]  <TASK>
[   61.000012]  dmirror_fops_unlocked_ioctl+0x1/0x2
[   61.000013]  </TASK>
[   61.000014] Kernel Offset: disabled
[   61.000015] ---[ end Kernel panic - not syncing: NMI: Not continuing ]---
";

pub const KASAN: &str = "\
[    7.000001] ==================================================================
[    7.000002] BUG: KASAN: slab-use-after-free in dmirror_fops_release+0x1b/0x40 [test_hmm]
[    7.000003] Read of size 8 at addr ffff888003a1c008 by task hmm-tests/99
[    7.000004] 
[    7.000005] Call Trace:
[    7.000006]  dump_stack_lvl+0x1/0x2
[    7.000007]  print_report+0x1/0x2
[    7.000008] Allocated by task 99:
[    7.000009]  kasan_save_stack+0x1/0x2
[    7.000010] Memory state around the buggy address:
[    7.000011] >ffff888003a1c000: fa fb fb fb
[    7.000012] ==================================================================
[    7.000013] Disabling lock debugging due to kernel taint
";

pub const LOCKDEP: &str = "\
[    8.000001] 
[    8.000002] ======================================================
[    8.000003] WARNING: possible circular locking dependency detected
[    8.000004] 6.12.117 #1 Not tainted
[    8.000005] ------------------------------------------------------
[    8.000006] hmm-tests/99 is trying to acquire lock:
[    8.000007] ffff888003a1c008 (&mm->mmap_lock){++++}-{3:3}, at: dmirror_do_fault+0x1/0x2
[    8.000008] 
[    8.000009] but task is already holding lock:
[    8.000010] ffff888003a1c018 (&dmirror->mutex){+.+.}-{3:3}, at: dmirror_read+0x1/0x2
[    8.000011] 
[    8.000012] the existing dependency chain (in reverse order) is:
[    8.000013] 
[    8.000014] -> #1 (&dmirror->mutex){+.+.}-{3:3}:
[    8.000015]        lock_acquire+0x1/0x2
[    8.000016]        __mutex_lock+0x1/0x2
[    8.000017] other info that might help us debug this:
[    8.000018]  *** DEADLOCK ***
[    8.000019] 
[    8.000020] stack backtrace:
[    8.000021] CPU: 0 UID: 0 PID: 99 Comm: hmm-tests Not tainted 6.12.117 #1
[    8.000022] Call Trace:
[    8.000023]  <TASK>
[    8.000024]  dump_stack_lvl+0x1/0x2
[    8.000025]  print_circular_bug+0x1/0x2
[    8.000026]  down_read+0x1/0x2
[    8.000027]  </TASK>
";

pub const SUSPICIOUS_RCU: &str = "\
[    8.000002] =============================
[    8.000003] WARNING: suspicious RCU usage
[    8.000004] 6.12.117 #1 Not tainted
[    8.000005] -----------------------------
[    8.000006] mm/hmm.c:99 suspicious rcu_dereference_check() usage!
[    8.000020] stack backtrace:
[    8.000022] Call Trace:
[    8.000023]  <TASK>
[    8.000024]  dump_stack_lvl+0x1/0x2
[    8.000025]  lockdep_rcu_suspicious+0x1/0x2
[    8.000026]  hmm_range_fault+0x1/0x2
[    8.000027]  </TASK>
";

pub const ATOMIC: &str = "\
[    9.000001] BUG: sleeping function called from invalid context at mm/page_alloc.c:4731
[    9.000002] in_atomic(): 1, irqs_disabled(): 0, non_block: 0, pid: 99, name: hmm-tests
[    9.000003] preempt_count: 1, expected: 0
[    9.000004] CPU: 0 UID: 0 PID: 99 Comm: hmm-tests Not tainted 6.12.117 #1
[    9.000005] Call Trace:
[    9.000006]  <TASK>
[    9.000007]  dump_stack_lvl+0x1/0x2
[    9.000008]  __might_resched+0x1/0x2
[    9.000009]  dmirror_device_evict_chunk+0x1/0x2
[    9.000010]  </TASK>
";

pub const HUNG: &str = "\
[  242.000001] INFO: task hmm-tests:99 blocked for more than 120 seconds.
[  242.000002]       Not tainted 6.12.117 #1
[  242.000003] \"echo 0 > /proc/sys/kernel/hung_task_timeout_secs\" disables this message.
[  242.000004] task:hmm-tests       state:D stack:0     pid:99    tgid:99    ppid:1      flags:0x00000002
[  242.000005] Call Trace:
[  242.000006]  <TASK>
[  242.000007]  __schedule+0x1/0x2
[  242.000008]  schedule+0x1/0x2
[  242.000009]  folio_wait_bit_common+0x1/0x2
[  242.000010]  migration_entry_wait+0x1/0x2
[  242.000011]  </TASK>
";

pub const SOFT_LOCKUP: &str = "\
[   30.000001] watchdog: BUG: soft lockup - CPU#1 stuck for 26s! [hmm-tests:99]
[   30.000002] Modules linked in:
[   30.000003] CPU: 1 UID: 0 PID: 99 Comm: hmm-tests Not tainted 6.12.117 #1
[   30.000004] RIP: 0010:dmirror_migrate_to_device+0x12/0x900
[   30.000005] Call Trace:
[   30.000006]  <TASK>
[   30.000007]  dmirror_fops_unlocked_ioctl+0x1/0x2
[   30.000008]  </TASK>
";

pub const RCU_STALL: &str = "\
[   30.000001] rcu: INFO: rcu_sched self-detected stall on CPU
[   30.000002] rcu: \t0-....: (5249 ticks this GP) idle=c5c4/1/0x4000000000000000 softirq=55/55 fqs=2625
[   30.000003] rcu: \t(t=5250 jiffies g=-1099 q=4 ncpus=2)
[   30.000004] CPU: 0 UID: 0 PID: 99 Comm: hmm-tests Not tainted 6.12.117 #1
[   30.000005] RIP: 0010:dmirror_migrate_to_device+0x12/0x900
[   30.000006] Call Trace:
[   30.000007]  <IRQ>
[   30.000008]  </IRQ>
";

pub const BAD_PAGE: &str = "\
[   11.000001] BUG: Bad page state in process hmm-tests  pfn:1a2b3
[   11.000002] page: refcount:0 mapcount:1 mapping:0000000000000000 index:0x0 pfn:0x1a2b3
[   11.000003] flags: 0xfffffc0000000(node=0|zone=1)
[   11.000004] raw: 000fffffc0000000
[   11.000005] page dumped because: nonzero mapcount
[   11.000006] Modules linked in:
[   11.000007] Call Trace:
[   11.000008]  <TASK>
[   11.000009]  dump_stack_lvl+0x1/0x2
[   11.000010]  bad_page.cold+0x1/0x2
[   11.000011]  free_unref_folios+0x1/0x2
[   11.000012]  </TASK>
";

pub const RSS: &str = "[   11.000001] BUG: Bad rss-counter state mm:00000000abcdef01 type:MM_ANONPAGES val:1\n";

pub const SYSFS: &str = "\
[   11.000001] sysfs: cannot create duplicate filename '/devices/virtual/hmm_dmirror0'
[   11.000006] CPU: 0 UID: 0 PID: 1 Comm: swapper/0 Not tainted 6.12.117 #1
[   11.000007] Call Trace:
[   11.000008]  <TASK>
[   11.000009]  dump_stack_lvl+0x1/0x2
[   11.000010]  sysfs_warn_dup.cold+0x1/0x2
[   11.000011]  sysfs_create_dir_ns+0x1/0x2
[   11.000012]  </TASK>
";

pub const UBSAN: &str = "\
[   11.000001] ------------[ cut here ]------------
[   11.000002] UBSAN: shift-out-of-bounds in mm/migrate_device.c:99:3
[   11.000003] shift exponent 64 is too large for 64-bit type 'unsigned long'
[   11.000004] Call Trace:
[   11.000005]  <TASK>
[   11.000006]  dump_stack_lvl+0x1/0x2
[   11.000007]  __ubsan_handle_shift_out_of_bounds+0x1/0x2
[   11.000008]  migrate_vma_setup+0x1/0x2
[   11.000009]  </TASK>
[   11.000010] ---[ end trace ]---
";

pub const KFENCE: &str = "\
[   11.000001] ==================================================================
[   11.000002] BUG: KFENCE: use-after-free read in dmirror_fops_release+0x1b/0x40
[   11.000003] 
[   11.000004] Use-after-free read at 0x000000002f7c1a4c (in kfence-#12):
[   11.000005]  dmirror_fops_release+0x1b/0x40
[   11.000006] ==================================================================
";

pub const KCSAN: &str = "\
[   11.000001] ==================================================================
[   11.000002] BUG: KCSAN: data-race in dmirror_interval_invalidate / dmirror_read
[   11.000003] 
[   11.000004] Reported by Kernel Concurrency Sanitizer on:
[   11.000005] ==================================================================
";

pub const LEAK: &str = "\
[   11.000001] kmemleak: unreferenced object 0xffff888003a1c000 (size 64):
[   11.000002]   comm \"hmm-tests\", pid 99, jiffies 4294667381
[   11.000003]   backtrace (crc 0):
[   11.000004]     dmirror_fops_open+0x1/0x2
[   11.000005] something else
";

pub const SLUB: &str = "\
[   11.000001] =============================================================================
[   11.000002] BUG kmalloc-64 (Not tainted): Right Redzone overwritten
[   11.000003] -----------------------------------------------------------------------------
[   11.000005] CPU: 0 UID: 0 PID: 1 Comm: swapper/0 Not tainted 6.12.117 #1
[   11.000007] Call Trace:
[   11.000008]  <TASK>
[   11.000009]  dump_stack_lvl+0x1/0x2
[   11.000010]  dmirror_fops_release+0x1/0x2
[   11.000012]  </TASK>
[   11.000013] FIX kmalloc-64: Restoring Right Redzone 0x00000000-0x00000001=0xcc
";

/// The answer to the agent's question where a stuck test is.
pub const BLOCKED: &str = "\
[   70.000001] sysrq: Show Blocked State
[   70.000002] task:hmm-tests       state:D stack:0     pid:99    tgid:99    ppid:1      flags:0x00000002
[   70.000003] Call Trace:
[   70.000004]  <TASK>
[   70.000005]  __schedule+0x1/0x2
[   70.000006]  schedule_timeout+0x1/0x2
[   70.000007]  dmirror_read+0x1/0x2
[   70.000008]  </TASK>
";
