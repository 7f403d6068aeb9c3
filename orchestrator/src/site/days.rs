//! The calendar of nights.

use jiff::ToSpan;
use jiff::civil::{Date, Weekday};

use super::layout::{self, Mark};
use crate::nightly::{NightRecord, RunOutcome};

/// Weeks that are shown.
const WEEKS: i32 = 16;

/// One day of the calendar.
pub struct Day {
    /// The mark of its nights; a dot without one.
    pub mark: &'static str,
    /// Class of its tone.
    pub class: &'static str,
    /// Where its night is told; empty without one.
    pub href: String,
    /// The same in words.
    pub title: String,
}

/// One week, Monday first.
pub struct Week {
    /// The month, in its first week.
    pub month: String,
    /// Seven days; those to come are blank.
    pub days: Vec<Day>,
}

/// How a whole night looks: by its worst run.
pub fn night_mark(night: &NightRecord) -> Mark {
    let worst = night.runs.iter().map(|(_, last)| last.outcome).max_by_key(|outcome| match outcome {
        RunOutcome::Clean => 0,
        RunOutcome::Interrupted => 1,
        RunOutcome::Infra => 2,
        RunOutcome::BaseBroken => 3,
        RunOutcome::Findings => 4,
    });
    match (worst, night.ended, night.troubles.is_empty()) {
        (Some(RunOutcome::Clean | RunOutcome::Interrupted) | None, _, false) => {
            Mark { mark: "!", word: "trouble", class: "warn" }
        }
        (Some(outcome), _, _) => layout::outcome(outcome),
        (None, None, true) => Mark { mark: "◦", word: "cut off", class: "dim" },
        (None, Some(_), true) => Mark { mark: "–", word: "nothing new", class: "dim" },
    }
}

/// The last weeks up to `today`.
pub fn calendar(nights: &[NightRecord], today: Date) -> Vec<Week> {
    let monday = today.nth_weekday(-1, Weekday::Monday).unwrap_or(today);
    let monday = if today.weekday() == Weekday::Monday { today } else { monday };
    let mut weeks = Vec::new();
    for back in (0..WEEKS).rev() {
        let Ok(first) = monday.checked_sub((i64::from(back) * 7).days()) else { continue };
        let dates: Vec<Date> = first.series(1.day()).take(7).collect();
        let begins = dates.iter().any(|date| date.day() == 1) || back == WEEKS - 1;
        let month = dates.last().filter(|_| begins).map(|date| date.strftime("%b").to_string());
        let days = dates.into_iter().map(|date| day(nights, date, today)).collect();
        weeks.push(Week { month: month.unwrap_or_default(), days });
    }
    weeks
}

fn day(nights: &[NightRecord], date: Date, today: Date) -> Day {
    let name = date.to_string();
    let of_day: Vec<&NightRecord> =
        nights.iter().filter(|night| night.night == name || night.night.starts_with(&format!("{name}."))).collect();
    // The last one of a day is what people mean by it, unless it had nothing to do.
    let night = of_day.iter().rev().find(|night| !night.runs.is_empty()).or(of_day.last());
    match night {
        Some(night) => {
            let mark = night_mark(night);
            Day {
                mark: mark.mark,
                class: mark.class,
                href: format!("#night-{}", night.night),
                title: format!("{name}: {}", mark.word),
            }
        }
        None if date > today => Day { mark: "", class: "future", href: String::new(), title: String::new() },
        None => Day { mark: "·", class: "empty", href: String::new(), title: format!("{name}: no night") },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_calendar_ends_with_the_week_of_today() {
        // A Wednesday, a Monday, a Sunday.
        for (today, future) in [("2026-11-25", 4), ("2026-11-23", 6), ("2026-11-29", 0)] {
            let today: Date = today.parse().unwrap();
            let weeks = calendar(&[], today);
            assert_eq!(weeks.len(), 16);
            assert!(weeks.iter().all(|week| week.days.len() == 7));
            let last = &weeks[15].days;
            assert_eq!(last.iter().filter(|day| day.class == "future").count(), future, "{today}");
            let titles: Vec<&str> = last.iter().map(|day| day.title.as_str()).collect();
            assert!(titles.contains(&format!("{today}: no night").as_str()), "{titles:?}");
        }
    }
}
