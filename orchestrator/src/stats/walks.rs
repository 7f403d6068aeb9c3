//! What one walk of the page tables saves over two.
//!
//! A driver that wants memory both present and migrated either asks for both at once (`migrate-on-fault`, one walk) or
//! does it one after the other (`fault-then-migrate`). The benchmark accesses the memory in both, so that they do the
//! same work but for the walk; plain migration (`to-device`) accesses nothing and is no match for either. Both are
//! measured in the same boot of the same kernel.

use super::compare::{Place, judge, unit};
use super::outcome::Outcome;
use super::sides::{Sides, side};
use super::wall::Candidate;
use crate::words::{MetricName, MetricSamples, OperationComparison};

/// One walk.
const ONE_WALK: &str = "migrate-on-fault";

/// Two walks.
const TWO_WALKS: &str = "fault-then-migrate";

/// The metric that does the same in two walks; `None` for any other operation than one walk.
fn other(name: MetricName<'_>) -> Option<String> {
    (name.operation == ONE_WALK).then(|| MetricName { operation: TWO_WALKS, ..name }.to_string())
}

/// Compares one walk with two for every device, memory and size that one side measured both ways; empty where the
/// kernel cannot do it in one. Ordered by device, memory, part and size.
pub fn walks(place: Place<'_>, boots: &[Vec<MetricSamples>]) -> Vec<OperationComparison> {
    let mut seen: Vec<&str> = Vec::new();
    let mut pairs = Vec::new();
    for samples in boots.iter().flatten() {
        let one = samples.metric.as_str();
        let Some(name) = MetricName::parse(one) else { continue };
        if seen.contains(&one) {
            continue;
        }
        seen.push(one);
        let Some(other) = other(name) else { continue };
        let sides = Sides::between(&other, boots, one, boots);
        if sides.base.is_empty() || sides.patched.is_empty() {
            continue;
        }
        for part in sides.parts() {
            pairs.push((name, Candidate { sides: sides.clone(), part, learned: None }));
        }
    }
    let candidates: Vec<Candidate<'_>> = pairs.iter().map(|(_, candidate)| candidate.clone()).collect();
    let outcomes = judge(place.clock, &candidates);
    let mut rows: Vec<OperationComparison> = pairs
        .iter()
        .zip(outcomes)
        .filter_map(|((name, candidate), outcome)| row(place, *name, candidate, outcome))
        .collect();
    rows.sort_by(|a, b| {
        (&a.device, &a.memory, a.part, a.pages, &a.size).cmp(&(&b.device, &b.memory, b.part, b.pages, &b.size))
    });
    rows
}

fn row(
    place: Place<'_>,
    name: MetricName<'_>,
    candidate: &Candidate<'_>,
    outcome: Outcome,
) -> Option<OperationComparison> {
    let Candidate { sides, part, .. } = candidate;
    Some(OperationComparison {
        tree: place.tree.to_owned(),
        kconfig: place.kconfig.to_owned(),
        machine: place.machine.to_owned(),
        clock: place.clock,
        unit: unit(place.clock, sides.base.first()?.pages).to_owned(),
        device: name.device.to_owned(),
        memory: name.memory.to_owned(),
        size: name.size.to_owned(),
        pages: sides.base.first()?.pages,
        part: *part,
        two_operation: TWO_WALKS.to_owned(),
        one_operation: ONE_WALK.to_owned(),
        two: side(&sides.base, *part)?,
        one: side(&sides.patched, *part)?,
        change: outcome.change,
        effect: outcome.effect,
        note: outcome.note,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::testing::Guest;
    use crate::words::{Clock, MetricChange, Part};

    const PLACE: Place<'static> = Place { tree: "t", kconfig: "hmm", machine: "qemu", clock: Clock::Instructions };

    #[test]
    fn what_does_the_same() {
        let other_of = |metric: &str| other(MetricName::parse(metric).unwrap());
        let two = "s.private.fault-then-migrate.absent-write-4K".to_owned();
        assert_eq!(other_of("s.private.migrate-on-fault.absent-write-4K"), Some(two));
        assert_eq!(other_of("s.private.to-device.cow-2M"), None);
    }

    #[test]
    fn one_walk_is_set_against_two_and_not_against_what_does_less() {
        let measure = |name: &str, pages, percent| Guest::plain().walk_more(percent).measure(name, pages, 8);
        let boot = vec![
            measure("hmm-bench.private.to-device.present-2M", 512, 0.0),
            measure("hmm-bench.private.fault-then-migrate.present-2M", 512, 9.0),
            measure("hmm-bench.private.migrate-on-fault.present-2M", 512, 4.0),
            measure("hmm-bench.private.migrate-on-fault.absent-2M", 512, -20.0),
            measure("hmm-bench.private.fault-then-migrate.absent-2M", 512, 0.0),
            measure("hmm-bench.private.migrate-on-fault.absent-64K", 16, -20.0),
            measure("hmm-bench.private.fault-then-migrate.absent-64K", 16, 0.0),
            measure("hmm-bench.private.to-device.absent-64K", 16, 0.0),
            measure("hmm-bench.coherent.migrate-on-fault.present-2M", 512, 0.0),
        ];
        let rows = walks(PLACE, &[boot]);
        let say =
            |row: &OperationComparison| (row.memory.clone(), row.size.clone(), row.two_operation.clone(), row.change);
        let expected = [
            ("absent", "64K", "fault-then-migrate", MetricChange::Improved),
            ("absent", "2M", "fault-then-migrate", MetricChange::Improved),
            ("present", "2M", "fault-then-migrate", MetricChange::Improved),
        ];
        let whole: Vec<_> = rows.iter().filter(|row| row.part == Part::Whole).map(say).collect();
        assert_eq!(whole, expected.map(|(memory, size, two, change)| (memory.into(), size.into(), two.into(), change)));
        let saved = rows.iter().find(|row| row.part == Part::WithoutCopy && row.size == "2M").unwrap();
        assert!((saved.effect.unwrap().estimate + 0.2).abs() < 0.002, "{saved:?}");
        assert!(saved.one.median < saved.two.median);
    }

    #[test]
    fn a_kernel_that_needs_two_walks_has_no_table() {
        let boot = vec![Guest::plain().measure("hmm-bench.private.to-device.present-2M", 512, 8)];
        assert_eq!(walks(PLACE, &[boot]), []);
    }
}
