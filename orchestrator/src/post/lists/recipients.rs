//! Who gets a mail and why.

use super::file::{Audience, PolicyEntry, When};
use super::load::is_address;
use super::policy::Lists;
use crate::words::{Envelope, Person};

/// What the mail says, as far as policies care.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing speaks against the series and nothing was said against it before.
    Clean,
    /// There are findings.
    Findings,
    /// Earlier findings are gone.
    Retracted,
}

/// Somebody who gets the mail, or does not, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// Who.
    pub person: Person,
    /// Why: the policy, by the list's address.
    pub why: String,
}

/// Who gets a mail.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recipients {
    /// Addressed.
    pub to: Vec<Choice>,
    /// With a copy.
    pub cc: Vec<Choice>,
    /// Who was on the answered mail and gets none.
    pub left_out: Vec<Choice>,
    /// Policies that want a person to approve it.
    pub moderation: Vec<String>,
}

impl Recipients {
    /// Addresses of all who get it.
    pub fn addresses(&self) -> Vec<String> {
        self.to.iter().chain(&self.cc).map(|choice| choice.person.email.clone()).collect()
    }

    /// True when nobody gets it.
    pub fn is_empty(&self) -> bool {
        self.to.is_empty() && self.cc.is_empty()
    }
}

fn wants(policy: &PolicyEntry, verdict: Verdict) -> bool {
    match (policy.when, verdict) {
        (When::Never, _) | (When::Findings, Verdict::Clean) => false,
        (When::Always, _) | (When::Findings, Verdict::Findings | Verdict::Retracted) => true,
    }
}

fn when_text(policy: &PolicyEntry) -> &'static str {
    match policy.when {
        When::Never => "when: never",
        When::Findings => "when: findings",
        When::Always => "when: always",
    }
}

fn audience_text(policy: &PolicyEntry) -> &'static str {
    match policy.audience {
        Audience::Author => "audience: author",
        Audience::List => "audience: list",
        Audience::Everyone => "audience: everyone",
    }
}

/// Decides who gets an answer to a mail with this envelope. The sender itself never does.
pub fn recipients(lists: &Lists, parent: &Envelope, verdict: Verdict) -> Recipients {
    let own = lists.sender.as_ref().map(|sender| sender.person.email.to_lowercase());
    let mut seen: Vec<String> = own.into_iter().collect();
    let mut fresh = |person: &Person| {
        let email = person.email.to_lowercase();
        let fresh = is_address(&person.email) && !seen.contains(&email);
        seen.push(email);
        fresh
    };
    let author = fresh(&parent.from).then_some(&parent.from);
    let others: Vec<&Person> = parent.to.iter().chain(&parent.cc).filter(|person| fresh(person)).collect();
    let policy_of = |person: &Person| lists.lists.get(&person.email.to_lowercase());
    let mut policies: Vec<(String, &PolicyEntry)> =
        others.iter().filter_map(|person| Some((person.email.to_lowercase(), policy_of(person)?))).collect();
    if policies.is_empty() {
        policies.push(("default".to_owned(), &lists.default));
    }
    let willing: Vec<&(String, &PolicyEntry)> = policies.iter().filter(|(_, policy)| wants(policy, verdict)).collect();
    let everyone = willing.iter().find(|(_, policy)| policy.audience == Audience::Everyone);
    let choice = |person: &Person, why: String| Choice { person: person.clone(), why };
    let mut chosen = Recipients::default();
    match (author, willing.first()) {
        (Some(author), Some((name, _))) => chosen.to.push(choice(author, format!("author, by the policy of {name}"))),
        (Some(author), None) => {
            let reasons: Vec<String> =
                policies.iter().map(|(name, policy)| format!("{name} says {}", when_text(policy))).collect();
            chosen.left_out.push(choice(author, reasons.join(", ")));
        }
        (None, _) => {}
    }
    for person in others {
        match (policy_of(person), everyone) {
            (Some(policy), _) if !wants(policy, verdict) => {
                chosen.left_out.push(choice(person, format!("its policy says {}", when_text(policy))));
            }
            (Some(policy), None) if policy.audience == Audience::Author => {
                chosen.left_out.push(choice(person, format!("its policy says {}", audience_text(policy))));
            }
            (Some(_), _) => chosen.cc.push(choice(person, "its own policy".to_owned())),
            (None, Some((name, _))) => chosen.cc.push(choice(person, format!("{name} says audience: everyone"))),
            (None, None) => chosen.left_out.push(choice(person, "no policy names it".to_owned())),
        }
    }
    if chosen.to.is_empty() && !chosen.cc.is_empty() {
        chosen.to = std::mem::take(&mut chosen.cc);
    }
    chosen.moderation = willing.iter().filter(|(_, policy)| policy.moderation).map(|(name, _)| name.clone()).collect();
    chosen
}
