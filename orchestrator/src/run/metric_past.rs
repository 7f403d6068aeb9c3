//! What metrics cost in earlier runs, from their reports.

use std::collections::BTreeSet;

use camino::Utf8Path;
use serde::Deserialize;

use super::folder;
use crate::stats;
use crate::words::{HistoryPoint, MetricComparison, MetricHistory};

/// So many of the newest runs with metrics are looked at.
const RUNS: usize = 30;

/// The part of a report that says what metrics cost.
#[derive(Debug, Clone, Deserialize)]
struct Past {
    run: RunPart,
    series: SeriesPart,
    #[serde(default)]
    metrics: Vec<MetricComparison>,
}

#[derive(Debug, Clone, Deserialize)]
struct RunPart {
    id: String,
}

#[derive(Debug, Clone, Deserialize)]
struct SeriesPart {
    name: String,
}

/// Earlier runs that measured something, oldest first.
#[derive(Debug, Clone, Default)]
pub struct MetricPast {
    runs: Vec<Past>,
}

impl MetricPast {
    /// Reads the newest runs below `results` that are older than `run`. A report that cannot be read says nothing:
    /// this only shows trends and raises thresholds.
    pub fn read(results: &Utf8Path, run: &str) -> MetricPast {
        let names = folder::names(results).unwrap_or_default();
        let older = names.iter().rev().filter(|name| name.as_str() < run);
        let reports = older.filter_map(|name| {
            let text = fs_err::read(results.join(name).join("report.json")).ok()?;
            serde_json::from_slice::<Past>(&text).ok().filter(|past| !past.metrics.is_empty())
        });
        let mut runs: Vec<Past> = reports.take(RUNS).collect();
        runs.reverse();
        MetricPast { runs }
    }

    /// What the base cost at a place, oldest first: the less steady it was, the larger a change must be. Only runs that
    /// measured just these metrics count, because what is measured before a metric matters to it.
    pub fn of_base(&self, place: stats::Place<'_>, names: &BTreeSet<&str>) -> stats::History {
        let mut history = stats::History::default();
        let alike = |past: &&Past| {
            let here = past.metrics.iter().filter(|metric| at(metric, place) && metric.base.is_some());
            here.map(|metric| metric.metric.as_str()).collect::<BTreeSet<_>>() == *names
        };
        let comparisons = self.runs.iter().filter(alike).flat_map(|past| &past.metrics);
        for comparison in comparisons.filter(|metric| at(metric, place)) {
            if let Some(base) = comparison.base {
                let key = (comparison.metric.clone(), comparison.part);
                history.base.entry(key).or_default().push(base.median);
            }
        }
        history
    }

    /// The past of every metric of this run, this run last.
    pub fn with(&self, run: &str, series: &str, metrics: &[MetricComparison]) -> Vec<MetricHistory> {
        let point = |run: &str, series: &str, metric: &MetricComparison| HistoryPoint {
            run: run.to_owned(),
            series: series.to_owned(),
            base: metric.base.map(|side| side.median),
            patched: metric.patched.map(|side| side.median),
        };
        let history = metrics.iter().map(|metric| {
            let earlier = self.runs.iter().flat_map(|past| {
                let same = past.metrics.iter().filter(|other| same(other, metric));
                same.map(|other| point(&past.run.id, &past.series.name, other))
            });
            MetricHistory {
                metric: metric.metric.clone(),
                part: metric.part,
                machine: metric.machine.clone(),
                clock: metric.clock,
                unit: metric.unit.clone(),
                points: earlier.chain([point(run, series, metric)]).collect(),
            }
        });
        history.filter(|history| history.points.len() > 1).collect()
    }
}

fn at(metric: &MetricComparison, place: stats::Place<'_>) -> bool {
    metric.tree == place.tree
        && metric.kconfig == place.kconfig
        && metric.machine == place.machine
        && metric.clock == place.clock
}

fn same(one: &MetricComparison, other: &MetricComparison) -> bool {
    let place = stats::Place { tree: &one.tree, kconfig: &one.kconfig, machine: &one.machine, clock: one.clock };
    one.metric == other.metric && one.part == other.part && at(other, place)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::{Clock, MetricChange, MetricSide, Part};

    fn metric(kconfig: &str, base: f64) -> MetricComparison {
        let side = |median| Some(MetricSide { median, spread: 0.0, readings: 8, boots: 1 });
        MetricComparison {
            metric: "a".into(),
            part: Part::Whole,
            tree: "t".into(),
            kconfig: kconfig.into(),
            machine: "m".into(),
            clock: Clock::Instructions,
            unit: "instructions/page".into(),
            pages: 1,
            change: MetricChange::Unchanged,
            base: side(base),
            patched: side(base + 1.0),
            effect: None,
            functions: Vec::new(),
            inlined_apart: false,
            steps: Vec::new(),
            note: None,
        }
    }

    #[test]
    fn earlier_runs_are_read_and_later_ones_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let results = Utf8Path::from_path(folder.path()).unwrap();
        for (run, base) in [("20260101-000000-v6", 10.0), ("20260102-000000-v6", 11.0), ("20260104-000000-v6", 99.0)] {
            fs_err::create_dir_all(results.join(run)).unwrap();
            fs_err::write(results.join(run).join("run.json"), "{}").unwrap();
            let metrics = [metric("hmm", base), metric("other", 5.0)];
            let report = serde_json::json!({"run": {"id": run}, "series": {"name": "v6"}, "metrics": metrics});
            fs_err::write(results.join(run).join("report.json"), report.to_string()).unwrap();
        }
        fs_err::write(results.join("20260101-000000-v6/run.json"), "{}").unwrap();
        let past = MetricPast::read(results, "20260103-000000-v6");
        let place = stats::Place { tree: "t", kconfig: "hmm", machine: "m", clock: Clock::Instructions };
        let same = BTreeSet::from(["a"]);
        assert_eq!(past.of_base(place, &same).base[&("a".to_owned(), Part::Whole)], [10.0, 11.0]);
        assert!(past.of_base(place, &BTreeSet::from(["a", "b"])).base.is_empty(), "another selection");
        let history = past.with("20260103-000000-v6", "v6", &[metric("hmm", 12.0)]);
        let points: Vec<_> = history[0].points.iter().map(|point| (point.base, point.patched)).collect();
        assert_eq!(points, [(Some(10.0), Some(11.0)), (Some(11.0), Some(12.0)), (Some(12.0), Some(13.0))]);
        assert!(past.with("r", "v6", &[metric("new", 1.0)]).is_empty(), "nothing to compare with");
    }
}
