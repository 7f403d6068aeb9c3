//! Reading the results channel. The guest is hostile: everything is bounded and nothing is believed unseen.

use orchestrator_protocol::{Frame, Message, VERSION};

use crate::term::text::{truncate, visible};

/// Longest line of the agent: its longest line of output, escaped, with room to spare.
const LINE_LIMIT: usize = 64 * 1024;

/// Longest list of tests accepted in one frame is bounded by this line length.
const LIST_LIMIT: usize = 2 * 1024 * 1024;

/// Most frames of one boot. All are kept until they are judged, and small ones take many times their bytes.
const FRAME_LIMIT: u64 = 2_000_000;

/// Columns of an error that are shown.
const ERROR_COLUMNS: usize = 200;

/// Puts frames together from bytes and checks their order.
#[derive(Debug, Default)]
pub(super) struct Receiver {
    pending: Vec<u8>,
    expected: u64,
    done: bool,
    /// What broke the protocol. After it nothing more is taken.
    pub problem: Option<String>,
}

impl Receiver {
    /// The frames that `bytes` complete.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Vec<Frame> {
        let mut frames = Vec::new();
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            if self.problem.is_some() {
                break;
            }
            self.pending.extend(part);
            if self.pending.len() > LIST_LIMIT {
                self.problem = Some(format!("frame {} is longer than {LIST_LIMIT} bytes", self.expected));
            } else if part.ends_with(b"\n") {
                let line = std::mem::take(&mut self.pending);
                match self.accept(&line[..line.len() - 1]) {
                    Ok(frame) => frames.push(frame),
                    Err(problem) => self.problem = Some(problem),
                }
            }
        }
        frames
    }

    /// The guest is gone. After `Done` nothing may be left over; before it, a guest may die in mid-line.
    pub(super) fn finish(&mut self) {
        if self.done && !self.pending.is_empty() && self.problem.is_none() {
            self.problem = Some(format!("{} bytes after the last frame", self.pending.len()));
        }
    }

    fn accept(&mut self, line: &[u8]) -> Result<Frame, String> {
        let number = self.expected;
        let frame: Frame = serde_json::from_slice(line)
            // The error may repeat a word of the guest's, of any length.
            .map_err(|error| truncate(&visible(&error.to_string()), ERROR_COLUMNS))
            .map_err(|error| format!("frame {number} is garbage ({error}): {}", excerpt(line)))?;
        if frame.seq != number {
            return Err(format!("frame {number} was expected, but {} came: frames were lost or forged", frame.seq));
        }
        if self.done {
            return Err(format!("frame {number} came after the last one"));
        }
        if number >= FRAME_LIMIT {
            return Err(format!("more than {FRAME_LIMIT} frames came: the guest floods its channel"));
        }
        let listing = matches!(frame.message, Message::Listed { .. });
        if line.len() > LINE_LIMIT && !listing {
            return Err(format!("frame {number} has {} bytes; {LINE_LIMIT} are allowed", line.len()));
        }
        match (&frame.message, number) {
            (Message::Hello { version, .. }, 0) if *version == VERSION => {}
            (Message::Hello { version, .. }, 0) => {
                return Err(format!("the agent speaks version {version}, this program {VERSION}"));
            }
            (Message::Hello { .. }, _) => return Err(format!("frame {number} is a second greeting")),
            (_, 0) => return Err(format!("the first frame is no greeting: {}", excerpt(line))),
            (Message::Done, _) => self.done = true,
            (_, _) => {}
        }
        self.expected += 1;
        Ok(frame)
    }
}

/// The beginning of a line, printable.
fn excerpt(line: &[u8]) -> String {
    let text: String = String::from_utf8_lossy(line).chars().take(80).collect();
    format!("{text:?}")
}

#[cfg(test)]
mod tests {
    use orchestrator_protocol::Status;
    use proptest::prelude::*;

    use super::super::testing::{frames, hello};
    use super::*;

    /// Number of frames taken and the problem.
    fn receive(bytes: &[u8]) -> (usize, String) {
        let mut receiver = Receiver::default();
        // In pieces of seven bytes, because a serial line has no frames of its own.
        let count = bytes.chunks(7).map(|chunk| receiver.push(chunk).len()).sum();
        receiver.finish();
        (count, receiver.problem.unwrap_or_default())
    }

    #[test]
    fn a_whole_conversation_is_taken() {
        assert_eq!(receive(frames(&[hello(), Message::Beat, Message::Done]).as_bytes()), (3, String::new()));
    }

    #[test]
    fn a_guest_may_die_in_mid_line() {
        let text = frames(&[hello(), Message::Beat]);
        assert_eq!(receive(&text.as_bytes()[..text.len() - 3]), (1, String::new()));
        assert_eq!(receive(b""), (0, String::new()));
    }

    #[test]
    fn what_breaks_the_protocol_is_named() {
        let good = frames(&[hello(), Message::Beat, Message::Done]);
        let lines: Vec<&str> = good.lines().collect();
        let old = good.replace(&format!("\"version\":{VERSION}"), "\"version\":77");
        let cases: [(String, usize, &str); 8] = [
            (format!("{}\n{}\n", lines[0], lines[2]), 1, "frame 1 was expected, but 2 came"),
            (format!("{}\nnonsense\n", lines[0]), 1, "frame 1 is garbage"),
            (old, 0, "version 77"),
            (frames(&[Message::Beat]), 0, "no greeting"),
            (frames(&[hello(), hello()]), 1, "second greeting"),
            (frames(&[hello(), Message::Done, Message::Beat]), 2, "after the last one"),
            (format!("{good}x"), 3, "1 bytes after the last frame"),
            (format!("{}\n\u{0}\n", lines[0]), 1, "\\0"),
        ];
        for (text, count, word) in cases {
            let (got, problem) = receive(text.as_bytes());
            assert!(got == count && problem.contains(word), "{got} {problem} for {word}");
        }
    }

    #[test]
    fn an_endless_line_is_refused_before_it_fills_the_memory() {
        let mut receiver = Receiver::default();
        receiver.push(frames(&[hello()]).as_bytes());
        for _ in 0..64 {
            receiver.push(&[b'x'; 65536]);
        }
        assert!(receiver.problem.as_deref().is_some_and(|problem| problem.contains("longer than")));
        assert!(receiver.pending.len() <= LIST_LIMIT + 65536);
    }

    #[test]
    fn a_flood_of_small_frames_is_refused() {
        let mut receiver = Receiver { expected: FRAME_LIMIT, ..Receiver::default() };
        let line = frames(&[Message::Beat]).replace("\"seq\":0", &format!("\"seq\":{FRAME_LIMIT}"));
        assert!(receiver.push(line.as_bytes()).is_empty());
        assert!(
            receiver.problem.as_deref().is_some_and(|problem| problem.contains("floods")),
            "{:?}",
            receiver.problem
        );
    }

    #[test]
    fn a_long_output_line_is_refused_but_a_long_list_is_not() {
        let listed = Message::Listed { suite: "s".into(), tests: vec!["t".repeat(100); 1000] };
        assert_eq!(receive(frames(&[hello(), listed]).as_bytes()), (2, String::new()));
        let output = Message::Output { err: false, text: "x".repeat(LINE_LIMIT) };
        assert!(receive(frames(&[hello(), output]).as_bytes()).1.contains("allowed"));
    }

    fn status() -> impl Strategy<Value = Status> {
        prop_oneof![
            any::<i32>().prop_map(Status::Code),
            any::<i32>().prop_map(Status::Signal),
            Just(Status::Deadline),
            Just(Status::Missing),
        ]
    }

    /// Anything that an agent says between its greeting and its last word.
    fn message() -> impl Strategy<Value = Message> {
        let text = any::<String>;
        let maybe = || prop::option::of(any::<String>());
        prop_oneof![
            (text(), maybe(), any::<bool>()).prop_map(|(what, error, fatal)| Message::Setup { what, error, fatal }),
            (text(), prop::collection::vec(text(), 0..4)).prop_map(|(suite, tests)| Message::Listed { suite, tests }),
            (text(), text(), any::<u32>()).prop_map(|(suite, test, round)| Message::Begin { suite, test, round }),
            (any::<bool>(), text()).prop_map(|(err, text)| Message::Output { err, text }),
            (text(), any::<u64>()).prop_map(|(text, dropped)| Message::Result { text, dropped }),
            (text(), text(), any::<u32>(), status(), any::<u64>(), any::<u64>()).prop_map(
                |(suite, test, round, status, dropped, tainted)| Message::End {
                    suite,
                    test,
                    round,
                    status,
                    dropped,
                    tainted
                }
            ),
            Just(Message::Beat),
            (text(), maybe()).prop_map(|(module, error)| Message::Unloaded { module, error }),
        ]
    }

    proptest! {
        #[test]
        fn frames_read_back_as_themselves_however_the_bytes_come(
            said in prop::collection::vec(message(), 0..8),
            done in any::<bool>(),
            sizes in prop::collection::vec(1_usize..200, 1..20),
            cut in any::<prop::sample::Index>(),
        ) {
            let all: Vec<Message> =
                std::iter::once(hello()).chain(said).chain(done.then_some(Message::Done)).collect();
            let text = frames(&all);
            // Whole, and from a guest that died anywhere.
            for bytes in [text.as_bytes(), &text.as_bytes()[..cut.index(text.len() + 1)]] {
                let mut receiver = Receiver::default();
                let mut got = Vec::new();
                let mut rest = bytes;
                for size in sizes.iter().cycle() {
                    if rest.is_empty() {
                        break;
                    }
                    let (piece, later) = rest.split_at(rest.len().min(*size));
                    got.extend(receiver.push(piece));
                    rest = later;
                }
                receiver.finish();
                let whole = bytes.iter().filter(|byte| **byte == b'\n').count();
                prop_assert_eq!(&receiver.problem, &None);
                prop_assert!(got.iter().enumerate().all(|(number, frame)| frame.seq == number as u64));
                let got: Vec<Message> = got.into_iter().map(|frame| frame.message).collect();
                prop_assert_eq!(&got, &all[..whole]);
            }
        }
    }
}
