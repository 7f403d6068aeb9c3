//! Metrics on a terminal: those that changed, and a line about the others.

use super::super::labels;
use super::super::model::Report;
use super::super::numbers::{self, Measured};
use super::Page;
use crate::term::text::{count, pad};
use crate::words::MetricComparison;

/// Changed metrics shown; the others are counted.
const MAX_METRICS: usize = 8;

pub fn metrics(page: &mut Page, report: &Report) {
    let measured = numbers::measured(report);
    if measured.is_empty() {
        return;
    }
    page.title("Metrics, base against patched");
    for place in &measured {
        of_place(page, place);
    }
}

fn of_place(page: &mut Page, place: &Measured<'_>) {
    let counts: Vec<String> =
        place.counts().into_iter().map(|(change, n)| format!("{n} {}", labels::metric_change(change).word)).collect();
    let clock = labels::clock(place.clock);
    page.hang("  ", 4, &format!("{}, {clock}: {}", place.place(), counts.join(", ")));
    let changed = place.changed_metrics();
    for rows in changed.iter().take(MAX_METRICS) {
        one(page, rows);
    }
    if changed.len() > MAX_METRICS {
        let more = count((changed.len() - MAX_METRICS) as u64, "more metric");
        page.hang("    ", 4, &format!("{more} changed; report.html has all."));
    }
    for saved in place.saved() {
        page.hang("    ", 4, &saved);
    }
    page.hang("    ", 4, &format!("{}. {} {}", place.effort(), place.visible_text(), labels::blind(place.clock)));
}

/// One metric: by how much it changed, whole and without copies, which patch and which function.
fn one(page: &mut Page, rows: &[&MetricComparison]) {
    let Some(row) = rows.first() else { return };
    let label = labels::metric_change(row.change);
    let word = page.paint(label.tone, &pad(&label.marked(), 12));
    let change = |row: &&MetricComparison| {
        let effect = row.effect?;
        Some(format!("{}{} ({})", numbers::signed(effect.estimate), labels::part(row.part), numbers::interval(&effect)))
    };
    let changes: Vec<String> = rows.iter().filter_map(change).collect();
    let mut about = vec![format!("{} {}", row.metric, changes.join(", "))];
    about.extend(row.steps.iter().map(numbers::step));
    about.extend(numbers::main_function(row));
    page.hang(&format!("  {word}"), 14, &about.join("; "));
}
