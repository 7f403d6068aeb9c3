//! `series/authors.yaml`: whose patches may run on boxes without being asked about.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::{self, ConfigError, Document, Home};
use crate::words::Person;

/// Name of the file in the series folder.
const NAME: &str = "authors.yaml";

/// The file `series/authors.yaml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AuthorsFile {
    /// Addresses of mail (`dev@example.org`), or `*@example.org` for all of a domain.
    pub trusted: Vec<String>,
}

/// Authors whose patches may run on boxes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Authors {
    /// In lower case, as written else.
    trusted: Vec<String>,
}

impl Authors {
    /// Reads the file. Without one nobody is trusted.
    ///
    /// # Errors
    /// Everything that is wrong with the file, with lines.
    pub fn load(home: &Home) -> Result<Authors, ConfigError> {
        let path = home.series_dir().join(NAME);
        if !path.exists() {
            return Ok(Authors::default());
        }
        let (file, document) = config::load_document::<AuthorsFile>(&path)?;
        check(&file, &document)
    }

    /// Whether this person is in the file.
    pub fn trusts(&self, person: &Person) -> bool {
        let email = person.email.to_lowercase();
        let Some((_, domain)) = email.rsplit_once('@') else { return false };
        self.trusted.iter().any(|entry| match entry.strip_prefix("*@") {
            Some(whole) => whole == domain,
            None => *entry == email,
        })
    }
}

/// Whether `entry` is an address or `*@domain`.
fn is_entry(entry: &str) -> bool {
    let plain = |part: &str| {
        !part.is_empty() && !part.chars().any(|c| c.is_whitespace() || c.is_control() || "@*<>,;\"".contains(c))
    };
    entry.split_once('@').is_some_and(|(user, domain)| (user == "*" || plain(user)) && plain(domain))
}

fn check(file: &AuthorsFile, document: &Document) -> Result<Authors, ConfigError> {
    let mut problems = Vec::new();
    for (index, entry) in file.trusted.iter().enumerate() {
        let index = index.to_string();
        let mut fault = |message: String, hint: &str| {
            problems.push(document.problem(&["trusted", &index], message, Some(hint.to_owned())));
        };
        if !is_entry(entry) {
            fault(format!("`{entry}` is no address"), "write dev@example.org, or *@example.org for all of a domain");
        } else if file.trusted.iter().filter(|other| other.eq_ignore_ascii_case(entry)).count() > 1 {
            fault(format!("`{entry}` stands here twice"), "remove one");
        }
    }
    ConfigError::unless_empty(problems)?;
    Ok(Authors { trusted: file.trusted.iter().map(|entry| entry.to_lowercase()).collect() })
}

#[cfg(test)]
pub(super) fn trusting(entries: &[&str]) -> Authors {
    Authors { trusted: entries.iter().map(|entry| (*entry).to_owned()).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(email: &str) -> Person {
        Person { name: "X".into(), email: email.into() }
    }

    #[test]
    fn an_address_is_trusted_whole_and_a_domain_only_by_itself() {
        let authors = trusting(&["dev@example.org", "*@corp.example"]);
        for (email, trusted) in [
            ("dev@example.org", true),
            ("Dev@Example.ORG", true),
            ("x@corp.example", true),
            ("xdev@example.org", false),
            ("x@sub.corp.example", false),
            ("x@evilcorp.example", false),
            ("x@corp.example@evil.example", false),
            ("corp.example", false),
            ("", false),
        ] {
            assert_eq!(authors.trusts(&person(email)), trusted, "{email}");
        }
        assert!(!Authors::default().trusts(&person("dev@example.org")));
    }

    #[test]
    fn what_is_no_address_is_no_entry() {
        for good in ["a@b", "*@b.c", "a+b.c@d"] {
            assert!(is_entry(good), "{good}");
        }
        for bad in ["*", "a", "@b", "a@", "*@*", "a@b@c", "A <a@b>", "*x@b", "a@b\n"] {
            assert!(!is_entry(bad), "{bad}");
        }
    }
}
