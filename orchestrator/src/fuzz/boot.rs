//! A whole boot: what the guest said, judged and compared.

use orchestrator_protocol::{Message, Status};

use super::assert_harmless;
use crate::compare::{compare_boots, repeats};
use crate::lab;
use crate::suite::{BootMeta, JudgeInput, judge};
use crate::words::{Accel, BootEnd, BootRecord, Change, MetricUnit, Parser, Revision, SuiteMetric, Verdict};

/// A kernel that can report trouble.
const CONFIG: &str = "CONFIG_PRINTK=y\nCONFIG_BUG=y\nCONFIG_KALLSYMS=y\n";
/// What stands between the parts of an input: frames, console, word for the end.
const PARTS: &[u8] = b"\n%%\n";

/// Judges a boot, and compares it with itself and with a side that has no answer.
///
/// Only a test that was seen to begin, to print a result line and to exit with 0 passes. A record reads back as itself,
/// and two equal sides never show a change; a side of trouble only never shows anything good or bad.
pub(super) fn boot(data: &[u8]) {
    let mut parts = Vec::new();
    let mut rest = data;
    while let Some(at) = rest.windows(PARTS.len()).position(|window| window == PARTS) {
        parts.push(&rest[..at + 1]);
        rest = &rest[at + PARTS.len()..];
    }
    parts.push(rest);
    let (frames, problems) = lab::fuzz::frames(parts[0]);
    let console = String::from_utf8_lossy(parts.get(1).copied().unwrap_or_default());
    let end = end(parts.get(2).copied().unwrap_or_default());
    let suites = ["hmm", "hmm-bench", "exit", "xml", "igt"].map(str::to_owned);
    let file = |name: &str| format!("/tmp/{name}");
    let readers = [
        ("exit".to_owned(), Parser::ExitCode),
        ("xml".to_owned(), Parser::Junit(file("x.xml"))),
        ("igt".to_owned(), Parser::IgtResults(file("results.json"))),
    ];
    let unit = MetricUnit::Us;
    let metric = SuiteMetric { name: "time".to_owned(), regex: "took ([0-9.]+) us".to_owned(), unit, pages: None };
    let readings = [("exit".to_owned(), vec![metric])];
    let input = JudgeInput {
        frames: &frames,
        problems: &problems,
        end: &end,
        console: &console,
        suites: &suites,
        readers: &readers,
        readings: &readings,
        idle: &[("igt".to_owned(), vec!["not supported".to_owned()])],
        only: &[],
        skip: &[],
        modules: &["test_hmm".to_owned()],
        config: CONFIG,
    };
    let record = judge(input, meta());
    for test in &record.tests {
        match &test.verdict {
            Verdict::Pass => assert!(
                passed(&frames, &test.test),
                "{} passes, but nothing that it did says so: {frames:#?}",
                test.test
            ),
            Verdict::Fail { reason } | Verdict::Skip { reason } | Verdict::Infra { reason } => {
                assert_harmless_line(reason);
            }
            Verdict::Timeout | Verdict::Xfail | Verdict::Crashed { .. } => {}
        }
        assert!(test.output.len() <= 80 * 1024);
    }
    let good = |name: &str| record.tests.iter().any(|test| test.test == name && test.verdict == Verdict::Pass);
    assert!(record.metrics.iter().all(|metric| metric.samples.is_empty() || test_of(&record, &metric.metric, &good)));
    let text = serde_json::to_string(&record).expect("a record is plain data");
    assert_eq!(serde_json::from_str::<BootRecord>(&text).expect("its own text"), record);
    sides(&record);
}

/// A metric is named as its test, or by a test and a column of its table.
fn test_of(record: &BootRecord, metric: &str, good: &impl Fn(&str) -> bool) -> bool {
    record.tests.iter().any(|test| metric.starts_with(&test.test) && good(&test.test))
}

fn sides(record: &BootRecord) {
    let one = std::slice::from_ref(record);
    for comparison in compare_boots(one, one) {
        let calm = match comparison.change {
            Change::StillPassing | Change::StillFailing | Change::NotCovered | Change::Unknown | Change::Flaky => true,
            Change::Regressed | Change::NewFail | Change::Vanished | Change::Fixed | Change::NewPass => false,
        };
        assert!(calm, "{}: {:?} between equal sides", comparison.test, comparison.change);
    }
    let mut trouble = record.clone();
    for test in &mut trouble.tests {
        test.verdict = Verdict::Infra { reason: "cut".to_owned() };
    }
    for (base, patched) in [(record, &trouble), (&trouble, record), (&trouble, &trouble)] {
        for comparison in compare_boots(std::slice::from_ref(base), std::slice::from_ref(patched)) {
            assert_eq!(comparison.change, Change::Unknown, "{}: trouble of ours says something", comparison.test);
        }
    }
    assert!(repeats(one, one).len() <= record.tests.len() + record.remaining.len());
}

fn assert_harmless_line(reason: &str) {
    assert_harmless(reason);
    assert!(!reason.contains('\n') && reason.len() <= 400, "{reason:?}");
}

/// Whether the frames of a test, or of the program it is a part of, say that it may have passed.
fn passed(frames: &[orchestrator_protocol::Frame], test: &str) -> bool {
    let full = |suite: &str, name: &str| if name.is_empty() { suite.to_owned() } else { format!("{suite}.{name}") };
    let (mut printed, mut filed) = (false, false);
    let mut open: Option<String> = None;
    for frame in frames {
        match &frame.message {
            Message::Begin { suite, test: name, .. } => {
                let name = full(suite, name);
                let ours = test == name || test.starts_with(&format!("{name}."));
                open = ours.then_some(name);
                (printed, filed) = (false, false);
            }
            Message::Output { text, .. } if open.is_some() => {
                printed |= text.trim_start().starts_with("ok");
                // A part that was through before its program was cut off has its own line as proof.
                if printed && open.as_deref() != Some(test) {
                    return true;
                }
            }
            Message::Result { .. } if open.is_some() => filed = true,
            Message::End { suite, test: name, status: Status::Code(code), .. }
                if open.as_deref() == Some(full(suite, name).as_str()) =>
            {
                let said = match suite.as_str() {
                    "exit" => *code == 0,
                    // Other tests of the file may have failed.
                    "xml" | "igt" => filed,
                    _ => printed && *code == 0,
                };
                if said {
                    return true;
                }
            }
            Message::Unloaded { module, error: None } if test.ends_with(&format!(".unload-{module}")) => return true,
            _ => {}
        }
    }
    false
}

fn end(word: &[u8]) -> BootEnd {
    match word.first() {
        Some(b'p') => BootEnd::Panicked,
        Some(b'h') => BootEnd::Hung { deadline: "silence".to_owned() },
        Some(b's') => BootEnd::Hung { deadline: "suite".to_owned() },
        Some(b'r') => BootEnd::Reset,
        Some(b'i') => BootEnd::Infra { reason: "QEMU was killed".to_owned() },
        Some(_) | None => BootEnd::Completed,
    }
}

fn meta() -> BootMeta {
    BootMeta {
        kernel: Revision::Base,
        selftests: Revision::Base,
        kconfig: "hmm".to_owned(),
        machine: "qemu-x86_64".to_owned(),
        accel: Accel::Icount,
        attempt: 1,
        dir: "boots/x/1".into(),
        wall_ms: 1,
        cpu_ms: 1,
        replay: "qemu".to_owned(),
    }
}
