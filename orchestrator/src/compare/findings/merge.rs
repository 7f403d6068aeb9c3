//! The same finding under several kconfigs.

use crate::words::{Finding, FindingKind, Severity};

use super::names::list;

/// Makes one finding of those that say the same under several kconfigs: same kind, patch and function, and the same
/// test (a new kernel report may come in another test there). The first kconfig stays in its field; the summary names
/// all of them. The heavier severity wins.
pub fn merge(findings: Vec<Finding>) -> Vec<Finding> {
    let mut merged: Vec<(Finding, Vec<String>)> = Vec::new();
    for finding in findings {
        match merged.iter_mut().find(|(other, _)| same(other, &finding)) {
            Some((other, kconfigs)) => {
                let new = finding.kconfig.filter(|name| !kconfigs.contains(name));
                kconfigs.extend(new);
                if finding.severity == Severity::Problem {
                    other.severity = Severity::Problem;
                }
            }
            None => {
                let kconfigs = finding.kconfig.iter().cloned().collect();
                merged.push((finding, kconfigs));
            }
        }
    }
    merged
        .into_iter()
        .map(|(mut finding, kconfigs)| {
            if !kconfigs.is_empty() {
                finding.summary = format!("{} (kconfig {})", finding.summary, list(&kconfigs));
            }
            finding
        })
        .collect()
}

fn same(one: &Finding, other: &Finding) -> bool {
    one.kind == other.kind
        && one.tree == other.tree
        && one.revision == other.revision
        && one.patch == other.patch
        && one.function == other.function
        && (one.test == other.test || one.kind == FindingKind::NewSplat)
        // Two findings of one kconfig were kept apart on purpose.
        && one.kconfig != other.kconfig
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::findings::Frame;
    use crate::compare::testing::frame_series;

    #[test]
    fn kconfigs_are_named_together_and_findings_of_one_kconfig_stay_apart() {
        let series = frame_series(3);
        let frame = Frame { tree: "linux-6.12", series: &series };
        let finding = |kind, kconfig: &str, test: &str, severity| {
            let mut finding = frame.finding(kind, severity, Some(2), "it fails".into());
            finding.kconfig = Some(kconfig.into());
            finding.test = Some(test.into());
            finding
        };
        use FindingKind::{NewSplat, TestRegressed};
        let merged = merge(vec![
            finding(TestRegressed, "hmm", "a", Severity::Notice),
            finding(TestRegressed, "hmm", "b", Severity::Problem),
            finding(NewSplat, "hmm", "a", Severity::Problem),
            finding(TestRegressed, "hmm-debug", "a", Severity::Problem),
            finding(NewSplat, "hmm-debug", "c", Severity::Problem),
        ]);
        let brief: Vec<_> = merged.iter().map(|f| (f.kind, f.summary.as_str(), f.severity)).collect();
        assert_eq!(
            brief,
            [
                (TestRegressed, "it fails (kconfig hmm and hmm-debug)", Severity::Problem),
                (TestRegressed, "it fails (kconfig hmm)", Severity::Problem),
                (NewSplat, "it fails (kconfig hmm and hmm-debug)", Severity::Problem),
            ]
        );
        assert_eq!(merged[0].kconfig.as_deref(), Some("hmm"));
    }
}
