//! Findings about metrics.

use std::collections::BTreeMap;

use super::frame::Frame;
use crate::words::{
    Effect, Evidence, Finding, FindingKind, FunctionChange, MetricChange, MetricComparison, MetricSide, Part, Severity,
};

/// Metrics shown as proof; more are only counted.
const SHOWN: usize = 12;

/// Functions shown as proof.
const FUNCTIONS: usize = 6;

/// What the names of the functions of `lib/test_hmm.c` begin with.
const TEST_DRIVER: &str = "dmirror_";

/// What one patch did to one metric.
struct Change<'a> {
    comparison: &'a MetricComparison,
    effect: Effect,
    functions: &'a [FunctionChange],
}

/// The patch that brought a change (`None`: no patch could be named), and whether it costs more.
type Cause = (Option<usize>, bool);

/// One finding per patch and direction for the metrics of one kconfig on one clock.
///
/// A metric that is compared whole and without the copying of pages counts once, by the larger of both effects.
/// `source` is the file of the run folder that holds the readings of the patched kernel.
pub fn metric_findings(frame: &Frame<'_>, comparisons: &[MetricComparison], source: &str) -> Vec<Finding> {
    let mut causes: BTreeMap<Cause, Vec<Change<'_>>> = BTreeMap::new();
    for comparison in comparisons {
        match comparison.change {
            MetricChange::Regressed | MetricChange::Improved => {}
            MetricChange::Unchanged | MetricChange::New | MetricChange::Vanished | MetricChange::NotEnoughData => {
                continue;
            }
        }
        for (patch, change) in changes(comparison) {
            let of_cause = causes.entry((patch, change.effect.estimate > 0.0)).or_default();
            match of_cause.iter_mut().find(|other| other.comparison.metric == comparison.metric) {
                Some(other) if other.effect.estimate.abs() < change.effect.estimate.abs() => *other = change,
                Some(_) => {}
                None => of_cause.push(change),
            }
        }
    }
    causes.into_iter().map(|(cause, changes)| finding(frame, cause, changes, source)).collect()
}

/// What each patch did to a metric; the whole series where no patch could be named.
fn changes(comparison: &MetricComparison) -> Vec<(Option<usize>, Change<'_>)> {
    let steps = comparison.steps.iter().map(|step| {
        let sure = step.unmeasured_before == 0;
        let change = Change { comparison, effect: step.effect, functions: &step.functions };
        (sure.then_some(step.patch.number), change)
    });
    let all: Vec<_> = steps.collect();
    match (all.is_empty(), comparison.effect) {
        (true, Some(effect)) => vec![(None, Change { comparison, effect, functions: &comparison.functions })],
        (true, None) | (false, _) => all,
    }
}

fn finding(frame: &Frame<'_>, (patch, worse): Cause, mut changes: Vec<Change<'_>>, source: &str) -> Finding {
    changes.sort_by(|one, other| other.effect.estimate.abs().total_cmp(&one.effect.estimate.abs()));
    let lead = &changes[0];
    let function = lead.functions.iter().find(|function| (function.patched > function.base) == worse);
    let only_driver = changes.iter().all(is_drivers);
    let (kind, severity) = match (worse, only_driver) {
        (true, false) => (FindingKind::MetricRegressed, Severity::Problem),
        (true, true) => (FindingKind::MetricRegressed, Severity::Notice),
        (false, _) => (FindingKind::MetricImproved, Severity::Notice),
    };
    let mut says = format!("{}: {}", frame.name(patch), summary(lead, changes.len(), function));
    if only_driver {
        says.push_str("; it is the test driver that changed, nothing else pays for it");
    }
    let mut finding = frame.finding(kind, severity, patch, says);
    finding.kconfig = Some(lead.comparison.kconfig.clone());
    finding.machine = Some(lead.comparison.machine.clone());
    finding.metric = Some(lead.comparison.metric.clone());
    finding.function = function.map(|function| function.function.clone());
    let evidence = |what: &str, text: String| Evidence { what: what.to_owned(), source: source.to_owned(), text };
    finding.evidence.push(evidence("metrics", table(&changes)));
    if !lead.functions.is_empty() {
        let inlined = if lead.comparison.inlined_apart { "" } else { "; inlined code counts as its caller" };
        let what = format!("functions, {} in {}{inlined}", lead.comparison.unit, lead.comparison.metric);
        finding.evidence.push(evidence(&what, functions(lead.functions)));
    }
    finding
}

/// Whether at least four fifths of a change are in the test driver: the instrument, which no user of a kernel has.
fn is_drivers(change: &Change<'_>) -> bool {
    let all = change.effect.estimate * change.comparison.base.map_or(0.0, |base| base.median);
    let of_driver = |function: &&FunctionChange| {
        function.inlined_in.as_ref().unwrap_or(&function.function).starts_with(TEST_DRIVER)
    };
    let drivers = change.functions.iter().filter(of_driver);
    let own: f64 = drivers.map(|function| function.patched - function.base).sum();
    all != 0.0 && own / all >= 0.8
}

fn summary(lead: &Change<'_>, metrics: usize, function: Option<&FunctionChange>) -> String {
    let comparison = lead.comparison;
    let Effect { estimate, low, high, .. } = lead.effect;
    let mut text = format!(
        "{} costs {:.2} % {} {}{} ({} to {})",
        comparison.metric,
        estimate.abs() * 100.0,
        if estimate > 0.0 { "more" } else { "fewer" },
        comparison.unit.replace('/', " per "),
        match comparison.part {
            Part::Whole => "",
            Part::WithoutCopy => " without the copying of pages",
        },
        percent(low),
        percent(high),
    );
    if let Some(function) = function {
        text.push_str(&format!("; {function} {:+.1} per page", function.patched - function.base));
    }
    match metrics {
        0 | 1 => {}
        2 => text.push_str("; 1 more metric changes with it"),
        more => text.push_str(&format!("; {} more metrics change with it", more - 1)),
    }
    text
}

fn percent(value: f64) -> String {
    format!("{:+.2} %", value * 100.0)
}

/// `value ± spread  %change  value ± spread  metric`, the table list readers know.
fn table(changes: &[Change<'_>]) -> String {
    let side = |side: &Option<MetricSide>| match side {
        Some(side) => format!("{:>10.1} ± {:>4.1}%", side.median, side.spread * 100.0),
        None => format!("{:>18}", ""),
    };
    let mut lines = vec![format!("{:>18} {:>9} {:>18}  metric", "base", "change", "patched")];
    for change in changes.iter().take(SHOWN) {
        let comparison = change.comparison;
        let part = match comparison.part {
            Part::Whole => "",
            Part::WithoutCopy => " (without copies)",
        };
        lines.push(format!(
            "{} {:>9} {}  {}{part}",
            side(&comparison.base),
            percent(change.effect.estimate),
            side(&comparison.patched),
            comparison.metric,
        ));
    }
    if changes.len() > SHOWN {
        lines.push(format!("and {} more", changes.len() - SHOWN));
    }
    lines.join("\n")
}

fn functions(functions: &[FunctionChange]) -> String {
    let line = |change: &FunctionChange| {
        format!("{:>10.1} {:>+9.1} {:>10.1}  {change}", change.base, change.patched - change.base, change.patched,)
    };
    functions.iter().take(FUNCTIONS).map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::testing::frame_series;
    use crate::words::{BlamedPatch, Clock, MetricStep};

    fn effect(estimate: f64) -> Effect {
        Effect { estimate, low: estimate - 0.001, high: estimate + 0.001, visible: 0.005, p: None }
    }

    fn function(name: &str, base: f64, patched: f64) -> FunctionChange {
        FunctionChange { function: name.into(), inlined_in: None, base, patched }
    }

    fn step(number: usize, estimate: f64, unmeasured_before: usize) -> MetricStep {
        MetricStep {
            patch: BlamedPatch { number, total: 3, subject: "s".into() },
            effect: effect(estimate),
            functions: vec![function("less", 9.0, 1.0), function("more", 1.0, 5.0)],
            unmeasured_before,
        }
    }

    fn comparison(metric: &str, part: Part, change: MetricChange, steps: Vec<MetricStep>) -> MetricComparison {
        let side = |median| Some(MetricSide { median, spread: 0.001, readings: 8, boots: 1 });
        MetricComparison {
            metric: metric.into(),
            part,
            tree: "t".into(),
            kconfig: "hmm".into(),
            machine: "m".into(),
            clock: Clock::Instructions,
            unit: "instructions/page".into(),
            pages: 512,
            change,
            base: side(100.0),
            patched: side(103.0),
            effect: Some(effect(0.03)),
            functions: Vec::new(),
            inlined_apart: false,
            steps,
            note: None,
        }
    }

    #[test]
    fn metrics_of_one_patch_and_direction_are_one_finding() {
        let series = frame_series(3);
        let frame = Frame { tree: "t", series: &series };
        let regressed = MetricChange::Regressed;
        let comparisons = [
            comparison("a", Part::Whole, regressed, vec![step(2, 0.01, 0)]),
            comparison("a", Part::WithoutCopy, regressed, vec![step(2, 0.031, 0)]),
            comparison("b", Part::Whole, regressed, vec![step(2, 0.02, 0), step(3, -0.008, 0)]),
            comparison("c", Part::Whole, MetricChange::Unchanged, Vec::new()),
        ];
        let findings = metric_findings(&frame, &comparisons, "units/x/counts.jsonl");
        let told: Vec<_> = findings
            .iter()
            .map(|finding| {
                let patch = finding.patch.as_ref().unwrap().number;
                (finding.kind, patch, finding.metric.as_deref().unwrap(), finding.function.as_deref().unwrap())
            })
            .collect();
        let expected = [(FindingKind::MetricRegressed, 2, "a", "more"), (FindingKind::MetricImproved, 3, "b", "less")];
        assert_eq!(told, expected);
        assert_eq!(
            findings[0].summary,
            "patch 2/3 \"mm: change 2\": a costs 3.10 % more instructions per page without the copying of pages \
             (+3.00 % to +3.20 %); more +4.0 per page; 1 more metric changes with it"
        );
        assert_eq!(
            findings[0].evidence[0].text.lines().collect::<Vec<_>>(),
            [
                "              base    change            patched  metric",
                "     100.0 ±  0.1%   +3.10 %      103.0 ±  0.1%  a (without copies)",
                "     100.0 ±  0.1%   +2.00 %      103.0 ±  0.1%  b",
            ]
        );
    }

    #[test]
    fn what_only_the_test_driver_costs_is_a_notice() {
        let series = frame_series(3);
        let frame = Frame { tree: "t", series: &series };
        let mut own = step(2, 0.006, 0);
        // 0.6 % of 100 instructions.
        own.functions = vec![function("dmirror_a", 0.2, 1.4), function("dmirror_b", 1.4, 0.8)];
        let mut other = own.clone();
        other.effect.estimate = 0.05;
        let severity = |step: MetricStep| {
            let comparisons = [comparison("a", Part::Whole, MetricChange::Regressed, vec![step])];
            metric_findings(&frame, &comparisons, "")[0].severity
        };
        assert_eq!((severity(own), severity(other)), (Severity::Notice, Severity::Problem));
    }

    #[test]
    fn the_larger_effect_of_a_metric_leads_whatever_comes_first() {
        let series = frame_series(3);
        let frame = Frame { tree: "t", series: &series };
        let of = |parts: [(Part, f64); 2]| {
            let comparisons =
                parts.map(|(part, by)| comparison("a", part, MetricChange::Regressed, vec![step(2, by, 0)]));
            let findings = metric_findings(&frame, &comparisons, "");
            assert_eq!(findings.len(), 1);
            findings[0].evidence[0].text.lines().nth(1).unwrap().to_owned()
        };
        assert!(of([(Part::Whole, 0.01), (Part::WithoutCopy, 0.03)]).ends_with("a (without copies)"));
        assert!(of([(Part::WithoutCopy, 0.01), (Part::Whole, 0.03)]).ends_with("%  a"));
        assert!(of([(Part::WithoutCopy, 0.03), (Part::Whole, 0.01)]).ends_with("a (without copies)"));
        assert!(of([(Part::Whole, 0.02), (Part::WithoutCopy, 0.02)]).ends_with("%  a"), "the whole says more");
    }

    #[test]
    fn the_functions_are_evidence_in_a_table() {
        let series = frame_series(3);
        let frame = Frame { tree: "t", series: &series };
        let mut whole = comparison("a", Part::Whole, MetricChange::Regressed, vec![step(2, 0.02, 0)]);
        let evidence =
            |whole: &MetricComparison| metric_findings(&frame, std::slice::from_ref(whole), "x")[0].evidence.clone();
        let told = evidence(&whole);
        assert_eq!(told[1].what, "functions, instructions/page in a; inlined code counts as its caller");
        assert_eq!(told[1].text, "       9.0      -8.0        1.0  less\n       1.0      +4.0        5.0  more");
        whole.inlined_apart = true;
        assert_eq!(evidence(&whole)[1].what, "functions, instructions/page in a");
        whole.steps[0].functions.clear();
        assert_eq!(evidence(&whole).len(), 1, "nobody counted functions");
    }

    #[test]
    fn a_long_table_says_how_much_it_leaves_out() {
        let series = frame_series(3);
        let frame = Frame { tree: "t", series: &series };
        let last = |count: usize| {
            let one = |n: usize| {
                comparison(&format!("m{n:02}"), Part::Whole, MetricChange::Regressed, vec![step(2, 0.02, 0)])
            };
            let comparisons: Vec<_> = (0..count).map(one).collect();
            metric_findings(&frame, &comparisons, "")[0].evidence[0].text.lines().last().unwrap().to_owned()
        };
        assert!(last(SHOWN).ends_with(&format!("m{:02}", SHOWN - 1)));
        assert_eq!(last(SHOWN + 2), "and 2 more");
    }

    #[test]
    fn a_function_whose_cost_did_not_change_leads_nowhere() {
        let series = frame_series(3);
        let frame = Frame { tree: "t", series: &series };
        let mut only = step(2, -0.02, 0);
        only.functions = vec![function("more", 1.0, 5.0)];
        let comparisons = [comparison("a", Part::Whole, MetricChange::Improved, vec![only])];
        assert_eq!(metric_findings(&frame, &comparisons, "")[0].function, None);
    }

    #[test]
    fn a_step_behind_unmeasured_patches_names_none() {
        let series = frame_series(3);
        let frame = Frame { tree: "t", series: &series };
        let comparisons = [comparison("a", Part::Whole, MetricChange::Regressed, vec![step(2, 0.02, 1)])];
        assert!(metric_findings(&frame, &comparisons, "")[0].patch.is_none());
        let comparisons = [comparison("a", Part::Whole, MetricChange::Regressed, Vec::new())];
        assert!(metric_findings(&frame, &comparisons, "")[0].patch.is_none());
    }
}
