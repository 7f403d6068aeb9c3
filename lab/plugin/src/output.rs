//! The file of counts: JSON lines, bounded.

use std::fmt::Write as _;
use std::io::{self, Write};

use crate::mark::Name;

/// Windows that a guest gets.
pub const MAX_WINDOWS: u64 = 100_000;
/// Bytes that a guest gets written.
pub const MAX_BYTES: u64 = 256 << 20;

/// Writes the lines. What the guest does can end the writing, never QEMU.
#[derive(Debug)]
pub struct Output<W: Write> {
    file: W,
    windows: u64,
    bytes: u64,
    ended: bool,
}

/// What the last line says besides the number of windows.
#[derive(Debug, Clone, Copy, Default)]
pub struct Strays {
    /// Windows opened while another was open; the other is lost.
    pub abandoned: u64,
    /// Closing marks without an open window.
    pub unopened: u64,
}

impl<W: Write> Output<W> {
    /// Writes the first line.
    pub fn new(mut file: W, api: i32, vcpus: i32) -> io::Result<Self> {
        file.write_all(format!("{{\"format\":1,\"api\":{api},\"vcpus\":{vcpus}}}\n").as_bytes())?;
        Ok(Output { file, windows: 0, bytes: 0, ended: false })
    }

    /// Writes one window: functions that executed something, most first.
    pub fn window<'a>(&mut self, name: Name, functions: impl Iterator<Item = (&'a str, u64)>) {
        if self.ended {
            return;
        }
        let mut functions: Vec<(&str, u64)> = functions.filter(|(_, count)| *count > 0).collect();
        functions.sort_unstable_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        let total: u64 = functions.iter().map(|(_, count)| *count).sum();
        let mut line =
            format!("{{\"metric\":{},\"phase\":{},\"total\":{total},\"functions\":[", name.metric, name.phase);
        for (index, (function, count)) in functions.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            // Writing to a string cannot fail.
            let _ = write!(line, "{comma}[\"{function}\",{count}]");
        }
        line.push_str("]}\n");
        if self.windows >= MAX_WINDOWS || self.bytes + line.len() as u64 > MAX_BYTES {
            self.end("the guest opened more windows than it gets", Strays::default());
            return;
        }
        self.windows += 1;
        self.bytes += line.len() as u64;
        if let Err(error) = self.file.write_all(line.as_bytes()) {
            eprintln!("orchestrator plugin: the counts cannot be written: {error}");
            self.ended = true;
        }
    }

    /// Writes the last line. `reason` is empty for a guest that ended by itself.
    pub fn end(&mut self, reason: &str, strays: Strays) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        let (windows, Strays { abandoned, unopened }) = (self.windows, strays);
        let line = format!(
            "{{\"end\":\"{reason}\",\"windows\":{windows},\"abandoned\":{abandoned},\"unopened\":{unopened}}}\n"
        );
        if let Err(error) = self.file.write_all(line.as_bytes()) {
            eprintln!("orchestrator plugin: the end of the counts cannot be written: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: Name = Name { metric: 7, phase: 3 };

    #[test]
    fn lines() {
        let mut bytes = Vec::new();
        let mut output = Output::new(&mut bytes, 1, 1).unwrap();
        output.window(NAME, [("b", 1), ("nothing", 0), ("a", 1), ("most", 5)].into_iter());
        output.window(NAME, std::iter::empty());
        output.end("", Strays { abandoned: 1, unopened: 2 });
        output.end("again", Strays::default());
        output.window(NAME, [("late", 1)].into_iter());
        let text = String::from_utf8(bytes).unwrap();
        let expected = [
            r#"{"format":1,"api":1,"vcpus":1}"#,
            r#"{"metric":7,"phase":3,"total":7,"functions":[["most",5],["a",1],["b",1]]}"#,
            r#"{"metric":7,"phase":3,"total":0,"functions":[]}"#,
            r#"{"end":"","windows":2,"abandoned":1,"unopened":2}"#,
        ];
        assert_eq!(text.lines().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_guest_that_never_stops_gets_no_more() {
        let mut bytes = Vec::new();
        let mut output = Output::new(&mut bytes, 1, 1).unwrap();
        for _ in 0..MAX_WINDOWS + 10 {
            output.window(NAME, std::iter::empty());
        }
        let text = String::from_utf8(bytes).unwrap();
        assert_eq!(text.lines().count() as u64, 1 + MAX_WINDOWS + 1);
        assert!(text.lines().last().unwrap().starts_with(r#"{"end":"the guest opened"#));
    }
}
