//! Readings that a benchmark printed among the lines of a test.

use serde::Deserialize;

use super::thp_table;
use crate::words::{Accel, MetricSamples, Sample, TestRecord, Verdict};

/// What the line with the readings begins with.
const PREFIX: &str = "# samples ";

/// Most readings taken of one metric.
pub(super) const READINGS: usize = 4096;

/// Clock ticks per instruction: with `-icount shift=1` an instruction takes 2 ns, and the guest's TSC ticks once a
/// nanosecond.
pub(super) const TICKS_PER_INSTRUCTION: u64 = 2;

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
/// The lines come from a guest that may be hostile: what is not exactly as it should be is no reading.
pub(super) fn samples(record: &TestRecord, accel: Accel) -> Vec<MetricSamples> {
    if record.verdict != Verdict::Pass {
        return Vec::new();
    }
    let value = |ticks: u64, ns: u64| match accel {
        Accel::Icount => ticks / TICKS_PER_INSTRUCTION,
        Accel::Kvm | Accel::Tcg | Accel::Native => ns,
    };
    let mut lines = record.output.lines().filter_map(|line| line.strip_prefix(PREFIX));
    if let (Some(line), None) = (lines.next(), lines.next()) {
        return own(line)
            .map(|line| MetricSamples {
                metric: record.test.clone(),
                pages: line.pages,
                samples: line
                    .samples
                    .iter()
                    .map(|reading| Sample { phase: reading.phase, value: value(reading.ticks, reading.ns), copy: None })
                    .collect(),
                functions: Vec::new(),
            })
            .into_iter()
            .collect();
    }
    let table = thp_table::times(&record.output).into_iter().take(READINGS);
    table
        .map(|time| MetricSamples {
            metric: format!("{}.{}", record.test, time.name),
            pages: time.pages,
            // The guest's own clock ticks once a nanosecond, too.
            samples: vec![Sample { phase: 0, value: value(time.ns, time.ns), copy: None }],
            functions: Vec::new(),
        })
        .collect()
}

/// The readings of a boot, one entry for each metric: a test that ran several times gave some each time. Readings that
/// say the same phase as an earlier one get the next that is free, so that those of each run are compared with those of
/// the same run on the other side.
pub(super) fn together(all: impl Iterator<Item = MetricSamples>) -> Vec<MetricSamples> {
    let mut metrics: Vec<MetricSamples> = Vec::new();
    for more in all {
        let Some(known) = metrics.iter_mut().find(|known| known.metric == more.metric) else {
            metrics.push(more);
            continue;
        };
        // A metric is what one page costs: a run that moved other pages is another metric's.
        if known.pages != more.pages {
            continue;
        }
        for sample in more.samples {
            let taken = known.samples.iter().any(|other| other.phase == sample.phase);
            let free = known.samples.iter().map(|other| other.phase + 1).max().unwrap_or(0);
            known.samples.push(Sample { phase: if taken { free } else { sample.phase }, ..sample });
        }
    }
    metrics
}

/// The line of our own benchmark.
fn own(line: &str) -> Option<Line> {
    let line: Line = serde_json::from_str(line).ok()?;
    (line.pages > 0 && (1..=READINGS).contains(&line.samples.len())).then_some(line)
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
        let value = |accel| samples(&record(Verdict::Pass, LINE), accel)[0].samples[0].value;
        assert_eq!(value(Accel::Icount), 10);
        assert_eq!((value(Accel::Kvm), value(Accel::Tcg)), (21, 21));
    }

    #[test]
    fn the_selftests_own_benchmark_is_read_too() {
        let table = "=== A (2.0 MB) ===\nSys->Dev Migration   | 4.000 ms | 8.0 ms | 50%\n";
        let read = samples(&record(Verdict::Pass, table), Accel::Icount);
        let told: Vec<_> = read.iter().map(|metric| (&*metric.metric, metric.samples[0].value)).collect();
        assert_eq!(
            told,
            [("hmm-bench.a.b.c.to-device.thp-2M", 2_000_000), ("hmm-bench.a.b.c.to-device.present-2M", 4_000_000)]
        );
    }

    #[test]
    fn runs_of_one_test_are_readings_of_one_metric() {
        let table = |ms: u32| format!("=== A (2.0 MB) ===\nSys->Dev Migration   | {ms}.000 ms | inf ms | 50%\n");
        let runs: Vec<TestRecord> = [4, 5, 6]
            .into_iter()
            .map(|ms| record(Verdict::Pass, &table(ms)))
            .chain([record(Verdict::Pass, LINE)])
            .collect();
        let metrics = together(runs.iter().flat_map(|run| samples(run, Accel::Tcg)));
        let told: Vec<_> = metrics
            .iter()
            .map(|metric| {
                let samples = metric.samples.iter().map(|sample| (sample.phase, sample.value)).collect::<Vec<_>>();
                (&*metric.metric, samples)
            })
            .collect();
        let expected = [
            ("hmm-bench.a.b.c.to-device.thp-2M", vec![(0, 4_000_000), (1, 5_000_000), (2, 6_000_000)]),
            ("hmm-bench.a.b.c", vec![(3, 21)]),
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn what_is_not_a_reading_is_none() {
        assert!(samples(&record(Verdict::Fail { reason: "pages".into() }, LINE), Accel::Icount).is_empty());
        for output in [
            "ok 1 a",
            "# samples {}",
            "# samples {\"pages\":0,\"samples\":[{\"phase\":0,\"ticks\":1,\"ns\":1}]}",
            "# samples {\"pages\":1,\"samples\":[]}",
            "# samples {\"pages\":1,\"samples\":[{\"phase\":0,\"ticks\":-1,\"ns\":1}]}",
            &format!("{LINE}{LINE}"),
        ] {
            assert!(samples(&record(Verdict::Pass, output), Accel::Icount).is_empty(), "{output}");
        }
    }
}
