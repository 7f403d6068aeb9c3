//! From a report to a submission.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::model::*;
use crate::post::http::Call;
use crate::post::message::{Message, Unsaid};
use crate::post::outbox::{Draft, Kind, Subject};
use crate::post::places::{Kcidb, Places};
use crate::post::said::{Said, patches_hash};
use crate::report::model::{BootRow, BuildCell, Report, RunVerdict, TestTable, TreeInfo};
use crate::words::{
    BootEnd, BuildOutcome, Change, Clock, Finding, FindingKind, MetricComparison, MetricSide, Part, Rate, Revision,
    Severity, Verdict,
};

/// Longest excerpt of a log that KCIDB takes, in characters.
const EXCERPT_LIMIT: usize = 16_384;

/// Longest text of any other field, in characters.
const TEXT_LIMIT: usize = 2_000;

/// Makes a submission of a run.
///
/// # Errors
/// When the run has nothing to tell yet.
pub fn convert(said: &Said<'_>, place: &Kcidb, places: &Places) -> Result<Submission, Unsaid> {
    let report = said.report;
    if report.verdict == RunVerdict::Interrupted {
        let id = &report.run.id;
        return Err(Unsaid(format!("the run was stopped before its end; `orchestrator resume {id}` goes on with it")));
    }
    let maker = Maker { said, origin: &place.origin, places };
    let mut submission = Submission {
        version: Version { major: 5, minor: 3 },
        checkouts: report.trees.iter().flat_map(|tree| maker.checkouts(tree)).collect(),
        builds: report.builds.iter().map(|cell| maker.build(cell)).collect(),
        tests: Vec::new(),
        issues: Vec::new(),
        incidents: Vec::new(),
    };
    submission.tests.extend(report.tests.iter().flat_map(|table| maker.table(table)));
    submission.tests.extend(report.boots.iter().enumerate().filter_map(|(at, row)| maker.boot(at, row)));
    submission.tests.extend(report.metrics.iter().flat_map(|metric| maker.metric(metric)));
    let builds: BTreeSet<String> = submission.builds.iter().map(|build| build.id.clone()).collect();
    submission.tests.retain(|test| builds.contains(&test.build_id));
    let tests: BTreeSet<String> = submission.tests.iter().map(|test| test.id.clone()).collect();
    for finding in &report.findings {
        if let Some((issue, incident)) = maker.issue(finding, &builds, &tests) {
            if submission.issues.iter().all(|known| known.id != issue.id) {
                submission.issues.push(issue);
            }
            if submission.incidents.iter().all(|known| known.id != incident.id) {
                submission.incidents.push(incident);
            }
        }
    }
    Ok(submission)
}

/// The submission as a message for the outbox.
///
/// # Errors
/// As [`convert`].
pub fn messages(said: &Said<'_>, place: &Kcidb, places: &Places) -> Result<Vec<Message>, Unsaid> {
    let submission = convert(said, place, places)?;
    let body = json!(submission);
    let server = place.url.trim_end_matches('/');
    let run = &said.report.run.id;
    let counts = format!(
        "{} checkouts, {} builds, {} tests, {} issues",
        submission.checkouts.len(),
        submission.builds.len(),
        submission.tests.len(),
        submission.issues.len()
    );
    Ok(vec![Message {
        calls: vec![Call::post(format!("{server}/submit"), body.clone())],
        draft: Draft {
            subject: Subject {
                kind: Kind::Kcidb,
                topic: format!("{server}/{}/{run}", place.origin),
                fingerprint: blake3::hash(body.to_string().as_bytes()).to_hex()[..32].to_owned(),
            },
            run: run.clone(),
            title: format!("results of run {run}: {counts}"),
            destination: format!("{server} as origin {}", place.origin),
            payload: json!({"server": server, "submission": body}),
        },
    }])
}

struct Maker<'a> {
    said: &'a Said<'a>,
    origin: &'a str,
    places: &'a Places,
}

impl Maker<'_> {
    fn report(&self) -> &Report {
        self.said.report
    }

    /// `<origin>:<hash>` of what makes an object what it is.
    fn id(&self, parts: &[&str]) -> String {
        let mut hasher = blake3::Hasher::new();
        for part in parts {
            hasher.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes());
        }
        format!("{}:{}", self.origin, &hasher.finalize().to_hex()[..32])
    }

    fn run_id(&self, parts: &[&str]) -> String {
        let parts: Vec<&str> = std::iter::once(self.report().run.id.as_str()).chain(parts.iter().copied()).collect();
        self.id(&parts)
    }

    fn checkout_id(&self, tree: &str, revision: Revision) -> String {
        self.run_id(&["checkout", tree, &revision.to_string()])
    }

    fn build_id(&self, tree: &str, revision: Revision, kconfig: &str) -> String {
        self.run_id(&["build", tree, &revision.to_string(), kconfig])
    }

    fn tip(&self) -> Revision {
        let total = self.report().series.patches.len();
        Revision::Patch { number: total, total }
    }

    /// One checkout for each revision that was built, and one for the tip where it could not be made.
    fn checkouts(&self, tree: &TreeInfo) -> Vec<Checkout> {
        if tree.commit.is_none() {
            return Vec::new();
        }
        let mut revisions: BTreeSet<Revision> =
            self.report().builds.iter().filter(|cell| cell.tree == tree.name).map(|cell| cell.revision).collect();
        let whole = tree.applied.len() == self.report().series.patches.len();
        if !whole {
            revisions.insert(self.tip());
        }
        revisions.into_iter().map(|revision| self.checkout(tree, revision, whole)).collect()
    }

    fn checkout(&self, tree: &TreeInfo, revision: Revision, whole: bool) -> Checkout {
        let report = self.report();
        let patches = &self.said.series.patches;
        let count = revision.index().min(patches.len());
        let source = tree.source.as_deref().unwrap_or_default();
        let mut words = source.split(' ');
        let url = match words.next() {
            Some("git") => words.next().filter(|url| url.starts_with("https://")),
            Some(_) | None => None,
        };
        let branch = match (url, words.next()) {
            (Some(_), Some("branch")) => words.next(),
            (_, _) => None,
        };
        let valid = whole || revision != self.tip();
        let refused = || {
            let kinds = [FindingKind::ApplyFailed, FindingKind::PatchRefused];
            let finding = report.findings.iter().find(|f| f.tree == tree.name && kinds.contains(&f.kind))?;
            Some(excerpt(finding))
        };
        let posted = report.series.patches.iter().find_map(|patch| patch.message_id.clone());
        let cover = self.said.series.cover.as_ref().and_then(|cover| cover.message_id.clone());
        let message = cover.or(posted).filter(|id| id.contains('@') && !report.series.port && count > 0);
        let mut misc = Map::new();
        misc.insert("run".into(), json!(report.run.id));
        misc.insert("revision".into(), json!(revision.to_string()));
        misc.insert("source".into(), json!(text(source)));
        misc.insert("port".into(), json!(report.series.port));
        Checkout {
            id: self.checkout_id(&tree.name, revision),
            origin: self.origin.to_owned(),
            tree_name: text(&tree.name),
            git_repository_url: url.map(text),
            git_repository_branch: branch.map(text),
            git_commit_hash: tree.commit.clone().filter(|_| url.is_some()),
            patchset_hash: patches_hash(&patches[..count]),
            message_id: message.map(|id| text(&id)),
            comment: text(&format!(
                "{}, {revision}, on Linux {}",
                report.series.title,
                tree.kernel_version.as_deref().unwrap_or("of unknown version")
            )),
            start_time: report.run.started.parse::<jiff::Timestamp>().ok().map(|time| time.to_string()),
            log_excerpt: if valid { None } else { refused() },
            valid,
            misc,
        }
    }

    fn build(&self, cell: &BuildCell) -> Build {
        let (status, comment) = match &cell.outcome {
            BuildOutcome::Built if cell.new_diagnostics > 0 => {
                (Status::Pass, Some(format!("{} new diagnostics", cell.new_diagnostics)))
            }
            BuildOutcome::Built => (Status::Pass, None),
            BuildOutcome::Failed { reason } => (Status::Fail, Some(reason.clone())),
            BuildOutcome::SelftestsFailed { reason } => {
                (Status::Fail, Some(format!("the kernel was built, its selftests were not: {reason}")))
            }
            BuildOutcome::Infra { reason } | BuildOutcome::NotRun { reason } => (Status::Miss, Some(reason.clone())),
        };
        let info = self.report().kconfigs.iter().find(|info| info.name == cell.kconfig);
        let arch = info.map(|info| info.arch.clone());
        let revision = cell.revision.to_string();
        let proof = self.report().findings.iter().find(|finding| {
            let here = finding.tree == cell.tree && finding.revision == revision;
            here && finding.kconfig.as_ref() == Some(&cell.kconfig) && finding.machine.is_none()
        });
        Build {
            id: self.build_id(&cell.tree, cell.revision, &cell.kconfig),
            origin: self.origin.to_owned(),
            checkout_id: self.checkout_id(&cell.tree, cell.revision),
            architecture: arch.filter(|a| a.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')),
            compiler: info.map(|info| text(&info.toolchain)).filter(|name| !name.is_empty()),
            command: cell.replay.as_deref().map(text),
            config_name: text(&cell.kconfig),
            duration: seconds(cell.wall_ms),
            status,
            comment: comment.as_deref().map(text),
            log_url: cell.log.as_deref().and_then(|log| self.places.run_url(&self.report().run.id, log)),
            log_excerpt: proof.map(excerpt).filter(|text| !text.is_empty()),
        }
    }

    fn table(&self, table: &TestTable) -> Vec<Test> {
        let mut tests = Vec::new();
        for row in &table.rows {
            let sides = [
                (Revision::Base, row.base_verdict.as_ref(), row.base),
                (self.tip(), row.patched_verdict.as_ref(), row.patched),
            ];
            for (revision, verdict, rate) in sides {
                let status = match verdict {
                    Some(verdict) => status(verdict),
                    None if row.change == Change::Unknown => Status::Miss,
                    None => continue,
                };
                let comment = verdict.and_then(reason).or_else(|| row.note.clone());
                let mut misc = self.place(&table.kconfig, &table.machine);
                misc.insert("change".into(), json!(row.change));
                misc.extend(self.rate(rate));
                tests.push(Test {
                    id: self.test_id(&table.tree, revision, &table.kconfig, &table.machine, &row.test),
                    origin: self.origin.to_owned(),
                    build_id: self.build_id(&table.tree, revision, &table.kconfig),
                    environment: Environment { comment: text(&table.machine) },
                    path: path(&row.test),
                    status,
                    number: None,
                    comment: comment.as_deref().map(text),
                    duration: None,
                    log_url: None,
                    misc,
                });
            }
        }
        tests
    }

    fn test_id(&self, tree: &str, revision: Revision, kconfig: &str, machine: &str, test: &str) -> String {
        self.run_id(&["test", tree, &revision.to_string(), kconfig, machine, test])
    }

    fn place(&self, kconfig: &str, machine: &str) -> Map<String, Value> {
        [("kconfig", kconfig), ("machine", machine)]
            .map(|(key, value)| (key.to_owned(), json!(text(value))))
            .into_iter()
            .collect()
    }

    fn rate(&self, rate: Rate) -> Map<String, Value> {
        [("bad", rate.bad), ("tries", rate.tries)]
            .map(|(key, value)| (key.to_owned(), json!(value)))
            .into_iter()
            .collect()
    }

    fn boot(&self, at: usize, row: &BootRow) -> Option<Test> {
        let (status, comment) = match row.end.as_ref()? {
            BootEnd::Completed => (Status::Pass, None),
            BootEnd::Panicked => (Status::Fail, Some("the kernel panicked".to_owned())),
            BootEnd::Hung { deadline } => (Status::Fail, Some(format!("it hung ({deadline} deadline)"))),
            BootEnd::Reset => (Status::Fail, Some("the machine reset".to_owned())),
            BootEnd::Infra { reason } => (Status::Miss, Some(reason.clone())),
        };
        let mut misc = self.place(&row.kconfig, &row.machine);
        misc.insert("selftests".into(), json!(row.selftests.to_string()));
        misc.insert("attempt".into(), json!(row.attempt));
        Some(Test {
            id: self.run_id(&["boot", &at.to_string(), &row.tree, &row.kernel.to_string(), &row.kconfig]),
            origin: self.origin.to_owned(),
            build_id: self.build_id(&row.tree, row.kernel, &row.kconfig),
            environment: Environment { comment: text(&row.machine) },
            path: "boot".to_owned(),
            status,
            number: None,
            comment: comment.as_deref().map(text),
            duration: Some(seconds(row.wall_ms)),
            log_url: row.console.as_deref().and_then(|log| self.places.run_url(&self.report().run.id, log)),
            misc,
        })
    }

    fn metric(&self, metric: &MetricComparison) -> Vec<Test> {
        let sides = [(Revision::Base, metric.base), (self.tip(), metric.patched)];
        let test = |(revision, side): (Revision, Option<MetricSide>)| {
            let side = side?;
            let part = match metric.part {
                Part::Whole => "whole",
                Part::WithoutCopy => "without_copy",
            };
            // Units of the format carry no prefix.
            let (value, unit) = match metric.clock {
                Clock::Instructions => (side.median, metric.unit.clone()),
                Clock::Wall => match metric.unit.strip_prefix("ns") {
                    Some(rest) => (side.median / 1e9, format!("s{rest}")),
                    None => (side.median, metric.unit.clone()),
                },
            };
            let mut misc = self.place(&metric.kconfig, &metric.machine);
            misc.insert("clock".into(), json!(metric.clock));
            misc.insert("readings".into(), json!(side.readings));
            misc.insert("boots".into(), json!(side.boots));
            misc.insert("spread".into(), json!(side.spread));
            misc.insert("change".into(), json!(metric.change));
            let name = format!("{}.{part}", metric.metric);
            let clock = format!("{:?}", metric.clock);
            Some(Test {
                id: self.run_id(&[
                    "metric",
                    &metric.tree,
                    &revision.to_string(),
                    &metric.kconfig,
                    &metric.machine,
                    &clock,
                    &name,
                ]),
                origin: self.origin.to_owned(),
                build_id: self.build_id(&metric.tree, revision, &metric.kconfig),
                environment: Environment { comment: text(&metric.machine) },
                path: path(&name),
                status: Status::Done,
                number: value.is_finite().then(|| Number { value, unit: text(&unit), prefix: Prefix::Metric }),
                comment: metric.note.as_deref().map(text),
                duration: None,
                log_url: None,
                misc,
            })
        };
        sides.into_iter().filter_map(test).collect()
    }

    /// A problem with the build or test that shows it; `None` for notices and for what shows in no build (a patch that
    /// does not apply makes its checkout invalid).
    fn issue(
        &self,
        finding: &Finding,
        builds: &BTreeSet<String>,
        tests: &BTreeSet<String>,
    ) -> Option<(Issue, Incident)> {
        let kconfig = finding.kconfig.as_deref().filter(|_| finding.severity == Severity::Problem)?;
        let test = finding.test.as_deref().zip(finding.machine.as_deref());
        let test_id = test.map(|(test, machine)| self.test_id(&finding.tree, self.tip(), kconfig, machine, test));
        let test_id = test_id.filter(|id| tests.contains(id));
        let cells = self.report().builds.iter().filter(|cell| cell.tree == finding.tree && cell.kconfig == kconfig);
        let mut cells = cells.filter(|cell| cell.revision.to_string() == finding.revision);
        let build_id = cells.next().map(|cell| self.build_id(&cell.tree, cell.revision, &cell.kconfig));
        let build_id = build_id.filter(|id| test_id.is_none() && builds.contains(id));
        let shown = test_id.as_ref().or(build_id.as_ref())?.clone();
        let what = [&finding.test, &finding.metric, &finding.function].into_iter().flatten();
        let what = what.map(String::as_str).next().unwrap_or(&finding.summary);
        let kind = format!("{:?}", finding.kind);
        let id = self.id(&["issue", &self.said.identity(), &kind, what]);
        let tool = finding.kind == FindingKind::SelftestBuildFailed;
        let issue = Issue {
            id: id.clone(),
            version: 1,
            origin: self.origin.to_owned(),
            report_subject: text(&finding.summary),
            culprit: Culprit { code: !tool, tool, harness: false },
            comment: text(&match &finding.patch {
                Some(patch) => format!("patch {}/{}: {}", patch.number, patch.total, patch.subject),
                None => format!("{}, not pinned to one patch", self.report().series.title),
            }),
        };
        let incident = Incident {
            id: self.id(&["incident", &id, &shown]),
            origin: self.origin.to_owned(),
            issue_id: id,
            issue_version: 1,
            build_id,
            test_id,
            present: true,
        };
        Some((issue, incident))
    }
}

/// What a test's verdict is called there. Trouble of ours is never a pass.
fn status(verdict: &Verdict) -> Status {
    match verdict {
        Verdict::Pass | Verdict::Xfail => Status::Pass,
        Verdict::Fail { .. } | Verdict::Timeout | Verdict::Crashed { .. } => Status::Fail,
        Verdict::Skip { .. } => Status::Skip,
        Verdict::Infra { .. } => Status::Miss,
    }
}

fn reason(verdict: &Verdict) -> Option<String> {
    match verdict {
        Verdict::Fail { reason } | Verdict::Skip { reason } | Verdict::Infra { reason } => Some(reason.clone()),
        Verdict::Crashed { crash } => Some(format!("the kernel went down under it: {crash:?}").to_lowercase()),
        Verdict::Pass | Verdict::Timeout | Verdict::Xfail => None,
    }
}

fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}

/// A dotted path of letters, digits, `_` and `-`.
fn path(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '_' || c == '-' { c } else { '_' };
    let steps = name.split('.').filter(|step| !step.is_empty());
    steps.map(|step| step.chars().map(plain).collect::<String>()).collect::<Vec<_>>().join(".")
}

/// Text without NUL, bounded.
fn text(text: &str) -> String {
    text.chars().filter(|c| *c != '\0').take(TEXT_LIMIT).collect()
}

fn excerpt(finding: &Finding) -> String {
    let lines: Vec<&str> = finding.evidence.iter().map(|evidence| evidence.text.as_str()).collect();
    let lines = if lines.is_empty() { finding.summary.clone() } else { lines.join("\n") };
    lines.chars().filter(|c| *c != '\0').take(EXCERPT_LIMIT).collect()
}
