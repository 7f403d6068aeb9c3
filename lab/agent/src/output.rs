//! Bounding the output of a program: long lines are cut, and of too many lines the first and the last are kept.

use std::collections::VecDeque;

/// Longest line passed on, in bytes.
const LINE_LIMIT: usize = 4096;

/// How many of the last lines of a flood are kept. Programs say their result last.
const TAIL_LINES: usize = 64;

/// Largest tail in bytes.
const TAIL_BYTES: usize = 16 * 1024;

/// One line of output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// True for standard error.
    pub err: bool,
    /// The line without its end, invalid UTF-8 replaced.
    pub text: String,
}

/// Cuts a stream of bytes into lines.
pub struct Lines {
    err: bool,
    pending: Vec<u8>,
    /// Bytes of overlong lines that were cut off.
    pub cut: u64,
}

impl Lines {
    /// Of standard error or of standard output.
    pub fn new(err: bool) -> Self {
        Lines { err, pending: Vec::new(), cut: 0 }
    }

    /// The lines that `bytes` complete.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<Line> {
        let mut lines = Vec::new();
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (text, ended) = match part.strip_suffix(b"\n") {
                Some(text) => (text, true),
                None => (part, false),
            };
            let room = LINE_LIMIT - self.pending.len();
            self.pending.extend(&text[..text.len().min(room)]);
            self.cut += text.len().saturating_sub(room) as u64;
            if ended {
                lines.push(self.take());
            }
        }
        lines
    }

    /// The last line, when the stream ended without a line end.
    pub fn finish(&mut self) -> Option<Line> {
        (!self.pending.is_empty()).then(|| self.take())
    }

    fn take(&mut self) -> Line {
        let text = String::from_utf8_lossy(&self.pending).into_owned();
        self.pending.clear();
        Line { err: self.err, text }
    }
}

/// Decides which lines are passed on.
pub struct Budget {
    left: usize,
    flooded: bool,
    tail: VecDeque<Line>,
    tail_bytes: usize,
    /// Bytes of lines that were dropped.
    pub dropped: u64,
}

impl Budget {
    /// `limit`: bytes to pass on, line ends included.
    pub fn new(limit: usize) -> Self {
        Budget { left: limit, flooded: false, tail: VecDeque::new(), tail_bytes: 0, dropped: 0 }
    }

    /// The line itself while there is room for it; later lines wait, and only the last of them survive.
    pub fn push(&mut self, line: Line) -> Option<Line> {
        let size = line.text.len() + 1;
        if !self.flooded && size <= self.left {
            self.left -= size;
            return Some(line);
        }
        self.flooded = true;
        self.tail.push_back(line);
        self.tail_bytes += size;
        while self.tail.len() > TAIL_LINES || self.tail_bytes > TAIL_BYTES {
            let Some(old) = self.tail.pop_front() else { break };
            self.tail_bytes -= old.text.len() + 1;
            self.dropped += old.text.len() as u64 + 1;
        }
        None
    }

    /// The last lines of a flood.
    pub fn finish(&mut self) -> VecDeque<Line> {
        self.tail_bytes = 0;
        std::mem::take(&mut self.tail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts<'a>(lines: impl IntoIterator<Item = &'a Line>) -> Vec<&'a str> {
        lines.into_iter().map(|line| line.text.as_str()).collect()
    }

    #[test]
    fn lines_are_put_together_from_pieces() {
        let mut lines = Lines::new(false);
        assert!(lines.push(b"on").is_empty());
        assert_eq!(texts(&lines.push(b"e\n\ntwo\nthr")), ["one", "", "two"]);
        assert_eq!(lines.finish().unwrap().text, "thr");
        assert_eq!(lines.finish(), None);
    }

    #[test]
    fn an_endless_line_is_cut_and_counted_and_cannot_pose_as_another_line() {
        let mut lines = Lines::new(true);
        let flood = vec![b'x'; LINE_LIMIT];
        assert!(lines.push(&flood).is_empty());
        assert!(lines.push(b"ok 1 forged").is_empty());
        let got = lines.push(b"\nnext\n");
        assert_eq!(got[0].text.len(), LINE_LIMIT);
        assert_eq!(got[1].text, "next");
        assert_eq!(lines.cut, 11);
    }

    #[test]
    fn invalid_utf8_is_replaced() {
        assert_eq!(Lines::new(false).push(b"a\xff\n")[0].text, "a\u{fffd}");
    }

    #[test]
    fn of_a_flood_the_first_and_the_last_lines_survive() {
        let mut budget = Budget::new(10);
        let line = |n: usize| Line { err: false, text: format!("{n:04}") };
        let passed: Vec<Line> = (0..1000).filter_map(|n| budget.push(line(n))).collect();
        assert_eq!(texts(&passed), ["0000", "0001"]);
        let tail = budget.finish();
        assert_eq!(tail.len(), TAIL_LINES);
        assert_eq!(tail.back().unwrap().text, "0999");
        assert_eq!(budget.dropped, (1000 - 2 - TAIL_LINES as u64) * 5);
    }

    #[test]
    fn after_the_first_line_without_room_shorter_ones_keep_their_order() {
        let mut budget = Budget::new(4);
        assert_eq!(budget.push(Line { err: false, text: "12345".into() }), None);
        assert_eq!(budget.push(Line { err: false, text: "1".into() }), None);
        assert_eq!(texts(&budget.finish()), ["12345", "1"]);
        assert_eq!(budget.dropped, 0);
    }
}
