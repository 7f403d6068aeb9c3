//! The four kinds of KTAP lines.

use super::Plan;

/// A keyword after `#` that changes what a result means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Directive {
    /// Did not apply here.
    Skip,
    /// Not expected to pass for now.
    Todo,
    /// Expected to fail.
    Xfail,
    /// Ran out of time.
    Timeout,
    /// Could not be carried out.
    Error,
}

/// A line, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Line {
    /// `KTAP version 1`.
    Version(String),
    /// `1..N`.
    Plan(Plan),
    /// `ok 1 name # SKIP reason`.
    Result { ok: bool, number: u32, name: String, directive: Option<Directive>, detail: String },
    /// `Bail out! reason`.
    BailOut(String),
    /// Anything else.
    Other,
}

/// True for a version line without indentation.
pub(super) fn is_version(line: &str) -> bool {
    matches!(line.trim_end(), "KTAP version 1" | "TAP version 13" | "TAP version 14")
}

/// Reads one line that has lost its indentation.
pub(super) fn read(line: &str) -> Line {
    let line = line.trim_end();
    if is_version(line) {
        return Line::Version(line.to_owned());
    }
    if let Some(reason) = line.strip_prefix("Bail out!") {
        return Line::BailOut(reason.trim().to_owned());
    }
    if let Some(plan) = plan(line) {
        return Line::Plan(plan);
    }
    result(line).unwrap_or(Line::Other)
}

fn plan(line: &str) -> Option<Plan> {
    let rest = line.strip_prefix("1..")?;
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (count, rest) = rest.split_at(digits);
    let count = count.parse().ok()?;
    let rest = rest.trim_start();
    if rest.is_empty() {
        return Some(Plan { count, skip: None });
    }
    let (directive, detail) = comment(rest.strip_prefix('#')?);
    Some(Plan { count, skip: (directive == Some(Directive::Skip)).then_some(detail) })
}

fn result(line: &str) -> Option<Line> {
    let (ok, rest) = match line.strip_prefix("not ok") {
        Some(rest) => (false, rest),
        None => (true, line.strip_prefix("ok")?),
    };
    let rest = rest.strip_prefix([' ', '\t'])?.trim_start();
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = rest.split_at(digits);
    let number = number.parse().ok()?;
    // "ok 1st" is no result line.
    if !(rest.is_empty() || rest.starts_with([' ', '\t', '#'])) {
        return None;
    }
    let (name, comment_text) = split_comment(rest.trim());
    let name = name.trim();
    let name = name.strip_prefix("- ").map_or(if name == "-" { "" } else { name }, str::trim_start);
    let (directive, detail) = comment_text.map(comment).unwrap_or_default();
    Some(Line::Result { ok, number, name: name.to_owned(), directive, detail })
}

/// Splits at the first `#` that has no backslash before it.
fn split_comment(text: &str) -> (&str, Option<&str>) {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            '#' if !escaped => return (&text[..at], Some(&text[at + 1..])),
            '\\' => escaped = !escaped,
            _other => escaped = false,
        }
    }
    (text, None)
}

/// The directive and the text after it. An unknown word is no directive, and stays in the text.
fn comment(text: &str) -> (Option<Directive>, String) {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    let directive = match word.to_ascii_uppercase().as_str() {
        "SKIP" | "SKIPPED" => Some(Directive::Skip),
        "TODO" => Some(Directive::Todo),
        "XFAIL" => Some(Directive::Xfail),
        "TIMEOUT" => Some(Directive::Timeout),
        "ERROR" => Some(Directive::Error),
        _unknown => None,
    };
    match directive {
        Some(_) => (directive, rest.trim_start_matches([':', ' ', '\t', '-']).to_owned()),
        None => (None, text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ok(number: u32, name: &str, directive: Option<Directive>, detail: &str) -> Line {
        Line::Result { ok: true, number, name: name.into(), directive, detail: detail.into() }
    }

    #[test]
    fn result_lines() {
        let table = [
            ("ok 1 a.b.c", ok(1, "a.b.c", None, "")),
            ("ok 12 - with dash", ok(12, "with dash", None, "")),
            ("ok 3", ok(3, "", None, "")),
            ("ok 3 -", ok(3, "", None, "")),
            ("ok 4 a # SKIP no device", ok(4, "a", Some(Directive::Skip), "no device")),
            ("ok 4 # SKIP no device", ok(4, "", Some(Directive::Skip), "no device")),
            ("ok 4 a #skip: no device", ok(4, "a", Some(Directive::Skip), "no device")),
            ("ok 5 a # XFAIL known", ok(5, "a", Some(Directive::Xfail), "known")),
            ("ok 5 a # XPASS unknown", ok(5, "a", None, "XPASS unknown")),
            ("ok 5 a #  rcode=0", ok(5, "a", None, "rcode=0")),
            ("ok 6 one \\# two # TODO later", ok(6, "one \\# two", Some(Directive::Todo), "later")),
            ("ok 7 SKIP is a name", ok(7, "SKIP is a name", None, "")),
            (
                "not ok 8 a # TIMEOUT 30 seconds",
                Line::Result {
                    ok: false,
                    number: 8,
                    name: "a".into(),
                    directive: Some(Directive::Timeout),
                    detail: "30 seconds".into(),
                },
            ),
            (
                "not ok 9 # error cannot open",
                Line::Result {
                    ok: false,
                    number: 9,
                    name: String::new(),
                    directive: Some(Directive::Error),
                    detail: "cannot open".into(),
                },
            ),
        ];
        for (text, expected) in table {
            assert_eq!(read(text), expected, "{text}");
        }
    }

    #[test]
    fn lines_that_only_look_like_results() {
        for text in [
            "okay 1 a",
            "ok",
            "ok then",
            "not  ok 1 a",
            "OK 1 a",
            "# ok 1 a",
            " ok 1 a",
            "ok 1st",
            "ok 99999999999 a",
            "ok -1 a",
            "1..",
            "1..x",
            "2..3",
            "1..3 4",
            "TAP version 12",
            "TAP version 13 and a half",
            "",
        ] {
            assert_eq!(read(text), Line::Other, "{text}");
        }
    }

    #[test]
    fn other_lines() {
        assert_eq!(read("1..58"), Line::Plan(Plan { count: 58, skip: None }));
        assert_eq!(read("1..0 # SKIP needs root"), Line::Plan(Plan { count: 0, skip: Some("needs root".into()) }));
        assert_eq!(read("1..0 # needs root"), Line::Plan(Plan { count: 0, skip: None }));
        assert_eq!(read("Bail out! no memory"), Line::BailOut("no memory".into()));
        assert_eq!(read("TAP version 13\r"), Line::Version("TAP version 13".into()));
    }
}
