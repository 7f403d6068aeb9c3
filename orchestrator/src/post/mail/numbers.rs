//! What was measured, with its uncertainty, in the layout of the kernel test robot.

use super::page::Page;
use crate::report::labels;
use crate::report::model::{Report, RunVerdict};
use crate::report::numbers::{self, Measured};
use crate::words::MetricComparison;

/// Rows of a table; the others are counted.
const MAX_ROWS: usize = 6;

/// All places that measured.
pub(super) fn numbers(page: &mut Page, report: &Report) {
    for place in numbers::measured(report) {
        of_place(page, report, &place);
    }
}

fn of_place(page: &mut Page, report: &Report, place: &Measured<'_>) {
    let counts: Vec<String> = place
        .counts()
        .into_iter()
        .map(|(change, n)| format!("{n} {}", labels::metric_change(change).word.to_lowercase()))
        .collect();
    page.paragraph(&format!(
        "Metrics on {}, {}: {}; {}. {} {}",
        place.place(),
        labels::clock(place.clock),
        counts.join(", "),
        place.effort(),
        place.visible_text(),
        labels::blind(place.clock)
    ));
    let mut changed = place.changed_metrics();
    // Those that findings name come first; the others stay in their order, largest change first.
    let is_named =
        |row: &MetricComparison| report.findings.iter().any(|finding| finding.metric.as_ref() == Some(&row.metric));
    changed.sort_by_key(|rows| !is_named(rows[0]));
    let rows: Vec<&MetricComparison> = changed.into_iter().flatten().collect();
    // A clean run fits one screen; what changed without being a problem stands among the notices.
    if rows.is_empty() || report.verdict == RunVerdict::Clean {
        return;
    }
    page.gap();
    page.line(&rows[0].unit);
    page.line("");
    let mut table = vec![numbers::robot_head("base", "patched")];
    for row in rows.iter().take(MAX_ROWS) {
        let name = numbers::name(row);
        table.push(numbers::robot_line(row.base.as_ref(), row.effect.as_ref(), row.patched.as_ref(), &name));
        let interval = row.effect.map(|effect| format!("95% interval {}", numbers::interval(&effect)));
        let mut about: Vec<String> = interval.into_iter().collect();
        about.extend(row.steps.iter().map(numbers::step));
        about.extend(numbers::main_function(row));
        table.push(format!("{:21}{}", "", about.join("; ")));
    }
    if rows.len() > MAX_ROWS {
        table.push(format!("and {} more", rows.len() - MAX_ROWS));
    }
    page.table(&table);
}
