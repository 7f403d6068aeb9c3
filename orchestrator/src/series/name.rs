//! File names in diffs: plain, with a timestamp, or quoted like a C string.

use std::borrow::Cow;

/// A name could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BadName;

/// Reads the name after `--- `, `+++ `, `rename from ` and the like. An unquoted name ends at a tab, behind which
/// diff puts a timestamp.
pub(super) fn parse(text: &str) -> Result<Vec<u8>, BadName> {
    if text.starts_with('"') {
        let (name, rest) = unquote(text)?;
        return if rest.is_empty() || rest.starts_with('\t') { Ok(name) } else { Err(BadName) };
    }
    let name = text.split('\t').next().unwrap_or_default();
    if name.is_empty() { Err(BadName) } else { Ok(name.as_bytes().to_vec()) }
}

/// Reads a quoted name at the start of `text`, which begins with a quote; gives the name and what follows it.
pub(super) fn unquote(text: &str) -> Result<(Vec<u8>, &str), BadName> {
    let bytes = text.as_bytes();
    let mut name = Vec::new();
    let mut at = 1;
    loop {
        match bytes.get(at).ok_or(BadName)? {
            b'"' => return Ok((name, &text[at + 1..])),
            b'\\' => {
                let escape = *bytes.get(at + 1).ok_or(BadName)?;
                at += 2;
                name.push(match escape {
                    b'a' => 0x07,
                    b'b' => 0x08,
                    b'f' => 0x0c,
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'v' => 0x0b,
                    b'"' | b'\\' => escape,
                    b'0'..=b'3' => {
                        let digits = bytes.get(at - 1..at + 2).ok_or(BadName)?;
                        at += 2;
                        digits.iter().try_fold(0u8, |value, digit| match digit {
                            b'0'..=b'7' => Ok(value.wrapping_mul(8) + (digit - b'0')),
                            _ => Err(BadName),
                        })?
                    }
                    _ => return Err(BadName),
                });
            }
            byte => {
                name.push(*byte);
                at += 1;
            }
        }
    }
}

/// The name without its first folder (`a/mm/hmm.c` is `mm/hmm.c`).
pub(super) fn strip(name: &[u8]) -> Option<&[u8]> {
    let slash = name.iter().position(|byte| *byte == b'/')?;
    Some(&name[slash + 1..]).filter(|rest| !rest.is_empty())
}

/// Two names of one line.
pub(super) type Pair<'t> = (Cow<'t, [u8]>, Cow<'t, [u8]>);

/// All ways to read the two names of a `diff --git` line; several only where unquoted names hold spaces.
pub(super) fn git_pairs(text: &str) -> Box<dyn Iterator<Item = Pair<'_>> + '_> {
    if text.starts_with('"') {
        let both = unquote(text).ok().and_then(|(old, rest)| Some((old.into(), whole(rest.strip_prefix(' ')?)?)));
        return Box::new(both.into_iter());
    }
    if let Some(at) = text.find('"') {
        let both = text[..at].strip_suffix(' ').and_then(|old| Some((old.as_bytes().into(), whole(&text[at..])?)));
        return Box::new(both.into_iter());
    }
    let bytes = text.as_bytes();
    let splits = text.match_indices(' ').map(|(at, _)| (&bytes[..at], &bytes[at + 1..]));
    Box::new(splits.filter(|(old, new)| !old.is_empty() && !new.is_empty()).map(|(old, new)| (old.into(), new.into())))
}

/// A name that reaches to the end of the line.
fn whole(text: &str) -> Option<Cow<'_, [u8]>> {
    if text.starts_with('"') {
        return unquote(text).ok().filter(|(_, rest)| rest.is_empty()).map(|(name, _)| name.into());
    }
    (!text.is_empty()).then(|| text.as_bytes().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read() {
        for (text, expected) in [
            ("a/mm/hmm.c", Ok(&b"a/mm/hmm.c"[..])),
            ("a/mm/h m.c\t", Ok(b"a/mm/h m.c")),
            ("linux.orig/mm/hmm.c\t2026-01-01 10:00:00.000000000 +0100", Ok(b"linux.orig/mm/hmm.c")),
            (r#""a/\303\244\"\\\t.c""#, Ok(b"a/\xc3\xa4\"\\\t.c")),
            (r#""a/\056\056/x""#, Ok(b"a/../x")),
            (r#""a/\000x""#, Ok(b"a/\0x")),
            ("", Err(BadName)),
            ("\t2026", Err(BadName)),
            ("\"a", Err(BadName)),
            (r#""a\"#, Err(BadName)),
            (r#""a\q""#, Err(BadName)),
            (r#""a\39x""#, Err(BadName)),
            (r#""a\400""#, Err(BadName)),
            (r#""a\01"#, Err(BadName)),
            (r#""a" b"#, Err(BadName)),
        ] {
            assert_eq!(parse(text), expected.map(<[u8]>::to_vec), "{text}");
        }
    }

    #[test]
    fn the_first_folder_is_stripped() {
        assert_eq!(strip(b"a/mm/x"), Some(&b"mm/x"[..]));
        assert_eq!(strip(b"x"), None);
        assert_eq!(strip(b"a/"), None);
        assert_eq!(strip(b"/etc"), Some(&b"etc"[..]));
    }

    #[test]
    fn git_lines_with_spaces_and_quotes_are_read() {
        let pairs = |text: &str| -> Vec<(String, String)> {
            let text_of = |name: Cow<'_, [u8]>| String::from_utf8(name.into_owned()).unwrap();
            git_pairs(text).map(|(old, new)| (text_of(old), text_of(new))).collect()
        };
        let pair = |old: &str, new: &str| (old.to_owned(), new.to_owned());
        assert_eq!(pairs("a/x b/x"), [pair("a/x", "b/x")]);
        assert_eq!(pairs("a/x y b/x y").len(), 3);
        assert!(pairs("a/x y b/x y").contains(&pair("a/x y", "b/x y")));
        assert_eq!(pairs(r#""a/\tx" b/y"#), [pair("a/\tx", "b/y")]);
        assert_eq!(pairs(r#"a/y "b/\tx""#), [pair("a/y", "b/\tx")]);
        assert_eq!(pairs(r#""a/\tx" "b/\tx""#), [pair("a/\tx", "b/\tx")]);
        for broken in ["", "a/x", "\"a/x", "\"a/x\"", "\"a/x\"b/x", " ", "a/x \"b/x", "a/x\"b/x\""] {
            assert_eq!(pairs(broken), [], "{broken}");
        }
    }
}
