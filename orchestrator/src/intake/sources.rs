//! `series/sources.yaml`: where posted series are looked for.

use camino::{Utf8Path, Utf8PathBuf};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use super::wanted::is_repository;
use crate::config::{ConfigError, Document, Home, Problem, load_document};

/// Name of the file in the series folder.
const NAME: &str = "sources.yaml";

/// The file `series/sources.yaml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SourcesFile {
    /// Where posted series are looked for, in this order.
    pub sources: Vec<SourceEntry>,
}

/// One source as written: a name and exactly one of the other keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceEntry {
    /// Name in notes and reports.
    pub name: String,
    /// An archive on the web that public-inbox serves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_inbox: Option<PublicInboxEntry>,
    /// A maildir on this host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maildir: Option<PathEntry>,
    /// An mbox on this host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mbox: Option<PathEntry>,
    /// A project of a patchwork server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patchwork: Option<PatchworkEntry>,
    /// A repository on GitHub, for its pull requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub github: Option<GithubEntry>,
}

/// An archive that public-inbox serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PublicInboxEntry {
    /// Address of the list in it: `https://lore.kernel.org/all`.
    pub url: String,
}

/// A file or folder on this host. It is only read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PathEntry {
    /// Absolute path.
    #[schemars(with = "String")]
    pub path: Utf8PathBuf,
}

/// A project of a patchwork server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PatchworkEntry {
    /// Address of the server: `https://patchwork.kernel.org`.
    pub url: String,
    /// Name of the project in addresses: `linux-mm`.
    pub project: String,
}

/// A repository on GitHub.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GithubEntry {
    /// `owner/repository`.
    pub repository: String,
    /// Environment variable that holds a token. Without it requests are anonymous: few per hour, public repositories.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_env: Option<String>,
    /// Address of the REST API, for GitHub Enterprise [default: https://api.github.com].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api: Option<String>,
}

/// A place where posted series are looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Name in notes and reports.
    pub name: String,
    /// Where it is.
    pub place: Place,
}

/// The kinds of places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// An archive that public-inbox serves, by the address of the list in it.
    PublicInbox(Url),
    /// A maildir.
    Maildir(Utf8PathBuf),
    /// An mbox.
    Mbox(Utf8PathBuf),
    /// A project of a patchwork server.
    Patchwork {
        /// The server.
        server: Url,
        /// The project.
        project: String,
    },
    /// Pull requests of a repository.
    Github {
        /// `owner/repository`.
        repository: String,
        /// Environment variable with a token.
        token_env: Option<String>,
        /// Address of the API.
        api: Option<Url>,
    },
}

/// The sources of `series/sources.yaml`, in order.
///
/// # Errors
/// Everything that is wrong with the file, with lines.
pub fn sources(home: &Home) -> Result<Vec<Source>, ConfigError> {
    read(&home.series_dir().join(NAME))
}

fn read(path: &Utf8Path) -> Result<Vec<Source>, ConfigError> {
    let (file, document) = load_document::<SourcesFile>(path)?;
    check(&file, &document)
}

fn check(file: &SourcesFile, document: &Document) -> Result<Vec<Source>, ConfigError> {
    let mut problems: Vec<Problem> = Vec::new();
    let mut sources: Vec<Source> = Vec::new();
    for (index, entry) in file.sources.iter().enumerate() {
        let index = index.to_string();
        let mut problem = |keys: &[&str], message: String, hint: &str| {
            let path: Vec<&str> = ["sources", &index].into_iter().chain(keys.iter().copied()).collect();
            problems.push(document.problem(&path, message, Some(hint.to_owned())));
        };
        if !is_name(&entry.name) {
            let message = format!("`{}` is no name for a source", entry.name);
            problem(&["name"], message, "letters, digits, `.`, `-` and `_` make a name");
        } else if file.sources[..index.parse().unwrap_or(0)].iter().any(|other| other.name == entry.name) {
            problem(&["name"], format!("there are two sources `{}`", entry.name), "give each a name of its own");
        }
        match entry.place() {
            Ok(place) => sources.push(Source { name: entry.name.clone(), place }),
            Err(faults) => {
                for (keys, message, hint) in faults {
                    problem(&keys, message, hint);
                }
            }
        }
    }
    ConfigError::unless_empty(problems)?;
    Ok(sources)
}

/// Something wrong with a source: the keys below it that lead there, what, and what to do.
type Fault = (Vec<&'static str>, String, &'static str);

impl SourceEntry {
    fn place(&self) -> Result<Place, Vec<Fault>> {
        let path = |key: &'static str, entry: &PathEntry| {
            let message = || format!("`{}` is not an absolute path", entry.path);
            if entry.path.is_absolute() {
                Ok(entry.path.clone())
            } else {
                Err(vec![(vec![key, "path"], message(), "begin it with /")])
            }
        };
        match self {
            SourceEntry {
                public_inbox: Some(entry), maildir: None, mbox: None, patchwork: None, github: None, ..
            } => web(&["public_inbox", "url"], &entry.url).map(Place::PublicInbox),
            SourceEntry {
                public_inbox: None, maildir: Some(entry), mbox: None, patchwork: None, github: None, ..
            } => path("maildir", entry).map(Place::Maildir),
            SourceEntry {
                public_inbox: None, maildir: None, mbox: Some(entry), patchwork: None, github: None, ..
            } => path("mbox", entry).map(Place::Mbox),
            SourceEntry {
                public_inbox: None, maildir: None, mbox: None, patchwork: Some(entry), github: None, ..
            } => {
                let server = web(&["patchwork", "url"], &entry.url)?;
                if is_name(&entry.project) {
                    return Ok(Place::Patchwork { server, project: entry.project.clone() });
                }
                let message = format!("`{}` is no name of a project", entry.project);
                Err(vec![(vec!["patchwork", "project"], message, "write it as in the addresses of its pages")])
            }
            SourceEntry {
                public_inbox: None, maildir: None, mbox: None, patchwork: None, github: Some(entry), ..
            } => entry.place(),
            SourceEntry { .. } => {
                let message = "a source has exactly one of the keys public_inbox, maildir, mbox, patchwork, github";
                Err(vec![(Vec::new(), message.to_owned(), "write one source for each")])
            }
        }
    }
}

impl GithubEntry {
    fn place(&self) -> Result<Place, Vec<Fault>> {
        let mut faults = Vec::new();
        if !is_repository(&self.repository) {
            let message = format!("`{}` is no repository", self.repository);
            faults.push((vec!["github", "repository"], message, "write owner/repository"));
        }
        if let Some(name) = self.token_env.as_ref().filter(|name| !is_variable(name)) {
            let hint = "write the name of the variable, never the token itself";
            faults.push((vec!["github", "token_env"], format!("`{name}` is no name of a variable"), hint));
        }
        let api = match self.api.as_deref().map(|api| web(&["github", "api"], api)) {
            None => None,
            Some(Ok(api)) => Some(api),
            Some(Err(found)) => {
                faults.extend(found);
                None
            }
        };
        if !faults.is_empty() {
            return Err(faults);
        }
        Ok(Place::Github { repository: self.repository.clone(), token_env: self.token_env.clone(), api })
    }
}

/// An address of a web server; without the slash at its end.
fn web(keys: &[&'static str], text: &str) -> Result<Url, Vec<Fault>> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "https" | "http") && url.has_host());
    let url = url.filter(|url| url.query().is_none() && url.fragment().is_none() && url.username().is_empty());
    url.and_then(|mut url| {
        url.path_segments_mut().ok()?.pop_if_empty();
        Some(url)
    })
    .ok_or_else(|| vec![(keys.to_vec(), format!("`{text}` is no address"), "begin it with https:// or http://")])
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
}

fn is_variable(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_uppercase() || c == '_')
        && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse_document;

    #[test]
    fn the_shipped_sources_are_valid() {
        let shipped = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("../series/sources.yaml");
        let sources = read(&shipped).unwrap();
        let lore = Place::PublicInbox(Url::parse("https://lore.kernel.org/all").unwrap());
        assert_eq!(sources, [Source { name: "lore".to_owned(), place: lore }]);
    }

    #[test]
    fn every_kind_is_read() {
        let yaml = "sources:
  - {name: here, mbox: {path: /srv/list.mbox}}
  - {name: dir, maildir: {path: /srv/list}}
  - {name: inbox, public_inbox: {url: 'http://127.0.0.1:8080/list/'}}
  - {name: pw, patchwork: {url: 'https://pw.example.org', project: linux-mm}}
  - {name: gh, github: {repository: owner/repo, token_env: GITHUB_TOKEN, api: 'https://gh.example.org/api/v3'}}
";
        let (file, document) = parse_document::<SourcesFile>(Utf8Path::new("sources.yaml"), yaml).unwrap();
        let sources = check(&file, &document).unwrap();
        let url = |text: &str| Url::parse(text).unwrap();
        let places = [
            Place::Mbox("/srv/list.mbox".into()),
            Place::Maildir("/srv/list".into()),
            Place::PublicInbox(url("http://127.0.0.1:8080/list")),
            Place::Patchwork { server: url("https://pw.example.org"), project: "linux-mm".to_owned() },
            Place::Github {
                repository: "owner/repo".to_owned(),
                token_env: Some("GITHUB_TOKEN".to_owned()),
                api: Some(url("https://gh.example.org/api/v3")),
            },
        ];
        assert_eq!(sources.into_iter().map(|source| source.place).collect::<Vec<_>>(), places);
    }

    #[test]
    fn all_problems_are_told_at_once() {
        let yaml = "sources:
  - {name: 'a b', mbox: {path: rel}}
  - {name: a}
  - {name: a, maildir: {path: /x}, mbox: {path: /y}}
  - {name: b, public_inbox: {url: 'lore.kernel.org/all'}}
  - {name: c, patchwork: {url: 'https://x', project: '../y'}}
  - {name: d, github: {repository: repo, token_env: ghp_secret, api: 'ftp://x'}}
";
        let (file, document) = parse_document::<SourcesFile>(Utf8Path::new("sources.yaml"), yaml).unwrap();
        insta::assert_snapshot!(check(&file, &document).unwrap_err().to_string(), @r"
        sources.yaml:2:6: `a b` is no name for a source (letters, digits, `.`, `-` and `_` make a name)
        sources.yaml:2:26: `rel` is not an absolute path (begin it with /)
        sources.yaml:3:5: a source has exactly one of the keys public_inbox, maildir, mbox, patchwork, github (write one source for each)
        sources.yaml:4:5: a source has exactly one of the keys public_inbox, maildir, mbox, patchwork, github (write one source for each)
        sources.yaml:4:6: there are two sources `a` (give each a name of its own)
        sources.yaml:5:30: `lore.kernel.org/all` is no address (begin it with https:// or http://)
        sources.yaml:6:45: `../y` is no name of a project (write it as in the addresses of its pages)
        sources.yaml:7:24: `repo` is no repository (write owner/repository)
        sources.yaml:7:42: `ghp_secret` is no name of a variable (write the name of the variable, never the token itself)
        sources.yaml:7:65: `ftp://x` is no address (begin it with https:// or http://)
        ");
    }
}
