//! Which mail is answered, and what the answer's head takes from it.

use crate::report::Report;
use crate::report::model::RunVerdict;
use crate::words::{Envelope, Series, Severity};

/// Why there is no mail.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MailError {
    /// The run has no verdict.
    #[error(
        "the run has no verdict ({word}: {headline}); trouble of the host says nothing about the series and is never mailed; \
         mend it, then `orchestrator resume {run}`"
    )]
    NoVerdict {
        /// `infra`, `interrupted`.
        word: &'static str,
        /// The report's own words.
        headline: String,
        /// The run.
        run: String,
    },
    /// The series was not read from mails.
    #[error(
        "the series has no Message-ID, so there is no thread to answer in; test it from its mails: \
         `orchestrator run series <message-id>`, or an mbox of the thread"
    )]
    NoThread,
    /// The posted mail is known by its Message-ID alone.
    #[error(
        "recipients unknown: what was tested is a port of <{message_id}>, and that mail itself was not read; give its thread \
         with --thread MBOX, or name the recipients with --to and --cc"
    )]
    NotFetched {
        /// Message-ID of the posted cover letter.
        message_id: String,
    },
    /// A Message-ID that no header can hold.
    #[error("`{0}` is no Message-ID that can be answered to")]
    BadMessageId(String),
}

/// The mail that is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parent {
    /// Its head.
    pub envelope: Envelope,
    /// Why this one, one sentence.
    pub why: String,
}

/// Refuses runs without a verdict.
///
/// # Errors
/// When the run's verdict is `infra` or `interrupted`.
pub fn refuse_without_verdict(report: &Report) -> Result<(), MailError> {
    match report.verdict {
        RunVerdict::Clean | RunVerdict::Findings => Ok(()),
        RunVerdict::Infra | RunVerdict::Interrupted => Err(MailError::NoVerdict {
            word: report.verdict.word(),
            headline: crate::term::text::visible(&report.headline),
            run: report.run.id.clone(),
        }),
    }
}

/// What names a series through all its versions, and its version: the topic of what is said about it.
///
/// # Errors
/// When it was not read from mails.
pub fn identity(series: &Series) -> Result<String, MailError> {
    let version = series.upstream.as_ref().map(|upstream| upstream.version).or(series.version).unwrap_or(1);
    let first = || series.patches.first().and_then(|patch| patch.message_id.clone());
    let id = series
        .change_id
        .clone()
        .or_else(|| series.upstream.as_ref().map(|upstream| upstream.message_id.clone()))
        .or_else(|| series.cover.as_ref().and_then(|cover| cover.message_id.clone()))
        .or_else(first)
        .ok_or(MailError::NoThread)?;
    Ok(format!("{id}/v{version}"))
}

/// The mail to answer: the patch that alone is to blame for all problems, else the cover letter, else the first patch.
/// `posted` is the head of the posted cover letter behind a port, when it was fetched.
///
/// # Errors
/// When no mail can be answered.
pub fn parent(report: &Report, series: &Series, posted: Option<&Envelope>) -> Result<Parent, MailError> {
    let found = |envelope: &Envelope, why: &str| Ok(Parent { envelope: envelope.clone(), why: why.to_owned() });
    if let Some(upstream) = &series.upstream {
        let message_id = upstream.message_id.clone();
        return match posted {
            Some(envelope) => found(envelope, "the posted cover letter; the patches of a port are not the posted ones"),
            None => Err(MailError::NotFetched { message_id }),
        };
    }
    if let Some(number) = blamed_alone(report)
        && let Some(envelope) =
            series.patches.iter().find(|patch| patch.number == number).and_then(|patch| patch.envelope.as_ref())
    {
        return found(envelope, &format!("patch {number} alone is to blame"));
    }
    if let Some(envelope) = series.cover.as_ref().and_then(|cover| cover.envelope.as_ref()) {
        return found(envelope, "the cover letter");
    }
    match series.patches.first().and_then(|patch| patch.envelope.as_ref()) {
        Some(envelope) => found(envelope, "the first patch; there is no cover letter"),
        None => Err(MailError::NoThread),
    }
}

/// The one patch that all problems are put down to.
fn blamed_alone(report: &Report) -> Option<usize> {
    let problems = report.findings.iter().filter(|finding| finding.severity == Severity::Problem);
    let mut numbers = problems.map(|finding| finding.patch.as_ref().map(|patch| patch.number));
    let first = numbers.next()??;
    numbers.all(|number| number == Some(first)).then_some(first)
}
