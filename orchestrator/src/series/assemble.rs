//! From mails to one series: covers, replies and copies apart, patches in order, nothing missing.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;

use super::body::{self, Body};
use super::diff::Trouble;
use super::diffstat;
use super::error::Refusal;
use super::mail::Mail;
use crate::words::{Cover, Date, Patch, Person};

/// What the mails of one series give.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Assembled {
    pub(super) version: Option<u32>,
    pub(super) cover: Option<Cover>,
    pub(super) change_id: Option<String>,
    pub(super) base_commit: Option<String>,
    pub(super) prerequisites: Vec<String>,
    pub(super) prerequisite_changes: Vec<String>,
    pub(super) prerequisite_messages: Vec<String>,
    pub(super) patches: Vec<Patch>,
    /// Numbers of the patches that were sent again by themselves.
    pub(super) rerolled: Vec<usize>,
    pub(super) notes: Vec<String>,
}

/// A mail that may belong to the series.
struct Candidate {
    mail: Mail,
    body: Body,
}

/// The candidates of one version.
#[derive(Default)]
struct Group {
    covers: Vec<Candidate>,
    /// `n/m` with n > 0, in order of the file.
    numbered: Vec<Candidate>,
    /// Patches without a number, in order of the file.
    unnumbered: Vec<Candidate>,
}

/// Puts a series together from mails in the order of their file: of `version` where one is asked for, else of the
/// newest version there is.
///
/// # Errors
/// Every reason why the mails are not one complete series.
pub(super) fn assemble(mails: Vec<Mail>, version: Option<u32>) -> Result<Assembled, Vec<Refusal>> {
    let mut notes = Vec::new();
    let mut refusals = Vec::new();
    let groups = sort_out(mails, &mut notes, &mut refusals);
    if !refusals.is_empty() {
        return Err(refusals);
    }
    let (group, rerolled) = choose(groups, version, &mut notes).map_err(|refusal| vec![refusal])?;
    let Group { covers, numbered, unnumbered } = group;
    let mut cover: Option<Candidate> = None;
    for candidate in covers {
        match &cover {
            None => cover = Some(candidate),
            Some(_) => notes.push(format!("{} is a second cover letter; set aside", name(&candidate.mail))),
        }
    }
    let ordered = if numbered.is_empty() {
        unnumbered_patches(unnumbered, &mut notes)
    } else {
        for candidate in unnumbered {
            notes.push(format!("{} has no number although the series is numbered; set aside", name(&candidate.mail)));
        }
        numbered_patches(numbered, cover.as_ref(), &mut notes, &mut refusals)
    };
    for (number, total, candidate) in &ordered {
        check(*number, *total, candidate, &mut refusals);
    }
    if !refusals.is_empty() {
        return Err(refusals);
    }
    let version = ordered.first().and_then(|(_, _, candidate)| candidate.mail.subject.version);
    let mut assembled = Assembled { version, notes, rerolled, ..Assembled::default() };
    if let Some((_, _, first)) = ordered.first() {
        let lines = first.body.message.lines().chain(first.body.remarks.iter().map(String::as_str));
        trailers(lines, &mut assembled);
    }
    if let Some(candidate) = &cover {
        trailers(candidate.mail.lines.iter().map(|line| line.text.as_str()), &mut assembled);
        if !candidate.body.diff.is_empty() {
            assembled.notes.push(format!("{} holds a diff, which is not applied", name(&candidate.mail)));
        }
    }
    assembled.cover = cover.map(into_cover);
    for (number, total, candidate) in ordered {
        if candidate.body.headers.date.or(candidate.mail.date).is_none() {
            let place = name(&candidate.mail);
            assembled.notes.push(format!("{place} has no readable Date: header; 1970-01-01 is taken"));
        }
        let diff: Vec<&str> = candidate.body.diff.iter().map(|line| line.text.as_str()).collect();
        if let Some(what) = diffstat::missing(candidate.body.remarks.iter().map(String::as_str), &diff) {
            let place = name(&candidate.mail);
            assembled.notes.push(format!("{place} may have been cut off: {what}"));
        }
        assembled.patches.push(into_patch(number, total, candidate));
    }
    Ok(assembled)
}

/// `FILE:LINE "subject"`.
fn name(mail: &Mail) -> String {
    format!("{}:{} \"{}\"", mail.origin.file, mail.origin.line, mail.subject.title)
}

fn refusal(mail: &Mail, patch: usize, line: usize, what: impl Into<String>, remedy: &str) -> Refusal {
    Refusal {
        patch,
        subject: if patch > 0 { mail.subject.title.clone() } else { String::new() },
        file: mail.origin.file.clone(),
        line,
        what: what.into(),
        remedy: remedy.to_owned(),
    }
}

/// Groups covers and patches by version; notes what is neither.
fn sort_out(mails: Vec<Mail>, notes: &mut Vec<String>, refusals: &mut Vec<Refusal>) -> BTreeMap<u32, Group> {
    let mut groups: BTreeMap<u32, Group> = BTreeMap::new();
    for mail in mails {
        let subject = &mail.subject;
        if subject.reply {
            notes.push(format!("{} is a reply; set aside", name(&mail)));
            continue;
        }
        if let Some(position) = &subject.odd_position {
            let what = format!("\"{}\" is numbered {position}, and no series has so many patches", mail.subject.title);
            refusals.push(refusal(&mail, 0, mail.origin.line, what, "correct the subject"));
            continue;
        }
        let body = body::parse(&mail.lines);
        let place = match subject.position {
            Some((0, _)) => |group: &mut Group, candidate| group.covers.push(candidate),
            Some(_) => |group: &mut Group, candidate| group.numbered.push(candidate),
            None if !body.diff.is_empty() => |group: &mut Group, candidate| group.unnumbered.push(candidate),
            None => {
                notes.push(format!("{} is no patch; set aside", name(&mail)));
                continue;
            }
        };
        place(groups.entry(subject.version.unwrap_or(1)).or_default(), Candidate { mail, body });
    }
    groups
}

/// The numbers that a group has and how many it should have.
fn numbers(group: &Group) -> (Vec<usize>, usize) {
    let positions = || group.numbered.iter().filter_map(|candidate| candidate.mail.subject.position);
    let mut present: Vec<usize> = positions().map(|(number, _)| number).collect();
    present.sort_unstable();
    present.dedup();
    (present, positions().map(|(_, total)| total).max().unwrap_or(0))
}

fn is_complete(group: &Group) -> bool {
    let (present, total) = numbers(group);
    if total == 0 { !group.unnumbered.is_empty() } else { gaps(&present, total).is_empty() }
}

/// A cover letter of another version alone is no version to build, but it says that there is one.
fn has_patches(group: &Group) -> bool {
    !group.numbered.is_empty() || !group.unnumbered.is_empty()
}

/// Picks the version asked for, else the newest one. An older one never stands in for a newer one that is incomplete.
/// Gives also the numbers of the patches that came as re-rolls.
fn choose(
    mut groups: BTreeMap<u32, Group>,
    wanted: Option<u32>,
    notes: &mut Vec<String>,
) -> Result<(Group, Vec<usize>), Refusal> {
    let pass = "pass the patches too, as an mbox of the whole thread or a folder written by git format-patch";
    let nothing = |file: camino::Utf8PathBuf, what: String, remedy: String| Refusal {
        patch: 0,
        subject: String::new(),
        file,
        line: 0,
        what,
        remedy,
    };
    if !groups.values().any(has_patches) {
        let cover = groups.values().flat_map(|group| &group.covers).next();
        return Err(match cover {
            Some(cover) => nothing(
                cover.mail.origin.file.clone(),
                format!("only a cover letter is there: {}", name(&cover.mail)),
                pass.to_owned(),
            ),
            None => nothing(
                camino::Utf8PathBuf::new(),
                format!("no patch is there; {} mail(s) are something else", notes.len()),
                pass.to_owned(),
            ),
        });
    }
    let rerolled = complete_rerolls(&mut groups, wanted, notes);
    let states = |groups: &BTreeMap<u32, Group>| {
        groups.iter().map(|(version, group)| state(*version, group)).collect::<Vec<_>>().join("; ")
    };
    let all = || groups.values().flat_map(|group| group.covers.iter().chain(&group.numbered).chain(&group.unnumbered));
    let file = all().next().map(|candidate| candidate.mail.origin.file.clone()).unwrap_or_default();
    let chosen = match wanted {
        Some(version) if groups.get(&version).is_some_and(has_patches) => version,
        Some(version) => {
            let what = format!("there is no v{version}; there is {}", states(&groups));
            return Err(nothing(file, what, "give the number of one of these with --version".to_owned()));
        }
        None => {
            let newest = groups.keys().next_back().copied().unwrap_or(1);
            // Of a version that is alone, each missing patch is named below.
            if groups.len() > 1 && !is_complete(&groups[&newest]) {
                let older = groups.iter().rev().find(|(_, group)| is_complete(group)).map(|(version, _)| *version);
                let Some(older) = older else {
                    let what = format!("several versions are mixed and none is complete: {}", states(&groups));
                    return Err(nothing(file, what, pass.to_owned()));
                };
                let what = format!("the newest version is incomplete: {}", states(&groups));
                let remedy = format!("add the missing mails, or take the older version with --version {older}");
                return Err(nothing(file, what, remedy));
            }
            newest
        }
    };
    let group = groups.remove(&chosen).unwrap_or_default();
    for (version, other) in &groups {
        notes.push(format!("v{chosen} is taken; set aside: {}", state(*version, other)));
    }
    Ok((group, rerolled.get(&chosen).cloned().unwrap_or_default()))
}

/// Completes versions of which only some patches were sent, each as a reply below the version before it
/// (`[PATCH v3 2/6]` under v2): the patches of that version stand in for the others. Gives the numbers that were sent.
fn complete_rerolls(
    groups: &mut BTreeMap<u32, Group>,
    wanted: Option<u32>,
    notes: &mut Vec<String>,
) -> BTreeMap<u32, Vec<usize>> {
    let mut rerolled = BTreeMap::new();
    let versions: Vec<u32> = groups.keys().copied().collect();
    for pair in versions.windows(2) {
        let (old, new) = (&groups[&pair[0]], &groups[&pair[1]]);
        let ((sent, total), (_, old_total)) = (numbers(new), numbers(old));
        let below = new.numbered.iter().all(|candidate| is_below(&candidate.mail, old));
        let alone = new.covers.is_empty() && new.unnumbered.is_empty() && !sent.is_empty() && !is_complete(new);
        if !alone || !below || total != old_total || !is_complete(old) || wanted.is_some_and(|wanted| wanted < pair[1])
        {
            continue;
        }
        let old = groups.remove(&pair[0]).unwrap_or_default();
        let Some(new) = groups.get_mut(&pair[1]) else { continue };
        let is_kept =
            |candidate: &Candidate| candidate.mail.subject.position.is_some_and(|(number, _)| !sent.contains(&number));
        let kept = old.numbered.into_iter().filter(is_kept).chain(old.covers);
        for mut candidate in kept {
            candidate.mail.subject.version = Some(pair[1]);
            let is_cover = candidate.mail.subject.position.is_some_and(|(number, _)| number == 0);
            if is_cover { &mut new.covers } else { &mut new.numbered }.push(candidate);
        }
        // In the order of numbers, so that nobody wonders about the order of arrival.
        new.numbered.sort_by_key(|candidate| candidate.mail.subject.position);
        let list: Vec<String> = sent.iter().map(|number| format!("{number}/{total}")).collect();
        notes.push(format!(
            "of v{} only {} was sent, below v{}; the other patches are those of v{}",
            pair[1],
            list.join(", "),
            pair[0],
            pair[0]
        ));
        let mut all: Vec<usize> = rerolled.get(&pair[0]).cloned().unwrap_or_default();
        all.extend(sent);
        all.sort_unstable();
        all.dedup();
        rerolled.insert(pair[1], all);
    }
    rerolled
}

/// Whether a mail was sent as a reply below one of a group.
fn is_below(mail: &Mail, group: &Group) -> bool {
    let references = mail.envelope.iter().flat_map(|envelope| &envelope.references);
    let mut ids = references.filter(|id| {
        let members = group.covers.iter().chain(&group.numbered);
        members.filter_map(|candidate| candidate.mail.message_id.as_ref()).any(|member| member == *id)
    });
    ids.next().is_some()
}

fn state(version: u32, group: &Group) -> String {
    let (present, total) = numbers(group);
    let mut parts = Vec::new();
    if total > 0 {
        let missing = gaps(&present, total);
        let lacks = if missing.is_empty() { String::new() } else { format!(" without {}", missing.join(", ")) };
        parts.push(format!("{total} patch(es){lacks}"));
    }
    if !group.unnumbered.is_empty() {
        parts.push(format!("{} patch(es) without number", group.unnumbered.len()));
    }
    if !group.covers.is_empty() {
        parts.push("a cover letter".to_owned());
    }
    format!("v{version}: {}", parts.join(", "))
}

/// Missing numbers as text: `3/5`, or `3/9 to 7/9`. `present` is sorted and without doubles.
fn gaps(present: &[usize], total: usize) -> Vec<String> {
    let mut gaps = Vec::new();
    let mut expected = 1;
    for number in present.iter().copied().filter(|number| *number <= total).chain([total + 1]) {
        match number.saturating_sub(expected) {
            0 => (),
            1 => gaps.push(format!("{expected}/{total}")),
            _ => gaps.push(format!("{expected}/{total} to {}/{total}", number - 1)),
        }
        expected = number + 1;
    }
    gaps
}

fn same_diff(a: &Candidate, b: &Candidate) -> bool {
    let text = |candidate: &'_ Candidate| candidate.body.diff.iter().map(|line| line.text.clone()).collect::<Vec<_>>();
    text(a) == text(b)
}

fn unnumbered_patches(candidates: Vec<Candidate>, notes: &mut Vec<String>) -> Vec<(usize, usize, Candidate)> {
    let mut kept: Vec<Candidate> = Vec::new();
    for candidate in candidates {
        let copy = |other: &&Candidate| other.mail.subject == candidate.mail.subject && same_diff(other, &candidate);
        match kept.iter().find(copy) {
            Some(first) => {
                notes.push(format!("{} is a copy of line {}; set aside", name(&candidate.mail), first.mail.origin.line))
            }
            None => kept.push(candidate),
        }
    }
    let total = kept.len();
    kept.into_iter().enumerate().map(|(index, candidate)| (index + 1, total, candidate)).collect()
}

fn numbered_patches(
    candidates: Vec<Candidate>,
    cover: Option<&Candidate>,
    notes: &mut Vec<String>,
    refusals: &mut Vec<Refusal>,
) -> Vec<(usize, usize, Candidate)> {
    // Different totals: different series.
    let mut totals: BTreeMap<usize, &Mail> = BTreeMap::new();
    for candidate in cover.into_iter().chain(&candidates) {
        if let Some((_, total)) = candidate.mail.subject.position {
            totals.entry(total).or_insert(&candidate.mail);
        }
    }
    if totals.len() > 1 {
        let names: Vec<String> =
            totals.iter().map(|(total, mail)| format!("one of {total} patch(es), {}", name(mail))).collect();
        let mail = &candidates[0].mail;
        let what = format!("several series are mixed: {}", names.join("; "));
        refusals.push(refusal(mail, 0, mail.origin.line, what, "pass an mbox that holds one series"));
        return Vec::new();
    }
    let total = totals.keys().next().copied().unwrap_or(0);
    let arrived: Vec<usize> =
        candidates.iter().filter_map(|candidate| Some(candidate.mail.subject.position?.0)).collect();
    let mut found: BTreeMap<usize, Candidate> = BTreeMap::new();
    for candidate in candidates {
        let Some((number, _)) = candidate.mail.subject.position else { continue };
        let mail = &candidate.mail;
        if number > total {
            let what = format!("it is numbered {number}/{total}");
            refusals.push(refusal(mail, number, mail.origin.line, what, "correct the subject"));
            continue;
        }
        match found.get(&number) {
            None => drop(found.insert(number, candidate)),
            Some(first) if same_diff(first, &candidate) => {
                notes.push(format!("{} is a copy of patch {number}/{total}; set aside", name(mail)));
            }
            Some(first) => {
                let what = format!("there is another {number}/{total} with a different diff: {}", name(&first.mail));
                refusals.push(refusal(mail, number, mail.origin.line, what, "remove the one that is not meant"));
            }
        }
    }
    let present: Vec<usize> = found.keys().copied().collect();
    let missing = gaps(&present, total);
    if !missing.is_empty() {
        let first = found.values().next().map(|candidate| &candidate.mail);
        let what = format!("the series is incomplete: {} is missing", missing.join(", "));
        refusals.extend(first.map(|mail| refusal(mail, 0, 0, what, "add the missing mails")));
    }
    if !arrived.is_sorted() {
        let order: Vec<String> = arrived.iter().take(20).map(usize::to_string).collect();
        notes.push(format!("the patches came in the order {}; sorted by number", order.join(", ")));
    }
    found.into_iter().map(|(number, candidate)| (number, total, candidate)).collect()
}

/// Refuses what a mailer broke.
fn check(number: usize, total: usize, candidate: &Candidate, refusals: &mut Vec<Refusal>) {
    let Candidate { mail, body } = candidate;
    let mut refuse = |line, what: String, remedy: &str| refusals.push(refusal(mail, number, line, what, remedy));
    let resend = "have it sent again with git send-email, or take the raw mail from the archive";
    let Some(first) = body.diff.first() else {
        refuse(mail.origin.line, format!("the mail has no diff although it is {number}/{total}"), resend);
        return;
    };
    if candidate.sender().is_none() {
        refuse(mail.origin.line, "the mail has no From: address".to_owned(), "export it with git format-patch");
    }
    if mail.flowed {
        refuse(first.number, "the mail was sent as format=flowed, which rewraps lines".to_owned(), resend);
    } else {
        // Other breaks of the grammar are not the mailer's; `vet` names them.
        let damage = body.damages.iter().find_map(|damage| match damage.trouble {
            Trouble::Wrapped => Some((&damage.line, "line-wrapped")),
            Trouble::Whitespace => Some((&damage.line, "whitespace-damaged")),
            Trouble::ShortHunk | Trouble::LongHunk | Trouble::BadHunk => None,
            Trouble::StrayHunk | Trouble::HalfHeader | Trouble::Chatter => None,
        });
        if let Some((line, how)) = damage {
            refuse(line.number, format!("the mail is {how} here: `{}`", excerpt(&line.text)), resend);
        }
    }
    if let Some(line) = body.diff.iter().find(|line| line.text.contains('\u{fffd}')) {
        let what = "the diff holds bytes that are no text in the mail's character set";
        refuse(line.number, what.to_owned(), "send it as UTF-8, base64-encoded if need be");
    }
}

fn excerpt(text: &str) -> String {
    text.chars().take(60).collect::<String>().escape_debug().to_string()
}

impl Candidate {
    fn sender(&self) -> Option<&Person> {
        self.body.headers.from.as_ref().or(self.mail.from.as_ref())
    }
}

static TRAILER: LazyLock<Regex> = LazyLock::new(|| {
    let keys = "change-id|base-commit|prerequisite-patch-id|prerequisite-change-id|prerequisite-message-id";
    Regex::new(&format!(r"^({keys}): (\S+)\s*$")).expect("constant")
});

fn trailers<'l>(lines: impl Iterator<Item = &'l str>, assembled: &mut Assembled) {
    let is_hash = |text: &str| text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let (mut prerequisites, mut changes, mut messages) = (Vec::new(), Vec::new(), Vec::new());
    for found in lines.filter_map(|line| TRAILER.captures(line)) {
        let value = found[2].to_owned();
        match &found[1] {
            "change-id" => assembled.change_id = Some(value),
            "base-commit" if is_hash(&value) => assembled.base_commit = Some(value.to_ascii_lowercase()),
            "prerequisite-patch-id" if is_hash(&value) => prerequisites.push(value.to_ascii_lowercase()),
            "prerequisite-change-id" => changes.push(value),
            "prerequisite-message-id" => messages.push(value.trim_matches(['<', '>']).to_owned()),
            _ => assembled.notes.push(format!("`{}` is no commit; ignored", excerpt(&found[0]))),
        }
    }
    // What the cover letter says stands in place of what the first patch says.
    for (found, place) in [
        (prerequisites, &mut assembled.prerequisites),
        (changes, &mut assembled.prerequisite_changes),
        (messages, &mut assembled.prerequisite_messages),
    ] {
        if !found.is_empty() {
            *place = found;
        }
    }
}

fn into_cover(candidate: Candidate) -> Cover {
    let Candidate { mail, .. } = candidate;
    let lines: Vec<&str> = mail.lines.iter().map(|line| line.text.trim_end()).collect();
    Cover {
        subject: mail.subject.title,
        author: mail.from.unwrap_or(Person { name: String::new(), email: String::new() }),
        body: lines.join("\n").trim_matches('\n').to_owned(),
        message_id: mail.message_id,
        envelope: mail.envelope,
    }
}

fn into_patch(number: usize, total: usize, candidate: Candidate) -> Patch {
    let author = candidate.sender().cloned().expect("a patch without sender was refused");
    let Candidate { mail, body } = candidate;
    let diff_line = body.diff.first().map_or(0, |line| line.number);
    Patch {
        number,
        total,
        subject: body.headers.subject.unwrap_or(mail.subject.title),
        author,
        date: body.headers.date.or(mail.date).unwrap_or(Date { seconds: 0, offset_minutes: 0 }),
        message: body.message,
        diff: body.diff.iter().map(|line| format!("{}\n", line.text)).collect(),
        diff_line,
        message_id: mail.message_id,
        origin: mail.origin,
        envelope: mail.envelope,
    }
}

#[cfg(test)]
#[path = "assemble_tests.rs"]
mod tests;
