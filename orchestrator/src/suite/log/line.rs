//! One line of the console: what printk put before the message, and the agent's markers.

/// Bytes of a line that are looked at.
pub(super) const LINE_BYTES: usize = 1024;

/// What the agent wrote into the kernel log around a test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Marker {
    /// A test begins.
    Begin {
        /// `<suite>.<test>`, or `<suite>` for a program that runs whole.
        test: String,
        /// Round, from 1.
        round: u32,
    },
    /// It ended.
    End {
        /// As in `Begin`.
        test: String,
        /// Round, from 1.
        round: u32,
    },
}

/// Reads `orchestrator: begin <suite> <test> round <n>` and its counterpart with `end`.
pub(super) fn marker(message: &str) -> Option<Marker> {
    let rest = message.trim_end().strip_prefix("orchestrator: ")?;
    let (begins, rest) = match rest.strip_prefix("begin ") {
        Some(rest) => (true, rest),
        None => (false, rest.strip_prefix("end ")?),
    };
    let (name, round) = rest.rsplit_once("round ")?;
    let round = round.split_whitespace().next()?.parse().ok()?;
    let mut words = name.split_whitespace();
    let suite = words.next()?;
    let test = match words.next() {
        Some(test) => format!("{suite}.{test}"),
        None => suite.to_owned(),
    };
    Some(if begins { Marker::Begin { test, round } } else { Marker::End { test, round } })
}

/// The message of a line: without level, timestamp and caller id; with its indentation. When user space has left
/// text without a newline on the same port, the message is what follows the timestamp.
pub(super) fn message(line: &str) -> &str {
    let line = bounded(line.trim_end_matches(['\r', '\n', ' ']), LINE_BYTES);
    if let Some(message) = strip(line) {
        return message;
    }
    line.match_indices('[')
        .take(16)
        .filter_map(|(at, _)| timestamp(&line[at..]).map(|_| &line[at..]))
        .find_map(strip)
        .unwrap_or(line)
}

/// At most `limit` bytes, cut at a character.
pub(super) fn bounded(text: &str, limit: usize) -> &str {
    if text.len() <= limit {
        return text;
    }
    let end = (0..=limit).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
    &text[..end]
}

fn strip(line: &str) -> Option<&str> {
    let mut rest = line;
    let mut found = false;
    if let Some(after) = level(rest) {
        (rest, found) = (after, true);
    }
    if let Some(after) = timestamp(rest) {
        (rest, found) = (after, true);
    }
    if let Some(after) = caller(rest) {
        (rest, found) = (after, true);
    }
    found.then(|| rest.strip_prefix(' ').unwrap_or(rest))
}

/// `<6>`
fn level(text: &str) -> Option<&str> {
    let (number, rest) = text.strip_prefix('<')?.split_once('>')?;
    (number.len() <= 3 && number.parse::<u8>().is_ok()).then_some(rest)
}

/// `[   12.345678]`
fn timestamp(text: &str) -> Option<&str> {
    let (inner, rest) = bracket(text)?;
    let (seconds, fraction) = inner.trim_start().split_once('.')?;
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    (digits(seconds) && digits(fraction)).then_some(rest)
}

/// `[  T123]`, `[    C0]`, after a timestamp or alone.
fn caller(text: &str) -> Option<&str> {
    let (inner, rest) = bracket(text.strip_prefix(' ').filter(|t| t.starts_with('[')).unwrap_or(text))?;
    let inner = inner.trim();
    let number = inner.strip_prefix(['T', 'C'])?;
    (!number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())).then_some(rest)
}

fn bracket(text: &str) -> Option<(&str, &str)> {
    let inner = text.strip_prefix('[')?;
    let end = inner.bytes().take(24).position(|b| b == b']')?;
    Some((&inner[..end], &inner[end + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_printk_puts_before_a_message() {
        let table = [
            ("WARNING: x", "WARNING: x"),
            ("[    1.234567] WARNING: x\r", "WARNING: x"),
            ("[12345.234567][  T123] WARNING: x", "WARNING: x"),
            ("[    1.234567][    C0]  indented", " indented"),
            ("<4>[    1.234567] WARNING: x", "WARNING: x"),
            ("<4>WARNING: x", "WARNING: x"),
            ("[  T1] WARNING: x", "WARNING: x"),
            ("[ BUG: Invalid wait context ]", "[ BUG: Invalid wait context ]"),
            ("# RUN  foo ...[    1.234567] WARNING: x", "WARNING: x"),
            ("a[1] b[2][    1.234567][   T9] WARNING: x", "WARNING: x"),
            ("[1.2.3] x", "[1.2.3] x"),
            ("<abc> x", "<abc> x"),
            ("", ""),
            ("[    1.234567]", ""),
        ];
        for (line, expected) in table {
            assert_eq!(message(line), expected, "{line}");
        }
    }

    #[test]
    fn markers_of_the_agent() {
        let begin = |test: &str, round| Some(Marker::Begin { test: test.into(), round });
        assert_eq!(
            marker("orchestrator: begin hmm hmm.hmm_device_private.anon_read round 2"),
            begin("hmm.hmm.hmm_device_private.anon_read", 2)
        );
        assert_eq!(marker("orchestrator: begin hmm  round 1"), begin("hmm", 1));
        assert_eq!(marker("orchestrator: begin hmm round 1"), begin("hmm", 1));
        assert_eq!(
            marker("orchestrator: end hmm a.b round 1 code 0"),
            Some(Marker::End { test: "hmm.a.b".into(), round: 1 })
        );
        for other in
            ["orchestrator: hello", "orchestrator: begin", "orchestrator: begin hmm a round x", "begin hmm a round 1"]
        {
            assert_eq!(marker(other), None, "{other}");
        }
    }

    #[test]
    fn endless_lines_are_cut_at_a_character() {
        let line = "é".repeat(LINE_BYTES);
        assert!(message(&line).len() <= LINE_BYTES);
    }
}
