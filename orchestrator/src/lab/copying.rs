//! Functions that copy or clear memory.

use std::sync::LazyLock;

use regex::Regex;

/// Names without their leading underscores. Exact on purpose: `copy_page_range` copies page tables and
/// `clear_page_dirty_for_io` a flag, which is what a series may be about.
static COPYING: LazyLock<Regex> = LazyLock::new(|| {
    let names = [
        // One page, in assembler or C.
        "copy_page(_rep|_regs|_to_mc)?",
        "clear_pages?(_rep|_orig|_erms)?",
        "(copy|clear|zero)(_mc)?(_user)?_highpage",
        // More than one.
        "copy_subpage|clear_subpage|process_huge_page",
        "copy_(mc_)?user_(highpage|huge_page|large_folio|gigantic_page)",
        "clear_(huge|gigantic)_page|clear_gigantic_page_subpages|copy_user_gigantic_page",
        "folio_(mc_)?copy|folio_zero_user|folio_zero_range",
        // Any memory.
        "mem(cpy|move|set)(_orig|_erms|_rep|_fast|16|32|64)?",
        "rep_(movs|stos)_alternative",
        "copy_mc_(fragile|fragile_handle_tail|enhanced_fast_string|to_kernel|to_user)",
        "copy_user_(generic|generic_string|generic_unrolled|enhanced_fast_string|nocache)|copy_to_nontemporal",
        "clear_user(_rep_good|_erms|_original)?",
    ];
    Regex::new(&format!("^_*(?:{})$", names.join("|"))).expect("it is a regex")
});

/// Whether a function's instructions are the copying or clearing of pages: proportional to the memory moved, the same
/// on both sides of most series, and by far the largest part of a migration. Their callers are not.
pub(super) fn copies(function: &str) -> bool {
    COPYING.is_match(function)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moving_bytes_is_copying() {
        let names = "copy_page clear_page_erms clear_page_rep clear_pages __memcpy memcpy_orig __memset memmove \
                     rep_movs_alternative rep_stos_alternative copy_highpage copy_mc_highpage copy_mc_user_highpage \
                     copy_user_highpage folio_copy folio_mc_copy folio_zero_user clear_huge_page copy_subpage \
                     copy_mc_fragile copy_mc_enhanced_fast_string copy_user_generic __copy_user_nocache \
                     copy_user_large_folio";
        for name in names.split_whitespace() {
            assert!(copies(name), "{name}");
        }
    }

    #[test]
    fn moving_page_tables_is_not() {
        let names = "copy_page_range clear_page_dirty_for_io copy_hugetlb_page_range copy_process migrate_folio_extra \
                     clear_page_mlock copy_page_to_iter folio_migrate_copy text_poke_memcpy memcpy_and_pad (user) \
                     migrate_vma_collect_pmd clear_huge_pmd copy_huge_pmd";
        for name in names.split_whitespace() {
            assert!(!copies(name), "{name}");
        }
    }
}
