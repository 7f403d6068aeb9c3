//! Which findings are known. Pure.

use jiff::civil::Date;

use super::file::{KnownIssue, KnownIssues};
use crate::words::{Evidence, Finding, Severity};

/// What the evidence is called that says why a finding is known.
pub const EVIDENCE: &str = "known issue";

impl KnownIssue {
    /// Whether the finding is meant.
    pub fn matches(&self, finding: &Finding) -> bool {
        let pattern = &self.entry.pattern;
        let fits = |regex: &Option<regex::Regex>, text: Option<&str>| match (regex, text) {
            (None, _) => true,
            (Some(regex), Some(text)) => regex.is_match(text),
            (Some(_), None) => false,
        };
        let texts = || std::iter::once(&finding.summary).chain(finding.evidence.iter().map(|proof| &proof.text));
        pattern.kind.is_none_or(|kind| kind == finding.kind)
            && pattern.tree.as_ref().is_none_or(|tree| *tree == finding.tree)
            && (pattern.kconfigs.is_empty() || kconfigs(finding).iter().all(|name| pattern.kconfigs.contains(name)))
            && fits(&self.test, finding.test.as_deref())
            && fits(&self.metric, finding.metric.as_deref())
            && fits(&self.function, finding.function.as_deref())
            && self.diagnostic.as_ref().is_none_or(|regex| texts().any(|text| regex.is_match(text)))
    }

    /// `the test races with kswapd (a@example.org, until 2026-12-31, https://example.org/1)`.
    pub fn sentence(&self) -> String {
        let link = self.entry.link.as_ref().map(|link| format!(", {link}")).unwrap_or_default();
        format!("{} ({}, until {}{link})", self.entry.reason.trim(), self.entry.by.trim(), self.expires)
    }
}

impl KnownIssues {
    /// Makes a notice of every finding that an issue in force explains, says so first, and keeps all it had; the first
    /// issue that matches counts. Gives a sentence for each issue that would have matched but is past its day.
    pub fn apply(&self, today: Date, findings: &mut [Finding]) -> Vec<String> {
        let mut notes: Vec<String> = Vec::new();
        for finding in findings {
            if let Some(issue) = self.in_force(today).find(|issue| issue.matches(finding)) {
                finding.severity = Severity::Notice;
                finding.summary = format!("known issue: {}: {}", issue.entry.reason.trim(), finding.summary);
                finding.evidence.push(Evidence {
                    what: EVIDENCE.to_owned(),
                    source: String::new(),
                    text: format!("{}: {}", issue.entry.name, issue.sentence()),
                });
            } else if let Some(issue) = self.issues.iter().find(|issue| today > issue.expires && issue.matches(finding))
            {
                let note = format!(
                    "the known issue `{}` explained this until {} and no longer applies: {}",
                    issue.entry.name, issue.expires, finding.summary
                );
                if !notes.contains(&note) {
                    notes.push(note);
                }
            }
        }
        notes
    }
}

/// Every kconfig that a finding was seen with. Its field holds the first; where there are several, the end of the
/// summary names all (`compare::findings`).
fn kconfigs(finding: &Finding) -> Vec<String> {
    let list = finding.summary.strip_suffix(')').and_then(|text| Some(text.rsplit_once("(kconfig ")?.1));
    match list {
        Some(list) => list.split(", ").flat_map(|part| part.split(" and ")).map(str::to_owned).collect(),
        // A finding that depends on no kconfig is not of these.
        None => vec![finding.kconfig.clone().unwrap_or_default()],
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::file::parse;
    use super::*;
    use crate::compare::findings::Frame;
    use crate::compare::testing::frame_series;
    use crate::words::FindingKind;

    pub fn known(pattern: &str) -> KnownIssues {
        let entry = format!("name: n, match: {pattern}, reason: r, expires: 2026-12-31, by: x");
        parse(&format!("issues:\n  - {{{entry}}}\n")).unwrap()
    }

    pub fn finding() -> Finding {
        let series = frame_series(3);
        let frame = Frame { tree: "linux-6.12", series: &series };
        let summary = "it fails (kconfig hmm and hmm-debug)".to_owned();
        let mut finding = frame.finding(FindingKind::TestRegressed, Severity::Problem, Some(2), summary);
        finding.kconfig = Some("hmm".into());
        finding.test = Some("hmm.hmm_device_private.anon_read".into());
        finding.function = Some("migrate_vma_setup".into());
        finding.evidence.push(Evidence {
            what: "console".into(),
            source: "units/x/console.log:7".into(),
            text: "BUG: KASAN: slab-use-after-free".into(),
        });
        finding
    }

    #[test]
    fn every_key_must_fit() {
        let cases = [
            ("{kind: test-regressed}", true),
            ("{kind: new-splat}", false),
            ("{test: 'hmm\\.hmm_device_.*\\.anon_read'}", true),
            ("{test: 'anon_read'}", false),
            ("{metric: '.*x'}", false),
            ("{function: 'migrate_vma_.*'}", true),
            ("{function: 'migrate'}", false),
            ("{diagnostic: 'KASAN: .*-use-after-free'}", true),
            ("{diagnostic: 'it fails'}", true),
            ("{diagnostic: 'UBSAN'}", false),
            ("{kind: test-regressed, tree: linux-6.12}", true),
            ("{kind: test-regressed, tree: mainline}", false),
            ("{kind: test-regressed, kconfigs: [hmm]}", false),
            ("{kind: test-regressed, kconfigs: [hmm, hmm-debug, more]}", true),
            ("{kind: test-regressed, function: 'migrate_vma_setup', diagnostic: 'UBSAN'}", false),
        ];
        for (pattern, expected) in cases {
            assert_eq!(known(pattern).issues[0].matches(&finding()), expected, "{pattern}");
        }
    }

    #[test]
    fn a_known_finding_is_a_notice_that_says_so_and_keeps_its_proof() {
        let known = known("{kind: test-regressed}");
        let mut findings = [finding()];
        let notes = known.apply("2026-12-31".parse().unwrap(), &mut findings);
        assert_eq!(notes, [""; 0]);
        assert_eq!(findings[0].severity, Severity::Notice);
        assert_eq!(findings[0].summary, "known issue: r: it fails (kconfig hmm and hmm-debug)");
        assert_eq!(findings[0].evidence[..1], finding().evidence);
        assert_eq!(findings[0].evidence[1].text, "n: r (x, until 2026-12-31)");
    }

    #[test]
    fn after_its_day_it_is_a_problem_again() {
        let known = known("{kind: test-regressed}");
        let mut findings = [finding()];
        let notes = known.apply("2027-01-01".parse().unwrap(), &mut findings);
        assert_eq!(findings, [finding()]);
        let expected = "the known issue `n` explained this until 2026-12-31 and no longer applies: it fails";
        assert!(notes.len() == 1 && notes[0].starts_with(expected), "{notes:?}");
    }

    #[test]
    fn what_matches_nothing_changes_nothing() {
        let known = known("{kind: panic}");
        let mut findings = [finding()];
        assert_eq!(known.apply("2027-01-01".parse().unwrap(), &mut findings), [""; 0]);
        assert_eq!(findings, [finding()]);
    }
}
