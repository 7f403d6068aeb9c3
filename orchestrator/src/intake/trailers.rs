//! What replies give: `Reviewed-by:` and the like. They are told to people, never applied.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use regex::Regex;

use super::postings::Survey;
use crate::series::Mail;
use crate::words::ReceivedTrailer;

/// Most trailers told of one version.
const LIMIT: usize = 200;

/// `Reviewed-by: Name <address>`. What an author says of the own work (`Signed-off-by`, `Co-developed-by`) is not given
/// by a reply, and `Fixes:`, `Link:` and `Closes:` name no person.
static TRAILER: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^([A-Z][A-Za-z]*(?:-[A-Za-z]+)*-[Bb]y): ([^<>]{0,100}<[^<>\s]{1,200}@[^<>\s]{1,200}>)")
        .expect("constant")
});

/// The trailers in the text of a reply, in order; quoted text, diffs and the signature are left out.
pub(super) fn in_text(mail: &Mail) -> Vec<String> {
    let own = |line: &&str| !line.starts_with('>');
    let end = |line: &&str| !(*line == "-- " || line.starts_with("diff --git ") || line.starts_with("--- a/"));
    let lines = mail.lines.iter().map(|line| line.text.as_str()).take_while(end).filter(own);
    let trailer = |line: &str| {
        let found = TRAILER.captures(line)?;
        let is_authors = matches!(found[1].to_ascii_lowercase().as_str(), "signed-off-by" | "co-developed-by");
        let person = found[2].split_whitespace().collect::<Vec<_>>().join(" ");
        (!is_authors).then(|| format!("{}: {person}", &found[1]))
    };
    lines.filter_map(trailer).collect()
}

/// The trailers that replies give to the version of posting `index`. A reply counts for the patch (or the cover letter)
/// that it answers; one that answers a patch which was replaced since counts for nothing.
pub(super) fn received(survey: &Survey, index: usize) -> Vec<ReceivedTrailer> {
    let parts: BTreeMap<usize, usize> = survey.parts(index).into_iter().map(|(number, mail)| (mail, number)).collect();
    let mut seen = BTreeSet::new();
    let mut trailers = Vec::new();
    for (at, mail) in survey.mails.iter().enumerate() {
        let Some(envelope) = mail.envelope.as_ref().filter(|_| !survey.is_posted(at)) else { continue };
        let Some(number) = survey.nearest_posted(at).and_then(|above| parts.get(&above)) else { continue };
        for trailer in in_text(mail) {
            if seen.insert((*number, trailer.clone())) && trailers.len() < LIMIT {
                trailers.push(ReceivedTrailer {
                    patch: (*number > 0).then_some(*number),
                    trailer,
                    from: envelope.from.clone(),
                    message_id: envelope.message_id.clone(),
                });
            }
        }
    }
    trailers.sort_by_key(|trailer| trailer.patch);
    trailers
}

#[cfg(test)]
mod tests {
    use super::super::testing::mails_of;
    use super::*;

    #[test]
    fn trailers_are_read_from_a_persons_own_words() {
        let text = "From: R <r@example.org>\nSubject: Re: [PATCH] a\nMessage-ID: <r@x>\n\n\
            > Reviewed-by: Quoted <q@example.org>\nReviewed-by:  R. Eviewer   <r@example.org>\n\
            Acked-by: R <r@example.org> # mm part\nTested-by: no address\nFixes: 0123456789ab (\"x\")\n\
            Link: https://example.org/\nSigned-off-by: A <a@example.org>\nReported-and-tested-by: T <t@example.org>\n\
            Nacked-by: N <n@example.org>\nCc: C <c@example.org>\n  Acked-by: indented <i@example.org>\n-- \n\
            Acked-by: Signature <s@example.org>\n";
        let mails = mails_of(text);
        assert_eq!(
            in_text(&mails[0]),
            [
                "Reviewed-by: R. Eviewer <r@example.org>",
                "Acked-by: R <r@example.org>",
                "Reported-and-tested-by: T <t@example.org>",
                "Nacked-by: N <n@example.org>",
            ]
        );
        let fixup = "From: R <r@x.org>\nSubject: Re: a\nMessage-ID: <r@x>\n\nlike so:\ndiff --git a/x b/x\nAcked-by: A <a@x.org>\n";
        assert_eq!(in_text(&mails_of(fixup)[0]), [] as [&str; 0]);
    }
}
