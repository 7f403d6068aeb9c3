//! What a run prints.

use std::fmt::Write;

use crate::measure::{Reading, Stop};
use crate::metric::Metric;

/// KTAP of one metric with its readings.
pub fn ktap(metric: &Metric, outcome: &Result<Vec<Reading>, Stop>) -> String {
    let mut text = String::from("TAP version 13\n1..1\n");
    match outcome {
        Ok(readings) => {
            text += &samples(metric.pages(), readings);
            text += &format!("ok 1 {metric}\n");
        }
        Err(Stop::Skip(reason)) => text += &format!("ok 1 {metric} # SKIP {reason}\n"),
        Err(Stop::Fail(reason)) => text += &format!("# {reason}\nnot ok 1 {metric}\n"),
    }
    text
}

fn samples(pages: usize, readings: &[Reading]) -> String {
    let mut text = format!("# samples {{\"pages\":{pages},\"samples\":[");
    for (at, Reading { phase, span }) in readings.iter().enumerate() {
        let comma = if at == 0 { "" } else { "," };
        write!(text, "{comma}{{\"phase\":{phase},\"ticks\":{},\"ns\":{}}}", span.ticks, span.ns)
            .expect("a string takes every write");
    }
    text + "]}\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::window::Span;

    fn metric() -> Metric {
        Metric::find("private.to-device.present-2M").unwrap()
    }

    #[test]
    fn readings_are_one_line_of_json_before_the_result() {
        let reading = |phase, ticks, ns| Reading { phase, span: Span { ticks, ns } };
        let text = ktap(&metric(), &Ok(vec![reading(0, 123, 61), reading(1, 5, 2)]));
        assert_eq!(
            text,
            "TAP version 13\n1..1\n\
             # samples {\"pages\":512,\"samples\":[{\"phase\":0,\"ticks\":123,\"ns\":61},\
             {\"phase\":1,\"ticks\":5,\"ns\":2}]}\n\
             ok 1 private.to-device.present-2M\n"
        );
        let line = text.lines().find_map(|line| line.strip_prefix("# samples ")).unwrap();
        let json: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(json["samples"][1]["ticks"], 5);
    }

    #[test]
    fn a_line_of_readings_is_short_enough_to_be_passed_on() {
        let longest = Reading { phase: 7, span: Span { ticks: u64::MAX, ns: u64::MAX } };
        assert!(samples(usize::MAX, &[longest; 8]).len() < 4096);
    }

    #[test]
    fn failures_and_skips_say_why_and_have_no_readings() {
        assert_eq!(
            ktap(&metric(), &Err(Stop::Skip("no such command".into()))),
            "TAP version 13\n1..1\nok 1 private.to-device.present-2M # SKIP no such command\n"
        );
        assert_eq!(
            ktap(&metric(), &Err(Stop::Fail("3 of 512 pages stayed".into()))),
            "TAP version 13\n1..1\n# 3 of 512 pages stayed\nnot ok 1 private.to-device.present-2M\n"
        );
    }
}
