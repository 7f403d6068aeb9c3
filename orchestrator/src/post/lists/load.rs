//! Reading and checking the files.

use std::net::IpAddr;

use camino::{Utf8Path, Utf8PathBuf};

use super::file::{ListsFile, Security, SmtpEntry};
use super::policy::Lists;
use crate::config::{self, ConfigError, Document, Home, Problem};

/// Name of the files.
const NAME: &str = "lists.yaml";

/// How mail leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Transport {
    /// To the mail server of `smtp:`.
    Smtp,
    /// Through `git send-email`.
    GitSendEmail,
}

/// The user's own file: the one that was named, else `orchestrator/lists.yaml` in the user's folder of configurations.
pub fn user_file(named: Option<&Utf8Path>) -> Option<Utf8PathBuf> {
    let from = |name: &str| std::env::var(name).ok().filter(|value| Utf8Path::new(value).is_absolute());
    let folder = || match (from("XDG_CONFIG_HOME"), from("HOME")) {
        (Some(config), _) => Some(Utf8PathBuf::from(config)),
        (None, Some(home)) => Some(Utf8PathBuf::from(home).join(".config")),
        (None, None) => None,
    };
    named.map(Utf8Path::to_owned).or_else(|| Some(folder()?.join("orchestrator").join(NAME)))
}

/// The policy in force: `series/lists.yaml` of the project folder, and the user's own file over it. A file that was
/// `named` must exist.
///
/// # Errors
/// Everything that is wrong with either file.
pub fn load(home: &Home, named: Option<&Utf8Path>) -> Result<Lists, ConfigError> {
    let shipped = home.series_dir().join(NAME);
    let shipped = if shipped.is_file() { read(&shipped)? } else { ListsFile::default() };
    let own = match user_file(named) {
        Some(file) if named.is_some() || file.is_file() => read(&file)?,
        Some(_) | None => ListsFile::default(),
    };
    Ok(Lists::merge(shipped, own))
}

fn read(path: &Utf8Path) -> Result<ListsFile, ConfigError> {
    let (file, document) = config::load_document::<ListsFile>(path)?;
    ConfigError::unless_empty(check(&file, &document))?;
    Ok(file)
}

/// What types cannot say.
fn check(file: &ListsFile, document: &Document) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut wrong = |path: &[&str], message: String, hint: &str| {
        problems.push(document.problem(path, message, Some(hint.to_owned())));
    };
    if let Some(sender) = &file.sender {
        if !is_address(&sender.email) {
            wrong(&["sender", "email"], format!("`{}` is no mail address", sender.email), "write name@domain");
        }
        if sender.name.chars().any(crate::term::text::is_hostile) {
            wrong(&["sender", "name"], "the name holds control characters".to_owned(), "write it on one line");
        }
    }
    if let Some(domain) = &file.message_id_domain
        && !is_domain(domain)
    {
        wrong(&["message_id_domain"], format!("`{domain}` is no domain"), "write example.org");
    }
    if let Some(archive) = &file.archive
        && !url::Url::parse(archive).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
    {
        let hint = "write https://lore.kernel.org/all/";
        wrong(&["archive"], format!("`{archive}` is no http or https address"), hint);
    }
    for address in file.lists.keys() {
        if !is_address(address) {
            wrong(&["lists", address], format!("`{address}` is no mail address"), "write list@domain");
        }
    }
    if let Some(smtp) = &file.smtp {
        check_smtp(smtp, &mut wrong);
    }
    problems
}

fn check_smtp(smtp: &SmtpEntry, wrong: &mut impl FnMut(&[&str], String, &str)) {
    if !is_domain(&smtp.host) && smtp.host.parse::<IpAddr>().is_err() {
        wrong(&["smtp", "host"], format!("`{}` is no host name", smtp.host), "write mail.example.org");
    }
    if smtp.security == Security::None && !is_loopback(&smtp.host) {
        let message = "mail to another host may not go unencrypted".to_owned();
        wrong(&["smtp", "security"], message, "write starttls or tls; none is for localhost");
    }
    if let Some(hello) = smtp.hello.as_ref().filter(|hello| !is_domain(hello)) {
        wrong(&["smtp", "hello"], format!("`{hello}` is no domain"), "write the name of this host");
    }
    match (&smtp.user, &smtp.password_env, &smtp.password_file) {
        (Some(_), Some(_), None) | (Some(_), None, Some(_)) | (None, None, None) => {}
        (Some(_), None, None) => {
            let hint = "name a variable with password_env, or a file with password_file";
            wrong(&["smtp", "user"], "there is a user and no password".to_owned(), hint);
        }
        (_, Some(_), Some(_)) => {
            let message = "password_env and password_file exclude each other".to_owned();
            wrong(&["smtp", "password_env"], message, "leave one of them out");
        }
        (None, ..) => wrong(&["smtp"], "there is a password and no user".to_owned(), "name the `user`"),
    }
    for (key, file) in [("password_file", &smtp.password_file), ("ca_file", &smtp.ca_file)] {
        if let Some(file) = file.as_ref().filter(|file| !file.is_absolute()) {
            wrong(&["smtp", key], format!("`{file}` is no absolute path"), "begin it with `/`");
        }
    }
}

/// True for addresses that mail servers and headers take as they are: ASCII, without comments or quotes.
pub fn is_address(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_graphic() && !"<>()[],;:\\\"".contains(c);
    text.len() <= 254
        && text.chars().all(plain)
        && text.parse::<lettre::Address>().is_ok()
        && text.matches('@').count() == 1
}

fn is_domain(text: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(label)
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
