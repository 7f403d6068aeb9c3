//! From what a user calls a posted series to the series.

use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::archive::{self, Haul, Query};
use super::error::{IntakeError, SourceTrouble};
use super::github::{self, Access};
use super::http::Http;
use super::postings::{self, Start, Survey};
use super::sources::{Place, Source, sources};
use super::versions::{self, VersionList};
use super::wanted::{Asked, Wanted};
use super::{local, patchwork};
use crate::config::{ConfigError, Home};
use crate::series::{self, Mail, Manifest, SeriesSource};
use crate::words::{Envelope, Posting, Series, SourceFailure};

/// Bounds on what archives may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Longest time for one whole answer.
    pub deadline: Duration,
    /// Longest time that an overloaded server may ask to wait before it is asked again.
    pub patience: Duration,
    /// Wait before an overloaded server is asked again that does not say when.
    pub pause: Duration,
    /// Most bytes of an answer.
    pub packed: u64,
    /// Most bytes that an answer unpacks to.
    pub plain: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            deadline: Duration::from_secs(60),
            patience: Duration::from_secs(30),
            pause: Duration::from_secs(2),
            packed: 32 << 20,
            plain: 64 << 20,
        }
    }
}

/// Which version of a series is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// That of the mail that was named; of a change-id the newest.
    AsNamed,
    /// The newest.
    Latest,
    /// This one.
    Version(u32),
}

/// Head of the mail with this Message-ID, a cover letter or a patch: what a reply to it needs.
///
/// # Errors
/// Why no source has it, or what is there under that id; for people.
pub async fn posted_head(
    home: &Home,
    cache: &Utf8Path,
    id: &str,
    cancel: &CancellationToken,
) -> Result<Envelope, String> {
    let intake = Intake::open(home, cache, cancel).map_err(|error| error.to_string())?;
    let wanted = Wanted::Message { id: id.to_owned(), archive: None };
    let series = intake.fetch(&wanted, Choice::AsNamed).await.map_err(|error| error.to_string())?;
    let cover = series.cover.and_then(|cover| cover.envelope);
    let patches = series.patches.into_iter().filter_map(|patch| patch.envelope);
    let found = cover.into_iter().chain(patches).find(|head| head.message_id == id);
    found.ok_or_else(|| format!("<{id}> is neither a cover letter nor a patch"))
}

/// Looks for posted series.
#[derive(Debug, Clone)]
pub struct Intake {
    /// A file that cannot be used is told when it is needed: what is on this host needs no source.
    sources: Result<Vec<Source>, ConfigError>,
    pub(super) cache: Utf8PathBuf,
    pub(super) clock: fn() -> Timestamp,
    pub(super) limits: Limits,
    pub(super) cancel: CancellationToken,
    pub(super) http: Http,
}

/// What an archive holds of a series.
struct Found {
    source: Source,
    survey: Survey,
    notes: Vec<String>,
}

impl Intake {
    /// Looks in the sources of `series/sources.yaml`, keeps answers below `cache`.
    ///
    /// # Errors
    /// When the program cannot speak HTTP.
    pub fn open(home: &Home, cache: &Utf8Path, cancel: &CancellationToken) -> Result<Intake, IntakeError> {
        let intake = Intake::new(Vec::new(), cache, Timestamp::now, Limits::default(), cancel)?;
        Ok(Intake { sources: sources(home), ..intake })
    }

    /// As [`Intake::open`], with everything given. `clock` tells how old an answer is.
    ///
    /// # Errors
    /// When the program cannot speak HTTP.
    pub fn new(
        sources: Vec<Source>,
        cache: &Utf8Path,
        clock: fn() -> Timestamp,
        limits: Limits,
        cancel: &CancellationToken,
    ) -> Result<Intake, IntakeError> {
        let http = Http::new(limits).map_err(IntakeError::Client)?;
        Ok(Intake { sources: Ok(sources), cache: cache.to_owned(), clock, limits, cancel: cancel.clone(), http })
    }

    /// Loads what was asked for, from this host or from where it was posted. `tree` picks the port of a series given by
    /// name; for a tree that the posted mails are for, these are fetched.
    ///
    /// # Errors
    /// When it cannot be had, or is not one complete series.
    pub async fn load(
        &self,
        home: &Home,
        asked: &Asked,
        tree: Option<&str>,
        choice: Choice,
    ) -> Result<Series, IntakeError> {
        let source = match asked {
            Asked::Posted(wanted) => return self.fetch(wanted, choice).await,
            Asked::Local(source) => source,
        };
        if let SeriesSource::Name(name) = source
            && let Ok(manifest) = Manifest::load(home, name)
            && let tree = tree.unwrap_or(&manifest.default_tree)
            && manifest.port_dir(home, tree).is_none()
            && manifest.upstream.trees.iter().any(|known| known == tree)
        {
            let wanted = Wanted::Message { id: manifest.upstream.message_id.clone(), archive: None };
            let series = self.fetch(&wanted, Choice::AsNamed).await?;
            let default_tree = Some(manifest.default_tree);
            return Ok(Series { name: name.clone(), title: manifest.title, default_tree, ..series });
        }
        let version = match choice {
            Choice::AsNamed | Choice::Latest => None,
            Choice::Version(version) => Some(version),
        };
        Ok(series::load_version(home, source, tree, version)?)
    }

    /// Fetches a posted series.
    ///
    /// # Errors
    /// When no source has it, or what it has is not one complete series of the version asked for.
    pub async fn fetch(&self, wanted: &Wanted, choice: Choice) -> Result<Series, IntakeError> {
        if let Wanted::Pull { repository, number } = wanted {
            return self.pull(wanted, repository, *number).await;
        }
        let found = self.find(wanted).await?;
        assemble(found, wanted, choice)
    }

    /// Lists the versions of a posted series.
    ///
    /// # Errors
    /// When no source has it.
    pub async fn versions(&self, wanted: &Wanted) -> Result<VersionList, IntakeError> {
        let Found { source, survey, notes } = self.find(wanted).await?;
        Ok(VersionList { source: source.name.clone(), versions: versions::rows(&survey, &source), notes })
    }

    /// Asks the sources in order until one has what is wanted.
    async fn find(&self, wanted: &Wanted) -> Result<Found, IntakeError> {
        let mut failures: Vec<SourceFailure> = Vec::new();
        let sources = self.sources.as_ref().map_err(Clone::clone)?;
        for source in candidates(sources, wanted) {
            match self.find_in(&source, wanted).await {
                Ok(mut found) => {
                    let skipped = failures.iter().map(|failure| format!("{failure}; {} served instead", source.name));
                    found.notes.splice(0..0, skipped);
                    return Ok(found);
                }
                Err(SourceTrouble::Cancelled) => return Err(IntakeError::Cancelled { wanted: wanted.to_string() }),
                Err(trouble) => failures.push(SourceFailure { source: source.name, reason: trouble.to_string() }),
            }
        }
        match failures.is_empty() {
            true => Err(IntakeError::NoSource { wanted: wanted.to_string() }),
            false => Err(IntakeError::Unavailable { wanted: wanted.to_string(), failures }),
        }
    }

    async fn find_in(&self, source: &Source, wanted: &Wanted) -> Result<Found, SourceTrouble> {
        let (haul, message) = match wanted {
            Wanted::Message { id, .. } => (self.thread(source, id).await?, Some(id.clone())),
            Wanted::Change(change) => {
                let haul = self.search(source, &Query::Change(change.clone())).await?;
                (haul, None)
            }
            Wanted::Patchwork { server, item } => {
                let haul = patchwork::by_item(self, server, *item).await?;
                let id = haul.mails.first().and_then(|mail| mail.message_id.clone());
                (haul, id)
            }
            Wanted::Pull { .. } => return Err(SourceTrouble::NotFound(wanted.to_string())),
        };
        let start = match (&message, wanted) {
            (_, Wanted::Change(change)) => Start::Change(change),
            (Some(id), _) => Start::Message(id),
            (None, _) => return Err(SourceTrouble::NotFound(wanted.to_string())),
        };
        let Haul { mails, mut notes } = haul;
        let nothing = || SourceTrouble::NotFound(format!("a patch series of {wanted}"));
        let survey = Survey::new(mails, start).ok_or_else(nothing)?;
        let more = match self.search_versions(source, &survey).await {
            Ok(more) => more,
            Err(SourceTrouble::Cancelled) => return Err(SourceTrouble::Cancelled),
            Err(trouble) => {
                notes.push(format!("other versions were looked for in the thread alone: {}: {trouble}", source.name));
                Haul::default()
            }
        };
        notes.extend(more.notes);
        let mails: Vec<Mail> = survey.mails.into_iter().chain(more.mails).collect();
        let survey = Survey::new(mails, start).ok_or_else(nothing)?;
        Ok(Found { source: source.clone(), survey, notes })
    }

    async fn thread(&self, source: &Source, id: &str) -> Result<Haul, SourceTrouble> {
        match &source.place {
            Place::PublicInbox(archive) => archive::inbox_thread(self, &source.name, archive, id).await,
            Place::Mbox(file) => {
                let file = file.clone();
                archive::host_thread(move || local::read_mbox(&file), id).await
            }
            Place::Maildir(folder) => {
                let folder = folder.clone();
                archive::host_thread(move || local::read_maildir(&folder), id).await
            }
            Place::Patchwork { server, project } => patchwork::by_message(self, server, project, id).await,
            Place::Github { .. } => Err(SourceTrouble::NotFound(format!("<{id}>"))),
        }
    }

    async fn search(&self, source: &Source, query: &Query) -> Result<Haul, SourceTrouble> {
        let (file, wanted) = (source.place.clone(), query.clone());
        match &source.place {
            Place::PublicInbox(archive) => archive::inbox_search(self, &source.name, archive, query).await,
            Place::Mbox(_) | Place::Maildir(_) => {
                let read = move || match file {
                    Place::Mbox(file) => local::read_mbox(&file),
                    Place::Maildir(folder) => local::read_maildir(&folder),
                    Place::PublicInbox(_) | Place::Patchwork { .. } | Place::Github { .. } => Ok(Vec::new()),
                };
                archive::on_host(read, move |mails| local::search(&mails, &wanted)).await
            }
            Place::Patchwork { .. } => Err(SourceTrouble::Refused("patchwork cannot search for it".to_owned())),
            Place::Github { .. } => Err(SourceTrouble::NotFound("mails".to_owned())),
        }
    }

    /// Looks for the other versions: by change-id where there is one, and by title and sender, since a series may have
    /// got its change-id late.
    async fn search_versions(&self, source: &Source, survey: &Survey) -> Result<Haul, SourceTrouble> {
        let head = survey.head(survey.posting(survey.start()));
        let address = head.from.as_ref().map(|person| person.email.clone()).unwrap_or_default();
        let title = Query::Title { title: head.subject.title.clone(), address };
        let change = survey.change(survey.start()).map(|change| Query::Change(change.to_owned()));
        let mut all = Haul::default();
        for query in change.into_iter().chain([title]) {
            let haul = self.search(source, &query).await?;
            all.mails.extend(haul.mails);
            all.notes.extend(haul.notes);
        }
        Ok(all)
    }

    async fn pull(&self, wanted: &Wanted, repository: &str, number: u64) -> Result<Series, IntakeError> {
        let sources = self.sources.as_ref().map_err(Clone::clone)?;
        let access = sources.iter().find_map(|source| match &source.place {
            Place::Github { repository: known, token_env, api } if known.eq_ignore_ascii_case(repository) => {
                Some(Access {
                    source: source.name.clone(),
                    repository: known.clone(),
                    token_env: token_env.clone(),
                    api: api.clone(),
                })
            }
            Place::PublicInbox(_)
            | Place::Maildir(_)
            | Place::Mbox(_)
            | Place::Patchwork { .. }
            | Place::Github { .. } => None,
        });
        let access = access.unwrap_or_else(|| Access {
            source: "github".to_owned(),
            repository: repository.to_owned(),
            token_env: None,
            api: None,
        });
        match github::pull(self, &access, number).await {
            Ok(series) => series,
            Err(SourceTrouble::Cancelled) => Err(IntakeError::Cancelled { wanted: wanted.to_string() }),
            Err(trouble) => {
                let failures = vec![SourceFailure { source: access.source, reason: trouble.to_string() }];
                Err(IntakeError::Unavailable { wanted: wanted.to_string(), failures })
            }
        }
    }
}

/// The sources that may have it, in the order in which they are asked.
fn candidates(sources: &[Source], wanted: &Wanted) -> Vec<Source> {
    let mails = |source: &&Source| !matches!(source.place, Place::Github { .. });
    let mut candidates: Vec<Source> = match wanted {
        Wanted::Message { .. } => sources.iter().filter(mails).cloned().collect(),
        // patchwork cannot search for it.
        Wanted::Change(_) => {
            let searchable = |source: &&Source| mails(source) && !matches!(source.place, Place::Patchwork { .. });
            sources.iter().filter(searchable).cloned().collect()
        }
        Wanted::Patchwork { server, .. } => {
            let is_it = |source: &&Source| match &source.place {
                Place::Patchwork { server: known, .. } => same_host(known, server),
                Place::PublicInbox(_) | Place::Maildir(_) | Place::Mbox(_) | Place::Github { .. } => false,
            };
            let known = sources.iter().find(is_it).map(|source| source.name.clone());
            let name = known.unwrap_or_else(|| host(server));
            let place = Place::Patchwork { server: server.clone(), project: String::new() };
            vec![Source { name, place }]
        }
        Wanted::Pull { .. } => Vec::new(),
    };
    if let Wanted::Message { archive: Some(archive), .. } = wanted {
        let is_it = |source: &Source| matches!(&source.place, Place::PublicInbox(known) if same_host(known, archive));
        // A server that the user configured stays where the user put it.
        if !candidates.iter().any(is_it) {
            candidates.insert(0, Source { name: host(archive), place: Place::PublicInbox(archive.clone()) });
        }
    }
    candidates
}

fn host(url: &Url) -> String {
    url.host_str().unwrap_or("the address").to_owned()
}

fn same_host(one: &Url, other: &Url) -> bool {
    (one.host_str(), one.port_or_known_default()) == (other.host_str(), other.port_or_known_default())
}

/// Makes the series of what was found.
fn assemble(found: Found, wanted: &Wanted, choice: Choice) -> Result<Series, IntakeError> {
    let Found { source, survey, mut notes } = found;
    let rows = versions::rows(&survey, &source);
    let index = choose(&survey, wanted, choice)?;
    let posting = survey.posting(index);
    let head = survey.head(posting);
    let id = head.message_id.clone().unwrap_or_default();
    // The cover letter is what people look for, also where a later version left it out.
    let parts = survey.parts(index);
    let top = parts.values().next().and_then(|mail| survey.mails[*mail].message_id.clone()).unwrap_or(id);
    let url = versions::url(&source, &top);
    let mut members: Vec<usize> =
        survey.chain(index).iter().flat_map(|at| survey.posting(*at).members.clone()).collect();
    members.sort_unstable();
    let mails: Vec<Mail> = members.into_iter().map(|mail| survey.mails[mail].clone()).collect();
    let place = url.clone().unwrap_or_else(|| source.name.clone());
    let name =
        format!("{}-v{}", slug(&survey.mails[*parts.values().next().unwrap_or(&0)].subject.title), posting.version);
    let (mut series, rerolled) = series::from_mails(&name, mails, Utf8Path::new(&place), Some(posting.version))?;
    notes.append(&mut series.notes);
    if let Some(newer) = rows.last().filter(|row| row.version > posting.version) {
        notes.push(format!("v{} is newer than v{}: <{}>", newer.version, posting.version, newer.message_id));
    }
    let trailers = rows.iter().find(|row| Some(&row.message_id) == head.message_id.as_ref());
    let posting = Posting {
        source: source.name.clone(),
        url,
        versions: versions::posted(&rows),
        trailers: trailers.map(|row| row.trailers.clone()).unwrap_or_default(),
        rerolled,
    };
    Ok(Series { posting: Some(posting), notes, ..series })
}

/// The posting to take. An incomplete one is refused by name; an older one never stands in for it.
fn choose(survey: &Survey, wanted: &Wanted, choice: Choice) -> Result<usize, IntakeError> {
    let line = survey.line();
    let version_of = |at: &usize| survey.posting(*at).version;
    let refuse = |what: String, remedy: String| Err(IntakeError::Version { wanted: wanted.to_string(), what, remedy });
    let index = match choice {
        Choice::AsNamed => Some(survey.start()),
        Choice::Latest => line.last().copied(),
        Choice::Version(version) if survey.posting(survey.start()).version == version => Some(survey.start()),
        Choice::Version(version) => line.iter().rev().copied().find(|at| version_of(at) == version),
    };
    let Some(index) = index else {
        let known: Vec<String> = line.iter().map(|at| format!("v{}", version_of(at))).collect();
        let what = format!("there is no such version; there is {}", known.join(", "));
        return refuse(what, "give one of these with --version".to_owned());
    };
    let posting = survey.posting(index);
    if survey.is_whole(posting) {
        return Ok(index);
    }
    let total = posting.total.unwrap_or(0);
    let shown: Vec<String> = posting.missing.iter().take(8).map(|number| format!("{number}/{total}")).collect();
    let more = if posting.missing.len() > shown.len() { " and others" } else { "" };
    let what = format!("v{} is incomplete: {}{more} not in the archive", posting.version, shown.join(", "));
    let older = line.iter().rev().find(|at| **at != index && survey.is_whole(survey.posting(**at)));
    let remedy = match older {
        Some(older) => {
            format!("wait until the rest has arrived, or take another version with --version {}", version_of(older))
        }
        None => "wait until the rest has arrived, or pass the mails as an mbox".to_owned(),
    };
    refuse(what, remedy)
}

/// The first words of a title as a name: `migrate-on-fault-for-device`.
fn slug(title: &str) -> String {
    let plain = postings::plain_title(title);
    let words: Vec<&str> = plain.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let mut name = String::new();
    for word in words {
        if name.len() + word.len() > 36 {
            break;
        }
        if !name.is_empty() {
            name.push('-');
        }
        name.push_str(word);
    }
    if name.is_empty() { "series".to_owned() } else { name }
}

#[cfg(test)]
#[path = "fetch_tests.rs"]
mod tests;
