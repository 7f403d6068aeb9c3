//! Fuzz targets of this room.

use super::ktap::{Directive, Ktap, Problem, parse};
use super::log::read;

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
