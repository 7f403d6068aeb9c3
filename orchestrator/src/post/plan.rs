//! What would be mailed about a run: everything but sending it.

use super::lists::{Choice, Lists, Recipients, Sender, recipients};
use super::mail::{self, Mail, MailError, Message, Parent, Previous, Standing};
use super::outbox::{Decision, Draft, ItemId, Kept, Kind, Outbox, OutboxError, State, Subject};
use crate::report::Report;
use crate::words::{Envelope, Person, Series};

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// There is no mail.
    #[error(transparent)]
    Mail(#[from] MailError),
    /// The outbox cannot be read.
    #[error(transparent)]
    Outbox(#[from] OutboxError),
}

/// What a mail is planned from.
pub struct Request<'a> {
    /// What the run found.
    pub report: &'a Report,
    /// What was tested.
    pub series: &'a Series,
    /// The policy.
    pub lists: &'a Lists,
    /// Head of the posted cover letter behind a port, where it was fetched.
    pub posted: Option<&'a Envelope>,
    /// Recipients that a person named; when there are any, the policy does not choose.
    pub to: &'a [String],
    /// Recipients of copies that a person named.
    pub cc: &'a [String],
    /// Now, in seconds since the Unix epoch.
    pub now: i64,
}

/// What would be mailed.
#[derive(Debug)]
pub struct Plan {
    /// The mail that is answered.
    pub parent: Parent,
    /// Who gets it.
    pub recipients: Recipients,
    /// What it speaks about and says.
    pub subject: Subject,
    /// Whether it says anything new.
    pub decision: Decision,
    /// The mail.
    pub message: Message,
    /// False when nobody is configured to send as: the mail can be looked at, and is not sent.
    pub has_sender: bool,
}

/// Plans the mail about a run, beside what the outbox says was told before.
///
/// # Errors
/// When the run has no verdict, the series no thread, or the outbox cannot be read.
pub fn plan(request: &Request<'_>, outbox: &Outbox) -> Result<Plan, PlanError> {
    let Request { report, series, lists, posted, to, cc, now } = *request;
    mail::refuse_without_verdict(report)?;
    let topic = mail::identity(series)?;
    let parent = match mail::parent(report, series, posted) {
        Err(MailError::NotFetched { .. }) if !to.is_empty() || !cc.is_empty() => named_parent(series),
        other => other,
    }?;
    let all = outbox.items()?;
    let previous = said_before(&all, &topic);
    let standing = Standing::after(report, previous.as_ref().map(|previous| &previous.standing));
    let verdict = standing.verdict(previous.as_ref());
    let recipients = match (to, cc) {
        ([], []) => recipients(lists, &parent.envelope, verdict),
        (to, cc) => named(lists, to, cc),
    };
    let subject = Subject { kind: Kind::Mail, topic, fingerprint: standing.fingerprint() };
    let decision = outbox.decide(&subject)?;
    let id = match &decision {
        Decision::Say { id, .. } | Decision::Said { id, .. } => id,
    };
    let nobody = Sender {
        person: Person { name: "no sender configured".to_owned(), email: "nobody@sender.invalid".to_owned() },
        domain: "sender.invalid".to_owned(),
    };
    let sender = lists.sender.as_ref().unwrap_or(&nobody);
    let message = mail::compose(&Mail {
        report,
        series,
        lists,
        sender,
        parent: &parent,
        recipients: &recipients,
        previous: previous.as_ref(),
        standing: &standing,
        message_id: &message_id(id, sender),
        date: now,
    })?;
    Ok(Plan { parent, recipients, subject, decision, message, has_sender: lists.sender.is_some() })
}

impl Plan {
    /// The message for the outbox and its first state: what a policy wants moderated waits for a person.
    pub fn draft(&self, run: &str) -> (Draft, State, String) {
        let title = self.parent.envelope.subject.clone();
        let draft = Draft {
            subject: self.subject.clone(),
            run: run.to_owned(),
            title: format!("Re: {title}"),
            destination: self.recipients.addresses().join(", "),
            payload: serde_json::to_value(&self.message).expect("a mail is plain data"),
        };
        if self.recipients.moderation.is_empty() {
            return (draft, State::Ready, "no policy wants it approved".to_owned());
        }
        let why = format!("to be approved by a person, by the policy of {}", self.recipients.moderation.join(", "));
        (draft, State::PendingModeration, why)
    }
}

fn message_id(id: &ItemId, sender: &Sender) -> String {
    format!("orchestrator-{id}@{}", sender.domain)
}

/// The last mail on the topic that somebody has or may have.
fn said_before(all: &[Kept], topic: &str) -> Option<Previous> {
    let last = all.iter().rev().find(|kept| {
        kept.item.subject.kind == Kind::Mail && kept.item.subject.topic == topic && kept.may_have_left()
    })?;
    let message: Message = last.item.payload().ok()?;
    Some(Previous { message_id: message.message_id, standing: message.standing })
}

/// Recipients that a person named. A list among them keeps its policy's moderation.
fn named(lists: &Lists, to: &[String], cc: &[String]) -> Recipients {
    let choices = |addresses: &[String], option: &str| {
        let choice = |email: &String| Choice {
            person: Person { name: String::new(), email: email.clone() },
            why: format!("named with {option}"),
        };
        addresses.iter().map(choice).collect::<Vec<_>>()
    };
    let moderated = |email: &&String| lists.lists.get(&email.to_lowercase()).is_some_and(|policy| policy.moderation);
    Recipients {
        to: choices(to, "--to"),
        cc: choices(cc, "--cc"),
        left_out: Vec::new(),
        moderation: to.iter().chain(cc).filter(moderated).cloned().collect(),
    }
}

/// The posted cover letter behind a port as far as the manifest knows it.
fn named_parent(series: &Series) -> Result<Parent, MailError> {
    let upstream = series.upstream.as_ref().ok_or(MailError::NoThread)?;
    let nobody = Person { name: String::new(), email: String::new() };
    let envelope = Envelope {
        message_id: upstream.message_id.clone(),
        subject: format!("[PATCH v{}] {}", upstream.version, upstream.title),
        from: nobody,
        to: Vec::new(),
        cc: Vec::new(),
        references: Vec::new(),
        date: None,
    };
    let why = "the posted cover letter, which was not fetched: its subject is the manifest's".to_owned();
    Ok(Parent { envelope, why })
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
