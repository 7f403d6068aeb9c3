//! `series/trees.yaml`: which trees there are and where each comes from.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::spec::{GitRef, Source, TarballPlace, TreeSpec};
use crate::config::{ConfigError, Document, Home, Problem, load_document};

/// Name of the file in the series folder.
const NAME: &str = "trees.yaml";

/// The file `series/trees.yaml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TreesFile {
    /// Trees by name.
    pub trees: BTreeMap<String, TreeEntry>,
}

/// One tree of `series/trees.yaml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TreeEntry {
    /// One line for people.
    pub about: String,
    /// Where it can be had, tried in order.
    pub sources: Vec<SourceEntry>,
}

/// One source as written: exactly one of the keys.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceEntry {
    /// A Debian source package.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub debian: Option<DebianEntry>,
    /// A git repository on another host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git: Option<GitEntry>,
    /// A git clone on this host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clone: Option<CloneEntry>,
    /// A tar archive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tarball: Option<TarballEntry>,
}

/// A binary package of Debian that holds `/usr/src/<package>.tar.xz`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DebianEntry {
    /// Package, e.g. `linux-source-6.12`.
    pub package: String,
    /// Suite to take it from, e.g. `unstable`, through an apt configuration of our own. Without it: what the host has
    /// installed, else what the host's own apt sources offer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suite: Option<String>,
    /// True when `package` only depends on the package that holds the source, e.g. `linux-source`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub metapackage: bool,
}

/// A git repository: `url` and exactly one of `branch`, `tag`, `commit`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GitEntry {
    /// Address, as git takes it.
    pub url: String,
    /// Branch whose head is the base.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// Tag that is the base.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// Commit that is the base, 40 hex digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
}

/// A git clone on this host. It is only read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CloneEntry {
    /// Absolute path of the clone.
    #[schemars(with = "String")]
    pub path: Utf8PathBuf,
    /// Revision in git's notation, e.g. `v6.18` or `origin/master`.
    pub rev: String,
}

/// A tar archive (`.tar`, `.tar.gz`, `.tar.xz`): exactly one of `path` and `url`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TarballEntry {
    /// Absolute path on this host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub path: Option<Utf8PathBuf>,
    /// Address it is downloaded from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// SHA-256 it must have, 64 hex digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

/// All trees of `series/trees.yaml`, by name.
///
/// # Errors
/// Everything that is wrong with the file, with lines.
pub fn catalogue(home: &Home) -> Result<Vec<TreeSpec>, ConfigError> {
    read(&home.series_dir().join(NAME))
}

fn read(path: &Utf8Path) -> Result<Vec<TreeSpec>, ConfigError> {
    let (file, document) = load_document::<TreesFile>(path)?;
    check(&file, &document)
}

fn check(file: &TreesFile, document: &Document) -> Result<Vec<TreeSpec>, ConfigError> {
    let mut problems: Vec<Problem> = Vec::new();
    let mut specs = Vec::new();
    for (name, entry) in &file.trees {
        if !is_name(name) {
            let hint = "letters, digits, `.`, `-` and `_` make a name".to_owned();
            problems.push(document.problem(&["trees", name], format!("`{name}` is no name for a tree"), Some(hint)));
        }
        if entry.sources.is_empty() {
            let hint = "name at least one of debian, git, clone, tarball".to_owned();
            let message = format!("tree {name} has no source");
            problems.push(document.problem(&["trees", name, "sources"], message, Some(hint)));
        }
        let mut sources = Vec::new();
        for (index, source) in entry.sources.iter().enumerate() {
            let index = index.to_string();
            match source.checked() {
                Ok(source) => sources.push(source),
                Err(found) => problems.extend(found.into_iter().map(|fault| {
                    let path = ["trees", name, "sources", &index].into_iter().chain(fault.keys.iter().copied());
                    document.problem(&path.collect::<Vec<_>>(), fault.message, fault.hint)
                })),
            }
        }
        specs.push(TreeSpec { name: name.clone(), about: entry.about.clone(), sources });
    }
    ConfigError::unless_empty(problems)?;
    Ok(specs)
}

/// Something wrong with a source: the keys below it that lead there, what, and what to do.
struct Fault {
    keys: Vec<&'static str>,
    message: String,
    hint: Option<String>,
}

fn fault(keys: &[&'static str], message: impl Into<String>, hint: &str) -> Fault {
    let hint = Some(hint.to_owned()).filter(|hint| !hint.is_empty());
    Fault { keys: keys.to_vec(), message: message.into(), hint }
}

impl SourceEntry {
    fn checked(&self) -> Result<Source, Vec<Fault>> {
        match self {
            SourceEntry { debian: Some(debian), git: None, clone: None, tarball: None } => debian.checked(),
            SourceEntry { debian: None, git: Some(git), clone: None, tarball: None } => git.checked(),
            SourceEntry { debian: None, git: None, clone: Some(clone), tarball: None } => clone.checked(),
            SourceEntry { debian: None, git: None, clone: None, tarball: Some(tarball) } => tarball.checked(),
            _ => Err(vec![fault(&[], "a source has exactly one of the keys debian, git, clone, tarball", "")]),
        }
    }
}

impl DebianEntry {
    fn checked(&self) -> Result<Source, Vec<Fault>> {
        let plain = |word: &str| {
            word.starts_with(|c: char| c.is_ascii_alphanumeric())
                && word.chars().all(|c| c.is_ascii_alphanumeric() || ".+-".contains(c))
        };
        let mut problems = Vec::new();
        if !plain(&self.package) {
            let message = format!("`{}` is not the name of a Debian package", self.package);
            problems.push(fault(&["debian", "package"], message, "write e.g. linux-source-6.12"));
        }
        if let Some(suite) = self.suite.as_ref().filter(|suite| !plain(suite)) {
            let message = format!("`{suite}` is not the name of a Debian suite");
            problems.push(fault(&["debian", "suite"], message, "write e.g. unstable"));
        }
        if problems.is_empty() { Ok(Source::Debian(self.clone())) } else { Err(problems) }
    }
}

impl GitEntry {
    fn checked(&self) -> Result<Source, Vec<Fault>> {
        let mut problems = Vec::new();
        if self.url.is_empty() || self.url.starts_with('-') {
            problems.push(fault(&["git", "url"], format!("`{}` is not an address", self.url), ""));
        }
        let at = match (&self.branch, &self.tag, &self.commit) {
            (Some(branch), None, None) => Some(GitRef::Branch(branch.clone())),
            (None, Some(tag), None) => Some(GitRef::Tag(tag.clone())),
            (None, None, Some(commit)) => Some(GitRef::Commit(commit.clone())),
            _ => None,
        };
        match &at {
            None => problems.push(fault(&["git"], "exactly one of branch, tag, commit is needed", "")),
            Some(GitRef::Commit(commit)) if !is_hex(commit, 40) => {
                let message = format!("`{commit}` is not a full commit id");
                problems.push(fault(&["git", "commit"], message, "write all 40 hex digits"));
            }
            Some(GitRef::Branch(name) | GitRef::Tag(name))
                if !git2::Reference::is_valid_name(&format!("refs/heads/{name}")) =>
            {
                problems.push(fault(&["git"], format!("`{name}` is not the name of a branch or tag"), ""));
            }
            Some(GitRef::Commit(_) | GitRef::Branch(_) | GitRef::Tag(_)) => {}
        }
        match at {
            Some(at) if problems.is_empty() => Ok(Source::Git { url: self.url.clone(), at }),
            Some(_) | None => Err(problems),
        }
    }
}

impl CloneEntry {
    fn checked(&self) -> Result<Source, Vec<Fault>> {
        let mut problems = Vec::new();
        if !self.path.is_absolute() {
            problems.push(fault(&["clone", "path"], format!("`{}` is not an absolute path", self.path), ""));
        }
        if self.rev.is_empty() {
            problems.push(fault(&["clone", "rev"], "no revision", "name a branch, tag or commit"));
        }
        if problems.is_empty() { Ok(Source::Clone(self.clone())) } else { Err(problems) }
    }
}

impl TarballEntry {
    fn checked(&self) -> Result<Source, Vec<Fault>> {
        let mut problems = Vec::new();
        if let Some(sum) = self.sha256.as_ref().filter(|sum| !is_hex(sum, 64)) {
            problems.push(fault(&["tarball", "sha256"], format!("`{sum}` is not 64 hex digits"), ""));
        }
        let place = match (&self.path, &self.url) {
            (Some(path), None) if path.is_absolute() => Some(TarballPlace::Path(path.clone())),
            (Some(path), None) => {
                problems.push(fault(&["tarball", "path"], format!("`{path}` is not an absolute path"), ""));
                None
            }
            (None, Some(url)) if ["https://", "http://"].iter().any(|scheme| url.starts_with(scheme)) => {
                Some(TarballPlace::Url(url.clone()))
            }
            (None, Some(url)) => {
                let message = format!("`{url}` is not an address curl is trusted with");
                problems.push(fault(&["tarball", "url"], message, "begin it with https:// or http://"));
                None
            }
            (Some(_), Some(_)) | (None, None) => {
                problems.push(fault(&["tarball"], "exactly one of path, url is needed", ""));
                None
            }
        };
        match place {
            Some(place) if problems.is_empty() => {
                Ok(Source::Tarball { place, sha256: self.sha256.as_ref().map(|sum| sum.to_ascii_lowercase()) })
            }
            Some(_) | None => Err(problems),
        }
    }
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.chars().all(|c| c.is_ascii_hexdigit())
}

/// Names become file names and parts of unit names.
fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse_document;

    fn problems(yaml: &str) -> String {
        let (file, document) = parse_document::<TreesFile>(Utf8Path::new("trees.yaml"), yaml).unwrap();
        check(&file, &document).unwrap_err().to_string()
    }

    #[test]
    fn shipped_trees_are_valid_and_complete() {
        let shipped = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("../series/trees.yaml");
        let specs = read(&shipped).unwrap();
        let names: Vec<&str> = specs.iter().map(|spec| spec.name.as_str()).collect();
        assert_eq!(
            names,
            ["debian-unstable", "linux-6.1", "linux-6.12", "linux-next", "mainline", "mm-new", "mm-unstable"]
        );
        let embedded = &specs[2];
        assert_eq!(embedded.sources[0].to_string(), "Debian package linux-source-6.12");
        assert!(matches!(&embedded.sources[1], Source::Git { at: GitRef::Branch(name), .. } if name == "linux-6.12.y"));
    }

    #[test]
    fn all_problems_are_told_at_once() {
        let yaml = "trees:
  ../x:
    about: a
    sources: []
  b:
    about: b
    sources:
      - {}
      - debian: {package: 'a b', suite: -o}
      - git: {url: u, branch: m, tag: t}
      - git: {url: u, commit: abc}
      - git: {url: -u, branch: 'a..b'}
      - clone: {path: rel, rev: ''}
      - tarball: {path: x, sha256: zz}
      - tarball: {url: 'ftp://x'}
      - tarball: {}
";
        insta::assert_snapshot!(problems(yaml), @r"
        trees.yaml:2:3: `../x` is no name for a tree (letters, digits, `.`, `-` and `_` make a name)
        trees.yaml:4:5: tree ../x has no source (name at least one of debian, git, clone, tarball)
        trees.yaml:8:9: a source has exactly one of the keys debian, git, clone, tarball
        trees.yaml:9:18: `a b` is not the name of a Debian package (write e.g. linux-source-6.12)
        trees.yaml:9:34: `-o` is not the name of a Debian suite (write e.g. unstable)
        trees.yaml:10:9: exactly one of branch, tag, commit is needed
        trees.yaml:11:23: `abc` is not a full commit id (write all 40 hex digits)
        trees.yaml:12:9: `a..b` is not the name of a branch or tag
        trees.yaml:12:15: `-u` is not an address
        trees.yaml:13:17: `rel` is not an absolute path
        trees.yaml:13:28: no revision (name a branch, tag or commit)
        trees.yaml:14:19: `x` is not an absolute path
        trees.yaml:14:28: `zz` is not 64 hex digits
        trees.yaml:15:19: `ftp://x` is not an address curl is trusted with (begin it with https:// or http://)
        trees.yaml:16:9: exactly one of path, url is needed
        ");
    }
}
