//! Windows: counters at their opening and at their closing.

use std::io::Write;
use std::sync::Arc;

use crate::mark::{Mark, Name};
use crate::output::{Output, Strays};
use crate::symbols::Symbols;

/// Where a mark lies in its block: QEMU has counted the whole block when the mark is executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The function that the mark belongs to. So does what follows it in the block: marks are compiled into programs,
    /// whose code is one function here.
    pub function: u32,
    /// Instructions of the block after the mark.
    pub after: u32,
}

/// The open window.
#[derive(Debug)]
struct Window {
    name: Name,
    at: Place,
}

/// Turns marks and counters into lines.
#[derive(Debug)]
pub struct Counting<W: Write> {
    symbols: Arc<Symbols>,
    output: Output<W>,
    bits: u64,
    open: Option<Window>,
    /// Counters when the window was opened.
    before: Vec<u64>,
    strays: Strays,
}

impl<W: Write> Counting<W> {
    /// Nothing marked yet.
    pub fn new(symbols: Arc<Symbols>, output: Output<W>) -> Self {
        let before = vec![0; symbols.functions()];
        Counting { symbols, output, bits: 0, open: None, before, strays: Strays::default() }
    }

    /// The guest executed a mark. `read` gives the counter of a function.
    pub fn mark(&mut self, mark: Mark, at: Place, read: impl Fn(usize) -> u64) {
        match mark {
            Mark::Bit(bit) => self.bits = self.bits << 1 | u64::from(bit),
            Mark::Open => {
                let name = Name::from_bits(std::mem::take(&mut self.bits));
                self.strays.abandoned += u64::from(self.open.is_some());
                for (function, before) in self.before.iter_mut().enumerate() {
                    *before = read(function);
                }
                self.open = Some(Window { name, at });
            }
            Mark::Close => match self.open.take() {
                None => self.strays.unopened += 1,
                Some(window) => {
                    let counts = (0..self.symbols.functions()).map(|function| {
                        let mut count = read(function).wrapping_sub(self.before[function]);
                        // The opening block was counted before it was executed whole: what follows the mark is ours.
                        if function == window.at.function as usize {
                            count = count.wrapping_add(u64::from(window.at.after));
                        }
                        // The closing block was counted whole: the mark and what follows are not ours.
                        if function == at.function as usize {
                            count = count.wrapping_sub(u64::from(at.after) + 1);
                        }
                        (self.symbols.name(function), count)
                    });
                    self.output.window(window.name, counts);
                }
            },
        }
    }

    /// The machine ends.
    pub fn end(&mut self) {
        self.strays.abandoned += u64::from(self.open.take().is_some());
        self.output.end("", self.strays);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(marks: &[(Mark, Place, [u64; 3])]) -> Vec<String> {
        let mut bytes = Vec::new();
        let symbols = Arc::new(Symbols::parse("ffffffff81000000 copy_page\n").unwrap());
        let mut counting = Counting::new(symbols, Output::new(&mut bytes, 1, 1).unwrap());
        for (mark, at, counters) in marks {
            counting.mark(*mark, *at, |function| counters[function]);
        }
        counting.end();
        String::from_utf8(bytes).unwrap().lines().skip(1).map(str::to_owned).collect()
    }

    fn place(after: u32) -> Place {
        Place { function: 0, after }
    }

    #[test]
    fn a_window_is_what_lies_between_its_marks() {
        // Counters: user, unknown, copy_page. The opening block has 4 instructions after its mark, the closing one 2:
        // in between lie these 4, 7 instructions of whole blocks, and the closing block's 5 minus mark and rest.
        let lines = run(&[
            (Mark::Bit(true), place(0), [0; 3]),
            (Mark::Bit(false), place(0), [0; 3]),
            (Mark::Open, place(4), [100, 0, 1000]),
            (Mark::Close, place(2), [100 + 7 + 5, 0, 1512]),
        ]);
        assert_eq!(lines[0], r#"{"metric":0,"phase":2,"total":525,"functions":[["copy_page",512],["(user)",13]]}"#);
        assert_eq!(lines[1], r#"{"end":"","windows":1,"abandoned":0,"unopened":0}"#);
    }

    #[test]
    fn both_marks_in_one_block() {
        // open, two instructions, close, one instruction: counted once, before the first mark.
        let lines = run(&[(Mark::Open, place(4), [9, 0, 0]), (Mark::Close, place(1), [9, 0, 0])]);
        assert_eq!(lines[0], r#"{"metric":0,"phase":0,"total":2,"functions":[["(user)",2]]}"#);
    }

    #[test]
    fn marks_out_of_order_lose_windows_and_say_so() {
        let lines = run(&[
            (Mark::Close, place(0), [1, 0, 0]),
            (Mark::Open, place(0), [1, 0, 0]),
            (Mark::Bit(true), place(0), [1, 0, 0]),
            (Mark::Open, place(0), [5, 0, 0]),
            (Mark::Close, place(0), [9, 0, 0]),
            (Mark::Open, place(0), [9, 0, 0]),
        ]);
        assert_eq!(lines[0], r#"{"metric":0,"phase":1,"total":3,"functions":[["(user)",3]]}"#);
        assert_eq!(lines[1], r#"{"end":"","windows":1,"abandoned":2,"unopened":1}"#);
    }
}
