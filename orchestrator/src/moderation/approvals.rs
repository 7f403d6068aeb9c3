//! `results/approvals.jsonl`: what persons let onto boxes, one line each, never changed.

use std::io::Write;

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

use crate::words::Series;

/// Name of the file in the folder of all runs.
const NAME: &str = "approvals.jsonl";
/// Version of its lines.
const FORMAT: u32 = 1;

/// What a person said about a series.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// Version of this line.
    pub format: u32,
    /// When, RFC 3339.
    pub at: String,
    /// Who: the user of this host.
    pub by: String,
    /// [`fingerprint`] of the patches.
    pub patches: String,
    /// Title of the series, for people.
    pub title: String,
    /// The run that was named, for people.
    pub run: String,
}

/// Everything that was approved.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Approvals {
    /// In the file's order.
    pub all: Vec<Approval>,
}

impl Approvals {
    /// Reads what lies below `results`. A line that was cut off by a crash approves nothing.
    ///
    /// # Errors
    /// When the file is there and cannot be read.
    pub fn read(results: &Utf8Path) -> std::io::Result<Approvals> {
        match fs_err::read_to_string(file(results)) {
            Ok(text) => Ok(Approvals { all: text.lines().filter_map(line).collect() }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Approvals::default()),
            Err(error) => Err(error),
        }
    }

    /// The approval of exactly these patches.
    pub fn of(&self, series: &Series) -> Option<&Approval> {
        let patches = fingerprint(series);
        self.all.iter().find(|approval| approval.patches == patches)
    }

    /// Adds a line.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn add(results: &Utf8Path, series: &Series, run: &str, by: &str, at: &str) -> std::io::Result<Approval> {
        let approval = Approval {
            format: FORMAT,
            at: at.to_owned(),
            by: by.to_owned(),
            patches: fingerprint(series),
            title: series.title.clone(),
            run: run.to_owned(),
        };
        let mut file = fs_err::OpenOptions::new().create(true).append(true).open(file(results))?;
        // Begun on a new line, whatever a crash left behind; empty lines say nothing.
        file.write_all(format!("\n{}\n", serde_json::to_string(&approval)?).as_bytes())?;
        file.sync_all()?;
        Ok(approval)
    }
}

fn file(results: &Utf8Path) -> Utf8PathBuf {
    results.join(NAME)
}

fn line(text: &str) -> Option<Approval> {
    serde_json::from_str(text).ok().filter(|approval: &Approval| approval.format == FORMAT)
}

/// What tells one version of a series from every other: all that is applied, and who is said to have written it.
pub fn fingerprint(series: &Series) -> String {
    let parts: Vec<_> = series.patches.iter().map(|patch| (&patch.author.email, &patch.diff)).collect();
    // Strings only.
    blake3::hash(serde_json::to_string(&parts).expect("plain data").as_bytes()).to_hex().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::testing::series;

    #[test]
    fn exactly_these_patches_are_approved_and_the_line_says_by_whom() {
        let dir = tempfile::tempdir().unwrap();
        let results = Utf8Path::from_path(dir.path()).unwrap();
        assert_eq!(Approvals::read(results).unwrap(), Approvals::default());
        fs_err::write(results.join(NAME), "{\"format\":1,\"at\":\"cut o").unwrap();
        let good = series("good", &["diff one"]);
        Approvals::add(results, &good, "run-1", "ann", "2026-01-02T03:04:05Z").unwrap();
        let approvals = Approvals::read(results).unwrap();
        let found = approvals.of(&good).unwrap();
        assert_eq!((found.by.as_str(), found.at.as_str()), ("ann", "2026-01-02T03:04:05Z"));
        let mut other = good.clone();
        other.patches[0].diff.push_str(" changed");
        assert_eq!(approvals.of(&other), None);
        let mut other = good.clone();
        other.patches[0].author.email = "mallory@example.org".into();
        assert_eq!(approvals.of(&other), None);
        assert_eq!(approvals.all.len(), 1);
    }
}
