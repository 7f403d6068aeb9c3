//! What a server of LAVA's answers, for fuzzing.

use orchestrator_protocol::console::pieces;

use super::client::{JobState, Trouble, judge, parse};
use super::ending::words;
use super::log::{Entry, entry};
use super::untangle::Untangle;
use crate::fuzz::assert_harmless;
use crate::lab::console::Console;

/// The log of a job: frames are whole lines and no longer than what came, what waits is bounded, what is no line of
/// LAVA's is said in short.
pub fn log(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (mut untangle, mut console) = (Untangle::default(), Console::default());
    let mut bytes = 0;
    for line in text.lines() {
        match entry(line) {
            Ok(Entry::Console(line)) => {
                let got = untangle.line(&line);
                assert!(got.frames.is_empty() || got.frames.ends_with(b"\n"));
                bytes += got.frames.len();
                if let Some(line) = got.console {
                    console.see(&line);
                }
            }
            Ok(Entry::Verdict { message, .. }) => {
                let message = words(&message);
                assert_harmless(&message);
                assert!(message.chars().count() <= 300);
            }
            Ok(Entry::Error(_) | Entry::Other) => {}
            Err(error) => {
                assert_harmless(&error);
                assert!(error.len() < 2048, "{error}");
            }
        }
    }
    assert!(bytes <= data.len(), "{bytes} bytes of frames came out of {}", data.len());
    assert!(untangle.waits() <= data.len(), "{} pieces wait", untangle.waits());
    untangle.gap().iter().for_each(|gap| assert_harmless(gap));
}

/// Bytes as frames: they come out as they went in, whatever the kernel prints between their pieces.
pub fn frames(data: &[u8]) {
    let frames: Vec<&[u8]> = data.split(|byte| *byte == b'\n').take(64).collect();
    let mut untangle = Untangle::default();
    let mut out = Vec::new();
    for (number, frame) in frames.iter().enumerate() {
        for piece in pieces(number as u64, frame) {
            assert_eq!(
                untangle.line("[    1.000000] hmm: a line").console.as_deref(),
                Some("[    1.000000] hmm: a line")
            );
            out.extend(untangle.line(&format!("[    1.000000][   T71] {piece}")).frames);
        }
    }
    let whole: Vec<u8> = frames.iter().flat_map(|frame| frame.iter().copied().chain([b'\n'])).collect();
    assert_eq!(out, whole);
    assert!(untangle.gap().is_none() && untangle.waits() == 0 && untangle.damaged == 0);
}

/// Any answer, with any status.
pub fn answer(data: &[u8]) {
    let text = String::from_utf8_lossy(data).into_owned();
    for code in [200, 204, 301, 401, 404, 429, 503] {
        let status = reqwest::StatusCode::from_u16(code).expect("constant");
        match judge(status, "https://lava.example.org", text.clone()) {
            Ok(_) => assert!(status.is_success()),
            Err(trouble) => said(&trouble),
        }
    }
    if let Err(trouble) = parse::<JobState>(&text) {
        said(&trouble);
    }
}

fn said(trouble: &Trouble) {
    let why = trouble.to_string();
    assert_harmless(&why);
    assert!(why.chars().count() < 800, "{why}");
}
