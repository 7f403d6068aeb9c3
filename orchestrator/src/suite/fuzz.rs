//! Fuzz targets of this room.

use super::ktap::{Directive, Ktap, Problem, parse};
use super::log::read;
use super::reports::{self, Reported};
use crate::words::Verdict;

/// Most documents in one another: the parser's limit and the outermost.
const DEPTH: usize = 17;

/// Output of a test program. Without a problem every plan is kept, no failure hides below a pass, and the document says
/// the same when it is written again.
pub fn ktap(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let lines: Vec<&str> = text.lines().collect();
    let doc = parse(lines.iter().copied());
    assert!(results(&doc, 0) <= lines.len());
    if !doc.problems.is_empty() {
        for problem in &doc.problems {
            assert!(!problem.to_string().is_empty());
        }
        return;
    }
    assert!(doc.version.is_some(), "output without a version line is no KTAP");
    whole(&doc);
    let mut again = Vec::new();
    write(&doc, "", &mut again);
    let back = parse(again.iter().map(String::as_str));
    assert_eq!(back.problems, Vec::<Problem>::new(), "{again:#?}");
    assert_eq!(shape(&back), shape(&doc), "{again:#?}");
}

fn results(doc: &Ktap, depth: usize) -> usize {
    assert!(depth <= DEPTH, "nested deeper than the parser's limit");
    doc.results.iter().map(|result| 1 + result.nested.as_ref().map_or(0, |nested| results(nested, depth + 1))).sum()
}

fn whole(doc: &Ktap) {
    let plan = doc.plan.as_ref().expect("a document without a plan has a problem");
    assert_eq!(plan.count as usize, doc.results.len());
    assert!(doc.results.iter().map(|result| result.number as usize).eq(1..=doc.results.len()));
    for result in &doc.results {
        if let Some(nested) = &result.nested {
            whole(nested);
            let fails = nested.results.iter().any(|inner| !inner.ok && inner.directive.is_none());
            assert!(!(fails && result.ok && result.directive.is_none()), "a failure hides below a pass");
        }
    }
}

/// Number, outcome and directive of every result, with those nested in it.
fn shape(doc: &Ktap) -> Vec<(usize, u32, bool, Option<Directive>)> {
    fn walk(doc: &Ktap, depth: usize, shape: &mut Vec<(usize, u32, bool, Option<Directive>)>) {
        for result in &doc.results {
            if let Some(nested) = &result.nested {
                walk(nested, depth + 1, shape);
            }
            shape.push((depth, result.number, result.ok, result.directive));
        }
    }
    let mut shape_of = Vec::new();
    walk(doc, 0, &mut shape_of);
    shape_of
}

fn write(doc: &Ktap, prefix: &str, lines: &mut Vec<String>) {
    lines.push(format!("{prefix}KTAP version 1"));
    if let Some(plan) = &doc.plan {
        lines.push(format!("{prefix}1..{}", plan.count));
    }
    for result in &doc.results {
        if let Some(nested) = &result.nested {
            write(nested, &format!("{prefix}  "), lines);
        }
        let word = if result.ok { "ok" } else { "not ok" };
        let directive = match result.directive {
            None => "",
            Some(Directive::Skip) => " # SKIP",
            Some(Directive::Todo) => " # TODO",
            Some(Directive::Xfail) => " # XFAIL",
            Some(Directive::Timeout) => " # TIMEOUT",
            Some(Directive::Error) => " # ERROR",
        };
        lines.push(format!("{prefix}{word} {}{directive}", result.number));
    }
}

/// Reports that are kept of a boot: the usual limit, and that of kinds that end a boot.
const SPLATS: usize = 256 + 32;
/// Bytes that are kept of one report.
const TEXT: usize = 24 * 1024;

/// A kernel log. What is kept is bounded, in order, and lies inside of the log; the log's own time and caller ids make no
/// difference.
pub fn log(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let log = read(&text);
    let lines = text.split('\n').count();
    assert_eq!(log.lines, lines);
    assert!(log.splats.len() <= SPLATS);
    assert!(log.splats.len() + log.dropped <= 1 + text.split(['\n', '\r']).count());
    assert!(log.splats.windows(2).all(|pair| pair[0].line <= pair[1].line), "reports are out of order");
    for splat in &log.splats {
        assert!((1..=lines).contains(&splat.line), "{splat:?}");
        assert!(splat.text.len() <= TEXT && !splat.title.contains('\n'), "{splat:?}");
        assert!(!splat.signature.is_empty());
        assert!(splat.function.as_deref() != Some(""));
    }
    assert_eq!(log, read(&text), "the same log reads differently");
}

/// Files of results. Names are plain and come once, what is kept is bounded, and what was read says the same when it is
/// written as JUnit XML.
pub fn reports(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    for read in [reports::junit(&text), reports::igt(&text)] {
        match read {
            Ok(tests) => reported(&tests),
            Err(error) => assert!(!error.is_empty() && error.len() < 4096, "{error}"),
        }
    }
}

fn reported(tests: &[Reported]) {
    let names: std::collections::BTreeSet<&str> = tests.iter().map(|test| test.name.as_str()).collect();
    assert!(!names.is_empty() && names.len() == tests.len() && tests.len() <= reports::TESTS);
    let mut xml = String::from("<testsuite>");
    for test in tests {
        assert!(!test.name.is_empty() && !test.name.chars().any(|c| c.is_whitespace() || c.is_control()), "{test:?}");
        assert!(test.output.len() <= 16 * 1024 + 2, "{} bytes of output", test.output.len());
        let inner = match &test.verdict {
            Verdict::Pass => String::new(),
            Verdict::Skip { reason } => format!("<skipped message=\"{}\"/>", attribute(reason)),
            Verdict::Fail { reason } => format!("<failure message=\"{}\"/>", attribute(reason)),
            // JUnit has no words for these.
            Verdict::Timeout | Verdict::Infra { .. } => return,
            Verdict::Xfail | Verdict::Crashed { .. } => panic!("no file of results says {:?}", test.verdict),
        };
        if let Verdict::Skip { reason } | Verdict::Fail { reason } = &test.verdict {
            assert!(reason.len() <= 400 && !reason.contains('\n'), "{reason:?}");
        }
        xml += &format!("<testcase name=\"{}\">{inner}</testcase>", attribute(&test.name));
    }
    let back = reports::junit(&(xml + "</testsuite>")).expect("what was read can be written");
    let word = |test: &Reported| (test.name.clone(), std::mem::discriminant(&test.verdict));
    assert!(back.iter().map(word).eq(tests.iter().map(word)), "{back:?} is not {tests:?}");
}

fn attribute(text: &str) -> String {
    quick_xml::escape::escape(text).into_owned()
}
