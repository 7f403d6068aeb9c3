//! Subjects: `[RFC PATCH mm-unstable v2 03/12] mm: do this`.

use std::sync::LazyLock;

use regex::Regex;

/// What a subject says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Subject {
    /// It begins with `Re:` or the like.
    pub reply: bool,
    /// It has a `[PATCH]` or `[RFC]` prefix.
    pub prefixed: bool,
    /// `v6`.
    pub version: Option<u32>,
    /// `3/6`.
    pub position: Option<(usize, usize)>,
    /// A position that is none: `1/4294967297`.
    pub odd_position: Option<String>,
    /// The rest, without the prefix.
    pub title: String,
}

static REPLY: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?i)^\s*(?:re|aw|sv|antw|fwd?|wg)(?:\[\d+\])?\s*:").expect("constant"));
static POSITION: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^(\d{1,6})/(\d{1,6})$").expect("constant"));
/// Two numbers that no series has.
static ODD_POSITION: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^\d{1,60}/\d{1,60}$").expect("constant"));
static VERSION: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(?i)^(?:PATCH|RFC)?v(\d{1,6})$").expect("constant"));

/// Takes a subject apart. Only leading brackets up to the one that says PATCH (or RFC, or n/m) are a prefix; any
/// other bracket belongs to the title.
pub(super) fn parse(text: &str) -> Subject {
    let mut subject = Subject::default();
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut rest = text.as_str();
    while let Some(found) = REPLY.find(rest) {
        subject.reply = true;
        rest = rest[found.end()..].trim_start();
    }
    subject.title = rest.to_owned();
    // A list may put its own tag before the prefix: `[linux-mm] [PATCH 1/2] ...`.
    let mut after = rest;
    while let Some((inside, tail)) = after.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
        after = tail.trim_start();
        if read_prefix(inside, &mut subject) {
            subject.prefixed = true;
            subject.title = after.to_owned();
            break;
        }
    }
    subject
}

/// Reads one bracket; false when it is not the prefix of a patch.
fn read_prefix(inside: &str, subject: &mut Subject) -> bool {
    let words: Vec<&str> =
        inside.split(|c: char| c.is_whitespace() || c == ',').filter(|word| !word.is_empty()).collect();
    let upper = |word: &str| word.to_ascii_uppercase();
    let is_patch =
        |word: &str| upper(word).starts_with("PATCH") || upper(word) == "RFC" || upper(word).starts_with("RFCV");
    let position = words.iter().find_map(|word| {
        let numbers = POSITION.captures(word)?;
        Some((numbers[1].parse().ok()?, numbers[2].parse().ok()?))
    });
    if position.is_none() && !words.iter().any(|word| is_patch(word)) {
        return false;
    }
    subject.position = position;
    if position.is_none() {
        subject.odd_position = words.iter().find(|word| ODD_POSITION.is_match(word)).map(|&word| word.to_owned());
    }
    subject.version = words.iter().find_map(|word| VERSION.captures(word)?[1].parse().ok());
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_are_read_as_people_write_them() {
        type Expected<'a> = (bool, bool, Option<u32>, Option<(usize, usize)>, &'a str);
        let table: [(&str, Expected<'_>); 22] = [
            ("[PATCH v6 3/6] mm: a", (false, true, Some(6), Some((3, 6)), "mm: a")),
            ("[RFC PATCH mm-unstable v2 03/12] mm: a", (false, true, Some(2), Some((3, 12)), "mm: a")),
            ("[PATCH] mm: a", (false, true, None, None, "mm: a")),
            ("[PATCH RESEND v2] mm: a", (false, true, Some(2), None, "mm: a")),
            ("[RESEND PATCH v2 1/1] a", (false, true, Some(2), Some((1, 1)), "a")),
            ("Re: [PATCH v6 3/6] mm: a", (true, true, Some(6), Some((3, 6)), "mm: a")),
            ("RE: Re: AW: [PATCH] a", (true, true, None, None, "a")),
            ("Re[2]: [PATCH] a", (true, true, None, None, "a")),
            ("Fwd: [PATCH 1/2] a", (true, true, None, Some((1, 2)), "a")),
            ("[PATCHv3 1/2] a", (false, true, Some(3), Some((1, 2)), "a")),
            ("[PATCH V3 1/2] a", (false, true, Some(3), Some((1, 2)), "a")),
            ("[RFC v2 0/3] a", (false, true, Some(2), Some((0, 3)), "a")),
            ("[RFC] a", (false, true, None, None, "a")),
            ("[PATCH,v2,1/3] a", (false, true, Some(2), Some((1, 3)), "a")),
            ("[1/3] a", (false, true, None, Some((1, 3)), "a")),
            ("[linux-mm] [PATCH 1/2] a", (false, true, None, Some((1, 2)), "a")),
            ("[PATCH 6.12 1/2] [media] a", (false, true, None, Some((1, 2)), "[media] a")),
            ("[PATCH v2 1/2] mm: use arr[i/2] [sic]", (false, true, Some(2), Some((1, 2)), "mm: use arr[i/2] [sic]")),
            ("mm: plain [x]", (false, false, None, None, "mm: plain [x]")),
            ("[media] a", (false, false, None, None, "[media] a")),
            ("  [PATCH   v2  1/2]   a  b ", (false, true, Some(2), Some((1, 2)), "a b")),
            ("[PATCH 1/99999999999999999999] a", (false, true, None, None, "a")),
        ];
        for (text, (reply, prefixed, version, position, title)) in table {
            let odd_position = text.contains("/9999999999").then(|| "1/99999999999999999999".to_owned());
            let expected = Subject { reply, prefixed, version, position, odd_position, title: title.to_owned() };
            assert_eq!(parse(text), expected, "{text}");
        }
    }

    #[test]
    fn odd_brackets_do_no_harm() {
        for text in ["", "[", "]", "[]", "[PATCH", "[PATCH]", "[[PATCH]]", "[PATCH 1/] a", "[PATCH /2] a", "Re:", "re"]
        {
            let _ = parse(text);
        }
        assert_eq!(parse("[PATCH]").title, "");
        assert_eq!(parse("[PATCH").title, "[PATCH");
    }
}
