//! Text of a mail that grows.

use crate::term::text::{pad, visible_lines, width, wrap};

/// Columns of prose.
pub(super) const COLUMNS: usize = 72;

/// Columns of the names of fields.
const FIELD: usize = 15;

/// Most columns of one line of evidence: a mail may not have longer lines than 998 bytes, and nobody reads them.
const MAX_LINE: usize = 200;

/// The text. Nothing gets in that a mail reader or a mail server takes for something else.
#[derive(Default)]
pub(super) struct Page {
    out: String,
}

impl Page {
    /// The text with one line break at its end.
    pub fn finish(self) -> String {
        let mut out = self.out.trim_end_matches('\n').to_owned();
        out.push('\n');
        out
    }

    /// One line, as it is.
    pub fn line(&mut self, line: &str) {
        // mbox files begin a mail with such a line.
        if line.starts_with("From ") {
            self.out.push(' ');
        }
        self.out.push_str(line.trim_end());
        self.out.push('\n');
    }

    /// An empty line, but never two of them and none at the beginning.
    pub fn gap(&mut self) {
        if !self.out.is_empty() && !self.out.ends_with("\n\n") {
            self.out.push('\n');
        }
    }

    /// A paragraph, with an empty line before it.
    pub fn paragraph(&mut self, text: &str) {
        self.gap();
        self.hang("", "", text);
    }

    /// Lines behind `first`, the further ones behind `next`.
    pub fn hang(&mut self, first: &str, next: &str, text: &str) {
        let room = COLUMNS.saturating_sub(width(first).max(width(next)));
        for (index, line) in wrap(text, room).iter().enumerate() {
            self.line(&format!("{}{line}", if index == 0 { first } else { next }));
        }
    }

    /// `name:          text`, as the kernel test robot has it.
    pub fn field(&mut self, name: &str, text: &str) {
        self.hang(&pad(&format!("{name}:"), FIELD), &" ".repeat(FIELD), text);
    }

    /// `name:          text` on one line however long: to be copied.
    pub fn field_to_copy(&mut self, name: &str, text: &str) {
        self.line(&format!("{}{text}", pad(&format!("{name}:"), FIELD)));
    }

    /// An entry of a list.
    pub fn bullet(&mut self, text: &str) {
        self.hang("- ", "  ", text);
    }

    /// Lines of a log, at most `max` of them, those that say what is wrong marked as the kernel test robot marks them.
    pub fn quoted(&mut self, text: &str, max: usize) {
        for line in visible_lines(text, max, MAX_LINE) {
            let start = if is_complaint(&line) { ">> " } else { "   " };
            self.line(&format!("{start}{line}"));
        }
    }

    /// A table that is not wrapped.
    pub fn table(&mut self, rows: &[String]) {
        for row in rows {
            row.lines().for_each(|line| self.line(line));
        }
    }
}

/// True for lines that name the trouble.
fn is_complaint(line: &str) -> bool {
    [": error:", ": warning:", "WARNING:", "BUG:", "Kernel panic", "KASAN:", "Expected "]
        .iter()
        .any(|mark| line.contains(mark))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_line_that_begins_a_mail_in_an_mbox_is_moved() {
        let mut page = Page::default();
        page.paragraph("From here on it fails.");
        page.quoted("From x\n.\n", 5);
        assert_eq!(page.finish(), " From here on it fails.\n   From x\n   .\n");
    }

    #[test]
    fn evidence_is_bounded_and_marked() {
        let mut page = Page::default();
        page.quoted("mm/a.c:1:2: error: x\nplain\n3\n4\n", 3);
        page.quoted(&"y".repeat(5000), 3);
        let text = page.finish();
        assert!(text.starts_with(">> mm/a.c:1:2: error: x\n   plain\n   3\n   … 1 more line\n"), "{text}");
        assert!(text.lines().all(|line| width(line) <= MAX_LINE + 3));
    }

    proptest! {
        #[test]
        fn prose_is_wrapped_and_harmless(text in "[a-zA-Z .>-]{0,400}", name in "[a-z ]{1,12}") {
            let mut page = Page::default();
            page.paragraph(&text);
            page.field(&name, &text);
            page.bullet(&text);
            let out = page.finish();
            for line in out.lines() {
                prop_assert!(width(line) <= COLUMNS + 1 || line.split_whitespace().any(|word| width(word) > 40), "{line}");
                prop_assert!(!line.starts_with("From "));
            }
        }
    }
}
