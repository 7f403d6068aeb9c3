//! Issues that are past their day, and issues that match nothing any more. Pure.

use std::collections::BTreeSet;

use jiff::civil::Date;

use super::file::{KnownIssue, KnownIssues};
use crate::report::model::{Report, RunVerdict};

/// A run of the past.
#[derive(Debug, Clone, Copy)]
pub struct Past<'a> {
    /// The day on which it began.
    pub day: Date,
    /// What it found.
    pub report: &'a Report,
}

/// How an issue stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Age {
    /// It applies.
    InForce,
    /// Its day is past: it no longer applies.
    Expired,
    /// It matched nothing on the last days on which it could have.
    Stale {
        /// How many days.
        days: usize,
    },
}

/// An issue and how it stands.
#[derive(Debug, Clone)]
pub struct Aged<'a> {
    /// The issue.
    pub issue: &'a KnownIssue,
    /// How it stands.
    pub age: Age,
    /// The last run with a finding that it matches, and its day.
    pub last: Option<(String, Date)>,
}

impl Aged<'_> {
    /// What a person should do about it; `None` when nothing.
    pub fn advice(&self) -> Option<String> {
        let name = &self.issue.entry.name;
        match &self.age {
            Age::InForce => None,
            Age::Expired => Some(format!(
                "the known issue `{name}` expired on {}: give it a new day in results/known-issues.yaml, or remove it",
                self.issue.expires
            )),
            Age::Stale { days } => Some(format!(
                "the known issue `{name}` matched nothing on the last {days} days on which it could have: it may be \
                 mended, remove it from results/known-issues.yaml"
            )),
        }
    }
}

/// How every issue stands on a day, by the runs of the past in any order. An issue is stale when it matched nothing on
/// the last `stale` days on which a run looked at what it is about.
pub fn age<'a>(known: &'a KnownIssues, today: Date, stale: usize, past: &[Past<'_>]) -> Vec<Aged<'a>> {
    let aged = |issue: &'a KnownIssue| {
        let hits = past.iter().filter(|past| past.report.findings.iter().any(|finding| issue.matches(finding)));
        let last = hits.max_by_key(|past| past.day).map(|past| (past.report.run.id.clone(), past.day));
        let since = last.as_ref().map(|(_, day)| *day);
        let could: BTreeSet<Date> = past
            .iter()
            .filter(|past| since.is_none_or(|since| past.day > since) && could_match(issue, past.report))
            .map(|past| past.day)
            .collect();
        let age = if today > issue.expires {
            Age::Expired
        } else if could.len() >= stale {
            Age::Stale { days: could.len() }
        } else {
            Age::InForce
        };
        Aged { issue, age, last }
    };
    known.issues.iter().map(aged).collect()
}

/// Whether a run looked at what the issue is about.
fn could_match(issue: &KnownIssue, report: &Report) -> bool {
    let answered = match report.verdict {
        RunVerdict::Clean | RunVerdict::Findings => true,
        RunVerdict::Infra | RunVerdict::Interrupted => false,
    };
    let pattern = &issue.entry.pattern;
    let tree = |name: &str| pattern.tree.as_ref().is_none_or(|tree| tree == name);
    let kconfig = |name: &String| pattern.kconfigs.is_empty() || pattern.kconfigs.contains(name);
    let built = report.builds.iter().any(|cell| tree(&cell.tree) && kconfig(&cell.kconfig));
    let tested = issue.test.as_ref().is_none_or(|regex| {
        let tables = report.tests.iter().filter(|table| tree(&table.tree) && kconfig(&table.kconfig));
        tables.flat_map(|table| &table.rows).any(|row| regex.is_match(&row.test))
    });
    let measured = issue.metric.as_ref().is_none_or(|regex| {
        let metrics = report.metrics.iter().filter(|metric| tree(&metric.tree) && kconfig(&metric.kconfig));
        metrics.into_iter().any(|metric| regex.is_match(&metric.metric))
    });
    answered && built && tested && measured
}

#[cfg(test)]
mod tests {
    use super::super::matching::tests::{finding, known};
    use super::*;
    use crate::report::fixtures;

    fn day(number: i8) -> Date {
        Date::new(2026, 11, number).unwrap()
    }

    #[test]
    fn table() {
        let clean = fixtures::clean();
        let tree = clean.trees[0].name.clone();
        let test = clean.tests[0].rows[0].test.clone();
        let mut hit = clean.clone();
        hit.findings = vec![crate::words::Finding { tree: tree.clone(), test: Some(test.clone()), ..finding() }];
        let infra = fixtures::infra();
        let pattern = format!("{{test: '{}', tree: {tree}}}", regex::escape(&test));
        let past = |days: &[(i8, &'static str)]| -> Vec<(Date, &'static str)> {
            days.iter().map(|(number, what)| (day(*number), *what)).collect()
        };
        let judge = |pattern: &str, today: Date, days: &[(i8, &'static str)]| {
            let known = known(pattern);
            let reports: Vec<(Date, &Report)> = past(days)
                .into_iter()
                .map(|(day, what)| match what {
                    "clean" => (day, &clean),
                    "hit" => (day, &hit),
                    "infra" => (day, &infra),
                    other => panic!("{other}"),
                })
                .collect();
            let past: Vec<Past<'_>> = reports.iter().map(|(day, report)| Past { day: *day, report }).collect();
            let aged = age(&known, today, 3, &past);
            (aged[0].age.clone(), aged[0].last.as_ref().map(|(_, day)| day.day()))
        };
        let now = day(20);
        let quiet = [(1, "clean"), (2, "clean"), (3, "clean")];
        assert_eq!(judge(&pattern, now, &[]), (Age::InForce, None));
        assert_eq!(judge(&pattern, now, &quiet[..2]), (Age::InForce, None));
        assert_eq!(judge(&pattern, now, &quiet), (Age::Stale { days: 3 }, None));
        assert_eq!(judge(&pattern, now, &[(1, "clean"), (1, "clean"), (1, "clean")]), (Age::InForce, None), "one day");
        let hit_between = [(1, "clean"), (2, "clean"), (3, "hit"), (4, "clean"), (5, "clean")];
        assert_eq!(judge(&pattern, now, &hit_between), (Age::InForce, Some(3)));
        assert_eq!(judge(&pattern, now, &[(1, "hit"), (2, "clean"), (3, "infra"), (4, "infra")]).0, Age::InForce);
        assert_eq!(judge("{test: other, tree: mainline}", now, &quiet).0, Age::InForce, "nobody looked");
        let later = Date::new(2027, 1, 1).unwrap();
        assert_eq!(judge(&pattern, later, &hit_between), (Age::Expired, Some(3)));
    }

    #[test]
    fn advice_names_the_file() {
        let known = known("{kind: panic}");
        let aged = age(&known, Date::new(2027, 1, 1).unwrap(), 3, &[]);
        assert!(aged[0].advice().unwrap().contains("expired on 2026-12-31"));
    }
}
