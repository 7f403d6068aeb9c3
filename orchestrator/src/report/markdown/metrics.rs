//! Metrics in Markdown: tables in the layout that readers of the kernel's lists know.

use super::super::labels;
use super::super::model::Report;
use super::super::numbers::{self, Measured};
use super::escape::{block, code, text};
use super::{line, title};
use crate::term::text::count;

/// Rows of a table; the others are counted.
const MAX_ROWS: usize = 40;

pub fn metrics(out: &mut String, report: &Report) {
    let measured = numbers::measured(report);
    if measured.is_empty() {
        return;
    }
    title(out, "Metrics, base against patched");
    for (index, place) in measured.iter().enumerate() {
        if index > 0 {
            line(out, "");
        }
        of_place(out, place);
    }
}

fn of_place(out: &mut String, place: &Measured<'_>) {
    let counts: Vec<String> =
        place.counts().into_iter().map(|(change, n)| format!("{n} {}", labels::metric_change(change).word)).collect();
    let where_to = [place.tree, place.kconfig, place.machine].map(code).join(" · ");
    line(out, &format!("{where_to}, {}: {}.", labels::clock(place.clock), counts.join(", ")));
    line(out, &format!("{}. {} {}", place.effort(), place.visible_text(), labels::blind(place.clock)));
    let changed = place.changed();
    if !changed.is_empty() {
        let unit = &changed[0].unit;
        let mut rows = vec![format!("{unit}\n{}", numbers::robot_head("base", "patched"))];
        rows.extend(changed.iter().take(MAX_ROWS).map(|row| {
            numbers::robot_line(row.base.as_ref(), row.effect.as_ref(), row.patched.as_ref(), &numbers::name(row))
        }));
        table(out, rows, changed.len());
        line(out, "");
        for row in changed.iter().take(MAX_ROWS) {
            let interval = row.effect.map(|effect| format!("95% interval {}", numbers::interval(&effect)));
            let mut about: Vec<String> = interval.into_iter().collect();
            about.extend(
                row.steps.iter().map(|step| format!("{} ({})", numbers::step(step), text(&step.patch.subject))),
            );
            about.extend(numbers::main_function(row).map(|function| code(&function)));
            about.extend(row.note.as_deref().map(text));
            line(out, &format!("- {}: {}", code(&numbers::name(row)), about.join("; ")));
        }
    }
    if !place.walks.is_empty() {
        line(out, "");
        line(out, "What one walk of the page tables (migrate on fault) saves over two, on the patched kernel:");
        let mut rows = vec![numbers::robot_head("otherwise", "one walk")];
        rows.extend(place.walks.iter().take(MAX_ROWS).map(|row| {
            numbers::robot_line(Some(&row.two), row.effect.as_ref(), Some(&row.one), &numbers::walk_name(row))
        }));
        table(out, rows, place.walks.len());
    }
}

fn table(out: &mut String, mut rows: Vec<String>, all: usize) {
    if all > MAX_ROWS {
        rows.push(format!("and {}", count((all - MAX_ROWS) as u64, "more row")));
    }
    line(out, "");
    out.push_str(&block(&rows.join("\n")));
}
