//! What a run looks like on a terminal and in a log: events and the state of a run, as lines.

use std::time::Duration;

use super::text::{clock, count, pad, truncate, visible, width, wrap};
use super::{Progress, Running, Styles};
use crate::words::{Event, Finding, Severity, UnitOutcome};

/// Most lines the moving part may take.
pub const MAX_LINES: usize = 8;

/// Column at which text begins, after the word that says what it is.
const INDENT: usize = 9;

/// Columns kept of one paragraph: reasons and summaries may quote what a guest said.
const MAX_TEXT: usize = 800;

/// The lines an event leaves behind for good, or none when only the moving part changes.
pub fn event(event: &Event, columns: usize, styles: &Styles) -> Vec<String> {
    match event {
        Event::RunStarted { run, format: _, command: _, resumed } => {
            let resumed = if *resumed { ", resumed" } else { "" };
            hang(&styles.strong("    run  "), &format!("{}{resumed}", visible(run)), columns)
        }
        Event::Planned { .. } | Event::UnitStarted { .. } | Event::UnitProgress { .. } => Vec::new(),
        // What was there already is counted, not listed; unless it is bad news.
        Event::UnitEnded { outcome: UnitOutcome::Done, reused: true, .. } => Vec::new(),
        Event::UnitEnded { unit, attempt, outcome, reused, wall_ms, kind: _, key: _ } => {
            let (word, reason) = outcome_words(outcome, styles);
            let took = if *reused { "reused".to_owned() } else { clock(*wall_ms) };
            let attempt = if *attempt > 1 { format!(" (attempt {attempt})") } else { String::new() };
            let reason = reason.map(|reason| format!(": {}", visible(reason))).unwrap_or_default();
            hang(&word, &format!("{took} {}{attempt}{reason}", visible(unit)), columns)
        }
        Event::Found { finding } => found(finding, columns, styles),
        Event::Note { message } => hang(&styles.dim("   note  "), &visible(message), columns),
        Event::RunEnded { .. } => Vec::new(),
    }
}

/// A finding in one paragraph.
fn found(finding: &Finding, columns: usize, styles: &Styles) -> Vec<String> {
    let word = match finding.severity {
        Severity::Problem => styles.bad("PROBLEM  "),
        Severity::Notice => styles.warn(" notice  "),
    };
    let mut place = vec![visible(&finding.revision)];
    place.extend(finding.kconfig.as_deref().map(visible));
    place.extend(finding.test.as_deref().map(visible));
    hang(&word, &format!("{}: {}", place.join(", "), visible(&finding.summary)), columns)
}

/// The word of an outcome, [`INDENT`] columns wide, and the reason it gives.
fn outcome_words<'a>(outcome: &'a UnitOutcome, styles: &Styles) -> (String, Option<&'a str>) {
    match outcome {
        UnitOutcome::Done => (styles.good("   done  "), None),
        UnitOutcome::Failed { reason } => (styles.bad(" FAILED  "), Some(reason)),
        UnitOutcome::Infra { reason } => (styles.warn("  INFRA  "), Some(reason)),
        UnitOutcome::NotRun { reason } => (styles.dim("not run  "), Some(reason)),
    }
}

/// A word and a paragraph that hangs beside it.
fn hang(word: &str, text: &str, columns: usize) -> Vec<String> {
    let lines = wrap(&truncate(text, MAX_TEXT), columns.saturating_sub(INDENT).max(20));
    let word_then_indent = std::iter::once(word.to_owned()).chain(std::iter::repeat(" ".repeat(INDENT)));
    word_then_indent.zip(lines).map(|(start, line)| start + &line).collect()
}

/// The moving part: what is running and how far the run is, at most [`MAX_LINES`] lines none of which is wider than
/// `columns`.
pub fn status(progress: &Progress, now: Duration, columns: usize, styles: &Styles) -> Vec<String> {
    let running = progress.running();
    let room = MAX_LINES - 1;
    let shown = if running.len() > room { room - 1 } else { running.len() };
    let name_columns = running[..shown].iter().map(|unit| width(&visible(&unit.unit))).max().unwrap_or(0);
    // Where there is hardly room for a name, nothing stands beside it.
    let name_columns = if columns < 40 { name_columns } else { name_columns.min(columns / 2) };
    let mut lines: Vec<String> =
        running[..shown].iter().map(|unit| running_line(unit, now, name_columns, columns)).collect();
    if shown < running.len() {
        lines.push(truncate(&format!("         and {} more", running.len() - shown), columns));
    }
    lines.push(overall(progress, now, columns, styles));
    lines
}

fn running_line(unit: &Running, now: Duration, name_columns: usize, columns: usize) -> String {
    let elapsed = clock(millis(now.saturating_sub(unit.since)));
    let mut line = format!("{elapsed:>7}  {}", pad(&truncate(&visible(&unit.unit), name_columns), name_columns));
    if unit.attempt > 1 {
        line.push_str(&format!("  attempt {}", unit.attempt));
    }
    if let Some(steps) = steps(unit) {
        line.push_str("  ");
        line.push_str(&steps);
    }
    if !unit.message.is_empty() {
        line.push_str("  ");
        line.push_str(&visible(&unit.message));
    }
    truncate(line.trim_end(), columns)
}

fn steps(unit: &Running) -> Option<String> {
    match (unit.done, unit.total) {
        (0, 0) => None,
        (done, 0) => Some(done.to_string()),
        (done, total) => Some(format!("{:>3}%", done.min(total) * 100 / total)),
    }
}

/// `[=====>    ]  12/42 units  3 reused  12:34  about 8 min left  1 problem`, as much of it as fits.
fn overall(progress: &Progress, now: Duration, columns: usize, styles: &Styles) -> String {
    let (ended, total) = progress.units();
    let (problems, notices) = progress.findings();
    let left = progress.left_ms(now).filter(|_| ended < total).map(time_left);
    // Most important first: what does not fit is left out from the end.
    let mut parts = vec![format!("{ended}/{total} units"), clock(millis(now))];
    parts.extend(left);
    if problems > 0 {
        parts.push(count(problems as u64, "problem"));
    }
    if notices > 0 {
        parts.push(count(notices as u64, "notice"));
    }
    if progress.reused() > 0 {
        parts.push(format!("{} reused", progress.reused()));
    }
    let mut text = parts.remove(0);
    for part in parts {
        if width(&text) + 2 + width(&part) > columns {
            break;
        }
        text = format!("{text}  {part}");
    }
    let bar_columns = columns.saturating_sub(width(&text) + 4).min(30);
    if bar_columns < 8 {
        return styles.strong(truncate(&text, columns));
    }
    format!("[{}]  {}", bar(ended, total, bar_columns), styles.strong(text))
}

fn bar(done: usize, total: usize, columns: usize) -> String {
    let filled = (done * columns).checked_div(total).unwrap_or(0).min(columns);
    let mut bar = "=".repeat(filled);
    if 0 < filled && filled < columns {
        bar.pop();
        bar.push('>');
    }
    pad(&bar, columns)
}

fn time_left(ms: u64) -> String {
    match ms.div_ceil(60_000) {
        0 | 1 => "about 1 min left".to_owned(),
        minutes @ 2..60 => format!("about {minutes} min left"),
        minutes => format!("about {} h {:02} min left", minutes / 60, minutes % 60),
    }
}

/// An event as lines of a log; progress is left to the caller, who knows when a unit last spoke.
pub fn plain(event: &Event, now: Duration) -> Vec<String> {
    let styles = Styles::plain();
    let text = match event {
        Event::RunStarted { run, command, resumed, format: _ } => {
            let began = if *resumed { "resumed" } else { "began" };
            format!("run {} {began}: {}", visible(run), visible(command))
        }
        Event::Planned { units, reused, pending } => {
            let usual: Option<u64> = pending.iter().map(|unit| unit.usual_ms).sum();
            let usual = usual.filter(|usual| *usual > 0).map(clock);
            let usual = usual.map(|usual| format!("; the others are usually {usual} of work")).unwrap_or_default();
            // Before anything was looked up, nothing can be said of what is there.
            let looked_up = *reused > 0 || !pending.is_empty();
            let known = if looked_up { format!(", of which {reused} are there already") } else { String::new() };
            format!("plan: {}{known}{usual}", count(*units as u64, "unit"))
        }
        Event::UnitStarted { unit, attempt, kind: _ } => {
            let attempt = if *attempt > 1 { format!(", attempt {attempt}") } else { String::new() };
            format!("start   {}{attempt}", visible(unit))
        }
        Event::UnitProgress { unit, done, total, message } => {
            let steps = match (done, total) {
                (0, 0) => String::new(),
                (done, 0) => format!(" {done}"),
                (done, total) => format!(" {done}/{total}"),
            };
            format!("        {}{steps} {}", visible(unit), visible(message))
        }
        Event::UnitEnded { outcome: UnitOutcome::Done, reused: true, .. } => return Vec::new(),
        Event::UnitEnded { unit, outcome, reused, wall_ms, attempt: _, kind: _, key: _ } => {
            let (word, reason) = outcome_words(outcome, &styles);
            let took = if *reused { "reused".to_owned() } else { clock(*wall_ms) };
            let reason = reason.map(|reason| format!(": {}", visible(reason))).unwrap_or_default();
            format!("{} {} ({took}){reason}", pad(word.trim(), 7), visible(unit))
        }
        Event::Found { finding } => found(finding, usize::MAX, &styles).concat(),
        Event::Note { message } => format!("note    {}", visible(message)),
        Event::RunEnded { verdict, wall_ms } => format!("run ended: {} after {}", visible(verdict), clock(*wall_ms)),
    };
    vec![format!("[{:>7}] {}", clock(millis(now)), truncate(text.trim_end(), MAX_TEXT))]
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
#[path = "lines_tests.rs"]
mod tests;
