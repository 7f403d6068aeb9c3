/* One kernel report of each kind, chosen by test_hmm.crash= on the command line. */
#include <linux/kthread.h>
#include <linux/reboot.h>
#include <linux/refcount.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/rcupdate.h>
#include <linux/sched/mm.h>
#include <linux/workqueue.h>
#include <linux/kobject.h>
#include <linux/sysfs.h>

static char *crash = "";
module_param(crash, charp, 0);

static DEFINE_SPINLOCK(lock_a);
static DEFINE_SPINLOCK(lock_b);
static DEFINE_RAW_SPINLOCK(raw_a);
static DEFINE_MUTEX(mutex_a);
static int *volatile nowhere;
static volatile int zero;

static noinline void dmirror_sleep_in_atomic(void)
{
	spin_lock(&lock_a);
	msleep(1);
	spin_unlock(&lock_a);
}

static noinline void dmirror_lock_ab(void)
{
	spin_lock(&lock_a);
	spin_lock(&lock_b);
	spin_unlock(&lock_b);
	spin_unlock(&lock_a);
}

static noinline void dmirror_lock_ba(void)
{
	spin_lock(&lock_b);
	spin_lock(&lock_a);
	spin_unlock(&lock_a);
	spin_unlock(&lock_b);
}

static noinline void dmirror_lock_twice(void)
{
	spin_lock(&lock_a);
	spin_lock(&lock_a);
}

static noinline void dmirror_unlock_never_locked(void)
{
	mutex_unlock(&mutex_a);
}

static struct rcu_head wanted;

static void dmirror_nothing(struct rcu_head *head)
{
}

static noinline void dmirror_spin(void)
{
	for (;;)
		cpu_relax();
}

static noinline int dmirror_recurse(int depth)
{
	volatile char big[512];

	big[depth % 512] = depth;
	return dmirror_recurse(depth + 1) + big[0];
}

static noinline void dmirror_list_twice(void)
{
	static LIST_HEAD(head);
	static struct list_head node;

	list_add(&node, &head);
	list_add(&node, &head);
}

static noinline void dmirror_list_del_twice(void)
{
	static LIST_HEAD(head);
	static struct list_head node;

	list_add(&node, &head);
	list_del(&node);
	list_del(&node);
}

static noinline void dmirror_put_twice(void)
{
	struct page *page = alloc_page(GFP_KERNEL);

	get_page(page);
	__free_page(page);
	__free_page(page);
	__free_page(page);
}

static noinline void dmirror_free_mapped_page(void)
{
	struct page *page = alloc_page(GFP_KERNEL);

	page->mapping = (void *)0xdead0000ul;
	__free_page(page);
}

static noinline void dmirror_write_freed(void)
{
	char *object = kmalloc(128, GFP_KERNEL);

	kfree(object);
	memset(object, 0x41, 64);
	kfree(kmalloc(128, GFP_KERNEL));
	kmalloc(128, GFP_KERNEL);
}

static noinline void dmirror_free_twice(void)
{
	char *object = kmalloc(128, GFP_KERNEL);
	void *volatile again = object;

	kfree(object);
	kfree(again);
}

static noinline void dmirror_eat_memory(void)
{
	while (alloc_page(GFP_KERNEL))
		;
}

static noinline void dmirror_read_rcu_unlocked(void)
{
	static int __rcu *pointer;

	(void)rcu_dereference(pointer);
}

static noinline void dmirror_free_held_lock(void)
{
	struct mutex *mutex = kmalloc(sizeof(*mutex), GFP_KERNEL);

	mutex_init(mutex);
	mutex_lock(mutex);
	kfree(mutex);
}

static noinline void dmirror_count_wrongly(void)
{
	struct mm_struct *mm = mm_alloc();

	add_mm_counter(mm, MM_ANONPAGES, 1);
	mmput(mm);
}

static noinline void dmirror_leak_page_table(void)
{
	struct mm_struct *mm = mm_alloc();

	mm_inc_nr_ptes(mm);
	mmput(mm);
}

static noinline void dmirror_print_bad_pmd(void)
{
	pmd_t pmd = __pmd(0x123450);

	if (pmd_none_or_clear_bad(&pmd))
		pr_info("cleared\n");
}

static void dmirror_leaky_work(struct work_struct *work)
{
	mutex_lock(&mutex_a);
}
static DECLARE_WORK(leaky_work, dmirror_leaky_work);

static noinline int dmirror_index_beyond(void)
{
	static int table[4];
	volatile int index = 7;

	return table[index];
}

static noinline int dmirror_shift_too_far(void)
{
	volatile int by = 40;

	return 1 << by;
}

static noinline void dmirror_read_beyond(void)
{
	volatile char *object = kmalloc(100, GFP_KERNEL);

	(void)object[100];
	kfree((void *)object);
}

static noinline void dmirror_read_freed(void)
{
	volatile char *object = kmalloc(100, GFP_KERNEL);

	kfree((void *)object);
	(void)object[8];
}

static noinline void dmirror_read_beyond_stack(void)
{
	volatile char array[16];
	volatile int index = 17;

	array[0] = 0;
	(void)array[index];
}

static noinline void dmirror_read_beyond_global(void)
{
	static char array[16];
	volatile char *p = array;
	volatile int index = 17;

	(void)p[index];
}

static noinline void dmirror_free_page_twice_used(void)
{
	struct page *page = alloc_page(GFP_KERNEL);
	volatile char *address = page_address(page);

	__free_page(page);
	(void)address[0];
}

static noinline void dmirror_hold_spinlock_over_mutex(void)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&raw_a, flags);
	spin_lock(&lock_a);
	spin_unlock(&lock_a);
	raw_spin_unlock_irqrestore(&raw_a, flags);
}

static noinline void dmirror_use_uninitialised_lock(void)
{
	spinlock_t *lock = kzalloc(sizeof(*lock), GFP_KERNEL);

	spin_lock(lock);
	spin_unlock(lock);
}

static noinline void dmirror_two_same_files(void)
{
	kobject_create_and_add("dmirror", kernel_kobj);
	kobject_create_and_add("dmirror", kernel_kobj);
}

static noinline void dmirror_ask_for_too_much(void)
{
	struct page *page;

	do {
		page = alloc_pages(GFP_ATOMIC, 10);
	} while (page);
}

static int dmirror_wait_forever(void *data)
{
	DECLARE_COMPLETION_ONSTACK(never);

	wait_for_completion(&never);
	return 0;
}

static int dmirror_crasher(void *data)
{
	refcount_t refs;
	unsigned long flags;

	if (!strcmp(crash, "warn"))
		WARN_ON(!zero);
	else if (!strcmp(crash, "warn-text"))
		WARN(!zero, "dmirror: %d pages were not migrated\n", 3);
	else if (!strcmp(crash, "bug"))
		BUG_ON(!zero);
	else if (!strcmp(crash, "null"))
		*nowhere = 1;
	else if (!strcmp(crash, "wild"))
		*(int *)0xffffc9deadbe0008 = zero;
	else if (!strcmp(crash, "gpf"))
		*(int *)0xdead000000000122 = zero;
	else if (!strcmp(crash, "divide"))
		asm volatile("divl %0" : : "r"(0), "a"(1), "d"(0));
	else if (!strcmp(crash, "jump"))
		((void (*)(void))nowhere)();
	else if (!strcmp(crash, "nx"))
		((void (*)(void))&mutex_a)();
	else if (!strcmp(crash, "user"))
		*(int *)0x10000 = 1;
	else if (!strcmp(crash, "readonly"))
		*(int *)linux_banner = 1;
	else if (!strcmp(crash, "panic"))
		panic("dmirror: the device is gone");
	else if (!strcmp(crash, "sleep"))
		dmirror_sleep_in_atomic();
	else if (!strcmp(crash, "abba")) {
		dmirror_lock_ab();
		dmirror_lock_ba();
	} else if (!strcmp(crash, "aa"))
		dmirror_lock_twice();
	else if (!strcmp(crash, "irq")) {
		spin_lock(&lock_a);
		spin_unlock(&lock_a);
		local_irq_save(flags);
		lockdep_hardirq_enter();
		spin_lock(&lock_a);
		spin_unlock(&lock_a);
		lockdep_hardirq_exit();
		local_irq_restore(flags);
	} else if (!strcmp(crash, "unlock"))
		dmirror_unlock_never_locked();
	else if (!strcmp(crash, "held")) {
		mutex_lock(&mutex_a);
		return 0;
	} else if (!strcmp(crash, "soft-lockup")) {
		preempt_disable();
		dmirror_spin();
	} else if (!strcmp(crash, "rcu-stall")) {
		rcu_read_lock();
		call_rcu(&wanted, dmirror_nothing);
		dmirror_spin();
	} else if (!strcmp(crash, "irq-off")) {
		local_irq_disable();
		dmirror_spin();
	} else if (!strcmp(crash, "stack"))
		dmirror_recurse(1);
	else if (!strcmp(crash, "list-add"))
		dmirror_list_twice();
	else if (!strcmp(crash, "list-del"))
		dmirror_list_del_twice();
	else if (!strcmp(crash, "refcount")) {
		refcount_set(&refs, 0);
		refcount_inc(&refs);
	} else if (!strcmp(crash, "underflow")) {
		refcount_set(&refs, 1);
		refcount_sub_and_test(2, &refs);
	} else if (!strcmp(crash, "put-twice"))
		dmirror_put_twice();
	else if (!strcmp(crash, "bad-page"))
		dmirror_free_mapped_page();
	else if (!strcmp(crash, "vm-bug")) {
		struct page *page = alloc_page(GFP_KERNEL);

		VM_BUG_ON_PAGE(!zero, page);
	} else if (!strcmp(crash, "vm-warn")) {
		struct page *page = alloc_page(GFP_KERNEL);

		VM_WARN_ON_FOLIO(!zero, page_folio(page));
	} else if (!strcmp(crash, "use-after-free"))
		dmirror_write_freed();
	else if (!strcmp(crash, "double-free"))
		dmirror_free_twice();
	else if (!strcmp(crash, "oom"))
		dmirror_eat_memory();
	else if (!strcmp(crash, "rcu-unlocked"))
		dmirror_read_rcu_unlocked();
	else if (!strcmp(crash, "free-held"))
		dmirror_free_held_lock();
	else if (!strcmp(crash, "rss"))
		dmirror_count_wrongly();
	else if (!strcmp(crash, "pgtables"))
		dmirror_leak_page_table();
	else if (!strcmp(crash, "bad-pmd"))
		dmirror_print_bad_pmd();
	else if (!strcmp(crash, "work-leak"))
		schedule_work(&leaky_work);
	else if (!strcmp(crash, "ubsan-index"))
		dmirror_index_beyond();
	else if (!strcmp(crash, "ubsan-shift"))
		dmirror_shift_too_far();
	else if (!strcmp(crash, "slab-oob"))
		dmirror_read_beyond();
	else if (!strcmp(crash, "slab-uaf"))
		dmirror_read_freed();
	else if (!strcmp(crash, "stack-oob"))
		dmirror_read_beyond_stack();
	else if (!strcmp(crash, "global-oob"))
		dmirror_read_beyond_global();
	else if (!strcmp(crash, "page-uaf"))
		dmirror_free_page_twice_used();
	else if (!strcmp(crash, "wait-context"))
		dmirror_hold_spinlock_over_mutex();
	else if (!strcmp(crash, "no-key"))
		dmirror_use_uninitialised_lock();
	else if (!strcmp(crash, "sysfs"))
		dmirror_two_same_files();
	else if (!strcmp(crash, "too-much"))
		dmirror_ask_for_too_much();
	else if (!strcmp(crash, "int3"))
		asm volatile("int3");
	else if (!strcmp(crash, "ud2"))
		asm volatile("ud2");
	else if (!strcmp(crash, "schedule")) {
		preempt_disable();
		schedule();
		preempt_enable();
	} else if (!strcmp(crash, "smp-id"))
		pr_info("on CPU %d\n", smp_processor_id());
	else if (!strcmp(crash, "trace-only"))
		dump_stack();
	return 0;
}

static int __init dmirror_crash_late(void)
{
	struct task_struct *task;

	if (!*crash)
		return 0;
	if (!strcmp(crash, "hung-task"))
		task = kthread_run(dmirror_wait_forever, NULL, "hmm-tests");
	else
		task = kthread_run(dmirror_crasher, NULL, "hmm-tests");
	ssleep(!strcmp(crash, "hung-task") ? 75 : strstr(crash, "stall") || strstr(crash, "lockup") || strstr(crash, "off") ? 45 : strstr(crash, "oom") ? 20 : 3);
	emergency_restart();
	return 0;
}
late_initcall(dmirror_crash_late);
