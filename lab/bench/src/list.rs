//! The table of `-l`, as `kselftest_harness.h` prints it.
//!
//! There a fixture's variants and tests are independent of each other, and readers make their product. Here every
//! operation has its own tests, so each pair of place and operation is a block, and a place heads several.

use std::fmt::Write;

use crate::metric::Metric;

/// The table of these metrics, those of one place and operation being neighbours.
pub fn table(metrics: &[Metric]) -> String {
    let mut text = row("# FIXTURE", "VARIANT", "TEST");
    for block in metrics.chunk_by(|one, two| (one.place, one.operation) == (two.place, two.operation)) {
        for (at, metric) in block.iter().enumerate() {
            let (place, operation) = match at {
                0 => (metric.place.to_string(), metric.operation.to_string()),
                _ => Default::default(),
            };
            text += &row(&place, &operation, &metric.test());
        }
        writeln!(text, "{}", "-".repeat(80)).expect("a string takes every write");
    }
    text
}

fn row(fixture: &str, variant: &str, test: &str) -> String {
    format!("{fixture:<20} {variant:<25} {test}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric;

    #[test]
    fn a_block_is_headed_by_its_place_and_operation_once() {
        let metrics: Vec<Metric> =
            ["private.snapshot.thp-2M", "private.snapshot.thp-16M", "private.read.thp-2M", "coherent.read.thp-2M"]
                .map(|name| Metric::find(name).unwrap())
                .into();
        let rule = "-".repeat(80);
        let expected = [
            "# FIXTURE            VARIANT                   TEST",
            "private              snapshot                  thp-2M",
            "                                               thp-16M",
            &rule,
            "private              read                      thp-2M",
            &rule,
            "coherent             read                      thp-2M",
            &rule,
        ];
        assert_eq!(table(&metrics).lines().collect::<Vec<_>>(), expected);
    }

    /// What a reader of such tables makes of it: every variant of a block with every test of it.
    #[test]
    fn the_product_of_each_block_is_exactly_the_metrics() {
        let table = table(&metric::all());
        let mut names = Vec::new();
        for block in table.split_once('\n').unwrap().1.split(&format!("{}\n", "-".repeat(80))) {
            let mut lines = block.lines();
            let Some(first) = lines.next() else { continue };
            let words: Vec<&str> = first.split_whitespace().collect();
            let tests = [words[2]].into_iter().chain(lines.map(str::trim));
            names.extend(tests.map(|test| format!("{}.{}.{test}", words[0], words[1])));
        }
        assert_eq!(names, metric::all().iter().map(Metric::to_string).collect::<Vec<_>>());
    }
}
