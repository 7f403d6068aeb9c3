//! Readings that a benchmark printed among the lines of a test.

use serde::Deserialize;

use crate::words::{Accel, MetricSamples, Sample, TestRecord, Verdict};

/// What the line with the readings begins with.
const PREFIX: &str = "# samples ";

/// Most readings taken of one metric.
const READINGS: usize = 4096;

/// Clock ticks per instruction: with `-icount shift=1` an instruction takes 2 ns, and the guest's TSC ticks once a
/// nanosecond.
const TICKS_PER_INSTRUCTION: u64 = 2;

#[derive(Deserialize)]
struct Line {
    pages: u64,
    samples: Vec<Reading>,
}

#[derive(Deserialize)]
struct Reading {
    phase: u32,
    ticks: u64,
    ns: u64,
}

/// The readings of a test that passed; a test that did anything else has measured nothing that counts.
///
/// The line comes from a guest that may be hostile: what is not exactly as it should be is no reading.
pub(super) fn samples(record: &TestRecord, accel: Accel) -> Option<MetricSamples> {
    if record.verdict != Verdict::Pass {
        return None;
    }
    let mut lines = record.output.lines().filter_map(|line| line.strip_prefix(PREFIX));
    let line: Line = serde_json::from_str(lines.next()?).ok()?;
    if lines.next().is_some() || line.pages == 0 || line.samples.is_empty() || line.samples.len() > READINGS {
        return None;
    }
    let value = |reading: &Reading| match accel {
        Accel::Icount => reading.ticks / TICKS_PER_INSTRUCTION,
        Accel::Kvm | Accel::Tcg => reading.ns,
    };
    let samples =
        line.samples.iter().map(|reading| Sample { phase: reading.phase, value: value(reading), copy: None }).collect();
    Some(MetricSamples { metric: record.test.clone(), pages: line.pages, samples, functions: Vec::new() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(verdict: Verdict, output: &str) -> TestRecord {
        TestRecord { test: "hmm-bench.a.b.c".into(), verdict, output: output.into(), guest_ms: 1 }
    }

    const LINE: &str = "# samples {\"pages\":4,\"samples\":[{\"phase\":3,\"ticks\":20,\"ns\":21}]}\nok 1 a.b.c\n";

    #[test]
    fn the_clock_decides_what_is_read() {
        let value = |accel| samples(&record(Verdict::Pass, LINE), accel).unwrap().samples[0].value;
        assert_eq!(value(Accel::Icount), 10);
        assert_eq!((value(Accel::Kvm), value(Accel::Tcg)), (21, 21));
    }

    #[test]
    fn what_is_not_a_reading_is_none() {
        assert!(samples(&record(Verdict::Fail { reason: "pages".into() }, LINE), Accel::Icount).is_none());
        for output in [
            "ok 1 a",
            "# samples {}",
            "# samples {\"pages\":0,\"samples\":[{\"phase\":0,\"ticks\":1,\"ns\":1}]}",
            "# samples {\"pages\":1,\"samples\":[]}",
            "# samples {\"pages\":1,\"samples\":[{\"phase\":0,\"ticks\":-1,\"ns\":1}]}",
            &format!("{LINE}{LINE}"),
        ] {
            assert!(samples(&record(Verdict::Pass, output), Accel::Icount).is_none(), "{output}");
        }
    }
}
