//! Which functions a metric's change comes from.

use std::collections::{BTreeMap, BTreeSet};

use crate::words::{FunctionChange, FunctionCount, MetricSamples};

/// Functions that are listed at most.
const LISTED: usize = 12;
/// A function is listed when its change is at least this part of the largest.
const SMALLEST: f64 = 0.01;
/// A change must exceed this part of the range in which a side's readings lie: interrupts fall into some readings and
/// not into others, and what they execute is no change.
const SCATTER: f64 = 0.5;

/// Where a change comes from. All numbers are instructions per page.
#[derive(Debug, Clone, PartialEq)]
pub struct Attribution {
    /// Functions whose cost changed, largest change first.
    pub functions: Vec<FunctionChange>,
    /// The change of all functions together.
    pub total: f64,
    /// The change of those that are listed.
    pub listed: f64,
    /// The change of those whose readings scatter too much to tell: interrupts and what follows them.
    pub scattered: f64,
    /// Whether both sides tell inlined functions from those that they are inlined in.
    pub inlined_apart: bool,
}

impl Attribution {
    /// One sentence on what the list leaves out, when that is more than a tenth of the change.
    pub fn note(&self) -> Option<String> {
        let missing = self.total - self.listed;
        if missing.abs() <= 0.1 * self.total.abs() {
            return None;
        }
        let Attribution { total, listed, scattered, .. } = self;
        Some(format!(
            "the functions listed change by {listed:+.2} of {total:+.2} instructions a page; {scattered:+.2} are \
             interrupts' or scatter like them"
        ))
    }
}

/// What a side executed of a function, per page of a reading.
#[derive(Debug, Clone, Copy, Default)]
struct Cost {
    mean: f64,
    /// Range over the readings.
    range: f64,
}

/// Compares what two sides executed. `None` when nobody counted on one of them.
///
/// A function that was split, merged or inlined shows as what it is: its callers gain what it loses.
pub fn attribute(base: &MetricSamples, patched: &MetricSamples) -> Option<Attribution> {
    let (base, patched) = (costs(base)?, costs(patched)?);
    let apart = |costs: &BTreeMap<Name<'_>, Cost>| costs.keys().any(|(_, inlined_in)| inlined_in.is_some());
    let mut attribution = Attribution {
        functions: Vec::new(),
        total: 0.0,
        listed: 0.0,
        scattered: 0.0,
        inlined_apart: apart(&base) && apart(&patched),
    };
    let names: BTreeSet<Name<'_>> = base.keys().chain(patched.keys()).copied().collect();
    for name in names {
        let side = |costs: &BTreeMap<Name<'_>, Cost>| costs.get(&name).copied().unwrap_or_default();
        let (base, patched) = (side(&base), side(&patched));
        let change = patched.mean - base.mean;
        attribution.total += change;
        if change.abs() <= SCATTER * base.range.max(patched.range) {
            attribution.scattered += change;
        } else {
            attribution.functions.push(FunctionChange {
                function: name.0.to_owned(),
                inlined_in: name.1.map(str::to_owned),
                base: base.mean,
                patched: patched.mean,
            });
        }
    }
    let size = |change: &FunctionChange| (change.patched - change.base).abs();
    let functions = &mut attribution.functions;
    functions.sort_by(|a, b| size(b).total_cmp(&size(a)).then_with(|| a.function.cmp(&b.function)));
    let largest = functions.first().map_or(0.0, size);
    functions.retain(|change| size(change) >= SMALLEST * largest);
    functions.truncate(LISTED);
    attribution.listed = functions.iter().map(|change| change.patched - change.base).sum();
    Some(attribution)
}

/// A function, and the one that it is inlined in.
type Name<'a> = (&'a str, Option<&'a str>);

fn costs<'a>(samples: &'a MetricSamples) -> Option<BTreeMap<Name<'a>, Cost>> {
    let counted = samples.samples.iter().filter(|sample| sample.copy.is_some()).count();
    if counted == 0 || samples.pages == 0 || samples.functions.is_empty() {
        return None;
    }
    let pages = samples.pages as f64;
    let cost = |count: &FunctionCount| Cost {
        mean: count.instructions as f64 / (pages * counted as f64),
        range: count.most.saturating_sub(count.least) as f64 / pages,
    };
    let name = |count: &'a FunctionCount| (count.function.as_str(), count.inlined_in.as_deref());
    Some(samples.functions.iter().map(|count| (name(count), cost(count))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::Sample;

    /// Counts of each of two readings.
    fn side(pages: u64, functions: &[(&str, [u64; 2])]) -> MetricSamples {
        let count = |(name, [a, b]): &(&str, [u64; 2])| FunctionCount {
            function: name.split('@').next().unwrap().to_owned(),
            inlined_in: name.split_once('@').map(|(_, outer)| outer.to_owned()),
            instructions: a + b,
            least: *a.min(b),
            most: *a.max(b),
        };
        let sample = |phase| Sample { phase, value: 1, copy: Some(0) };
        MetricSamples {
            metric: "b.m".into(),
            pages,
            samples: vec![sample(0), sample(1)],
            functions: functions.iter().map(count).collect(),
        }
    }

    fn names(attribution: &Attribution) -> Vec<(&str, f64, f64)> {
        attribution.functions.iter().map(|change| (change.function.as_str(), change.base, change.patched)).collect()
    }

    #[test]
    fn the_function_that_got_dearer_is_first() {
        let base = side(10, &[("copy_page", [40960, 40960]), ("collect", [1000, 1000]), ("unmap", [500, 500])]);
        let patched = side(10, &[("copy_page", [40960, 40960]), ("collect", [1100, 1100]), ("unmap", [480, 480])]);
        let attribution = attribute(&base, &patched).unwrap();
        assert_eq!(names(&attribution), [("collect", 100.0, 110.0), ("unmap", 50.0, 48.0)]);
        assert_eq!((attribution.total, attribution.listed, attribution.note()), (8.0, 8.0, None));
    }

    #[test]
    fn a_function_that_was_split_shows_on_both_sides() {
        let base = side(1, &[("collect", [1000, 1000])]);
        let patched = side(1, &[("collect", [600, 600]), ("collect_one", [450, 450])]);
        let attribution = attribute(&base, &patched).unwrap();
        assert_eq!(names(&attribution), [("collect_one", 0.0, 450.0), ("collect", 1000.0, 600.0)]);
        assert_eq!(attribution.total, 50.0);
    }

    #[test]
    fn an_inlined_function_is_told_from_its_caller_and_from_its_other_copies() {
        let base = side(1, &[("collect", [1000, 1000]), ("look@collect", [10, 10]), ("look@unmap", [10, 10])]);
        let patched = side(1, &[("collect", [1001, 1001]), ("look@collect", [90, 90]), ("look@unmap", [10, 10])]);
        let attribution = attribute(&base, &patched).unwrap();
        let told: Vec<String> = attribution.functions.iter().map(ToString::to_string).collect();
        assert_eq!(told, ["look (inlined in collect)", "collect"]);
        assert!(attribution.inlined_apart);
        let blind = side(1, &[("collect", [1010, 1010]), ("unmap", [10, 10])]);
        assert!(!super::attribute(&blind, &patched).unwrap().inlined_apart);
    }

    #[test]
    fn interrupts_are_no_change() {
        let base = side(1, &[("collect", [1000, 1000]), ("tick", [0, 6000])]);
        let patched = side(1, &[("collect", [1010, 1010]), ("tick", [6000, 0]), ("softirq", [0, 900])]);
        let attribution = attribute(&base, &patched).unwrap();
        assert_eq!(names(&attribution), [("collect", 1000.0, 1010.0)]);
        assert_eq!((attribution.total, attribution.scattered), (460.0, 450.0));
        assert_eq!(
            attribution.note().unwrap(),
            "the functions listed change by +10.00 of +460.00 instructions a page; +450.00 are interrupts' or scatter \
             like them"
        );
    }

    #[test]
    fn a_change_counts_against_what_the_readings_scatter_a_page() {
        let base = side(10, &[("collect", [10_000, 10_200]), ("unmap", [5000, 5000]), ("scan", [10_000, 10_200])]);
        let patched = side(10, &[("collect", [10_150, 10_350]), ("unmap", [4900, 4900]), ("scan", [10_090, 10_290])]);
        let attribution = attribute(&base, &patched).unwrap();
        assert_eq!(names(&attribution), [("collect", 1010.0, 1025.0), ("unmap", 500.0, 490.0)]);
        assert_eq!((attribution.total, attribution.scattered), (14.0, 9.0));
    }

    #[test]
    fn small_changes_are_left_out_and_not_spoken_of() {
        let base = side(1, &[("collect", [1000, 1000]), ("unmap", [500, 500]), ("scan", [500, 500])]);
        let patched = side(1, &[("collect", [2000, 2000]), ("unmap", [510, 510]), ("scan", [509, 509])]);
        let attribution = attribute(&base, &patched).unwrap();
        assert_eq!(names(&attribution), [("collect", 1000.0, 2000.0), ("unmap", 500.0, 510.0)]);
        assert_eq!((attribution.total, attribution.listed, attribution.note()), (1019.0, 1010.0, None));
    }

    #[test]
    fn nothing_changed_between_equal_sides() {
        let base = side(1, &[("collect", [1000, 1020])]);
        let attribution = attribute(&base, &base).unwrap();
        assert_eq!((names(&attribution).len(), attribution.total, attribution.note()), (0, 0.0, None));
    }

    #[test]
    fn the_list_ends() {
        let functions: Vec<String> = (0..40).map(|number| format!("f{number:02}")).collect();
        let with = |extra: u64| {
            let counts: Vec<(&str, [u64; 2])> = functions.iter().map(|name| (name.as_str(), [extra; 2])).collect();
            side(1, &counts)
        };
        let attribution = attribute(&with(10), &with(11)).unwrap();
        assert_eq!(attribution.functions.len(), LISTED);
        assert_eq!((attribution.total, attribution.listed), (40.0, 12.0));
        assert!(attribution.note().unwrap().starts_with("the functions listed change by +12.00 of +40.00"));
    }

    #[test]
    fn without_counts_there_is_no_attribution() {
        let counted = side(1, &[("collect", [1, 1])]);
        let mut uncounted = counted.clone();
        uncounted.samples.iter_mut().for_each(|sample| sample.copy = None);
        assert_eq!(attribute(&counted, &uncounted), None);
        assert_eq!(attribute(&side(1, &[]), &counted), None);
    }
}
