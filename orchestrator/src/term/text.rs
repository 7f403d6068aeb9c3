//! Text that came from patches, build tools and guests, made harmless; widths, wrapping and durations.

use std::fmt::Write as _;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Columns between tab stops.
const TAB: usize = 8;

/// One line of text in which every control character is visible (`^[`, `<U+202E>`); line breaks and tabs become
/// spaces.
pub fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.trim_end_matches(['\n', '\r']).chars() {
        match c {
            '\n' | '\t' => out.push(' '),
            '\r' => {}
            c => push_visible(&mut out, c),
        }
    }
    out
}

/// The lines of a text, control characters visible, tabs expanded, bounded to `max_lines` of at most `max_columns`;
/// a last line says how many were left out.
pub fn visible_lines(text: &str, max_lines: usize, max_columns: usize) -> Vec<String> {
    let mut source = text.trim_end_matches(['\n', '\r', ' ']).split('\n');
    let mut lines: Vec<String> =
        source.by_ref().take(max_lines).map(|line| truncate(&visible_line(line), max_columns)).collect();
    match source.count() {
        0 => {}
        1 => lines.push("… 1 more line".to_owned()),
        more => lines.push(format!("… {more} more lines")),
    }
    lines
}

/// One line of a block: tabs to tab stops, the rest as in [`visible`].
fn visible_line(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut column = 0;
    for c in line.trim_end_matches('\r').chars() {
        if c == '\t' {
            let spaces = TAB - column % TAB;
            out.extend(std::iter::repeat_n(' ', spaces));
            column += spaces;
        } else {
            let before = out.len();
            push_visible(&mut out, c);
            column += width(&out[before..]);
        }
    }
    out
}

/// True for characters that move the cursor, hide text or reorder it: controls, the invisible format characters used
/// to disguise source code, and code points that are no characters and that XML refuses.
pub fn is_hostile(c: char) -> bool {
    c.is_control()
        || u32::from(c) & 0xfffe == 0xfffe
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

fn push_visible(out: &mut String, c: char) {
    if !is_hostile(c) {
        out.push(c);
    } else if c.is_ascii() {
        // As `cat -v` shows them.
        out.push('^');
        out.push(char::from(c as u8 ^ 0x40));
    } else {
        let _ = write!(out, "<U+{:04X}>", u32::from(c));
    }
}

/// Columns a text takes.
pub fn width(text: &str) -> usize {
    text.width()
}

/// Most characters in a column, on average: accents take none of their own, and there may be any number of them.
const STACKED: usize = 4;

/// The text cut to at most `columns`, the last of which is then `…`.
pub fn truncate(text: &str, columns: usize) -> String {
    let most = columns.saturating_mul(STACKED);
    if width(text) <= columns && text.chars().count() <= most {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut used = 0;
    for c in text.chars().take(most) {
        let w = c.width().unwrap_or(0);
        if used + w + 1 > columns {
            break;
        }
        used += w;
        out.push(c);
    }
    if columns > 0 {
        out.push('…');
    }
    out
}

/// The text followed by spaces up to `columns`; longer text is left alone.
pub fn pad(text: &str, columns: usize) -> String {
    let mut out = text.to_owned();
    out.extend(std::iter::repeat_n(' ', columns.saturating_sub(width(text))));
    out
}

/// Text broken at spaces into lines of at most `columns`; a longer word stays whole, so that it can be copied.
pub fn wrap(text: &str, columns: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && width(&line) + 1 + width(word) > columns {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

/// A duration as on a clock: `0:07`, `12:34`, `1:02:03`.
pub fn clock(ms: u64) -> String {
    let seconds = ms / 1000;
    let (h, m, s) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if h > 0 { format!("{h}:{m:02}:{s:02}") } else { format!("{m}:{s:02}") }
}

/// A duration in words: `0.4 s`, `12 s`, `1 min 23 s`, `1 h 02 min`.
pub fn duration(ms: u64) -> String {
    let seconds = (ms + 500) / 1000;
    match ms {
        0..9_950 => format!("{:.1} s", ms as f64 / 1000.0),
        9_950..59_500 => format!("{seconds} s"),
        59_500..3_599_500 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        3_599_500.. => format!("{} h {:02} min", seconds / 3600, seconds / 60 % 60),
    }
}

/// A count and its noun: `1 test`, `2 tests`.
pub fn count(n: impl Into<u64>, noun: &str) -> String {
    match n.into() {
        1 => format!("1 {noun}"),
        n => format!("{n} {noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_shown() {
        let table = [
            ("plain ü 漢", "plain ü 漢"),
            ("\u{1b}[31mred\u{1b}[0m", "^[[31mred^[[0m"),
            ("\u{7}bell\u{7f}", "^Gbell^?"),
            ("a\r\nb\tc\n", "a b c"),
            ("\u{9b}31m", "<U+009B>31m"),
            ("if (a\u{202e}\u{2066}) b", "if (a<U+202E><U+2066>) b"),
            ("nul\0\u{ffff}", "nul^@<U+FFFF>"),
        ];
        for (text, expected) in table {
            assert_eq!(visible(text), expected);
            assert!(!visible(text).chars().any(is_hostile));
        }
    }

    #[test]
    fn blocks_are_bounded_and_tabs_expanded() {
        assert_eq!(visible_lines("\tx\ty\r\n漢\tz\n\n", 9, 80), ["        x       y", "漢      z"]);
        assert_eq!(visible_lines("1\n2\n3", 2, 80), ["1", "2", "… 1 more line"]);
        assert_eq!(visible_lines("1\n2\n3\n4", 2, 80), ["1", "2", "… 2 more lines"]);
        assert_eq!(visible_lines("123456789", 2, 5), ["1234…"]);
    }

    #[test]
    fn cut_text_fits() {
        for (text, columns, expected) in [
            ("abc", 3, "abc"),
            ("abcd", 3, "ab…"),
            ("漢字漢", 5, "漢字…"),
            ("漢字漢", 4, "漢…"),
            ("ab", 0, ""),
            ("ab", 1, "…"),
            ("e\u{301}\u{301}\u{301}\u{301}", 1, "…"),
        ] {
            let cut = truncate(text, columns);
            assert_eq!(cut, expected);
            assert!(width(&cut) <= columns);
        }
    }

    #[test]
    fn wrapped_lines_keep_all_words() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("a averylongword b", 5), ["a", "averylongword", "b"]);
        assert_eq!(wrap("  ", 5), Vec::<String>::new());
    }

    #[test]
    fn durations() {
        let table = [
            (0, "0:00", "0.0 s"),
            (400, "0:00", "0.4 s"),
            (9_949, "0:09", "9.9 s"),
            (9_950, "0:09", "10 s"),
            (59_499, "0:59", "59 s"),
            (59_500, "0:59", "1 min 00 s"),
            (83_000, "1:23", "1 min 23 s"),
            (3_599_500, "59:59", "1 h 00 min"),
            (3_723_000, "1:02:03", "1 h 02 min"),
        ];
        for (ms, on_clock, in_words) in table {
            assert_eq!((clock(ms).as_str(), duration(ms).as_str()), (on_clock, in_words), "{ms}");
        }
    }

    proptest::proptest! {
        #[test]
        fn nothing_hostile_survives(text in ".*", columns in 0usize..40) {
            let shown = visible(&text);
            proptest::prop_assert!(!shown.chars().any(is_hostile));
            proptest::prop_assert!(width(&truncate(&shown, columns)) <= columns);
            for line in visible_lines(&text, 5, columns) {
                proptest::prop_assert!(!line.chars().any(is_hostile));
            }
        }
    }
}
