//! Reading and checking `series/places.yaml`.

use camino::{Utf8Path, Utf8PathBuf};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::token::{Token, TokenError};
use crate::config::{ConfigError, Document, Home, Problem, load_document};

/// Name of the file in the series folder.
const NAME: &str = "places.yaml";

/// Longest context of a check: what Patchwork and GitHub keep.
const CONTEXT_LIMIT: usize = 100;

/// The file `series/places.yaml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlacesFile {
    /// The places.
    pub places: Places,
}

/// Places that may hear of a run. What is not there hears nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Places {
    /// Address below which the run folders are published, e.g. `https://ci.example.org/results/`: checks then link to
    /// the report, and KCIDB to the logs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runs_url: Option<String>,
    /// A Patchwork project: one check for each patch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patchwork: Option<Patchwork>,
    /// A GitHub repository: commit status, check run, comment, issue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub github: Option<Github>,
    /// KernelCI's common database.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kcidb: Option<Kcidb>,
}

/// A Patchwork project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Patchwork {
    /// Address of the server, e.g. `https://patchwork.kernel.org`.
    pub url: String,
    /// Link name of the project, as in its address: `linux-mm`. One mail may be a patch of several projects.
    pub project: String,
    /// Beginning of the checks' context; the name of the tree follows.
    #[serde(default = "default_context")]
    pub context: String,
    /// Name of the account that the token belongs to: checks of others are then told from ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Environment variable that holds the API token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_env: Option<String>,
    /// File that holds the API token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub token_file: Option<Utf8PathBuf>,
}

/// A GitHub repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Github {
    /// `owner/name`.
    pub repo: String,
    /// Address of the API; another one for GitHub Enterprise.
    #[serde(default = "default_api")]
    pub api_url: String,
    /// Context of the commit status and name of the check run.
    #[serde(default = "default_context")]
    pub context: String,
    /// Set a commit status.
    #[serde(default = "yes")]
    pub status: bool,
    /// Make a check run; it needs the token of a GitHub App, and is a commit status without one.
    #[serde(default)]
    pub check: bool,
    /// Write one comment on the pull request and keep it up to date.
    #[serde(default = "yes")]
    pub comment: bool,
    /// Open an issue when a nightly run finds a problem, close it when it is gone.
    #[serde(default)]
    pub issue: bool,
    /// Label of such issues.
    #[serde(default = "default_context")]
    pub issue_label: String,
    /// Requests of the token's hourly budget that are left to others: with fewer nothing is begun.
    #[serde(default = "default_reserve")]
    pub reserve: u32,
    /// Environment variable that holds the token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_env: Option<String>,
    /// File that holds the token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub token_file: Option<Utf8PathBuf>,
}

/// KernelCI's common database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Kcidb {
    /// Address of the server, e.g. `https://staging.db.kernelci.org`.
    pub url: String,
    /// Name of this CI system there: lower-case letters, digits and `_`.
    pub origin: String,
    /// Environment variable that holds the token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_env: Option<String>,
    /// File that holds the token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub token_file: Option<Utf8PathBuf>,
}

fn default_context() -> String {
    "orchestrator".to_owned()
}

fn default_api() -> String {
    "https://api.github.com".to_owned()
}

fn default_reserve() -> u32 {
    100
}

fn yes() -> bool {
    true
}

impl Places {
    /// Address of a file of a run, where runs are published.
    pub fn run_url(&self, run: &str, file: &str) -> Option<String> {
        let base = self.runs_url.as_deref()?.trim_end_matches('/');
        let mut url = url::Url::parse(base).ok()?;
        url.path_segments_mut().ok()?.push(run).extend(file.split('/'));
        Some(url.to_string())
    }
}

impl Patchwork {
    /// The token.
    ///
    /// # Errors
    /// When it is not there.
    pub fn token(&self, env: impl Fn(&str) -> Option<String>) -> Result<Token, TokenError> {
        Token::read("patchwork", self.token_env.as_deref(), self.token_file.as_deref(), env)
    }
}

impl Github {
    /// The token.
    ///
    /// # Errors
    /// When it is not there.
    pub fn token(&self, env: impl Fn(&str) -> Option<String>) -> Result<Token, TokenError> {
        Token::read("github", self.token_env.as_deref(), self.token_file.as_deref(), env)
    }
}

impl Kcidb {
    /// The token.
    ///
    /// # Errors
    /// When it is not there.
    pub fn token(&self, env: impl Fn(&str) -> Option<String>) -> Result<Token, TokenError> {
        Token::read("kcidb", self.token_env.as_deref(), self.token_file.as_deref(), env)
    }
}

/// Reads `series/places.yaml`. A project folder without the file has no places.
///
/// # Errors
/// Everything that is wrong with the file, with lines.
pub fn load(home: &Home) -> Result<Places, ConfigError> {
    let path = home.series_dir().join(NAME);
    if path.exists() { read(&path) } else { Ok(Places::default()) }
}

fn read(path: &Utf8Path) -> Result<Places, ConfigError> {
    let (file, document) = load_document::<PlacesFile>(path)?;
    check(file, &document)
}

fn check(file: PlacesFile, document: &Document) -> Result<Places, ConfigError> {
    let mut problems = Vec::new();
    let places = file.places;
    let mut found = |path: &[&str], message: String, hint: &str| {
        let path: Vec<&str> = std::iter::once("places").chain(path.iter().copied()).collect();
        problems.push(document.problem(&path, message, Some(hint.to_owned())));
    };
    if let Some(url) = places.runs_url.as_ref().filter(|url| !is_address(url)) {
        found(&["runs_url"], format!("`{url}` is not an address"), "begin it with https:// or http://");
    }
    if let Some(patchwork) = &places.patchwork {
        if !is_address(&patchwork.url) {
            let message = format!("`{}` is not an address", patchwork.url);
            found(&["patchwork", "url"], message, "write the server alone: https://patchwork.kernel.org");
        }
        if !patchwork.project.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)) {
            let message = format!("`{}` is not the link name of a project", patchwork.project);
            found(&["patchwork", "project"], message, "it stands in the project's address: linux-mm");
        }
        let slug = |b: u8| b.is_ascii_alphanumeric() || b"-_".contains(&b);
        if !(1..=CONTEXT_LIMIT).contains(&patchwork.context.len()) || !patchwork.context.bytes().all(slug) {
            let message = format!("`{}` is not a context", patchwork.context);
            found(&["patchwork", "context"], message, "letters, digits, `-` and `_`, at most 100");
        }
    }
    if let Some(github) = &places.github {
        let part = |part: &str| {
            !part.is_empty()
                && !matches!(part, "." | "..")
                && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        };
        if !github.repo.split_once('/').is_some_and(|(owner, name)| part(owner) && part(name)) {
            found(&["github", "repo"], format!("`{}` is not a repository", github.repo), "write owner/name");
        }
        if !is_address(&github.api_url) {
            let message = format!("`{}` is not an address", github.api_url);
            found(&["github", "api_url"], message, "begin it with https:// or http://");
        }
        for (key, text) in [("context", &github.context), ("issue_label", &github.issue_label)] {
            let words = (1..=50).contains(&text.len())
                && text.bytes().all(|b| b.is_ascii_alphanumeric() || b" -_./".contains(&b));
            if !words {
                let hint = "letters, digits, blanks and `-_./`, at most 50";
                found(&["github", key], format!("`{text}` cannot be the {key}"), hint);
            }
        }
    }
    if let Some(kcidb) = &places.kcidb {
        if !is_address(&kcidb.url) {
            found(&["kcidb", "url"], format!("`{}` is not an address", kcidb.url), "write the server alone");
        }
        let origin = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        if kcidb.origin.is_empty() || !kcidb.origin.bytes().all(origin) {
            let message = format!("`{}` is not an origin", kcidb.origin);
            found(&["kcidb", "origin"], message, "lower-case letters, digits and `_`");
        }
    }
    tokens(&places, document, &mut problems);
    ConfigError::unless_empty(problems)?;
    Ok(places)
}

/// Every place needs a token from exactly one source.
fn tokens(places: &Places, document: &Document, problems: &mut Vec<Problem>) {
    let all = [
        ("patchwork", places.patchwork.as_ref().map(|p| (&p.token_env, &p.token_file))),
        ("github", places.github.as_ref().map(|p| (&p.token_env, &p.token_file))),
        ("kcidb", places.kcidb.as_ref().map(|p| (&p.token_env, &p.token_file))),
    ];
    for (place, token) in all {
        let Some((variable, file)) = token else { continue };
        if variable.is_some() == file.is_some() {
            let hint = "secrets are read from the environment or from a file, never from here".to_owned();
            let message = "exactly one of token_env, token_file is needed";
            problems.push(document.problem(&["places", place], message, Some(hint)));
        }
        let name = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_';
        if let Some(text) = variable.as_ref().filter(|text| text.is_empty() || !text.bytes().all(name)) {
            // Whatever stands there may be the secret itself: it is not repeated.
            let message = format!("these {} characters are not the name of an environment variable", text.len());
            let hint = "upper-case letters, digits and `_`; the token itself does not belong here".to_owned();
            problems.push(document.problem(&["places", place, "token_env"], message, Some(hint)));
        }
        if let Some(path) = file.as_ref().filter(|path| !path.is_absolute()) {
            let message = format!("`{path}` is not an absolute path");
            problems.push(document.problem(&["places", place, "token_file"], message, None));
        }
    }
}

/// An address without user, query and fragment.
fn is_address(text: &str) -> bool {
    url::Url::parse(text).is_ok_and(|url| {
        matches!(url.scheme(), "https" | "http")
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse_document;

    fn parse(yaml: &str) -> Result<Places, ConfigError> {
        let (file, document) = parse_document::<PlacesFile>(Utf8Path::new("places.yaml"), yaml)?;
        check(file, &document)
    }

    #[test]
    fn as_shipped_nothing_hears_of_a_run() {
        let shipped = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("../series/places.yaml");
        assert_eq!(read(&shipped).unwrap(), Places::default());
    }

    #[test]
    fn the_example_in_the_shipped_file_is_valid() {
        let shipped = include_str!("../../../../series/places.yaml");
        let example: String =
            shipped.lines().filter_map(|line| line.strip_prefix("#   ")).map(|line| format!("  {line}\n")).collect();
        let places = parse(&format!("places:\n{example}")).unwrap();
        assert!(places.runs_url.is_some() && places.patchwork.is_some());
        let github = places.github.unwrap();
        assert!(github.status && github.comment && !github.check && !github.issue);
        assert_eq!(places.kcidb.unwrap().token_env.as_deref(), Some("KCIDB_TOKEN"));
    }

    #[test]
    fn all_problems_are_told_at_once() {
        let yaml = "places:
  runs_url: ci.example.org
  patchwork: {url: 'ftp://x', project: 'a b', context: 'a.b', token_env: hunter2-secret}
  github: {repo: name, api_url: 'https://t@h/', context: '', issue_label: 'a@b', token_file: rel}
  kcidb: {url: 'https://h/?t=1', origin: Lab-1}
";
        insta::assert_snapshot!(parse(yaml).unwrap_err());
    }

    #[test]
    fn addresses_of_runs_are_whole() {
        let places = Places { runs_url: Some("https://ci.example.org/r/".into()), ..Places::default() };
        assert_eq!(places.run_url("a b", "report.html").unwrap(), "https://ci.example.org/r/a%20b/report.html");
        assert_eq!(Places::default().run_url("a", "b"), None);
    }
}
