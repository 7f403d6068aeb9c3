//! Frames on a console that the kernel writes on, too.
//!
//! A frame is cut into pieces, each a record of the kernel log: the kernel puts whole records on the console, so that
//! nothing gets between the letters of one. A piece is `@orchestrator-frame FRAME PART/PARTS CHECK TEXT`: the frame's number,
//! which part of how many, a CRC-32 of the rest in hex, and base64, because what records a console may change quotes
//! and blanks. The reader looks for pieces anywhere in a line and believes what its check says.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// First word of a piece.
pub const MARK: &str = "@orchestrator-frame ";

/// What [`crate::Plan::results`] says when frames go to the console.
pub const CONSOLE: &str = "console";

/// The agent's last words on the console, whatever happened before them.
pub const FINISHED: &str = "orchestrator: finished";

/// Bytes of a frame in one piece: the kernel takes 1024 bytes for a record.
const PIECE: usize = 540;

/// One part of a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Number of the frame.
    pub frame: u64,
    /// Which part, from 1.
    pub part: u32,
    /// Of how many.
    pub parts: u32,
    /// The part itself.
    pub bytes: Vec<u8>,
}

/// A line of a console that has, or had, a piece in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found<'a> {
    /// What stands before it.
    pub before: &'a str,
    /// The piece; `None` when it was damaged.
    pub piece: Option<Piece>,
    /// What stands after it.
    pub after: &'a str,
}

/// The pieces of a frame, one line each, without line ends.
pub fn pieces(frame: u64, bytes: &[u8]) -> Vec<String> {
    let parts = bytes.chunks(PIECE).count().max(1);
    let empty: [&[u8]; 1] = [&[]];
    let chunks: Box<dyn Iterator<Item = &[u8]>> =
        if bytes.is_empty() { Box::new(empty.into_iter()) } else { Box::new(bytes.chunks(PIECE)) };
    chunks
        .enumerate()
        .map(|(index, chunk)| {
            let (place, text) = (format!("{frame} {}/{parts}", index + 1), URL_SAFE_NO_PAD.encode(chunk));
            format!("{MARK}{place} {:08x} {text}", check(&place, &text))
        })
        .collect()
}

fn check(place: &str, text: &str) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(place.as_bytes());
    hasher.update(b" ");
    hasher.update(text.as_bytes());
    hasher.finalize()
}

/// The piece in a line; `None` when there is none.
pub fn find(line: &str) -> Option<Found<'_>> {
    let at = line.find(MARK)?;
    let (before, rest) = (&line[..at], &line[at + MARK.len()..]);
    match parse(rest) {
        Some((piece, after)) => Some(Found { before, piece: Some(piece), after }),
        None => Some(Found { before, piece: None, after: "" }),
    }
}

fn parse(rest: &str) -> Option<(Piece, &str)> {
    let mut words = rest.splitn(4, ' ');
    let (frame, place, sum, tail) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let letters = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let end = tail.find(|c: char| !letters(c)).unwrap_or(tail.len());
    let (text, after) = tail.split_at(end);
    if u32::from_str_radix(sum, 16).ok()? != check(&format!("{frame} {place}"), text) {
        return None;
    }
    let (part, parts) = place.split_once('/')?;
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    Some((Piece { frame: frame.parse().ok()?, part: part.parse().ok()?, parts: parts.parse().ok()?, bytes }, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_goes_through_and_fits_into_records_of_the_kernel() {
        for size in [0, 1, PIECE, PIECE + 1, 5000] {
            let frame: Vec<u8> = (0..size).map(|n| (n % 251) as u8).collect();
            let lines = pieces(7, &frame);
            assert!(lines.iter().all(|line| line.len() < 900 && line.is_ascii() && !line.contains('"')));
            let mut whole = Vec::new();
            for (index, line) in lines.iter().enumerate() {
                let line = format!("[   12.345678][   T71] {line}");
                let found = find(&line).unwrap();
                let piece = found.piece.unwrap();
                assert_eq!((piece.frame, piece.part as usize, piece.parts as usize), (7, index + 1, lines.len()));
                assert_eq!((found.before, found.after), ("[   12.345678][   T71] ", ""));
                whole.extend(piece.bytes);
            }
            assert_eq!(whole, frame);
        }
    }

    #[test]
    fn what_stands_around_a_piece_is_kept_and_damage_is_seen() {
        let line = pieces(3, b"{\"seq\":3}").remove(0);
        let noisy = format!("login: {line} [ 1.0] random: crng init done");
        let found = find(&noisy).unwrap();
        assert_eq!((found.before, found.after), ("login: ", " [ 1.0] random: crng init done"));
        assert_eq!(found.piece.unwrap().bytes, b"{\"seq\":3}");
        assert_eq!(find("[    1.0] Linux version 6.12"), None);
        // Each letter that is changed, lost or put in.
        for at in MARK.len()..line.len() {
            let mut changed = line.clone().into_bytes();
            changed[at] = if changed[at] == b'1' { b'2' } else { b'1' };
            let changed = String::from_utf8(changed).unwrap();
            let lost = format!("{}{}", &line[..at], &line[at + 1..]);
            for damaged in [changed, lost, line[..at].to_owned()] {
                assert_eq!(find(&damaged).unwrap().piece, None, "{damaged}");
            }
        }
    }
}
