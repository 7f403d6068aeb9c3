//! What a user may call a posted series.

use std::fmt;

use percent_encoding::percent_decode_str;
use url::Url;

use crate::config::Home;
use crate::series::{SeriesError, SeriesSource};

/// A posted series, as it is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// The series that a mail belongs to.
    Message {
        /// Message-ID without angle brackets.
        id: String,
        /// The archive that an address named beside the mail, `https://host/list`; asked before the sources.
        archive: Option<Url>,
    },
    /// The series with this `change-id:`.
    Change(String),
    /// A series or patch of a patchwork server, by its number there.
    Patchwork {
        /// The server, `https://patchwork.example.org`.
        server: Url,
        /// Which thing.
        item: PatchworkItem,
    },
    /// A pull request.
    Pull {
        /// `owner/repository`.
        repository: String,
        /// Its number.
        number: u64,
    },
}

/// What a number of a patchwork server counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PatchworkItem {
    /// A series.
    Series(u64),
    /// A patch; its series is meant.
    Patch(u64),
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Wanted::Message { id, .. } => write!(f, "<{id}>"),
            Wanted::Change(id) => write!(f, "change-id {id}"),
            Wanted::Patchwork { server, item: PatchworkItem::Series(number) } => {
                write!(f, "series {number} of {server}")
            }
            Wanted::Patchwork { server, item: PatchworkItem::Patch(number) } => write!(f, "patch {number} of {server}"),
            Wanted::Pull { repository, number } => write!(f, "{repository}#{number}"),
        }
    }
}

/// What an argument means: something on this host, or something posted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// A manifest, a file, a folder, a range.
    Local(SeriesSource),
    /// In an archive.
    Posted(Wanted),
}

/// Tells what an argument means: the name of a manifest; else an existing file or folder; else something posted; else a
/// range.
///
/// # Errors
/// When it is nothing of that, with the names there are.
pub fn ask(argument: &str, home: &Home) -> Result<Asked, SeriesError> {
    match SeriesSource::guess(argument, home) {
        Ok(source @ (SeriesSource::Name(_) | SeriesSource::Mbox(_) | SeriesSource::Folder(_))) => {
            Ok(Asked::Local(source))
        }
        range_or_error => match Wanted::parse(argument) {
            Some(wanted) => Ok(Asked::Posted(wanted)),
            None => range_or_error.map(Asked::Local),
        },
    }
}

impl Wanted {
    /// Reads an argument; nothing when it names no posted series.
    pub fn parse(argument: &str) -> Option<Wanted> {
        let text = argument.trim();
        if let Some(change) = text.strip_prefix("change-id:") {
            let change = change.trim();
            return is_word(change).then(|| Wanted::Change(change.to_owned()));
        }
        if text.starts_with("https://") || text.starts_with("http://") {
            return address(&Url::parse(text).ok()?);
        }
        if let Some(id) = text.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')) {
            return message_id(id).map(|id| Wanted::Message { id, archive: None });
        }
        if let Some((repository, number)) = text.split_once('#') {
            return is_repository(repository)
                .then(|| number.parse().ok())
                .flatten()
                .map(|number| Wanted::Pull { repository: repository.to_owned(), number });
        }
        // `HEAD@{1}..` is a range, and so is anything else with `..` that is not in angle brackets.
        // A file that is not there is a mistake to be told, not a mail.
        let is_file =
            [".mbox", ".mbx", ".patch", ".diff", ".eml", ".gz", ".yaml"].iter().any(|end| text.ends_with(end));
        let is_bare = !text.contains("..") && !text.contains("@{") && !text.starts_with(['.', '/', '-']) && !is_file;
        let id = text.strip_prefix("id:").unwrap_or(text);
        is_bare.then(|| message_id(id)).flatten().map(|id| Wanted::Message { id, archive: None })
    }
}

/// Longest Message-ID taken: RFC 5322 allows lines of 998.
const ID_LIMIT: usize = 900;

/// A Message-ID: one `@` between two words, nothing that could be an address of more than a mail.
fn message_id(text: &str) -> Option<String> {
    let (left, right) = text.rsplit_once('@')?;
    let good = |c: char| c.is_ascii_graphic() && !matches!(c, '<' | '>' | '"' | '\\' | '`');
    (text.len() <= ID_LIMIT && !left.is_empty() && !right.is_empty() && text.chars().all(good)).then(|| text.to_owned())
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.len() <= 200 && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-+".contains(c))
}

/// `owner/repository` as GitHub allows it.
pub(super) fn is_repository(text: &str) -> bool {
    let Some((owner, name)) = text.split_once('/') else { return false };
    [owner, name].iter().all(|part| is_word(part) && !part.starts_with('.'))
}

/// Reads the address of a mail, a series or a pull request.
fn address(url: &Url) -> Option<Wanted> {
    let parts: Vec<String> = url
        .path_segments()?
        .filter(|part| !part.is_empty())
        .map(|part| percent_decode_str(part).decode_utf8().map(std::borrow::Cow::into_owned))
        .collect::<Result<_, _>>()
        .ok()?;
    let words: Vec<&str> = parts.iter().map(String::as_str).collect();
    // On a patchwork server: the mail is meant, wherever it is.
    if let ["project", _, "patch" | "cover", id, ..] = words.as_slice() {
        return message_id(id).map(|id| Wanted::Message { id, archive: None });
    }
    if let Some(at) = words.iter().position(|word| message_id(word).is_some()) {
        // `lore.kernel.org/r/ID` and `patch.msgid.link/ID` lead to the archive that has the mail.
        let archive = match &words[..at] {
            [] | ["r"] => None,
            list => archive_url(url, list),
        };
        return Some(Wanted::Message { id: words[at].to_owned(), archive });
    }
    let pull = |owner: &str, name: &str, number: &str| {
        let repository = format!("{owner}/{name}");
        let number = number.trim_end_matches(".patch").trim_end_matches(".diff").parse().ok()?;
        is_repository(&repository).then_some(Wanted::Pull { repository, number })
    };
    let item = |number: &str, kind: fn(u64) -> PatchworkItem| {
        let server = archive_url(url, &[])?;
        Some(Wanted::Patchwork { server, item: kind(number.parse().ok()?) })
    };
    match words.as_slice() {
        [owner, name, "pull", number, ..] => pull(owner, name, number),
        ["series", number, ..] | ["api", "series", number, ..] | ["api", _, "series", number, ..] => {
            item(number, PatchworkItem::Series)
        }
        ["patch", number, ..] | ["api", "patches", number, ..] | ["api", _, "patches", number, ..] => {
            item(number, PatchworkItem::Patch)
        }
        ["project", _, "list", ..] => {
            let number = url.query_pairs().find(|(key, _)| key == "series")?.1;
            item(&number, PatchworkItem::Series)
        }
        _ => None,
    }
}

/// The address without all that is behind `parts`.
fn archive_url(url: &Url, parts: &[&str]) -> Option<Url> {
    let mut archive = url.clone();
    archive.set_query(None);
    archive.set_fragment(None);
    // A name and a password in an address are nothing that an archive needs.
    archive.set_username("").ok()?;
    archive.set_password(None).ok()?;
    archive.path_segments_mut().ok()?.clear().extend(parts);
    Some(archive)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(id: &str, archive: Option<&str>) -> Option<Wanted> {
        Some(Wanted::Message { id: id.to_owned(), archive: archive.map(|url| Url::parse(url).unwrap()) })
    }

    #[test]
    fn arguments_are_read_as_people_paste_them() {
        let patchwork = |item| Some(Wanted::Patchwork { server: Url::parse("https://pw.example.org").unwrap(), item });
        let pull = || Some(Wanted::Pull { repository: "owner/repo".to_owned(), number: 12 });
        for (argument, expected) in [
            ("20260316-1-a@example.org", message("20260316-1-a@example.org", None)),
            ("<20260316-1-a@example.org>", message("20260316-1-a@example.org", None)),
            ("id:a/b@example.org", message("a/b@example.org", None)),
            ("<a..b@example.org>", message("a..b@example.org", None)),
            ("https://lore.kernel.org/all/a@b/", message("a@b", Some("https://lore.kernel.org/all"))),
            (
                "https://lore.kernel.org/linux-mm/a%2Fb@c/T/#u",
                message("a/b@c", Some("https://lore.kernel.org/linux-mm")),
            ),
            ("https://lore.kernel.org/linux-mm/a@b/raw", message("a@b", Some("https://lore.kernel.org/linux-mm"))),
            (
                "https://lore.kernel.org/linux-mm/a@b/t.mbox.gz",
                message("a@b", Some("https://lore.kernel.org/linux-mm")),
            ),
            ("https://lore.kernel.org/r/a@b", message("a@b", None)),
            ("https://patch.msgid.link/a%40b", message("a@b", None)),
            ("http://u:p@127.0.0.1:80/x/list/a@b/?q=1", message("a@b", Some("http://127.0.0.1:80/x/list"))),
            ("https://pw.example.org/project/linux-mm/patch/a@b/", message("a@b", None)),
            ("https://pw.example.org/project/linux-mm/cover/a@b/mbox/", message("a@b", None)),
            ("https://pw.example.org/project/linux-mm/list/?series=7&state=*", patchwork(PatchworkItem::Series(7))),
            ("https://pw.example.org/series/7/mbox/", patchwork(PatchworkItem::Series(7))),
            ("https://pw.example.org/api/1.3/series/7/", patchwork(PatchworkItem::Series(7))),
            ("https://pw.example.org/patch/9/", patchwork(PatchworkItem::Patch(9))),
            ("https://pw.example.org/api/patches/9/", patchwork(PatchworkItem::Patch(9))),
            ("change-id:20260316-hmm-abc", Some(Wanted::Change("20260316-hmm-abc".to_owned()))),
            ("change-id: 20260316-hmm-abc", Some(Wanted::Change("20260316-hmm-abc".to_owned()))),
            ("owner/repo#12", pull()),
            ("https://github.com/owner/repo/pull/12", pull()),
            ("https://github.com/owner/repo/pull/12/commits", pull()),
            ("https://github.com/owner/repo/pull/12.patch", pull()),
            // None of these.
            ("v6", None),
            ("HEAD@{1}..HEAD", None),
            ("v6.12..topic", None),
            ("user@host..x", None),
            ("./a@b", None),
            ("/tmp/a@b", None),
            ("mail/to@me.mbox", None),
            ("a@", None),
            ("@b", None),
            ("<a@b", None),
            ("a b@c", None),
            ("change-id:", None),
            ("change-id:a b", None),
            ("change-id:\"x\" OR y", None),
            ("owner#12", None),
            ("a/b/c#1", None),
            ("owner/repo#x", None),
            ("https://", None),
            ("https://example.org/", None),
            ("https://pw.example.org/project/linux-mm/list/", None),
            ("ftp://lore.kernel.org/all/x", None),
        ] {
            assert_eq!(Wanted::parse(argument), expected, "{argument}");
        }
        assert_eq!(Wanted::parse(&format!("{}@b", "a".repeat(1000))), None);
    }
}
