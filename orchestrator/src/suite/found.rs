//! Readings that a suite file finds in the output of its tests by regular expressions.

use regex::Regex;

use super::samples::{READINGS, TICKS_PER_INSTRUCTION};
use crate::words::{Accel, MetricSamples, MetricUnit, Sample, SuiteMetric, TestRecord, Verdict};

/// Largest time of one reading in nanoseconds: a day.
const LONGEST: f64 = 86_400.0 * 1e9;

/// What to look for in the output of which tests.
pub(super) struct Found<'a> {
    /// Beginning of a test's name, what is looked for, and how.
    wanted: Vec<(String, &'a SuiteMetric, Regex)>,
}

impl<'a> Found<'a> {
    /// What suites look for, by their names. An expression that is none was refused when its file was read.
    pub(super) fn new(readings: &'a [(String, Vec<SuiteMetric>)]) -> Self {
        let each = readings.iter().flat_map(|(suite, metrics)| metrics.iter().map(move |metric| (suite, metric)));
        let wanted = each.filter_map(|(suite, metric)| Some((suite.clone(), metric, Regex::new(&metric.regex).ok()?)));
        Found { wanted: wanted.collect() }
    }

    /// The readings of a test that passed, one entry for each metric; a line that says no possible time is no reading.
    pub(super) fn samples(&self, record: &TestRecord, accel: Accel) -> Vec<MetricSamples> {
        if record.verdict != Verdict::Pass {
            return Vec::new();
        }
        let of =
            |suite: &str| record.test.strip_prefix(suite).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        let wanted = self.wanted.iter().filter(|(suite, _, _)| of(suite));
        let metrics = wanted.map(|(_, metric, regex)| {
            let numbers = record.output.lines().filter_map(|line| regex.captures(line)?.get(1)?.as_str().parse().ok());
            let values = numbers.filter_map(|number| nanoseconds(number, metric.unit)).take(READINGS);
            let samples = values.zip(0..).map(|(ns, phase)| Sample { phase, value: ticks(ns, accel), copy: None });
            MetricSamples {
                metric: format!("{}.{}", record.test, metric.name),
                pages: metric.pages.unwrap_or(0),
                samples: samples.collect(),
                functions: Vec::new(),
            }
        });
        metrics.filter(|metric| !metric.samples.is_empty()).collect()
    }
}

/// A time that the machine's own clock measured, in what the clock of the run counts.
fn ticks(ns: u64, accel: Accel) -> u64 {
    match accel {
        Accel::Icount => ns / TICKS_PER_INSTRUCTION,
        Accel::Kvm | Accel::Tcg | Accel::Native => ns,
    }
}

/// A number as a time; `None` for what no clock can say.
fn nanoseconds(number: f64, unit: MetricUnit) -> Option<u64> {
    let ns = match unit {
        MetricUnit::Ns => number,
        MetricUnit::Us => number * 1e3,
        MetricUnit::Ms => number * 1e6,
        MetricUnit::S => number * 1e9,
        MetricUnit::PerSecond => 1e9 / number,
    };
    (ns.is_finite() && (1.0..=LONGEST).contains(&ns)).then_some(ns.round() as u64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn metric(name: &str, regex: &str, unit: MetricUnit) -> SuiteMetric {
        SuiteMetric { name: name.into(), regex: regex.into(), unit, pages: None }
    }

    fn record(test: &str, output: &str) -> TestRecord {
        TestRecord { test: test.into(), verdict: Verdict::Pass, output: output.into(), guest_ms: 1 }
    }

    fn readings() -> Vec<(String, Vec<SuiteMetric>)> {
        let metrics = vec![
            metric("latency", r"latency: ([0-9.]+) us", MetricUnit::Us),
            metric("rate", r"^([0-9.e+]+) moves/s$", MetricUnit::PerSecond),
        ];
        vec![("mine".into(), metrics)]
    }

    #[test]
    fn each_line_that_matches_is_a_reading() {
        let readings = readings();
        let output = "latency: 1.5 us\n2000000 moves/s\nlatency: 2 us and more\nlatency: x us\n";
        let found = Found::new(&readings).samples(&record("mine", output), Accel::Native);
        let names: Vec<&str> = found.iter().map(|metric| metric.metric.as_str()).collect();
        assert_eq!(names, ["mine.latency", "mine.rate"]);
        let samples = |at: usize| found[at].samples.iter().map(|sample| (sample.phase, sample.value));
        assert!(samples(0).eq([(0, 1500), (1, 2000)]) && samples(1).eq([(0, 500)]), "{found:?}");
        assert!(found.iter().all(|metric| metric.pages == 0));
    }

    #[test]
    fn other_suites_and_tests_that_did_not_pass_measure_nothing() {
        let readings = readings();
        let found = Found::new(&readings);
        let output = "latency: 1.5 us\n";
        assert!(found.samples(&record("mine2.a", output), Accel::Native).is_empty());
        let failed = TestRecord { verdict: Verdict::Fail { reason: "x".into() }, ..record("mine.a", output) };
        assert!(found.samples(&failed, Accel::Native).is_empty());
        assert_eq!(found.samples(&record("mine.a", output), Accel::Native)[0].metric, "mine.a.latency");
    }

    #[test]
    fn what_no_clock_can_say_is_no_reading() {
        for number in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e300] {
            for unit in [MetricUnit::Ns, MetricUnit::S, MetricUnit::PerSecond] {
                let unlikely = nanoseconds(number, unit);
                assert!(unlikely.is_none(), "{number} {unit:?}: {unlikely:?}");
            }
        }
        assert_eq!(nanoseconds(LONGEST, MetricUnit::Ns), Some(86_400_000_000_000));
        assert_eq!(nanoseconds(86_401.0, MetricUnit::S), None);
    }

    #[test]
    fn every_unit_is_read_as_what_it_is() {
        let table = [
            (7.0, MetricUnit::Ns, 7),
            (1.5, MetricUnit::Us, 1500),
            (0.25, MetricUnit::Ms, 250_000),
            (2.5, MetricUnit::S, 2_500_000_000),
            (4000.0, MetricUnit::PerSecond, 250_000),
        ];
        for (number, unit, ns) in table {
            assert_eq!(nanoseconds(number, unit), Some(ns), "{number} {unit:?}");
        }
    }

    #[test]
    fn on_the_instruction_clock_a_time_is_a_number_of_instructions() {
        let readings = readings();
        let value = |accel| {
            let found = Found::new(&readings).samples(&record("mine", "latency: 4000 us\n"), accel);
            found[0].samples[0].value
        };
        assert_eq!(value(Accel::Native), 4_000_000);
        assert_eq!(value(Accel::Icount), 4_000_000 / TICKS_PER_INSTRUCTION);
    }

    proptest! {
        #[test]
        fn readings_are_bounded_whatever_is_printed(output in "(latency: [0-9.]{0,400} us\n|.{0,40}\n){0,40}") {
            let readings = readings();
            for found in Found::new(&readings).samples(&record("mine", &output), Accel::Icount) {
                prop_assert!(found.samples.len() <= READINGS);
                prop_assert!(found.samples.iter().all(|sample| sample.value as f64 <= LONGEST));
            }
        }
    }
}
