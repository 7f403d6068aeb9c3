//! Fuzz targets of this room.

use super::Counts;
use super::results::Receiver;
use crate::fuzz::assert_harmless;
use crate::words::{MetricSamples, Sample};

/// The frames of a results channel and what is wrong with it.
pub fn frames(data: &[u8]) -> (Vec<orchestrator_protocol::Frame>, Vec<String>) {
    let mut receiver = Receiver::default();
    let frames = receiver.push(data);
    receiver.finish();
    (frames, receiver.problem.into_iter().collect())
}

/// The results channel. Frames come in order and without a gap, whichever way the bytes are cut; after a problem none
/// comes; a frame reads back as itself.
pub fn agent(data: &[u8]) {
    let mut whole = Receiver::default();
    let frames = whole.push(data);
    whole.finish();
    let mut pieces = Receiver::default();
    let size = 1 + data.len() % 13;
    let cut: Vec<_> = data.chunks(size).flat_map(|chunk| pieces.push(chunk)).collect();
    pieces.finish();
    assert_eq!((&frames, &whole.problem), (&cut, &pieces.problem), "frames depend on how the bytes come");
    for (number, frame) in frames.iter().enumerate() {
        assert_eq!(frame.seq, number as u64);
        let line = serde_json::to_vec(frame).expect("a frame is plain data");
        assert_eq!(&serde_json::from_slice::<orchestrator_protocol::Frame>(&line).expect("its own line"), frame);
    }
    if let Some(problem) = &whole.problem {
        assert_harmless(problem);
        assert!(problem.len() < 2048, "{problem}");
        assert!(whole.push(b"{}\n").is_empty(), "a frame is taken after a problem");
    }
}

/// The plugin's file. Windows add up, names are plain, reasons are few and fit to be shown, and no reading gets more
/// copying than it has instructions.
pub fn counts(data: &[u8]) {
    let counts = match Counts::read(data) {
        Ok(counts) => counts,
        Err(error) => return assert_harmless(&error),
    };
    assert!(counts.rejected.len() <= 20);
    counts.rejected.iter().for_each(|reason| assert_harmless(reason));
    for window in counts.windows.values() {
        assert_eq!(window.functions.values().sum::<u64>(), window.total);
        assert!(window.copy() <= window.total);
        assert!(window.functions.keys().all(|name| name.bytes().all(|byte| byte.is_ascii_graphic())));
    }
    let sample = |phase| Sample { phase, value: 1000, copy: None };
    let mut metrics = [MetricSamples {
        metric: "hmm-bench.private.to-device.present-2M".into(),
        pages: 1,
        samples: (0..4).map(sample).collect(),
        functions: Vec::new(),
    }];
    counts.attach(&mut metrics).iter().for_each(|problem| assert_harmless(problem));
    assert!(metrics[0].samples.iter().all(|sample| sample.copy.unwrap_or(0) <= sample.value));
    assert!(metrics[0].functions.iter().all(|f| f.least <= f.most && f.most <= f.instructions));
}

/// What other engines of a lab and its boxes say.
pub fn labs(data: &[u8]) {
    super::lava::fuzz::log(data);
    super::lava::fuzz::frames(data);
    super::lava::fuzz::answer(data);
    super::reserve::fuzz::coordinator(data);
    super::dut::fuzz::said(data);
}
