//! Taking the agent's frames out of a console that the kernel and others write on, too.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use orchestrator_protocol::console::{Piece, find};

/// Most bytes of frames that wait for a part of an earlier one.
const WAITING_LIMIT: usize = 8 * 1024 * 1024;

/// What a piece takes beside its bytes, so that empty ones are bounded, too.
const PIECE_COST: usize = 128;

/// Most parts of one frame; the longest frame has 4000.
const PARTS_LIMIT: u32 = 8192;

/// What the kernel prints first.
const FIRST: &str = "Linux version ";

/// What a line gave.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Lines {
    /// Whole frames, in order, each with its line end.
    pub frames: Vec<u8>,
    /// What the line says beside them.
    pub console: Option<String>,
}

/// Puts frames together.
#[derive(Debug, Default)]
pub(super) struct Untangle {
    next: u64,
    /// How many parts of the next frame are there without a gap: none is looked at twice.
    ready: u32,
    parts: BTreeMap<(u64, u32), Piece>,
    waiting: usize,
    kernels: u32,
    /// Pieces whose check failed.
    pub damaged: u32,
    /// More waits than can be kept.
    pub flooded: bool,
}

impl Untangle {
    /// Takes a line of the console.
    pub(super) fn line(&mut self, line: &str) -> Lines {
        let Some(found) = find(line) else {
            self.kernels += u32::from(line.contains(FIRST) && is_first(line));
            return Lines { frames: Vec::new(), console: Some(line.to_owned()) };
        };
        let around = format!("{}{}", without_time(found.before), found.after.trim_start());
        let console = (!around.trim().is_empty()).then_some(around);
        let frames = match found.piece {
            Some(piece) => self.piece(piece),
            None => {
                self.damaged += 1;
                return Lines { frames: Vec::new(), console: Some(line.to_owned()) };
            }
        };
        Lines { frames, console }
    }

    /// Whether a kernel started.
    pub(super) fn started(&self) -> bool {
        self.kernels > 0
    }

    /// Whether a second kernel started: the device began anew, and nothing after that belongs to this boot.
    pub(super) fn restarted(&self) -> bool {
        self.kernels > 1
    }

    /// What is wrong at the end: frames that miss a part.
    pub(super) fn gap(&self) -> Option<String> {
        let (first, _) = *self.parts.first_key_value()?.0;
        Some(match self.damaged {
            0 => format!("frame {} is missing, but parts of frame {first} came", self.next),
            damaged => format!("frame {} is missing, and {damaged} pieces of frames came damaged", self.next),
        })
    }

    /// How many pieces wait for others.
    #[cfg(any(test, feature = "fuzz"))]
    pub(super) fn waits(&self) -> usize {
        self.parts.len()
    }

    fn piece(&mut self, piece: Piece) -> Vec<u8> {
        // Consoles are repeated now and then (a reconnection); a frame that was taken is not taken again.
        let strange = piece.part == 0 || piece.part > piece.parts || piece.parts > PARTS_LIMIT;
        if self.restarted() || piece.frame < self.next || strange {
            return Vec::new();
        }
        if self.waiting + cost(&piece) > WAITING_LIMIT {
            self.flooded = true;
            return Vec::new();
        }
        // A piece that comes again changes nothing.
        if let Entry::Vacant(place) = self.parts.entry((piece.frame, piece.part)) {
            self.waiting += cost(&piece);
            place.insert(piece);
        }
        let mut out = Vec::new();
        while let Some(frame) = self.whole() {
            out.extend(frame);
            out.push(b'\n');
        }
        out
    }

    /// The next frame, when all of its parts are there.
    fn whole(&mut self) -> Option<Vec<u8>> {
        let parts = self.parts.get(&(self.next, 1))?.parts;
        while self.parts.get(&(self.next, self.ready + 1)).is_some_and(|piece| piece.parts == parts) {
            self.ready += 1;
        }
        if self.ready < parts {
            return None;
        }
        self.ready = 0;
        let mut frame = Vec::new();
        for part in 1..=parts {
            let piece = self.parts.remove(&(self.next, part))?;
            self.waiting -= cost(&piece);
            frame.extend(piece.bytes);
        }
        self.next += 1;
        Some(frame)
    }
}

fn cost(piece: &Piece) -> usize {
    piece.bytes.len() + PIECE_COST
}

/// Whether a line is the kernel's first, not one that quotes it. What a firmware printed may stand before its time.
fn is_first(line: &str) -> bool {
    let Some((before, _)) = line.split_once(FIRST) else { return false };
    before.trim().is_empty() || before.contains("[    0.0")
}

/// A line without the kernel's time stamps.
fn without_time(line: &str) -> &str {
    let mut rest = line.trim_start();
    while let Some((stamp, after)) = rest.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
        if stamp.is_empty() || !stamp.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | ' ' | 'T' | 'C')) {
            break;
        }
        rest = after.trim_start();
    }
    rest
}

#[cfg(test)]
mod tests {
    use orchestrator_protocol::console::pieces;

    use super::*;

    fn lines(frames: &[&str]) -> Vec<String> {
        let frames = frames.iter().enumerate();
        frames.flat_map(|(number, frame)| pieces(number as u64, frame.as_bytes())).collect()
    }

    fn untangle(lines: &[String]) -> (String, Vec<String>, Untangle) {
        let (mut untangle, mut frames, mut console) = (Untangle::default(), Vec::new(), Vec::new());
        for line in lines {
            let got = untangle.line(line);
            frames.extend(got.frames);
            console.extend(got.console);
        }
        (String::from_utf8(frames).unwrap(), console, untangle)
    }

    #[test]
    fn frames_and_the_kernels_lines_go_apart() {
        let long = "x".repeat(2000);
        let mut all = vec!["[    0.000000] Linux version 6.12".to_owned()];
        for line in lines(&["one", &long, "three"]) {
            all.push(format!("[    1.500000][   T71] {line}"));
            all.push("[    1.6] hmm: a line".to_owned());
        }
        let (frames, console, untangle) = untangle(&all);
        assert_eq!(frames, format!("one\n{long}\nthree\n"));
        assert_eq!(console.len(), 1 + 6, "{console:?}");
        assert!(untangle.started() && !untangle.restarted() && untangle.gap().is_none());
    }

    #[test]
    fn what_else_stands_in_a_line_is_kept() {
        let line = format!("[ 1.0] noise {} [ 2.0] crng init done", lines(&["one"])[0]);
        let (frames, console, _) = untangle(&[line]);
        assert_eq!((frames.as_str(), console), ("one\n", vec!["noise [ 2.0] crng init done".to_owned()]));
    }

    #[test]
    fn repeated_and_crossed_pieces_do_no_harm_and_a_lost_one_is_told() {
        let all = lines(&["one", "two", "three"]);
        let (frames, ..) = untangle(&[&all[0], &all[0], &all[2], &all[1], &all[1]].map(Clone::clone));
        assert_eq!(frames, "one\ntwo\nthree\n");
        let (frames, _, untangle) = untangle(&[all[0].clone(), all[1].replace("1/1", "1/l"), all[2].clone()]);
        assert_eq!((frames.as_str(), untangle.damaged), ("one\n", 1));
        assert!(untangle.gap().unwrap().contains("frame 1 is missing, and 1 pieces"));
    }

    #[test]
    fn after_a_new_start_nothing_is_taken() {
        let mut all = vec!["[    0.000000] Linux version 6.12".to_owned()];
        all.extend(lines(&["one"]));
        all.push("[    0.000000] Linux version 6.12".to_owned());
        all.extend(lines(&["one", "two"]));
        let (frames, _, untangle) = untangle(&all);
        assert!(untangle.restarted());
        assert_eq!(frames, "one\n");
    }

    #[test]
    fn the_first_line_of_a_kernel_is_known_behind_the_words_of_a_firmware() {
        for line in [
            "[    0.000000] Linux version 6.12",
            "Linux version 6.12",
            "Booting from ROM..\u{1b}c[    0.000000] Linux version 6.12",
            "[    0.000000][    T0] Linux version 6.12",
        ] {
            assert!(is_first(line), "{line}");
        }
        assert!(!is_first("[   12.500000] hmm: Linux version 6.12") && !is_first("[    0.000000] Command line: x"));
    }

    #[test]
    fn a_flood_of_frames_that_cannot_be_used_is_bounded() {
        let mut untangle = Untangle::default();
        let big = "x".repeat(500);
        for number in 1..40_000_u64 {
            untangle.line(&pieces(number, big.as_bytes())[0]);
        }
        assert!(untangle.flooded && untangle.waiting <= WAITING_LIMIT);
    }
}
