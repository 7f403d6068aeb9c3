//! Fuzz target of this room.

use super::{Answer, Submitted, squeue_rows, submitted};

/// What Slurm's programs say: output, `\n%%\n`, errors. A number is digits, a queue is read whole or not at all, and without
/// an exit code of 0 there is neither.
pub fn slurm(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (out, err) = text.split_once("\n%%\n").unwrap_or((&text, ""));
    for code in [Some(0), Some(1), None] {
        let answer = Answer { code, out: out.to_owned(), err: err.to_owned() };
        match submitted(&answer) {
            Submitted::Job(id) => assert!(code == Some(0) && !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit())),
            Submitted::Refused(why) => assert!(code == Some(1) && !why.contains('\n')),
            Submitted::Unclear(why) => assert!(!why.contains('\n'), "{why}"),
        }
        match squeue_rows(&answer) {
            Ok(rows) => {
                assert_eq!(code, Some(0));
                assert_eq!(rows.len(), out.lines().filter(|line| !line.trim().is_empty()).count());
                assert!(rows.iter().all(|row| !row.state.is_empty()));
            }
            Err(why) => assert!(!why.contains('\n'), "{why}"),
        }
    }
}
