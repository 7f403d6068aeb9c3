//! The versions of a series, as `orchestrator versions` lists them.

use serde::Serialize;

use super::archive;
use super::postings::Survey;
use super::sources::{Place, Source};
use super::trailers;
use crate::words::{Date, Person, PostedVersion, ReceivedTrailer};

/// The versions of a series that an archive holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VersionList {
    /// Name of the source that served.
    pub source: String,
    /// The versions, oldest first.
    pub versions: Vec<VersionRow>,
    /// What a reader should know, one sentence each.
    pub notes: Vec<String>,
}

/// One version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VersionRow {
    /// The `6` of `[PATCH v6 0/3]`; 1 where the prefix has none.
    pub version: u32,
    /// Title of its cover letter, else of its first patch.
    pub title: String,
    /// Message-ID of that mail, without angle brackets.
    pub message_id: String,
    /// Address of that mail for people.
    pub url: Option<String>,
    /// Who sent it.
    pub from: Option<Person>,
    /// When.
    pub date: Option<Date>,
    /// How many patches it has.
    pub patches: usize,
    /// Numbers of the patches that the archive does not have.
    pub missing: Vec<usize>,
    /// Numbers of the patches that alone were sent; the others are those of the version before. Empty for a version
    /// that was sent whole.
    pub rerolled: Vec<usize>,
    /// What replies gave to it.
    pub trailers: Vec<ReceivedTrailer>,
}

/// Address of a mail for people.
pub(super) fn url(source: &Source, id: &str) -> Option<String> {
    match &source.place {
        Place::PublicInbox(archive) => Some(archive::mail_url(archive, id)),
        Place::Patchwork { server, project } => {
            let server = server.as_str().trim_end_matches('/');
            Some(format!("{server}/project/{project}/patch/{}/", archive::quote(id)))
        }
        Place::Maildir(_) | Place::Mbox(_) | Place::Github { .. } => None,
    }
}

/// All versions of the series that a survey is about.
pub(super) fn rows(survey: &Survey, source: &Source) -> Vec<VersionRow> {
    let row = |at: &usize| {
        let posting = survey.posting(*at);
        let head = survey.head(posting);
        let id = head.message_id.clone().unwrap_or_default();
        let rerolled: Vec<usize> = match posting.replaces {
            None => Vec::new(),
            Some(_) => posting.members.iter().filter_map(|at| Some(survey.mails[*at].subject.position?.0)).collect(),
        };
        VersionRow {
            version: posting.version,
            title: head.subject.title.clone(),
            url: url(source, &id),
            message_id: id,
            from: survey.sender(posting).cloned(),
            date: survey.date(posting),
            patches: posting.total.unwrap_or(1),
            missing: if posting.replaces.is_some() { Vec::new() } else { posting.missing.clone() },
            rerolled,
            trailers: trailers::received(survey, *at),
        }
    };
    survey.line().iter().map(row).collect()
}

/// The versions as a series keeps them.
pub(super) fn posted(rows: &[VersionRow]) -> Vec<PostedVersion> {
    let version = |row: &VersionRow| PostedVersion {
        version: row.version,
        message_id: row.message_id.clone(),
        subject: row.title.clone(),
        date: row.date,
    };
    rows.iter().map(version).collect()
}
