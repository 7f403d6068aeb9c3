//! A small driver without coverage: takes the committed inputs as they are, then changes them. The same inputs, target
//! and number of cases give the same cases, everywhere.

use camino::{Utf8Path, Utf8PathBuf};

use super::Target;

/// Most bytes of a changed input.
const SIZE_LIMIT: usize = 64 * 1024;
/// Most changes of one input.
const CHANGES: u64 = 8;

/// Where the inputs of a target are, beside the sources.
pub fn corpus_folder(target: &Target) -> Utf8PathBuf {
    Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz").join(target.name)
}

/// The inputs of a target, by name.
///
/// # Errors
/// When the folder or a file of it cannot be read.
pub fn corpus(target: &Target) -> std::io::Result<Vec<(String, Vec<u8>)>> {
    let mut inputs = Vec::new();
    for entry in corpus_folder(target).read_dir_utf8()? {
        let entry = entry?;
        inputs.push((entry.file_name().to_owned(), std::fs::read(entry.path())?));
    }
    inputs.sort();
    Ok(inputs)
}

/// Changed inputs without end.
#[derive(Debug)]
pub struct Cases {
    inputs: Vec<Vec<u8>>,
    random: Random,
}

impl Cases {
    /// Cases made of `inputs`; `seed` chooses among all sequences of cases.
    pub fn new(inputs: Vec<Vec<u8>>, seed: u64) -> Cases {
        Cases { inputs, random: Random(seed) }
    }

    fn input(&mut self) -> &[u8] {
        let at = self.random.below(self.inputs.len());
        self.inputs.get(at).map_or(&[], Vec::as_slice)
    }
}

impl Iterator for Cases {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let mut case = self.input().to_vec();
        for _ in 0..=self.random.next() % CHANGES {
            self.change(&mut case);
            case.truncate(SIZE_LIMIT);
        }
        Some(case)
    }
}

/// Pieces on which readers are known to stumble: limits of numbers, ends of lines, characters that are none.
const PIECES: [&[u8]; 24] = [
    b"\n",
    b"\r\n",
    b"\r",
    b"\0",
    b"\x1b[31m",
    b"\xff",
    b"\xe2\x80\xae",
    b"\xf0\x9f\x92\xa9",
    b"-1",
    b"0",
    b"4294967295",
    b"4294967296",
    b"18446744073709551616",
    b"9223372036854775807",
    b"1e999",
    b"\\",
    b"\"",
    b"'",
    b"{",
    b"[",
    b" ",
    b"\t",
    b"#",
    b"../",
];

impl Cases {
    fn change(&mut self, case: &mut Vec<u8>) {
        let at = self.random.below(case.len() + 1);
        match self.random.next() % 9 {
            0 => case.truncate(at),
            1 => {
                if let Some(byte) = case.get_mut(at) {
                    *byte ^= 1 << (self.random.next() % 8);
                }
            }
            2 => {
                let piece = PIECES[self.random.below(PIECES.len())];
                case.splice(at..at, piece.iter().copied());
            }
            3 => {
                let end = (at + 1 + self.random.below(16)).min(case.len());
                case.drain(at.min(end)..end);
            }
            // Lines are what most formats are made of.
            4 => {
                let (start, end) = self.line(case, at);
                case.drain(start..end);
            }
            5 => {
                let (start, end) = self.line(case, at);
                let line = case[start..end].to_vec();
                let times = [1, 1, 2, 17][self.random.below(4)];
                case.splice(end..end, line.repeat(times));
            }
            6 => {
                let (start, end) = self.line(case, at);
                let line: Vec<u8> = case.drain(start..end).collect();
                let other = self.random.below(case.len() + 1);
                let (to, _) = self.line(case, other);
                case.splice(to..to, line);
            }
            7 => {
                let other = self.input().to_vec();
                let from = self.random.below(other.len() + 1);
                let (start, _) = self.line(&other, from);
                let length = self.random.below(other.len() - start + 1);
                case.splice(at..at, other[start..start + length].iter().copied());
            }
            _ => {
                let digit = case.iter().enumerate().skip(at).find(|(_, byte)| byte.is_ascii_digit());
                if let Some((at, _)) = digit {
                    let piece = PIECES[8 + self.random.below(7)];
                    case.splice(at..=at, piece.iter().copied());
                }
            }
        }
    }

    /// The line at a place, its end included.
    fn line(&self, case: &[u8], at: usize) -> (usize, usize) {
        let start = case[..at].iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
        let end = case[start..].iter().position(|byte| *byte == b'\n').map_or(case.len(), |length| start + length + 1);
        (start, end)
    }
}

/// SplitMix64: the same numbers everywhere.
#[derive(Debug)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`; 0 when that is 0.
    fn below(&mut self, limit: usize) -> usize {
        if limit == 0 { 0 } else { (self.next() % limit as u64) as usize }
    }
}
