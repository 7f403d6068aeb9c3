//! `results/known-issues.yaml`.

use std::collections::BTreeSet;

use camino::Utf8Path;
use jiff::civil::Date;
use regex::{Regex, RegexBuilder};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::{self, ConfigError, Document};
use crate::words::FindingKind;

/// Name of the file in the folder of all runs.
pub const NAME: &str = "known-issues.yaml";

/// Largest compiled pattern, in bytes.
const PATTERN_LIMIT: usize = 256 * 1024;

/// The file `results/known-issues.yaml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KnownFile {
    /// The issues.
    pub issues: Vec<KnownEntry>,
}

/// A known issue as written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KnownEntry {
    /// A short name, unlike all others.
    pub name: String,
    /// Which findings are meant: all that fit every key given here.
    #[serde(rename = "match")]
    pub pattern: Pattern,
    /// What is known, one sentence.
    pub reason: String,
    /// Where more is to be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// The last day on which it applies: `2026-12-31`.
    pub expires: String,
    /// Who says so.
    pub by: String,
}

/// Which findings are meant. At least one of `kind`, `test`, `metric`, `function` and `diagnostic` is needed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pattern {
    /// Kind of the finding: `test-regressed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<FindingKind>,
    /// Regular expression for the whole name of the test.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<String>,
    /// Regular expression for the whole name of the metric.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric: Option<String>,
    /// Regular expression for the whole name of the kernel function.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function: Option<String>,
    /// Regular expression that the summary or the evidence holds somewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diagnostic: Option<String>,
    /// Tree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tree: Option<String>,
    /// Kconfigs: a finding that was seen with any other is not meant.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kconfigs: Vec<String>,
}

/// A known issue whose patterns were compiled.
#[derive(Debug, Clone)]
pub struct KnownIssue {
    /// As written.
    pub entry: KnownEntry,
    /// The last day on which it applies.
    pub expires: Date,
    pub(super) test: Option<Regex>,
    pub(super) metric: Option<Regex>,
    pub(super) function: Option<Regex>,
    pub(super) diagnostic: Option<Regex>,
}

/// The list of known issues.
#[derive(Debug, Clone, Default)]
pub struct KnownIssues {
    /// In the file's order.
    pub issues: Vec<KnownIssue>,
}

impl KnownIssues {
    /// Reads the list below `results`. There is none where there is no file.
    ///
    /// # Errors
    /// Everything that is wrong with the file, with lines.
    pub fn read(results: &Utf8Path) -> Result<KnownIssues, ConfigError> {
        let path = results.join(NAME);
        if !path.exists() {
            return Ok(KnownIssues::default());
        }
        let (file, document) = config::load_document::<KnownFile>(&path)?;
        check(&file, &document)
    }

    /// Issues that apply on this day.
    pub fn in_force(&self, today: Date) -> impl Iterator<Item = &KnownIssue> {
        self.issues.iter().filter(move |issue| today <= issue.expires)
    }

    /// What makes two lists the same on a day: a verdict under one list need not be that under another.
    pub fn fingerprint(&self, today: Date) -> String {
        let mut entries: Vec<String> = self
            .in_force(today)
            // Strings and words only.
            .map(|issue| serde_json::to_string(&issue.entry.pattern).expect("a pattern is plain data"))
            .collect();
        if entries.is_empty() {
            return "none".to_owned();
        }
        entries.sort();
        blake3::hash(entries.join("\n").as_bytes()).to_hex()[..16].to_owned()
    }
}

fn check(file: &KnownFile, document: &Document) -> Result<KnownIssues, ConfigError> {
    let mut problems = Vec::new();
    let mut issues = Vec::new();
    let mut names = BTreeSet::new();
    for (index, entry) in file.issues.iter().enumerate() {
        let index = index.to_string();
        let mut fault = |keys: &[&str], message: String, hint: &str| {
            let path: Vec<&str> = ["issues", &index].into_iter().chain(keys.iter().copied()).collect();
            problems.push(document.problem(&path, message, Some(hint.to_owned())));
        };
        if entry.name.trim().is_empty() {
            fault(&["name"], "the name is empty".into(), "a few words, such as thp-split-splat");
        } else if !names.insert(entry.name.as_str()) {
            fault(&["name"], format!("there are two issues `{}`", entry.name), "give one of them another name");
        }
        for (key, text) in [("reason", &entry.reason), ("by", &entry.by)] {
            if text.trim().is_empty() {
                fault(&[key], format!("`{key}` is empty"), "whoever meets this next must know");
            }
        }
        if let Some(link) = entry.link.as_ref().filter(|link| !is_link(link)) {
            fault(&["link"], format!("`{link}` is no link"), "begin it with https:// or http://");
        }
        let expires = entry.expires.parse::<Date>();
        if expires.is_err() {
            fault(&["expires"], format!("`{}` is no day", entry.expires), "write it as 2026-12-31");
        }
        let pattern = &entry.pattern;
        let texts = [&pattern.test, &pattern.metric, &pattern.function, &pattern.diagnostic];
        if pattern.kind.is_none() && texts.iter().all(|text| text.is_none()) {
            let hint = "give at least one of kind, test, metric, function, diagnostic";
            fault(&["match"], "this would match every finding".into(), hint);
        }
        let mut compile = |key: &str, text: &Option<String>, whole: bool| {
            let text = text.as_ref()?;
            let source = if whole { format!("^(?:{text})$") } else { text.clone() };
            match RegexBuilder::new(&source).size_limit(PATTERN_LIMIT).build() {
                // An empty text is found everywhere.
                Ok(regex) if !regex.is_match("") => Some(regex),
                Ok(_) => {
                    fault(
                        &["match", key],
                        format!("`{text}` matches an empty text, and so everything"),
                        "say what must be there",
                    );
                    None
                }
                Err(error) => {
                    let error = error.to_string();
                    let last = error.lines().last().unwrap_or_default().trim_start_matches("error: ");
                    let hint = "see docs/nightly.md for the notation";
                    fault(&["match", key], format!("`{text}` is no regular expression: {last}"), hint);
                    None
                }
            }
        };
        let test = compile("test", &pattern.test, true);
        let metric = compile("metric", &pattern.metric, true);
        let function = compile("function", &pattern.function, true);
        let diagnostic = compile("diagnostic", &pattern.diagnostic, false);
        if let Ok(expires) = expires {
            issues.push(KnownIssue { entry: entry.clone(), expires, test, metric, function, diagnostic });
        }
    }
    ConfigError::unless_empty(problems)?;
    Ok(KnownIssues { issues })
}

fn is_link(link: &str) -> bool {
    ["https://", "http://"].iter().any(|scheme| link.starts_with(scheme)) && !link.contains(char::is_whitespace)
}

/// Reads the text of a file, for tests.
#[cfg(test)]
pub(super) fn parse(text: &str) -> Result<KnownIssues, ConfigError> {
    let (file, document) = config::parse_document::<KnownFile>(Utf8Path::new("known-issues.yaml"), text)?;
    check(&file, &document)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "\
issues:
  - name: one
    match: {kind: test-regressed, test: 'hmm\\.hmm_device_.*', tree: linux-6.12, kconfigs: [hmm]}
    reason: the test races with kswapd
    link: https://example.org/1
    expires: 2026-12-31
    by: A. Author <a@example.org>
";

    #[test]
    fn no_file_is_no_issue() {
        let folder = tempfile::tempdir().unwrap();
        let results = Utf8Path::from_path(folder.path()).unwrap();
        assert!(KnownIssues::read(results).unwrap().issues.is_empty());
        fs_err::write(results.join(NAME), GOOD).unwrap();
        assert_eq!(KnownIssues::read(results).unwrap().issues.len(), 1);
        fs_err::write(results.join(NAME), "issues: 3").unwrap();
        assert!(KnownIssues::read(results).unwrap_err().to_string().contains("known-issues.yaml:1:1"));
    }

    #[test]
    fn all_problems_are_told_at_once() {
        let text = "\
issues:
  - {name: a, match: {test: '(x'}, reason: r, expires: 2026-02-30, by: x}
  - {name: a, match: {tree: t}, reason: '', expires: 2026-02-28, by: x, link: ftp://x}
  - {name: b, match: {diagnostic: 'x*'}, reason: r, expires: 2026-02-28, by: x}
";
        insta::assert_snapshot!(parse(text).unwrap_err().to_string(), @r#"
        known-issues.yaml:2:23: `(x` is no regular expression: unclosed group (see docs/nightly.md for the notation)
        known-issues.yaml:2:47: `2026-02-30` is no day (write it as 2026-12-31)
        known-issues.yaml:3:6: there are two issues `a` (give one of them another name)
        known-issues.yaml:3:15: this would match every finding (give at least one of kind, test, metric, function, diagnostic)
        known-issues.yaml:3:33: `reason` is empty (whoever meets this next must know)
        known-issues.yaml:3:73: `ftp://x` is no link (begin it with https:// or http://)
        known-issues.yaml:4:23: `x*` matches an empty text, and so everything (say what must be there)
        "#);
        let text = "issues:\n  - {name: a, match: {kind: test-regressed}, reason: r, expire: 2026-02-28, by: x}\n";
        let error = parse(text).unwrap_err().to_string();
        assert_eq!(error, "known-issues.yaml:2:57: unknown key `expire` in issues[0] (did you mean `expires`?)");
    }

    #[test]
    fn the_fingerprint_is_of_what_applies() {
        let known = parse(GOOD).unwrap();
        let day = |text: &str| text.parse::<Date>().unwrap();
        assert_eq!(known.fingerprint(day("2027-01-01")), "none");
        let now = known.fingerprint(day("2026-12-31"));
        assert_ne!(now, "none");
        let reworded = parse(&GOOD.replace("kswapd", "kcompactd")).unwrap();
        assert_eq!(reworded.fingerprint(day("2026-01-01")), now, "other words match the same");
        let other = parse(&GOOD.replace("device_", "")).unwrap();
        assert_ne!(other.fingerprint(day("2026-01-01")), now);
    }
}
