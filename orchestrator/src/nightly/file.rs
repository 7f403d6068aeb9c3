//! `series/nightly.yaml`: what is followed, and how much a night may cost.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::{self, ConfigError, Document, Home, Problem, closest};
use crate::words::Profile;

/// Name of the file in the series folder.
pub const NAME: &str = "nightly.yaml";

/// The file `series/nightly.yaml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NightlyFile {
    /// The series to follow.
    pub series: Vec<FollowedSeries>,
    /// Which kconfigs: `quick`, `full` or `nightly`.
    #[serde(default = "nightly")]
    pub profile: Profile,
    /// Hours after which the night ends; what is not done by then comes first in the next one.
    #[serde(default = "eight")]
    #[schemars(range(min = 1, max = 168))]
    pub hours: u32,
    /// GiB that must be free on the disk of the cache before a night begins.
    #[serde(default = "twelve")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub free_gib: u32,
    /// What stays of earlier runs.
    #[serde(default)]
    pub keep: Keep,
    /// What becomes of a verdict that is new: `none`, `dry-run`, `queue` or `send`.
    #[serde(default)]
    pub post: PostPolicy,
    /// Nights in which a known issue could have matched and did not, after which it is reported.
    #[serde(default = "fourteen")]
    #[schemars(range(min = 1, max = 1000))]
    pub stale_nights: u32,
}

/// A series to follow: exactly one of `manifest`, `change_id` and `message_id`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FollowedSeries {
    /// What the reports call it; the manifest's name where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// A series of `series/`, `v6` for example.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<String>,
    /// The `change-id:` of a posted series: its newest version is tested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change_id: Option<String>,
    /// Message-ID of any version's cover letter, without angle brackets: the newest version is tested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// Trees of `series/trees.yaml` to test it on.
    pub trees: Vec<String>,
}

/// What stays of earlier runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Keep {
    /// Newest runs whose folders stay; history and flake rates reach as far back.
    #[serde(default = "sixty")]
    #[schemars(range(min = 2, max = 100_000))]
    pub runs: u32,
    /// Days that results stay in the cache after their last use when no kept run uses them.
    #[serde(default = "fourteen")]
    #[schemars(range(min = 0, max = 3650))]
    pub days: u32,
}

impl Default for Keep {
    fn default() -> Self {
        Keep { runs: sixty(), days: fourteen() }
    }
}

/// What becomes of a verdict that is new or has changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PostPolicy {
    /// Nothing: it stands in the report of the night.
    #[default]
    None,
    /// What would be posted is written down.
    DryRun,
    /// It waits in the outbox for a person.
    Queue,
    /// It is sent.
    Send,
}

impl PostPolicy {
    /// The word as it stands in files.
    pub fn word(self) -> &'static str {
        match self {
            PostPolicy::None => "none",
            PostPolicy::DryRun => "dry-run",
            PostPolicy::Queue => "queue",
            PostPolicy::Send => "send",
        }
    }
}

fn nightly() -> Profile {
    Profile::Nightly
}

fn eight() -> u32 {
    8
}

fn twelve() -> u32 {
    12
}

fn fourteen() -> u32 {
    14
}

fn sixty() -> u32 {
    60
}

/// How a followed series is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Followed {
    /// A manifest.
    Manifest(String),
    /// The newest version with this change-id.
    ChangeId(String),
    /// The newest version of the series that has a mail with this Message-ID.
    MessageId(String),
}

/// The checked file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nightly {
    /// Followed series: name, how it is found, trees.
    pub series: Vec<(String, Followed, Vec<String>)>,
    /// Which kconfigs.
    pub profile: Profile,
    /// Hours a night may take.
    pub hours: u32,
    /// GiB that must be free.
    pub free_gib: u32,
    /// What stays of earlier runs.
    pub keep: Keep,
    /// What becomes of new verdicts.
    pub post: PostPolicy,
    /// Nights after which a known issue that matches nothing is reported.
    pub stale_nights: u32,
}

impl Nightly {
    /// Every tree that is followed, each once, in the file's order.
    pub fn trees(&self) -> Vec<&str> {
        let mut seen = BTreeSet::new();
        let all = self.series.iter().flat_map(|(_, _, trees)| trees).map(String::as_str);
        all.filter(|tree| seen.insert(*tree)).collect()
    }
}

/// Reads `series/nightly.yaml` and checks it against the trees and manifests that there are.
///
/// # Errors
/// Everything that is wrong with the file, with lines; what is wrong with `series/trees.yaml`.
pub fn read(home: &Home) -> Result<Nightly, ConfigError> {
    let path = home.series_dir().join(NAME);
    let (file, document) = config::load_document::<NightlyFile>(&path)?;
    let trees: Vec<String> = crate::tree::catalogue(home)?.into_iter().map(|spec| spec.name).collect();
    let manifests = crate::series::Manifest::names(home).map_err(|error| {
        ConfigError::from(Problem::of_file(&home.series_dir(), format!("cannot be listed: {error}"), "mend the folder"))
    })?;
    check(&file, &document, &trees, &manifests)
}

fn check(
    file: &NightlyFile,
    document: &Document,
    trees: &[String],
    manifests: &[String],
) -> Result<Nightly, ConfigError> {
    let mut problems = Vec::new();
    let mut series = Vec::new();
    let mut names = BTreeSet::new();
    for (index, entry) in file.series.iter().enumerate() {
        let index = index.to_string();
        let mut fault = |keys: &[&str], message: String, hint: String| {
            let path: Vec<&str> = ["series", &index].into_iter().chain(keys.iter().copied()).collect();
            problems.push(document.problem(&path, message, Some(hint)));
        };
        let followed = match (&entry.manifest, &entry.change_id, &entry.message_id) {
            (Some(name), None, None) => {
                if !manifests.contains(name) {
                    let near = closest(name, manifests.iter().map(String::as_str));
                    let hint = near.map_or_else(
                        || format!("there are: {}", manifests.join(", ")),
                        |near| format!("did you mean `{near}`?"),
                    );
                    fault(&["manifest"], format!("there is no series/{name}.yaml"), hint);
                }
                Some(Followed::Manifest(name.clone()))
            }
            (None, Some(id), None) => {
                if id.is_empty() || id.contains(char::is_whitespace) {
                    fault(&["change_id"], "this is no change-id".into(), "copy it from the cover letter".into());
                }
                Some(Followed::ChangeId(id.clone()))
            }
            (None, None, Some(id)) => {
                if !id.contains('@') || id.contains(['<', '>', ' ']) {
                    let hint = "write it as in the Message-ID header, without angle brackets";
                    fault(&["message_id"], "this is no Message-ID".into(), hint.into());
                }
                Some(Followed::MessageId(id.clone()))
            }
            (None, None, None) | (Some(_), Some(_), _) | (Some(_), _, Some(_)) | (_, Some(_), Some(_)) => {
                let message = "a followed series has exactly one of manifest, change_id, message_id";
                fault(&[], message.into(), "keep one of them".into());
                None
            }
        };
        let name = entry.name.clone().or_else(|| entry.manifest.clone());
        match &name {
            Some(name) if !is_name(name) => {
                let key: &[&str] = if entry.name.is_some() { &["name"] } else { &["manifest"] };
                fault(key, format!("`{name}` is no name"), "letters, digits, `.`, `-` and `_` make a name".into());
            }
            Some(name) if !names.insert(name.clone()) => {
                fault(&[], format!("`{name}` is followed twice"), "give one of them another name".into());
            }
            Some(_) => {}
            None => fault(&[], "the series has no name".into(), "write e.g. `name: hmm-migrate`".into()),
        }
        if entry.trees.is_empty() {
            fault(&["trees"], "no tree".into(), "name at least one tree of series/trees.yaml".into());
        }
        for (position, tree) in entry.trees.iter().enumerate() {
            let position = position.to_string();
            if !trees.contains(tree) {
                let near = closest(tree, trees.iter().map(String::as_str));
                let hint = near.map_or_else(
                    || format!("there are: {}", trees.join(", ")),
                    |near| format!("did you mean `{near}`?"),
                );
                fault(&["trees", &position], format!("there is no tree `{tree}` in series/trees.yaml"), hint);
            } else if entry.trees.iter().filter(|other| *other == tree).count() > 1 {
                fault(&["trees", &position], format!("`{tree}` stands here twice"), "remove one".into());
            }
        }
        if let (Some(name), Some(followed)) = (name, followed) {
            series.push((name, followed, entry.trees.clone()));
        }
    }
    ConfigError::unless_empty(problems)?;
    Ok(Nightly {
        series,
        profile: file.profile,
        hours: file.hours,
        free_gib: file.free_gib,
        keep: file.keep.clone(),
        post: file.post,
        stale_nights: file.stale_nights,
    })
}

/// Names become parts of file names.
fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.len() <= 64
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
}

/// Reads the text of a file for tests of other rooms.
#[cfg(test)]
pub fn parse(text: &str, trees: &[&str], manifests: &[&str]) -> Result<Nightly, ConfigError> {
    let (file, document) = config::parse_document::<NightlyFile>(camino::Utf8Path::new("nightly.yaml"), text)?;
    let owned = |list: &[&str]| list.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    check(&file, &document, &owned(trees), &owned(manifests))
}

#[cfg(test)]
mod tests {
    use camino::Utf8Path;

    use super::*;

    #[test]
    fn the_shipped_file_follows_v6_and_posts_nothing() {
        let root = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let home = Home::find(Some(&root), &root, &root).unwrap();
        let nightly = read(&home).unwrap();
        let followed = ("v6".to_owned(), Followed::Manifest("v6".to_owned()), vec!["linux-6.12".to_owned()]);
        assert_eq!(nightly.series, [followed]);
        assert_eq!((nightly.profile, nightly.post), (Profile::Nightly, PostPolicy::None));
    }

    #[test]
    fn everything_but_the_series_may_be_left_out() {
        let nightly = parse("series: [{manifest: v6, trees: [a, b]}]", &["a", "b"], &["v6"]).unwrap();
        assert_eq!((nightly.hours, nightly.free_gib, nightly.keep.runs, nightly.stale_nights), (8, 12, 60, 14));
        assert_eq!(nightly.trees(), ["a", "b"]);
    }

    #[test]
    fn all_problems_are_told_at_once() {
        let text = "\
series:
  - {manifest: v7, trees: [a]}
  - {name: x y, change_id: 'a b', trees: []}
  - {message_id: <a@b>, name: m, trees: [linux, a, a]}
  - {manifest: v6, change_id: c, trees: [a]}
  - {trees: [a]}
  - {manifest: v6, trees: [a]}
  - {manifest: v6, trees: [a]}
";
        let error = parse(text, &["a", "linux-6.12"], &["v6"]).unwrap_err().to_string();
        insta::assert_snapshot!(error, @r#"
        nightly.yaml:2:6: there is no series/v7.yaml (did you mean `v6`?)
        nightly.yaml:3:6: `x y` is no name (letters, digits, `.`, `-` and `_` make a name)
        nightly.yaml:3:17: this is no change-id (copy it from the cover letter)
        nightly.yaml:3:35: no tree (name at least one tree of series/trees.yaml)
        nightly.yaml:4:6: this is no Message-ID (write it as in the Message-ID header, without angle brackets)
        nightly.yaml:4:42: there is no tree `linux` in series/trees.yaml (there are: a, linux-6.12)
        nightly.yaml:4:49: `a` stands here twice (remove one)
        nightly.yaml:4:52: `a` stands here twice (remove one)
        nightly.yaml:5:5: a followed series has exactly one of manifest, change_id, message_id (keep one of them)
        nightly.yaml:6:5: a followed series has exactly one of manifest, change_id, message_id (keep one of them)
        nightly.yaml:6:5: the series has no name (write e.g. `name: hmm-migrate`)
        nightly.yaml:7:5: `v6` is followed twice (give one of them another name)
        nightly.yaml:8:5: `v6` is followed twice (give one of them another name)
        "#);
    }

    #[test]
    fn numbers_have_bounds() {
        let text = "series: []\nhours: 0\nkeep: {runs: 1}\npost: sned\n";
        let error = parse(text, &[], &[]).unwrap_err().to_string();
        insta::assert_snapshot!(error, @r#"
        nightly.yaml:2:1: hours must be at least 1, not 0
        nightly.yaml:3:8: keep.runs must be at least 2, not 1
        nightly.yaml:4:1: post must be one of none, dry-run, queue, send, not `sned` (did you mean `send`?)
        "#);
    }
}
