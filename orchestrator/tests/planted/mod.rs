//! Series with a planted fault each, made from whatever 6.12 source is at hand.
//!
//! A fault is an exact replacement in a file of the base, so that the patches apply to every stable release in which
//! the replaced lines still stand.

pub mod tree;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// One replacement: file, text that stands there exactly once, text that takes its place.
pub type Edit = (&'static str, &'static str, &'static str);

/// One patch: subject and edits.
pub type Planted = (&'static str, &'static [Edit]);

/// Writes a series as mails into a new folder below `root` and gives the folder.
pub fn write(root: &Path, name: &str, source: &dyn Fn(&str) -> String, patches: &[Planted]) -> PathBuf {
    let folder = root.join(name);
    std::fs::create_dir_all(&folder).unwrap();
    let mut files: BTreeMap<&str, String> = BTreeMap::new();
    for (index, (subject, edits)) in patches.iter().enumerate() {
        let before = files.clone();
        for (path, from, to) in *edits {
            let text = files.entry(path).or_insert_with(|| source(path));
            assert_eq!(text.matches(from).count(), 1, "{name}: `{from}` must stand in {path} once");
            *text = text.replacen(from, to, 1);
        }
        let mut diff = String::new();
        for (path, text) in &files {
            let old = before.get(path).cloned().unwrap_or_else(|| source(path));
            if old != *text {
                diff.push_str(&unified(path, &old, text));
            }
        }
        let number = index + 1;
        let mail = mail(subject, number, patches.len(), &diff);
        std::fs::write(folder.join(format!("{number:04}.patch")), mail).unwrap();
    }
    folder
}

/// The diff between two texts of a file, as git writes it.
pub fn unified(path: &str, old: &str, new: &str) -> String {
    let path = Path::new(path);
    let mut patch = git2::Patch::from_buffers(old.as_bytes(), Some(path), new.as_bytes(), Some(path), None).unwrap();
    patch.to_buf().unwrap().as_str().unwrap().to_owned()
}

/// A patch mail as `git format-patch` writes it.
pub fn mail(subject: &str, number: usize, total: usize, diff: &str) -> String {
    format!(
        "From 0000000000000000000000000000000000000000 Mon Sep 17 00:00:00 2001\n\
         From: Planted Fault <planted@example.org>\n\
         Date: Thu, 1 Jan 2026 00:00:{number:02} +0000\n\
         Subject: [PATCH {number}/{total}] {subject}\n\
         Message-ID: <planted-{number}-of-{total}@example.org>\n\
         \n\
         A change made for a test.\n\
         \n\
         Signed-off-by: Planted Fault <planted@example.org>\n\
         ---\n\
         \n\
         {diff}-- \n\
         2.40.0\n\
         \n"
    )
}

const MIGRATE: &str = "mm/migrate_device.c";
const HMM: &str = "mm/hmm.c";
const TEST_HMM: &str = "lib/test_hmm.c";

/// Replaces the end of `mm/migrate_device.c`, so that no line number shifts.
const MIGRATE_END: &str = "\tmigrate_device_finalize(&src_pfn, &dst_pfn, 1);\n\n\tif (src_pfn & MIGRATE_PFN_MIGRATE)\n\t\treturn 0;\n\treturn -EBUSY;\n}\n";

/// A harmless patch that changes the image, to stand before or after a planted one.
pub const HARMLESS: Planted = (
    "lib/test_hmm: say what a mirror entry is when it is read",
    &[(
        TEST_HMM,
        "static int dmirror_snapshot(struct dmirror *dmirror,\n",
        "/* Reads the mirrored page table. */\nstatic int dmirror_snapshot(struct dmirror *dmirror,\n",
    )],
);

/// Rewords a comment without moving a line.
pub const REWORDED: &[Planted] = &[(
    "lib/test_hmm: reword a comment",
    &[(
        TEST_HMM,
        "\t\t/* Is the page migrated to this device or some other? */\n\t\tif (dmirror->mdevice == dmirror_page_to_device(page))\n\t\t\t*perm = HMM_DMIRROR_PROT_DEV_PRIVATE_LOCAL;",
        "\t\t/* Did the page migrate to this device or to another? */\n\t\tif (dmirror->mdevice == dmirror_page_to_device(page))\n\t\t\t*perm = HMM_DMIRROR_PROT_DEV_PRIVATE_LOCAL;",
    )],
)];

/// Does not compile, from the second patch on.
pub const NO_COMPILE: &[Planted] = &[
    HARMLESS,
    (
        "mm/migrate_device: use what nobody declared",
        &[(
            MIGRATE,
            MIGRATE_END,
            "\tmigrate_device_finalize(&src_pfn, &dst_pfn, 1);\n\n\tif (src_pfn & MIGRATE_PFN_PLANTED)\n\t\treturn 0;\n\treturn -EBUSY;\n}\n",
        )],
    ),
];

/// Breaks only the kconfig that has device migration without HMM mirroring, and only when it links.
pub const ONE_KCONFIG: &[Planted] = &[(
    "mm/migrate_device: ask the mirror",
    &[
        (
            HMM,
            "int hmm_range_fault(struct hmm_range *range)\n{\n",
            "bool hmm_planted(void)\n{\n\treturn true;\n}\n\nint hmm_range_fault(struct hmm_range *range)\n{\n",
        ),
        (
            "include/linux/hmm.h",
            "int hmm_range_fault(struct hmm_range *range);\n",
            "int hmm_range_fault(struct hmm_range *range);\nbool hmm_planted(void);\n",
        ),
        (MIGRATE, "#include <linux/export.h>\n", "#include <linux/export.h>\n#include <linux/hmm.h>\n"),
        (
            MIGRATE,
            MIGRATE_END,
            "\tmigrate_device_finalize(&src_pfn, &dst_pfn, 1);\n\n\tif ((src_pfn & MIGRATE_PFN_MIGRATE) && hmm_planted())\n\t\treturn 0;\n\treturn -EBUSY;\n}\n",
        ),
    ],
)];

/// The first patch breaks the build, the second mends it and leaves only a comment behind.
pub const MID_SERIES: &[Planted] = &[
    (
        "mm/migrate_device: forget a bracket",
        &[(
            MIGRATE,
            MIGRATE_END,
            "\tmigrate_device_finalize(&src_pfn, &dst_pfn, 1;\n\n\tif (src_pfn & MIGRATE_PFN_MIGRATE)\n\t\treturn 0;\n\treturn -EBUSY;\n}\n",
        )],
    ),
    (
        "mm/migrate_device: find it again",
        &[(
            MIGRATE,
            "\tmigrate_device_finalize(&src_pfn, &dst_pfn, 1;\n",
            "\tmigrate_device_finalize(&src_pfn, &dst_pfn, 1);\n",
        )],
    ),
    ("mm/migrate_device: note the end of the file", &[(MIGRATE, MIGRATE_END, MIGRATE_END_NOTED)]),
];

const MIGRATE_END_NOTED: &str = "\tmigrate_device_finalize(&src_pfn, &dst_pfn, 1);\n\n\tif (src_pfn & MIGRATE_PFN_MIGRATE)\n\t\treturn 0;\n\treturn -EBUSY;\n}\n/* The end. */\n";

/// Adds a compiler warning and nothing to the image.
pub const WARNING: &[Planted] = &[(
    "mm/migrate_device: add a function that nobody calls",
    &[(
        MIGRATE,
        MIGRATE_END,
        "\tmigrate_device_finalize(&src_pfn, &dst_pfn, 1);\n\n\tif (src_pfn & MIGRATE_PFN_MIGRATE)\n\t\treturn 0;\n\treturn -EBUSY;\n}\n\nstatic void planted_unused(void)\n{\n}\n",
    )],
)];

/// Makes the snapshot tests fail with its second patch.
pub const FAILS_TEST: &[Planted] = &[
    HARMLESS,
    (
        "lib/test_hmm: never report that a page can be written",
        &[(
            TEST_HMM,
            "\tif (entry & HMM_PFN_WRITE)\n\t\t*perm |= HMM_DMIRROR_PROT_WRITE;",
            "\tif (entry & HMM_PFN_ERROR)\n\t\t*perm |= HMM_DMIRROR_PROT_WRITE;",
        )],
    ),
    (
        "lib/test_hmm: say more about the entry",
        &[(TEST_HMM, "/* Reads the mirrored page table. */\n", "/*\n * Reads the mirrored page table.\n */\n")],
    ),
];

/// Warns when a range is faulted in.
pub const WARNS: &[Planted] = &[
    HARMLESS,
    (
        "mm/hmm: warn about every range",
        &[(
            HMM,
            "\tmmap_assert_locked(mm);\n\n\tdo {\n\t\t/* If range is no longer valid force retry. */",
            "\tmmap_assert_locked(mm);\n\tWARN_ON_ONCE(range->end > range->start);\n\n\tdo {\n\t\t/* If range is no longer valid force retry. */",
        )],
    ),
];

/// Panics in the snapshot ioctl.
pub const PANICS: &[Planted] = &[
    HARMLESS,
    (
        "lib/test_hmm: do not believe in pages",
        &[(
            TEST_HMM,
            "\tunsigned long pfns[64];\n\tunsigned char perm[64];\n\tchar __user *uptr;\n\tstruct hmm_range range = {\n\t\t.hmm_pfns = pfns,\n\t\t.dev_private_owner = dmirror->mdevice,\n\t};\n\tint ret = 0;\n",
            "\tunsigned long pfns[64];\n\tunsigned char perm[64];\n\tchar __user *uptr;\n\tstruct hmm_range range = {\n\t\t.hmm_pfns = pfns,\n\t\t.dev_private_owner = dmirror->mdevice,\n\t};\n\tint ret = 0;\n\n\tBUG_ON(cmd->npages);\n",
        )],
    ),
];

/// Never comes back from the snapshot ioctl.
pub const HANGS: &[Planted] = &[
    HARMLESS,
    (
        "lib/test_hmm: wait for what never comes",
        &[(
            TEST_HMM,
            "\t\tret = dmirror_snapshot(dmirror, &cmd);\n",
            "\t\twhile (READ_ONCE(cmd.npages))\n\t\t\tcpu_relax();\n\t\tret = dmirror_snapshot(dmirror, &cmd);\n",
        )],
    ),
];

/// Adds a test to hmm-tests that passes, and one that fails.
pub const NEW_TEST_FAILS: &[Planted] = &[(
    "selftests/mm: test that one is two",
    &[(
        "tools/testing/selftests/mm/hmm-tests.c",
        "TEST_HARNESS_MAIN\n",
        "TEST_F(hmm, planted_good)\n{\n\tASSERT_EQ(1, 1);\n}\n\nTEST_F(hmm, planted_bad)\n{\n\tASSERT_EQ(1, 2);\n}\n\nTEST_HARNESS_MAIN\n",
    )],
)];

/// Executes this many instructions more for every page that `migrate_vma_setup()` looks at.
macro_rules! costlier_walk {
    ($nops:literal) => {
        (
            "mm/migrate_device: look twice at each entry",
            &[(
                MIGRATE,
                "\t\tif (pte_none(pte)) {\n\t\t\tif (vma_is_anonymous(vma)) {\n\t\t\t\tmpfn = MIGRATE_PFN_MIGRATE;",
                concat!(
                    "\t\tasm volatile(\".rept ",
                    $nops,
                    "\\n\\tnop\\n\\t.endr\");\n\t\tif (pte_none(pte)) {\n\t\t\tif (vma_is_anonymous(vma)) {\n\t\t\t\tmpfn = MIGRATE_PFN_MIGRATE;"
                ),
            )],
        )
    };
}

/// Moves code around without changing what it does: a function that nobody calls before all others of the file.
const MOVED: Planted = (
    "mm/migrate_device: move everything a little",
    &[(
        MIGRATE,
        "static int migrate_vma_collect_skip(",
        "int migrate_planted(int a, int b);\nint __used noinline migrate_planted(int a, int b)\n{\n\treturn a * b + (a ^ b) * 7 + a / 3;\n}\n\nstatic int migrate_vma_collect_skip(",
    )],
);

/// Makes migration cost more in the second patch; the others cost nothing.
pub const COSTLIER: &[Planted] = &[MOVED, costlier_walk!("40"), HARMLESS];

/// Makes migration cost more in the second patch, in a helper that the compiler inlines.
pub const COSTLIER_HELPER: &[Planted] = &[
    MOVED,
    (
        "mm/migrate_device: look twice at each entry, in a helper",
        &[
            (
                MIGRATE,
                "static int migrate_vma_collect_pmd(",
                "static inline void migrate_vma_look_twice(unsigned long value)\n{\n\tint i;\n\n\tfor (i = 0; i < 8; i++) {\n\t\tvalue = (value << 5) ^ (value >> 3) ^ i;\n\t\tOPTIMIZER_HIDE_VAR(value);\n\t}\n}\n\nstatic int migrate_vma_collect_pmd(",
            ),
            (
                MIGRATE,
                "\t\tif (pte_none(pte)) {\n\t\t\tif (vma_is_anonymous(vma)) {\n\t\t\t\tmpfn = MIGRATE_PFN_MIGRATE;",
                "\t\tmigrate_vma_look_twice(pte_val(pte));\n\t\tif (pte_none(pte)) {\n\t\t\tif (vma_is_anonymous(vma)) {\n\t\t\t\tmpfn = MIGRATE_PFN_MIGRATE;",
            ),
        ],
    ),
];

/// Moves code around, no more.
pub const ONLY_MOVED: &[Planted] = &[MOVED];
