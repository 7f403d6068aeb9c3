//! Text in Markdown that stays text.

/// Text that reads as itself: no markup, no HTML, no link, no mention. Underscores and signs inside words, as names
/// in C have them, stay as they are.
pub fn text(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    for (at, &c) in chars.iter().enumerate() {
        let before = at.checked_sub(1).map(|at| chars[at]);
        let after = chars.get(at + 1).copied();
        let in_word = before.is_some_and(char::is_alphanumeric) && after.is_some_and(char::is_alphanumeric);
        match c {
            '\\' | '`' | '*' | '[' | ']' | '<' | '>' | '|' | '~' | '&' | '$' => out.extend(['\\', c]),
            '_' if !in_word => out.extend(['\\', c]),
            // Where a list, a heading or a setext underline could begin.
            '#' | '+' | '-' | '=' if before.is_none() => out.extend(['\\', c]),
            '.' | ')' if chars[..at].iter().all(char::is_ascii_digit) && at > 0 && after.is_none_or(|c| c == ' ') => {
                out.extend(['\\', c])
            }
            // A bare @name would call somebody.
            '@' if !before.is_some_and(char::is_alphanumeric) && after.is_some_and(char::is_alphanumeric) => {
                out.push_str("&#64;");
            }
            // `#12` would refer to somebody's issue, and `fixes #12` would close it.
            '#' if after.is_some_and(|c| c.is_ascii_digit()) => out.push_str("&#35;"),
            c => out.push(c),
        }
    }
    out
}

/// A span of code.
pub fn code(text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    let fence = "`".repeat(longest_run(text) + 1);
    let blank = text.chars().all(|c| c == ' ');
    let pad = !blank && (text.starts_with(['`', ' ']) || text.ends_with(['`', ' ']));
    if pad { format!("{fence} {text} {fence}") } else { format!("{fence}{text}{fence}") }
}

/// A span of code in a table, where a bar ends the cell even inside of code.
pub fn cell_code(text: &str) -> String {
    code(text).replace('|', "\\|")
}

/// A block of code.
pub fn block(text: &str) -> String {
    let fence = "`".repeat(longest_run(text).max(2) + 1);
    format!("{fence}\n{}\n{fence}\n", text.trim_end_matches('\n'))
}

/// Length of the longest run of backticks.
fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use pulldown_cmark::{Event, Options, Parser};

    use super::*;

    fn events(markdown: &str) -> Vec<Event<'_>> {
        let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_FOOTNOTES;
        Parser::new_ext(markdown, options).collect()
    }

    #[test]
    fn names_of_c_stay_readable() {
        let table = [
            ("mm/hmm.c: fix hmm_vma_walk_pmd() for 2-MiB pages", "mm/hmm.c: fix hmm_vma_walk_pmd() for 2-MiB pages"),
            ("__init *p = a[1] | b", "\\_\\_init \\*p = a\\[1\\] \\| b"),
            ("A <a@b.org>, ask @torvalds", "A \\<a@b.org\\>, ask &#64;torvalds"),
            ("1. item", "1\\. item"),
            ("- item", "\\- item"),
        ];
        for (plain, expected) in table {
            assert_eq!(text(plain), expected);
        }
    }

    proptest::proptest! {
        #[test]
        fn text_stays_text(words in "[a-c0-2`*_\\[\\]<>|~#+=.!()@$&;:/\\\\ -]{1,30}") {
            let words = words.trim();
            proptest::prop_assume!(!words.is_empty());
            let markdown = text(words);
            let mut shown = String::new();
            for event in events(&markdown) {
                match event {
                    Event::Text(text) => shown.push_str(&text),
                    Event::Start(pulldown_cmark::Tag::Paragraph) | Event::End(_) => {}
                    other => proptest::prop_assert!(false, "{markdown}: {other:?}"),
                }
            }
            proptest::prop_assert_eq!(shown, words);
        }

        #[test]
        fn code_stays_code(words in "[a-b`*_|<> ]{1,12}") {
            let markdown = code(&words);
            let shown: Vec<Event<'_>> = events(&markdown);
            proptest::prop_assert!(matches!(&shown[..], [Event::Start(_), Event::Code(_), Event::End(_)]), "{}: {:?}", markdown, shown);
            if let Event::Code(text) = &shown[1] {
                proptest::prop_assert_eq!(text.as_ref(), words.as_str());
            }
        }

        #[test]
        fn blocks_cannot_be_left(lines in "[a-b`~ \n]{1,40}") {
            let markdown = format!("{}\n# after", block(&lines));
            let headings = events(&markdown).into_iter().filter(|e| matches!(e, Event::Start(pulldown_cmark::Tag::Heading { .. }))).count();
            proptest::prop_assert_eq!(headings, 1);
        }
    }
}
