//! Pull requests on GitHub: their commits as patches.

use camino::Utf8Path;
use url::Url;

use super::error::{IntakeError, SourceTrouble};
use super::fetch::Intake;
use crate::series;
use crate::words::{Posting, Series};

/// Address of the API when the source names none.
const API: &str = "https://api.github.com";

/// How to reach a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Access {
    /// Name of the source.
    pub(super) source: String,
    /// `owner/repository`.
    pub(super) repository: String,
    /// Environment variable with a token.
    pub(super) token_env: Option<String>,
    /// Address of the API.
    pub(super) api: Option<Url>,
}

/// Title, address and patches of a pull request.
struct Pull {
    title: Option<String>,
    url: Option<String>,
    patches: Vec<u8>,
}

/// The series that a pull request is.
pub(super) async fn pull(
    intake: &Intake,
    access: &Access,
    number: u64,
) -> Result<Result<Series, IntakeError>, SourceTrouble> {
    let pull = fetch(intake, access, number).await?;
    let name = format!("{}#{number}", access.repository);
    let place = pull.url.clone().unwrap_or_else(|| name.clone());
    let mails = match series::mails(Utf8Path::new(&place), &pull.patches) {
        Ok(mails) => mails,
        Err(error) => return Err(SourceTrouble::NoMails { address: place, what: error.to_string() }),
    };
    let made = series::from_mails(&name, mails, Utf8Path::new(&place), None).map_err(IntakeError::from);
    Ok(made.map(|(series, _)| Series {
        title: pull.title.unwrap_or(series.title.clone()),
        posting: Some(Posting {
            source: access.source.clone(),
            url: pull.url,
            versions: Vec::new(),
            trailers: Vec::new(),
            rerolled: Vec::new(),
        }),
        ..series
    }))
}

async fn fetch(intake: &Intake, access: &Access, number: u64) -> Result<Pull, SourceTrouble> {
    let token = match &access.token_env {
        None => None,
        Some(name) => Some(std::env::var(name).ok().filter(|token| !token.trim().is_empty()).ok_or_else(|| {
            SourceTrouble::Refused(format!("the environment variable {name} is not set; put a token into it"))
        })?),
    };
    let (owner, repository) = access.repository.split_once('/').unwrap_or((&access.repository, ""));
    let api = access.api.as_ref().map_or(API, |api| api.as_str().trim_end_matches('/'));
    let address = format!("{api}/repos/{owner}/{repository}/pulls/{number}");
    let client = {
        let mut builder = octocrab::Octocrab::builder();
        if let Some(token) = &token {
            builder = builder.personal_token(token.clone());
        }
        let builder = builder.base_uri(api).map_err(|error| said(&address, &error))?;
        builder.build().map_err(|error| said(&address, &error))?
    };
    let limit = intake.limits.deadline;
    let pulls = client.pulls(owner, repository);
    let about = tokio::select! {
        () = intake.cancel.cancelled() => return Err(SourceTrouble::Cancelled),
        about = tokio::time::timeout(limit, pulls.get(number)) => about,
    };
    let about = about
        .map_err(|_| SourceTrouble::Slow { address: address.clone(), limit })?
        .map_err(|error| said(&address, &error))?;
    // Not with octocrab: it reads an answer of any length.
    let mut request = intake.http.get(&address).header("Accept", "application/vnd.github.patch");
    if let Some(token) = &token {
        request = request.bearer_auth(token);
    }
    let answer = intake.http.send(request, &address, &intake.cancel).await?;
    if !answer.status.is_success() {
        return Err(SourceTrouble::NotFound(address));
    }
    Ok(Pull { title: about.title, url: about.html_url.map(|url| url.to_string()), patches: answer.bytes })
}

fn said(address: &str, error: &octocrab::Error) -> SourceTrouble {
    match error {
        octocrab::Error::GitHub { source, .. } => {
            let what = match source.status_code.as_u16() {
                404 => "there is no such pull request, or it needs a token (github: token_env in series/sources.yaml)"
                    .into(),
                _ => source.message.escape_debug().to_string(),
            };
            let status = source.status_code.to_string();
            SourceTrouble::Status { address: address.to_owned(), status, what: Some(what) }
        }
        other => {
            let mut what = other.to_string();
            if let Some(cause) = std::error::Error::source(other) {
                what = format!("{what}: {cause}");
            }
            SourceTrouble::Unreachable { address: address.to_owned(), what }
        }
    }
}
