//! Which mails were sent together, which postings are versions of one series, and which patches were sent again alone.
//!
//! A *posting* is a cover letter with the patches below it (or a patch alone), from one sender, of one version and one
//! number of patches. Two postings are versions of one series when they carry the same `change-id:`; else, unless their
//! change-ids differ, when the same person sent both and they have the same title or the newer is a reply in the thread
//! of the older. A title alone says nothing: others may have chosen the same.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::series::Mail;
use crate::words::{Date, Person};

/// Longest chain of replies that is followed.
const DEPTH: usize = 100;

/// Most missing patches that are listed: a subject may claim a million.
const MISSING: usize = 100;

/// Mails that were sent together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Posting {
    /// The `6` of `[PATCH v6 0/3]`; 1 where the prefix has none.
    pub(super) version: u32,
    /// The `3` of it; nothing where the prefix has no numbers.
    pub(super) total: Option<usize>,
    /// Indices of its mails: the cover letter first, then by number.
    pub(super) members: Vec<usize>,
    /// Numbers of patches that are missing, a hundred at most.
    pub(super) missing: Vec<usize>,
    /// Its `change-id:`.
    change: Option<String>,
    /// Index of the posting below which its patches were sent alone.
    pub(super) replaces: Option<usize>,
}

/// The mails of some threads, sorted out around one posting.
#[derive(Debug, Clone)]
pub(super) struct Survey {
    /// The mails, each Message-ID once.
    pub(super) mails: Vec<Mail>,
    /// Index by Message-ID.
    by_id: HashMap<String, usize>,
    /// Whether a mail is a patch or a cover letter.
    posted: Vec<bool>,
    /// All postings.
    postings: Vec<Posting>,
    /// Indices of the postings that are versions of the series asked for, oldest version first.
    line: Vec<usize>,
    /// Index of the posting asked for.
    start: usize,
}

/// What is looked for in the mails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start<'a> {
    /// The posting to which this mail belongs, or to which it replies.
    Message(&'a str),
    /// The newest posting with this change-id.
    Change(&'a str),
}

/// `change-id:` of a cover letter or patch.
pub(super) fn change_id(mail: &Mail) -> Option<String> {
    let value = mail.lines.iter().rev().find_map(|line| line.text.strip_prefix("change-id: "))?.trim();
    (!value.is_empty() && !value.contains(char::is_whitespace)).then(|| value.to_owned())
}

/// A title without what people change between versions.
pub(super) fn plain_title(title: &str) -> String {
    title.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

fn sender(mail: &Mail) -> String {
    mail.from.as_ref().map(|person| person.email.to_ascii_lowercase()).unwrap_or_default()
}

fn references(mail: &Mail) -> &[String] {
    mail.envelope.as_ref().map(|envelope| envelope.references.as_slice()).unwrap_or_default()
}

fn number(mail: &Mail) -> usize {
    mail.subject.position.map_or(1, |(number, _)| number)
}

/// What all mails of a posting share: address of the sender, version, number of patches.
type Kind = (String, u32, Option<usize>);

fn kind(mail: &Mail) -> Kind {
    (sender(mail), mail.subject.version.unwrap_or(1), mail.subject.position.map(|(_, total)| total))
}

impl Survey {
    /// Sorts mails out. Nothing when what is looked for is not among them.
    pub(super) fn new(mails: Vec<Mail>, start: Start<'_>) -> Option<Survey> {
        let mut by_id = HashMap::new();
        let mut kept: Vec<Mail> = Vec::new();
        for mail in mails {
            // A mail within a mail has the other's name in its references only; one without a head leads nowhere.
            let Some(id) = mail.envelope.as_ref().map(|envelope| envelope.message_id.clone()) else { continue };
            by_id.entry(id).or_insert_with(|| {
                kept.push(mail);
                kept.len() - 1
            });
        }
        let posted = kept.iter().map(Mail::is_posted).collect();
        let mut survey = Survey { mails: kept, by_id, posted, postings: Vec::new(), line: Vec::new(), start: 0 };
        survey.postings = survey.group();
        survey.find_rerolls();
        survey.start = match start {
            Start::Message(id) => {
                let mail = survey.nearest_posted(*survey.by_id.get(id)?)?;
                survey.postings.iter().position(|posting| posting.members.contains(&mail))?
            }
            Start::Change(change) => {
                let mine = |posting: &Posting| posting.change.as_deref() == Some(change);
                let all = (0..survey.postings.len()).filter(|at| mine(&survey.postings[*at]));
                all.max_by_key(|at| survey.order(*at))?
            }
        };
        survey.line = survey.versions_of_start();
        Some(survey)
    }

    /// The first mail of a posting: its cover letter, else its first patch.
    pub(super) fn head(&self, posting: &Posting) -> &Mail {
        &self.mails[posting.members[0]]
    }

    /// When a posting was sent.
    pub(super) fn date(&self, posting: &Posting) -> Option<Date> {
        self.head(posting).date
    }

    /// Who sent it.
    pub(super) fn sender(&self, posting: &Posting) -> Option<&Person> {
        self.head(posting).from.as_ref()
    }

    /// `change-id:` of a posting.
    pub(super) fn change(&self, index: usize) -> Option<&str> {
        self.postings[index].change.as_deref()
    }

    /// The posting asked for.
    pub(super) fn start(&self) -> usize {
        self.start
    }

    /// The posting with this index.
    pub(super) fn posting(&self, index: usize) -> &Posting {
        &self.postings[index]
    }

    /// The versions of the series, oldest first.
    pub(super) fn line(&self) -> &[usize] {
        &self.line
    }

    /// True when nothing is missing, or another posting fills it in.
    pub(super) fn is_whole(&self, posting: &Posting) -> bool {
        posting.missing.is_empty() || posting.replaces.is_some()
    }

    /// A posting and the ones whose patches stand in for those that were not sent again, the newest first.
    pub(super) fn chain(&self, index: usize) -> Vec<usize> {
        std::iter::successors(Some(index), |at| self.postings[*at].replaces).take(DEPTH).collect()
    }

    /// Number (none for the cover letter) and index of every mail that makes up a version.
    pub(super) fn parts(&self, index: usize) -> BTreeMap<usize, usize> {
        let mut parts = BTreeMap::new();
        for at in self.chain(index) {
            for member in &self.postings[at].members {
                parts.entry(number(&self.mails[*member])).or_insert(*member);
            }
        }
        parts
    }

    /// The patch or cover letter that a mail is, or to which it replies.
    pub(super) fn nearest_posted(&self, mail: usize) -> Option<usize> {
        let mut at = mail;
        for _ in 0..DEPTH {
            if self.posted[at] {
                return Some(at);
            }
            let known: Vec<usize> =
                references(&self.mails[at]).iter().rev().filter_map(|id| self.by_id.get(id).copied()).collect();
            if let Some(found) = known.iter().find(|at| self.posted[**at]) {
                return Some(*found);
            }
            at = known.into_iter().find(|next| *next != at)?;
        }
        None
    }

    /// True for a patch or a cover letter.
    pub(super) fn is_posted(&self, mail: usize) -> bool {
        self.posted[mail]
    }

    fn order(&self, index: usize) -> (u32, i64, usize) {
        let posting = &self.postings[index];
        (posting.version, self.date(posting).map_or(0, |date| date.seconds), index)
    }

    /// The mail at the top of the posting to which `mail` belongs.
    fn root(&self, mail: usize) -> usize {
        let (one, own) = (&self.mails[mail], kind(&self.mails[mail]));
        if own.2.is_none() || number(one) == 0 {
            return mail;
        }
        let same = |id: &String| {
            let at = *self.by_id.get(id)?;
            (at != mail && self.posted[at] && kind(&self.mails[at]) == own).then_some(at)
        };
        let above: Vec<usize> = references(one).iter().rev().filter_map(same).collect();
        let cover = above.iter().copied().find(|at| number(&self.mails[*at]) == 0);
        cover.or(above.last().copied()).unwrap_or(mail)
    }

    fn group(&self) -> Vec<Posting> {
        let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for mail in (0..self.mails.len()).filter(|mail| self.posted[*mail]) {
            groups.entry(self.root(mail)).or_default().push(mail);
        }
        let mut groups: Vec<Vec<usize>> = groups.into_values().collect();
        self.join_lone_patches(&mut groups);
        groups.into_iter().map(|members| self.posting_of(members)).collect()
    }

    /// Several patches of a version that were sent again alone, each below its old self, are one posting.
    fn join_lone_patches(&self, groups: &mut Vec<Vec<usize>>) {
        let top = |mail: usize| references(&self.mails[mail]).first().cloned();
        let mut lone: BTreeMap<(String, Kind), Vec<usize>> = BTreeMap::new();
        groups.retain(|members| match members.as_slice() {
            [only] if number(&self.mails[*only]) > 0 && self.mails[*only].subject.position.is_some() => {
                let Some(top) = top(*only) else { return true };
                lone.entry((top, kind(&self.mails[*only]))).or_default().push(*only);
                false
            }
            _ => true,
        });
        groups.extend(lone.into_values());
    }

    fn posting_of(&self, mut members: Vec<usize>) -> Posting {
        let date = |at: usize| self.mails[at].date.map_or(0, |date| date.seconds);
        members.sort_by_key(|at| (number(&self.mails[*at]), date(*at), *at));
        let (_, version, total) = kind(&self.mails[members[0]]);
        let present: BTreeSet<usize> = members.iter().map(|at| number(&self.mails[*at])).collect();
        let missing = (1..=total.unwrap_or(0)).filter(|number| !present.contains(number)).take(MISSING).collect();
        let change = members.iter().take(2).find_map(|at| change_id(&self.mails[*at]));
        Posting { version, total, members, missing, change, replaces: None }
    }

    /// Finds the postings of single patches below an older version of the same sender and length.
    fn find_rerolls(&mut self) {
        let mut order: Vec<usize> = (0..self.postings.len()).collect();
        order.sort_by_key(|at| self.order(*at));
        for (rank, at) in order.iter().copied().enumerate() {
            let posting = &self.postings[at];
            let head = self.head(posting);
            if posting.missing.is_empty() || number(head) == 0 {
                continue;
            }
            let own = kind(head);
            let fits = |other: usize| {
                let (sender, version, total) = kind(self.head(&self.postings[other]));
                if sender != own.0 || total != own.2 || version >= own.1 {
                    return false;
                }
                let patches = self.parts(other).keys().filter(|number| **number > 0).count();
                let chain = self.chain(other);
                let is_member = |mail: &usize| chain.iter().any(|link| self.postings[*link].members.contains(mail));
                let is_below = |member: &usize| {
                    references(&self.mails[*member]).iter().filter_map(|id| self.by_id.get(id)).any(is_member)
                };
                patches == total.unwrap_or(0) && posting.members.iter().all(is_below)
            };
            let base = order[..rank].iter().rev().copied().find(|other| fits(*other));
            self.postings[at].replaces = base;
        }
    }

    fn versions_of_start(&self) -> Vec<usize> {
        let mut line = BTreeSet::from([self.start]);
        loop {
            let joining: Vec<usize> = (0..self.postings.len())
                .filter(|at| !line.contains(at) && line.iter().any(|member| self.is_version_of(*at, *member)))
                .collect();
            if joining.is_empty() {
                break;
            }
            line.extend(joining);
        }
        let whole_versions: BTreeSet<u32> = line
            .iter()
            .map(|at| &self.postings[*at])
            .filter(|posting| posting.missing.is_empty())
            .map(|posting| posting.version)
            .collect();
        // One patch sent once more in the same version adds nothing to a version that is there.
        let counts = |at: &usize| {
            let posting = &self.postings[*at];
            *at == self.start || posting.missing.is_empty() || !whole_versions.contains(&posting.version)
        };
        let mut line: Vec<usize> = line.into_iter().filter(counts).collect();
        line.sort_by_key(|at| self.order(*at));
        line
    }

    fn is_version_of(&self, a: usize, b: usize) -> bool {
        if self.postings[a].replaces == Some(b) || self.postings[b].replaces == Some(a) {
            return true;
        }
        let (one, other) = (&self.postings[a], &self.postings[b]);
        if let (Some(one), Some(other)) = (&one.change, &other.change) {
            return one == other;
        }
        if sender(self.head(one)) != sender(self.head(other)) {
            return false;
        }
        let title = |posting: &Posting| plain_title(&self.head(posting).subject.title);
        let (old, new) = if one.version < other.version { (one, other) } else { (other, one) };
        title(one) == title(other) || (old.version < new.version && self.is_reply(new, old))
    }

    /// Whether `new` was sent as a reply in the thread of `old`.
    fn is_reply(&self, new: &Posting, old: &Posting) -> bool {
        let above = references(self.head(new)).iter().filter_map(|id| self.by_id.get(id));
        above.into_iter().any(|above| old.members.contains(above))
    }
}

#[cfg(test)]
#[path = "postings_tests.rs"]
mod tests;
