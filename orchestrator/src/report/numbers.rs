//! Metrics arranged for reading, and numbers as text: what every rendering shows, without how.

use std::collections::BTreeMap;

use super::labels;
use super::model::Report;
use crate::term::text::count;
use crate::words::{Clock, Effect, MetricChange, MetricComparison, MetricSide, MetricStep, OperationComparison, Part};

/// All metrics measured in one place with one clock.
pub struct Measured<'a> {
    /// Tree.
    pub tree: &'a str,
    /// Kconfig.
    pub kconfig: &'a str,
    /// Machine.
    pub machine: &'a str,
    /// What time was measured with.
    pub clock: Clock,
    /// The metrics, in the order of the report.
    pub rows: Vec<&'a MetricComparison>,
    /// One walk against two.
    pub walks: Vec<&'a OperationComparison>,
}

/// The metrics of the report by place and clock, in the order of the report.
pub fn measured(report: &Report) -> Vec<Measured<'_>> {
    let mut all: Vec<Measured<'_>> = Vec::new();
    let mut at = |tree, kconfig, machine, clock| {
        let same = |m: &Measured<'_>| (m.tree, m.kconfig, m.machine, m.clock) == (tree, kconfig, machine, clock);
        all.iter().position(same).unwrap_or_else(|| {
            all.push(Measured { tree, kconfig, machine, clock, rows: Vec::new(), walks: Vec::new() });
            all.len() - 1
        })
    };
    let rows: Vec<(usize, &MetricComparison)> =
        report.metrics.iter().map(|row| (at(&*row.tree, &*row.kconfig, &*row.machine, row.clock), row)).collect();
    let walks: Vec<(usize, &OperationComparison)> =
        report.walks.iter().map(|row| (at(&*row.tree, &*row.kconfig, &*row.machine, row.clock), row)).collect();
    rows.into_iter().for_each(|(index, row)| all[index].rows.push(row));
    walks.into_iter().for_each(|(index, row)| all[index].walks.push(row));
    all
}

impl<'a> Measured<'a> {
    /// `linux-6.12 hmm qemu-x86_64`.
    pub fn place(&self) -> String {
        format!("{} {} {}", self.tree, self.kconfig, self.machine)
    }

    /// How many metrics had which change, worst first. Parts of one metric count by themselves.
    pub fn counts(&self) -> Vec<(MetricChange, usize)> {
        let mut counts: BTreeMap<MetricChange, usize> = BTreeMap::new();
        for row in &self.rows {
            *counts.entry(row.change).or_default() += 1;
        }
        counts.into_iter().collect()
    }

    /// Metrics that changed, regressions first, largest change first.
    pub fn changed(&self) -> Vec<&'a MetricComparison> {
        let size = |row: &MetricComparison| row.effect.map_or(0.0, |effect| effect.estimate.abs());
        let mut changed: Vec<&MetricComparison> = self.rows.iter().copied().filter(|row| is_change(row)).collect();
        changed.sort_by(|a, b| a.change.cmp(&b.change).then(size(b).total_cmp(&size(a))));
        changed
    }

    /// [`Measured::changed`], both parts of a metric together; a metric stands where its larger change does.
    pub fn changed_metrics(&self) -> Vec<Vec<&'a MetricComparison>> {
        let mut metrics: Vec<Vec<&MetricComparison>> = Vec::new();
        for row in self.changed() {
            match metrics.iter_mut().find(|rows| rows[0].metric == row.metric && rows[0].change == row.change) {
                Some(rows) => rows.push(row),
                None => metrics.push(vec![row]),
            }
        }
        metrics.iter_mut().for_each(|rows| rows.sort_by_key(|row| row.part));
        metrics
    }

    /// `1 boot of each side, 8 readings of a metric` with the ranges where metrics differ.
    pub fn effort(&self) -> String {
        let sides = || self.rows.iter().flat_map(|row| [row.base, row.patched]).flatten();
        let range = |of: fn(&MetricSide) -> usize, what: &str| {
            let (least, most) = sides().map(|side| of(&side)).fold((usize::MAX, 0), |(a, b), n| (a.min(n), b.max(n)));
            match least.min(most) {
                n if n == most => count(n as u64, what),
                n => format!("{n} to {}", count(most as u64, what)),
            }
        };
        format!(
            "{} of each side, {} of a metric",
            range(|side| side.boots, "boot"),
            range(|side| side.readings, "reading")
        )
    }

    /// The smallest change that would have been seen: in the best metric and in the worst one. `None` when nothing can
    /// be said of any.
    pub fn visible(&self) -> Option<(f64, f64)> {
        let visible: Vec<f64> = self.rows.iter().filter_map(|row| Some(row.effect?.visible)).collect();
        let least = visible.iter().copied().min_by(f64::total_cmp)?;
        Some((least, visible.iter().copied().max_by(f64::total_cmp)?))
    }

    /// What one walk of the page tables saves, a sentence for each thing it is set against.
    pub fn saved(&self) -> Vec<String> {
        saved(&self.walks)
    }

    /// [`Measured::visible`] as a sentence.
    pub fn visible_text(&self) -> String {
        match self.visible() {
            None => "There is not enough data to see any change.".to_owned(),
            Some((least, most)) => match (percent(least), percent(most)) {
                (least, most) if least == most => format!("A change of {least} would have been seen."),
                (least, most) => {
                    format!(
                        "The smallest change that would have been seen is {least} to {most}, depending on the metric."
                    )
                }
            },
        }
    }
}

/// What one walk costs beside each other way to do the same, a sentence each.
fn saved(walks: &[&OperationComparison]) -> Vec<String> {
    let mut groups: BTreeMap<(&str, Part), Vec<f64>> = BTreeMap::new();
    for walk in walks {
        let key = (walk.two_operation.as_str(), walk.part);
        groups.entry(key).or_default().extend(walk.effect.map(|effect| effect.estimate));
    }
    let mut sentences: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for ((operation, part), mut effects) in groups {
        effects.sort_by(f64::total_cmp);
        let (Some(&least), Some(&most)) = (effects.first(), effects.last()) else { continue };
        let (least, most) = (signed(least), signed(most));
        let range = if least == most { least } else { format!("{least} to {most}") };
        let compared = count(effects.len() as u64, "comparison");
        sentences.entry(operation).or_default().push(format!("{range}{} ({compared})", labels::part(part)));
    }
    let join =
        |(operation, parts): (&str, Vec<String>)| format!("One walk instead of {operation}: {}.", parts.join(", "));
    sentences.into_iter().map(join).collect()
}

/// True for metrics that got dearer or cheaper.
pub fn is_change(row: &MetricComparison) -> bool {
    match row.change {
        MetricChange::Regressed | MetricChange::Improved => true,
        MetricChange::Unchanged | MetricChange::New | MetricChange::Vanished | MetricChange::NotEnoughData => false,
    }
}

/// Name of the metric with the part that is looked at.
pub fn name(row: &MetricComparison) -> String {
    format!("{}{}", row.metric, labels::part(row.part))
}

/// A cost with three or four digits: `5313`, `64.2`, `0.82`.
pub fn value(value: f64) -> String {
    match value.abs() {
        v if v >= 1000.0 => format!("{value:.0}"),
        v if v >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// A part of one without a sign: `0.5%`, `12%`.
pub fn percent(value: f64) -> String {
    let value = value * 100.0;
    match value.abs() {
        v if v >= 9.95 => format!("{value:.0}%"),
        v if v >= 0.995 => format!("{value:.1}%"),
        v if v < 0.0005 => "0.0%".to_owned(),
        v if v >= 0.0995 => format!("{value:.2}%"),
        _ => format!("{value:.3}%"),
    }
}

/// A change with its sign: `+3.1%`, `-12%`.
pub fn signed(value: f64) -> String {
    let sign = if value >= 0.000_005 { "+" } else { "" };
    format!("{sign}{}", percent(value))
}

/// `± 0.3%`; nothing where it would be 0.
pub fn spread(spread: f64) -> String {
    if spread < 0.0005 { String::new() } else { format!("± {}", percent((spread * 1000.0).round() / 1000.0)) }
}

/// `+3.0% to +3.2%`.
pub fn interval(effect: &Effect) -> String {
    format!("{} to {}", signed(effect.low), signed(effect.high))
}

/// `patch 4/6 +3.1%`, and what is not sure about it.
pub fn step(step: &MetricStep) -> String {
    let unsure = match step.unmeasured_before {
        0 => String::new(),
        1 => ", or the one before it, which could not be measured".to_owned(),
        n => format!(", or one of the {n} before it, which could not be measured"),
    };
    format!("patch {}/{} {}{unsure}", step.patch.number, step.patch.total, signed(step.effect.estimate))
}

/// The function that gained or lost most, `migrate_vma_collect_pmd +165`; `None` when nobody counted.
pub fn main_function(row: &MetricComparison) -> Option<String> {
    let function = row.functions.first()?;
    Some(format!("{function} {}", delta(function.patched - function.base)))
}

/// A difference of costs with its sign.
pub fn delta(difference: f64) -> String {
    let sign = if difference > 0.0 { "+" } else { "" };
    format!("{sign}{}", value(difference))
}

/// A side in two columns: value and spread.
fn columns(side: Option<&MetricSide>) -> String {
    let (middle, around) =
        side.map_or((String::new(), String::new()), |side| (value(side.median), spread(side.spread)));
    format!("{middle:>10} {around:<7}")
}

/// Lines in the layout of the kernel test robot: `value ± spread  %change  value ± spread  name`.
pub fn robot_line(
    base: Option<&MetricSide>,
    effect: Option<&Effect>,
    patched: Option<&MetricSide>,
    name: &str,
) -> String {
    let change = effect.map_or(String::new(), |effect| signed(effect.estimate));
    format!("{} {change:>8} {}  {name}", columns(base), columns(patched))
}

/// The two lines above [`robot_line`]s.
pub fn robot_head(base: &str, patched: &str) -> String {
    format!("{base:>18} {:>8} {patched:>18}\n{:->18} {:->8} {:->18}", "change", "", "", "")
}

/// The name of a row of [`Measured::walks`].
pub fn walk_name(row: &OperationComparison) -> String {
    format!("{} {}-{} instead of {}{}", row.device, row.memory, row.size, row.two_operation, labels::part(row.part))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixtures;
    use crate::words::BlamedPatch;

    #[test]
    fn numbers_have_as_many_digits_as_they_are_worth() {
        for (number, text) in [(5313.2, "5313"), (64.21, "64.2"), (0.823, "0.82"), (120.04, "120.0"), (0.0, "0.00")] {
            assert_eq!(value(number), text);
        }
        let table = [
            (0.031, "+3.1%"),
            (-0.1234, "-12%"),
            (0.0032, "+0.32%"),
            (0.000_04, "+0.004%"),
            (0.0, "0.0%"),
            (0.0995, "+10%"),
            (0.0994, "+9.9%"),
            (0.00996, "+1.0%"),
            (3.5, "+350%"),
        ];
        for (number, text) in table {
            assert_eq!(signed(number), text, "{number}");
        }
        assert_eq!((spread(0.0001).as_str(), spread(0.0031).as_str(), spread(0.12).as_str()), ("", "± 0.30%", "± 12%"));
        assert_eq!(delta(-12.34), "-12.3");
    }

    #[test]
    fn a_step_says_what_it_does_not_know() {
        let effect = Effect { estimate: 0.031, low: 0.03, high: 0.032, visible: 0.005, p: None };
        let patch = BlamedPatch { number: 4, total: 6, subject: "x".into() };
        let sure = MetricStep { patch, effect, functions: Vec::new(), unmeasured_before: 0 };
        assert_eq!(step(&sure), "patch 4/6 +3.1%");
        let unsure = MetricStep { unmeasured_before: 2, ..sure };
        assert_eq!(step(&unsure), "patch 4/6 +3.1%, or one of the 2 before it, which could not be measured");
    }

    #[test]
    fn every_metric_is_in_one_place() {
        let report = fixtures::measured();
        let measured = measured(&report);
        assert_eq!(measured.iter().map(|m| m.rows.len()).sum::<usize>(), report.metrics.len());
        assert_eq!(measured.iter().map(|m| m.walks.len()).sum::<usize>(), report.walks.len());
        assert_eq!(measured.len(), 2);
        let changed = measured[0].changed();
        assert!(changed.windows(2).all(|pair| pair[0].change <= pair[1].change));
        let together = measured[0].changed_metrics();
        assert_eq!(together.iter().map(Vec::len).sum::<usize>(), changed.len());
        assert_eq!(together[0].iter().map(|row| row.part).collect::<Vec<_>>(), [Part::Whole, Part::WithoutCopy]);
        assert_eq!(measured[0].effort(), "1 boot of each side, 2 to 8 readings of a metric");
        assert_eq!(measured[1].effort(), "12 boots of each side, 60 readings of a metric");
    }
}
