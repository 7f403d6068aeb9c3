//! Archives of mails: a thread by one of its mails, threads by what their cover letters say.

use camino::Utf8Path;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::Url;

use super::cache::{self, Copy};
use super::error::SourceTrouble;
use super::fetch::Intake;
use super::{gzip, local, page};
use crate::series::{self, Mail};

/// How long a copy stands for the archive itself, in seconds.
const FRESH_SECONDS: i64 = 10 * 60;

/// What stays as it is in the address of a mail.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'@');

/// What is searched for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Query {
    /// `change-id:` in the text.
    Change(String),
    /// This title from this sender.
    Title {
        /// Subject without prefix.
        title: String,
        /// Address of the sender.
        address: String,
    },
}

/// Mails, and what a reader should know of how they came.
#[derive(Debug, Clone, Default)]
pub(super) struct Haul {
    pub(super) mails: Vec<Mail>,
    pub(super) notes: Vec<String>,
}

/// A Message-ID in an address.
pub(super) fn quote(id: &str) -> String {
    utf8_percent_encode(id, PLAIN).to_string()
}

/// Address of a mail of an archive, for people.
pub(super) fn mail_url(archive: &Url, id: &str) -> String {
    match archive.host_str() {
        Some("lore.kernel.org") => format!("https://lore.kernel.org/r/{}", quote(id)),
        Some(_) | None => format!("{}/{}/", base(archive), quote(id)),
    }
}

fn base(archive: &Url) -> &str {
    archive.as_str().trim_end_matches('/')
}

fn query_text(query: &Query) -> String {
    // Quotes end a phrase; nothing else in one has a meaning.
    let phrase = |text: &str| text.replace('"', " ");
    match query {
        Query::Change(change) => format!("nq:\"change-id: {}\"", phrase(change)),
        Query::Title { title, address } => format!("s:\"{}\" AND f:\"{}\"", phrase(title), phrase(address)),
    }
}

/// The thread of a mail from an archive that public-inbox serves.
pub(super) async fn inbox_thread(intake: &Intake, name: &str, archive: &Url, id: &str) -> Result<Haul, SourceTrouble> {
    let address = format!("{}/{}/t.mbox.gz", base(archive), quote(id));
    let holds = |mails: &[Mail]| mails.iter().any(|mail| mail.message_id.as_deref() == Some(id));
    let check = |mails: &[Mail]| {
        let other = || SourceTrouble::OtherThread { address: address.clone(), id: id.to_owned() };
        holds(mails).then_some(()).ok_or_else(other)
    };
    let ask = Ask { name, address: &address, post: false, none: None };
    ask.answer(intake, check).await.map_err(|trouble| match trouble {
        SourceTrouble::NotFound(_) => SourceTrouble::NotFound(format!("<{id}> ({address})")),
        other => other,
    })
}

/// The threads in which an archive that public-inbox serves finds something.
pub(super) async fn inbox_search(
    intake: &Intake,
    name: &str,
    archive: &Url,
    query: &Query,
) -> Result<Haul, SourceTrouble> {
    let text = utf8_percent_encode(&query_text(query), NON_ALPHANUMERIC).to_string();
    let address = format!("{}/?x=m&t=1&q={text}", base(archive));
    Ask { name, address: &address, post: true, none: Some("No results found") }.answer(intake, |_| Ok(())).await
}

/// One question to an archive.
struct Ask<'a> {
    /// Name of the source.
    name: &'a str,
    address: &'a str,
    post: bool,
    /// What a 404 says that means: nothing was found.
    none: Option<&'a str>,
}

impl Ask<'_> {
    /// The answer: a copy that is fresh, else the archive's, else a copy of any age with a note that says so.
    async fn answer(
        &self,
        intake: &Intake,
        check: impl Fn(&[Mail]) -> Result<(), SourceTrouble>,
    ) -> Result<Haul, SourceTrouble> {
        let Ask { address, .. } = self;
        let now = (intake.clock)().as_second();
        let read = |bytes: &[u8]| {
            let mails = self.read(bytes, intake.limits.plain)?;
            check(&mails).map(|()| mails)
        };
        let copy = cache::load(&intake.cache, address);
        let aged = copy.and_then(|copy| Some((now - copy.fetched, read(&copy.bytes).ok()?)));
        if let Some((age, mails)) = &aged
            && (0..FRESH_SECONDS).contains(age)
        {
            return Ok(Haul { mails: mails.clone(), notes: Vec::new() });
        }
        let trouble = match self.fetch(intake).await {
            Ok(None) => return Ok(Haul::default()),
            Ok(Some(bytes)) => match read(&bytes) {
                Ok(mails) => {
                    let mut notes = Vec::new();
                    if let Err(error) = cache::store(&intake.cache, address, &Copy { fetched: now, bytes }) {
                        notes.push(format!("what {} answered could not be kept: {error}", self.name));
                    }
                    return Ok(Haul { mails, notes });
                }
                Err(trouble) => trouble,
            },
            Err(SourceTrouble::Cancelled) => return Err(SourceTrouble::Cancelled),
            Err(trouble) => trouble,
        };
        match aged {
            Some((age, mails)) => {
                let age = age_text(age);
                let note = format!("{} did not serve ({trouble}); its answer of {age} is taken", self.name);
                Ok(Haul { mails, notes: vec![note] })
            }
            None => Err(trouble),
        }
    }

    /// What the archive answers; nothing when it says that it found nothing.
    async fn fetch(&self, intake: &Intake) -> Result<Option<Vec<u8>>, SourceTrouble> {
        let Ask { address, .. } = self;
        let request = if self.post { intake.http.post(address) } else { intake.http.get(address) };
        let answer = intake.http.send(request, address, &intake.cancel).await?;
        if answer.status.is_success() {
            return Ok(Some(answer.bytes));
        }
        let text = String::from_utf8_lossy(&answer.bytes);
        match self.none {
            Some(words) if text.trim_start().starts_with(words) => Ok(None),
            Some(_) => Err(SourceTrouble::Status {
                address: address.to_string(),
                status: answer.status.to_string(),
                what: Some(page::explain(&answer.bytes, address)),
            }),
            None => Err(SourceTrouble::NotFound(address.to_string())),
        }
    }

    fn read(&self, bytes: &[u8], limit: u64) -> Result<Vec<Mail>, SourceTrouble> {
        let address = || self.address.to_owned();
        let plain = gzip::unpack(bytes, limit).map_err(|trouble| match trouble {
            gzip::GzipTrouble::NotGzip => {
                SourceTrouble::NoMails { address: address(), what: page::explain(bytes, self.address) }
            }
            trouble => SourceTrouble::Gzip { address: address(), trouble },
        })?;
        series::mails(Utf8Path::new(self.address), &plain)
            .map_err(|error| SourceTrouble::NoMails { address: address(), what: error.to_string() })
    }
}

/// `3 h ago`.
pub(super) fn age_text(seconds: i64) -> String {
    match seconds {
        ..0 => "a time to come".to_owned(),
        0..60 => format!("{seconds} s ago"),
        60..3600 => format!("{} min ago", seconds / 60),
        3600..172_800 => format!("{} h ago", seconds / 3600),
        _ => format!("{} days ago", seconds / 86_400),
    }
}

/// Reads an archive on this host without keeping others waiting, and takes from it what `pick` says.
pub(super) async fn on_host(
    read: impl FnOnce() -> Result<Vec<Mail>, SourceTrouble> + Send + 'static,
    pick: impl FnOnce(Vec<Mail>) -> Vec<Mail> + Send + 'static,
) -> Result<Haul, SourceTrouble> {
    let task = tokio::task::spawn_blocking(move || read().map(pick));
    let mails = task.await.map_err(|error| SourceTrouble::Refused(error.to_string()))??;
    Ok(Haul { mails, notes: Vec::new() })
}

/// The thread of a mail from an archive on this host.
pub(super) async fn host_thread(
    read: impl FnOnce() -> Result<Vec<Mail>, SourceTrouble> + Send + 'static,
    id: &str,
) -> Result<Haul, SourceTrouble> {
    let wanted = id.to_owned();
    let haul = on_host(read, move |mails| local::thread(mails, &wanted)).await?;
    if haul.mails.is_empty() { Err(SourceTrouble::NotFound(format!("<{id}>"))) } else { Ok(haul) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_quoted() {
        let archive = Url::parse("https://lore.kernel.org/all").unwrap();
        assert_eq!(mail_url(&archive, "a/b+c@d.e"), "https://lore.kernel.org/r/a%2Fb%2Bc@d.e");
        let other = Url::parse("http://127.0.0.1:80/list/").unwrap();
        assert_eq!(mail_url(&other, "20260316.1-x_y~z@d"), "http://127.0.0.1/list/20260316.1-x_y~z@d/");
        let title = Query::Title { title: "mm: \"a\" OR b".to_owned(), address: "a@b".to_owned() };
        assert_eq!(query_text(&title), "s:\"mm:  a  OR b\" AND f:\"a@b\"");
        assert_eq!(query_text(&Query::Change("2026-x".to_owned())), "nq:\"change-id: 2026-x\"");
    }

    #[test]
    fn ages_are_said_in_one_unit() {
        let ages: Vec<String> = [-5, 0, 59, 60, 3599, 3600, 172_799, 172_800].into_iter().map(age_text).collect();
        assert_eq!(
            ages,
            ["a time to come", "0 s ago", "59 s ago", "1 min ago", "59 min ago", "1 h ago", "47 h ago", "2 days ago"]
        );
    }
}
